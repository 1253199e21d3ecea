/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "store.h"

#include "tree.h"

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/log.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

struct gt_error *gt_snapstore_open(const struct gt_init *init, const char *root,
				   struct gt_snapstore *out)
{
	const char *at = *root ? root : init->root;
	struct gt_snapstore s = { .synced = init->durability == GT_DURABILITY_FULL };
	struct gt_error *e;

	GT_TRY(gt_folders_open(at, &s.folders));
	e = gt_snapdb_open(at, init->durability, &s.db);
	if (e) {
		gt_folders_close(&s.folders);
		return e;
	}
	*out = s;
	return NULL;
}

void gt_snapstore_close(struct gt_snapstore *s)
{
	gt_snapdb_close(s->db);
	gt_folders_close(&s->folders);
	*s = (struct gt_snapstore){ 0 };
}

char *gt_snapstore_path(const struct gt_snapstore *s, uint64_t id, const char *below)
{
	return gt_strf("%s/%" PRIu64 "%s%s", s->folders.path, id, *below ? "/" : "", below);
}

struct gt_error *gt_snapstore_stat(struct gt_snapstore *s, const char *key,
				   struct gt_snapshot_info *out)
{
	gt_auto(gt_snapdb_entry) e = { 0 };

	GT_TRY(gt_snapdb_stat(s->db, key, &e));
	*out = e.info;
	e.info = (struct gt_snapshot_info){ 0 };
	return NULL;
}

struct gt_error *gt_snapstore_remove(struct gt_snapstore *s, const char *key, int64_t patience)
{
	uint64_t id;

	GT_TRY(gt_snapdb_remove(s->db, key, &id));
	/* The snapshot is gone, whatever becomes of its files: cleanup will try again. */
	gt_log_warn_take(gt_folders_remove(&s->folders, id, patience),
			 "files of the removed snapshot %s", key);
	return NULL;
}

struct gt_error *gt_snapstore_remove_all(struct gt_snapstore *s, const struct gt_strv *keys,
					 bool *gone)
{
	gt_autofree uint64_t *ids = gt_xcalloc(keys->n + 1, sizeof(*ids));

	GT_TRY(gt_snapdb_remove_all(s->db, keys, ids, gone));
	for (size_t i = 0; i < keys->n; i++)
		if (ids[i])
			gt_log_warn_take(gt_folders_delete(&s->folders, ids[i]),
					 "files of the removed snapshot %s", keys->v[i]);
	/*
	 * Nobody needs that stored now. But everybody who changes a file there waits for all that the file
	 * system's journal has taken up: it should not be much.
	 */
	if (s->synced && fsync(s->folders.fd) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "sync %s", s->folders.path);
	return NULL;
}

struct gt_error *gt_snapstore_usage(struct gt_snapstore *s, const struct gt_call *call,
				    const char *key, const char *below, struct gt_usage *out)
{
	gt_auto(gt_snapdb_entry) e = { 0 };
	gt_autofree char *path = NULL;
	gt_autofd int fd = -1;

	GT_TRY(gt_snapdb_stat(s->db, key, &e));
	if (e.measured) {
		*out = e.usage;
		return NULL;
	}
	path = gt_snapstore_path(s, e.id, below);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : gt_file_class(errno), errno,
				      "open %s", path);
	GT_TRY(gt_error_wrap(gt_tree_usage(fd, call, out), "measure snapshot %s", key));
	if (e.info.kind == GT_SNAPSHOT_COMMITTED) /* kept for the next time, if that is possible */
		gt_error_free(gt_snapdb_set_usage(s->db, key, e.id, out));
	return NULL;
}

struct gt_error *gt_snapstore_sync(struct gt_snapstore *s)
{
	if (s->synced && syncfs(s->folders.fd) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "sync the file system of %s",
				      s->folders.path);
	return NULL;
}
