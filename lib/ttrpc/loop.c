/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <ttrpc/loop.h>

#include <gantry/buf.h>
#include <gantry/call.h>

#include <errno.h>
#include <limits.h>
#include <sched.h>

#define BATCH 16

struct gt_loop {
	int fd;
	struct gt_timer *timers; /* soonest first */
	int64_t running; /* timers up to here are being run; 0: none are */
	struct epoll_event batch[BATCH];
	int n_batch;
	int64_t poll; /* how long it looks before it sleeps; 0: never */
	bool is_brisk; /* the last wait was shorter than that */
};

struct gt_error *gt_loop_new(struct gt_loop **out)
{
	struct gt_loop *l = gt_xcalloc(1, sizeof(*l));

	l->fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->fd < 0) {
		struct gt_error *e = gt_error_errno(GT_UNKNOWN, errno, "create an epoll descriptor");

		free(l);
		return e;
	}
	*out = l;
	return NULL;
}

void gt_loop_free(struct gt_loop *l)
{
	if (!l)
		return;
	close(l->fd);
	free(l);
}

struct gt_error *gt_loop_watch(struct gt_loop *l, struct gt_watch *w, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(l->fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "watch descriptor %d", fd);
	w->fd = fd;
	w->events = events;
	w->on = true;
	return NULL;
}

void gt_loop_rewatch(struct gt_loop *l, struct gt_watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (!w->on || w->events == events)
		return;
	w->events = events;
	epoll_ctl(l->fd, EPOLL_CTL_MOD, w->fd, &ev);
}

void gt_loop_unwatch(struct gt_loop *l, struct gt_watch *w)
{
	if (!w->on)
		return;
	epoll_ctl(l->fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->on = false;
	for (int i = 0; i < l->n_batch; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
}

void gt_loop_at(struct gt_loop *l, struct gt_timer *t, int64_t at)
{
	struct gt_timer **p = &l->timers;

	gt_timer_clear(t);
	/* One that sets itself for the past again and again shall not keep the loop. */
	if (at <= l->running)
		at = l->running + 1;
	while (*p && (*p)->at <= at)
		p = &(*p)->next;
	t->at = at;
	t->next = *p;
	t->link = p;
	if (t->next)
		t->next->link = &t->next;
	*p = t;
}

void gt_timer_clear(struct gt_timer *t)
{
	if (!t->link)
		return;
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	t->link = NULL;
}

static int timeout_ms(const struct gt_loop *l)
{
	int64_t left;

	if (!l->timers)
		return -1;
	left = l->timers->at - gt_now();
	if (left <= 0)
		return 0;
	return left / 1000000 >= INT_MAX ? INT_MAX : (int)((left + 999999) / 1000000);
}

static void timers_run(struct gt_loop *l)
{
	if (!l->timers)
		return;
	l->running = gt_now();
	while (l->timers && l->timers->at <= l->running) {
		struct gt_timer *t = l->timers;

		gt_timer_clear(t);
		t->fn(t);
	}
	l->running = 0;
}

void gt_loop_poll(struct gt_loop *l, int64_t ns)
{
	cpu_set_t cpus;

	/* Where there is one processor, who is waited for needs it. */
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) > 1)
		l->poll = ns;
}

static int events_wait(struct gt_loop *l)
{
	int64_t begin;
	int n = 0;

	if (!l->poll)
		return epoll_wait(l->fd, l->batch, BATCH, timeout_ms(l));
	begin = gt_now();
	while (l->is_brisk && !n) {
		n = epoll_wait(l->fd, l->batch, BATCH, 0);
		l->is_brisk = gt_now() - begin < l->poll;
	}
	if (!n)
		n = epoll_wait(l->fd, l->batch, BATCH, timeout_ms(l));
	l->is_brisk = gt_now() - begin < l->poll;
	return n;
}

struct gt_error *gt_loop_step(struct gt_loop *l)
{
	int n = events_wait(l);

	if (n < 0 && errno != EINTR)
		return gt_error_errno(GT_UNKNOWN, errno, "wait for events");
	l->n_batch = n > 0 ? n : 0;
	for (int i = 0; i < l->n_batch; i++) {
		struct gt_watch *w = l->batch[i].data.ptr;

		if (w)
			w->fn(w, l->batch[i].events);
	}
	l->n_batch = 0;
	timers_run(l);
	return NULL;
}
