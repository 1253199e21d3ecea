/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "remote.h"

#include <gantry/api-controllers.h>
#include <gantry/buf.h>

#include "containerd.services.sandbox.v1.pb-c.h"

#define V1(name) Containerd__Services__Sandbox__V1__##name
#define INIT(name) CONTAINERD__SERVICES__SANDBOX__V1__CONTROLLER_##name##_REQUEST__INIT
#define TYPE(name) containerd__services__sandbox__v1__controller_##name##_response__descriptor
#define SERVICE "containerd.services.sandbox.v1.Controller"

METHOD(create_method, SERVICE, "Create", TYPE(create));
METHOD(start_method, SERVICE, "Start", TYPE(start));
METHOD(platform_method, SERVICE, "Platform", TYPE(platform));
METHOD(stop_method, SERVICE, "Stop", TYPE(stop));
METHOD(status_method, SERVICE, "Status", TYPE(status));
METHOD(shutdown_method, SERVICE, "Shutdown", TYPE(shutdown));
METHOD(metrics_method, SERVICE, "Metrics", TYPE(metrics));
METHOD(update_method, SERVICE, "Update", TYPE(update));

static struct gt_error *create(struct gt_services *s, struct gt_call *call, const char *sandboxer,
			       const struct gt_sandbox_create *req)
{
	V1(ControllerCreateRequest) q = INIT(CREATE);
	gt_auto(gt_arena) a = { 0 };

	q.sandbox_id = gt_wire_string(req->id);
	q.sandboxer = gt_wire_string(sandboxer);
	if (req->rootfs)
		q.rootfs = gt_wire_mounts(&a, req->rootfs, &q.n_rootfs);
	if (req->options)
		q.options = gt_wire_any(&a, req->options);
	q.netns_path = gt_wire_string(req->netns);
	if (req->annotations)
		gt_wire_labels(&a, &q.base, "annotations", req->annotations);
	if (req->sandbox)
		q.sandbox = gt_wire_sandbox(&a, req->sandbox);
	return remote_do(s, call, &create_method, &q.base);
}

static struct gt_error *start(struct gt_services *s, struct gt_call *call, const char *sandboxer,
			      const char *id, struct gt_sandbox_instance *out)
{
	V1(ControllerStartRequest) q = INIT(START);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(ControllerStartResponse) *r;

	q.sandbox_id = gt_wire_string(id);
	q.sandboxer = gt_wire_string(sandboxer);
	GT_TRY(gt_grpc_call(remote_client(s), call, &start_method, &q.base, &m));
	r = (const void *)m;
	out->id = gt_xstrdup(*r->sandbox_id ? r->sandbox_id : id);
	out->pid = r->pid;
	out->created_at = gt_wire_time_get(r->created_at);
	gt_wire_labels_get(m, "labels", &out->labels);
	out->address = gt_xstrdup(r->address);
	out->version = r->version;
	gt_wire_any_get(r->spec, &out->spec);
	return NULL;
}

static struct gt_error *stop(struct gt_services *s, struct gt_call *call, const char *sandboxer,
			     const char *id, uint32_t timeout)
{
	V1(ControllerStopRequest) q = INIT(STOP);

	q.sandbox_id = gt_wire_string(id);
	q.sandboxer = gt_wire_string(sandboxer);
	q.timeout_secs = timeout;
	return remote_do(s, call, &stop_method, &q.base);
}

static void wait_read(const ProtobufCMessage *m, struct gt_exit *out)
{
	const V1(ControllerWaitResponse) *r = (const void *)m;

	out->status = r->exit_status;
	out->at = gt_wire_time_get(r->exited_at);
}

static struct gt_error *wait_for(struct gt_services *s, struct gt_call *call, const char *sandboxer,
				 const char *id, gt_wait_fn *fn, void *arg)
{
	static const struct remote_wait_kind sandbox = {
		.method = { "/" SERVICE "/Wait", &TYPE(wait) },
		.read = wait_read,
	};
	V1(ControllerWaitRequest) q = INIT(WAIT);

	q.sandbox_id = gt_wire_string(id);
	q.sandboxer = gt_wire_string(sandboxer);
	return remote_wait(s, call, &sandbox, &q.base, fn, arg);
}

