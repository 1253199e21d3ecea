/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "runtime.h"

#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SPEC_URL "types.containerd.io/opencontainers/runtime-spec/1/Spec"
#define PROCESS_URL "types.containerd.io/opencontainers/runtime-spec/1/Process"

static const char *const busyboxes[] = { "/bin/busybox", "/usr/bin/busybox" };

static bool make_rootfs(struct rig *g)
{
	static const char *const folders[] = { "bin", "proc", "dev", "dev/pts", "sys", "tmp" };
	static const char *const tools[] = { "sh", "cat", "true", "sleep", "echo", "kill" };
	gt_auto(gt_buf) program = GT_BUF_INIT;
	gt_autoptr(gt_error) e = NULL;
	gt_autofree char *file = gt_strf("%s/bin/busybox", g->rootfs);

	for (size_t i = 0; i < sizeof(busyboxes) / sizeof(*busyboxes); i++) {
		gt_error_free(gt_steal(&e));
		e = gt_file_read(AT_FDCWD, busyboxes[i], 16 << 20, &program);
		if (!e)
			break;
	}
	if (e)
		return false;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		gt_autofree char *path = gt_strf("%s/%s", g->rootfs, folders[i]);

		gt_error_free(gt_file_mkdirs(path, 0755));
	}
	e = gt_file_write(AT_FDCWD, file, program.s, program.len, 0755, false);
	for (size_t i = 0; !e && i < sizeof(tools) / sizeof(*tools); i++) {
		gt_autofree char *path = gt_strf("%s/bin/%s", g->rootfs, tools[i]);

		if (symlink("busybox", path) < 0)
			return false;
	}
	return !e;
}

bool rig_make(struct rig *g, struct gt_runtime *r, const char *dir)
{
	*g = (struct rig){ .r = r, .dir = dir, .call = GT_CALL_INIT };
	g->call.ns = "suite";
	if (geteuid() != 0) {
		suite_skip("only root may", "running containers");
		return false;
	}
	g->rootfs = gt_strf("%s/rootfs", dir);
	g->cgroup = gt_strf("/gantry-suite-%d", (int)getpid());
	if (!make_rootfs(g)) {
		suite_skip("no busybox-static", "running containers");
		rig_done(g);
		return false;
	}
	return true;
}

/* Calls 'fn' for the rig's folder in each hierarchy of control groups. */
static void each_cgroup(struct rig *g, void (*fn)(const char *folder, void *arg), void *arg)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	char line[4096];
	struct mntent m;

	while (f && getmntent_r(f, &m, line, sizeof(line))) {
		gt_autofree char *folder = NULL;

		if (strcmp(m.mnt_type, "cgroup") && strcmp(m.mnt_type, "cgroup2"))
			continue;
		folder = gt_strf("%s%s", m.mnt_dir, g->cgroup);
		if (access(folder, F_OK) == 0)
			fn(folder, arg);
	}
	if (f)
		endmntent(f);
}

static void remove_group(const char *folder, void *arg)
{
	(void)arg;
	rmdir(folder);
}

void rig_done(struct rig *g)
{
	if (g->cgroup)
		each_cgroup(g, remove_group, NULL);
	free(g->rootfs);
	free(g->cgroup);
}

