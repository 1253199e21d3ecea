/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon or a proxy plugin answers to the services that ask it. An input is a byte (which services
 * are asked) and a row of answers: a byte (255: the stream's end; of the rest odd ones are errors), a length
 * of two bytes, a message. The client below stands in for the connection.
 */
#include <config.h>

#include "fuzz/fuzz.h"

#include "plugins/services-remote/remote.h"

#include <gantry/api-activations.h>
#include <gantry/api-blobs.h>
#include <gantry/api-containers.h>
#include <gantry/api-controllers.h>
#include <gantry/api-diffs.h>
#include <gantry/api-images.h>
#include <gantry/api-introspection.h>
#include <gantry/api-leases.h>
#include <gantry/api-namespaces.h>
#include <gantry/api-sandboxes.h>
#include <gantry/api-snapshots.h>
#include <gantry/api-stream.h>
#include <gantry/api-system.h>
#include <ttrpc/frame.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct {
	const uint8_t *p, *end;
} answers;

struct gt_grpc_client {
	int nothing;
};

struct gt_grpc_stream {
	const struct gt_grpc_remote *method;
	const struct gt_grpc_stream_ops *ops;
	void *arg;
	struct gt_grpc_stream *next;
};

static struct gt_grpc_stream *streams; /* that are told by ops */

/* --- the client ----------------------------------------------------------------------------- */

/* '*out' NULL: the end. */
static struct gt_error *answer(const struct gt_grpc_remote *method, ProtobufCMessage **out)
{
	uint8_t how;
	size_t len;

	*out = NULL;
	if (answers.end - answers.p < 3 || *answers.p == 255) {
		answers.p += answers.p < answers.end;
		return NULL;
	}
	how = *answers.p;
	len = (size_t)(answers.p[1] << 8 | answers.p[2]);
	answers.p += 3;
	if (len > (size_t)(answers.end - answers.p))
		len = (size_t)(answers.end - answers.p);
	answers.p += len;
	if (how % 2)
		return gt_error_new((enum gt_class)(1 + how / 2 % 16), "%.*s", (int)len,
				    (const char *)answers.p - len);
	*out = gt_ttrpc_message_unpack(method->reply, answers.p - len, len);
	return *out ? NULL : gt_error_new(GT_DATA_LOSS, "malformed %s", method->reply->name);
}

struct gt_grpc_client *gt_grpc_client_new(const char *address, int timeout)
{
	(void)address, (void)timeout;
	return gt_xcalloc(1, sizeof(struct gt_grpc_client));
}

void gt_grpc_client_free(struct gt_grpc_client *c)
{
	free(c);
}

void gt_grpc_message_free(ProtobufCMessage *m)
{
	gt_ttrpc_message_free(m);
}

struct gt_error *gt_grpc_call(struct gt_grpc_client *c, const struct gt_call *call,
			      const struct gt_grpc_remote *method, const ProtobufCMessage *request,
			      ProtobufCMessage **reply)
{
	ProtobufCMessage *m = NULL;

	(void)c, (void)call, (void)request;
	GT_TRY(answer(method, &m));
	if (!m)
		return gt_error_new(GT_INTERNAL, "%s: no answer", method->path);
	if (reply)
		*reply = m;
	else
		gt_grpc_message_free(m);
	return NULL;
}

struct gt_error *gt_grpc_stream_open(struct gt_grpc_client *c, const struct gt_call *call,
				     const struct gt_grpc_remote *method,
				     const struct gt_grpc_stream_ops *ops, void *arg,
				     struct gt_grpc_stream **out)
{
	struct gt_grpc_stream *s = gt_xcalloc(1, sizeof(*s));

	(void)c, (void)call;
	*s = (struct gt_grpc_stream){ .method = method, .ops = ops, .arg = arg };
	if (ops) {
		s->next = streams;
		streams = s;
	}
	*out = s;
	return NULL;
}

struct gt_error *gt_grpc_call_async(struct gt_grpc_client *c, const struct gt_call *call,
				    const struct gt_grpc_remote *method,
				    const ProtobufCMessage *request,
				    const struct gt_grpc_stream_ops *ops, void *arg,
				    struct gt_grpc_stream **out)
{
	(void)request;
	return gt_grpc_stream_open(c, call, method, ops, arg, out);
}

void gt_grpc_stream_free(struct gt_grpc_stream *s)
{
	for (struct gt_grpc_stream **p = &streams; *p; p = &(*p)->next) {
		if (*p == s) {
			*p = s->next;
			break;
		}
	}
	free(s);
}

struct gt_error *gt_grpc_stream_send(struct gt_grpc_stream *s, const struct gt_call *call,
				     const ProtobufCMessage *m)
{
	(void)s, (void)call, (void)m;
	return NULL;
}

void gt_grpc_stream_close_send(struct gt_grpc_stream *s)
{
	(void)s;
}

