/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "sandbox.h"

#include "stats.h"
#include "task.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <oci/platform.h>

#include <containerd.runtime.sandbox.v1.pb-c.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/vfs.h>

#define MESSAGE(type) Containerd__Runtime__Sandbox__V1__##type
#define INIT(name) CONTAINERD__RUNTIME__SANDBOX__V1__##name##__INIT

/* While a sandbox is stopped: how often its containers are looked at, */
#define LOOK (SECOND_NS / 50)
/* how often they are killed once the time is over that they had, */
#define AGAIN SECOND_NS
/* and how long that may take. */
#define GIVE_UP (10 * SECOND_NS)

enum sandbox_state { SANDBOX_CREATED, SANDBOX_READY, SANDBOX_STOPPING, SANDBOX_STOPPED };

/* A call that waits for the sandbox to be stopped. */
struct sandbox_waiter {
	struct sandbox_waiter *next;
	struct sandbox_waiter **link;
	struct gt_ttrpc_call *call;
	void (*answer)(const struct sandbox *b, struct gt_ttrpc_call *call);
};

struct sandbox {
	struct shim *shim;
	char *id;
	char *netns; /* "": none */
	enum sandbox_state state;
	struct timespec created_at, exited_at;
	struct sandbox_waiter *waiters; /* of Wait */
	struct sandbox_waiter *stoppers; /* of Stop */
	struct gt_timer timer;
	int64_t kill_at, give_up_at;
};

/* --- waiting calls ------------------------------------------------------------------------ */

static void waiter_ended(struct gt_ttrpc_call *call)
{
	struct sandbox_waiter *w = call->keeper;

	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	free(w);
}

static void waiter_add(struct sandbox_waiter **list, struct gt_ttrpc_call *call,
		       void (*answer)(const struct sandbox *, struct gt_ttrpc_call *))
{
	struct sandbox_waiter *w = gt_xcalloc(1, sizeof(*w));

	*w = (struct sandbox_waiter){ *list, list, call, answer };
	if (w->next)
		w->next->link = &w->next;
	*list = w;
	call->keeper = w;
	call->ended = waiter_ended;
}

/* Answers and empties a list; with the error that 'text' makes, where it is not NULL. */
static void waiters_answer(struct sandbox *b, struct sandbox_waiter **list, const char *text)
{
	while (*list) {
		struct sandbox_waiter *w = *list;

		*list = w->next;
		if (w->next)
			w->next->link = list;
		if (text)
			gt_ttrpc_answer_error_take(w->call,
						   gt_error_new(GT_DEADLINE_EXCEEDED, "%s", text));
		else
			w->answer(b, w->call);
		free(w);
	}
}

static void wait_answer(const struct sandbox *b, struct gt_ttrpc_call *call)
{
	MESSAGE(WaitSandboxResponse) m = INIT(WAIT_SANDBOX_RESPONSE);
	Google__Protobuf__Timestamp at = task_stamp(&b->exited_at);

	m.exited_at = &at;
	gt_ttrpc_answer(call, &m.base);
}

static void stop_answer(const struct sandbox *b, struct gt_ttrpc_call *call)
{
	MESSAGE(StopSandboxResponse) m = INIT(STOP_SANDBOX_RESPONSE);

	(void)b;
	gt_ttrpc_answer(call, &m.base);
}

/* --- the end of what runs ----------------------------------------------------------------- */

static size_t n_running(const struct shim *shim)
{
	size_t n = 0;

	for (const struct container *c = shim->containers; c; c = c->next)
		n += c->init.state != PROCESS_STOPPED;
	return n;
}

/* One that is being created or has ended is not reached; what is created by then is at the next look. */
static void signal_all(const struct sandbox *b, uint32_t number)
{
	for (struct container *c = b->shim->containers, *next; c; c = next) {
		next = c->next;
		if (c->created && c->init.pid && c->init.state != PROCESS_STOPPED && !c->init.ended)
			task_signal(c, number, number == SIGKILL);
	}
}

