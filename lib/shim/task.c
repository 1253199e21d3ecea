/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/task.h>

#include <search.h>
#include <stdatomic.h>
#include <string.h>

#define SILENT_RETRY INT64_C(30000000000)

void gt_shim_runtime_init(struct gt_shim_runtime *r)
{
	gt_bundles_init(&r->bundles, r->settings.state, r->settings.root, r->settings.folder);
	r->engine = gt_ttrpc_engine_new();
	pthread_mutex_init(&r->lock, NULL);
	r->tasks = NULL;
}

static void free_node(void *t)
{
	gt_shim_task_free(t);
}

void gt_shim_runtime_done(struct gt_shim_runtime *r)
{
	tdestroy(r->tasks, free_node);
	gt_ttrpc_engine_free(r->engine); /* ends the waits, which let go of the rest */
	pthread_mutex_destroy(&r->lock);
	gt_bundles_done(&r->bundles);
}

static int compare(const void *a, const void *b)
{
	const struct gt_shim_task *x = a, *y = b;

	return strcmp(x->key, y->key);
}

static struct gt_shim_task make_key(const char *ns, const char *id)
{
	return (struct gt_shim_task){ .key = gt_strf("%s/%s", ns, id) };
}

void gt_shim_task_free(struct gt_shim_task *t)
{
	unsigned left;

	if (!t)
		return;
	pthread_mutex_lock(&t->runtime->lock);
	left = --t->refs;
	pthread_mutex_unlock(&t->runtime->lock);
	if (left)
		return;
	gt_ttrpc_client_free(t->client);
	free(t->key);
	free(t->address);
	free(t);
}

/* Takes it out of the tree, if it is the one there; NULL 'only' takes any. */
static void drop(struct gt_shim_runtime *r, const struct gt_shim_task *key,
		 const struct gt_shim_task *only)
{
	struct gt_shim_task **at, *t = NULL;

	pthread_mutex_lock(&r->lock);
	at = tfind(key, &r->tasks, compare);
	if (at && (!only || *at == only)) {
		t = *at;
		tdelete(key, &r->tasks, compare);
	}
	pthread_mutex_unlock(&r->lock);
	gt_shim_task_free(t);
}

void gt_shim_task_forget(struct gt_shim_runtime *r, const struct gt_call *call, const char *id)
{
	struct gt_shim_task key = make_key(call->ns, id);

	drop(r, &key, NULL);
	free(key.key);
}

/* A kept connection that still lasts, with a reference; NULL if there is none. */
static struct gt_shim_task *find(struct gt_shim_runtime *r, const struct gt_call *call,
				 const char *id)
{
	struct gt_shim_task key = make_key(call->ns, id), **at, *t = NULL;

	pthread_mutex_lock(&r->lock);
	at = tfind(&key, &r->tasks, compare);
	if (at) {
		t = *at;
		t->refs++;
	}
	pthread_mutex_unlock(&r->lock);
	if (t && !gt_ttrpc_client_is_open(t->client)) {
		drop(r, &key, t);
		gt_shim_task_free(t);
		t = NULL;
	}
	free(key.key);
	return t;
}

/* Keeps a new connection, in place of one that another thread made meanwhile. */
static void keep(struct gt_shim_runtime *r, struct gt_shim_task *t)
{
	struct gt_shim_task **at, *old = NULL;

	pthread_mutex_lock(&r->lock);
	at = tsearch(t, &r->tasks, compare);
	if (at) {
		if (*at != t)
			old = *at;
		*at = t;
		t->refs++;
	}
	pthread_mutex_unlock(&r->lock);
	gt_shim_task_free(old);
}

struct gt_error *gt_shim_task_connect(struct gt_shim_runtime *r, const struct gt_call *call,
				      const struct gt_shim_endpoint *at, const char *id, bool *dead,
				      struct gt_shim_task **out)
{
	struct gt_ttrpc_client *c;
	struct gt_shim_task *t;
	struct gt_error *e = gt_ttrpc_connect(r->engine, call, at->address,
					      r->settings.config->connect_timeout / 1000000, &c);

	enum gt_class cls = gt_error_class(e);
	gt_autoptr(gt_error) over = gt_call_check(call); /* the caller's time is, not only our patience */

	*dead = cls == GT_NOT_FOUND;
	if (e && cls != GT_CANCELED && !(cls == GT_DEADLINE_EXCEEDED && over))
		e = gt_error_reclass(e, GT_UNAVAILABLE);
	GT_TRY(gt_error_wrap(e, "reach the shim of task %s", id));
	t = gt_xmalloc(sizeof(*t));
	*t = (struct gt_shim_task){
		.key = gt_strf("%s/%s", call->ns, id),
		.address = gt_xstrdup(at->address),
		.service = at->version >= 3 ? GT_SHIM_SERVICE_V3 : GT_SHIM_SERVICE_V2,
		.client = c,
		.runtime = r,
		.refs = 1,
	};
	t->id = strchr(t->key, '/') + 1;
	keep(r, t);
	*out = t;
	return NULL;
}

