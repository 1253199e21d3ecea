/* SPDX-License-Identifier: Apache-2.0 */
/* `top`: the processes of containers, as the kernel shows them. */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "lookup.h"
#include "table.h"

#include <gantry/file.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#define SAMPLE_MS 300
#define COMMAND_MAX 4096

struct process {
	char *container;
	uint32_t pid;
	char state;
	uint64_t ticks; /* of processor time */
	uint64_t start; /* in ticks since boot: tells whether it is the same one */
	uint64_t pages;
	double cpu; /* percent of one processor */
	char *command;
};

struct processes {
	struct process *v;
	size_t n, alloc;
};

static const struct ctr_column columns[] = {
	{ "CONTAINER", "container" }, { "PID", "pid" },	  { "STATE", "state" },
	{ "CPU", "cpu_percent" },     { "TIME", "time" }, { "MEMORY", "memory" },
	{ "COMMAND", "command" },     { 0 },
};

static void processes_done(struct processes *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].container);
		free(l->v[i].command);
	}
	free(l->v);
}

/* A file of /proc has no size, so it is read as it comes. */
static bool proc_read(uint32_t pid, const char *name, size_t limit, struct gt_buf *out)
{
	gt_autofree char *path = gt_strf("/proc/%u/%s", pid, name);
	gt_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	while (out->len < limit && (n = read(fd, gt_buf_reserve(out, 4096), 4096)) > 0)
		gt_buf_setlen(out, out->len + (size_t)n);
	return out->len > 0;
}

/* Fields are counted from behind the name, which may hold anything. */
static bool stat_read(struct process *p)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	unsigned long long user, system, start, pages;
	const char *rest;

	if (!proc_read(p->pid, "stat", 8192, &b))
		return false;
	rest = strrchr(b.s, ')');
	if (!rest || sscanf(rest,
			    ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu %*s %*s %*s %*s "
			    "%*s %*s %llu %*s %llu",
			    &p->state, &user, &system, &start, &pages) != 5)
		return false;
	p->ticks = user + system;
	p->start = start;
	p->pages = pages;
	return true;
}

/* Arguments with blanks between them; what a terminal would act upon is replaced. */
static char *command_read(uint32_t pid)
{
	struct gt_buf b = GT_BUF_INIT;

	if (!proc_read(pid, "cmdline", COMMAND_MAX, &b)) {
		gt_buf_addc(&b, '[');
		proc_read(pid, "comm", 64 + b.len, &b);
		while (b.len > 1 && b.s[b.len - 1] == '\n')
			gt_buf_setlen(&b, b.len - 1);
		gt_buf_addc(&b, ']');
	}
	while (b.len > 1 && !b.s[b.len - 1])
		gt_buf_setlen(&b, b.len - 1);
	for (size_t i = 0; i < b.len; i++)
		if (!b.s[i])
			b.s[i] = ' ';
		else if (iscntrl((unsigned char)b.s[i]))
			b.s[i] = '?';
	return gt_buf_detach(&b);
}

static struct gt_error *add_task(void *arg, const struct gt_task_state *t)
{
	if (t->status == GT_TASK_RUNNING || t->status == GT_TASK_PAUSED ||
	    t->status == GT_TASK_CREATED)
		gt_strv_add(arg, t->id);
	return NULL;
}

static struct gt_error *add_processes(struct ctr *c, struct gt_services *s, const char *id,
				      struct processes *l)
{
	gt_auto(gt_processes) pids = { 0 };

	GT_TRY(gt_tasks_pids(s, &c->call, id, &pids));
	for (size_t i = 0; i < pids.n; i++) {
		struct process p = { .pid = pids.v[i].pid };

		if (!stat_read(&p)) /* it has ended */
			continue;
		p.container = gt_xstrdup(id);
		p.command = command_read(p.pid);
		GT_GROW(l->v, l->n, l->alloc);
		l->v[l->n++] = p;
	}
	return NULL;
}

/* A second look a little later tells how much of a processor each has now. */
static struct gt_error *measure(struct ctr *c, struct processes *l)
{
	struct pollfd p = { .fd = c->call.cancel ? gt_cancel_fd(c->call.cancel) : -1,
			    .events = POLLIN };
	int64_t begin = gt_now(), ns;
	double hertz = (double)sysconf(_SC_CLK_TCK);

	if (poll(&p, 1, gt_call_left(&c->call, SAMPLE_MS)) < 0 && errno != EINTR)
		return gt_error_errno(GT_UNKNOWN, errno, "wait");
	GT_TRY(gt_call_check(&c->call));
	ns = gt_now() - begin;
	for (size_t i = 0; i < l->n; i++) {
		struct process now = { .pid = l->v[i].pid };

		if (stat_read(&now) && now.start == l->v[i].start && ns > 0)
			l->v[i].cpu = 100.0 * (double)(now.ticks - l->v[i].ticks) / hertz /
				      ((double)ns / 1e9);
	}
	return NULL;
}

static void print(struct ctr *c, const struct processes *l)
{
	struct ctr_table *t = ctr_table_new(c, columns, 4, 2, CTR_OPEN);
	long page = sysconf(_SC_PAGESIZE), hertz = sysconf(_SC_CLK_TCK);

	for (size_t i = 0; i < l->n; i++) {
		const struct process *p = &l->v[i];
		uint64_t seconds = p->ticks / (uint64_t)hertz;
		char state[2] = { p->state, '\0' };

		ctr_cell(t, p->container);
		ctr_cell_int(t, p->pid);
		ctr_cell(t, state);
		ctr_cell_take(t, gt_strf("%.1f%%", p->cpu), json_real(p->cpu));
		ctr_cell_take(t,
			      gt_strf("%lu:%02lu", (unsigned long)(seconds / 60),
				      (unsigned long)(seconds % 60)),
			      json_real((double)p->ticks / (double)hertz));
		ctr_cell_binary(t, (int64_t)p->pages * page);
		ctr_cell(t, p->command);
	}
	ctr_table_print(t, true);
}

static struct gt_error *run_top(struct ctr *c)
{
	struct processes l = { 0 };
	gt_auto(gt_strv) ids = { 0 };
	struct gt_error *e = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	for (size_t i = 0; i < ctr_n_args(c); i++) {
		gt_auto(gt_task_state) task = { 0 };

		GT_TRY(ctr_find_task(c, s, ctr_arg(c, i), &task));
		gt_strv_add(&ids, ctr_arg(c, i));
	}
	if (!ctr_n_args(c))
		GT_TRY(gt_tasks_list(s, &c->call, add_task, &ids));
	for (size_t i = 0; i < ids.n && !e; i++) {
		e = add_processes(c, s, ids.v[i], &l);
		/* of all, one may end, or its shim not answer; the others are shown */
		if (e && !ctr_n_args(c)) {
			if (gt_error_class(e) != GT_NOT_FOUND)
				ctr_log(c, "warning", e, "processes of %s", ids.v[i]);
			gt_error_free(gt_steal(&e));
		}
	}
	if (!e)
		e = measure(c, &l);
	if (!e)
		print(c, &l);
	processes_done(&l);
	return e;
}

const struct ctr_command ctr_top = {
	.name = "top",
	.text = "show the processes of containers, what they use and what they are",
	.args = "[CONTAINER, ...]",
	.more = "Of all containers that run, where none is named. CPU is the share of one processor while\n"
		"the command watched, a moment; pids are the host's.",
	.flags = (const struct ctr_flag *const[]){ ctr_json_flag, NULL },
	.run = run_top,
};
