/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for the end of a process or a sandbox. Many calls may wait for one; who holds it is asked once,
 * and goes on waiting when nobody does any more, so that whoever comes next costs it nothing.
 */
#include <config.h>

#include "frontend.h"

#include <pthread.h>
#include <string.h>

#define BUCKETS 1024

struct waiter {
	struct gt_grpc_call *call;
	struct waiter *next;
	struct waiter **link;
};

struct waited {
	struct waits *waits;
	const struct grpc_wait_kind *kind;
	struct gt_call call;
	char *ns, *id, *part;
	struct waiter *waiters;
	struct waited *next;
	struct waited **link;
};

struct waits {
	pthread_mutex_t lock;
	size_t refs; /* the frontend, and each end that is waited for */
	struct waited *buckets[BUCKETS];
};

struct waits *grpc_waits_new(void)
{
	struct waits *w = gt_xcalloc(1, sizeof(*w));

	pthread_mutex_init(&w->lock, NULL);
	w->refs = 1;
	return w;
}

/* With the lock held, which it releases. */
static void waits_unref(struct waits *w)
{
	bool last = --w->refs == 0;

	pthread_mutex_unlock(&w->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void grpc_waits_free(struct waits *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	waits_unref(w);
}

static struct waited **bucket_of(struct waits *w, const char *ns, const char *id,
				 const char *part)
{
	const char *const parts[] = { ns, id, part };
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < 3; i++)
		for (const char *p = parts[i]; *p; p++)
			h = (h ^ (unsigned char)*p) * 16777619u;
	return &w->buckets[h % BUCKETS];
}

static struct waited *waited_find(struct waits *w, const struct grpc_wait_kind *kind, const char *ns,
				  const char *id, const char *part)
{
	struct waited *p = *bucket_of(w, ns, id, part);

	while (p && (p->kind != kind || strcmp(p->id, id) != 0 || strcmp(p->part, part) != 0 ||
		     strcmp(p->ns, ns) != 0))
		p = p->next;
	return p;
}

static struct waited *waited_add(struct waits *w, const struct grpc_wait_kind *kind, const char *ns,
				 const char *id, const char *part)
{
	struct waited **bucket = bucket_of(w, ns, id, part);
	struct waited *p = gt_xcalloc(1, sizeof(*p));

	p->waits = w;
	p->kind = kind;
	p->ns = gt_xstrdup(ns);
	p->id = gt_xstrdup(id);
	p->part = gt_xstrdup(part);
	p->call = (struct gt_call)GT_CALL_INIT;
	p->call.ns = p->ns;
	p->next = *bucket;
	p->link = bucket;
	if (p->next)
		p->next->link = &p->next;
	*bucket = p;
	w->refs++;
	return p;
}

static void waiter_add(struct waited *p, struct gt_grpc_call *c)
{
	struct waiter *x = gt_xcalloc(1, sizeof(*x));

	x->call = c;
	x->next = p->waiters;
	x->link = &p->waiters;
	if (x->next)
		x->next->link = &x->next;
	p->waiters = x;
	c->state = x;
}

static void answer(const struct waited *p, struct gt_grpc_call *c, const struct gt_error *e,
		   const struct gt_exit *exit)
{
	if (e)
		gt_grpc_answer_error_take(c, gt_error_new(gt_error_class(e), "%s", gt_error_text(e)));
	else
		p->kind->answer(c, exit);
}

/* A call that has no waiter is answered from here, whoever may tell it meanwhile that it is gone. */
static void waited_end(struct waited *p, const struct gt_error *e, const struct gt_exit *exit)
{
	struct waits *w = p->waits;
	struct waiter *list;

	pthread_mutex_lock(&w->lock);
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	list = gt_steal(&p->waiters);
	for (struct waiter *x = list; x; x = x->next)
		x->call->state = NULL;
	waits_unref(w);
	while (list) {
		struct waiter *x = list;
		struct gt_grpc_call *c = x->call;

		list = x->next;
		free(x);
		answer(p, c, e, exit);
	}
	free(p->ns);
	free(p->id);
	free(p->part);
	free(p);
}

static void ended(void *arg, struct gt_error *e, const struct gt_exit *exit)
{
	waited_end(arg, e, exit);
	gt_error_free(e);
}

static void wait_gone(struct gt_grpc_call *c)
{
	struct waits *w = ((struct frontend *)c->arg)->waits;
	struct waiter *x;

	pthread_mutex_lock(&w->lock);
	x = c->state;
	if (x) {
		*x->link = x->next;
		if (x->next)
			x->next->link = x->link;
	}
	pthread_mutex_unlock(&w->lock);
	if (!x) /* it is being answered at this moment */
		return;
	free(x);
	gt_grpc_answer_error_take(c, NULL);
}

void grpc_wait(struct gt_grpc_call *c, const struct grpc_wait_kind *kind, const char *id,
	       const char *part)
{
	struct waits *w = ((struct frontend *)c->arg)->waits;
	struct gt_services *services = SERVICES(c);
	struct gt_error *e = gt_call_namespace(&c->call);
	struct waited *p;
	bool ask;

	if (e) {
		gt_grpc_answer_error_take(c, e);
		return;
	}
	pthread_mutex_lock(&w->lock);
	p = waited_find(w, kind, c->call.ns, id, part);
	ask = !p;
	if (ask)
		p = waited_add(w, kind, c->call.ns, id, part);
	c->gone = wait_gone;
	waiter_add(p, c);
	pthread_mutex_unlock(&w->lock);
	/* From here the call may be answered, and gone, at any moment. */
	if (!ask)
		return;
	e = kind->ask(services, &p->call, p->id, p->part, ended, p);
	if (e)
		ended(p, e, NULL);
}