static void stop_look(struct gt_timer *t)
{
	struct sandbox *b = gt_container_of(t, struct sandbox, timer);
	size_t n = n_running(b->shim);
	int64_t now = gt_now();

	if (!n) {
		b->state = SANDBOX_STOPPED;
		clock_gettime(CLOCK_REALTIME, &b->exited_at);
		waiters_answer(b, &b->stoppers, NULL);
		waiters_answer(b, &b->waiters, NULL);
		return;
	}
	if (now >= b->give_up_at) { /* the next Stop tries again */
		gt_autofree char *text = gt_strf("%zu containers of sandbox %s do not end", n, b->id);

		waiters_answer(b, &b->stoppers, text);
		return;
	}
	if (now >= b->kill_at) {
		signal_all(b, SIGKILL);
		b->kill_at = now + AGAIN;
	}
	gt_loop_at(b->shim->loop, t, now + LOOK);
}

/* --- methods ------------------------------------------------------------------------------ */

/* Each request begins with the sandbox's id. NULL: answered. */
static struct sandbox *find(struct shim *shim, struct gt_ttrpc_call *call)
{
	const MESSAGE(PingRequest) *r = (const MESSAGE(PingRequest) *)call->request;

	if (shim->sandbox && !strcmp(shim->sandbox->id, r->sandbox_id))
		return shim->sandbox;
	gt_ttrpc_answer_error_take(call, gt_error_new(GT_NOT_FOUND, "sandbox %s", r->sandbox_id));
	return NULL;
}

static struct gt_error *netns_check(const char *path)
{
	gt_autofd int fd = -1;
	struct statfs st;

	if (!*path)
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return gt_error_errno(GT_INVALID_ARGUMENT, errno, "open network namespace %s", path);
	if (fstatfs(fd, &st) < 0 || st.f_type != NSFS_MAGIC)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s is no network namespace", path);
	return NULL;
}

static struct gt_error *create_check(const struct shim *shim,
				     const MESSAGE(CreateSandboxRequest) *r)
{
	GT_TRY(gt_identifier_check("sandbox id", r->sandbox_id));
	if (shim->sandbox)
		return gt_error_new(GT_ALREADY_EXISTS, "sandbox %s", shim->sandbox->id);
	if (r->bundle_path[0] != '/')
		return gt_error_new(GT_INVALID_ARGUMENT, "bundle \"%s\" is no absolute path",
				    r->bundle_path);
	if (r->n_rootfs)
		return gt_error_new(GT_UNIMPLEMENTED,
				    "sandbox %s with a root file system: it has no process of its own",
				    r->sandbox_id);
	return netns_check(r->netns_path);
}

static void create(void *arg, struct gt_ttrpc_call *call)
{
	const MESSAGE(CreateSandboxRequest) *r = (const MESSAGE(CreateSandboxRequest) *)call->request;
	MESSAGE(CreateSandboxResponse) m = INIT(CREATE_SANDBOX_RESPONSE);
	struct shim *shim = arg;
	struct gt_error *e = create_check(shim, r);
	struct sandbox *b;

	if (e) {
		gt_ttrpc_answer_error_take(call, e);
		return;
	}
	b = gt_xcalloc(1, sizeof(*b));
	b->shim = shim;
	b->id = gt_xstrdup(r->sandbox_id);
	b->netns = gt_xstrdup(r->netns_path);
	b->timer.fn = stop_look;
	clock_gettime(CLOCK_REALTIME, &b->created_at);
	shim->sandbox = b;
	gt_ttrpc_answer(call, &m.base);
}

static void start(void *arg, struct gt_ttrpc_call *call)
{
	MESSAGE(StartSandboxResponse) m = INIT(START_SANDBOX_RESPONSE);
	struct sandbox *b = find(arg, call);
	Google__Protobuf__Timestamp at;

	if (!b)
		return;
	if (b->state != SANDBOX_CREATED) {
		gt_ttrpc_answer_error_take(
			call, gt_error_new(GT_FAILED_PRECONDITION, "sandbox %s %s", b->id,
					   b->state == SANDBOX_READY ? "has been started"
								     : "has been stopped"));
		return;
	}
	b->state = SANDBOX_READY;
	at = task_stamp(&b->created_at);
	m.pid = (uint32_t)getpid();
	m.created_at = &at;
	gt_ttrpc_answer(call, &m.base);
}

