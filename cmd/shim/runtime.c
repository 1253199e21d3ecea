/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "runtime.h"

#include "sealed.h"

#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define OUTPUT_MAX 16384
#define LOG_MAX (1024 * 1024)

void runtime_init_take(struct runtime *rt, struct options *o, const char *ns, const char *bundle)
{
	rt->options = *o;
	*o = (struct options){ 0 };
	rt->binary = gt_xstrdup(*rt->options.binary_name ? rt->options.binary_name
							 : OPTIONS_DEFAULT_BINARY);
	rt->root = gt_strf("%s/%s", *rt->options.root ? rt->options.root : OPTIONS_DEFAULT_ROOT, ns);
	rt->log = gt_strf("%s/log.json", bundle);
}

void runtime_done(struct runtime *rt)
{
	options_done(&rt->options);
	free(rt->binary);
	free(rt->root);
	free(rt->log);
	*rt = (struct runtime){ 0 };
}

void runtime_argv(const struct runtime *rt, struct gt_strv *argv)
{
	gt_strv_add(argv, rt->binary);
	gt_strv_add(argv, "--root");
	gt_strv_add(argv, rt->root);
	gt_strv_add(argv, "--log");
	gt_strv_add(argv, rt->log);
	gt_strv_add(argv, "--log-format");
	gt_strv_add(argv, "json");
	if (rt->options.systemd_cgroup)
		gt_strv_add(argv, "--systemd-cgroup");
}

/* What it printed, as far as a pipe held it: it never waits for us to read. */
static void output_read(int fd, struct gt_buf *out)
{
	while (out->len < OUTPUT_MAX) {
		ssize_t n = read(fd, gt_buf_reserve(out, 4096), 4096);

		if (n <= 0)
			break;
		gt_buf_setlen(out, out->len + n);
	}
	while (out->len && strchr(" \t\r\n", out->s[out->len - 1]))
		gt_buf_setlen(out, out->len - 1);
}

static void run_exited(struct child *c, int status)
{
	struct run *r = (struct run *)c;
	gt_auto(gt_buf) out = GT_BUF_INIT;
	struct gt_error *e = NULL;

	if (r->output >= 0) {
		if (status)
			output_read(r->output, &out);
		close(r->output);
		r->output = -1;
	}
	if (c->timed_out)
		e = gt_error_new(GT_DEADLINE_EXCEEDED, "%s did not end in time and was killed",
				 r->rt->binary);
	else if (WIFSIGNALED(status))
		e = gt_error_new(GT_UNKNOWN, "%s did not terminate successfully: signal: %s: %s",
				 r->rt->binary, strsignal(WTERMSIG(status)), out.s);
	else if (status)
		e = gt_error_new(GT_UNKNOWN, "%s did not terminate successfully: exit status %d: %s",
				 r->rt->binary, WEXITSTATUS(status), out.s);
	r->done(r, e);
}

/*
 * runc lives for milliseconds, of which its garbage collector takes some. Without it, but not without bounds,
 * for what it may leave behind as hooks.
 */
static void runc_env(const char *program, struct gt_strv *out)
{
	const char *name = strrchr(program, '/');

	if (strcmp(name ? name + 1 : program, "runc") != 0 || getenv("GOGC") || getenv("GOMEMLIMIT"))
		return;
	for (char **e = environ; *e; e++)
		gt_strv_add(out, *e);
	gt_strv_add(out, "GOGC=off");
	gt_strv_add(out, "GOMEMLIMIT=64MiB");
}

static struct gt_error *start(struct shim *shim, struct run *r, struct child_spec *spec,
			      const char *copy, const char *program, int64_t timeout)
{
	spec->file = copy ? copy : program;
	if (copy) {
		struct gt_error *e = child_start(shim, &r->child, spec, timeout);

		if (!e)
			return NULL;
		gt_error_free(e); /* some machines run nothing that lies in memory */
		spec->file = program;
	}
	return child_start(shim, &r->child, spec, timeout);
}

struct gt_error *run_start_take(struct shim *shim, struct run *r, const struct runtime *rt,
				struct gt_strv *argv, const struct run_stdio *io, const char *cwd,
				int64_t timeout)
{
	struct child_spec spec = {
		.argv = (const char *const *)argv->v,
		.cwd = cwd,
		.in = io->in,
		.out = -1,
		.err = -1,
	};
	gt_autofree char *program = child_find(argv->v[0]);
	gt_autofree char *copy = sealed_path(shim, program);
	gt_auto(gt_strv) env = { 0 };
	struct gt_error *e = NULL;
	int fds[2] = { -1, -1 };
	struct stat st;

	runc_env(program, &env);
	if (env.n)
		spec.env = (const char *const *)env.v;
	r->rt = rt;
	r->output = -1;
	r->child.exited = run_exited;
	r->log_start = stat(rt->log, &st) == 0 ? st.st_size : 0;
	if (io->fds) {
		spec.in = io->fds[0];
		spec.out = io->fds[1];
		spec.err = io->fds[2];
	} else if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		e = gt_error_errno(GT_UNKNOWN, errno, "make a pipe");
	} else {
		spec.out = spec.err = fds[1];
		r->output = fds[0];
	}
	if (!e)
		e = start(shim, r, &spec, copy, program, timeout);
	if (fds[1] >= 0)
		close(fds[1]);
	if (e && r->output >= 0) {
		close(r->output);
		r->output = -1;
	}
	gt_strv_done(argv);
	return e;
}

/* The last message of level error in the log since this call began; NULL if there is none. */
static char *last_words(const struct run *r)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_autofd int fd = open(r->rt->log, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	char *found = NULL;
	struct stat st;
	off_t at = r->log_start;
	char *line, *rest;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	if (st.st_size < at)
		at = 0;
	if (st.st_size - at > LOG_MAX)
		at = st.st_size - LOG_MAX;
	while (text.len < LOG_MAX) {
		ssize_t n = pread(fd, gt_buf_reserve(&text, 4096), 4096, at);

		if (n <= 0)
			break;
		gt_buf_setlen(&text, text.len + n);
		at += n;
	}
	for (line = strtok_r(text.s, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *j = json_loads(line, 0, NULL);
		const char *level = json_string_value(json_object_get(j, "level"));
		const char *msg = json_string_value(json_object_get(j, "msg"));

		if (level && msg && !strcmp(level, "error")) {
			free(found);
			found = gt_xstrdup(msg);
		}
		json_decref(j);
	}
	return found;
}

struct gt_error *runtime_error_take(const struct run *r, struct gt_error *e, const char *what)
{
	gt_autofree char *words = e ? last_words(r) : NULL;
	enum gt_class cls = gt_error_class(e);

	if (!words || !*words)
		return gt_error_wrap(e, "%s", what);
	gt_error_free(e);
	return gt_error_new(cls, "%s: %s", what, words);
}

struct gt_error *runtime_pid_read(const char *path, pid_t *pid)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	long n = 0;

	GT_TRY(gt_error_reclass(gt_file_read(AT_FDCWD, path, 32, &text), GT_UNKNOWN));
	for (const char *p = text.s; *p && *p != '\n'; p++) {
		if (*p < '0' || *p > '9' || n > INT_MAX / 10)
			return gt_error_new(GT_UNKNOWN, "%s holds no pid", path);
		n = 10 * n + (*p - '0');
	}
	if (n < 1 || n > INT_MAX)
		return gt_error_new(GT_UNKNOWN, "%s holds no pid", path);
	*pid = (pid_t)n;
	return NULL;
}