struct gt_error *gt_grpc_stream_recv(struct gt_grpc_stream *s, const struct gt_call *call,
				     ProtobufCMessage **out)
{
	(void)call;
	return answer(s->method, out);
}

/* What comes for those that do not wait. */
static void deliver(void)
{
	while (streams) {
		struct gt_grpc_stream *s = streams;
		ProtobufCMessage *m = NULL;
		struct gt_error *e = answer(s->method, &m);

		streams = s->next;
		s->next = NULL;
		for (int i = 0; !e && m && i < 8; i++) {
			s->ops->message(s->arg, m);
			e = answer(s->method, &m);
		}
		if (!e && m)
			gt_grpc_message_free(m);
		s->ops->end(s->arg, e);
	}
}

/* --- what is asked ---------------------------------------------------------------------------- */

FUZZ_SEEN(seen_image, gt_image)
FUZZ_SEEN(seen_blob, gt_blob)
FUZZ_SEEN(seen_ingest, gt_ingest_info)
FUZZ_SEEN(seen_snapshot, gt_snapshot_info)
FUZZ_SEEN(seen_container, gt_container)
FUZZ_SEEN(seen_sandbox, gt_sandbox)
FUZZ_SEEN(seen_lease, gt_lease)
FUZZ_SEEN(seen_activation, gt_activation)
FUZZ_SEEN(seen_state, gt_task_state)
FUZZ_SEEN(seen_metric, gt_metric)
FUZZ_SEEN(seen_plugin, gt_plugin_info)
FUZZ_SEEN(seen_space, gt_space)

static struct gt_error *seen_names(void *arg, const char *a, const char *b)
{
	(void)arg;
	assert(a && b);
	return NULL;
}

static struct gt_error *seen_namespace(void *arg, const char *name, const struct gt_labels *labels)
{
	(void)arg;
	assert(name && labels);
	return NULL;
}

static void seen_event(void *arg, const struct gt_event *e)
{
	(void)arg;
	assert(*e->topic);
}

static void seen_end(void *arg, struct gt_error *e, const struct gt_exit *exit)
{
	(void)arg;
	assert(!e != !exit);
	gt_error_free(e);
}

/* An op that fills 'o', which is freed if there was no error. */
#define ASK(type, op)                                                 \
	do {                                                          \
		struct type o = { 0 };                                \
		struct gt_error *e_ = (op);                           \
		if (!e_)                                              \
			type##_done(&o);                              \
		gt_error_free(e_);                                    \
	} while (0)

static void ask_images(struct gt_services *s, struct gt_call *call)
{
	struct gt_labels labels = { 0 };

	ASK(gt_image, remote_images.get(s, call, "a", &o));
	gt_error_free(remote_images.list(s, call, NULL, seen_image, NULL));
	gt_error_free(remote_namespaces.get(s, call, "a", &labels));
	gt_labels_done(&labels);
	gt_error_free(remote_namespaces.list(s, call, seen_namespace, NULL));
	ASK(gt_lease, remote_leases.create(s, call, "a", NULL, &o));
	gt_error_free(remote_leases.list(s, call, NULL, seen_lease, NULL));
	gt_error_free(remote_leases.resources(s, call, "a", seen_names, NULL));
}

static void read_some(struct gt_services *s, struct gt_call *call)
{
	gt_autoptr(gt_reader) r = NULL;
	struct gt_error *e = remote_blobs.reader(s, call, "sha256:a", &r);
	char room[512];
	size_t n = 0;

	for (int64_t at = 0; !e && at < 4096; at += 300) {
		e = gt_reader_pread(r, room, sizeof(room), at, &n);
		assert(e || n <= sizeof(room));
	}
	gt_error_free(e);
}

static void write_some(struct gt_services *s, struct gt_call *call)
{
	gt_autoptr(gt_writer) w = NULL;
	gt_auto(gt_ingest_info) status = { 0 };
	gt_autofree char *digest = NULL;
	struct gt_error *e = remote_blobs.writer(s, call, "ref", NULL, &w);

	if (!e)
		e = gt_writer_status(w, &status);
	if (!e)
		e = gt_writer_write(w, "bytes", 5);
	if (!e)
		e = remote_blobs.commit(s, call, w, 5, NULL, NULL, &digest);
	gt_error_free(e);
}

static void ask_blobs(struct gt_services *s, struct gt_call *call)
{
	ASK(gt_blob, remote_blobs.info(s, call, "sha256:a", &o));
	gt_error_free(remote_blobs.list(s, call, NULL, seen_blob, NULL));
	ASK(gt_ingest_info, remote_blobs.status(s, call, "ref", &o));
	gt_error_free(remote_blobs.list_ingests(s, call, NULL, seen_ingest, NULL));
	read_some(s, call);
	write_some(s, call);
}

