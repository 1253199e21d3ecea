/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "app.h"

#include "address.h"
#include "format.h"
#include "help.h"
#include "interrupt.h"

#include <gantry/api-introspection.h>
#include <gantry/api-system.h>
#include <gantry/buf.h>
#include <gantry/log.h>

#include <string.h>

#define COLLECT_NS INT64_C(2000000000)
#define COMPLETION "--generate-bash-completion"

const struct ctr_flag ctr_help_flag[] = {
	{ .name = "help", .alias = "h", .type = CTR_BOOL, .text = "show help" },
	{ 0 },
};

const struct ctr_flag ctr_json_flag[] = {
	{ .name = "json", .type = CTR_BOOL, .text = "print a JSON array instead of a table" },
	{ 0 },
};

struct gt_error *ctr_services(struct ctr *c, struct gt_services **out)
{
	if (!c->opened)
		GT_TRY(ctr_address_services(c, &c->opened));
	*out = c->opened;
	return NULL;
}

size_t ctr_n_args(const struct ctr *c)
{
	return c->level->args.n;
}

const char *ctr_arg(const struct ctr *c, size_t i)
{
	return i < c->level->args.n ? c->level->args.v[i] : "";
}

struct gt_strv ctr_args_from(const struct ctr *c, size_t i)
{
	struct gt_strv rest = { 0 };

	if (i < c->level->args.n) {
		rest.v = c->level->args.v + i;
		rest.n = c->level->args.n - i;
	}
	return rest;
}

bool ctr_bool(const struct ctr *c, const char *flag)
{
	return ctr_level_value(c->level, flag, CTR_BOOL)->yes;
}

const char *ctr_string(const struct ctr *c, const char *flag)
{
	return ctr_level_value(c->level, flag, CTR_STRING)->text;
}

int64_t ctr_int(const struct ctr *c, const char *flag)
{
	return ctr_level_value(c->level, flag, CTR_INT)->number;
}

uint64_t ctr_uint(const struct ctr *c, const char *flag)
{
	return ctr_level_value(c->level, flag, CTR_UINT)->natural;
}

double ctr_float(const struct ctr *c, const char *flag)
{
	return ctr_level_value(c->level, flag, CTR_FLOAT)->real;
}

int64_t ctr_duration(const struct ctr *c, const char *flag)
{
	return ctr_level_value(c->level, flag, CTR_DURATION)->number;
}

const struct gt_strv *ctr_list(const struct ctr *c, const char *flag)
{
	return &ctr_level_value(c->level, flag, CTR_LIST)->list;
}

bool ctr_is_set(const struct ctr *c, const char *flag, enum ctr_flag_type type)
{
	return ctr_level_value(c->level, flag, type)->set;
}

char *ctr_fifo_dir(const struct ctr *c)
{
	const char *given = ctr_string(c, "fifo-dir");

	return *given ? gt_xstrdup(given) : gt_strf("%s/fifo", c->init->base_state);
}

struct gt_error *ctr_show_help(struct ctr *c)
{
	ctr_help(c->out, c->command, c->path);
	return NULL;
}

/* Whether 'text' is the class's words, or ends in them behind a colon. */
static bool has_words(const char *text, const char *words)
{
	size_t len = strlen(text), n = strlen(words);

	if (len < n || strcmp(text + len - n, words))
		return false;
	return len == n || (len >= n + 2 && !memcmp(text + len - n - 2, ": ", 2));
}

void ctr_error_text(const struct gt_error *e, struct gt_buf *out)
{
	enum gt_class cls = gt_error_class(e);

	gt_buf_adds(out, gt_error_text(e));
	/* What an OCI runtime said has come through a service in containerd, which adds the word. */
	if (cls == GT_UNKNOWN && strstr(out->s, "OCI runtime ") &&
	    !has_words(out->s, gt_class_text(cls)))
		gt_buf_addf(out, ": %s", gt_class_text(cls));
	else if (cls != GT_UNKNOWN && !has_words(gt_error_text(e), gt_class_text(cls)))
		gt_buf_addf(out, ": %s", gt_class_text(cls));
}

