/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "lookup.h"
#include "numbers.h"
#include "since.h"

#include <client/logs.h>

#include <string.h>

struct printer {
	struct ctr *c;
	bool timestamps;
	bool within[2]; /* a line of stdout, of stderr has begun */
};

static void print(void *arg, const struct gt_outlog_entry *e)
{
	struct printer *p = arg;
	FILE *out = e->is_err ? p->c->err : p->c->out;

	if (e->is_lost) {
		fflush(p->c->out);
		fprintf(p->c->err, "ctr: %.*s bytes of output are lost here: the disk was full\n",
			(int)e->len, e->bytes);
		return;
	}
	if (p->timestamps && !p->within[e->is_err]) {
		gt_autofree char *when = ctr_time_utc(e->at);

		fprintf(out, "%s ", when);
	}
	fwrite(e->bytes, 1, e->len, out);
	if (e->ends_line)
		fputc('\n', out);
	p->within[e->is_err] = !e->ends_line;
	if (fflush(out) && p->c->call.cancel)
		gt_cancel_set(p->c->call.cancel); /* nobody reads it */
}

static struct gt_error *read_flags(const struct ctr *c, struct gt_logs_options *o)
{
	const char *tail = ctr_string(c, "tail");

	if (*ctr_string(c, "since"))
		GT_TRY(ctr_since_parse(ctr_string(c, "since"), &o->since));
	if (strcmp(tail, "all") && (ctr_parse_int(tail, &o->tail) != CTR_NUMBER_OK || o->tail < 0))
		return ctr_usage_error("\"%s\" is no number of lines", tail);
	return NULL;
}

static struct gt_error *run_logs(struct ctr *c)
{
	struct printer p = { .c = c, .timestamps = ctr_bool(c, "timestamps") };
	struct gt_logs_options o = {
		.id = ctr_arg(c, 0),
		.exec_id = ctr_string(c, "exec-id"),
		.tail = -1,
		.follow = ctr_bool(c, "follow"),
		.fn = print,
		.arg = &p,
	};
	gt_auto(gt_container) record = { 0 };
	struct gt_services *s;
	struct gt_error *e;

	if (!*o.id)
		return ctr_usage_error("container id must be provided");
	GT_TRY(read_flags(c, &o));
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_container(c, s, o.id, &record));
	e = gt_logs_read(s, &c->call, &o);
	if (o.follow && gt_error_class(e) == GT_CANCELED) {
		c->status = 1; /* the program's end tells which signal it was */
		e = gt_error_unless(e, GT_CANCELED);
	}
	return e;
}

static const struct ctr_flag logs_flags[] = {
	{ .name = "follow",
	  .alias = "f",
	  .type = CTR_BOOL,
	  .text = "go on with what comes until the process has ended" },
	{ .name = "since",
	  .type = CTR_STRING,
	  .text = "begin with lines from `MOMENT` on: \"10m\" ago, or \"2026-01-02T15:04:05Z\"" },
	{ .name = "tail",
	  .alias = "n",
	  .type = CTR_STRING,
	  .value = "all",
	  .text = "begin with the last `N` lines" },
	{ .name = "timestamps",
	  .alias = "t",
	  .type = CTR_BOOL,
	  .text = "print before each line when it was written" },
	{ .name = "exec-id",
	  .type = CTR_STRING,
	  .text = "that of a further, detached process of the container" },
	{ 0 },
};

const struct ctr_command ctr_logs = {
	.name = "logs",
	.aliases = "log",
	.text = "show what a detached container has printed",
	.args = "[flags] CONTAINER",
	.more = "What went to standard output comes out there, what went to standard error there. The log\n"
		"is bounded: services-local's log_size and log_files. It goes with the container.",
	.flags = (const struct ctr_flag *const[]){ logs_flags, NULL },
	.run = run_logs,
};
