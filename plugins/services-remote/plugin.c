/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "remote.h"

#include <gantry/buf.h>

struct gt_error *remote_do(struct gt_services *s, struct gt_call *call,
			   const struct gt_grpc_remote *method, const ProtobufCMessage *request)
{
	return gt_grpc_call(remote_client(s), call, method, request, NULL);
}

struct gt_error *remote_each(struct gt_services *s, struct gt_call *call,
			     const struct gt_grpc_remote *method, const ProtobufCMessage *request,
			     struct gt_error *(*fn)(void *arg, const ProtobufCMessage *m), void *arg)
{
	struct gt_grpc_stream *stream;
	struct gt_error *e;

	GT_TRY(gt_grpc_stream_open(remote_client(s), call, method, NULL, NULL, &stream));
	e = gt_grpc_stream_send(stream, call, request);
	gt_grpc_stream_close_send(stream);
	while (!e) {
		remote_autoreply ProtobufCMessage *m = NULL;

		e = gt_grpc_stream_recv(stream, call, &m);
		if (!e && !m)
			break;
		if (!e)
			e = fn(arg, m);
	}
	gt_grpc_stream_free(stream);
	return e;
}

struct gt_error *remote_answered(const void *part, const struct gt_grpc_remote *method)
{
	return part ? NULL : gt_error_new(GT_INTERNAL, "%s: the answer is empty", method->path);
}

struct gt_call remote_step(struct gt_services *s, const struct gt_call *call)
{
	const struct remote_config *config = ((struct remote *)s)->init->config;
	int64_t end = gt_now() + config->stall_timeout;
	struct gt_call step = *call;

	if (config->stall_timeout && (!step.deadline || step.deadline > end))
		step.deadline = end;
	return step;
}

static struct gt_error *remote_open(const struct gt_init *init, struct gt_services **out)
{
	const struct remote_config *config = init->config;
	struct remote *r = gt_xcalloc(1, sizeof(*r));
	gt_autofree char *own = gt_strf("%s/gantry.sock", init->base_state);

	r->init = init;
	r->client = gt_grpc_client_new(*config->address ? config->address : own,
				       (int)(config->connect_timeout / 1000000));
	*out = &r->base;
	return NULL;
}

static void remote_close(struct gt_services *s)
{
	if (!s)
		return;
	gt_grpc_client_free(remote_client(s));
	free(s);
}

static const struct gt_option remote_options[] = {
	GT_OPT_STRING(struct remote_config, address, "",
		      "The socket of the daemon, as a path or as unix:///path; empty: gantry.sock in the "
		      "state folder."),
	GT_OPT_DURATION(struct remote_config, connect_timeout, "10s",
			"How long a daemon that is not there, or does not accept, is waited for."),
	GT_OPT_DURATION(struct remote_config, stall_timeout, "0s",
			"How long a read or a write of content may come no further before it fails; 0: as "
			"long as the call lasts."),
	{ 0 }
};

static const struct gt_services_ops remote_ops = {
	.size = sizeof(remote_ops),
	.open = remote_open,
	.close = remote_close,
	.namespaces = &remote_namespaces,
	.blobs = &remote_blobs,
	.images = &remote_images,
	.snapshots = &remote_snapshots,
	.diffs = &remote_diffs,
	.leases = &remote_leases,
	.containers = &remote_containers,
	.tasks = &remote_tasks,
	.sandboxes = &remote_sandboxes,
	.introspection = &remote_introspection,
	.stream = &remote_stream,
	.controllers = &remote_controllers,
	.activations = &remote_activations,
	.system = &remote_system,
};

GT_PLUGIN(services_remote) = {
	GT_PLUGIN_HEADER,
	.kind = GT_SERVICES,
	.id = "remote",
	.doc = "The whole API of a daemon at the end of a socket: Gantry's or containerd.",
	.options = remote_options,
	.config_size = sizeof(struct remote_config),
	.ops.services = &remote_ops,
};
