/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints that lie among the blobs: unpacked as layers are, by a worker that sees nothing else. */
#include <config.h>

#include "tasks.h"

#include <gantry/api-diffs.h>
#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One for each container, so that what a daemon that was killed left is found again. */
static char *folder_of(struct local *l, const struct gt_call *call, const char *id)
{
	return gt_strf("%s/restore/%s/%s", l->init->state, call->ns, id);
}

struct gt_error *tasks_checkpoint_drop(struct gt_services *s, const struct gt_call *call,
				       const char *id)
{
	gt_autofree char *dir = folder_of(local_of(s), call, id);

	return gt_file_remove_tree(AT_FDCWD, dir);
}

/* CRIU follows what it finds as root, outside of any container: files of its own are all it may find. */
static struct gt_error *check_files(const char *dir)
{
	struct gt_error *e = NULL;
	DIR *d = opendir(dir);
	struct dirent *ent;
	struct stat st;

	if (!d)
		return gt_error_errno(GT_UNKNOWN, errno, "read folder %s", dir);
	while (!e && (ent = readdir(d))) {
		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
			continue;
		if (fstatat(dirfd(d), ent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			e = gt_error_errno(GT_UNKNOWN, errno, "look at %s of a checkpoint",
					   ent->d_name);
		else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
			e = gt_error_new(GT_INVALID_ARGUMENT, "%s of a checkpoint is no regular file",
					 ent->d_name);
	}
	closedir(d);
	return e;
}

struct gt_error *tasks_checkpoint_unpack(struct gt_services *s, struct gt_call *call, const char *id,
					 const struct gt_descriptor *d, char **folder)
{
	gt_autofree char *dir = folder_of(local_of(s), call, id);
	gt_auto(gt_descriptor) plain = { 0 };
	gt_auto(gt_descriptor) applied = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	struct gt_mount *m;
	struct gt_error *e;

	GT_TRY(tasks_checkpoint_drop(s, call, id));
	GT_TRY(gt_file_mkdirs(dir, 0700));
	m = gt_mounts_add(&mounts, "bind", dir, "");
	gt_strv_add(&m->options, "rbind");
	gt_strv_add(&m->options, "rw");
	gt_descriptor_copy(&plain, d);
	/* It is an archive of files, whatever its media type says. */
	free(plain.media_type);
	plain.media_type = gt_xstrdup("application/vnd.oci.image.layer.v1.tar");
	e = gt_diffs_apply(s, call, &plain, &mounts, &applied);
	if (!e)
		e = check_files(dir);
	if (e) {
		gt_error_free(tasks_checkpoint_drop(s, call, id));
		return gt_error_wrap(e, "unpack checkpoint %s", d->digest);
	}
	*folder = gt_steal(&dir);
	return NULL;
}
