/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "linger.h"

#include <gantry/buf.h>
#include <gantry/call.h>

#include <poll.h>

#define MILLISECOND INT64_C(1000000)
#define LIMIT (2000 * MILLISECOND)
#define MAX 64

struct linger {
	struct linger *next;
	struct linger **link;
	struct shim *shim;
	struct gt_timer timer;
	int64_t until, step;
	int fd;
};

/* A write end reports an error as long as there is no reader. */
bool linger_has_reader(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 0 || !(p.revents & POLLERR);
}

void linger_end(struct linger *l)
{
	gt_timer_clear(&l->timer);
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	l->shim->n_lingers--;
	close(l->fd);
	free(l);
}

static void linger_look(struct gt_timer *t)
{
	struct linger *l = gt_container_of(t, struct linger, timer);

	if (linger_has_reader(l->fd) || gt_now() >= l->until) {
		linger_end(l);
		return;
	}
	if (l->step < 100 * MILLISECOND)
		l->step *= 2;
	gt_loop_at(l->shim->loop, t, gt_now() + l->step);
}

void linger_take(struct shim *shim, int fd)
{
	struct linger *l;

	if (linger_has_reader(fd) || shim->n_lingers >= MAX) {
		close(fd);
		return;
	}
	l = gt_xcalloc(1, sizeof(*l));
	*l = (struct linger){
		.next = shim->lingers,
		.link = &shim->lingers,
		.shim = shim,
		.timer = { .fn = linger_look },
		.until = gt_now() + LIMIT,
		.step = MILLISECOND,
		.fd = fd,
	};
	if (l->next)
		l->next->link = &l->next;
	shim->lingers = l;
	shim->n_lingers++;
	gt_loop_at(shim->loop, &l->timer, gt_now() + l->step);
}
