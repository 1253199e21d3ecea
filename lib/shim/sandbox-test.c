/* SPDX-License-Identifier: Apache-2.0 */
/* Sandboxes and their tasks, with the shim of the build tree and a runtime program that only pretends. */
#include <config.h>

#include <shim/sandbox.h>

#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define SECOND INT64_C(1000000000)

static char *dir, *shim, *runtime_program;
static const struct gt_shim_config config = {
	.events_address = "",
	.start_timeout = 10 * SECOND,
	.connect_timeout = 5 * SECOND,
	.state_timeout = 5 * SECOND,
	.task_timeout = 20 * SECOND,
	.checkpoint_timeout = 20 * SECOND,
	.shutdown_timeout = 3 * SECOND,
	.cleanup_timeout = 4 * SECOND,
};
static struct gt_shim_runtime sandboxes, tasks;
static struct gt_call call = GT_CALL_INIT;

static void expect(struct gt_error *e, enum gt_class want, const char *text)
{
	ck_assert_msg(gt_error_class(e) == want, "%s", gt_error_text(e));
	if (text)
		ck_assert_msg(strstr(gt_error_text(e), text), "%s", gt_error_text(e));
	gt_error_free(e);
}

static void begin(struct gt_shim_runtime *r, const char *folder, unsigned version)
{
	*r = (struct gt_shim_runtime){ .settings = { .config = &config,
						     .state = dir,
						     .root = dir,
						     .folder = folder,
						     .max_version = version,
						     .lazy_work = true } };
	gt_shim_runtime_init(r);
}

