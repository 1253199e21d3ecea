/* SPDX-License-Identifier: Apache-2.0 */
/* Entries that delete what the layers below have, and never what this layer wrote itself. */
#include <config.h>

#include <archive/extract.h>

#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

static struct gt_error *prune(struct layer_extract *x, int fd, uint64_t hash);

static struct gt_error *prune_one(struct layer_extract *x, int dir, const char *name, uint64_t hash)
{
	int fd;

	if (!layer_seen_has(&x->seen, hash))
		return layer_tree_remove(&x->tree, dir, name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		if (errno == ENOTDIR || errno == ELOOP || errno == ENOENT)
			return NULL;
		return gt_error_errno(layer_tree_class(errno), errno, "open folder %s", name);
	}
	return prune(x, fd, hash);
}

/* Deletes what is in the folder (whose descriptor it takes) and not of this layer. */
static struct gt_error *prune(struct layer_extract *x, int fd, uint64_t hash)
{
	struct gt_error *e = NULL;
	DIR *d = fdopendir(fd);
	struct dirent *ent;

	if (!d) {
		e = gt_error_errno(GT_UNKNOWN, errno, "read folder");
		close(fd);
		return e;
	}
	while (!e && (ent = readdir(d)))
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
			e = prune_one(x, dirfd(d), ent->d_name,
				      layer_seen_hash(hash, ent->d_name, strlen(ent->d_name)));
	closedir(d);
	return e;
}

static struct gt_error *hide_lower(struct layer_extract *x, int fd, uint64_t hash)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (again < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "open folder");
	GT_TRY(prune(x, again, hash));
	if (x->o.opaque && fsetxattr(fd, x->o.opaque, "y", 1, 0) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "make folder opaque");
	return NULL;
}

struct gt_error *layer_extract_opaque(struct layer_extract *x)
{
	struct layer_folder *top = x->tree.top;

	return hide_lower(x, top->fd, top->hash);
}

static struct gt_error *remove_lower(struct layer_extract *x, const char *hidden, uint64_t hash)
{
	int dir = x->tree.top->fd;
	gt_autofd int fd = -1;

	if (!layer_seen_has(&x->seen, hash))
		return layer_tree_remove(&x->tree, dir, hidden);
	fd = openat(dir, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? NULL : hide_lower(x, fd, hash);
}

struct gt_error *layer_extract_whiteout(struct layer_extract *x, const struct layer_attributes *at,
					const char *hidden)
{
	struct layer_folder *top = x->tree.top;
	uint64_t hash = layer_seen_hash(top->hash, hidden, strlen(hidden));

	if (!*hidden || !strcmp(hidden, ".") || !strcmp(hidden, ".."))
		return gt_error_new(GT_INVALID_ARGUMENT, "whiteout of no name");
	GT_TRY(gt_error_wrap(remove_lower(x, hidden, hash), "delete"));
	if (!x->o.opaque || layer_seen_has(&x->seen, hash))
		return NULL;
	if (mknodat(top->fd, hidden, S_IFCHR, 0) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "make whiteout");
	if ((at->uid || at->gid || top->setgid) &&
	    fchownat(top->fd, hidden, at->uid, at->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "change owner of whiteout");
	return NULL;
}
