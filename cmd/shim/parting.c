/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "parting.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <mount/mount.h>

#include <fcntl.h>

/* Longer than a client takes between Delete and Shutdown: then the wait falls into our own end. */
#define HOLD (INT64_C(200000000))

struct parting {
	struct parting *next;
	struct parting **link;
	struct gt_timer timer;
	int fd;
};

void parting_end(struct parting *p)
{
	gt_timer_clear(&p->timer);
	close(p->fd);
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	free(p);
}

static void hold_over(struct gt_timer *t)
{
	parting_end(gt_container_of(t, struct parting, timer));
}

static void hold_take(struct shim *shim, int fd)
{
	struct parting *p = gt_xcalloc(1, sizeof(*p));

	p->fd = fd;
	p->next = shim->partings;
	p->link = &shim->partings;
	if (p->next)
		p->next->link = &p->next;
	shim->partings = p;
	p->timer.fn = hold_over;
	gt_loop_at(shim->loop, &p->timer, gt_now() + HOLD);
}

struct gt_error *parting_begin(struct shim *shim, const char *path)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct gt_error *e = gt_mount_unmount_all(path, GT_UNMOUNT_DETACH);

	if (fd >= 0)
		hold_take(shim, fd);
	return e;
}
