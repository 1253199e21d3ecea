/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends of tasks: the orderly one, and what is done where a shim is dead, wedged, or was never told of its
 * task.
 */
#include <config.h>

#include <shim/cgroup.h>
#include <shim/message.h>
#include <shim/process.h>
#include <shim/program.h>
#include <shim/socket.h>
#include <shim/task.h>

#include <ttrpc/frame.h>

#include <gantry/file.h>
#include <gantry/log.h>

#include <containerd.task.v2.pb-c.h>
#include <google/protobuf/empty.pb-c.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#define MS INT64_C(1000000)
#define DISMISSALS 5
#define EMPTY (&google__protobuf__empty__descriptor)

/* How long others may hold a bundle that is to be deleted. */
#define LOCK_MS 10000
/* Shares of the ten seconds that a purge may take. */
#define SHIM_MS 1000
#define WRECK_MS 6500 /* of it, for all of what follows together: */
#define CGROUP_MS 2500
#define FORCE_MS 1500
/* Before that: */
#define POLITE_MS 1500
#define PURGE_LOCK_MS 1500
/* A shim of a group stays where it has other tasks, and closes nothing then. */
#define GROUPED_MS 100
/*
 * What a shim without a task has for going where it is only come across: others wait meanwhile. One that has
 * begun to create it stays, and is ended by force.
 */
#define SWEEP_MS 300

static struct gt_error *not_found(const char *id)
{
	return gt_error_new(GT_NOT_FOUND, "task %s not found", id);
}

static struct gt_error *call_delete(struct gt_shim_task *t, const struct gt_call *call,
				    const char *exec_id, struct gt_exit *out)
{
	Containerd__Task__V2__DeleteRequest m = CONTAINERD__TASK__V2__DELETE_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	Containerd__Task__V2__DeleteResponse *d;

	m.id = gt_shim_string(t->id);
	m.exec_id = gt_shim_string(exec_id);
	GT_TRY(gt_shim_task_call(t, call, GT_SHIM_TASK, "Delete", &m.base,
				 &containerd__task__v2__delete_response__descriptor, &reply));
	d = (void *)reply;
	*out = (struct gt_exit){ .pid = d->pid,
				 .status = d->exit_status,
				 .at = gt_shim_time(d->exited_at) };
	gt_ttrpc_message_free(reply);
	return NULL;
}

/* A shim that answers is there for other tasks; one on its way out does not. */
static bool answers(struct gt_shim_task *t, const struct gt_call *call)
{
	Containerd__Task__V2__ConnectRequest m = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
	gt_autoptr(gt_error) e = NULL;

	m.id = gt_shim_string(t->id);
	e = gt_shim_task_call(t, call, GT_SHIM_SHUTDOWN, "Connect", &m.base,
			      &containerd__task__v2__connect_response__descriptor, NULL);
	return !e;
}

static struct gt_error *call_shutdown(struct gt_shim_task *t, const struct gt_call *call)
{
	Containerd__Task__V2__ShutdownRequest m = CONTAINERD__TASK__V2__SHUTDOWN_REQUEST__INIT;

	m.id = gt_shim_string(t->id);
	return gt_shim_task_call(t, call, GT_SHIM_SHUTDOWN, "Shutdown", &m.base, EMPTY, NULL);
}

/* A connection that is lost is its end only if nobody listens any more: else it is asked by another. */
static bool dismiss_again(struct gt_shim_runtime *r, const struct gt_call *call,
			  const struct gt_shim_task *t, bool *gone)
{
	const struct gt_shim_endpoint at = { t->address, strcmp(t->service, GT_SHIM_SERVICE_V2) ? 3 : 2 };

	*gone = false;
	for (int i = 0; i < DISMISSALS; i++) {
		gt_autoptr(gt_shim_task) other = NULL;
		gt_autoptr(gt_error) e =
			gt_shim_task_connect(r, call, &at, t->id, gone, &other);

		if (e)
			return *gone;
		e = call_shutdown(other, call);
		if (!e || gt_ttrpc_client_is_open(other->client))
			return !e;
	}
	return false;
}

