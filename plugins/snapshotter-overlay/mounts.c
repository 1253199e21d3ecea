/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a snapshot's folder, and the mounts that show it. */
#include <config.h>

#include "overlay.h"

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/log.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#define LABEL_UIDMAPPING "containerd.io/snapshot/uidmapping"
#define LABEL_GIDMAPPING "containerd.io/snapshot/gidmapping"

/* What id 0 of a mapping "CTR:HOST:SIZE,..." is outside. */
static struct gt_error *mapped_root(const char *label, const char *value, uint32_t *out)
{
	gt_auto(gt_strv) parts = { 0 };

	gt_strv_split(&parts, value, ',');
	for (size_t i = 0; i < parts.n; i++) {
		const char *part = parts.v[i];
		uint64_t inside, outside, size;
		int end = 0;

		if (strspn(part, "0123456789:") != strlen(part) || strlen(part) > 32 ||
		    sscanf(part, "%" SCNu64 ":%" SCNu64 ":%" SCNu64 "%n", &inside, &outside, &size,
			   &end) != 3 ||
		    part[end] || inside > UINT32_MAX || outside >= UINT32_MAX || size > UINT32_MAX)
			return gt_error_new(GT_INVALID_ARGUMENT, "label %s: %s is no mapping",
					    label, part);
		if (inside == 0 && size > 0) {
			*out = outside;
			return NULL;
		}
	}
	return gt_error_new(GT_INVALID_ARGUMENT, "label %s: %s does not map id 0", label, value);
}

/* -1 stays as it is. */
static struct gt_error *owner_of(struct overlay *o, const struct gt_labels *labels,
				 const struct gt_snapdb_entry *parent, uint32_t *uid, uint32_t *gid)
{
	const char *uids = labels ? gt_labels_get(labels, LABEL_UIDMAPPING) : NULL;
	const char *gids = labels ? gt_labels_get(labels, LABEL_GIDMAPPING) : NULL;

	*uid = *gid = -1;
	if (parent) {
		gt_autofree char *path = gt_snapstore_path(&o->store, parent->id, "fs");
		struct stat st;

		if (stat(path, &st) < 0)
			return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : GT_UNKNOWN, errno,
					      "stat %s of the parent", path);
		*uid = st.st_uid;
		*gid = st.st_gid;
	}
	if (uids)
		GT_TRY(mapped_root(LABEL_UIDMAPPING, uids, uid));
	if (gids)
		GT_TRY(mapped_root(LABEL_GIDMAPPING, gids, gid));
	return NULL;
}

static struct gt_error *make_folder(int at, const char *name, mode_t mode, uint32_t uid,
				    uint32_t gid)
{
	gt_autofd int fd = -1;

	if (mkdirat(at, name, mode) < 0)
		return errno == EEXIST ? NULL
				       : gt_error_errno(gt_file_class(errno), errno,
							"make folder %s of a snapshot", name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, mode) < 0 ||
	    ((uid != (uint32_t)-1 || gid != (uint32_t)-1) && fchown(fd, uid, gid) < 0))
		return gt_error_errno(gt_file_class(errno), errno,
				      "set owner and mode of folder %s of a snapshot", name);
	return NULL;
}

struct gt_error *overlay_fill(struct overlay *o, int folder, enum gt_snapshot_kind kind,
			      const struct gt_labels *labels, const struct gt_snapdb_entry *parent)
{
	uint32_t uid, gid;

	GT_TRY(owner_of(o, labels, parent, &uid, &gid));
	GT_TRY(make_folder(folder, "fs", 0755, uid, gid));
	if (kind == GT_SNAPSHOT_ACTIVE)
		GT_TRY(make_folder(folder, "work", 0711, -1, -1));
	return NULL;
}

/*
 * The names of an active snapshot's folders are not synced when it is made: that would be one
 * more flush of the disk for each container, for something that nothing has been promised about
 * yet. After a power cut the record may be there alone. Then they are made again, as empty as
 * they were.
 */
static struct gt_error *restore(struct overlay *o, const struct gt_snapdb_entry *e)
{
	gt_autofree char *folder = gt_snapstore_path(&o->store, e->id, "");
	gt_autofree char *fs = gt_snapstore_path(&o->store, e->id, "fs");
	const struct gt_snapdb_entry parent = { .id = e->n_parents ? e->parents[0] : 0 };
	gt_autofd int fd = -1;

	if (access(fs, F_OK) == 0 || errno != ENOENT)
		return NULL;
	gt_log_warn("snapshot %s has lost its directory: making it again, empty", e->info.key);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return gt_error_errno(gt_file_class(errno), errno, "make folder %s", folder);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "open %s", folder);
	return overlay_fill(o, fd, e->info.kind, &e->info.labels, e->n_parents ? &parent : NULL);
}

static void add_bind(struct overlay *o, uint64_t id, bool writable, struct gt_mounts *out)
{
	gt_autofree char *fs = gt_snapstore_path(&o->store, id, "fs");
	struct gt_mount *m = gt_mounts_add(out, "bind", fs, "");

	gt_strv_add(&m->options, writable ? "rw" : "ro");
	gt_strv_add(&m->options, "rbind");
}

static bool has_index_option(const struct gt_strv *options)
{
	for (size_t i = 0; i < options->n; i++)
		if (!strncmp(options->v[i], "index=", 6))
			return true;
	return false;
}

static void add_overlay(struct overlay *o, const struct gt_snapdb_entry *e, struct gt_mounts *out)
{
	struct gt_mount *m = gt_mounts_add(out, "overlay", "overlay", "");
	gt_auto(gt_buf) lower = GT_BUF_INIT;

	gt_strv_addv(&m->options, &o->config->mount_options);
	if (o->userxattr)
		gt_strv_add(&m->options, "userxattr");
	if (o->index_off && !has_index_option(&o->config->mount_options))
		gt_strv_add(&m->options, "index=off");
	if (e->info.kind == GT_SNAPSHOT_ACTIVE) {
		gt_autofree char *work = gt_snapstore_path(&o->store, e->id, "work");
		gt_autofree char *fs = gt_snapstore_path(&o->store, e->id, "fs");

		gt_strv_addf(&m->options, "workdir=%s", work);
		gt_strv_addf(&m->options, "upperdir=%s", fs);
	}
	if (!e->n_parents) /* a layer alone */
		return;
	gt_buf_adds(&lower, "lowerdir=");
	for (size_t i = 0; i < e->n_parents; i++) {
		gt_autofree char *fs = gt_snapstore_path(&o->store, e->parents[i], "fs");

		gt_buf_addf(&lower, "%s%s", i ? ":" : "", fs);
	}
	gt_strv_add_take(&m->options, gt_buf_detach(&lower));
}

struct gt_error *overlay_mounts_of(struct overlay *o, const struct gt_snapdb_entry *e,
				   struct gt_mounts *out)
{
	bool active = e->info.kind == GT_SNAPSHOT_ACTIVE;

	if (active || !e->n_parents)
		GT_TRY(restore(o, e));
	if (!e->n_parents && !(active && gt_labels_get(&e->info.labels, GT_LABEL_ALONE)))
		add_bind(o, e->id, active, out);
	else if (!active && e->n_parents == 1)
		add_bind(o, e->parents[0], false, out);
	else
		add_overlay(o, e, out);
	return NULL;
}
