/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/sandbox.h>

#include <shim/message.h>
#include <shim/program.h>
#include <shim/task.h>

#include <ttrpc/frame.h>

#include <containerd.runtime.sandbox.v1.pb-c.h>
#include <string.h>

#define SERVICE "containerd.runtime.sandbox.v1.Sandbox"
#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
/* How long others may hold a bundle that is to be deleted. */
#define LOCK_MS 10000
/* What a stop may take beside the time that it leaves to processes. */
#define STOP_TIME (15 * SECOND)
#define SHUTDOWN_TIME (5 * SECOND) /* of a shim; what runs in it has been stopped before */

#define REPLY(name) (&containerd__runtime__sandbox__v1__##name##__descriptor)

static struct gt_error *not_found(const char *id)
{
	return gt_error_new(GT_NOT_FOUND, "sandbox %s not found", id);
}

/* Takes 'e': the words of lib/shim speak of tasks. */
static struct gt_error *words_take(struct gt_error *e, const char *id)
{
	enum gt_class cls = gt_error_class(e);

	if (cls != GT_NOT_FOUND && cls != GT_ALREADY_EXISTS)
		return e;
	gt_error_free(e);
	return cls == GT_NOT_FOUND ? not_found(id) : gt_error_new(cls, "sandbox %s", id);
}

/* One call to a sandbox's shim, of 'time' at most. */
static struct gt_error *tell(struct gt_shim_task *t, struct gt_call *call, int64_t time,
			     const char *name, const ProtobufCMessage *request,
			     const ProtobufCMessageDescriptor *type, ProtobufCMessage **reply)
{
	struct gt_call within = gt_shim_call_within(call, time);
	struct gt_ttrpc_method method = { SERVICE, name, type };
	struct gt_error *e = gt_ttrpc_call(t->client, &within, &method, request, reply);

	if (gt_error_class(e) == GT_DEADLINE_EXCEEDED && within.deadline != call->deadline)
		e = gt_error_reclass(e, GT_UNAVAILABLE);
	if (gt_error_class(e) == GT_UNAVAILABLE)
		e = gt_error_wrap(e, "%s: the shim of sandbox %s", name, t->id);
	return e;
}

static struct gt_error *ask(struct gt_shim_runtime *r, struct gt_call *call, const char *id,
			    int64_t time, const char *name, const ProtobufCMessage *request,
			    const ProtobufCMessageDescriptor *type, ProtobufCMessage **reply)
{
	gt_autoptr(gt_shim_task) t = NULL;
	bool dead;

	GT_TRY(words_take(gt_shim_task_get(r, call, id, &dead, &t), id));
	return words_take(tell(t, call, time, name, request, type, reply), id);
}

/* --- create ------------------------------------------------------------------------------- */

static struct gt_error *call_create(struct gt_shim_runtime *r, struct gt_call *call,
				    const struct gt_shim_sandbox_create *req,
				    const struct gt_bundle *b, struct gt_shim_task *t)
{
	typedef Containerd__Runtime__Sandbox__V1__CreateSandboxRequest request;
	typedef Containerd__Runtime__Sandbox__V1__CreateSandboxRequest__AnnotationsEntry entry;
	request m = CONTAINERD__RUNTIME__SANDBOX__V1__CREATE_SANDBOX_REQUEST__INIT;
	Google__Protobuf__Any options = GOOGLE__PROTOBUF__ANY__INIT;
	size_t n = req->annotations ? req->annotations->n : 0;
	gt_autofree entry *entries = gt_xcalloc(n + 1, sizeof(*entries));
	gt_autofree entry **pointers = gt_xcalloc(n + 1, sizeof(*pointers));
	struct gt_error *e;

	for (size_t i = 0; i < n; i++) {
		containerd__runtime__sandbox__v1__create_sandbox_request__annotations_entry__init(
			&entries[i]);
		entries[i].key = req->annotations->v[i].key;
		entries[i].value = req->annotations->v[i].value;
		pointers[i] = &entries[i];
	}
	m.sandbox_id = gt_shim_string(req->id);
	m.bundle_path = b->path;
	m.netns_path = gt_shim_string(req->netns);
	m.rootfs = gt_shim_mounts_message(req->rootfs);
	m.n_rootfs = m.rootfs ? req->rootfs->n : 0;
	m.annotations = pointers;
	m.n_annotations = n;
	if (req->options && req->options->type_url) {
		gt_shim_any_message(req->options, &options);
		m.options = &options;
	}
	e = tell(t, call, r->settings.config->task_timeout, "CreateSandbox", &m.base,
		 REPLY(create_sandbox_response), NULL);
	gt_shim_mounts_free(m.rootfs);
	return e;
}

