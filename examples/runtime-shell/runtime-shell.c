/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An out-of-tree runtime on the installed SDK alone: each task has a shell that waits to be started, runs
 * `runc run` on the bundle, and writes down how that ended. No terminals, no execs.
 *   STATE/NS/ID/config.json  rootfs/  start (a FIFO)  alive (locked by the shell)  pid  exit
 */
#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/runtime.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct shell_config {
	char *program;
};

static const struct gt_option shell_options[] = {
	GT_OPT_STRING(struct shell_config, program, "runc", "The OCI runtime program."), { 0 }
};

/* $0: the task's folder, $1: its id, $2: the program, then stdin, stdout and stderr. */
static const char script[] =
	"cd \"$0\" && exec 9>alive && flock 9 && echo $$ >pid.tmp && mv pid.tmp pid && read go <start\n"
	"exec 8<>\"$3\" <\"$3\" 8>&- >\"$4\" 2>\"$5\"\n" /* a FIFO whose writer has gone is no wait */
	"\"$2\" --root \"$0/run\" run --bundle \"$0\" --pid-file \"$0/pid\" \"$1\" 9>&-\n"
	"echo \"$? $(date +%s)\" >exit.tmp && mv exit.tmp exit\n";

static struct gt_error *shell_open(const struct gt_init *init, struct gt_runtime **out)
{
	*out = gt_xcalloc(1, sizeof(**out)); /* the host fills in ops and init */
	return NULL;
}

static void shell_close(struct gt_runtime *r) { free(r); }

static char *folder_of(struct gt_runtime *r, const char *ns, const char *id)
{
	return gt_strf("%s/%s/%s", r->init->state, ns, id);
}

/* NOT_FOUND unless there is such a task. */
static struct gt_error *task_find(struct gt_runtime *r, struct gt_call *call, const char *id,
				  const char *exec_id, char **folder)
{
	gt_autofree char *path = folder_of(r, call->ns, id);
	if (*exec_id)
		return gt_error_new(GT_NOT_FOUND, "process does not exist %s", exec_id);
	if (access(path, F_OK) < 0)
		return gt_error_new(GT_NOT_FOUND, "task %s not found", id);
	*folder = gt_steal(&path);
	return NULL;
}

/* The numbers in a small file of the task's; false if it is not there yet. */
static bool numbers(const char *folder, const char *name, long *a, long *b)
{
	gt_autofree char *path = gt_strf("%s/%s", folder, name);
	gt_auto(gt_buf) text = GT_BUF_INIT;
	struct gt_error *e = gt_file_read(AT_FDCWD, path, 100, &text);
	bool is_there = !e && sscanf(text.s, "%ld %ld", a, b) >= 1;
	gt_error_free(e);
	return is_there;
}

/* Waits, if asked to, until the task's shell has ended; whether it has. */
static bool has_ended(const char *folder, bool wait)
{
	gt_autofree char *path = gt_strf("%s/alive", folder);
	gt_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || flock(fd, LOCK_SH | (wait ? 0 : LOCK_NB)) == 0;
}

static void exit_read(const char *folder, struct gt_exit *out)
{
	long status = 255, at = time(NULL), pid = 0;
	numbers(folder, "exit", &status, &at);
	numbers(folder, "pid", &pid, &pid);
	*out = (struct gt_exit){ .pid = pid, .status = status, .at.tv_sec = at };
}

static struct gt_error *rootfs_mount(const struct gt_mounts *mounts, const char *target)
{
	for (size_t i = 0; mounts && i < mounts->n; i++) {
		const struct gt_mount *m = &mounts->v[i];
		gt_auto(gt_buf) options = GT_BUF_INIT;
		const char *argv[] = { "mount", "-t", m->type, "-o", NULL, m->source, target, NULL };
		pid_t child;
		int status = -1;

		for (size_t k = 0; k < m->options.n; k++)
			gt_buf_addf(&options, "%s%s", k ? "," : "", m->options.v[k]);
		argv[4] = options.s;
		if (posix_spawnp(&child, "mount", NULL, NULL, (char *const *)argv, environ) ||
		    waitpid(child, &status, 0) < 0 || status)
			return gt_error_new(GT_UNKNOWN, "mount %s on %s", m->source, target);
	}
	return NULL;
}

