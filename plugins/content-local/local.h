/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local content store: containerd's folders, so that either can take over the other's.
 *
 *   blobs/ALG/HEX   a blob; appears by one rename, when all of it is verified and (full durability)
 *                   on disk
 *   ingest/H/       an ingest; H is the hex SHA-256 of its ref. Files: ref, data, startedat,
 *                   updatedat, total
 *
 * Who works on an ingest holds flock(LOCK_EX) on its folder; the kernel gives it back whatever
 * happens to the process. A folder that was removed before the lock was won has no links: try again.
 */
#ifndef GANTRY_CONTENT_LOCAL_H
#define GANTRY_CONTENT_LOCAL_H

#include <gantry/buf.h>
#include <gantry/content.h>

#include <stdatomic.h>

#define STORE_REF_MAX 65535 /* bytes of a ref */

struct local_config {
	char *root;
};

struct local_store {
	struct gt_content base;
	bool durable;
	int blobs; /* folders */
	int ingests;
	atomic_uint removals; /* so far */
};

/* local.c: the store and its blobs. */
struct gt_error *local_open(const struct gt_init *init, struct gt_content **out);
void local_close(struct gt_content *c);
struct gt_error *local_info(struct gt_content *c, struct gt_call *call, const char *digest,
			    struct gt_blob_info *out);
struct gt_error *local_reader(struct gt_content *c, struct gt_call *call, const char *digest,
			      struct gt_reader **out);
struct gt_error *local_remove(struct gt_content *c, struct gt_call *call, const char *digest);
struct gt_error *local_walk(struct gt_content *c, struct gt_call *call,
			    struct gt_error *(*fn)(void *arg, const struct gt_blob_info *info),
			    void *arg);
/* Whether the blob is there; the digest must be checked. With full durability its name is on disk. */
struct gt_error *local_has(struct local_store *s, const char *digest, bool *out);
/* "sha256:abc" as "sha256/abc", the path below blobs. */
char *local_blob_path(const char *digest);
struct gt_error *local_sync_folder(int dirfd, const char *path);
/* The name of the folder among blobs where a blob with this digest is, "sha256". */
char *local_blob_folder(const char *digest);
/* What happened to names of blobs in that folder is on disk then. */
struct gt_error *local_sync_blobs(struct local_store *s, const char *digest);

/* ingest.c: folders of ingests. */
struct gt_error *ingest_status(struct gt_content *c, struct gt_call *call, const char *ref,
			       struct gt_ingest_info *out);
struct gt_error *ingest_walk(struct gt_content *c, struct gt_call *call,
			     struct gt_error *(*fn)(void *arg, const struct gt_ingest_info *info),
			     void *arg);
struct gt_error *ingest_abort(struct gt_content *c, struct gt_call *call, const char *ref);
/*
 * The locked folder of 'ref', '*dir', made if 'make', else NOT_FOUND. UNAVAILABLE if somebody has it
 * locked. '*name' is its name below ingest/.
 */
struct gt_error *ingest_lock(struct local_store *s, const char *ref, bool make, int *dir,
			     char **name);
void ingest_unlock(int dir);
/* What the files say of the ingest in 'dir'; NOT_FOUND if it is garbage. */
struct gt_error *ingest_read(int dir, struct gt_ingest_info *out);
/* Writes the ref if the file does not say it yet. */
struct gt_error *ingest_write_ref(int dir, const char *ref);
/* Writes startedat, updatedat and total: what only matters to who comes later. */
struct gt_error *ingest_write_facts(int dir, const struct gt_ingest_info *info);
/* Deletes a locked ingest; what stays is garbage for a later open. */
void ingest_drop(struct local_store *s, int dir, const char *name);
/* Deletes folders that are no ingests, are old and that nobody holds. */
void ingest_collect(struct local_store *s);

/* stamp.c: RFC 3339 with nanoseconds. */
char *stamp_format(const struct timespec *t);
bool stamp_parse(const char *s, struct timespec *out);

/* writer.c */
struct gt_error *writer_open(struct gt_content *c, struct gt_call *call, const char *ref,
			     int64_t total, const char *expected, struct gt_writer **out);

#endif