static struct gt_error *bring_up(struct gt_shim_runtime *r, struct gt_call *call,
				 const struct gt_shim_sandbox_create *req, struct gt_bundle *b,
				 struct gt_shim_task **t)
{
	struct gt_call start = gt_shim_call_within(call, r->settings.config->start_timeout);
	struct gt_shim_endpoint at = { 0 };
	struct gt_error *e;
	bool dead;

	e = gt_shim_program_start(&r->settings, b, &start, req->program, req->start, &at);
	if (gt_error_class(e) == GT_DEADLINE_EXCEEDED && start.deadline != call->deadline)
		e = gt_error_reclass(e, GT_UNAVAILABLE);
	GT_TRY(e);
	e = gt_shim_endpoint_save(b->fd, &at);
	if (!e)
		e = gt_shim_task_connect(r, call, &at, req->id, &dead, t);
	gt_shim_endpoint_done(&at);
	GT_TRY(e);
	return call_create(r, call, req, b, *t);
}

/* What a process that died in the middle left is nobody's; one whose shim answers is somebody's. */
static struct gt_error *sweep(struct gt_shim_runtime *r, struct gt_call *call, const char *id,
			      bool *gone)
{
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	gt_autoptr(gt_shim_task) t = NULL;
	struct gt_exit exit;
	struct gt_error *e = gt_bundle_open_locked(&r->bundles, id, call, 0, &b);
	bool dead;

	*gone = gt_error_class(e) == GT_NOT_FOUND;
	if (e) {
		gt_error_free(e);
		return NULL;
	}
	e = gt_shim_task_open(r, call, &b, &dead, &t);
	*gone = dead || gt_error_class(e) == GT_NOT_FOUND;
	gt_error_free(e);
	return *gone ? gt_shim_wreck_remove(r, call, &b, &exit) : NULL;
}

static struct gt_error *bundle_make(struct gt_shim_runtime *r, struct gt_call *call,
				    const struct gt_shim_sandbox_create *req,
				    struct gt_bundle *out)
{
	struct gt_error *e = gt_bundle_make(&r->bundles, call->ns, req->id, req->spec,
					    req->program, out);
	bool gone;

	if (gt_error_class(e) != GT_ALREADY_EXISTS)
		return e;
	gt_error_free(e);
	GT_TRY(sweep(r, call, req->id, &gone));
	if (!gone)
		return gt_error_new(GT_ALREADY_EXISTS, "sandbox %s", req->id);
	return words_take(gt_bundle_make(&r->bundles, call->ns, req->id, req->spec, req->program,
					 out),
			  req->id);
}

struct gt_error *gt_shim_sandbox_create(struct gt_shim_runtime *r, struct gt_call *call,
					const struct gt_shim_sandbox_create *req)
{
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	gt_autoptr(gt_shim_task) t = NULL;
	struct gt_error *e;

	GT_TRY(gt_identifier_check("sandbox id", req->id));
	GT_TRY(bundle_make(r, call, req, &b));
	e = bring_up(r, call, req, &b, &t);
	if (e) {
		struct gt_call own = GT_CALL_INIT; /* the other may be over */
		struct gt_exit exit;

		own.ns = call->ns;
		gt_error_free(gt_shim_wreck_remove(r, &own, &b, &exit));
	}
	return gt_error_wrap(e, "create sandbox %s", req->id);
}