bool gt_shim_dismiss(struct gt_shim_runtime *r, const struct gt_call *call, struct gt_shim_task *t,
		     const struct gt_bundle *b)
{
	bool grouped = gt_bundle_is_grouped(b), gone = false;
	gt_autoptr(gt_error) e = NULL;
	struct gt_call within;

	if (gt_bundle_is_attached(b))
		return true;
	e = call_shutdown(t, call);
	if (e && (gt_ttrpc_client_is_open(t->client) || !dismiss_again(r, call, t, &gone)))
		return false;
	gt_error_free(gt_steal(&e));
	within = gt_shim_call_within(call, grouped ? GROUPED_MS * MS : r->settings.config->shutdown_timeout);
	if (!gone)
		e = gt_ttrpc_client_wait_closed(t->client, (int)((within.deadline - gt_now()) / MS));
	if (e)
		return grouped && answers(t, call);
	gt_shim_socket_release(t->address); /* of one that did not come to it */
	return true;
}

/* What the spec says of what a task leaves outside of its bundle; "" where it says nothing. */
struct outside {
	char *cgroup; /* the control group */
	char *name; /* in the shim's socket: the group's, or the task's own */
};

static void outside_done(struct outside *o)
{
	free(o->cgroup);
	free(o->name);
}

static struct outside outside_of(const struct gt_bundle *b)
{
	gt_auto(gt_buf) spec = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_bundle_spec(b, &spec);
	json_t *doc = e ? NULL : json_loadb(spec.s, spec.len, 0, NULL);
	const json_t *annotations = json_object_get(doc, "annotations");
	const char *path =
		json_string_value(json_object_get(json_object_get(doc, "linux"), "cgroupsPath"));
	const char *group = NULL;
	struct outside o;

	for (size_t i = 0; gt_bundle_group_keys[i] && !group; i++)
		group = json_string_value(json_object_get(annotations, gt_bundle_group_keys[i]));
	o.cgroup = gt_xstrdup(path ? path : "");
	o.name = gt_xstrdup(group ? group : b->id);
	json_decref(doc);
	return o;
}

/* A shim that died before it told its address has left its socket where the rule says. */
static void release_by_rule(const struct gt_shim_runtime *r, const struct gt_bundle *b,
			    const char *dir, const char *name)
{
	gt_autofree char *daemon = gt_shim_program_address(&r->settings);
	gt_autofree char *path = gt_shim_socket_path(dir, daemon, b->ns, name);
	gt_autofree char *address = gt_strf("unix://%s", path);

	gt_shim_socket_release(address);
}

/* The socket of a shim that is no more. */
static void release_socket(const struct gt_shim_runtime *r, const struct gt_bundle *b,
			   const char *name)
{
	gt_autofree char *ours = gt_strf("%s/s", r->settings.state);
	struct gt_shim_endpoint at = { 0 };
	gt_autoptr(gt_error) e = gt_shim_endpoint_load(b->fd, &at);

	if (!e)
		gt_shim_socket_release(at.address);
	gt_shim_endpoint_done(&at);
	release_by_rule(r, b, ours, name);
	release_by_rule(r, b, GT_SHIM_SOCKET_DIR, name);
}

/* What a shim of its own program does for a task that it lost, and what the runtime's program can. */
static void run_delete(struct gt_shim_runtime *r, struct gt_call *call, const struct gt_bundle *b,
		       const char *program, struct gt_exit *out)
{
	struct gt_call within = gt_shim_call_within(call, r->settings.config->cleanup_timeout);

	gt_log_warn_take(gt_shim_program_delete(&r->settings, b, &within, program, out),
			 "clean up after the shim of task %s", b->id);
	if (!r->force)
		return;
	within = gt_shim_call_within(call, FORCE_MS * MS);
	gt_log_warn_take(r->force(r, &within, b), "end task %s by force", b->id);
}