static struct gt_error *status(struct gt_services *s, struct gt_call *call, const char *sandboxer,
			       const char *id, bool verbose, struct gt_sandbox_state *out)
{
	V1(ControllerStatusRequest) q = INIT(STATUS);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(ControllerStatusResponse) *r;

	q.sandbox_id = gt_wire_string(id);
	q.sandboxer = gt_wire_string(sandboxer);
	q.verbose = verbose;
	GT_TRY(gt_grpc_call(remote_client(s), call, &status_method, &q.base, &m));
	r = (const void *)m;
	out->id = gt_xstrdup(*r->sandbox_id ? r->sandbox_id : id);
	out->pid = r->pid;
	out->state = gt_xstrdup(r->state);
	gt_wire_labels_get(m, "info", &out->info);
	out->created_at = gt_wire_time_get(r->created_at);
	out->exited_at = gt_wire_time_get(r->exited_at);
	gt_wire_any_get(r->extra, &out->extra);
	out->address = gt_xstrdup(r->address);
	out->version = r->version;
	return NULL;
}

static struct gt_error *shutdown_sandbox(struct gt_services *s, struct gt_call *call,
					 const char *sandboxer, const char *id)
{
	V1(ControllerShutdownRequest) q = INIT(SHUTDOWN);

	q.sandbox_id = gt_wire_string(id);
	q.sandboxer = gt_wire_string(sandboxer);
	return remote_do(s, call, &shutdown_method, &q.base);
}

static struct gt_error *platform(struct gt_services *s, struct gt_call *call, const char *sandboxer,
				 const char *id, char **out)
{
	V1(ControllerPlatformRequest) q = INIT(PLATFORM);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(ControllerPlatformResponse) *r;

	q.sandbox_id = gt_wire_string(id);
	q.sandboxer = gt_wire_string(sandboxer);
	GT_TRY(gt_grpc_call(remote_client(s), call, &platform_method, &q.base, &m));
	r = (const void *)m;
	GT_TRY(remote_answered(r->platform, &platform_method));
	*out = gt_wire_platform_get(r->platform);
	return NULL;
}

static struct gt_error *metrics(struct gt_services *s, struct gt_call *call, const char *sandboxer,
				const char *id, struct gt_metric *out)
{
	V1(ControllerMetricsRequest) q = INIT(METRICS);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(ControllerMetricsResponse) *r;

	q.sandbox_id = gt_wire_string(id);
	q.sandboxer = gt_wire_string(sandboxer);
	GT_TRY(gt_grpc_call(remote_client(s), call, &metrics_method, &q.base, &m));
	r = (const void *)m;
	GT_TRY(remote_answered(r->metrics, &metrics_method));
	out->id = gt_xstrdup(r->metrics->id);
	out->timestamp = gt_wire_time_get(r->metrics->timestamp);
	gt_wire_any_get(r->metrics->data, &out->data);
	return NULL;
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call, const char *sandboxer,
			       const char *id, const struct gt_sandbox *sandbox,
			       const struct gt_strv *fields)
{
	V1(ControllerUpdateRequest) q = INIT(UPDATE);
	gt_auto(gt_arena) a = { 0 };

	q.sandbox_id = gt_wire_string(id);
	q.sandboxer = gt_wire_string(sandboxer);
	q.sandbox = gt_wire_sandbox(&a, sandbox);
	REMOTE_STRINGS(q, fields, fields);
	return remote_do(s, call, &update_method, &q.base);
}

const struct gt_controllers_ops remote_controllers = {
	.size = sizeof(remote_controllers),
	.create = create,
	.start = start,
	.stop = stop,
	.wait = wait_for,
	.status = status,
	.shutdown = shutdown_sandbox,
	.platform = platform,
	.metrics = metrics,
	.update = update,
};
