/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "oom.h"

#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#define FILE_MAX 4096

static void v1_event(struct gt_watch *w, uint32_t events)
{
	struct oom *o = gt_container_of(w, struct oom, watch);
	uint64_t n;

	(void)events;
	if (read(w->fd, &n, sizeof(n)) < 0)
		return;
	/* The removal of the cgroup wakes it as well. */
	if (access(o->file, F_OK) < 0)
		oom_stop(o);
	else
		o->happened(o);
}

static struct gt_error *v1_start(struct oom *o, const char *dir)
{
	gt_autofree char *control = gt_strf("%s/cgroup.event_control", dir);
	gt_autofree char *line = NULL;
	gt_autofd int out = open(control, O_WRONLY | O_CLOEXEC);
	gt_autofd int in = -1;
	gt_autofd int fd = -1;

	o->file = gt_strf("%s/memory.oom_control", dir);
	in = open(o->file, O_RDONLY | O_CLOEXEC);
	if (out < 0 || in < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open %s", control);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "create an eventfd");
	line = gt_strf("%d %d", fd, in);
	GT_TRY(gt_file_write_all(out, line, strlen(line), control));
	o->watch.fn = v1_event;
	GT_TRY(gt_loop_watch(o->shim->loop, &o->watch, fd, EPOLLIN));
	gt_steal_fd(&fd);
	return NULL;
}

static uint64_t v2_kills(const struct oom *o)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	const char *p;
	uint64_t n = 0;

	gt_error_free(gt_file_read(AT_FDCWD, o->file, FILE_MAX, &text));
	p = strstr(text.s, "\noom_kill ");
	for (p = p ? p + strlen("\noom_kill ") : ""; *p >= '0' && *p <= '9'; p++)
		n = 10 * n + (*p - '0');
	return n;
}

static void v2_event(struct gt_watch *w, uint32_t events)
{
	struct shim *shim = gt_container_of(w, struct shim, oom);
	char bytes[1024] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t len = read(w->fd, bytes, sizeof(bytes));

	(void)events;
	for (ssize_t at = 0; at < len;) {
		const struct inotify_event *ev = (const struct inotify_event *)(bytes + at);
		struct oom *o = oom_find(shim, ev->wd);

		at += sizeof(*ev) + ev->len;
		if (o && (ev->mask & IN_IGNORED)) {
			o->wd = 0;
		} else if (o) {
			uint64_t kills = v2_kills(o);

			for (; o->kills < kills; o->kills++)
				o->happened(o);
		}
	}
}

static struct gt_error *v2_start(struct oom *o, const char *dir)
{
	struct shim *shim = o->shim;

	o->file = gt_strf("%s/memory.events", dir);
	if (!shim->oom.on) {
		int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		struct gt_error *e;

		if (fd < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "create an inotify descriptor");
		shim->oom.fn = v2_event;
		e = gt_loop_watch(shim->loop, &shim->oom, fd, EPOLLIN);
		if (e) {
			close(fd);
			return e;
		}
	}
	o->kills = v2_kills(o);
	o->wd = inotify_add_watch(shim->oom.fd, o->file, IN_MODIFY);
	if (o->wd < 0) {
		o->wd = 0;
		return gt_error_errno(GT_UNKNOWN, errno, "watch %s", o->file);
	}
	return NULL;
}

struct gt_error *oom_start(struct oom *o, struct shim *shim, const struct cgroup *g,
			   void (*happened)(struct oom *))
{
	gt_autofree char *dir = cgroup_path(g, "memory");

	*o = (struct oom){ .shim = shim, .happened = happened };
	if (!dir)
		return gt_error_new(GT_NOT_FOUND, "no memory controller");
	return g->unified ? v2_start(o, dir) : v1_start(o, dir);
}

void oom_stop(struct oom *o)
{
	if (!o->shim)
		return;
	if (o->watch.on) {
		gt_loop_unwatch(o->shim->loop, &o->watch);
		close(o->watch.fd);
	}
	if (o->wd)
		inotify_rm_watch(o->shim->oom.fd, o->wd);
	free(o->file);
	*o = (struct oom){ 0 };
}