/* All but the shim itself. */
static struct gt_error *remove_rest(struct gt_shim_runtime *r, struct gt_call *call,
				    struct gt_bundle *b, const char *program, struct gt_exit *out)
{
	struct outside o __attribute__((cleanup(outside_done))) = outside_of(b);
	struct gt_call within;

	*out = (struct gt_exit){ .status = 255 };
	clock_gettime(CLOCK_REALTIME, &out->at);
	within = gt_shim_call_within(call, CGROUP_MS * MS);
	/* What cannot be ended would be nobody's: the task stays for another try. */
	GT_TRY(gt_error_wrap(gt_cgroup_end(o.cgroup, within.deadline), "delete task %s", b->id));
	run_delete(r, call, b, program, out);
	/* A runtime's program that was at work on the task may have come this far only now. */
	within = gt_shim_call_within(call, FORCE_MS * MS);
	GT_TRY(gt_error_wrap(gt_cgroup_end(o.cgroup, within.deadline), "delete task %s", b->id));
	release_socket(r, b, o.name);
	gt_shim_task_forget(r, call, b->id);
	return gt_bundle_remove(b);
}

/* A bundle that does not say so, as it should, was made for a program that nobody can know. */
static char *program_of(const struct gt_bundle *b)
{
	char *program = NULL;
	gt_autoptr(gt_error) e = gt_bundle_program(b, &program);

	return e ? gt_xstrdup("/nonexistent") : program;
}

struct gt_error *gt_shim_wreck_remove(struct gt_shim_runtime *r, struct gt_call *call,
				      struct gt_bundle *b, struct gt_exit *out)
{
	struct gt_call own = GT_CALL_INIT; /* it is not given up halfway */
	gt_autofree char *program = program_of(b);

	own.ns = call->ns;
	own.deadline = gt_now() + WRECK_MS * MS;
	gt_log_warn_take(gt_shim_processes_kill(b, program, gt_now() + SHIM_MS * MS), "task %s",
			 b->id);
	return remove_rest(r, &own, b, program, out);
}

enum behind { BEHIND_TASK, BEHIND_NOBODY, BEHIND_SHIM };

/* Whether there is a task behind a bundle, a shim without it, or nothing that answers. */
static enum behind look_behind(struct gt_shim_runtime *r, const struct gt_call *call,
			       const struct gt_bundle *b, struct gt_shim_task **t)
{
	Containerd__Task__V2__StateRequest m = CONTAINERD__TASK__V2__STATE_REQUEST__INIT;
	gt_autoptr(gt_error) e = NULL;
	bool dead;

	e = gt_shim_task_open(r, call, b, &dead, t);
	if (e)
		return dead || gt_error_class(e) == GT_NOT_FOUND ? BEHIND_NOBODY : BEHIND_TASK;
	m.id = gt_shim_string(b->id);
	e = gt_shim_task_call(*t, call, GT_SHIM_STATE, "State", &m.base,
			      &containerd__task__v2__state_response__descriptor, NULL);
	if (gt_shim_is_unknown_task(e))
		return BEHIND_SHIM;
	return e && !gt_ttrpc_client_is_open((*t)->client) ? BEHIND_NOBODY : BEHIND_TASK;
}

