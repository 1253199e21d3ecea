/* SPDX-License-Identifier: Apache-2.0 */
/* Sandbox controllers: finds the one that is meant, and tells what has become of the sandbox. */
#include <config.h>

#include "local.h"

#include <gantry/api-controllers.h>
#include <gantry/buf.h>
#include <gantry/event.h>
#include <gantry/log.h>
#include <wire/values.h>

#include "containerd.events.pb-c.h"

#include <string.h>

/* Without a name: the one that the record names, else the first that is active. */
static struct gt_error *controller_find(struct gt_services *s, struct gt_call *call,
					const char *sandboxer, const char *id,
					struct gt_sandboxer **out)
{
	gt_auto(gt_sandbox) record = { 0 };

	if (!sandboxer || !*sandboxer) {
		GT_TRY(gt_error_unless(gt_sandboxes_get(s, call, id, &record), GT_NOT_FOUND));
		sandboxer = record.sandboxer && *record.sandboxer ? record.sandboxer : NULL;
	}
	return gt_need_sandboxer(local_of(s)->init, sandboxer, out);
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call, const char *sandboxer,
			       const struct gt_sandbox_create *given)
{
	struct gt_sandbox_create req = *given;
	gt_auto(gt_sandbox) record = { 0 };
	Containerd__Events__SandboxCreate event = CONTAINERD__EVENTS__SANDBOX_CREATE__INIT;
	struct gt_sandboxer *controller;

	GT_TRY(controller_find(s, call, sandboxer, req.id, &controller));
	if (!req.sandbox) {
		GT_TRY(gt_error_unless(gt_sandboxes_get(s, call, req.id, &record), GT_NOT_FOUND));
		req.sandbox = record.id ? &record : NULL;
	}
	GT_TRY(gt_sandboxer_create(controller, call, &req));
	event.sandbox_id = (char *)req.id;
	local_publish(local_of(s), call->ns, "/sandboxes/create", &event.base);
	return NULL;
}

static struct gt_error *start(struct gt_services *s, struct gt_call *call, const char *sandboxer,
			      const char *id, struct gt_sandbox_instance *out)
{
	Containerd__Events__SandboxStart event = CONTAINERD__EVENTS__SANDBOX_START__INIT;
	struct gt_sandboxer *controller;

	GT_TRY(controller_find(s, call, sandboxer, id, &controller));
	GT_TRY(gt_sandboxer_start(controller, call, id, out));
	event.sandbox_id = (char *)id;
	local_publish(local_of(s), call->ns, "/sandboxes/start", &event.base);
	return NULL;
}

static struct gt_error *stop(struct gt_services *s, struct gt_call *call, const char *sandboxer,
			     const char *id, uint32_t timeout)
{
	struct gt_sandboxer *controller;

	GT_TRY(controller_find(s, call, sandboxer, id, &controller));
	return gt_sandboxer_stop(controller, call, id, timeout);
}

struct wait {
	struct gt_events *events; /* the host's: they outlive this plugin, as the wait may */
	char *ns;
	char *id;
	gt_wait_fn *fn;
	void *arg;
};

static void wait_free(struct wait *w)
{
	free(w->ns);
	free(w->id);
	free(w);
}

static void exit_publish(const struct wait *w, const struct gt_exit *exit)
{
	Containerd__Events__SandboxExit m = CONTAINERD__EVENTS__SANDBOX_EXIT__INIT;
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_any) payload = { 0 };
	struct gt_event event = {
		.timestamp = local_time(),
		.ns = w->ns,
		.topic = "/sandboxes/exit",
		.payload = &payload,
	};

	m.sandbox_id = w->id;
	m.exit_status = exit->status;
	m.exited_at = gt_wire_time(&a, &exit->at);
	gt_wire_any_pack(&m.base, &payload);
	gt_log_warn_take(gt_events_publish(w->events, &event), "event %s", event.topic);
}

static void wait_end(void *arg, struct gt_error *e, const struct gt_exit *exit)
{
	struct wait *w = arg;

	if (!e)
		exit_publish(w, exit);
	w->fn(w->arg, e, exit);
	wait_free(w);
}

static struct gt_error *wait_for(struct gt_services *s, struct gt_call *call, const char *sandboxer,
				 const char *id, gt_wait_fn *fn, void *arg)
{
	struct gt_sandboxer *controller;
	struct gt_error *e;
	struct wait *w;

	GT_TRY(controller_find(s, call, sandboxer, id, &controller));
	w = gt_xcalloc(1, sizeof(*w));
	w->events = local_of(s)->init->events;
	w->ns = gt_xstrdup(call->ns);
	w->id = gt_xstrdup(id);
	w->fn = fn;
	w->arg = arg;
	e = gt_sandboxer_wait(controller, call, id, wait_end, w);
	if (e)
		wait_free(w);
	return e;
}

static struct gt_error *status(struct gt_services *s, struct gt_call *call, const char *sandboxer,
			       const char *id, bool verbose, struct gt_sandbox_state *out)
{
	struct gt_sandboxer *controller;

	GT_TRY(controller_find(s, call, sandboxer, id, &controller));
	return gt_sandboxer_status(controller, call, id, verbose, out);
}

static struct gt_error *shutdown_sandbox(struct gt_services *s, struct gt_call *call,
					 const char *sandboxer, const char *id)
{
	struct gt_sandboxer *controller;

	GT_TRY(controller_find(s, call, sandboxer, id, &controller));
	return gt_sandboxer_shutdown(controller, call, id);
}

static struct gt_error *platform(struct gt_services *s, struct gt_call *call, const char *sandboxer,
				 const char *id, char **out)
{
	struct gt_sandboxer *controller;

	GT_TRY(controller_find(s, call, sandboxer, id, &controller));
	return gt_sandboxer_platform(controller, call, id, out);
}

static struct gt_error *metrics(struct gt_services *s, struct gt_call *call, const char *sandboxer,
				const char *id, struct gt_metric *out)
{
	struct gt_sandboxer *controller;

	GT_TRY(controller_find(s, call, sandboxer, id, &controller));
	return gt_sandboxer_metrics(controller, call, id, out);
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call, const char *sandboxer,
			       const char *id, const struct gt_sandbox *sandbox,
			       const struct gt_strv *fields)
{
	struct gt_sandboxer *controller;

	GT_TRY(controller_find(s, call, sandboxer, id, &controller));
	return gt_sandboxer_update(controller, call, id, sandbox, fields);
}

const struct gt_controllers_ops local_controllers = {
	.size = sizeof(local_controllers),
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
