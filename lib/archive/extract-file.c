/* SPDX-License-Identifier: Apache-2.0 */
/* Regular files: their content, holes and attributes. */
#include <config.h>

#include <archive/extract.h>

#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

static struct gt_error *write_at(int fd, const char *p, size_t len, int64_t *pos, int64_t off)
{
	while (len) {
		/* A plain write where the last one ended: the usual case, and cheaper. */
		ssize_t n = off == *pos ? write(fd, p, len) : pwrite(fd, p, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(layer_tree_class(errno), errno, "write");
		if (off == *pos)
			*pos += n;
		p += n;
		off += n;
		len -= n;
	}
	return NULL;
}

static struct gt_error *write_content(struct layer_reader *r, int fd, int64_t size)
{
	int64_t pos = 0, end = 0;

	for (;;) {
		const void *data;
		int64_t off;
		size_t len;

		GT_TRY(layer_reader_data(r, &data, &len, &off));
		if (!len)
			break;
		if (off < 0 || off > size || len > (uint64_t)(size - off))
			return gt_error_new(GT_INVALID_ARGUMENT, "content beyond its size");
		GT_TRY(write_at(fd, data, len, &pos, off));
		if ((int64_t)(off + len) > end)
			end = off + len;
	}
	if (end < size && ftruncate(fd, size) < 0) /* it ends in a hole */
		return gt_error_errno(layer_tree_class(errno), errno, "set size");
	return NULL;
}

struct gt_error *layer_extract_file(struct layer_extract *x, struct layer_reader *r,
				    struct archive_entry *entry, const struct layer_attributes *at,
				    const char *base)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int64_t size = archive_entry_size(entry);
	gt_autofd int fd = -1;
	bool owner = at->uid || at->gid || x->tree.top->setgid || !x->plain_modes;

	if (size < 0 || (x->o.max_size && size > x->o.max_size))
		return gt_error_new(size < 0 ? GT_INVALID_ARGUMENT : GT_RESOURCE_EXHAUSTED,
				    "file of %lld bytes, more than a layer may have (%lld)",
				    (long long)size, (long long)x->o.max_size);
	for (int i = 0; fd < 0; i++) {
		fd = openat(x->tree.top->fd, base, flags, at->mode & 01777);
		if (fd < 0)
			GT_TRY(layer_extract_make_room(x, base, errno, i, "make file"));
	}
	if (size)
		GT_TRY(write_content(r, fd, size));
	if (owner && fchown(fd, at->uid, at->gid) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "change owner");
	GT_TRY(layer_extract_xattrs(x, entry, fd, base));
	if ((owner || at->mode & 06000) && fchmod(fd, at->mode) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "change mode");
	if (futimens(fd, at->times) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "set times");
	return NULL;
}

/* A file system without the attribute, or one that this kind of file cannot have, is no error. */
static struct gt_error *xattr_failure(struct layer_extract *x, struct archive_entry *entry,
				      const char *name, int err)
{
	mode_t type = archive_entry_filetype(entry);
	bool harmless = err == ENOTSUP || (err == EPERM && !strncmp(name, "user.", 5) &&
					   type != AE_IFREG && type != AE_IFDIR);

	if (!harmless)
		return gt_error_errno(layer_tree_class(err), err, "set attribute %.255s", name);
	if (err == ENOTSUP) {
		gt_autofree char *text = gt_strf("%s: attribute %.255s is not supported here",
						 x->name.s, name);

		x->o.warn(x->o.arg, text);
	}
	return NULL;
}

struct gt_error *layer_extract_xattrs(struct layer_extract *x, struct archive_entry *entry, int fd,
				      const char *base)
{
	const char *name;
	const void *value;
	size_t len;

	if (!archive_entry_xattr_reset(entry))
		return NULL;
	/* There is no lsetxattr below a descriptor: the folder is made the current one. */
	if (fd < 0 && fchdir(x->tree.top->fd) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "enter folder");
	while (archive_entry_xattr_next(entry, &name, &value, &len) == ARCHIVE_OK) {
		int r;

		if (!name || layer_xattr_is_overlays(name))
			continue;
		if (!strcmp(name, "system.posix_acl_default"))
			x->plain_modes = false;
		r = fd >= 0 ? fsetxattr(fd, name, value, len, 0)
			    : lsetxattr(base, name, value, len, 0);
		if (r < 0)
			GT_TRY(xattr_failure(x, entry, name, errno));
	}
	return NULL;
}