struct gt_error *gt_shim_sweep(struct gt_shim_runtime *r, struct gt_call *call, const char *id,
			       bool *gone)
{
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	gt_autoptr(gt_shim_task) t = NULL;
	gt_autofree char *program = NULL;
	struct gt_call within;
	struct gt_exit exit;
	struct gt_error *e = gt_bundle_open_locked(&r->bundles, id, call, 0, &b);

	*gone = gt_error_class(e) == GT_NOT_FOUND;
	if (*gone || gt_error_class(e) == GT_UNAVAILABLE) { /* or somebody is at work on it */
		gt_error_free(e);
		return NULL;
	}
	GT_TRY(e);
	switch (look_behind(r, call, &b, &t)) {
	case BEHIND_TASK:
		return NULL;
	case BEHIND_NOBODY:
		GT_TRY(gt_shim_wreck_remove(r, call, &b, &exit));
		break;
	case BEHIND_SHIM:
		within = gt_shim_call_within(call, SWEEP_MS * MS);
		if (gt_shim_dismiss(r, &within, t, &b)) {
			program = program_of(&b);
			GT_TRY(remove_rest(r, call, &b, program, &exit));
		} else {
			GT_TRY(gt_shim_wreck_remove(r, call, &b, &exit));
		}
		break;
	}
	*gone = true;
	return NULL;
}

/* After Task.Delete has said how it ended: the shim goes, then the bundle. */
static struct gt_error *remove_ended(struct gt_shim_runtime *r, struct gt_call *call,
				     struct gt_shim_task *t, struct gt_bundle *b)
{
	struct gt_call own = GT_CALL_INIT;

	own.ns = call->ns;
	if (!gt_shim_dismiss(r, &own, t, b)) {
		gt_autofree char *program = program_of(b);

		gt_log_warn_take(gt_shim_processes_kill(b, program, gt_now() + SHIM_MS * MS),
				 "task %s", b->id);
	}
	gt_shim_task_forget(r, call, b->id);
	return gt_bundle_remove(b);
}

static struct gt_error *remove_task(struct gt_shim_runtime *r, struct gt_call *call, const char *id,
				    struct gt_exit *out)
{
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	gt_autoptr(gt_shim_task) t = NULL;
	struct gt_exit exit = { 0 };
	struct gt_error *e;
	bool dead;

	GT_TRY(gt_bundle_open_locked(&r->bundles, id, call, LOCK_MS, &b));
	e = gt_shim_task_open(r, call, &b, &dead, &t);
	if (dead || gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		GT_TRY(gt_shim_wreck_remove(r, call, &b, dead ? out : &exit));
		return dead ? NULL : not_found(id); /* it had never become one */
	}
	GT_TRY(e);
	e = call_delete(t, call, "", &exit);
	if (e && !gt_ttrpc_client_is_open(t->client)) {
		gt_error_free(e);
		return gt_shim_wreck_remove(r, call, &b, out);
	}
	if (gt_shim_is_unknown_task(e)) {
		gt_error_free(e);
		GT_TRY(remove_ended(r, call, t, &b));
		return not_found(id);
	}
	GT_TRY(gt_error_wrap(e, "failed to delete task")); /* containerd's words */
	GT_TRY(remove_ended(r, call, t, &b));
	*out = exit;
	return NULL;
}

struct gt_error *gt_shim_runtime_remove(struct gt_runtime *base, struct gt_call *call,
					const char *id, const char *exec_id, struct gt_exit *out)
{
	struct gt_shim_runtime *r = (struct gt_shim_runtime *)base;
	gt_autoptr(gt_shim_task) t = NULL;
	struct gt_error *e;
	bool dead;

	if (!exec_id || !*exec_id)
		return remove_task(r, call, id, out);
	GT_TRY(gt_shim_task_get(r, call, id, &dead, &t));
	e = call_delete(t, call, exec_id, out);
	if (!gt_shim_is_unknown_task(e))
		return e;
	gt_error_free(e);
	return not_found(id);
}

