/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "container.h"
#include "events.h"

#include <gantry/buf.h>
#include <gantry/log.h>
#include <mount/mount.h>

#include <containerd.events.pb-c.h>

#include <string.h>

struct container *container_find(struct shim *shim, const char *id)
{
	for (struct container *c = shim->containers; c; c = c->next)
		if (!strcmp(c->id, id))
			return c;
	return NULL;
}

struct container *container_new(struct shim *shim, const char *id, const char *bundle)
{
	struct container *c = gt_xcalloc(1, sizeof(*c));

	c->shim = shim;
	c->id = gt_xstrdup(id);
	c->bundle = gt_xstrdup(bundle);
	process_init(&c->init, c, "");
	c->next = shim->containers;
	c->link = &shim->containers;
	if (c->next)
		c->next->link = &c->next;
	shim->containers = c;
	return c;
}

void container_free(struct container *c)
{
	while (c->execs) {
		struct process *p = c->execs;

		c->execs = p->next;
		process_done(p);
		free(p);
	}
	process_done(&c->init);
	gt_timer_clear(&c->exit_hold);
	oom_stop(&c->oom);
	cgroup_done(&c->cgroup);
	/* Detached, not waited for: a busy mount ends with who uses it. */
	if (c->rootfs)
		gt_log_warn_take(gt_mount_unmount_all(c->rootfs, GT_UNMOUNT_DETACH),
				 "unmount the root of %s", c->id);
	free(c->rootfs);
	runtime_done(&c->runtime);
	free(c->checkpoint);
	free(c->bundle);
	free(c->id);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	free(c);
}

void container_forget(struct container *c)
{
	free(c->rootfs);
	c->rootfs = NULL;
	container_free(c);
}

static void oom_happened(struct oom *o)
{
	struct container *c = gt_container_of(o, struct container, oom);
	Containerd__Events__TaskOOM ev = CONTAINERD__EVENTS__TASK_OOM__INIT;

	ev.container_id = c->id;
	events_publish(c->shim->events, &ev.base);
}

void container_cgroup_find(struct container *c)
{
	/* An init that is dead already has none to be asked about. */
	gt_log_warn_take(cgroup_of(c->init.pid, &c->cgroup), "find the cgroup of %s", c->id);
	if (c->cgroup.list)
		gt_log_warn_take(oom_start(&c->oom, c->shim, &c->cgroup, oom_happened),
				 "watch for a lack of memory of %s", c->id);
}

void container_look(struct container *c)
{
	if (!c->idle || c->n_kills)
		return;
	for (const struct process *p = c->execs; p; p = p->next)
		if (p->busy)
			return;
	c->idle(c);
}

struct oom *oom_find(struct shim *shim, int wd)
{
	for (struct container *c = shim->containers; c; c = c->next)
		if (c->oom.wd == wd)
			return &c->oom;
	return NULL;
}
