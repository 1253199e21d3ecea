/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/log.h"

#include <gantry/buf.h>
#include <gantry/call.h>

#include <stdatomic.h>
#include <string.h>
#include <time.h>

struct topic_level {
	char *topic;
	enum gt_log_level level;
};

/* Other threads may be reading an older one: all that were set are kept. */
struct topics {
	struct topics *older;
	struct topic_level *v;
	size_t n;
};

/* One of the process's few mutable statics: the sink. */
static struct {
	int fd;
	bool json;
	_Atomic enum gt_log_level level;
	struct topics *_Atomic topics;
} sink = { .fd = STDERR_FILENO, .level = GT_LOG_WARN };

static const char *const level_names[] = {
	[GT_LOG_TRACE] = "trace", [GT_LOG_DEBUG] = "debug", [GT_LOG_INFO] = "info",
	[GT_LOG_WARN] = "warning", [GT_LOG_ERROR] = "error",
};

struct gt_error *gt_log_level_parse(const char *name, enum gt_log_level *out)
{
	if (!strcmp(name, "warn"))
		name = "warning";
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (!strcmp(name, level_names[i])) {
			*out = i;
			return NULL;
		}
	}
	return gt_error_new(GT_INVALID_ARGUMENT,
			    "log level \"%s\": expected trace, debug, info, warn or error", name);
}

struct gt_error *gt_log_set(const struct gt_log_setup *setup)
{
	struct topic_level *topics = NULL;
	struct topics *set;
	size_t n = 0;
	struct gt_error *e = NULL;

	if (setup->topics)
		topics = gt_xcalloc(setup->topics->n, sizeof(*topics));
	for (size_t i = 0; setup->topics && !e && i < setup->topics->n; i++) {
		const char *entry = setup->topics->v[i];
		const char *eq = strchr(entry, '=');

		if (!eq || eq == entry) {
			e = gt_error_new(GT_INVALID_ARGUMENT, "\"%s\": expected \"TOPIC=LEVEL\"", entry);
			break;
		}
		e = gt_log_level_parse(eq + 1, &topics[n].level);
		if (!e)
			topics[n++].topic = gt_xstrndup(entry, eq - entry);
	}
	if (e) {
		while (n)
			free(topics[--n].topic);
		free(topics);
		return e;
	}
	sink.fd = setup->fd;
	sink.json = setup->json;
	sink.level = setup->level;
	set = gt_xcalloc(1, sizeof(*set));
	*set = (struct topics){ .older = sink.topics, .v = topics, .n = n };
	sink.topics = set;
	return NULL;
}

bool gt_log_enabled(const char *topic, enum gt_log_level level)
{
	const struct topics *t = sink.topics;

	for (size_t i = 0; t && i < t->n; i++)
		if (!strcmp(t->v[i].topic, topic))
			return level >= t->v[i].level;
	return level >= sink.level;
}

static void add_time(struct gt_buf *b)
{
	struct timespec now;
	struct tm tm;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	gt_buf_addf(b, "%s.%09ldZ", text, now.tv_nsec);
}

static void add_json(struct gt_buf *b, const char *s)
{
	gt_buf_addc(b, '"');
	for (; *s; s++) {
		unsigned char c = *s;

		if (c == '"' || c == '\\')
			gt_buf_addf(b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			gt_buf_addf(b, "\\u%04x", c);
		else
			gt_buf_addc(b, c);
	}
	gt_buf_addc(b, '"');
}

/* One write a line, so that lines of several threads and processes do not mix. */
static void emit(const char *topic, enum gt_log_level level, const char *error, const char *fmt,
		 va_list ap)
{
	gt_auto(gt_buf) msg = GT_BUF_INIT;
	gt_auto(gt_buf) line = GT_BUF_INIT;

	gt_buf_addv(&msg, fmt, ap);
	if (sink.json) {
		gt_buf_adds(&line, "{\"level\":");
		add_json(&line, level_names[level]);
		gt_buf_adds(&line, ",\"topic\":");
		add_json(&line, topic);
		gt_buf_adds(&line, ",\"msg\":");
		add_json(&line, msg.s);
		if (error) {
			gt_buf_adds(&line, ",\"error\":");
			add_json(&line, error);
		}
		gt_buf_adds(&line, ",\"time\":\"");
		add_time(&line);
		gt_buf_adds(&line, "\"}\n");
	} else {
		gt_buf_adds(&line, "time=\"");
		add_time(&line);
		gt_buf_addf(&line, "\" level=%s msg=", level_names[level]);
		gt_buf_addq(&line, msg.s);
		if (error) {
			gt_buf_adds(&line, " error=");
			gt_buf_addq(&line, error);
		}
		gt_buf_addf(&line, " topic=%s\n", topic);
	}
	/* A log that cannot be written has nobody to tell. */
	if (write(sink.fd, line.s, line.len) < 0)
		return;
}

void gt_log_write(const char *topic, enum gt_log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!gt_log_enabled(topic, level))
		return;
	va_start(ap, fmt);
	emit(topic, level, NULL, fmt, ap);
	va_end(ap);
}

void gt_log_write_error(const char *topic, enum gt_log_level level, const struct gt_error *e,
			const char *fmt, ...)
{
	va_list ap;

	if (!gt_log_enabled(topic, level))
		return;
	va_start(ap, fmt);
	emit(topic, level, gt_error_text(e), fmt, ap);
	va_end(ap);
}

bool gt_log_allowed(_Atomic long long *next)
{
	long long now = gt_now();
	long long due = atomic_load(next);

	return now >= due && atomic_compare_exchange_strong(next, &due, now + 10000000000LL);
}
