/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "cmd/daemon.h"

#include "cmd/notify.h"
#include "cmd/start.h"
#include "core/host.h"
#include "core/loader.h"

#include <gantry/frontend.h>
#include <gantry/log.h>

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

/* Programs that have the root open, such as an embedded ctr, are done by then, or go on for long. */
#define HOLD_TIMEOUT 10000
#define FRONTENDS_MAX 16
/*
 * Of other arenas than the first malloc_trim() gives back all but the free end, which is as large as it ever
 * was; and what threads take and free most often they keep for themselves.
 */
#define ARENAS 1

struct running {
	struct gt_frontend *frontend;
	struct gt_call call;
	pthread_t thread;
	int argc;
	char **argv;
	int status;
	struct gt_error *error;
};

struct daemon {
	const char *file, *over;
	struct notify notify;
	struct gt_config *config;
	struct gt_host *host;
	struct gt_cancel *cancel;
	struct running running[FRONTENDS_MAX];
	size_t n;
	_Atomic size_t starting; /* frontends that do not serve yet */
};

static void ready(void *arg)
{
	struct daemon *d = arg;

	if (--d->starting == 0)
		notify_send(&d->notify, "READY=1");
}

static void alive(void *arg)
{
	const struct daemon *d = arg;

	notify_send(&d->notify, "WATCHDOG=1");
}

static void *frontend_thread(void *arg)
{
	struct running *r = arg;

	r->error = gt_frontend_run(r->frontend, &r->call, r->argc, r->argv, &r->status);
	/* One that ends by itself ends the daemon: the main thread waits for this signal. */
	kill(getpid(), SIGTERM);
	return NULL;
}

static void reload(struct daemon *d)
{
	struct gt_config *newer = NULL;
	gt_autofree char *text = gt_strf("RELOADING=1\nMONOTONIC_USEC=%lld",
					 (long long)(gt_now() / 1000));
	struct gt_error *e;

	notify_send(&d->notify, text);
	e = gantry_start(d->file, d->over, &newer);
	if (!e)
		gantry_warn(newer);
	if (!e)
		e = gt_host_reload(d->host, newer);
	gt_config_free(newer);
	if (!e)
		gt_log_info("the configuration was loaded again");
	gt_log_warn_take(e, "the configuration was not loaded again");
	notify_send(&d->notify, "READY=1");
}

/* Answers signals until the daemon is told to end. */
static struct gt_error *signals_serve(struct daemon *d, int fd)
{
	for (;;) {
		struct signalfd_siginfo s;
		ssize_t n = read(fd, &s, sizeof(s));

		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(s))
			return gt_error_errno(GT_UNKNOWN, errno, "read signals");
		if (s.ssi_signo != SIGHUP)
			return NULL;
		reload(d);
	}
}

static struct gt_error *frontends_open(struct daemon *d, int argc, char **argv)
{
	gt_auto(gt_strv) ids = { 0 };
	struct gt_frontend *frontend;

	GT_TRY(gt_host_daemon_frontends(d->host, &ids));
	if (!ids.n || ids.n > FRONTENDS_MAX)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    ids.n ? "more than %d frontends are active"
					  : "no frontend that serves is active (active.frontends); at "
					    "most %d can be",
				    FRONTENDS_MAX);
	for (size_t i = 0; i < ids.n; i++) {
		struct running *r = &d->running[d->n];
		bool is_skipped;

		GT_TRY(gt_host_daemon_frontend(d->host, ids.v[i], &frontend, &is_skipped));
		if (is_skipped)
			continue;
		d->n++;
		r->frontend = frontend;
		r->call = (struct gt_call)GT_CALL_INIT;
		r->call.cancel = d->cancel;
		r->argc = argc;
		r->argv = argv;
	}
	d->starting = d->n;
	return NULL;
}

/* Runs them, each in a thread, until a signal; returns the first error that one ended with. */
static struct gt_error *frontends_run(struct daemon *d, int signals)
{
	struct gt_error *e = NULL;
	size_t started = 0;

	for (; !e && started < d->n; started++) {
		int err = pthread_create(&d->running[started].thread, NULL, frontend_thread,
					 &d->running[started]);

		if (err) {
			e = gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start a thread");
			break;
		}
	}
	if (!e)
		e = signals_serve(d, signals);
	notify_send(&d->notify, "STOPPING=1");
	gt_cancel_set(d->cancel);
	for (size_t i = 0; i < started; i++) {
		pthread_join(d->running[i].thread, NULL);
		e = gt_error_first(e, gt_steal(&d->running[i].error));
	}
	return e;
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* Before there are threads: all of them have it so. */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

struct gt_error *daemon_run(const char *file, const char *over, int argc, char **argv)
{
	struct daemon d = { .file = file, .over = over, .cancel = gt_cancel_new() };
	struct gt_host_hooks hooks = { .ready = ready, .alive = alive, .arg = &d };
	gt_autofd int signals = signals_open();
	struct gt_error *e = signals < 0 ? gt_error_errno(GT_UNKNOWN, errno, "signalfd") : NULL;

	mallopt(M_ARENA_MAX, ARENAS);
	notify_take(&d.notify);
	hooks.alive_every = d.notify.watchdog;
	if (!e)
		e = gantry_start(file, over, &d.config);
	if (!e)
		gantry_warn(d.config);
	if (!e)
		e = gt_host_open(d.config, false, &d.host);
	if (!e)
		gt_host_set_hooks(d.host, &hooks);
	if (!e)
		e = gt_host_hold(d.host, HOLD_TIMEOUT);
	if (!e)
		e = gt_host_required(d.host);
	if (!e)
		e = frontends_open(&d, argc, argv);
	if (!e)
		e = frontends_run(&d, signals);
	gt_host_close(d.host);
	gt_config_free(d.config);
	gt_loader_end();
	gt_cancel_free(d.cancel);
	notify_done(&d.notify);
	return e;
}
