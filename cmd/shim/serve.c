/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "serve.h"

#include "container.h"
#include "events.h"
#include "idle.h"
#include "linger.h"
#include "parting.h"
#include "sandbox.h"
#include "sealed.h"
#include "service.h"
#include "socket.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/file.h>
#include <gantry/log.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define SECOND INT64_C(1000000000)
/* After Shutdown, so long for events and for output that nobody has read. */
#define FAREWELL (3 * SECOND)

struct serve {
	struct shim shim;
	struct gt_ttrpc_service services[N_SERVICES + 1];
	const char *path; /* of the socket; NULL: somebody else's */
	bool told_to_end; /* by a signal */
	bool closing;
	struct idle idle;
	struct gt_timer farewell;
	bool farewell_over;
};

static void children_reap(struct shim *shim)
{
	for (;;) {
		struct timespec now;
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid <= 0)
			return;
		clock_gettime(CLOCK_REALTIME, &now);
		if (!child_reaped(shim, pid, status))
			process_reaped(shim, pid, status, &now);
	}
}

/* SIGUSR1 asks for it. */
static void state_log(const struct serve *s)
{
	for (const struct container *c = s->shim.containers; c; c = c->next) {
		size_t n = 0;

		for (const struct process *p = c->execs; p; p = p->next)
			n++;
		gt_log_info("container %s: pid %d, state %d%s%s, %zu execs, %zu of them active",
			    c->id, (int)c->init.pid, (int)c->init.state, c->paused ? ", paused" : "",
			    c->init.busy ? ", busy" : "", n, c->n_active);
	}
	gt_log_info("%zu connections", gt_ttrpc_server_connections(s->shim.server));
}

static void signal_event(struct gt_watch *w, uint32_t events)
{
	struct shim *shim = gt_container_of(w, struct shim, signals);
	struct serve *s = gt_container_of(shim, struct serve, shim);
	struct signalfd_siginfo info;

	(void)events;
	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		children_reap(shim);
	else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
		s->told_to_end = true;
	else if (!s->closing)
		state_log(s);
}

/* What this process wants as signals; a child gets none of it. */
static struct gt_error *signals_open(struct shim *shim)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "create a signal descriptor");
	shim->signals.fn = signal_event;
	return gt_loop_watch(shim->loop, &shim->signals, fd, EPOLLIN);
}

/* One more than the daemon's, which we have inherited: the kernel takes us first. */
static void oom_score_raise(void)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_autofd int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char now[16] = { 0 };
	int score;

	if (fd < 0 || read(fd, now, sizeof(now) - 1) <= 0)
		return;
	score = atoi(now) + 1;
	gt_buf_addf(&text, "%d", score > 1000 ? 1000 : score);
	if (pwrite(fd, text.s, text.len, 0) < 0)
		gt_log_warn("oom_score_adj stays %s: %s", now, strerror(errno));
}

/* A process of its own, apart from the daemon that started it. */
static void become_server(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	for (int i = 0; i < 3 && null >= 0; i++)
		dup2(null, i);
	if (null > 2)
		close(null);
	oom_score_raise();
	/*
	 * Of a runtime program in Go, which lives for milliseconds, one thread runs at a time: where many
	 * containers start at once those threads only take the processors from each other.
	 */
	setenv("GOMAXPROCS", "1", 1);
	/* Few and small blocks, and what is freed goes back. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 32 * 1024);
	mallopt(M_MMAP_THRESHOLD, 32 * 1024);
	mallopt(M_TOP_PAD, 0);
	malloc_trim(0);
}

/* Takes 'fd'. */
static struct gt_error *serve_open(struct serve *s, int fd)
{
	struct gt_error *e = gt_loop_new(&s->shim.loop);

	if (e) {
		close(fd);
		return e;
	}
	service_make(&s->shim, s->services);
	s->services[N_SERVICES] = sandbox_service(&s->shim);
	s->shim.server = gt_ttrpc_server_new(s->shim.loop, s->services, N_SERVICES + 1);
	s->shim.events = events_new(s->shim.loop, s->shim.ns, getenv("TTRPC_ADDRESS"),
				    getenv("GANTRY_EVENT_JOURNAL"));
	/* Who listens is whom a client takes for its peer: not the process that made the socket. */
	if (listen(fd, SOCKET_BACKLOG) < 0) {
		e = gt_error_errno(GT_UNKNOWN, errno, "listen");
		close(fd);
		return e;
	}
	GT_TRY(gt_ttrpc_server_listen_take(s->shim.server, fd));
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "become the reaper of the processes");
	return signals_open(&s->shim);
}

static void serve_close(struct serve *s)
{
	struct shim *shim = &s->shim;

	gt_ttrpc_server_free(shim->server);
	sandbox_forget(shim->sandbox);
	while (shim->containers)
		container_forget(shim->containers);
	while (shim->lingers)
		linger_end(shim->lingers);
	sealed_drop(shim);
	while (shim->partings)
		parting_end(shim->partings);
	events_free(shim->events);
	if (shim->signals.on)
		close(shim->signals.fd);
	if (shim->oom.on)
		close(shim->oom.fd);
	free(shim->early);
	gt_loop_free(shim->loop);
}

static void farewell(struct gt_timer *t)
{
	gt_container_of(t, struct serve, farewell)->farewell_over = true;
}

/* No new calls: the daemon sees the connection close as soon as it has its answer. */
static void closing_begin(struct serve *s)
{
	s->closing = true;
	if (s->path)
		unlink(s->path);
	gt_ttrpc_server_free(s->shim.server);
	s->shim.server = NULL;
	s->farewell.fn = farewell;
	gt_loop_at(s->shim.loop, &s->farewell, gt_now() + FAREWELL);
}

static bool is_over(struct serve *s)
{
	if (s->told_to_end)
		return true;
	if (s->shim.stopping && !s->closing && gt_ttrpc_server_is_flushed(s->shim.server))
		closing_begin(s);
	return s->closing &&
	       (s->farewell_over || (events_is_empty(s->shim.events) && !s->shim.lingers));
}

int serve_take(const struct shim_args *args, int fd, const char *path, int ready)
{
	struct serve s = { .shim = { .ns = args->ns, .id = args->id }, .path = path };
	struct gt_error *e = serve_open(&s, fd);
	int status = 0;

	if (e && ready >= 0)
		gt_error_free(gt_file_write_all(ready, gt_error_text(e), strlen(gt_error_text(e)),
						"the pipe"));
	if (!e)
		become_server();
	if (ready >= 0)
		close(ready);
	while (!e && !is_over(&s)) {
		e = gt_loop_step(s.shim.loop);
		idle_after(&s.idle, s.shim.loop);
	}
	if (!s.closing && path)
		unlink(path);
	if (e) {
		gt_log_error("%s", gt_error_text(e));
		gt_error_free(e);
		status = 1;
	}
	/* Containers run on: whoever comes after us finds them by the runtime's own state. */
	serve_close(&s);
	return status;
}
