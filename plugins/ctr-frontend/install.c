/* SPDX-License-Identifier: Apache-2.0 */
/* `install`: programs and libraries out of an image onto this machine. */
#include <config.h>

#include "commands.h"
#include "lookup.h"

#include <gantry/api-snapshots.h>
#include <gantry/file.h>

#include <client/defaults.h>
#include <client/image.h>
#include <client/lease.h>
#include <client/rootfs.h>
#include <client/unpack.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_PATH "/opt/containerd"
#define CHUNK (256 * 1024)

static struct gt_error *copy_bytes(struct ctr *c, int from, int to, const char *name)
{
	gt_autofree char *bytes = gt_xmalloc(CHUNK);
	ssize_t n;

	while ((n = read(from, bytes, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read %s", name);
		GT_TRY(gt_call_check(&c->call));
		GT_TRY(gt_file_write_all(to, bytes, (size_t)n, name));
	}
	return NULL;
}

/* A regular file, as what it is in the image: a link there is not followed. Whole, or not at all. */
static struct gt_error *copy_file(struct ctr *c, int from_dir, int to_dir, const char *name)
{
	gt_autofree char *part = gt_strf(".%s.part", name);
	gt_autofd int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	gt_autofd int to = -1;
	struct gt_error *e;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	if (!ctr_bool(c, "replace") && faccessat(to_dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return gt_error_new(GT_ALREADY_EXISTS, "cannot replace %s in %s", name,
				    *ctr_string(c, "path") ? ctr_string(c, "path") : DEFAULT_PATH);
	unlinkat(to_dir, part, 0);
	to = openat(to_dir, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return gt_error_errno(gt_file_class(errno), errno, "create %s", name);
	e = copy_bytes(c, from, to, name);
	/* neither set-user-id nor writable by others, whatever the image says */
	if (!e && (fchmod(to, st.st_mode & 0755) < 0 || renameat(to_dir, part, to_dir, name) < 0))
		e = gt_error_errno(gt_file_class(errno), errno, "install %s", name);
	if (e)
		unlinkat(to_dir, part, 0);
	return e;
}

static struct gt_error *copy_folder(struct ctr *c, int root, const char *folder, const char *base)
{
	gt_autofree char *path = gt_strf("%s/%s", base, folder);
	int from = openat(root, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	gt_autofd int to = -1;
	struct gt_error *e;
	struct dirent *ent;
	DIR *d;

	if (from < 0)
		return NULL;
	d = fdopendir(from);
	if (!d) {
		close(from);
		return gt_error_errno(GT_UNKNOWN, errno, "read %s", folder);
	}
	e = gt_file_mkdirs(path, 0755);
	to = e ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!e && to < 0)
		e = gt_error_errno(GT_UNKNOWN, errno, "open %s", path);
	while (!e && (ent = readdir(d)))
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
			e = copy_file(c, dirfd(d), to, ent->d_name);
	closedir(d);
	return e;
}

static struct gt_error *copy_all(struct ctr *c, const struct gt_mounts *mounts)
{
	const char *base = *ctr_string(c, "path") ? ctr_string(c, "path") : DEFAULT_PATH;
	gt_autofd int root = -1;

	GT_TRY(gt_rootfs_open(mounts, false, &root));
	GT_TRY(copy_folder(c, root, "bin", base));
	return ctr_bool(c, "libs") ? copy_folder(c, root, "lib", base) : NULL;
}

static struct gt_error *install(struct ctr *c, struct gt_services *s, const struct gt_image *image)
{
	gt_auto(gt_platforms) platforms = { 0 };
	gt_auto(gt_image_view) v = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	gt_autofree char *snapshotter = NULL;
	gt_autofree char *unique = gt_unique_name();
	gt_autofree char *key = gt_strf("install-%s", unique);
	struct gt_call cleanup = c->call;
	struct gt_unpack_options o = { 0 };
	struct gt_error *e;

	gt_platforms_add_host(&platforms);
	GT_TRY(gt_image_resolve(s, &c->call, &image->target, &platforms, &v));
	GT_TRY(gt_default_snapshotter(s, &c->call, NULL, &snapshotter));
	o.snapshotter = snapshotter;
	GT_TRY(gt_image_unpack(s, &c->call, &v, &o));
	GT_TRY(gt_snapshots_view(s, &c->call, snapshotter, key, gt_image_view_chain_id(&v), NULL,
				 &mounts));
	e = copy_all(c, &mounts);
	cleanup.cancel = NULL;
	cleanup.deadline = 0;
	return gt_error_first(e, gt_snapshots_remove(s, &cleanup, snapshotter, key));
}

static struct gt_error *run_install(struct ctr *c)
{
	gt_auto(gt_image) image = { 0 };
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_image(c, s, ctr_arg(c, 0), &image));
	return install(c, s, &image);
}

static const struct ctr_flag install_flags[] = {
	{ .name = "libs", .alias = "l", .type = CTR_BOOL, .text = "the image's lib, too" },
	{ .name = "replace", .alias = "r", .type = CTR_BOOL, .text = "replace what is there" },
	{ .name = "path", .type = CTR_STRING, .text = "folder to install to (default: " DEFAULT_PATH ")" },
	{ 0 },
};

const struct ctr_command ctr_install = {
	.name = "install",
	.text = "install the programs of an image on this machine",
	.args = "[flags] <ref>",
	.more = "The files of the image's bin go to the folder's bin.",
	.flags = (const struct ctr_flag *const[]){ install_flags, NULL },
	.run = run_install,
};
