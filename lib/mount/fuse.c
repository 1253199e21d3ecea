/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fuse.h"

#include <gantry/buf.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_LIMIT 4096
#define TIMEOUT_MS 60000

bool mount_fuse_is(const char *type)
{
	return !strncmp(type, "fuse.", 5) || !strncmp(type, "fuse3.", 6);
}

/* Where the program's words go: a file that cannot grow, so that nobody need read it meanwhile. */
static int output_open(void)
{
	gt_autofd int fd = memfd_create("output", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, OUTPUT_LIMIT) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return -1;
	return gt_steal_fd(&fd);
}

static struct gt_error *wait_for(pid_t pid, const char *name, int *status)
{
	gt_autofd int pidfd = syscall(SYS_pidfd_open, pid, 0);
	struct gt_error *e = NULL;
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int n;

	do
		n = pidfd < 0 ? 1 : poll(&p, 1, TIMEOUT_MS);
	while (n < 0 && errno == EINTR);
	if (n == 0) {
		kill(pid, SIGKILL);
		e = gt_error_new(GT_DEADLINE_EXCEEDED, "%s did not end in %d s", name,
				 TIMEOUT_MS / 1000);
	}
	while (waitpid(pid, status, 0) < 0) {
		if (errno != EINTR) /* the process reaps children by itself: its status is lost */
			return gt_error_first(
				e, gt_error_errno(GT_UNKNOWN, errno, "wait for %s", name));
	}
	return e;
}

static struct gt_error *run(char *const *argv)
{
	gt_autofd int out = output_open();
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	char text[OUTPUT_LIMIT + 1] = "";
	int status, err;
	size_t len;
	pid_t pid;

	if (out < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "make a file for the output of %s",
				      argv[0]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, out, 2);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	err = posix_spawnp(&pid, argv[0], &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	if (err)
		return gt_error_errno(err == ENOENT ? GT_FAILED_PRECONDITION : GT_UNKNOWN, err,
				      "run %s", argv[0]);
	GT_TRY(wait_for(pid, argv[0], &status));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	if (pread(out, text, OUTPUT_LIMIT, 0) < 0)
		text[0] = '\0';
	for (len = strlen(text); len && text[len - 1] == '\n'; len--)
		text[len - 1] = '\0';
	if (WIFSIGNALED(status))
		return gt_error_new(GT_UNKNOWN, "%s ended by signal %d: %s", argv[0],
				    WTERMSIG(status), text);
	return gt_error_new(GT_UNKNOWN, "%s ended with status %d: %s", argv[0], WEXITSTATUS(status),
			    text);
}

struct gt_error *mount_fuse_mount(const struct gt_mount *m, const char *target)
{
	const char *dot = strchr(m->type, '.');
	gt_auto(gt_strv) argv = { 0 };

	gt_strv_addf(&argv, "mount.%.*s", (int)(dot - m->type), m->type);
	gt_strv_add(&argv, m->source);
	gt_strv_add(&argv, target);
	for (size_t i = 0; i < m->options.n; i++) {
		gt_strv_add(&argv, "-o");
		gt_strv_add(&argv, m->options.v[i]);
	}
	gt_strv_add(&argv, "-t");
	gt_strv_add(&argv, dot + 1);
	return run(argv.v);
}

struct gt_error *mount_fuse_unmount(const char *target)
{
	static const char *const names[] = { "fusermount3", "fusermount" };
	struct gt_error *e = NULL;

	for (size_t i = 0; i < 2; i++) {
		const char *argv[] = { names[i], "-u", "--", target, NULL };

		gt_error_free(e);
		e = run((char *const *)argv);
		if (gt_error_class(e) != GT_FAILED_PRECONDITION)
			break;
	}
	return e;
}