static void platform(void *arg, struct gt_ttrpc_call *call)
{
	MESSAGE(PlatformResponse) m = INIT(PLATFORM_RESPONSE);
	Containerd__Types__Platform p = CONTAINERD__TYPES__PLATFORM__INIT;
	struct gt_platform host;

	if (!find(arg, call))
		return;
	gt_platform_host(&host);
	p.os = host.os;
	p.architecture = host.arch;
	p.variant = host.variant ? host.variant : (char *)"";
	m.platform = &p;
	gt_ttrpc_answer(call, &m.base);
	gt_platform_done(&host);
}

static void stop(void *arg, struct gt_ttrpc_call *call)
{
	const MESSAGE(StopSandboxRequest) *r = (const MESSAGE(StopSandboxRequest) *)call->request;
	struct sandbox *b = find(arg, call);
	int64_t kill_at;

	if (!b) /* the request is gone with the answer */
		return;
	kill_at = gt_now() + r->timeout_secs * SECOND_NS;
	if (b->state == SANDBOX_STOPPED) {
		stop_answer(b, call);
		return;
	}
	/* Who is in a greater hurry than the one before is heeded. */
	if (b->state != SANDBOX_STOPPING || !b->timer.link || kill_at < b->kill_at) {
		b->kill_at = kill_at;
		b->give_up_at = kill_at + GIVE_UP;
	}
	if (b->state != SANDBOX_STOPPING && r->timeout_secs)
		signal_all(b, SIGTERM);
	b->state = SANDBOX_STOPPING;
	waiter_add(&b->stoppers, call, stop_answer);
	stop_look(&b->timer);
}

static void wait_sandbox(void *arg, struct gt_ttrpc_call *call)
{
	struct sandbox *b = find(arg, call);

	if (b && b->state == SANDBOX_STOPPED)
		wait_answer(b, call);
	else if (b)
		waiter_add(&b->waiters, call, wait_answer);
}

static char *container_names(const struct shim *shim)
{
	gt_auto(gt_buf) names = GT_BUF_INIT;

	for (const struct container *c = shim->containers; c; c = c->next)
		gt_buf_addf(&names, "%s%s", names.len ? "," : "", c->id);
	return gt_buf_detach(&names);
}

static void status(void *arg, struct gt_ttrpc_call *call)
{
	typedef MESSAGE(SandboxStatusResponse__InfoEntry) entry;
	const MESSAGE(SandboxStatusRequest) *r = (const MESSAGE(SandboxStatusRequest) *)call->request;
	MESSAGE(SandboxStatusResponse) m = INIT(SANDBOX_STATUS_RESPONSE);
	entry info[2] = { INIT(SANDBOX_STATUS_RESPONSE__INFO_ENTRY),
			  INIT(SANDBOX_STATUS_RESPONSE__INFO_ENTRY) };
	entry *pointers[] = { &info[0], &info[1] };
	gt_autofree char *names = NULL;
	struct sandbox *b = find(arg, call);
	Google__Protobuf__Timestamp created, exited;

	if (!b)
		return;
	created = task_stamp(&b->created_at);
	exited = task_stamp(&b->exited_at);
	m.sandbox_id = b->id;
	m.pid = b->state == SANDBOX_READY || b->state == SANDBOX_STOPPING ? (uint32_t)getpid() : 0;
	m.state = b->state == SANDBOX_READY ? "SANDBOX_READY" : "SANDBOX_NOTREADY";
	m.created_at = &created;
	m.exited_at = &exited;
	if (r->verbose) {
		names = container_names(b->shim);
		info[0].key = "containers";
		info[0].value = names;
		info[1].key = "netns";
		info[1].value = b->netns;
		m.info = pointers;
		m.n_info = 2;
	}
	gt_ttrpc_answer(call, &m.base);
}

