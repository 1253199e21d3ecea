/* SPDX-License-Identifier: Apache-2.0 */
/* What all services of this plugin share: the instance, its lock, and how events go out. */
#ifndef SERVICES_LOCAL_LOCAL_H
#define SERVICES_LOCAL_LOCAL_H

#include <gantry/call.h>
#include <gantry/services.h>

#include <protobuf-c/protobuf-c.h>
#include <stdatomic.h>
#include <time.h>

struct stream;

struct local_config {
	char *content_sharing;
	int64_t task_timeout;
	uint64_t event_journal;
	uint64_t log_size;
	int64_t log_files;
};

struct local {
	struct gt_services base;
	const struct gt_init *init;
	const struct local_config *config;
	_Atomic uint64_t last_sequence;
	struct stream *stream;
};

static inline struct local *local_of(struct gt_services *s)
{
	return (struct local *)s;
}

/*
 * The lock between those who make a driver's object and then its record, who share it, and those who
 * delete objects that have no record, who have it alone. It holds across processes and ends with the
 * descriptor '*fd'. Whoever waits for it alone is not overtaken. Ends early with the call.
 */
GT_MUST_USE struct gt_error *local_lock_shared(struct local *l, struct gt_call *call, int *fd);
GT_MUST_USE struct gt_error *local_lock_alone(struct local *l, struct gt_call *call, int *fd);

/* A number that was never given before: the time in nanoseconds, or one more than the last. */
uint64_t local_sequence(struct local *l);

struct timespec local_time(void);

/* Tells who subscribes. That the change has been made stays true: trouble is logged. */
void local_publish(struct local *l, const char *ns, const char *topic, const ProtobufCMessage *m);

extern const struct gt_namespaces_ops local_namespaces;
extern const struct gt_blobs_ops local_blobs;
extern const struct gt_images_ops local_images;
extern const struct gt_snapshots_ops local_snapshots;
extern const struct gt_diffs_ops local_diffs;
extern const struct gt_leases_ops local_leases;
extern const struct gt_containers_ops local_containers;
extern const struct gt_tasks_ops local_tasks;
extern const struct gt_sandboxes_ops local_sandboxes;
extern const struct gt_introspection_ops local_introspection;
extern const struct gt_stream_ops local_stream;

#endif
