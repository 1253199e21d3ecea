/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread's event loop: descriptors (epoll, level-triggered) and timers. Watches and timers are
 * embedded in what they belong to; any of them may be removed, and its memory freed, from any callback.
 */
#ifndef GANTRY_LIB_TTRPC_LOOP_H
#define GANTRY_LIB_TTRPC_LOOP_H

#include <gantry/error.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct gt_loop;

struct gt_watch {
	void (*fn)(struct gt_watch *w, uint32_t events);
	int fd;
	uint32_t events; /* as asked for last */
	bool on;
};

struct gt_timer {
	void (*fn)(struct gt_timer *t);
	int64_t at; /* CLOCK_MONOTONIC, nanoseconds */
	struct gt_timer *next;
	struct gt_timer **link; /* what points to this one; NULL: not set */
};

GT_MUST_USE struct gt_error *gt_loop_new(struct gt_loop **out);
void gt_loop_free(struct gt_loop *l);

/* Calls w->fn when one of 'events' (EPOLLIN ...) or a hang-up is there. The fd stays the caller's. */
GT_MUST_USE struct gt_error *gt_loop_watch(struct gt_loop *l, struct gt_watch *w, int fd,
					   uint32_t events);
/* Other events for a watch that is on; 0: only errors and hang-ups. */
void gt_loop_rewatch(struct gt_loop *l, struct gt_watch *w, uint32_t events);
/* To be called before the fd is closed. Fine if it is not on. */
void gt_loop_unwatch(struct gt_loop *l, struct gt_watch *w);

/* Calls t->fn once at 'at', or at once if that is past. Setting it again moves it. */
void gt_loop_at(struct gt_loop *l, struct gt_timer *t, int64_t at);
/* Fine if it is not set. */
void gt_timer_clear(struct gt_timer *t);
static inline bool gt_timer_is_set(const struct gt_timer *t)
{
	return t->link != NULL;
}

/*
 * Has the loop look for so many nanoseconds whether something comes, before it sleeps, as long as what it
 * waits for comes that soon: for a peer that asks again as soon as it has its answer, waking a processor
 * that sleeps takes longer than all else. Costs that time once when nothing comes any more.
 */
void gt_loop_poll(struct gt_loop *l, int64_t ns);

/* Waits for what comes next and handles it. */
GT_MUST_USE struct gt_error *gt_loop_step(struct gt_loop *l);

#define gt_container_of(ptr, type, member)                                                        \
	((type *)(void *)((char *)(ptr) - __builtin_offsetof(type, member)))

#endif
