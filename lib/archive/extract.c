/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/extract.h>

#include <archive/name.h>
#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

static bool is_empty(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	int n = 0;

	if (!d && fd >= 0)
		close(fd);
	while (d && n < 3 && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n == 2; /* "." and ".." */
}

void layer_extract_init(struct layer_extract *x, const struct layer_extract_options *o)
{
	*x = (struct layer_extract){ .o = *o, .name = GT_BUF_INIT, .link = GT_BUF_INIT };
	layer_tree_init(&x->tree, o->root, o->opaque, o->below, o->n_below, &x->seen);
	x->tree.alone = o->alone;
	/* Where all that is there comes from us, no default ACL turns modes into others. */
	x->plain_modes = is_empty(o->root) &&
			 fgetxattr(o->root, "system.posix_acl_default", NULL, 0) < 0;
}

void layer_extract_done(struct layer_extract *x)
{
	layer_tree_done(&x->tree);
	layer_seen_done(&x->seen);
	gt_buf_done(&x->name);
	gt_buf_done(&x->link);
}

struct gt_error *layer_extract_make_room(struct layer_extract *x, const char *base, int err,
					 int attempt, const char *what)
{
	if (err != EEXIST || attempt)
		return gt_error_errno(layer_tree_class(err), err, "%s", what);
	return layer_tree_remove(&x->tree, x->tree.top->fd, base);
}

static bool needs_owner(struct layer_extract *x, const struct layer_attributes *at)
{
	return at->uid || at->gid || x->tree.top->setgid || !x->plain_modes;
}

/* What is no file and no folder is only known by its name. */
static struct gt_error *finish_node(struct layer_extract *x, struct archive_entry *entry,
				    const struct layer_attributes *at, const char *base)
{
	int dir = x->tree.top->fd;

	if (needs_owner(x, at) &&
	    fchownat(dir, base, at->uid, at->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "change owner");
	GT_TRY(layer_extract_xattrs(x, entry, -1, base));
	if (utimensat(dir, base, at->times, AT_SYMLINK_NOFOLLOW) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "set times");
	return NULL;
}

static struct gt_error *make_symlink(struct layer_extract *x, struct archive_entry *entry,
				     const struct layer_attributes *at, const char *base)
{
	const char *target = archive_entry_symlink(entry);

	if (!target || !*target)
		return gt_error_new(GT_INVALID_ARGUMENT, "symbolic link without a target");
	for (int i = 0; symlinkat(target, x->tree.top->fd, base) < 0; i++)
		GT_TRY(layer_extract_make_room(x, base, errno, i, "make symbolic link"));
	return finish_node(x, entry, at, base);
}

static struct gt_error *make_special(struct layer_extract *x, struct archive_entry *entry,
				     const struct layer_attributes *at, const char *base)
{
	mode_t type = archive_entry_filetype(entry);
	uint64_t major = archive_entry_rdevmajor(entry), minor = archive_entry_rdevminor(entry);
	dev_t dev = type == AE_IFIFO ? 0 : makedev(major, minor);

	if (type != AE_IFIFO && x->o.userns)
		return NULL;
	if (major > 0xfff || minor > 0xfffff)
		return gt_error_new(GT_INVALID_ARGUMENT, "device number %llu:%llu is out of range",
				    (unsigned long long)major, (unsigned long long)minor);
	/* The mode goes on by mknod alone: chmod by name would follow a link. */
	for (int i = 0; mknodat(x->tree.top->fd, base, type | at->mode, dev) < 0; i++)
		GT_TRY(layer_extract_make_room(x, base, errno, i, "make device or FIFO"));
	return finish_node(x, entry, at, base);
}

static struct gt_error *link_to(struct layer_extract *x, int from, const char *target,
				const char *base)
{
	for (int i = 0; linkat(from, target, x->tree.top->fd, base, 0) < 0; i++) {
		if (errno == ENOENT || errno == EPERM) /* EPERM: to a folder */
			return gt_error_errno(GT_INVALID_ARGUMENT, errno, "make hard link to %s",
					      x->link.s);
		GT_TRY(layer_extract_make_room(x, base, errno, i, "make hard link"));
	}
	return NULL;
}

static struct gt_error *make_hardlink(struct layer_extract *x, const char *to, const char *base)
{
	struct gt_error *e;
	size_t folder_len;
	const char *target;
	bool own;
	int from;

	GT_TRY(gt_error_wrap(layer_name_clean(to, &x->link), "hard link"));
	target = layer_name_base(&x->link, &folder_len);
	if (!*target || !strcmp(x->link.s, x->name.s))
		return gt_error_new(GT_INVALID_ARGUMENT, "hard link to itself or the root");
	e = layer_tree_lookup(&x->tree, x->link.s, folder_len, &from, &own);
	if (gt_error_class(e) == GT_NOT_FOUND)
		e = gt_error_reclass(e, GT_INVALID_ARGUMENT);
	GT_TRY(gt_error_wrap(e, "hard link to %s", x->link.s));
	e = link_to(x, from, target, base);
	if (own)
		close(from);
	return e;
}

/* Finds or makes the folder; '*hid': it takes the place of a deletion, so what is below stays hidden. */
static struct gt_error *open_folder(struct layer_extract *x, const char *base, mode_t mode,
				    bool *made, bool *hid, int *out)
{
	int dir = x->tree.top->fd;

	*made = true;
	*hid = false;
	if (mkdirat(dir, base, mode) < 0) {
		struct stat st;

		if (errno != EEXIST)
			return gt_error_errno(layer_tree_class(errno), errno, "make folder");
		*out = openat(dir, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		*made = false;
		if (*out >= 0)
			return NULL;
		*hid = fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) &&
		       !st.st_rdev;
		GT_TRY(layer_extract_make_room(x, base, EEXIST, 0, "make folder"));
		if (mkdirat(dir, base, mode) < 0)
			return gt_error_errno(layer_tree_class(errno), errno, "make folder");
		*made = true;
	}
	*out = openat(dir, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*out < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "open folder");
	return NULL;
}

static struct gt_error *make_folder(struct layer_extract *x, struct archive_entry *entry,
				    const struct layer_attributes *at, const char *base)
{
	/* The mode, and the times that are set when the folder is left. */
	struct stat st = { .st_mode = at->mode, .st_atim = at->times[0], .st_mtim = at->times[1] };
	bool owner = needs_owner(x, at), made, hid;
	gt_autofd int fd = -1;

	GT_TRY(open_folder(x, base, at->mode & 01777, &made, &hid, &fd));
	if (hid && x->o.opaque && fsetxattr(fd, x->o.opaque, "y", 1, 0) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "make folder opaque");
	if ((owner || !made) && fchown(fd, at->uid, at->gid) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "change owner");
	GT_TRY(layer_extract_xattrs(x, entry, fd, base));
	if ((owner || !made || at->mode & 06000) && fchmod(fd, at->mode) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "change mode");
	layer_tree_keep(&x->tree, base, gt_steal_fd(&fd), &st);
	return NULL;
}

static struct gt_error *write_entry(struct layer_extract *x, struct layer_reader *r,
				    struct archive_entry *entry, const char *base)
{
	const char *link = archive_entry_hardlink(entry);
	struct layer_attributes at;

	GT_TRY(layer_attributes_get(entry, &at));
	x->tree.top->dirty = true;
	if (!strcmp(base, OPAQUE))
		return layer_extract_opaque(x);
	if (!strncmp(base, WHITEOUT, strlen(WHITEOUT)))
		return layer_extract_whiteout(x, &at, base + strlen(WHITEOUT));
	layer_tree_mark(&x->tree, base);
	if (link)
		return make_hardlink(x, link, base);
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return layer_extract_file(x, r, entry, &at, base);
	case AE_IFDIR:
		return make_folder(x, entry, &at, base);
	case AE_IFLNK:
		return make_symlink(x, entry, &at, base);
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		return make_special(x, entry, &at, base);
	default:
		return gt_error_new(GT_INVALID_ARGUMENT, "entry of unknown type %o",
				    (unsigned)archive_entry_filetype(entry));
	}
}

struct gt_error *layer_extract_entry(struct layer_extract *x, struct layer_reader *r,
				     struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);
	struct gt_error *e;
	size_t folder_len;
	const char *base;

	if (!name)
		return gt_error_new(GT_INVALID_ARGUMENT, "entry without a name");
	GT_TRY(layer_name_clean(name, &x->name));
	base = layer_name_base(&x->name, &folder_len);
	if (!*base) /* the root is not the layer's */
		return NULL;
	e = layer_tree_enter(&x->tree, x->name.s, folder_len);
	if (!e)
		e = write_entry(x, r, entry, base);
	if (e) {
		gt_auto(gt_buf) quoted = GT_BUF_INIT;

		gt_buf_addq(&quoted, x->name.s);
		return gt_error_wrap(e, "entry %s", quoted.s);
	}
	return NULL;
}
