/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "child.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/strv.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>

/* Descriptors for 'extra' are first moved here, out of the way of where they go. */
#define EXTRA_FLOOR 16

/* An exec that fails costs ten times as much as a look. */
char *child_find(const char *name)
{
	gt_auto(gt_strv) folders = { 0 };
	const char *path = getenv("PATH");

	if (!strchr(name, '/') && path)
		gt_strv_split(&folders, path, ':');
	for (size_t i = 0; i < folders.n; i++) {
		gt_autofree char *file = gt_strf("%s/%s", folders.v[i], name);
		struct stat st;

		if (file[0] == '/' && access(file, X_OK) == 0 && stat(file, &st) == 0 &&
		    S_ISREG(st.st_mode))
			return gt_steal(&file);
	}
	return gt_xstrdup(name);
}

/* All signals, those too that are libc's own: it would leave them ignored. */
static void signals_all(sigset_t *set)
{
	memset(set, 0xff, sizeof(*set));
}

static int spawn(const struct child_spec *spec, const int *extra, int null, pid_t *pid)
{
	gt_autofree char *program = spec->file ? gt_xstrdup(spec->file) : child_find(spec->argv[0]);
	posix_spawn_file_actions_t actions;
	const int std[] = { spec->in, spec->out, spec->err };
	posix_spawnattr_t attr;
	sigset_t none, all;
	int err;

	sigemptyset(&none);
	signals_all(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETPGROUP);
	posix_spawn_file_actions_init(&actions);
	err = posix_spawn_file_actions_addchdir_np(&actions, spec->cwd ? spec->cwd : "/");
	/* Ours are never 0 to 2: those are /dev/null from the start. */
	for (int i = 0; i < 3 && !err; i++)
		err = posix_spawn_file_actions_adddup2(&actions, std[i] >= 0 ? std[i] : null, i);
	for (size_t i = 0; i < spec->n_extra && !err; i++)
		err = posix_spawn_file_actions_adddup2(&actions, extra[i], 3 + i);
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(&actions, 3 + spec->n_extra);
	if (!err)
		err = posix_spawnp(pid, program, &actions, &attr, (char *const *)spec->argv,
				   spec->env ? (char *const *)spec->env : environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return err;
}

struct gt_error *child_spawn(const struct child_spec *spec, pid_t *pid)
{
	gt_autofd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	gt_autofree int *extra = gt_xcalloc(spec->n_extra, sizeof(*extra));
	int err = null < 0 ? errno : 0;
	size_t n = 0;

	for (; n < spec->n_extra && !err; n++) {
		extra[n] = fcntl(spec->extra[n], F_DUPFD_CLOEXEC, EXTRA_FLOOR);
		if (extra[n] < 0) {
			err = errno;
			break;
		}
	}
	if (!err)
		err = spawn(spec, extra, null, pid);
	while (n--)
		close(extra[n]);
	if (err)
		return gt_error_errno(err == ENOENT ? GT_NOT_FOUND : GT_UNKNOWN, err,
				      "exec: \"%s\"", spec->argv[0]);
	return NULL;
}

static void child_late(struct gt_timer *t)
{
	struct child *c = gt_container_of(t, struct child, deadline);

	c->timed_out = true;
	/* It is ours and not reaped: neither number can have gone to somebody else. */
	kill(-c->pid, SIGKILL);
	kill(c->pid, SIGKILL);
}

struct gt_error *child_start(struct shim *shim, struct child *c, const struct child_spec *spec,
			     int64_t timeout)
{
	GT_TRY(child_spawn(spec, &c->pid));
	c->shim = shim;
	c->timed_out = false;
	c->next = shim->children;
	c->link = &shim->children;
	if (c->next)
		c->next->link = &c->next;
	shim->children = c;
	c->deadline = (struct gt_timer){ .fn = child_late };
	if (timeout)
		gt_loop_at(shim->loop, &c->deadline, gt_now() + timeout);
	return NULL;
}

bool child_reaped(struct shim *shim, pid_t pid, int status)
{
	for (struct child *c = shim->children; c; c = c->next) {
		if (c->pid != pid)
			continue;
		*c->link = c->next;
		if (c->next)
			c->next->link = c->link;
		gt_timer_clear(&c->deadline);
		c->exited(c, status);
		return true;
	}
	return false;
}