static void ask_snapshots(struct gt_services *s, struct gt_call *call)
{
	const struct gt_descriptor layer = { .media_type = (char *)"a", .digest = (char *)"sha256:a" };
	const struct gt_diff_options options = { .size = sizeof(options) };
	const struct gt_mounts none = { 0 };
	struct gt_usage usage;

	ASK(gt_snapshot_info, remote_snapshots.stat(s, call, "a", "a", &o));
	ASK(gt_mounts, remote_snapshots.prepare(s, call, "a", "b", "a", NULL, &o));
	ASK(gt_mounts, remote_snapshots.mounts(s, call, "a", "b", &o));
	gt_error_free(remote_snapshots.list(s, call, "a", NULL, seen_snapshot, NULL));
	gt_error_free(remote_snapshots.usage(s, call, "a", "a", &usage));
	ASK(gt_descriptor, remote_diffs.apply(s, call, &layer, &none, &o));
	ASK(gt_descriptor, remote_diffs.diff(s, call, &none, &none, &options, "ref", NULL, &o));
}

static void ask_containers(struct gt_services *s, struct gt_call *call)
{
	ASK(gt_container, remote_containers.get(s, call, "a", &o));
	gt_error_free(remote_containers.list(s, call, NULL, seen_container, NULL));
	ASK(gt_sandbox, remote_sandboxes.get(s, call, "a", &o));
	gt_error_free(remote_sandboxes.list(s, call, NULL, seen_sandbox, NULL));
	ASK(gt_activation, remote_activations.get(s, call, "a", &o));
	gt_error_free(remote_activations.list(s, call, NULL, seen_activation, NULL));
}

static void ask_tasks(struct gt_services *s, struct gt_call *call)
{
	const struct gt_any none = { 0 };
	struct gt_descriptor *made = NULL;
	struct gt_exit exit;
	uint32_t pid;
	size_t n = 0;
	struct gt_error *e = remote_tasks.start(s, call, "a", "", &pid);

	gt_error_free(e);
	ASK(gt_task_state, remote_tasks.get(s, call, "a", "", &o));
	gt_error_free(remote_tasks.list(s, call, seen_state, NULL));
	ASK(gt_processes, remote_tasks.pids(s, call, "a", &o));
	gt_error_free(remote_tasks.metrics(s, call, NULL, seen_metric, NULL));
	gt_error_free(remote_tasks.remove(s, call, "a", "", &exit));
	gt_error_free(remote_tasks.wait(s, call, "a", "", seen_end, NULL));
	deliver();
	e = remote_tasks.checkpoint(s, call, "a", "", &none, &made, &n);
	for (size_t i = 0; !e && i < n; i++)
		gt_descriptor_done(&made[i]);
	free(made);
	gt_error_free(e);
}

static void ask_controllers(struct gt_services *s, struct gt_call *call)
{
	char *platform = NULL;

	ASK(gt_sandbox_instance, remote_controllers.start(s, call, "a", "b", &o));
	ASK(gt_sandbox_state, remote_controllers.status(s, call, "a", "b", true, &o));
	gt_error_free(remote_controllers.platform(s, call, "a", "b", &platform));
	free(platform);
	ASK(gt_metric, remote_controllers.metrics(s, call, "a", "b", &o));
	gt_error_free(remote_controllers.wait(s, call, "a", "b", seen_end, NULL));
	deliver();
}

static void ask_others(struct gt_services *s, struct gt_call *call)
{
	struct gt_event_stream *events = NULL;
	struct gt_collected went = { 0 };
	struct gt_error *e;

	gt_error_free(remote_introspection.plugins(s, call, NULL, seen_plugin, NULL));
	ASK(gt_server_info, remote_introspection.server(s, call, &o));
	gt_error_free(remote_system.collect(s, call, 0, &went));
	gt_error_free(remote_system.usage(s, call, seen_space, NULL));
	e = remote_stream.subscribe(s, call, NULL, seen_event, NULL, &events);
	deliver();
	if (!e)
		remote_stream.unsubscribe(s, events);
	gt_error_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const asks[])(struct gt_services *, struct gt_call *) = {
		ask_images, ask_blobs,	     ask_snapshots, ask_containers,
		ask_tasks,  ask_controllers, ask_others,
	};
	static const struct gt_services_ops ops = {
		.size = sizeof(ops),
		.introspection = &remote_introspection, /* asked where a method is unknown */
	};
	static const struct remote_config config;
	static const struct gt_init init = { .config = &config };
	struct gt_grpc_client client = { 0 };
	struct remote r = { .base.ops = &ops, .init = &init, .client = &client };
	struct gt_call call = GT_CALL_INIT;

	if (!size)
		return 0;
	call.ns = "default";
	answers.p = data + 1;
	answers.end = data + size;
	asks[data[0] % (sizeof(asks) / sizeof(*asks))](&r.base, &call);
	return 0;
}
