/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/attributes.h>

#include <archive/tree.h>
#include <gantry/buf.h>

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

/* The last second that 64 bits of nanoseconds can tell: what Go's programs take for the end of time. */
#define LAST_SECOND INT64_C(9223372036)

static struct timespec clamp(int64_t sec, long nsec)
{
	if (sec < 0 || sec > LAST_SECOND || nsec < 0 || nsec > 999999999)
		return (struct timespec){ 0, 0 };
	return (struct timespec){ sec, nsec };
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

struct gt_error *layer_attributes_get(struct archive_entry *entry, struct layer_attributes *out)
{
	int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);

	/* (uid_t)-1 means "leave it" to the kernel. */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "owner %lld:%lld is out of range",
				    (long long)uid, (long long)gid);
	*out = (struct layer_attributes){ .uid = uid, .gid = gid };
	out->mode = archive_entry_mode(entry) & 07777;
	if (archive_entry_mtime_is_set(entry))
		out->times[1] = clamp(archive_entry_mtime(entry), archive_entry_mtime_nsec(entry));
	if (archive_entry_atime_is_set(entry))
		out->times[0] = clamp(archive_entry_atime(entry), archive_entry_atime_nsec(entry));
	if (is_before(&out->times[0], &out->times[1]))
		out->times[0] = out->times[1];
	return NULL;
}

bool layer_xattr_is_overlays(const char *name)
{
	return !strncmp(name, "trusted.overlay.", 16) || !strncmp(name, "user.overlay.", 13);
}

static struct gt_error *copy_xattr(int from, int to, const char *name)
{
	ssize_t n = fgetxattr(from, name, NULL, 0);
	gt_autofree char *value = NULL;

	if (n < 0)
		return NULL;
	value = gt_xmalloc(n);
	n = fgetxattr(from, name, value, n);
	if (n >= 0 && fsetxattr(to, name, value, n, 0) < 0 && errno != ENOTSUP)
		return gt_error_errno(layer_tree_class(errno), errno, "set attribute %s", name);
	return NULL;
}

static struct gt_error *copy_xattrs(int from, int to)
{
	ssize_t n = flistxattr(from, NULL, 0);
	gt_autofree char *names = NULL;

	if (n <= 0)
		return NULL;
	names = gt_xmalloc(n);
	n = flistxattr(from, names, n);
	for (ssize_t i = 0; i < n; i += strlen(names + i) + 1)
		if (!layer_xattr_is_overlays(names + i))
			GT_TRY(copy_xattr(from, to, names + i));
	return NULL;
}

struct gt_error *layer_attributes_copy(int from, int to, struct stat *st)
{
	struct timespec times[2];

	if (fstat(from, st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "look at a folder below");
	if (fchown(to, st->st_uid, st->st_gid) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "change owner");
	GT_TRY(copy_xattrs(from, to));
	if (fchmod(to, st->st_mode & 07777) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "change mode");
	times[0] = st->st_atim;
	times[1] = st->st_mtim;
	if (futimens(to, times) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "set times");
	return NULL;
}
