/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-controllers.h>

#include "containerd.services.sandbox.v1.pb-c.h"

#define V1(name) Containerd__Services__Sandbox__V1__##name

GRPC_KEEPS(gt_any)
GRPC_KEEPS(gt_labels)
GRPC_KEEPS(gt_metric)
GRPC_KEEPS(gt_mounts)
GRPC_KEEPS(gt_sandbox)
GRPC_KEEPS(gt_sandbox_instance)
GRPC_KEEPS(gt_sandbox_state)

static struct gt_sandbox *sandbox_keep(struct gt_grpc_unary *u, const Containerd__Types__Sandbox *m)
{
	struct gt_sandbox *b = keep_gt_sandbox(u);

	gt_wire_sandbox_get(m, b);
	return b;
}

static struct gt_error *create(struct gt_grpc_unary *u)
{
	const V1(ControllerCreateRequest) *r = u->request;
	V1(ControllerCreateResponse) *m = u->reply;
	struct gt_mounts *rootfs = keep_gt_mounts(u);
	struct gt_labels *annotations = keep_gt_labels(u);
	struct gt_any *options = keep_gt_any(u);
	struct gt_sandbox_create req = {
		.size = sizeof(req),
		.id = r->sandbox_id,
		.sandbox = r->sandbox ? sandbox_keep(u, r->sandbox) : NULL,
		.rootfs = rootfs,
		.options = r->options ? options : NULL,
		.netns = r->netns_path,
		.annotations = annotations,
	};

	gt_wire_mounts_get(r->rootfs, r->n_rootfs, rootfs);
	gt_wire_any_get(r->options, options);
	gt_wire_labels_get(&r->base, "annotations", annotations);
	GT_TRY(gt_controllers_create(SERVICES(u), u->call, r->sandboxer, &req));
	m->sandbox_id = r->sandbox_id;
	return NULL;
}

static struct gt_error *start(struct gt_grpc_unary *u)
{
	const V1(ControllerStartRequest) *r = u->request;
	V1(ControllerStartResponse) *m = u->reply;
	struct gt_sandbox_instance *i = keep_gt_sandbox_instance(u);

	GT_TRY(gt_controllers_start(SERVICES(u), u->call, r->sandboxer, r->sandbox_id, i));
	m->sandbox_id = gt_wire_string(i->id);
	m->pid = i->pid;
	m->created_at = gt_wire_time(&u->arena, &i->created_at);
	gt_wire_labels(&u->arena, &m->base, "labels", &i->labels);
	m->address = gt_wire_string(i->address);
	m->version = i->version;
	m->spec = gt_wire_any(&u->arena, &i->spec);
	return NULL;
}

static struct gt_error *platform(struct gt_grpc_unary *u)
{
	const V1(ControllerPlatformRequest) *r = u->request;
	V1(ControllerPlatformResponse) *m = u->reply;
	gt_autofree char *text = NULL;

	GT_TRY(gt_controllers_platform(SERVICES(u), u->call, r->sandboxer, r->sandbox_id, &text));
	m->platform = gt_wire_platform(&u->arena, text);
	return NULL;
}

static struct gt_error *stop(struct gt_grpc_unary *u)
{
	const V1(ControllerStopRequest) *r = u->request;

	return gt_controllers_stop(SERVICES(u), u->call, r->sandboxer, r->sandbox_id,
				   r->timeout_secs);
}

static struct gt_error *status(struct gt_grpc_unary *u)
{
	const V1(ControllerStatusRequest) *r = u->request;
	V1(ControllerStatusResponse) *m = u->reply;
	struct gt_sandbox_state *s = keep_gt_sandbox_state(u);

	GT_TRY(gt_controllers_status(SERVICES(u), u->call, r->sandboxer, r->sandbox_id, r->verbose,
				     s));
	m->sandbox_id = gt_wire_string(s->id);
	m->pid = s->pid;
	m->state = gt_wire_string(s->state);
	gt_wire_labels(&u->arena, &m->base, "info", &s->info);
	m->created_at = gt_wire_time(&u->arena, &s->created_at);
	m->exited_at = gt_wire_time(&u->arena, &s->exited_at);
	m->extra = gt_wire_any(&u->arena, &s->extra);
	m->address = gt_wire_string(s->address);
	m->version = s->version;
	return NULL;
}

