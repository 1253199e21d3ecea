/* SPDX-License-Identifier: Apache-2.0 */
/* What all services of this plugin share: the instance, its lock, and how events go out. */
#ifndef SERVICES_LOCAL_LOCAL_H
#define SERVICES_LOCAL_LOCAL_H

#include <gantry/call.h>
#include <gantry/services.h>
#include <gantry/strv.h>

#include <protobuf-c/protobuf-c.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

struct stream;

struct local_config {
	char *content_sharing;
	int64_t task_timeout;
	uint64_t event_journal;
	uint64_t log_size;
	int64_t log_files;
	char *pause_threshold;
	int64_t deletion_threshold;
	int64_t mutation_threshold;
	int64_t schedule_delay;
	int64_t startup_delay;
	struct gt_strv mount_roots;
};

struct scheduler; /* scheduler.c */

struct local {
	struct gt_services base;
	const struct gt_init *init;
	const struct local_config *config;
	_Atomic uint64_t last_sequence;
	struct stream *stream;
	_Atomic(struct scheduler *) scheduler; /* NULL: none */
};

static inline struct local *local_of(struct gt_services *s)
{
	return (struct local *)s;
}

/*
 * Locks on names, across processes, between those who make a driver's object and then its record and
 * those who delete objects that have no record. A maker shares the lock of the object's name from
 * before the object is there until its record is; who deletes has it alone, looks once more whether
 * there is a record, and passes by what is locked: so nobody waits for a collection, but for the
 * moment in which the very object he asks for is deleted. They end with the descriptor.
 */
struct name_lock {
	int fd; /* -1: nothing locked */
};
#define NAME_LOCK_INIT { .fd = -1 }
/* Names of one kind and those of another never meet: 'c' content, 'g' ingest, 's' snapshot. */
GT_MUST_USE struct gt_error *name_lock_share(struct local *l, struct gt_call *call, char kind,
					     const char *name, struct name_lock *lock);
/* '*got' is false if somebody has it. May be called again, for further names, with the same lock. */
GT_MUST_USE struct gt_error *name_lock_try(struct local *l, char kind, const char *name,
					   struct name_lock *lock, bool *got);
/* Gives one name of several back. */
void name_lock_drop(struct name_lock *lock, char kind, const char *name);
void name_lock_done(struct name_lock *lock);

/* Alone, among all processes, for what there is one of: 'name' is a file in the plugin's root. */
GT_MUST_USE struct gt_error *local_lock_alone(struct local *l, struct gt_call *call,
					      const char *name, int *fd);
/* The same without waiting; '*fd' is -1 if somebody has it. */
GT_MUST_USE struct gt_error *local_lock_try(struct local *l, const char *name, int *fd);

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
extern const struct gt_system_ops local_system;
extern const struct gt_controllers_ops local_controllers;
extern const struct gt_activations_ops local_activations;

#endif