static void setup(void)
{
	static const char script[] =
		"#!/bin/sh\n"
		"for a; do [ \"$last\" = --pid-file ] && f=$a; last=$a; done\n"
		"case \" $* \" in\n"
		"*' create '*) sleep 1000 </dev/null >/dev/null 2>&1 & printf %s $! >\"$f\" ;;\n"
		"*' kill '*) kill -$last $(cat init.pid) ;;\n"
		"esac\n";
	const char *tmp = getenv("TMPDIR"), *build = getenv("abs_top_builddir");
	gt_autofree char *bin = gt_strf("%s/containerd-shim-gantry-v1", build ? build : ".");

	shim = realpath(bin, NULL);
	ck_assert_msg(shim, "no %s", bin);
	dir = gt_strf("%s/sandbox-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	runtime_program = gt_strf("%s/runtime", dir);
	expect(gt_file_write(AT_FDCWD, runtime_program, script, strlen(script), 0755, false), GT_OK,
	       NULL);
	begin(&sandboxes, GT_SHIM_SANDBOXES, 3);
	begin(&tasks, NULL, 0);
	call = (struct gt_call)GT_CALL_INIT;
	call.ns = "ns1";
	call.deadline = gt_now() + 60 * SECOND;
}

static void teardown(void)
{
	gt_shim_runtime_done(&sandboxes);
	gt_shim_runtime_done(&tasks);
	gt_error_free(gt_file_remove_tree(AT_FDCWD, dir));
	free(dir);
	free(shim);
	free(runtime_program);
}

static struct gt_error *make(const char *id)
{
	return gt_shim_sandbox_create(
		&sandboxes, &call, &(struct gt_shim_sandbox_create){ .id = id, .program = shim });
}

static struct gt_error *make_task(const char *id, const char *sandbox, uint32_t *pid)
{
	gt_autofree char *packed = gt_strf("%c%c%s", 6 << 3 | 2, (char)strlen(runtime_program),
					   runtime_program);
	const struct gt_any options = { .type_url = (char *)"containerd.runc.v1.Options",
					.data = packed,
					.len = strlen(packed) };
	static char text[] = "{\"linux\":{\"namespaces\":[{\"type\":\"pid\"}]}}";
	const struct gt_any spec = { .data = text, .len = sizeof(text) - 1 };
	const struct gt_task_create req = { .size = sizeof(req), .id = id, .spec = &spec,
					    .sandbox = sandbox };

	ck_assert_uint_lt(strlen(runtime_program), 128);
	return gt_shim_runtime_create(&tasks, &call, &req, shim, &options, &options, pid);
}

static struct gt_error *count(void *arg, const char *ns, const char *id)
{
	(void)ns;
	(void)id;
	++*(int *)arg;
	return NULL;
}

/* The connection closes a moment before the process is gone; the case's own time limit ends this. */
static void wait_gone(pid_t pid)
{
	while (kill(pid, 0) == 0)
		usleep(1000);
}

static int n_sandboxes(void)
{
	int n = 0;

	expect(gt_shim_sandbox_walk(&sandboxes, &call, count, &n), GT_OK, NULL);
	return n;
}

struct heard {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	enum gt_class cls;
	struct gt_exit exit;
};

static void hear(void *arg, struct gt_error *e, const struct gt_exit *exit)
{
	struct heard *h = arg;

	pthread_mutex_lock(&h->lock);
	h->cls = gt_error_class(e);
	gt_error_free(e);
	if (exit)
		h->exit = *exit;
	h->done = true;
	pthread_cond_signal(&h->cond);
	pthread_mutex_unlock(&h->lock);
}

START_TEST(life)
{
	struct heard h = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };
	gt_autofree char *os = NULL, *arch = NULL, *variant = NULL;
	struct gt_shim_sandbox_status st = { 0 };
	struct gt_shim_sandbox_start started = { 0 };
	struct gt_shim_endpoint at = { 0 };
	struct gt_any figures = { 0 };
	struct timespec when;
	pid_t pid;

	expect(gt_shim_sandbox_ping(&sandboxes, &call, "pod"), GT_NOT_FOUND, "sandbox pod not found");
	expect(make("a/b"), GT_INVALID_ARGUMENT, "a/b");
	expect(make("pod"), GT_OK, NULL);
	expect(make("pod"), GT_ALREADY_EXISTS, "sandbox pod");
	ck_assert_int_eq(n_sandboxes(), 1);
	expect(gt_shim_sandbox_endpoint(&sandboxes.bundles, "ns1", "pod", &at), GT_OK, NULL);
	ck_assert_uint_eq(at.version, 3);
	ck_assert(!strncmp(at.address, "unix:///", 8));
	gt_shim_endpoint_done(&at);
	expect(gt_shim_sandbox_wait(&sandboxes, &call, "pod", hear, &h), GT_OK, NULL);
	expect(gt_shim_sandbox_start(&sandboxes, &call, "pod", &started), GT_OK, NULL);
	pid = (pid_t)started.pid;
	ck_assert_int_gt(pid, 1);
	ck_assert_int_gt(started.created_at.tv_sec, 0);
	gt_shim_sandbox_start_done(&started);
	expect(gt_shim_sandbox_start(&sandboxes, &call, "pod", &started), GT_FAILED_PRECONDITION,
	       "has been started");
	expect(gt_shim_sandbox_status(&sandboxes, &call, "pod", true, &st), GT_OK, NULL);
	ck_assert_str_eq(st.id, "pod");
	ck_assert_str_eq(st.state, "SANDBOX_READY");
	ck_assert_int_eq(st.exited_at.tv_sec, 0);
	ck_assert_str_eq(gt_labels_get(&st.info, "containers"), "");
	gt_shim_sandbox_status_done(&st);
	expect(gt_shim_sandbox_platform(&sandboxes, &call, "pod", &os, &arch, &variant), GT_OK, NULL);
	ck_assert_str_eq(os, "linux");
	expect(gt_shim_sandbox_metrics(&sandboxes, &call, "pod", &when, &figures), GT_OK, NULL);
	ck_assert_int_gt(when.tv_sec, 0);
	ck_assert_ptr_null(figures.type_url);
	ck_assert(!h.done);
	expect(gt_shim_sandbox_stop(&sandboxes, &call, "pod", 0), GT_OK, NULL);
	pthread_mutex_lock(&h.lock);
	while (!h.done)
		pthread_cond_wait(&h.cond, &h.lock);
	pthread_mutex_unlock(&h.lock);
	ck_assert_int_eq(h.cls, GT_OK);
	ck_assert_int_gt(h.exit.at.tv_sec, 0);
	expect(gt_shim_sandbox_shutdown(&sandboxes, &call, "pod"), GT_OK, NULL);
	ck_assert_int_eq(n_sandboxes(), 0);
	wait_gone(pid);
	expect(gt_shim_sandbox_shutdown(&sandboxes, &call, "pod"), GT_NOT_FOUND, "sandbox pod");
}
END_TEST