static struct gt_error *shutdown_sandbox(struct gt_grpc_unary *u)
{
	const V1(ControllerShutdownRequest) *r = u->request;

	return gt_controllers_shutdown(SERVICES(u), u->call, r->sandboxer, r->sandbox_id);
}

static struct gt_error *metrics(struct gt_grpc_unary *u)
{
	const V1(ControllerMetricsRequest) *r = u->request;
	V1(ControllerMetricsResponse) *m = u->reply;
	struct gt_metric *x = keep_gt_metric(u);

	GT_TRY(gt_controllers_metrics(SERVICES(u), u->call, r->sandboxer, r->sandbox_id, x));
	m->metrics = gt_arena_message(&u->arena, &containerd__types__metric__descriptor);
	m->metrics->timestamp = gt_wire_time(&u->arena, &x->timestamp);
	m->metrics->id = gt_wire_string(x->id);
	m->metrics->data = gt_wire_any(&u->arena, &x->data);
	return NULL;
}

static struct gt_error *update(struct gt_grpc_unary *u)
{
	const V1(ControllerUpdateRequest) *r = u->request;
	struct gt_strv fields = grpc_strings(r->fields, r->n_fields);

	GT_TRY(grpc_required(r->sandbox, "sandbox"));
	return gt_controllers_update(SERVICES(u), u->call, r->sandboxer, r->sandbox_id,
				     sandbox_keep(u, r->sandbox), &fields);
}

static struct gt_error *wait_ask(struct gt_services *s, struct gt_call *call, const char *id,
				 const char *sandboxer, gt_wait_fn *fn, void *arg)
{
	return gt_controllers_wait(s, call, sandboxer, id, fn, arg);
}

static void wait_answer(struct gt_grpc_call *c, const struct gt_exit *exit)
{
	V1(ControllerWaitResponse) m = CONTAINERD__SERVICES__SANDBOX__V1__CONTROLLER_WAIT_RESPONSE__INIT;
	gt_auto(gt_arena) a = { 0 };

	m.exit_status = exit->status;
	m.exited_at = gt_wire_time(&a, &exit->at);
	gt_grpc_answer(c, &m.base);
}

static void wait_for(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	static const struct grpc_wait_kind sandbox = { .ask = wait_ask, .answer = wait_answer };
	const V1(ControllerWaitRequest) *r = (const void *)request;

	grpc_wait(c, &sandbox, r->sandbox_id, r->sandboxer);
}

#define TYPE(name) containerd__services__sandbox__v1__controller_##name##__descriptor
const struct gt_grpc_method grpc_sandbox_controller[] = {
	GT_GRPC_UNARY("Create", TYPE(create_request), TYPE(create_response), create, 0),
	GT_GRPC_UNARY("Start", TYPE(start_request), TYPE(start_response), start, 0),
	GT_GRPC_UNARY("Platform", TYPE(platform_request), TYPE(platform_response), platform, 0),
	GT_GRPC_UNARY("Stop", TYPE(stop_request), TYPE(stop_response), stop, 0),
	{ .name = "Wait",
	  .request = &TYPE(wait_request),
	  .response = &TYPE(wait_response),
	  .handle = wait_for },
	GT_GRPC_UNARY("Status", TYPE(status_request), TYPE(status_response), status, 0),
	GT_GRPC_UNARY("Shutdown", TYPE(shutdown_request), TYPE(shutdown_response), shutdown_sandbox,
		      0),
	GT_GRPC_UNARY("Metrics", TYPE(metrics_request), TYPE(metrics_response), metrics, 0),
	GT_GRPC_UNARY("Update", TYPE(update_request), TYPE(update_response), update, 0),
	{ 0 }
};