/* A shim in its senses ends a task faster and more thoroughly than anybody else. */
static bool purge_by_shim(struct gt_shim_runtime *r, struct gt_call *call, struct gt_bundle *b,
			  struct gt_exit *out)
{
	struct gt_call within = gt_shim_call_within(call, POLITE_MS * MS);
	Containerd__Task__V2__KillRequest kill = CONTAINERD__TASK__V2__KILL_REQUEST__INIT;
	Containerd__Task__V2__ResumeRequest resume = CONTAINERD__TASK__V2__RESUME_REQUEST__INIT;
	Containerd__Task__V2__WaitRequest wait = CONTAINERD__TASK__V2__WAIT_REQUEST__INIT;
	gt_autoptr(gt_shim_task) t = NULL;
	gt_autoptr(gt_error) e = NULL;
	bool dead;

	e = gt_shim_task_open(r, &within, b, &dead, &t);
	if (e)
		return false;
	kill.id = resume.id = wait.id = gt_shim_string(b->id);
	kill.signal = 9;
	kill.all = true;
	/* Errors of these show in what follows: it has ended already, it was not paused. */
	gt_error_free(gt_shim_task_call(t, &within, GT_SHIM_TASK, "Kill", &kill.base, EMPTY, NULL));
	gt_error_free(gt_shim_task_call(t, &within, GT_SHIM_TASK, "Resume", &resume.base, EMPTY,
					NULL));
	e = gt_shim_task_call(t, &within, GT_SHIM_TASK, "Wait", &wait.base,
			      &containerd__task__v2__wait_response__descriptor, NULL);
	if (!e)
		e = call_delete(t, &within, "", out);
	if (!e)
		e = remove_ended(r, call, t, b);
	return !e;
}

/* Somebody has deleted the bundle: its shim, what the runtime's program knows and the socket remain. */
static struct gt_error *purge_lost(struct gt_shim_runtime *r, struct gt_call *call, const char *id,
				   struct gt_exit *out)
{
	struct gt_call within = gt_shim_call_within(call, POLITE_MS * MS);
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	bool any;

	gt_bundle_name(&r->bundles, call->ns, id, &b);
	GT_TRY(gt_shim_processes_kill_lost(&b, within.deadline, &any));
	if (!any)
		return not_found(id);
	*out = (struct gt_exit){ .status = 255 };
	clock_gettime(CLOCK_REALTIME, &out->at);
	gt_shim_task_forget(r, call, id);
	within = gt_shim_call_within(call, CGROUP_MS * MS);
	if (r->force)
		GT_TRY(r->force(r, &within, &b));
	release_socket(r, &b, id);
	return gt_file_remove_tree(AT_FDCWD, b.work);
}

struct gt_error *gt_shim_runtime_purge(struct gt_runtime *base, struct gt_call *call, const char *id,
				       struct gt_exit *out)
{
	struct gt_shim_runtime *r = (struct gt_shim_runtime *)base;
	struct gt_call own = GT_CALL_INIT;
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	gt_autofree char *program = NULL;
	struct gt_error *e;

	own.ns = call->ns;
	e = gt_bundle_open(&r->bundles, call->ns, id, &b);
	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		gt_bundles_tidy(&r->bundles, call->ns); /* perhaps it was half deleted */
		return purge_lost(r, &own, id, out);
	}
	GT_TRY(e);
	e = gt_bundle_lock(&b, &own, 0);
	if (!e && purge_by_shim(r, &own, &b, out))
		return NULL;
	if (gt_error_class(e) == GT_NOT_FOUND)
		return e;
	if (e) { /* who holds it waits for the shim, most likely */
		gt_error_free(e);
		program = program_of(&b);
		gt_log_warn_take(gt_shim_processes_kill(&b, program, gt_now() + SHIM_MS * MS),
				 "task %s", id);
		e = gt_bundle_lock(&b, &own, PURGE_LOCK_MS);
		if (gt_error_class(e) == GT_NOT_FOUND) {
			gt_error_free(e);
			*out = (struct gt_exit){ .status = 255 };
			clock_gettime(CLOCK_REALTIME, &out->at);
			return NULL;
		}
		gt_log_warn_take(e, "purge");
	}
	return gt_shim_wreck_remove(r, &own, &b, out);
}