/* --- calls -------------------------------------------------------------------------------- */

void gt_shim_sandbox_start_done(struct gt_shim_sandbox_start *s)
{
	gt_any_done(&s->spec);
}

struct gt_error *gt_shim_sandbox_start(struct gt_shim_runtime *r, struct gt_call *call,
				       const char *id, struct gt_shim_sandbox_start *out)
{
	Containerd__Runtime__Sandbox__V1__StartSandboxRequest m =
		CONTAINERD__RUNTIME__SANDBOX__V1__START_SANDBOX_REQUEST__INIT;
	Containerd__Runtime__Sandbox__V1__StartSandboxResponse *s;
	ProtobufCMessage *reply = NULL;

	m.sandbox_id = gt_shim_string(id);
	GT_TRY(ask(r, call, id, r->settings.config->task_timeout, "StartSandbox", &m.base,
		   REPLY(start_sandbox_response), &reply));
	s = (void *)reply;
	*out = (struct gt_shim_sandbox_start){ .pid = s->pid,
					       .created_at = gt_shim_time(s->created_at) };
	gt_shim_any_read(s->spec, &out->spec);
	gt_ttrpc_message_free(reply);
	return NULL;
}

struct gt_error *gt_shim_sandbox_platform(struct gt_shim_runtime *r, struct gt_call *call,
					  const char *id, char **os, char **arch, char **variant)
{
	Containerd__Runtime__Sandbox__V1__PlatformRequest m =
		CONTAINERD__RUNTIME__SANDBOX__V1__PLATFORM_REQUEST__INIT;
	const Containerd__Types__Platform *p;
	ProtobufCMessage *reply = NULL;

	m.sandbox_id = gt_shim_string(id);
	GT_TRY(ask(r, call, id, r->settings.config->state_timeout, "Platform", &m.base,
		   REPLY(platform_response), &reply));
	p = ((Containerd__Runtime__Sandbox__V1__PlatformResponse *)reply)->platform;
	*os = gt_xstrdup(p ? p->os : "");
	*arch = gt_xstrdup(p ? p->architecture : "");
	*variant = gt_xstrdup(p ? p->variant : "");
	gt_ttrpc_message_free(reply);
	return NULL;
}

struct gt_error *gt_shim_sandbox_stop(struct gt_shim_runtime *r, struct gt_call *call,
				      const char *id, uint32_t seconds)
{
	Containerd__Runtime__Sandbox__V1__StopSandboxRequest m =
		CONTAINERD__RUNTIME__SANDBOX__V1__STOP_SANDBOX_REQUEST__INIT;

	m.sandbox_id = gt_shim_string(id);
	m.timeout_secs = seconds;
	return ask(r, call, id, seconds * SECOND + STOP_TIME, "StopSandbox", &m.base,
		   REPLY(stop_sandbox_response), NULL);
}

struct waiter {
	struct gt_shim_task *task;
	gt_wait_fn *fn;
	void *arg;
};

static void wait_done(void *arg, struct gt_error *e, ProtobufCMessage *reply)
{
	struct waiter *w = arg;
	struct gt_exit exit = { 0 };

	if (reply) {
		Containerd__Runtime__Sandbox__V1__WaitSandboxResponse *m = (void *)reply;

		exit.status = m->exit_status;
		exit.at = gt_shim_time(m->exited_at);
		gt_ttrpc_message_free(reply);
	}
	if (gt_error_class(e) == GT_UNAVAILABLE)
		e = gt_error_wrap(e, "the shim of sandbox %s", w->task->id);
	e = words_take(e, w->task->id);
	w->fn(w->arg, e, e ? NULL : &exit);
	gt_shim_task_free(w->task);
	free(w);
}