START_TEST(with_tasks)
{
	struct gt_shim_sandbox_start started = { 0 };
	struct gt_shim_sandbox_status st = { 0 };
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	struct gt_exit exit;
	uint32_t pid;

	expect(make("pod"), GT_OK, NULL);
	expect(gt_shim_sandbox_start(&sandboxes, &call, "pod", &started), GT_OK, NULL);
	expect(make_task("t1", "pod", &pid), GT_OK, NULL);
	expect(make_task("t2", "pod", &pid), GT_OK, NULL);
	expect(make_task("alone", "only-a-name", &pid), GT_OK, NULL);
	expect(gt_bundle_open(&tasks.bundles, "ns1", "t1", &b), GT_OK, NULL);
	ck_assert(gt_bundle_is_attached(&b));
	expect(gt_shim_sandbox_status(&sandboxes, &call, "pod", true, &st), GT_OK, NULL);
	ck_assert_str_eq(gt_labels_get(&st.info, "containers"), "t2,t1");
	gt_shim_sandbox_status_done(&st);
	expect(gt_shim_sandbox_shutdown(&sandboxes, &call, "pod"), GT_FAILED_PRECONDITION, "t2,t1");
	expect(gt_shim_runtime_kill(&tasks.base, &call, "t1", "", SIGKILL, false), GT_OK, NULL);
	expect(gt_shim_sandbox_stop(&sandboxes, &call, "pod", 0), GT_OK, NULL);
	expect(make_task("t3", "pod", &pid), GT_FAILED_PRECONDITION, "has been stopped");
	expect(gt_shim_runtime_remove(&tasks.base, &call, "t1", "", &exit), GT_OK, NULL);
	ck_assert_uint_eq(exit.status, 137);
	expect(gt_shim_sandbox_ping(&sandboxes, &call, "pod"), GT_OK, NULL);
	expect(gt_shim_runtime_remove(&tasks.base, &call, "t2", "", &exit), GT_OK, NULL);
	expect(gt_shim_sandbox_ping(&sandboxes, &call, "pod"), GT_OK, NULL);
	expect(gt_shim_sandbox_shutdown(&sandboxes, &call, "pod"), GT_OK, NULL);
	expect(gt_shim_runtime_kill(&tasks.base, &call, "alone", "", SIGKILL, false), GT_OK, NULL);
	expect(gt_shim_runtime_purge(&tasks.base, &call, "alone", &exit), GT_OK, NULL);
}
END_TEST

START_TEST(dead)
{
	struct gt_shim_sandbox_start started = { 0 };
	struct gt_shim_sandbox_status st;
	struct gt_exit exit;
	uint32_t pid;

	expect(make("pod"), GT_OK, NULL);
	expect(gt_shim_sandbox_start(&sandboxes, &call, "pod", &started), GT_OK, NULL);
	expect(make_task("t1", "pod", &pid), GT_OK, NULL);
	ck_assert_int_eq(kill((pid_t)started.pid, SIGKILL), 0);
	wait_gone((pid_t)started.pid);
	expect(gt_shim_sandbox_status(&sandboxes, &call, "pod", false, &st), GT_UNAVAILABLE, "pod");
	expect(gt_shim_runtime_purge(&tasks.base, &call, "t1", &exit), GT_OK, NULL);
	kill((pid_t)pid, SIGKILL); /* what a runtime program would have done */
	/* Its name is free again, even before anybody has cleaned up. */
	expect(make("pod"), GT_OK, NULL);
	expect(gt_shim_sandbox_start(&sandboxes, &call, "pod", &started), GT_OK, NULL);
	ck_assert_int_eq(kill((pid_t)started.pid, SIGKILL), 0);
	wait_gone((pid_t)started.pid);
	expect(gt_shim_sandbox_shutdown(&sandboxes, &call, "pod"), GT_OK, NULL);
	ck_assert_int_eq(n_sandboxes(), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("shim sandbox");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, life);
	tcase_add_test(t, with_tasks);
	tcase_add_test(t, dead);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
