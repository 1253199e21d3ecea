/* SPDX-License-Identifier: Apache-2.0 */
/* Other processes of the runner, for what a contract says about several at once. */
#include <config.h>

#include "child.h"

#include "suite.h"

#include <gantry/buf.h>
#include <gantry/call.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define READY_FD 3

static const struct runner *runner;

void child_runner(const struct runner *r)
{
	runner = r;
}

struct gt_error *child_mount(const char *root, const char *size)
{
	gt_autofree char *data = gt_strf("size=%s,mode=0700", size);

	if (unshare(CLONE_NEWNS) < 0)
		return gt_error_errno(GT_PERMISSION_DENIED, errno, "make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("gantry-plugin-test", root, "tmpfs", MS_NOSUID | MS_NODEV, data) < 0)
		return gt_error_errno(GT_PERMISSION_DENIED, errno, "mount a tmpfs on %s", root);
	return NULL;
}

/* Between fork and exec: only what is safe in the child of a process with threads. */
static void child_exec(char **argv, int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ready == READY_FD)
		fcntl(READY_FD, F_SETFD, 0);
	else
		dup2(ready, READY_FD);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execv("/proc/self/exe", argv);
	_exit(98);
}

bool suite_child_start(struct suite_child *c)
{
	struct gt_strv argv = { 0 };
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	gt_strv_add(&argv, "gantry-plugin-test");
	gt_strv_addf(&argv, "--child=%s", c->name);
	gt_strv_addf(&argv, "--child-arg=%s", c->arg ? c->arg : "");
	gt_strv_addf(&argv, "--child-root=%s", c->root ? c->root : runner->root);
	if (c->tmpfs)
		gt_strv_addf(&argv, "--child-tmpfs=%s", c->tmpfs);
	if (c->fast || runner->fast)
		gt_strv_add(&argv, "--fast");
	if (runner->proxy) {
		gt_strv_add(&argv, "--proxy");
		gt_strv_add(&argv, runner->proxy);
	}
	for (size_t i = 0; i < runner->options->n; i++)
		gt_strv_addf(&argv, "--option=%s", runner->options->v[i]);
	gt_strv_add(&argv, "--");
	gt_strv_add(&argv, runner->file);
	c->ready = -1;
	c->pid = fork();
	if (c->pid == 0)
		child_exec(argv.v, fds[1]);
	close(fds[1]);
	gt_strv_done(&argv);
	if (c->pid < 0) {
		close(fds[0]);
		return false;
	}
	c->ready = fds[0];
	return true;
}

bool suite_child_wait_ready(struct suite_child *c, int seconds)
{
	struct pollfd p = { .fd = c->ready, .events = POLLIN };
	char byte;

	return poll(&p, 1, seconds * 1000) == 1 && read(c->ready, &byte, 1) == 1;
}

int suite_child_end(struct suite_child *c, int seconds)
{
	int64_t end = gt_now() + seconds * INT64_C(1000000000);
	int status;
	pid_t r;

	while ((r = waitpid(c->pid, &status, WNOHANG)) == 0 && gt_now() < end)
		poll(NULL, 0, 5);
	if (r == 0) {
		kill(c->pid, SIGKILL);
		r = waitpid(c->pid, &status, 0);
	}
	if (c->ready >= 0)
		close(gt_steal_fd(&c->ready));
	if (r < 0)
		return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void suite_child_kill(struct suite_child *c)
{
	kill(c->pid, SIGKILL);
	suite_child_end(c, 60);
}

void suite_child_ready(void)
{
	if (write(READY_FD, "r", 1) != 1)
		fprintf(stderr, "# nobody waits for this child\n");
}
