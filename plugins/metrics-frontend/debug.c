/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug socket's pages. Where containerd serves Go's profiles under /debug/pprof, what comes nearest in a C
 * program stands there, and what has no counterpart says so.
 */
#include <config.h>

#include "metrics.h"

#include <gantry/api-introspection.h>
#include <gantry/file.h>

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define PLAIN "text/plain; charset=utf-8"
#define FILE_MAX (1024 * 1024)

static struct gt_error *index_page(void *arg, struct gt_buf *out)
{
	(void)arg;
	for (const struct http_page *p = debug_pages; p->path; p++)
		gt_buf_addf(out, "%s\n", p->path);
	return NULL;
}

/* --- plugins -------------------------------------------------------------------------- */

static struct gt_error *plugin_print(void *arg, const struct gt_plugin_info *i)
{
	gt_buf_addf(arg, "%-32s %-24s %-9s %s\n", i->type, i->id, gt_plugin_status_name(i->status),
		    i->error ? i->error : "");
	return NULL;
}

static struct gt_error *plugins_page(void *arg, struct gt_buf *out)
{
	const struct metrics *m = arg;
	struct gt_call call = metrics_call(m, NULL);

	return gt_introspection_plugins(m->services, &call, NULL, plugin_print, out);
}

/* --- threads -------------------------------------------------------------------------- */

static void task_file(const char *tid, const char *name, struct gt_buf *out)
{
	gt_autofree char *path = gt_strf("/proc/self/task/%s/%s", tid, name);

	gt_buf_setlen(out, 0);
	gt_error_free(gt_file_read(AT_FDCWD, path, FILE_MAX, out)); /* the thread may have ended */
	gt_buf_setlen(out, strcspn(out->s, "\n"));
}

/* One line a thread: state, CPU time in ticks of the clock, where in the kernel it waits, its name. */
static struct gt_error *threads_page(void *arg, struct gt_buf *out)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;

	(void)arg;
	gt_buf_addf(out, "%8s %5s %10s %-24s %s\n", "TID", "STATE", "TICKS", "WAITS IN", "NAME");
	while (d && (e = readdir(d))) {
		unsigned long long user = 0, system = 0;
		char state = '?';
		const char *p;

		if (*e->d_name == '.')
			continue;
		task_file(e->d_name, "stat", &text);
		p = strrchr(text.s, ')');
		if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &state,
				 &user, &system) != 3)
			continue;
		gt_buf_addf(out, "%8s %5c %10llu ", e->d_name, state, user + system);
		task_file(e->d_name, "wchan", &text);
		gt_buf_addf(out, "%-24s ", text.s);
		task_file(e->d_name, "comm", &text);
		gt_buf_addf(out, "%s\n", text.s);
	}
	if (d)
		closedir(d);
	return NULL;
}

/* --- calls ---------------------------------------------------------------------------- */

struct method {
	char *name; /* "SERVICE/METHOD" */
	double started, handled;
};

struct methods {
	struct method *v;
	size_t n, alloc;
};

static const char *label_of(const struct gt_sample *s, const char *name)
{
	for (size_t i = 0; s->labels && s->labels[i]; i += 2)
		if (!strcmp(s->labels[i], name))
			return s->labels[i + 1];
	return "";
}

static void method_note(void *arg, const struct gt_sample *s)
{
	bool started = !strcmp(s->name, "grpc_server_started_total");
	gt_autofree char *name = NULL;
	struct methods *l = arg;
	size_t i = 0;

	if ((!started && strcmp(s->name, "grpc_server_handled_total") != 0) || s->value == 0)
		return;
	name = gt_strf("%s/%s", label_of(s, "grpc_service"), label_of(s, "grpc_method"));
	while (i < l->n && strcmp(l->v[i].name, name) != 0)
		i++;
	if (i == l->n) {
		GT_GROW(l->v, l->n, l->alloc);
		l->v[l->n++] = (struct method){ .name = gt_steal(&name) };
	}
	*(started ? &l->v[i].started : &l->v[i].handled) += s->value;
}

