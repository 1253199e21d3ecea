/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <proc/proc.h>

#include <gantry/file.h>
#include <gantry/strv.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CHILD_STACK (256 * 1024)
#ifdef GT_THREADS_SANITIZED /* the child has a copy of our memory, but for its stack */
#define CHILD_STACK_MAP MAP_SHARED
#define CHILD_MEMORY 0
#else
#define CHILD_STACK_MAP MAP_PRIVATE
#define CHILD_MEMORY CLONE_VM
#endif
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum step { STEP_SESSION, STEP_PARENT, STEP_FDS, STEP_CWD, STEP_EXEC };

static const char *const step_names[] = {
	[STEP_SESSION] = "start a session for",
	[STEP_PARENT] = "tie to its parent",
	[STEP_FDS] = "hand descriptors to",
	[STEP_CWD] = "change folder for",
	[STEP_EXEC] = "run",
};

/* How far the child came; at the bottom of its stack. */
struct child_result {
	enum step step;
	int err;
};

/*
 * What the child works on. It shares our memory until it execs, so all of it is made before, and the
 * child only makes system calls and writes its result.
 */
struct child {
	const struct gt_proc_spec *spec;
	char **paths; /* what to exec, in order; ended by NULL */
	char *const *env;
	struct gt_proc_fd *fds; /* sorted by 'to', the three standard ones first */
	size_t n_fds;
	pid_t parent;
	struct child_result *result;
};