struct gt_error *gt_shim_sandbox_wait(struct gt_shim_runtime *r, struct gt_call *call,
				      const char *id, gt_wait_fn *fn, void *arg)
{
	static const struct gt_ttrpc_method how = { SERVICE, "WaitSandbox",
						    REPLY(wait_sandbox_response) };
	Containerd__Runtime__Sandbox__V1__WaitSandboxRequest m =
		CONTAINERD__RUNTIME__SANDBOX__V1__WAIT_SANDBOX_REQUEST__INIT;
	struct gt_shim_task *t;
	struct gt_error *e;
	struct waiter *w;
	bool dead;

	GT_TRY(words_take(gt_shim_task_get(r, call, id, &dead, &t), id));
	m.sandbox_id = gt_shim_string(id);
	w = gt_xmalloc(sizeof(*w));
	*w = (struct waiter){ .task = t, .fn = fn, .arg = arg };
	e = gt_ttrpc_call_async(t->client, call, &how, &m.base, wait_done, w);
	if (e) {
		gt_shim_task_free(t);
		free(w);
	}
	return e;
}

void gt_shim_sandbox_status_done(struct gt_shim_sandbox_status *s)
{
	free(s->id);
	free(s->state);
	gt_labels_done(&s->info);
	gt_any_done(&s->extra);
	*s = (struct gt_shim_sandbox_status){ 0 };
}

struct gt_error *gt_shim_sandbox_status(struct gt_shim_runtime *r, struct gt_call *call,
					const char *id, bool verbose,
					struct gt_shim_sandbox_status *out)
{
	Containerd__Runtime__Sandbox__V1__SandboxStatusRequest m =
		CONTAINERD__RUNTIME__SANDBOX__V1__SANDBOX_STATUS_REQUEST__INIT;
	Containerd__Runtime__Sandbox__V1__SandboxStatusResponse *s;
	ProtobufCMessage *reply = NULL;

	m.sandbox_id = gt_shim_string(id);
	m.verbose = verbose;
	GT_TRY(ask(r, call, id, r->settings.config->state_timeout, "SandboxStatus", &m.base,
		   REPLY(sandbox_status_response), &reply));
	s = (void *)reply;
	*out = (struct gt_shim_sandbox_status){
		.id = gt_xstrdup(s->sandbox_id),
		.pid = s->pid,
		.state = gt_xstrdup(s->state),
		.created_at = gt_shim_time(s->created_at),
		.exited_at = gt_shim_time(s->exited_at),
	};
	for (size_t i = 0; i < s->n_info; i++)
		gt_labels_set(&out->info, s->info[i]->key, s->info[i]->value);
	gt_shim_any_read(s->extra, &out->extra);
	gt_ttrpc_message_free(reply);
	return NULL;
}

struct gt_error *gt_shim_sandbox_ping(struct gt_shim_runtime *r, struct gt_call *call,
				      const char *id)
{
	Containerd__Runtime__Sandbox__V1__PingRequest m =
		CONTAINERD__RUNTIME__SANDBOX__V1__PING_REQUEST__INIT;

	m.sandbox_id = gt_shim_string(id);
	return ask(r, call, id, r->settings.config->state_timeout, "PingSandbox", &m.base,
		   REPLY(ping_response), NULL);
}

struct gt_error *gt_shim_sandbox_metrics(struct gt_shim_runtime *r, struct gt_call *call,
					 const char *id, struct timespec *at, struct gt_any *out)
{
	Containerd__Runtime__Sandbox__V1__SandboxMetricsRequest m =
		CONTAINERD__RUNTIME__SANDBOX__V1__SANDBOX_METRICS_REQUEST__INIT;
	const Containerd__Types__Metric *metrics;
	ProtobufCMessage *reply = NULL;

	m.sandbox_id = gt_shim_string(id);
	GT_TRY(ask(r, call, id, r->settings.config->state_timeout, "SandboxMetrics", &m.base,
		   REPLY(sandbox_metrics_response), &reply));
	metrics = ((Containerd__Runtime__Sandbox__V1__SandboxMetricsResponse *)reply)->metrics;
	*at = gt_shim_time(metrics ? metrics->timestamp : NULL);
	*out = (struct gt_any){ 0 };
	gt_shim_any_read(metrics ? metrics->data : NULL, out);
	gt_ttrpc_message_free(reply);
	return NULL;
}