static void add_group(const char *folder, void *arg)
{
	gt_autofree char *command = gt_strf("cd %s && find . -mindepth 1 -type d", folder);
	FILE *f = popen(command, "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		gt_buf_addf(arg, "cgroup %s: %s", folder, line);
	if (f)
		pclose(f);
}

/* Those in the folder that the plugin and the suite share: the rest of the machine lives on. */
static void add_mounts(struct rig *g, struct gt_buf *out)
{
	size_t len = strrchr(g->dir, '/') - g->dir;
	FILE *f = setmntent("/proc/self/mounts", "re");
	char line[4096];
	struct mntent m;

	while (f && getmntent_r(f, &m, line, sizeof(line)))
		if (!strncmp(m.mnt_dir, g->dir, len))
			gt_buf_addf(out, "mount %s\n", m.mnt_dir);
	if (f)
		endmntent(f);
}

char *rig_traces(struct rig *g)
{
	struct gt_buf b = GT_BUF_INIT;

	add_mounts(g, &b);
	each_cgroup(g, add_group, &b);
	return gt_buf_detach(&b);
}

void rig_clean(struct rig *g, const char *before, const char *what)
{
	gt_autofree char *now = NULL;

	for (int i = 0; i < 50; i++) { /* the kernel ends a group a moment after its last process */
		free(gt_steal(&now));
		now = rig_traces(g);
		if (!strcmp(now, before))
			break;
		usleep(20000);
	}
	if (!suite_ok(!strcmp(now, before), "%s leaves no mount and no control group", what))
		suite_note("before:\n%s\nafter:\n%s", before, now);
}

/* Foreign text never comes here: only what this suite writes. */
static void add_json(struct gt_buf *b, const char *s)
{
	gt_buf_addc(b, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			gt_buf_addc(b, '\\');
		gt_buf_addc(b, *s);
	}
	gt_buf_addc(b, '"');
}

static void add_process(struct gt_buf *b, bool terminal, const char *const *args)
{
	gt_buf_addf(b, "{\"terminal\":%s,\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\","
		       "\"env\":[\"PATH=/bin\",\"TERM=xterm\"],\"args\":[",
		    terminal ? "true" : "false");
	for (size_t i = 0; args[i]; i++) {
		if (i)
			gt_buf_addc(b, ',');
		add_json(b, args[i]);
	}
	gt_buf_adds(b, "]}");
}

char *task_spec(struct rig *g, const char *id, bool terminal, const char *extra_mount,
		const char *const *args)
{
	struct gt_buf b = GT_BUF_INIT;

	gt_buf_adds(&b, "{\"ociVersion\":\"1.0.2\",\"process\":");
	add_process(&b, terminal, args);
	gt_buf_addf(&b,
		    ",\"root\":{\"path\":\"rootfs\"},\"hostname\":\"suite\",\"mounts\":[%s"
		    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
		    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
		    "\"options\":[\"nosuid\",\"mode=755\"]},"
		    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
		    "\"options\":[\"newinstance\",\"ptmxmode=0666\",\"mode=0620\"]}],"
		    "\"linux\":{\"cgroupsPath\":\"%s/%s\",\"namespaces\":[{\"type\":\"pid\"},"
		    "{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"}]}}",
		    extra_mount ? extra_mount : "", g->cgroup, id);
	return gt_buf_detach(&b);
}

static char *make_fifo(struct task *t, const char *name, int *ours)
{
	char *path = gt_strf("%s/%s-%s", t->g->dir, t->id, name);

	unlink(path);
	if (mkfifo(path, 0600) < 0)
		return path;
	*ours = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return path;
}

struct gt_error *task_create_spec(struct rig *g, struct task *t, const char *id, unsigned flags,
				  const char *spec)
{
	struct gt_any any = { .type_url = (char *)SPEC_URL,
			      .data = (char *)spec,
			      .len = strlen(spec) };
	gt_auto(gt_mounts) mounts = { 0 };
	struct gt_mount *m = gt_mounts_add(&mounts, "bind", g->rootfs, "");
	struct gt_task_create req = { .size = sizeof(req), .id = id, .spec = &any,
				      .rootfs = &mounts, .runtime = "io.containerd.runc.v2" };

	gt_strv_add(&m->options, "rbind");
	gt_strv_add(&m->options, "rw");
	*t = (struct task){ .g = g, .in = -1, .out = -1, .err = -1, .stdout_text = GT_BUF_INIT,
			    .stderr_text = GT_BUF_INIT };
	snprintf(t->id, sizeof(t->id), "%s", id);
	if (flags & TASK_IO) {
		t->out_path = make_fifo(t, "stdout", &t->out);
		if (!(flags & TASK_TERMINAL))
			t->err_path = make_fifo(t, "stderr", &t->err);
	}
	if (flags & TASK_STDIN)
		t->in_path = make_fifo(t, "stdin", &t->in);
	req.stdio = (struct gt_stdio){ .in = t->in_path, .out = t->out_path, .err = t->err_path,
				       .terminal = flags & TASK_TERMINAL };
	return gt_runtime_create(g->r, &g->call, &req, &t->pid);
}

struct gt_error *task_create(struct rig *g, struct task *t, const char *id, unsigned flags,
			     const char *arg, ...)
{
	const char *args[16] = { arg };
	gt_autofree char *spec = NULL;
	size_t n = 1;
	va_list ap;

	va_start(ap, arg);
	while (n < 15 && (args[n] = va_arg(ap, const char *)))
		n++;
	va_end(ap);
	spec = task_spec(g, id, flags & TASK_TERMINAL, NULL, args);
	return task_create_spec(g, t, id, flags, spec);
}

struct gt_error *task_run(struct rig *g, struct task *t, const char *id, unsigned flags,
			  const char *script)
{
	uint32_t pid;

	GT_TRY(task_create(g, t, id, flags, "/bin/sh", "-c", script, NULL));
	return gt_runtime_start(g->r, &g->call, id, "", &pid);
}

struct gt_error *task_exec(struct task *t, const char *exec_id, const char *script)
{
	const char *const args[] = { "/bin/sh", "-c", script, NULL };
	gt_auto(gt_buf) b = GT_BUF_INIT;
	struct gt_any any = { .type_url = (char *)PROCESS_URL };
	struct gt_exec req = { .size = sizeof(req), .id = t->id, .exec_id = exec_id, .spec = &any };

