/* SPDX-License-Identifier: Apache-2.0 */
/* `stats`: what each container uses, again and again on a terminal. */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "lookup.h"
#include "table.h"
#include "usage.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define PERIOD_MS 1000

struct sample {
	char *id;
	struct ctr_usage usage;
	int64_t at; /* CLOCK_MONOTONIC, nanoseconds */
	double cpu; /* percent of one processor since the sample before; -1: there was none */
};

struct samples {
	struct sample *v;
	size_t n, alloc;
};

struct taking {
	struct ctr *c;
	const struct samples *before;
	struct samples *now;
};

static const struct ctr_column columns[] = {
	{ "CONTAINER", "container" },
	{ "CPU", "cpu_percent" },
	{ "MEMORY", "memory" },
	{ "LIMIT", "memory_limit" },
	{ "PIDS", "pids" },
	{ "READ", "read" },
	{ "WRITTEN", "written" },
	{ 0 },
};

static void samples_done(struct samples *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].id);
	free(l->v);
	*l = (struct samples){ 0 };
}

static double percent(const struct samples *before, const struct sample *now)
{
	for (size_t i = 0; i < before->n; i++) {
		const struct sample *b = &before->v[i];

		if (!strcmp(b->id, now->id) && now->at > b->at &&
		    now->usage.cpu_ns >= b->usage.cpu_ns)
			return 100.0 * (double)(now->usage.cpu_ns - b->usage.cpu_ns) /
			       (double)(now->at - b->at);
	}
	return -1;
}

static bool is_asked_for(const struct ctr *c, const char *id)
{
	for (size_t i = 0; i < ctr_n_args(c); i++)
		if (!strcmp(ctr_arg(c, i), id))
			return true;
	return !ctr_n_args(c);
}

static struct gt_error *add(void *arg, const struct gt_metric *m)
{
	struct taking *t = arg;
	struct sample s = { .at = gt_now() };

	if (!is_asked_for(t->c, m->id))
		return NULL;
	/* one that has ended meanwhile is not worth a word */
	gt_error_free(ctr_usage_read(&m->data, &s.usage));
	s.id = gt_xstrdup(m->id);
	s.cpu = percent(t->before, &s);
	GT_GROW(t->now->v, t->now->n, t->now->alloc);
	t->now->v[t->now->n++] = s;
	return NULL;
}

static struct gt_error *take(struct ctr *c, struct gt_services *s, struct samples *l)
{
	struct samples before = *l;
	struct taking t = { .c = c, .before = &before, .now = l };
	gt_auto(gt_strv) none = { 0 };
	struct gt_error *e;

	*l = (struct samples){ 0 };
	e = gt_tasks_metrics(s, &c->call, &none, add, &t);
	samples_done(&before);
	return e;
}

static void print(struct ctr *c, const struct samples *l)
{
	struct ctr_table *t = ctr_table_new(c, columns, 4, 2, CTR_OPEN);

	for (size_t i = 0; i < l->n; i++) {
		const struct sample *s = &l->v[i];

		ctr_cell(t, s->id);
		ctr_cell_take(t, s->cpu < 0 ? gt_xstrdup("-") : gt_strf("%.1f%%", s->cpu),
			      s->cpu < 0 ? json_null() : json_real(s->cpu));
		ctr_cell_binary(t, (int64_t)s->usage.memory);
		if (s->usage.memory_limit)
			ctr_cell_binary(t, (int64_t)s->usage.memory_limit);
		else
			ctr_cell_take(t, gt_xstrdup("-"), json_null());
		ctr_cell_int(t, (int64_t)s->usage.pids);
		ctr_cell_binary(t, (int64_t)s->usage.read);
		ctr_cell_binary(t, (int64_t)s->usage.written);
	}
	ctr_table_print(t, true);
	fflush(c->out);
}

static struct gt_error *pause_for(struct ctr *c, int ms)
{
	struct pollfd p = { .fd = c->call.cancel ? gt_cancel_fd(c->call.cancel) : -1,
			    .events = POLLIN };

	if (poll(&p, 1, gt_call_left(&c->call, ms)) < 0 && errno != EINTR)
		return gt_error_errno(GT_UNKNOWN, errno, "wait");
	return gt_call_check(&c->call);
}

static struct gt_error *show(struct ctr *c, struct gt_services *s, struct samples *l)
{
	bool stream = !ctr_bool(c, "no-stream") && !ctr_bool(c, "json") && isatty(fileno(c->out));

	/* The share of a processor is one between two moments. */
	GT_TRY(take(c, s, l));
	do {
		GT_TRY(pause_for(c, PERIOD_MS));
		GT_TRY(take(c, s, l));
		if (stream)
			fputs("\033[H\033[2J", c->out);
		print(c, l);
	} while (stream);
	return NULL;
}

static struct gt_error *run_stats(struct ctr *c)
{
	struct samples l = { 0 };
	struct gt_services *s;
	struct gt_error *e;

	GT_TRY(ctr_services(c, &s));
	for (size_t i = 0; i < ctr_n_args(c); i++) {
		gt_auto(gt_task_state) task = { 0 };

		GT_TRY(ctr_find_task(c, s, ctr_arg(c, i), &task));
	}
	e = show(c, s, &l);
	samples_done(&l);
	if (gt_error_class(e) == GT_CANCELED) { /* how one ends it */
		c->status = 1;
		e = gt_error_unless(e, GT_CANCELED);
	}
	return e;
}

static const struct ctr_flag stats_flags[] = {
	{ .name = "no-stream", .type = CTR_BOOL, .text = "print once, and not again every second" },
	{ 0 },
};

const struct ctr_command ctr_stats = {
	.name = "stats",
	.text = "show what containers use of processors, memory and disks",
	.args = "[flags] [CONTAINER, ...]",
	.more = "All that run, where none is named. On a terminal it is refreshed every second.",
	.flags = (const struct ctr_flag *const[]){ stats_flags, ctr_json_flag, NULL },
	.run = run_stats,
};
