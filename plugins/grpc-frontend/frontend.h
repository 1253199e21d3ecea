/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frontend that serves containerd's API: each service is a table of methods over the services' ops.
 */
#ifndef GRPC_FRONTEND_H
#define GRPC_FRONTEND_H

#include <grpc/unary.h>
#include <proc/grace.h>
#include <wire/objects.h>

#include <gantry/frontend.h>
#include <gantry/runtime.h>
#include <gantry/services.h>

struct owed;
struct packed_event;
struct streams;
struct waits;

struct frontend_config {
	char *address;
	int64_t uid;
	int64_t gid;
	char *ttrpc_address;
	int64_t workers;
	int64_t grace;
	char *worker;
};

struct frontend {
	struct gt_frontend base;
	const struct gt_init *init;
	const struct frontend_config *config;
	struct gt_services *services; /* while it runs */
	struct waits *waits;
	struct packed_event *packed;
	struct owed *owed; /* while it runs */
	const struct gt_call *running; /* its end is the daemon's */
	struct streams *streams;
	pthread_mutex_t grace_lock;
	struct gt_grace grace;
};

/* X(its table grpc_NAME, service) */
#define GRPC_SERVICES(X)                                                                          \
	X(containers, "containerd.services.containers.v1.Containers")                              \
	X(content, "containerd.services.content.v1.Content")                                       \
	X(diff, "containerd.services.diff.v1.Diff")                                                \
	X(events, "containerd.services.events.v1.Events")                                          \
	X(health, "grpc.health.v1.Health")                                                         \
	X(images, "containerd.services.images.v1.Images")                                          \
	X(introspection, "containerd.services.introspection.v1.Introspection")                     \
	X(leases, "containerd.services.leases.v1.Leases")                                          \
	X(mounts, "containerd.services.mounts.v1.Mounts")                                          \
	X(namespaces, "containerd.services.namespaces.v1.Namespaces")                              \
	X(sandbox_controller, "containerd.services.sandbox.v1.Controller")                         \
	X(sandbox_store, "containerd.services.sandbox.v1.Store")                                   \
	X(snapshots, "containerd.services.snapshots.v1.Snapshots")                                 \
	X(streaming, "containerd.services.streaming.v1.Streaming")                                 \
	X(system, "gantry.services.system.v1.System")                                              \
	X(tasks, "containerd.services.tasks.v1.Tasks")                                             \
	X(transfer, "containerd.services.transfer.v1.Transfer")                                    \
	X(version, "containerd.services.version.v1.Version")

/* Each ended by a row without a name. */
#define X(table, name) extern const struct gt_grpc_method grpc_##table[];
GRPC_SERVICES(X)
#undef X

/* The services behind a call or a unary call. */
#define SERVICES(c) (((struct frontend *)(c)->arg)->services)

/* For gt_grpc_keep(): GRPC_KEEPS(gt_image) makes 'image = keep_gt_image(u)'. */
#define GRPC_KEEPS(type)                                                                          \
	static void drop_##type(void *p)                                                           \
	{                                                                                          \
		type##_done(p);                                                                    \
	}                                                                                          \
	static struct type *keep_##type(struct gt_grpc_unary *u)                                   \
	{                                                                                          \
		return gt_grpc_keep(u, sizeof(struct type), drop_##type);                          \
	}

/* A request's strings as a list of ours, borrowed from it. */
struct gt_strv grpc_strings(char *const *v, size_t n);
/* INVALID_ARGUMENT "X is required" if a message that must be there is not. */
GT_MUST_USE struct gt_error *grpc_required(const void *message, const char *what);

/* A container is about to be run: asks for the kernel's wait that its start would stand in. Never waits. */
void grpc_run_ahead(struct frontend *f);

/* Listing to a stream, some entries a message: all that is queued is bounded by what is listed. */
struct grpc_batch {
	struct gt_grpc_call *call;
	struct gt_buf buf;
	size_t n, most; /* entries in 'buf'; as many make a message */
};
GT_MUST_USE struct gt_error *grpc_batch_add(struct grpc_batch *b, const ProtobufCMessage *m);
/* Sends the rest and ends the call; takes 'e'. */
void grpc_batch_end_take(struct grpc_batch *b, struct gt_error *e);

/*
 * waits.c: many may wait for one end, but who knows of it is asked once. What is waited for is named by the
 * call's namespace, an id and, within that, 'part'.
 */
struct grpc_wait_kind {
	struct gt_error *(*ask)(struct gt_services *s, struct gt_call *call, const char *id,
				const char *part, gt_wait_fn *fn, void *arg);
	void (*answer)(struct gt_grpc_call *c, const struct gt_exit *exit);
};
struct waits *grpc_waits_new(void);
void grpc_waits_free(struct waits *w);
void grpc_wait(struct gt_grpc_call *c, const struct grpc_wait_kind *kind, const char *id,
	       const char *part);

/* events.c */
struct packed_event *grpc_packed_event_new(void);
void grpc_packed_event_free(struct packed_event *p);
GT_MUST_USE struct gt_error *grpc_event_forward(struct gt_services *s, struct gt_call *call,
						const Containerd__Types__Envelope *m);

/* content-write.c, content-read.c */
void grpc_content_write(struct gt_grpc_call *c, const ProtobufCMessage *request);
void grpc_content_read(struct gt_grpc_call *c, const ProtobufCMessage *request);

#endif