/* --- the end ------------------------------------------------------------------------------ */

/* A shim that was asked to go does so; one that does not is ended, as a dead one's rest is. */
static struct gt_error *remove_ended(struct gt_shim_runtime *r, struct gt_call *call,
				     struct gt_shim_task *t, struct gt_bundle *b)
{
	int timeout = (int)(r->settings.config->shutdown_timeout / MS);
	gt_autoptr(gt_error) late = gt_ttrpc_client_wait_closed(t->client, timeout);
	struct gt_exit exit;

	if (late)
		return gt_shim_wreck_remove(r, call, b, &exit);
	gt_shim_task_forget(r, call, b->id);
	return gt_bundle_remove(b);
}

struct gt_error *gt_shim_sandbox_shutdown(struct gt_shim_runtime *r, struct gt_call *call,
					  const char *id)
{
	Containerd__Runtime__Sandbox__V1__ShutdownSandboxRequest m =
		CONTAINERD__RUNTIME__SANDBOX__V1__SHUTDOWN_SANDBOX_REQUEST__INIT;
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	gt_autoptr(gt_shim_task) t = NULL;
	struct gt_exit exit;
	struct gt_error *e;
	bool dead;

	GT_TRY(words_take(gt_bundle_open_locked(&r->bundles, id, call, LOCK_MS, &b), id));
	e = gt_shim_task_open(r, call, &b, &dead, &t);
	if (dead || gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		return gt_shim_wreck_remove(r, call, &b, &exit);
	}
	GT_TRY(e);
	m.sandbox_id = gt_shim_string(id);
	e = tell(t, call, SHUTDOWN_TIME, "ShutdownSandbox", &m.base,
		 REPLY(shutdown_sandbox_response), NULL);
	/*
	 * It may close the connection before it answers; one without the sandbox has lost it; and one that
	 * hangs or is stopped will not go by itself.
	 */
	if (gt_error_class(e) == GT_NOT_FOUND || gt_error_class(e) == GT_UNAVAILABLE) {
		gt_error_free(e);
		return gt_shim_wreck_remove(r, call, &b, &exit);
	}
	GT_TRY(e);
	return remove_ended(r, call, t, &b);
}

struct gt_error *gt_shim_sandbox_endpoint(const struct gt_bundles *all, const char *ns,
					  const char *id, struct gt_shim_endpoint *out)
{
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;

	GT_TRY(words_take(gt_bundle_open(all, ns, id, &b), id));
	return words_take(gt_shim_endpoint_load(b.fd, out), id);
}

struct walk {
	struct gt_call *call;
	struct gt_error *(*fn)(void *arg, const char *ns, const char *id);
	void *arg;
};

static struct gt_error *walk_one(void *arg, const char *ns, const char *id, bool has_address)
{
	struct walk *w = arg;

	GT_TRY(gt_call_check(w->call));
	return has_address ? w->fn(w->arg, ns, id) : NULL;
}

struct gt_error *gt_shim_sandbox_walk(struct gt_shim_runtime *r, struct gt_call *call,
				      struct gt_error *(*fn)(void *arg, const char *ns,
							     const char *id),
				      void *arg)
{
	struct walk w = { .call = call, .fn = fn, .arg = arg };

	return gt_bundles_walk(&r->bundles, call->ns && *call->ns ? call->ns : NULL, walk_one, &w);
}