/* The methods that were called, with how many of the calls have no answer yet. */
static struct gt_error *calls_page(void *arg, struct gt_buf *out)
{
	const struct metrics *m = arg;
	struct methods l = { 0 };

	gt_samples_collect(m->init, method_note, &l);
	gt_buf_addf(out, "%10s %10s %s\n", "OPEN", "STARTED", "METHOD");
	for (size_t i = 0; i < l.n; i++) {
		gt_buf_addf(out, "%10.0f %10.0f %s\n", l.v[i].started - l.v[i].handled, l.v[i].started,
			    l.v[i].name);
		free(l.v[i].name);
	}
	free(l.v);
	return NULL;
}

/* --- memory --------------------------------------------------------------------------- */

static struct gt_error *memory_page(void *arg, struct gt_buf *out)
{
	size_t len = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &len);

	(void)arg;
	if (!f)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "no memory for a page");
	malloc_info(0, f);
	fclose(f);
	gt_buf_add(out, text, len);
	free(text);
	return NULL;
}

static struct gt_error *cmdline_page(void *arg, struct gt_buf *out)
{
	(void)arg;
	return gt_file_read(AT_FDCWD, "/proc/self/cmdline", FILE_MAX, out);
}

/* As Go's expvar has it, as far as that goes. */
static struct gt_error *vars_page(void *arg, struct gt_buf *out)
{
	gt_auto(gt_buf) line = GT_BUF_INIT;
	struct mallinfo2 i = mallinfo2();
	const char *sep = "";

	GT_TRY(cmdline_page(arg, &line));
	gt_buf_adds(out, "{\n\"cmdline\": [");
	for (const char *p = line.s; p < line.s + line.len; p += strlen(p) + 1) {
		gt_buf_adds(out, sep);
		gt_buf_addc(out, '"');
		for (const char *c = p; *c; c++) {
			if ((unsigned char)*c < 0x20 || *c == '"' || *c == '\\')
				gt_buf_addf(out, "\\u%04x", (unsigned)(unsigned char)*c);
			else
				gt_buf_addc(out, *c);
		}
		gt_buf_addc(out, '"');
		sep = ",";
	}
	gt_buf_addf(out, "],\n\"memstats\": {\"Alloc\":%zu,\"HeapAlloc\":%zu,\"HeapSys\":%zu,\"HeapIdle\":%zu}\n}\n",
		    i.uordblks + i.hblkhd, i.uordblks + i.hblkhd, i.arena + i.hblkhd, i.fordblks);
	return NULL;
}

static struct gt_error *no_profile(void *arg, struct gt_buf *out)
{
	(void)arg, (void)out;
	return gt_error_new(GT_UNIMPLEMENTED,
			    "gantryd is a C program and makes no profiles of Go's: use perf(1) or gdb(1) on "
			    "its process");
}

const struct http_page debug_pages[] = {
	{ "/", PLAIN, index_page },
	{ "/metrics", "text/plain; version=0.0.4; charset=utf-8", metrics_page },
	{ "/v1/metrics", "text/plain; version=0.0.4; charset=utf-8", metrics_page },
	{ "/debug/plugins", PLAIN, plugins_page },
	{ "/debug/threads", PLAIN, threads_page },
	{ "/debug/calls", PLAIN, calls_page },
	{ "/debug/memory", "application/xml", memory_page },
	{ "/debug/vars", "application/json; charset=utf-8", vars_page },
	{ "/debug/pprof/", PLAIN, index_page },
	{ "/debug/pprof/cmdline", PLAIN, cmdline_page },
	{ "/debug/pprof/goroutine", PLAIN, threads_page },
	{ "/debug/pprof/threadcreate", PLAIN, threads_page },
	{ "/debug/pprof/heap", "application/xml", memory_page },
	{ "/debug/pprof/block", PLAIN, no_profile },
	{ "/debug/pprof/profile", PLAIN, no_profile },
	{ "/debug/pprof/trace", PLAIN, no_profile },
	{ 0 },
};
