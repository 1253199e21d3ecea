/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "overlay.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#define MARKER "overlay-works"

static bool in_user_namespace(void)
{
	gt_auto(gt_buf) map = GT_BUF_INIT;
	gt_auto(gt_strv) words = { 0 };

	gt_error_free(gt_file_read(AT_FDCWD, "/proc/self/uid_map", 4096, &map));
	for (size_t i = 0; i < map.len; i++)
		if (map.s[i] == '\n')
			map.s[i] = ' ';
	for (char *word, *rest = map.s; (word = strsep(&rest, " "));)
		if (*word)
			gt_strv_add(&words, word);
	return words.n != 3 || strcmp(words.v[0], "0") != 0 || strcmp(words.v[1], "0") != 0 ||
	       strcmp(words.v[2], "4294967295") != 0;
}

/* Overlayfs tells a whiteout from the type in a directory's entry. */
static struct gt_error *check_entry_types(int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *ent;
	bool has = true;

	if (!d) {
		if (again >= 0)
			close(again);
		return NULL;
	}
	while ((ent = readdir(d)))
		if (!strcmp(ent->d_name, "."))
			has = ent->d_type != DT_UNKNOWN;
	closedir(d);
	if (!has)
		return gt_error_new(GT_UNIMPLEMENTED,
				    "the file system does not note types in directories (xfs: "
				    "make it with ftype=1)");
	return NULL;
}

static int set_folder(int fs, const char *key, const char *separator, int fd, const char *a,
		      const char *b)
{
	gt_autofree char *value =
		b ? gt_strf("/proc/self/fd/%d/%s%s/proc/self/fd/%d/%s", fd, a, separator, fd, b)
		  : gt_strf("/proc/self/fd/%d/%s", fd, a);

	return fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);
}

/*
 * Makes an overlay that nothing ever sees: it is mounted nowhere and ends with its descriptor, so
 * that a crash in here leaves no mount behind. A kernel without these calls (before 5.2) is asked
 * nothing.
 */
static struct gt_error *try_overlay(int folder, bool userxattr)
{
	gt_autofd int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	gt_autofd int mnt = -1;

	if (fs < 0 && errno == ENOSYS)
		return NULL;
	if (fs < 0)
		return gt_error_errno(GT_UNIMPLEMENTED, errno, "open overlayfs");
	if (set_folder(fs, "lowerdir", ":", folder, "lower1", "lower2") < 0 ||
	    set_folder(fs, "upperdir", "", folder, "upper", NULL) < 0 ||
	    set_folder(fs, "workdir", "", folder, "work", NULL) < 0 ||
	    (userxattr && fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return gt_error_errno(GT_UNIMPLEMENTED, errno,
				      "the file system does not carry an overlay");
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0)
		return gt_error_errno(GT_UNIMPLEMENTED, errno, "mount an overlay");
	return NULL;
}

static struct gt_error *probe(struct overlay *o)
{
	static const char *const names[] = { "lower1", "lower2", "upper", "work" };
	struct gt_folder d = { 0 };
	struct gt_error *e = NULL;

	GT_TRY(check_entry_types(o->store.folders.fd));
	GT_TRY(gt_folder_new(&o->store.folders, 0700, &d));
	for (size_t i = 0; !e && i < 4; i++)
		if (mkdirat(d.fd, names[i], 0755) < 0)
			e = gt_error_errno(gt_file_class(errno), errno, "make folder %s", names[i]);
	if (!e)
		e = try_overlay(d.fd, o->userxattr);
	if (o->userxattr && gt_error_class(e) == GT_UNIMPLEMENTED) {
		gt_error_free(e);
		o->userxattr = false;
		e = try_overlay(d.fd, false);
	}
	gt_folder_drop(&d);
	return e;
}

struct gt_error *overlay_probe(struct overlay *o, const struct gt_init *init)
{
	gt_autofree char *marker = gt_strf("%s/" MARKER, init->state);
	gt_auto(gt_buf) known = GT_BUF_INIT;
	gt_auto(gt_buf) now = GT_BUF_INIT;
	struct statfs st;
	struct stat root;

	o->index_off = access("/sys/module/overlay/parameters/index", F_OK) == 0;
	if (fstatfs(o->store.folders.fd, &st) < 0 || fstat(o->store.folders.fd, &root) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "stat %s", o->store.folders.path);
	if (st.f_type == OVERLAYFS_SUPER_MAGIC)
		return gt_error_new(GT_UNIMPLEMENTED,
				    "%s is on an overlay itself, which carries no other",
				    o->store.folders.path);
	o->userxattr = in_user_namespace() && st.f_type != TMPFS_MAGIC;
	if (!o->userxattr) { /* else what works may depend on the namespace: asked each time */
		gt_buf_addf(&now, "%s %llu\n", o->store.folders.path,
			    (unsigned long long)root.st_dev);
		gt_error_free(gt_file_read(AT_FDCWD, marker, 8192, &known));
		if (!strcmp(known.s, now.s))
			return NULL;
	}
	GT_TRY(gt_error_wrap(probe(o), "overlayfs in %s", o->store.folders.path));
	if (now.len) { /* if it cannot be kept, the next one asks again */
		gt_error_free(gt_file_mkdirs(init->state, 0711));
		gt_error_free(gt_file_write(AT_FDCWD, marker, now.s, now.len, 0600, false));
	}
	/* The kernel may have loaded the module for this only. */
	o->index_off = access("/sys/module/overlay/parameters/index", F_OK) == 0;
	return NULL;
}