static void log_field(struct gt_buf *b, const char *name, const char *value)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._/@^+";

	gt_buf_addf(b, " %s=", name);
	if (strspn(value, plain) == strlen(value))
		gt_buf_adds(b, value);
	else
		gt_buf_addq(b, value);
}

static void log_line(struct ctr *c, const char *level, const struct gt_error *e, const char *fmt,
		     va_list ap)
{
	gt_auto(gt_buf) line = GT_BUF_INIT;
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_autofree char *now = ctr_time_now();

	gt_buf_addf(&line, "time=\"%s\" level=%s", now, level);
	gt_buf_addv(&text, fmt, ap);
	log_field(&line, "msg", text.s);
	if (e) {
		gt_auto(gt_buf) why = GT_BUF_INIT;

		ctr_error_text(e, &why);
		log_field(&line, "error", why.s);
	}
	fflush(c->out);
	fprintf(c->err, "%s\n", line.s);
}

void ctr_log(struct ctr *c, const char *level, const struct gt_error *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(c, level, e, fmt, ap);
	va_end(ap);
}

bool ctr_keep_error(struct ctr *c, struct gt_error **kept, struct gt_error *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return false;
	va_start(ap, fmt);
	log_line(c, "error", e, fmt, ap);
	va_end(ap);
	*kept = gt_error_first(*kept, e);
	return true;
}

static bool name_is(const struct ctr_command *cmd, const char *name)
{
	const char *p = cmd->aliases;
	size_t len = strlen(name);

	if (!strcmp(cmd->name, name))
		return true;
	while (p && *p) {
		size_t n = strcspn(p, ",");

		if (n == len && !memcmp(p, name, n))
			return true;
		p += n;
		p += strspn(p, ", ");
	}
	return false;
}

static const struct ctr_command *find(const struct ctr_command *group, const char *name)
{
	for (const struct ctr_command *const *p = group->commands; p && *p; p++)
		if (name_is(*p, name))
			return *p;
	return NULL;
}

/* Prints "ctr: TEXT", frees the error and says what the program exits with. */
static int report(struct ctr *c, struct gt_error *e)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	if (!e)
		return c->status;
	fflush(c->out);
	ctr_error_text(e, &text);
	fprintf(c->err, "ctr: %s%s\n", text.s, c->hint ? c->hint : "");
	gt_error_free(e);
	return c->status ? c->status : 1;
}

static int no_topic(struct ctr *c, const char *name)
{
	fflush(c->out);
	fprintf(c->err, "No help topic for '%s'\n", name);
	return 3;
}

/* "help [command [command...]]" below 'group'. */
static int help_command(struct ctr *c, const struct ctr_command *group, const char *path,
			const char *const *names, size_t n)
{
	gt_autofree char *full = gt_xstrdup(path);

	for (size_t i = 0; i < n; i++) {
		const struct ctr_command *next = find(group, names[i]);
		char *longer;

		if (!next)
			return no_topic(c, names[i]);
		longer = gt_strf("%s %s", full, next->name);
		free(full);
		full = longer;
		group = next;
	}
	ctr_help(c->out, group, full);
	return 0;
}

static struct gt_error *global_flags(struct ctr *c)
{
	int64_t timeout = ctr_duration(c, "timeout");

	c->call.ns = ctr_string(c, "namespace");
	if (timeout > 0)
		c->call.deadline = gt_now() + timeout;
	return NULL;
}

static int run_level(struct ctr *c, const struct ctr_command *cmd, const struct ctr_level *up,
		     const char *path, bool complete, int argc, char *const *argv);

static int run_group(struct ctr *c, const struct ctr_command *group, const struct ctr_level *level,
		     const char *path, bool complete, int argc, char *const *argv)
{
	const char *name = level->args.n ? level->args.v[0] : NULL;
	const struct ctr_command *next = name ? find(group, name) : NULL;
	gt_autofree char *longer = NULL;
	int at = argc - (int)level->args.n;

	if (complete && !next) {
		ctr_help_names(c->out, group);
		return 0;
	}
	if (ctr_bool(c, "help") || !name) {
		ctr_help(c->out, group, path);
		return 0;
	}
	if (!next && (!strcmp(name, "help") || !strcmp(name, "h")))
		return help_command(c, group, path, (const char *const *)level->args.v + 1,
				    level->args.n - 1);
	if (!next)
		return no_topic(c, name);
	longer = gt_strf("%s %s", path, next->name);
	return run_level(c, next, level, longer, complete, argc - at - 1, argv + at + 1);
}

