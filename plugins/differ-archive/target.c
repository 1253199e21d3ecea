/* SPDX-License-Identifier: Apache-2.0 */
/* From mounts to an open folder. */
#include <config.h>

#include "archive.h"

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/log.h>
#include <mount/mount.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define PREFIX "mount-"
#define INNER "fs"

/* overlayfs' lists: ':' between, '\' in front of one that belongs to the name. */
static void split_lower(const char *s, struct gt_strv *out)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	for (; *s; s++) {
		if (*s == '\\' && s[1]) {
			gt_buf_addc(&b, *++s);
		} else if (*s == ':') {
			gt_strv_add_take(out, gt_buf_detach(&b));
		} else {
			gt_buf_addc(&b, *s);
		}
	}
	gt_strv_add_take(out, gt_buf_detach(&b));
}

static const char *value_of(const char *option, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(option, name, n) && option[n] == '=' ? option + n + 1 : NULL;
}

bool archive_overlay_get(const struct gt_mounts *m, struct archive_overlay *out)
{
	const struct gt_mount *v = m->v;
	struct archive_overlay o = { .plain = true };

	if (m->n != 1 || strcmp(v->type, "overlay") || *v->target)
		return false;
	for (size_t i = 0; i < v->options.n; i++) {
		const char *option = v->options.v[i], *s;

		if ((s = value_of(option, "upperdir"))) {
			free(o.upper);
			o.upper = gt_xstrdup(s);
		} else if ((s = value_of(option, "lowerdir"))) {
			gt_strv_done(&o.lower);
			split_lower(s, &o.lower);
		} else if (!strcmp(option, "userxattr")) {
			o.userxattr = true;
		} else if (value_of(option, "uidmap") || value_of(option, "gidmap") ||
			   value_of(option, "metacopy") || value_of(option, "redirect_dir")) {
			o.plain = false;
		}
	}
	*out = o;
	return true;
}

void archive_overlay_done(struct archive_overlay *o)
{
	free(o->upper);
	gt_strv_done(&o->lower);
	o->upper = NULL;
}

const char *archive_bind_source(const struct gt_mounts *m, bool want_write)
{
	const struct gt_mount *v = m->v;

	if (m->n != 1 || *v->target || (strcmp(v->type, "bind") && strcmp(v->type, "rbind")))
		return NULL;
	for (size_t i = 0; i < v->options.n; i++) {
		const char *option = v->options.v[i];

		if (value_of(option, "uidmap") || value_of(option, "gidmap") ||
		    (want_write && !strcmp(option, "ro")))
			return NULL;
	}
	return v->source;
}

bool archive_in_userns(void)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(AT_FDCWD, "/proc/self/uid_map", 65536, &b);
	unsigned long long inside, outside, count;

	return !e && (sscanf(b.s, "%llu %llu %llu", &inside, &outside, &count) != 3 || inside ||
		      outside || count != UINT32_MAX);
}

struct gt_error *archive_target_open(const char *path, struct archive_target *out)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : gt_file_class(errno), errno,
				      "open %s", path);
	*out = (struct archive_target){ .fd = fd, .temp_fd = -1 };
	return NULL;
}

/*
 * A new folder with a lock on it, and one in it to mount on. A sweeper may have taken the name in
 * between: then the lock is on a folder that is no more, and it is tried again.
 */
static struct gt_error *make_temp(const struct gt_init *init, struct archive_target *t)
{
	GT_TRY(gt_file_mkdirs(init->state, 0711));
	for (int i = 0; i < 100; i++) {
		gt_autofree char *path = gt_strf("%s/" PREFIX "XXXXXX", init->state);
		gt_autofree char *inner = NULL;
		gt_autofd int fd = -1;
		struct stat a, b;

		if (!mkdtemp(path))
			return gt_error_errno(gt_file_class(errno), errno, "make a folder in %s",
					      init->state);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &a) < 0 || stat(path, &b) < 0 ||
		    a.st_ino != b.st_ino || a.st_dev != b.st_dev)
			continue;
		inner = gt_strf("%s/" INNER, path);
		if (mkdir(inner, 0700) < 0)
			return gt_error_errno(gt_file_class(errno), errno, "make folder %s", inner);
		t->temp = gt_steal(&inner);
		t->temp_fd = gt_steal_fd(&fd);
		return NULL;
	}
	return gt_error_new(GT_UNAVAILABLE, "make a folder in %s: it is swept again and again",
			    init->state);
}

struct gt_error *archive_target_mount(const struct gt_init *init, const struct gt_mounts *m,
				      struct archive_target *out)
{
	struct archive_target t = ARCHIVE_TARGET_INIT;
	struct gt_error *e;

	GT_TRY(make_temp(init, &t));
	e = gt_mount_all(m, t.temp);
	if (!e) {
		t.fd = open(t.temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (t.fd < 0)
			e = gt_error_errno(GT_UNKNOWN, errno, "open %s", t.temp);
	}
	if (e) {
		archive_target_done(&t);
		return e;
	}
	*out = t;
	return NULL;
}

/* 'path' is .../mount-XXXXXX/fs. */
static void unmount_and_remove(const char *path)
{
	gt_autofree char *outer = gt_xstrndup(path, strlen(path) - strlen("/" INNER));
	struct gt_error *e = gt_mount_unmount_all(path, GT_UNMOUNT_LAZY);

	if (!e && rmdir(path) < 0 && errno != ENOENT)
		e = gt_error_errno(GT_UNKNOWN, errno, "delete %s", path);
	if (!e && rmdir(outer) < 0 && errno != ENOENT)
		e = gt_error_errno(GT_UNKNOWN, errno, "delete %s", outer);
	gt_log_warn_take(e, "clean up %s", outer);
}

void archive_target_done(struct archive_target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->temp)
		unmount_and_remove(t->temp);
	if (t->temp_fd >= 0)
		close(t->temp_fd);
	free(t->temp);
	*t = (struct archive_target)ARCHIVE_TARGET_INIT;
}

static void sweep_one(const struct gt_init *init, const char *name)
{
	gt_autofree char *outer = gt_strf("%s/%s", init->state, name);
	gt_autofree char *inner = gt_strf("%s/" INNER, outer);
	gt_autofd int fd = open(outer, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unmount_and_remove(inner);
}

void archive_target_sweep(const struct gt_init *init)
{
	DIR *d = opendir(init->state);
	struct dirent *ent;

	while (d && (ent = readdir(d)))
		if (!strncmp(ent->d_name, PREFIX, strlen(PREFIX)))
			sweep_one(init, ent->d_name);
	if (d)
		closedir(d);
}