	add_process(&b, false, args);
	any.data = b.s;
	any.len = b.len;
	req.stdio = (struct gt_stdio){ .out = t->out_path, .err = t->err_path };
	return gt_runtime_exec(t->g->r, &t->g->call, &req);
}

static void read_fifo(int fd, struct gt_buf *out)
{
	ssize_t n = fd;

	while (n >= 0) {
		n = read(fd, gt_buf_reserve(out, 65536), 65536);
		if (n > 0)
			gt_buf_setlen(out, out->len + n);
	}
}

void task_read(struct task *t)
{
	read_fifo(t->out, &t->stdout_text);
	read_fifo(t->err, &t->stderr_text);
}

bool task_expect(struct task *t, const char *text)
{
	for (int i = 0; i < 500; i++) {
		task_read(t);
		if (strstr(t->stdout_text.s, text))
			return true;
		usleep(10000);
	}
	return false;
}

void task_done(struct task *t)
{
	char *paths[] = { t->in_path, t->out_path, t->err_path };
	int fds[] = { t->in, t->out, t->err };

	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		if (paths[i])
			unlink(paths[i]);
		free(paths[i]);
	}
	gt_buf_done(&t->stdout_text);
	gt_buf_done(&t->stderr_text);
	t->in = t->out = t->err = -1;
	t->in_path = t->out_path = t->err_path = NULL;
}

struct gt_error *task_state(struct task *t, const char *exec_id, struct gt_task_state *out)
{
	return gt_runtime_state(t->g->r, &t->g->call, t->id, exec_id, out);
}

enum gt_task_status task_status(struct task *t, const char *exec_id)
{
	gt_auto(gt_task_state) s = { 0 };
	gt_autoptr(gt_error) e = task_state(t, exec_id, &s);

	return e ? (enum gt_task_status)-1 : s.status;
}

struct gt_error *task_remove(struct task *t, struct gt_exit *out)
{
	struct gt_exit unused;

	return gt_runtime_remove(t->g->r, &t->g->call, t->id, "", out ? out : &unused);
}

struct gt_error *task_kill(struct task *t, const char *exec_id, uint32_t signal)
{
	return gt_runtime_kill(t->g->r, &t->g->call, t->id, exec_id, signal, false);
}

static void on_exit_of(void *arg, struct gt_error *e, const struct gt_exit *exit)
{
	struct waited *w = arg;

	pthread_mutex_lock(&w->lock);
	w->calls++;
	gt_error_free(w->error);
	w->error = e;
	if (exit)
		w->exit = *exit;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

struct gt_error *waited_start(struct waited *w, struct task *t, const char *exec_id,
			      struct gt_cancel *cancel)
{
	struct gt_call call = t->g->call;

	*w = (struct waited){ 0 };
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	call.cancel = cancel;
	return gt_runtime_wait(t->g->r, &call, t->id, exec_id, on_exit_of, w);
}

bool waited_for(struct waited *w, int seconds)
{
	struct timespec until;
	bool ended;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&w->lock);
	while (!w->calls && pthread_cond_timedwait(&w->changed, &w->lock, &until) == 0)
		;
	ended = w->calls > 0;
	pthread_mutex_unlock(&w->lock);
	return ended;
}

struct gt_error *waited_end(struct waited *w, int seconds, struct gt_exit *exit)
{
	if (!waited_for(w, seconds))
		return gt_error_new(GT_DEADLINE_EXCEEDED, "no end within %d s", seconds);
	pthread_mutex_lock(&w->lock); /* the callback has let go of it after this */
	pthread_mutex_unlock(&w->lock);
	if (exit)
		*exit = w->exit;
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	return gt_steal(&w->error);
}

struct gt_error *task_wait(struct task *t, const char *exec_id, int seconds, struct gt_exit *exit)
{
	struct waited *w = gt_xcalloc(1, sizeof(*w)); /* outlives us if it never ends */
	struct gt_error *e = waited_start(w, t, exec_id, NULL);

	if (!e)
		e = waited_end(w, seconds, exit);
	if (gt_error_class(e) != GT_DEADLINE_EXCEEDED)
		free(w);
	return e;
}

static struct gt_error *count_one(void *arg, const char *ns, const char *id)
{
	(void)id;
	if (!strcmp(ns, "suite"))
		++*(int *)arg;
	return NULL;
}

int count_tasks(struct rig *g)
{
	gt_autoptr(gt_error) e = NULL;
	int n = 0;

	e = gt_runtime_walk(g->r, &g->call, count_one, &n);
	return e ? -1 : n;
}

bool is_refused(struct gt_error *e)
{
	enum gt_class cls = gt_error_class(e);

	gt_error_free(e);
	return cls != GT_OK && cls != GT_UNAVAILABLE && cls != GT_DEADLINE_EXCEEDED;
}