struct gt_error *gt_shim_task_open(struct gt_shim_runtime *r, const struct gt_call *call,
				   const struct gt_bundle *b, bool *dead, struct gt_shim_task **out)
{
	struct gt_shim_endpoint at = { 0 };
	struct gt_error *e;

	*dead = false;
	*out = find(r, call, b->id);
	if (*out)
		return NULL;
	GT_TRY(gt_error_wrap(gt_shim_endpoint_load(b->fd, &at), "bundle %s", b->path));
	e = gt_shim_task_connect(r, call, &at, b->id, dead, out);
	gt_shim_endpoint_done(&at);
	return e;
}

struct gt_error *gt_shim_task_get(struct gt_shim_runtime *r, const struct gt_call *call,
				  const char *id, bool *dead, struct gt_shim_task **out)
{
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	struct gt_error *e;

	*dead = false;
	*out = find(r, call, id);
	if (*out)
		return NULL;
	GT_TRY(gt_bundle_open(&r->bundles, call->ns, id, &b));
	e = gt_shim_task_open(r, call, &b, dead, out);
	if (gt_error_class(e) == GT_NOT_FOUND) { /* not yet one, or not one any more */
		gt_error_free(e);
		e = gt_error_new(GT_NOT_FOUND, "task %s not found", id);
	}
	return e;
}

struct gt_call gt_shim_call_within(const struct gt_call *call, int64_t most)
{
	struct gt_call c = GT_CALL_INIT;

	c.ns = call->ns;
	c.cancel = call->cancel;
	c.deadline = gt_now() + most;
	if (call->deadline && call->deadline < c.deadline)
		c.deadline = call->deadline;
	return c;
}

static int64_t patience_time(const struct gt_shim_settings *s, enum gt_shim_patience patience)
{
	switch (patience) {
	case GT_SHIM_STATE:
		return s->config->state_timeout;
	case GT_SHIM_TASK:
		return s->config->task_timeout;
	case GT_SHIM_CHECKPOINT:
		return s->config->checkpoint_timeout;
	case GT_SHIM_SHUTDOWN:
		return s->config->shutdown_timeout;
	}
	return s->config->state_timeout;
}

/* One call in a while is let through: a shim may have lost what it was asked before. */
static bool is_silent(struct gt_shim_task *t)
{
	int64_t until = atomic_load(&t->silent_until), now = gt_now();

	if (!until || gt_ttrpc_client_received(t->client) != atomic_load(&t->silent_at))
		return false;
	return now < until ||
	       !atomic_compare_exchange_strong(&t->silent_until, &until, now + SILENT_RETRY);
}

/* 'before': what had been received when a call began, which has had all the 'time' that it may have. */
static void note_silence(struct gt_shim_task *t, uint64_t before)
{
	if (gt_ttrpc_client_received(t->client) != before)
		return;
	atomic_store(&t->silent_at, before);
	atomic_store(&t->silent_until, gt_now() + SILENT_RETRY);
}

struct gt_error *gt_shim_task_call(struct gt_shim_task *t, const struct gt_call *call,
				   enum gt_shim_patience patience, const char *method,
				   const ProtobufCMessage *request,
				   const ProtobufCMessageDescriptor *reply_type,
				   ProtobufCMessage **reply)
{
	int64_t time = patience_time(&t->runtime->settings, patience);
	struct gt_call c = gt_shim_call_within(call, time);
	struct gt_ttrpc_method m = { t->service, method, reply_type };
	uint64_t before = gt_ttrpc_client_received(t->client);
	int64_t start = gt_now();
	struct gt_error *e, *ended;

	if (patience == GT_SHIM_STATE && is_silent(t))
		return gt_error_new(GT_UNAVAILABLE, "%s: the shim of task %s does not answer", method,
				    t->id);
	/* Who gave more time than the runtime's program usually needs has reason to. */
	if (call->deadline && patience != GT_SHIM_STATE && patience != GT_SHIM_SHUTDOWN)
		c.deadline = call->deadline;
	e = gt_ttrpc_call(t->client, &c, &m, request, reply);
	if (gt_error_class(e) == GT_UNIMPLEMENTED && !strcmp(t->service, GT_SHIM_SERVICE_V3)) {
		gt_error_free(e); /* it said more of itself than it can */
		t->service = m.service = GT_SHIM_SERVICE_V2;
		e = gt_ttrpc_call(t->client, &c, &m, request, reply);
	}
	if (gt_error_class(e) != GT_DEADLINE_EXCEEDED && gt_error_class(e) != GT_UNAVAILABLE)
		return e;
	if (gt_error_class(e) == GT_UNAVAILABLE)
		return gt_error_wrap(e, "the shim of task %s", t->id);
	if (patience == GT_SHIM_STATE && gt_now() - start >= time / 2)
		note_silence(t, before);
	ended = gt_call_check(call);
	if (ended) {
		gt_error_free(ended);
		return e;
	}
	return gt_error_reclass(gt_error_wrap(e, "%s: the shim of task %s", method, t->id),
				GT_UNAVAILABLE);
}

bool gt_shim_is_unknown_task(const struct gt_error *e)
{
	return gt_error_class(e) == GT_NOT_FOUND &&
	       strstr(gt_error_text(e), "container not created");
}