/*
 * With no daemon nobody else collects garbage. For a short while, and in silence: what is left is for the
 * next command, and a command that has done its work has not failed.
 */
static void collect_due(struct ctr *c)
{
	struct gt_call call = c->call;
	struct gt_collected went;
	struct gt_error *e;

	fflush(c->out);
	call.deadline = gt_now() + COLLECT_NS;
	e = gt_system_collect(c->opened, &call, GT_COLLECT_IF_DUE, &went);
	if (e)
		gt_log_write_error(GT_LOG_TOPIC, GT_LOG_DEBUG, e, "collect garbage");
	gt_error_free(e);
}

static int run_leaf(struct ctr *c, const struct ctr_command *cmd, const struct ctr_level *level,
		    const char *path, bool complete)
{
	struct gt_error *e;
	int status;

	if (complete)
		return 0;
	if (ctr_bool(c, "help")) {
		ctr_help(c->out, cmd, path);
		return 0;
	}
	e = ctr_level_required(level);
	if (e) {
		ctr_help(c->out, cmd, path);
		return report(c, e);
	}
	c->path = path;
	status = report(c, cmd->run(c));
	if (!status && (cmd->bits & CTR_COLLECTS) && c->opened)
		collect_due(c);
	return status;
}

static int run_level(struct ctr *c, const struct ctr_command *cmd, const struct ctr_level *up,
		     const char *path, bool complete, int argc, char *const *argv)
{
	const struct ctr_flag *tables[16] = { ctr_help_flag };
	struct ctr_level level = { .up = up };
	struct gt_error *e;
	int status;

	for (size_t i = 0; cmd->flags && cmd->flags[i]; i++)
		tables[i + 1] = cmd->flags[i];
	c->command = cmd;
	c->level = &level;
	e = ctr_level_parse(&level, tables, cmd->commands || (cmd->bits & CTR_FLAGS_FIRST), argc,
			    argv);
	if (e && !complete) {
		fprintf(c->out, "Incorrect Usage%c %s\n\n", cmd->commands ? '.' : ':',
			gt_error_text(e));
		ctr_help(c->out, cmd, path);
		status = report(c, e);
		goto out;
	}
	gt_error_free(e);
	if (!up) {
		status = report(c, global_flags(c));
		if (status)
			goto out;
		if (ctr_bool(c, "version")) {
			fprintf(c->out, "ctr gantry %s\n", gt_version());
			goto out;
		}
	}
	if (cmd->commands)
		status = run_group(c, cmd, &level, path, complete, argc, argv);
	else
		status = run_leaf(c, cmd, &level, path, complete);
out:
	ctr_level_done(&level);
	return status;
}

int ctr_main(const struct gt_init *init, const struct gt_call *call, FILE *out, FILE *err, int argc,
	     char *const *argv)
{
	struct ctr c = { .init = init, .call = *call, .out = out, .err = err };
	bool complete = argc > 1 && !strcmp(argv[argc - 1], COMPLETION);
	struct gt_cancel *cancel = call->cancel ? NULL : gt_cancel_new();
	int status, signal = 0;

	if (cancel) {
		c.call.cancel = cancel;
		ctr_interrupt_begin(cancel);
	}
	status = run_level(&c, &ctr_root, NULL, "ctr", complete, argc > 0 ? argc - 1 - complete : 0,
			   argv + 1);
	if (cancel)
		signal = ctr_interrupt_end();
	if (signal && status)
		status = 128 + signal;
	if (fflush(out) || ferror(out)) {
		fprintf(err, "ctr: write to standard output: %m\n");
		if (!status)
			status = 1;
	}
	gt_cancel_free(cancel);
	free(c.hint);
	return status;
}
