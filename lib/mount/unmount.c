/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "mount.h"

#include "fuse.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>

#define BUSY_ATTEMPTS 50
#define BUSY_WAIT_NS 50000000
#define MOUNTINFO_LIMIT (256 << 20)

/* What a target that does not exist, or is not mounted, says. */
static bool is_absent(int err)
{
	return err == EINVAL || err == ENOENT;
}

static struct gt_error *detach(const char *target)
{
	if (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || is_absent(errno))
		return NULL;
	return gt_error_errno(errno == EPERM ? GT_PERMISSION_DENIED : GT_UNKNOWN, errno,
			      "detach the mount at %s", target);
}

/* '*done': there was a mount, and it is gone. '*busy': it is in use, maybe by mounts below it. */
static struct gt_error *attempt(const char *target, bool *done, bool *busy)
{
	*done = *busy = false;
	if (umount2(target, UMOUNT_NOFOLLOW) == 0) {
		*done = true;
		return NULL;
	}
	if (is_absent(errno))
		return NULL;
	if (errno == EBUSY) {
		*busy = true;
		return NULL;
	}
	if (errno == EPERM) {
		int err = errno;
		struct gt_error *e = mount_fuse_unmount(target);

		*done = !e;
		if (gt_error_class(e) != GT_FAILED_PRECONDITION)
			return e;
		gt_error_free(e);
		errno = err;
	}
	return gt_error_errno(errno == EPERM ? GT_PERMISSION_DENIED : GT_UNKNOWN, errno,
			      "unmount %s", target);
}

static struct gt_error *unmount(const char *target, unsigned flags, bool *done)
{
	bool busy;

	if (flags & GT_UNMOUNT_DETACH) {
		*done = umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) == 0;
		return *done ? NULL : detach(target);
	}
	for (int i = 0; i < BUSY_ATTEMPTS; i++) {
		if (i)
			nanosleep(&(struct timespec){ .tv_nsec = BUSY_WAIT_NS }, NULL);
		GT_TRY(attempt(target, done, &busy));
		if (!busy)
			return NULL;
	}
	if (!(flags & GT_UNMOUNT_LAZY))
		return gt_error_errno(GT_FAILED_PRECONDITION, EBUSY, "unmount %s", target);
	*done = true;
	return detach(target);
}

struct gt_error *gt_mount_unmount(const char *target, unsigned flags)
{
	bool done;

	return unmount(target, flags, &done);
}

/* mountinfo writes space, tab, newline and backslash as three octal digits. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0');
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* Adds the mount points below 'target' and not itself, in the order in which they were made. */
static struct gt_error *mounts_below(const char *target, struct gt_strv *out)
{
	gt_auto(gt_buf) info = GT_BUF_INIT;
	size_t len = strlen(target);
	char *line, *rest;

	while (len > 1 && target[len - 1] == '/')
		len--;
	GT_TRY(gt_file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_LIMIT, &info));
	for (rest = info.s; (line = strsep(&rest, "\n"));) {
		char *field = line;

		for (int i = 0; i < 4 && field; i++)
			strsep(&field, " ");
		if (!field)
			continue;
		field = strsep(&field, " ");
		unescape(field);
		if (!strncmp(field, target, len) && field[len] == '/' && field[len + 1])
			gt_strv_add(out, field);
	}
	return NULL;
}

static struct gt_error *unmount_below(const char *target, unsigned flags)
{
	gt_auto(gt_strv) below = { 0 };
	gt_autofree char *real = realpath(target, NULL);

	if (!real)
		return errno == ENOENT ? NULL
				       : gt_error_errno(GT_UNKNOWN, errno, "open %s", target);
	GT_TRY(mounts_below(real, &below));
	for (size_t i = below.n; i-- > 0;)
		GT_TRY(gt_mount_unmount(below.v[i], flags));
	return NULL;
}

/*
 * Nothing is mounted below a folder that has nothing in it: then mountinfo need not be read, which is long
 * where many containers run.
 */
static bool has_entries(const char *target)
{
	DIR *d = opendir(target);
	struct dirent *ent = NULL;
	int err;

	if (!d)
		return errno != ENOENT && errno != ENOTDIR;
	errno = 0;
	do
		ent = readdir(d);
	while (ent && (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, "..")));
	err = errno;
	closedir(d);
	return ent || err;
}

struct gt_error *gt_mount_unmount_all(const char *target, unsigned flags)
{
	bool done, busy;

	if (flags & GT_UNMOUNT_DETACH) {
		do
			GT_TRY(unmount(target, flags, &done));
		while (done);
		return has_entries(target) ? unmount_below(target, flags) : NULL;
	}
	GT_TRY(attempt(target, &done, &busy));
	if (!done)
		GT_TRY(unmount_below(target, flags));
	do
		GT_TRY(unmount(target, flags, &done));
	while (done);
	return NULL;
}