static const char *file_of(const char *stdio)
{
	if (!stdio || !*stdio)
		return "/dev/null";
	return strncmp(stdio, "file://", 7) ? stdio : stdio + 7;
}

static struct gt_error *shell_spawn(const struct gt_runtime *r, const struct gt_task_create *req,
				    const char *folder, uint32_t *pid)
{
	const struct shell_config *config = r->init->config;
	const char *argv[] = { "setsid", "sh", "-c", script, folder, req->id, config->program,
			       file_of(req->stdio.in), file_of(req->stdio.out),
			       file_of(req->stdio.err), NULL };
	long number = 0;
	pid_t child;
	int err = posix_spawnp(&child, "setsid", NULL, NULL, (char *const *)argv, environ);

	if (err)
		return gt_error_errno(GT_UNKNOWN, err, "run sh");
	while (!numbers(folder, "pid", &number, &number)) /* it has the lock then */
		usleep(1000);
	*pid = number;
	return NULL;
}

static struct gt_error *shell_create(struct gt_runtime *r, struct gt_call *call,
	const struct gt_task_create *req, uint32_t *pid)
{
	gt_autofree char *folder = folder_of(r, call->ns, req->id);
	gt_autofree char *rootfs = gt_strf("%s/rootfs", folder), *start = gt_strf("%s/start", folder);
	gt_autofree char *config = gt_strf("%s/config.json", folder);
	struct gt_error *e;

	if (req->stdio.terminal)
		return gt_error_new(GT_UNIMPLEMENTED, "runtime shell has no terminals");
	if (access(folder, F_OK) == 0)
		return gt_error_new(GT_ALREADY_EXISTS, "task %s", req->id);
	e = gt_file_mkdirs(rootfs, 0711);
	if (!e)
		e = gt_file_write(AT_FDCWD, config, req->spec->data, req->spec->len, 0600, false);
	if (!e && mkfifo(start, 0600) < 0)
		e = gt_error_errno(gt_file_class(errno), errno, "make FIFO %s", start);
	if (!e)
		e = rootfs_mount(req->rootfs, rootfs);
	if (!e)
		e = shell_spawn(r, req, folder, pid);
	if (!e)
		return NULL;
	umount2(rootfs, MNT_DETACH);
	return gt_error_first(e, gt_file_remove_tree(AT_FDCWD, folder));
}

