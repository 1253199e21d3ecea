/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "logger.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/strv.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define READY_TIMEOUT (30 * SECOND)
#define EOF_GRACE (1 * SECOND) /* a logger that reads to the end needs no signal */
#define TERM_GRACE (12 * SECOND)

struct logger {
	struct child child; /* first */
	struct shim *shim;
	struct gt_watch ready;
	struct gt_timer timer;
	bool v2; /* must write a byte before it closes */
	bool alive, stopping, told;
	void (*on_ready)(void *arg, struct gt_error *e);
	void *ready_arg;
	void (*on_gone)(void *arg);
	void *gone_arg;
};

/* Decodes a part of a query in place. */
static void unescape(char *s)
{
	static const char hex[] = "0123456789abcdef";
	char *out = s;

	for (; *s; s++) {
		const char *a, *b;

		if (*s == '%' && s[1] && s[2] && (a = strchr(hex, s[1] | 0x20)) &&
		    (b = strchr(hex, s[2] | 0x20))) {
			*out++ = (char)((a - hex) * 16 + (b - hex));
			s += 2;
		} else {
			*out++ = *s == '+' ? ' ' : *s;
		}
	}
	*out = '\0';
}

/* Each key once, in order, followed by its values that are not empty. */
static void arguments_add(const char *query, struct gt_strv *argv)
{
	struct gt_strv parts = { 0 };
	struct gt_labels seen = { 0 };

	gt_strv_split(&parts, query, '&');
	for (size_t i = 0; i < parts.n; i++) {
		gt_autofree char *key = gt_xstrndup(parts.v[i], strcspn(parts.v[i], "="));
		size_t len = strlen(key);

		if (gt_labels_get(&seen, key))
			continue;
		gt_labels_set(&seen, key, "");
		gt_strv_add(argv, key);
		unescape(argv->v[argv->n - 1]);
		for (size_t k = i; k < parts.n; k++) {
			if (strncmp(parts.v[k], key, len) != 0 || parts.v[k][len] != '=' ||
			    !parts.v[k][len + 1])
				continue;
			gt_strv_add(argv, parts.v[k] + len + 1);
			unescape(argv->v[argv->n - 1]);
		}
	}
	gt_labels_done(&seen);
	gt_strv_done(&parts);
}

static void ready_tell(struct logger *l, struct gt_error *e)
{
	gt_timer_clear(&l->timer);
	if (l->ready.on) {
		gt_loop_unwatch(l->shim->loop, &l->ready);
		close(l->ready.fd);
	}
	if (l->told) {
		gt_error_free(e);
		return;
	}
	l->told = true;
	l->on_ready(l->ready_arg, e);
}

static void ready_event(struct gt_watch *w, uint32_t events)
{
	struct logger *l = gt_container_of(w, struct logger, ready);
	char byte;
	ssize_t n = read(w->fd, &byte, 1);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (n == 0 && l->v2))
		ready_tell(l, gt_error_new(GT_UNKNOWN, "logging program ended before it was ready"));
	else
		ready_tell(l, NULL);
}

static void logger_late(struct gt_timer *t)
{
	struct logger *l = gt_container_of(t, struct logger, timer);

	if (!l->stopping) {
		ready_tell(l, gt_error_new(GT_DEADLINE_EXCEEDED,
					   "logging program did not say in time that it is ready"));
	} else if (!l->told) {
		l->told = true;
		kill(l->child.pid, SIGTERM);
		gt_loop_at(l->shim->loop, &l->timer, gt_now() + TERM_GRACE);
	} else {
		kill(-l->child.pid, SIGKILL);
	}
}

static void logger_end(struct logger *l)
{
	void (*gone)(void *) = l->on_gone;
	void *arg = l->gone_arg;

	gt_timer_clear(&l->timer);
	if (l->ready.on) {
		gt_loop_unwatch(l->shim->loop, &l->ready);
		close(l->ready.fd);
	}
	free(l);
	if (gone)
		gone(arg);
}

static void logger_exited(struct child *c, int status)
{
	struct logger *l = (struct logger *)c;

	(void)status;
	l->alive = false;
	if (l->stopping)
		logger_end(l);
	else if (l->ready.on)
		ready_event(&l->ready, 0);
}

struct gt_error *logger_start(struct shim *shim, const char *url, const char *id, const char *ns,
			      const int pipes[2], void (*ready)(void *, struct gt_error *),
			      void *arg, struct logger **out)
{
	const char *path = strstr(url, "://") + 3;
	gt_autofree char *program = gt_xstrndup(path, strcspn(path, "?"));
	gt_autofree char *env_id = gt_strf("CONTAINER_ID=%s", id);
	gt_autofree char *env_ns = gt_strf("CONTAINER_NAMESPACE=%s", ns);
	const char *const env[] = { env_id, env_ns, NULL };
	struct gt_strv argv = { 0 };
	struct logger *l;
	struct gt_error *e;
	int fds[2];

	unescape(program);
	if (program[0] != '/')
		return gt_error_new(GT_INVALID_ARGUMENT, "logging program \"%s\" is no absolute path",
				    program);
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "make a pipe");
	l = gt_xcalloc(1, sizeof(*l));
	l->shim = shim;
	l->v2 = !strncmp(url, "binary-v2:", 10);
	l->on_ready = ready;
	l->ready_arg = arg;
	l->ready.fn = ready_event;
	l->timer.fn = logger_late;
	l->child.exited = logger_exited;
	gt_strv_add(&argv, program);
	if (path[strlen(program)] || strchr(path, '?'))
		arguments_add(strchrnul(path, '?') + (strchr(path, '?') ? 1 : 0), &argv);
	e = gt_loop_watch(shim->loop, &l->ready, fds[0], EPOLLIN);
	if (e) {
		close(fds[0]);
	} else {
		e = child_start(shim, &l->child,
				&(struct child_spec){
					.argv = (const char *const *)argv.v,
					.env = env,
					.in = -1,
					.out = -1,
					.err = -1,
					.extra = (const int[]){ pipes[0], pipes[1], fds[1] },
					.n_extra = 3,
				},
				0);
	}
	close(fds[1]);
	gt_strv_done(&argv);
	if (e) {
		if (l->ready.on) {
			gt_loop_unwatch(shim->loop, &l->ready);
			close(l->ready.fd);
		}
		free(l);
		return gt_error_wrap(e, "start logging program %s", program);
	}
	l->alive = true;
	gt_loop_at(shim->loop, &l->timer, gt_now() + READY_TIMEOUT);
	*out = l;
	return NULL;
}

void logger_stop(struct logger *l, void (*gone)(void *), void *arg)
{
	if (l->ready.on) {
		gt_loop_unwatch(l->shim->loop, &l->ready);
		close(l->ready.fd);
	}
	l->stopping = true;
	l->told = false; /* from here on: whether it was asked to end */
	l->on_gone = gone;
	l->gone_arg = arg;
	if (l->alive)
		gt_loop_at(l->shim->loop, &l->timer, gt_now() + EOF_GRACE);
	else
		logger_end(l);
}
