/* SPDX-License-Identifier: Apache-2.0 */
/* The containers service: what a container is; whether it runs is the tasks service's. */
#ifndef GANTRY_API_CONTAINERS_H
#define GANTRY_API_CONTAINERS_H

#include <gantry/any.h>
#include <gantry/mount.h>
#include <gantry/services.h>

#include <time.h>

struct gt_extension {
	char *name;
	struct gt_any value;
};

struct gt_container {
	char *id;
	struct gt_labels labels;
	char *image; /* "" where there is none; so all strings here */
	char *runtime;
	struct gt_any runtime_options;
	struct gt_any spec; /* OCI runtime document, JSON */
	char *snapshotter;
	char *snapshot_key;
	char *sandbox;
	struct timespec created_at;
	struct timespec updated_at;
	struct gt_extension *extensions; /* sorted by name */
	size_t n_extensions;
};
void gt_container_copy(struct gt_container *dst, const struct gt_container *src);
void gt_container_done(struct gt_container *c);
const struct gt_any *gt_container_extension(const struct gt_container *c, const char *name);
void gt_container_set_extension(struct gt_container *c, const char *name, const struct gt_any *value);

/* The snapshot that is made together with a container: on 'parent', a key; NULL or "" for none. */
struct gt_container_snapshot {
	const char *parent;
	const struct gt_labels *labels; /* NULL: none */
	/* Completes 'c' by what the snapshot begins with; nothing may be written through 'mounts'. */
	struct gt_error *(*fill)(void *arg, const struct gt_mounts *mounts, struct gt_container *c);
	void *arg;
};

struct gt_containers_ops {
	size_t size;
	/* NOT_FOUND "container \"ID\" in namespace \"NS\"". The caller gt_container_done()s '*out'. */
	struct gt_error *(*get)(struct gt_services *s, struct gt_call *call, const char *id,
				struct gt_container *out);
	/* ALREADY_EXISTS; INVALID_ARGUMENT for an id that is no identifier. '*out' may be NULL. */
	struct gt_error *(*create)(struct gt_services *s, struct gt_call *call,
				   const struct gt_container *c, struct gt_container *out);
	/* 'mask': labels[.K], extensions[.K], spec, image, snapshotkey; others INVALID_ARGUMENT. */
	struct gt_error *(*update)(struct gt_services *s, struct gt_call *call,
				   const struct gt_container *c, const struct gt_strv *mask,
				   struct gt_container *out);
	struct gt_error *(*list)(struct gt_services *s, struct gt_call *call,
				 const struct gt_strv *filters,
				 struct gt_error *(*fn)(void *arg, const struct gt_container *c),
				 void *arg);
	/* NOT_FOUND. The record alone: task and snapshot are the caller's to delete. */
	struct gt_error *(*remove)(struct gt_services *s, struct gt_call *call, const char *id);
	/*
	 * NOT_FOUND. The record and the snapshot that it names, in one step that is done or not done. Optional,
	 * absent where the two are records of different stores: the snapshot first, then the record.
	 */
	struct gt_error *(*remove_whole)(struct gt_services *s, struct gt_call *call, const char *id);
	/*
	 * Makes the snapshot that 'c' names, and the record once 'sn->fill' has completed it, in one step that
	 * is done or not done; 'c' becomes what was recorded. Errors are those of snapshots.prepare, of 'fill'
	 * and of create. Optional, absent where the two are records of different stores: the snapshot first,
	 * then the record.
	 */
	struct gt_error *(*create_whole)(struct gt_services *s, struct gt_call *call,
					 const struct gt_container_snapshot *sn,
					 struct gt_container *c);
};

GT_MUST_USE struct gt_error *gt_containers_get(struct gt_services *s, struct gt_call *call,
					       const char *id, struct gt_container *out);
GT_MUST_USE struct gt_error *gt_containers_create(struct gt_services *s, struct gt_call *call,
						  const struct gt_container *c,
						  struct gt_container *out);
GT_MUST_USE struct gt_error *gt_containers_update(struct gt_services *s, struct gt_call *call,
						  const struct gt_container *c,
						  const struct gt_strv *mask,
						  struct gt_container *out);
GT_MUST_USE struct gt_error *
gt_containers_list(struct gt_services *s, struct gt_call *call, const struct gt_strv *filters,
		   struct gt_error *(*fn)(void *, const struct gt_container *), void *arg);
GT_MUST_USE struct gt_error *gt_containers_remove(struct gt_services *s, struct gt_call *call,
						  const char *id);
GT_MUST_USE struct gt_error *gt_containers_remove_whole(struct gt_services *s, struct gt_call *call,
							const char *id);
GT_MUST_USE struct gt_error *gt_containers_create_whole(struct gt_services *s, struct gt_call *call,
							const struct gt_container_snapshot *sn,
							struct gt_container *c);

#endif
