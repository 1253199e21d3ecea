/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tap.h"

#include "suite.h"

#include <gantry/buf.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* One runner is one process with one TAP stream: this is the test program's state, not the library's. */
static struct {
	pthread_mutex_t lock;
	unsigned done, failed;
} tap = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Keeps a text on its line, and '#' from being read as a directive. */
static void add_text(struct gt_buf *b, const char *s)
{
	for (; *s; s++)
		gt_buf_addc(b, *s == '\n' || *s == '\r' ? ' ' : *s == '#' ? '\'' : *s);
}

static void line(bool ok, const char *text, const char *why, const char *skip)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	pthread_mutex_lock(&tap.lock);
	tap.done++;
	if (!ok)
		tap.failed++;
	gt_buf_addf(&b, "%sok %u - ", ok ? "" : "not ", tap.done);
	add_text(&b, text);
	if (skip) {
		gt_buf_adds(&b, " # SKIP ");
		add_text(&b, skip);
	}
	gt_buf_addc(&b, '\n');
	if (why) {
		gt_buf_adds(&b, "# ");
		add_text(&b, why);
		gt_buf_addc(&b, '\n');
	}
	fputs(b.s, stdout);
	fflush(stdout);
	pthread_mutex_unlock(&tap.lock);
}

#define FORMAT(b, fmt)                                                                            \
	do {                                                                                       \
		va_list ap;                                                                        \
		va_start(ap, fmt);                                                                 \
		gt_buf_addv(&b, fmt, ap);                                                          \
		va_end(ap);                                                                        \
	} while (0)

bool suite_ok(bool ok, const char *fmt, ...)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	FORMAT(b, fmt);
	line(ok, b.s, NULL, NULL);
	return ok;
}

bool suite_class(struct gt_error *e, enum gt_class want, const char *fmt, ...)
{
	gt_autoptr(gt_error) owned = e;
	gt_autofree char *why = NULL;
	gt_auto(gt_buf) b = GT_BUF_INIT;
	bool ok = gt_error_class(owned) == want;

	FORMAT(b, fmt);
	if (!ok)
		why = gt_strf("expected %s, got %s: %s", gt_class_name(want),
			      gt_class_name(gt_error_class(owned)), gt_error_text(owned));
	line(ok, b.s, why, NULL);
	return ok;
}

void suite_skip(const char *why, const char *fmt, ...)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	FORMAT(b, fmt);
	line(true, b.s, NULL, why);
}

void suite_note(const char *fmt, ...)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_auto(gt_buf) out = GT_BUF_INIT;

	FORMAT(b, fmt);
	gt_buf_adds(&out, "# ");
	add_text(&out, b.s);
	pthread_mutex_lock(&tap.lock);
	puts(out.s);
	fflush(stdout);
	pthread_mutex_unlock(&tap.lock);
}

unsigned suite_failed(void)
{
	unsigned n;

	pthread_mutex_lock(&tap.lock);
	n = tap.failed;
	pthread_mutex_unlock(&tap.lock);
	return n;
}

void tap_plan(void)
{
	printf("1..%u\n", tap.done);
	fflush(stdout);
}
