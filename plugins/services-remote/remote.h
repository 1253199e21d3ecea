/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services of another daemon, over containerd's gRPC API: each file here is one service's table, and
 * each op one call. What is left out is not in that API.
 */
#ifndef SERVICES_REMOTE_REMOTE_H
#define SERVICES_REMOTE_REMOTE_H

#include <grpc/client.h>
#include <wire/objects.h>

#include <gantry/api-tasks.h>
#include <gantry/services.h>

struct remote_config {
	char *address;
	int64_t connect_timeout;
	int64_t stall_timeout;
};

struct remote {
	struct gt_services base;
	const struct gt_init *init;
	struct gt_grpc_client *client;
};

static inline struct gt_grpc_client *remote_client(struct gt_services *s)
{
	return ((struct remote *)s)->client;
}

/* The call with an end of its own for what comes next of a longer exchange. */
struct gt_call remote_step(struct gt_services *s, const struct gt_call *call);

/* METHOD(get, "containerd.services.images.v1.Images", "Get", TYPE(get_image_response)); */
#define METHOD(var, service, name, type)                                                          \
	static const struct gt_grpc_remote var = { "/" service "/" name, &type }

/* A reply, freed at the end of the scope. */
static inline void remote_replyp(ProtobufCMessage **m)
{
	gt_grpc_message_free(*m);
}
#define remote_autoreply __attribute__((cleanup(remote_replyp)))

/* A call whose answer says nothing but that it is done. */
GT_MUST_USE struct gt_error *remote_do(struct gt_services *s, struct gt_call *call,
				       const struct gt_grpc_remote *method,
				       const ProtobufCMessage *request);
/* A call whose answers are many: 'fn' has each one, may make calls, and ends the stream by an error. */
GT_MUST_USE struct gt_error *
remote_each(struct gt_services *s, struct gt_call *call, const struct gt_grpc_remote *method,
	    const ProtobufCMessage *request,
	    struct gt_error *(*fn)(void *arg, const ProtobufCMessage *m), void *arg);

/* For a repeated field of a request: the list's strings, borrowed. NULL is none. */
#define REMOTE_STRINGS(m, field, list)                                                            \
	do {                                                                                       \
		const struct gt_strv *list_ = (list);                                              \
		(m).field = list_ ? list_->v : NULL;                                               \
		(m).n_##field = list_ ? list_->n : 0;                                              \
	} while (0)

/* INTERNAL where an answer lacks what it is for. */
GT_MUST_USE struct gt_error *remote_answered(const void *part, const struct gt_grpc_remote *method);

extern const struct gt_namespaces_ops remote_namespaces;
extern const struct gt_blobs_ops remote_blobs;
extern const struct gt_images_ops remote_images;
extern const struct gt_snapshots_ops remote_snapshots;
extern const struct gt_diffs_ops remote_diffs;
extern const struct gt_leases_ops remote_leases;
extern const struct gt_containers_ops remote_containers;
extern const struct gt_tasks_ops remote_tasks;
extern const struct gt_sandboxes_ops remote_sandboxes;
extern const struct gt_introspection_ops remote_introspection;
extern const struct gt_stream_ops remote_stream;
extern const struct gt_controllers_ops remote_controllers;
extern const struct gt_activations_ops remote_activations;
extern const struct gt_system_ops remote_system;

/*
 * system.c: what only Gantry's daemon serves. Where the peer has no such service the error says which daemon
 * it is; takes 'e', which may be NULL.
 */
GT_MUST_USE struct gt_error *remote_gantry_only_take(struct gt_services *s, const struct gt_call *call,
						     struct gt_error *e, const char *what);
GT_MUST_USE struct gt_error *remote_log_uri(struct gt_services *s, struct gt_call *call, const char *id,
					    const char *exec_id, char **out);

/* blob-read.c, blob-write.c */
GT_MUST_USE struct gt_error *remote_reader(struct gt_services *s, struct gt_call *call,
					   const char *digest, struct gt_reader **out);
GT_MUST_USE struct gt_error *remote_writer(struct gt_services *s, struct gt_call *call,
					   const char *ref, const struct gt_descriptor *desc,
					   struct gt_writer **out);
GT_MUST_USE struct gt_error *remote_commit(struct gt_services *s, struct gt_call *call,
					   struct gt_writer *w, int64_t size, const char *expected,
					   const struct gt_labels *labels, char **digest);

/* waits.c: asks a method that answers with an end when it has come. Parks no thread. */
struct remote_wait_kind {
	struct gt_grpc_remote method;
	void (*read)(const ProtobufCMessage *m, struct gt_exit *out);
};
GT_MUST_USE struct gt_error *remote_wait(struct gt_services *s, struct gt_call *call,
					 const struct remote_wait_kind *kind,
					 const ProtobufCMessage *request, gt_wait_fn *fn, void *arg);

#endif