static void ping(void *arg, struct gt_ttrpc_call *call)
{
	MESSAGE(PingResponse) m = INIT(PING_RESPONSE);

	if (find(arg, call))
		gt_ttrpc_answer(call, &m.base);
}

static void metrics(void *arg, struct gt_ttrpc_call *call)
{
	MESSAGE(SandboxMetricsResponse) m = INIT(SANDBOX_METRICS_RESPONSE);
	Containerd__Types__Metric metric = CONTAINERD__TYPES__METRIC__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Google__Protobuf__Timestamp at;
	struct sandbox *b = find(arg, call);
	struct stats sum = { 0 };
	struct timespec now;

	if (!b)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	at = task_stamp(&now);
	stats_sum(b->shim, &sum);
	any.type_url = (char *)sum.type;
	any.value = (ProtobufCBinaryData){ .len = sum.len, .data = sum.data };
	metric.timestamp = &at;
	metric.id = b->id;
	if (sum.type)
		metric.data = &any;
	m.metrics = &metric;
	gt_ttrpc_answer(call, &m.base);
	free(sum.data);
}

static void shutdown_sandbox(void *arg, struct gt_ttrpc_call *call)
{
	MESSAGE(ShutdownSandboxResponse) m = INIT(SHUTDOWN_SANDBOX_RESPONSE);
	struct shim *shim = arg;
	struct sandbox *b = find(shim, call);

	if (!b)
		return;
	if (shim->containers) {
		gt_autofree char *names = container_names(shim);

		gt_ttrpc_answer_error_take(call, gt_error_new(GT_FAILED_PRECONDITION,
							      "sandbox %s has containers that are not "
							      "deleted: %s", b->id, names));
		return;
	}
	sandbox_forget(gt_steal(&shim->sandbox));
	shim->stopping = true;
	gt_ttrpc_answer(call, &m.base);
}

#define METHOD(name_, type, fn)                                                                   \
	{                                                                                          \
		.name = name_, .request = &containerd__runtime__sandbox__v1__##type##__descriptor, \
		.handle = fn                                                                       \
	}
static const struct gt_ttrpc_method methods[] = {
	METHOD("CreateSandbox", create_sandbox_request, create),
	METHOD("StartSandbox", start_sandbox_request, start),
	METHOD("Platform", platform_request, platform),
	METHOD("StopSandbox", stop_sandbox_request, stop),
	METHOD("WaitSandbox", wait_sandbox_request, wait_sandbox),
	METHOD("SandboxStatus", sandbox_status_request, status),
	METHOD("PingSandbox", ping_request, ping),
	METHOD("SandboxMetrics", sandbox_metrics_request, metrics),
	METHOD("ShutdownSandbox", shutdown_sandbox_request, shutdown_sandbox),
};

struct gt_ttrpc_service sandbox_service(struct shim *shim)
{
	return (struct gt_ttrpc_service){
		.name = "containerd.runtime.sandbox.v1.Sandbox",
		.methods = methods,
		.n_methods = sizeof(methods) / sizeof(*methods),
		.arg = shim,
	};
}

struct gt_error *sandbox_admit(const struct shim *shim)
{
	const struct sandbox *b = shim->sandbox;

	if (!b || b->state == SANDBOX_READY || b->state == SANDBOX_CREATED)
		return NULL;
	return gt_error_new(GT_FAILED_PRECONDITION, "sandbox %s has been stopped", b->id);
}

void sandbox_forget(struct sandbox *b)
{
	if (!b)
		return;
	gt_timer_clear(&b->timer);
	/* Nobody is left who could stop it: it ends here. */
	clock_gettime(CLOCK_REALTIME, &b->exited_at);
	waiters_answer(b, &b->stoppers, NULL);
	waiters_answer(b, &b->waiters, NULL);
	free(b->id);
	free(b->netns);
	free(b);
}