/* Handlers of ours must be gone before signals are let in: they would run on our memory. */
static void reset_signals(void)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++) {
		struct sigaction now;

		if (sigaction(i, NULL, &now) == 0 && now.sa_handler != SIG_DFL)
			sigaction(i, &dfl, NULL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Sources first go above all targets, so that no target overwrites a source still needed. */
static int place_fds(struct child *c)
{
	int top = c->fds[c->n_fds - 1].to + 1;
	unsigned next = 0;

	for (size_t i = 0; i < c->n_fds; i++) {
		c->fds[i].from = fcntl(c->fds[i].from, F_DUPFD_CLOEXEC, top);
		if (c->fds[i].from < 0)
			return -1;
	}
	for (size_t i = 0; i < c->n_fds; i++) {
		unsigned to = c->fds[i].to;

		if (dup2(c->fds[i].from, to) < 0)
			return -1;
		if (to > next && syscall(SYS_close_range, next, to - 1, 0) < 0)
			return -1;
		next = to + 1;
	}
	return syscall(SYS_close_range, next, ~0U, 0);
}

__attribute__((no_sanitize("address", "undefined", "thread"))) static int child_main(void *arg)
{
	struct child *c = arg;

	reset_signals();
	c->result->step = STEP_SESSION;
	if (c->spec->new_session && setsid() < 0)
		goto fail;
	c->result->step = STEP_PARENT;
	if (c->spec->die_with_parent) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			goto fail;
		if (getppid() != c->parent)
			_exit(127);
	}
	c->result->step = STEP_FDS;
	if (place_fds(c) < 0)
		goto fail;
	c->result->step = STEP_CWD;
	if (c->spec->cwd && chdir(c->spec->cwd) < 0)
		goto fail;
	c->result->step = STEP_EXEC;
	errno = ENOENT;
	for (char **p = c->paths; *p; p++) {
		int before = errno;

		execve(*p, (char *const *)c->spec->argv, c->env);
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			break;
		if (before == EACCES) /* tells more than that the next folder has none */
			errno = EACCES;
	}
fail:
	c->result->err = errno;
	_exit(127);
}

/* The names to try: the one given, or the one in each folder of PATH. Empty folders are left out. */
static void find_program(const char *name, struct gt_strv *paths)
{
	const char *path = getenv("PATH");
	struct gt_strv folders = { 0 };

	if (strchr(name, '/')) {
		gt_strv_add(paths, name);
		return;
	}
	gt_strv_split(&folders, path && *path ? path : DEFAULT_PATH, ':');
	for (size_t i = 0; i < folders.n; i++)
		if (*name && folders.v[i][0] == '/')
			gt_strv_addf(paths, "%s/%s", folders.v[i], name);
	gt_strv_done(&folders);
}

static int fd_compare(const void *a, const void *b)
{
	const struct gt_proc_fd *x = a, *y = b;

	return x->to < y->to ? -1 : x->to > y->to;
}

static struct gt_error *clone_child(struct child *c, struct gt_proc *out)
{
	const char *name = c->spec->argv[0];
	uint64_t all = ~UINT64_C(0), old;
	void *stack = mmap(NULL, CHILD_STACK, PROT_READ | PROT_WRITE,
			   CHILD_STACK_MAP | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	struct child_result result;
	int pidfd = -1, err;
	pid_t pid;

	if (stack == MAP_FAILED)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "map a stack to run %s", name);
	c->parent = getpid();
	c->result = stack;
	/* By the raw call: libc's leaves its own two signals unblocked. */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	pid = clone(child_main, (char *)stack + CHILD_STACK,
		    CHILD_MEMORY | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, c, &pidfd);
	err = errno;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
	result = *c->result;
	munmap(stack, CHILD_STACK);
	if (pid < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start a process for %s", name);
	if (result.err) {
		enum gt_class cls = GT_UNKNOWN;

		waitid(P_PIDFD, pidfd, &(siginfo_t){ 0 }, WEXITED);
		close(pidfd);
		if (result.err == ENOENT && (result.step == STEP_EXEC || result.step == STEP_CWD))
			cls = GT_NOT_FOUND;
		else if (result.err == EACCES || result.err == EPERM)
			cls = GT_PERMISSION_DENIED;
		return gt_error_errno(cls, result.err, "%s %s", step_names[result.step], name);
	}
	*out = (struct gt_proc){ .pid = pid, .pidfd = pidfd };
	return NULL;
}

struct gt_error *gt_proc_spawn(const struct gt_proc_spec *spec, struct gt_proc *out)
{
	const int standard[3] = { spec->in, spec->out, spec->err };
	gt_autofree struct gt_proc_fd *fds = gt_xcalloc(spec->n_fds + 3, sizeof(*fds));
	struct child c = { .spec = spec, .fds = fds, .n_fds = spec->n_fds + 3 };
	struct gt_strv paths = { 0 };
	gt_autofd int null = -1;
	struct gt_error *e;

	for (int i = 0; i < 3; i++) {
		if (!standard[i] && null < 0) {
			null = open("/dev/null", O_RDWR | O_CLOEXEC);
			if (null < 0)
				return gt_error_errno(GT_UNKNOWN, errno, "open /dev/null");
		}
		fds[i] = (struct gt_proc_fd){ .from = standard[i] ? standard[i] : null, .to = i };
	}
	if (spec->n_fds)
		memcpy(fds + 3, spec->fds, spec->n_fds * sizeof(*fds));
	qsort(fds, c.n_fds, sizeof(*fds), fd_compare);
	find_program(spec->argv[0], &paths);
	gt_strv_add(&paths, ""); /* makes 'v' exist where PATH leads nowhere: exec says ENOENT */
	c.paths = paths.v;
	c.env = spec->env ? (char *const *)spec->env : environ;
	e = clone_child(&c, out);
	gt_strv_done(&paths);
	return e;
}

static struct gt_error *reap(struct gt_proc *p, int *status)
{
	siginfo_t info = { 0 };
	int r;

	do
		r = waitid(P_PIDFD, p->pidfd, &info, WEXITED);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "wait for process %d", (int)p->pid);
	close(p->pidfd);
	p->pidfd = -1;
	if (info.si_code == CLD_EXITED)
		*status = (info.si_status & 0xff) << 8;
	else
		*status = (info.si_status & 0x7f) | (info.si_code == CLD_DUMPED ? 0x80 : 0);
	return NULL;
}

void gt_proc_kill(struct gt_proc *p)
{
	int status;

	if (p->pidfd < 0)
		return;
	syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
	gt_error_free(reap(p, &status));
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->pidfd = -1;
}

/* Waits until one of the first 'n' of 'fds' is ready, at most a second; the call's end is an error. */
static struct gt_error *poll_call(const struct gt_call *call, struct pollfd *fds, nfds_t n)
{
	GT_TRY(gt_call_check(call));
	fds[n] = (struct pollfd){ .fd = call->cancel ? gt_cancel_fd(call->cancel) : -1,
				  .events = POLLIN };
	if (poll(fds, n + 1, gt_call_left(call, 1000)) < 0) {
		if (errno != EINTR)
			return gt_error_errno(GT_UNKNOWN, errno, "poll");
		for (nfds_t i = 0; i < n; i++)
			fds[i].revents = 0;
	}
	return gt_call_check(call);
}

struct gt_error *gt_proc_wait(struct gt_proc *p, const struct gt_call *call, int *status)
{
	for (;;) {
		struct pollfd fds[2] = { { .fd = p->pidfd, .events = POLLIN } };
		struct gt_error *e = poll_call(call, fds, 1);

		if (fds[0].revents) {
			gt_error_free(e);
			return reap(p, status);
		}
		if (e) {
			gt_proc_kill(p);
			return e;
		}
	}
}

/*
 * Takes what is there now, at most as much as a pipe can hold: a grandchild may never stop writing.
 * '*more' becomes false at the end of the output.
 */
static struct gt_error *drain(int fd, struct gt_buf *output, size_t start, size_t limit, bool *more)
{
	char block[16384];

	for (int i = 0; i < (1 << 20) / (int)sizeof(block); i++) {
		ssize_t n = read(fd, block, sizeof(block));
		size_t left = limit - (output->len - start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return NULL;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read a program's output");
		if (n == 0) {
			*more = false;
			return NULL;
		}
		gt_buf_add(output, block, (size_t)n < left ? (size_t)n : left);
	}
	return NULL;
}

static struct gt_error *collect(struct gt_proc *p, const struct gt_call *call, int fd, size_t limit,
				struct gt_buf *output, int *status)
{
	size_t start = output->len;
	bool more = true;

	for (;;) {
		struct pollfd fds[3] = { { .fd = p->pidfd, .events = POLLIN },
					 { .fd = more ? fd : -1, .events = POLLIN } };

		GT_TRY(poll_call(call, fds, 2));
		if (fds[1].revents)
			GT_TRY(drain(fd, output, start, limit, &more));
		/* Seen to have ended before the drain: all that it wrote itself has been read. */
		if (fds[0].revents)
			return reap(p, status);
	}
}

/* The input as a file: nobody has to feed it, and a program that reads none of it raises no SIGPIPE. */
static struct gt_error *input_file(const void *input, size_t len, int *out)
{
	gt_autofd int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make a memory file");
	GT_TRY(gt_file_write_all(fd, input, len, "memory file"));
	if (lseek(fd, 0, SEEK_SET) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "rewind memory file");
	*out = gt_steal_fd(&fd);
	return NULL;
}

struct gt_error *gt_proc_run(const struct gt_proc_spec *spec, const struct gt_call *call,
			     const void *input, size_t input_len, size_t limit,
			     struct gt_buf *output, int *status)
{
	struct gt_proc_spec copy = *spec;
	struct gt_proc p = { .pidfd = -1 };
	gt_autofd int in = -1, out = -1, child_out = -1;
	struct gt_error *e;
	int ends[2];

	if (input && input_len) {
		GT_TRY(input_file(input, input_len, &in));
		copy.in = in;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make a pipe");
	out = ends[0];
	child_out = ends[1];
	if (fcntl(out, F_SETFL, O_NONBLOCK) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "set up a pipe");
	copy.out = child_out;
	if (!copy.err)
		copy.err = child_out;
	GT_TRY(gt_proc_spawn(&copy, &p));
	close(gt_steal_fd(&child_out));
	e = collect(&p, call, out, limit, output, status);
	gt_proc_kill(&p);
	return gt_error_wrap(e, "run %s", spec->argv[0]);
}