static struct gt_error *shell_start(struct gt_runtime *r, struct gt_call *call, const char *id,
	const char *exec_id, uint32_t *pid)
{
	gt_autofree char *folder = NULL, *start = NULL;
	gt_autofd int fd = -1;
	long number = 0;
	GT_TRY(task_find(r, call, id, exec_id, &folder));
	start = gt_strf("%s/start", folder);
	do /* until its reader has come, or has gone */
		fd = open(start, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	while (fd < 0 && errno == ENXIO && !has_ended(folder, false) && !usleep(1000));
	if (fd < 0 || unlink(start) < 0)
		return gt_error_new(GT_UNKNOWN, "cannot start a %s process",
				    has_ended(folder, false) ? "stopped" : "running");
	GT_TRY(gt_file_write_all(fd, "go\n", 3, start));
	numbers(folder, "pid", &number, &number);
	*pid = number;
	return NULL;
}

static struct gt_error *shell_state(struct gt_runtime *r, struct gt_call *call, const char *id,
	const char *exec_id, struct gt_task_state *out)
{
	gt_autofree char *folder = NULL, *start = NULL;
	struct gt_exit x;
	GT_TRY(task_find(r, call, id, exec_id, &folder));
	start = gt_strf("%s/start", folder);
	exit_read(folder, &x);
	*out = (struct gt_task_state){ .id = gt_xstrdup(id), .exec_id = gt_xstrdup(""), .pid = x.pid,
		.bundle = gt_xstrdup(folder), .in = gt_xstrdup(""), .out = gt_xstrdup(""),
		.err = gt_xstrdup(""), .status = access(start, F_OK) ? GT_TASK_RUNNING : GT_TASK_CREATED };
	if (!has_ended(folder, false))
		return NULL;
	out->status = GT_TASK_STOPPED;
	out->exit_status = x.status;
	out->exited_at = x.at;
	return NULL;
}

static struct gt_error *shell_remove(struct gt_runtime *r, struct gt_call *call, const char *id,
	const char *exec_id, struct gt_exit *out)
{
	gt_autofree char *folder = NULL, *rootfs = NULL, *start = NULL;
	long pid = 0;
	GT_TRY(task_find(r, call, id, exec_id, &folder));
	start = gt_strf("%s/start", folder);
	rootfs = gt_strf("%s/rootfs", folder);
	if (access(start, F_OK) == 0 && numbers(folder, "pid", &pid, &pid))
		kill(pid, SIGKILL); /* created and never started: only the shell is there */
	else if (!has_ended(folder, false))
		return gt_error_new(GT_UNKNOWN, "cannot delete a running process");
	has_ended(folder, true);
	exit_read(folder, out);
	if (umount2(rootfs, 0) < 0 && errno != EINVAL && errno != ENOENT)
		return gt_error_errno(GT_UNKNOWN, errno, "unmount %s", rootfs);
	return gt_file_remove_tree(AT_FDCWD, folder);
}

static struct gt_error *shell_kill(struct gt_runtime *r, struct gt_call *call, const char *id,
	const char *exec_id, uint32_t signal, bool all)
{
	gt_autofree char *folder = NULL;
	long pid = 0;
	GT_TRY(task_find(r, call, id, exec_id, &folder));
	if (has_ended(folder, false) || !numbers(folder, "pid", &pid, &pid) || kill(pid, signal) < 0)
		return gt_error_new(GT_NOT_FOUND, "process already finished");
	return NULL;
}

struct waiter {
	char *folder;
	gt_wait_fn *fn;
	void *arg;
};

static void *waiter_main(void *arg)
{
	struct waiter *w = arg;
	struct gt_exit x;
	has_ended(w->folder, true);
	exit_read(w->folder, &x);
	w->fn(w->arg, NULL, &x);
	free(w->folder);
	free(w);
	return NULL;
}

static struct gt_error *shell_wait(struct gt_runtime *r, struct gt_call *call, const char *id,
	const char *exec_id, gt_wait_fn *fn, void *arg)
{
	gt_autofree char *folder = NULL;
	struct waiter *w, fresh = { .fn = fn, .arg = arg };
	pthread_t thread;
	GT_TRY(task_find(r, call, id, exec_id, &folder));
	w = gt_xmemdup(&fresh, sizeof(fresh));
	w->folder = gt_steal(&folder);
	if (!pthread_create(&thread, NULL, waiter_main, w))
		return pthread_detach(thread), NULL;
	free(w->folder);
	free(w);
	return gt_error_new(GT_RESOURCE_EXHAUSTED, "wait for task %s: no thread", id);
}

static struct gt_error *shell_walk(struct gt_runtime *r, struct gt_call *call,
	struct gt_error *(*fn)(void *, const char *, const char *), void *arg)
{
	gt_autofree char *pattern = folder_of(r, call->ns ? call->ns : "*", "*");
	struct gt_error *e = NULL;
	glob_t g = { 0 };

	glob(pattern, 0, NULL, &g);
	for (size_t i = 0; !e && i < g.gl_pathc; i++) {
		char *id = strrchr(g.gl_pathv[i], '/');
		*id = '\0';
		e = fn(arg, strrchr(g.gl_pathv[i], '/') + 1, id + 1);
	}
	globfree(&g);
	return e;
}

static const struct gt_runtime_ops shell_ops = {
	.size = sizeof(shell_ops),
	.open = shell_open, .close = shell_close, .create = shell_create, .start = shell_start,
	.remove = shell_remove, .state = shell_state, .kill = shell_kill, .wait = shell_wait,
	.walk = shell_walk,
};

GT_PLUGIN(runtime_shell) = {
	GT_PLUGIN_HEADER,
	.kind = GT_RUNTIME,
	.id = "shell",
	.doc = "Runs each container under a shell that waits for `runc run`.",
	.options = shell_options, .config_size = sizeof(struct shell_config),
	.ops.runtime = &shell_ops,
	.provides = (const char *const[]){ "example.shell.v1", NULL },
};
