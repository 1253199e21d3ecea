/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <proc/grace.h>
#include <proc/proc.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define ck_no_error(expr)                                                                         \
	do {                                                                                       \
		struct gt_error *ck_e = (expr);                                                    \
		ck_assert_msg(!ck_e, "%s", gt_error_text(ck_e));                                   \
	} while (0)
#define ck_class(expr, want)                                                                      \
	do {                                                                                       \
		struct gt_error *ck_e = (expr);                                                    \
		ck_assert_msg(gt_error_class(ck_e) == (want), "got %s: %s",                        \
			      gt_class_name(gt_error_class(ck_e)), gt_error_text(ck_e));           \
		gt_error_free(ck_e);                                                               \
	} while (0)

static struct gt_error *run_shell(const char *script, const char *input, int64_t deadline,
				  size_t limit, struct gt_buf *output, int *status)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct gt_proc_spec spec = { .argv = argv };
	struct gt_call call = GT_CALL_INIT;

	call.deadline = deadline;
	return gt_proc_run(&spec, &call, input, input ? strlen(input) : 0, limit, output, status);
}

START_TEST(run_gives_output_and_status)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	int status = -1;

	ck_no_error(run_shell("cat; echo err >&2; exit 7", "some input\n", 0, 1000, &out, &status));
	ck_assert_str_eq(out.s, "some input\nerr\n");
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	ck_no_error(run_shell("kill -9 $$", NULL, 0, 1000, &out, &status));
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
END_TEST

START_TEST(input_that_nobody_reads_is_harmless)
{
	gt_autofree char *big = gt_xmalloc(1 << 20);
	gt_auto(gt_buf) out = GT_BUF_INIT;
	int status = -1;

	memset(big, 'x', (1 << 20) - 1);
	big[(1 << 20) - 1] = '\0';
	ck_no_error(run_shell("exec true", big, 0, 1000, &out, &status));
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(output_is_cut_at_the_limit)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	int status = -1;

	gt_buf_adds(&out, "kept:");
	ck_no_error(run_shell("head -c 3000000 /dev/zero | tr '\\0' a", NULL, 0, 100000, &out,
			      &status));
	ck_assert_uint_eq(out.len, 100005);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(deadline_kills)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	int64_t start = gt_now();
	int status;

	ck_class(run_shell("exec sleep 100", NULL, start + 200000000, 10, &out, &status),
		 GT_DEADLINE_EXCEEDED);
	ck_assert_int_lt(gt_now() - start, INT64_C(20000000000));
	ck_assert_int_eq(waitpid(-1, &status, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(grandchild_is_not_waited_for)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	int64_t start = gt_now();
	int status;

	/* Both grandchildren keep the output; one never stops writing until the pipe breaks. */
	ck_no_error(run_shell("sleep 30 & yes & echo $!; exit 3", NULL, 0, 20, &out, &status));
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	ck_assert_int_lt(gt_now() - start, INT64_C(20000000000));
}
END_TEST

static void *cancel_soon(void *arg)
{
	usleep(100000);
	gt_cancel_set(arg);
	return NULL;
}

START_TEST(cancel_kills)
{
	const char *argv[] = { "sleep", "100", NULL };
	struct gt_proc_spec spec = { .argv = argv };
	struct gt_call call = GT_CALL_INIT;
	struct gt_proc p;
	pthread_t t;
	int status;

	call.cancel = gt_cancel_new();
	ck_no_error(gt_proc_spawn(&spec, &p));
	pthread_create(&t, NULL, cancel_soon, call.cancel);
	ck_class(gt_proc_wait(&p, &call, &status), GT_CANCELED);
	ck_assert_int_eq(p.pidfd, -1);
	ck_assert_int_eq(kill(p.pid, 0), -1);
	pthread_join(t, NULL);
	gt_cancel_free(call.cancel);
}
END_TEST

START_TEST(exec_error_is_known)
{
	const char *argv[] = { "/nonexistent/program", NULL };
	struct gt_proc_spec spec = { .argv = argv };
	struct gt_proc p = { .pidfd = -1 };

	ck_class(gt_proc_spawn(&spec, &p), GT_NOT_FOUND);
	argv[0] = "gantry-no-such-program";
	ck_class(gt_proc_spawn(&spec, &p), GT_NOT_FOUND);
	argv[0] = "";
	ck_class(gt_proc_spawn(&spec, &p), GT_NOT_FOUND);
	argv[0] = "/etc/passwd";
	ck_class(gt_proc_spawn(&spec, &p), GT_PERMISSION_DENIED);
	argv[0] = "true";
	spec.cwd = "/nonexistent";
	ck_class(gt_proc_spawn(&spec, &p), GT_NOT_FOUND);
	ck_assert_int_eq(p.pidfd, -1);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(only_the_named_descriptors_arrive)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	const char *argv[] = { "/bin/ls", "/proc/self/fd", NULL };
	int a = dup2(open("/dev/null", O_RDONLY), 30), b = dup2(open("/dev/zero", O_RDONLY), 31);
	/* They swap, and leave a gap below the last. */
	struct gt_proc_fd fds[] = { { a, b }, { b, a }, { a, 40 } };
	struct gt_proc_spec spec = { .argv = argv, .fds = fds, .n_fds = 3 };
	struct gt_call call = GT_CALL_INIT;
	int status;

	ck_assert_int_ge(open("/dev/null", O_RDONLY), 3); /* no O_CLOEXEC: must not arrive */
	ck_no_error(gt_proc_run(&spec, &call, NULL, 0, 1000, &out, &status));
	ck_assert_str_eq(out.s, "0\n1\n2\n3\n30\n31\n40\n"); /* 3 is of ls itself */
	gt_buf_setlen(&out, 0);
	spec.argv = (const char *[]){ "sh", "-c", "readlink /proc/self/fd/30 /proc/self/fd/31", NULL };
	ck_no_error(gt_proc_run(&spec, &call, NULL, 0, 1000, &out, &status));
	ck_assert_str_eq(out.s, "/dev/zero\n/dev/null\n");
	close(a);
	close(b);
}
END_TEST

START_TEST(signals_and_session_are_fresh)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	const char *argv[] = { "sh", "-c",
			       /* libc's own two, 32 and 33, may come ignored and cannot be set */
			       "grep -E 'SigBlk|SigIgn' /proc/self/status | sed s/[0189]80000000/000000000/;"
			       "test $(cut -d' ' -f6 /proc/$$/stat) = $$ && echo leader; pwd;"
			       "echo $X",
			       NULL };
	const char *env[] = { "X=from-env", "PATH=/usr/bin:/bin", NULL };
	struct gt_proc_spec spec = { .argv = argv, .env = env, .cwd = "/usr", .new_session = true };
	struct gt_call call = GT_CALL_INIT;
	sigset_t set;
	int status;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ck_no_error(gt_proc_run(&spec, &call, NULL, 0, 1000, &out, &status));
	ck_assert_str_eq(out.s, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
				"leader\n/usr\nfrom-env\n");
	sigprocmask(SIG_BLOCK, NULL, &set);
	ck_assert_int_eq(sigismember(&set, SIGTERM), 1);
}
END_TEST

/* A process in between spawns a sleeper and is killed: the sleeper must follow it. */
START_TEST(dies_with_its_parent)
{
	const char *argv[] = { "sleep", "100", NULL };
	struct gt_proc_spec spec = { .argv = argv, .die_with_parent = true };
	pid_t between, sleeper;
	int ends[2];
	bool gone = false;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ck_assert_int_eq(pipe(ends), 0);
	between = fork();
	if (between == 0) {
		struct gt_proc p;

		if (gt_proc_spawn(&spec, &p) || write(ends[1], &p.pid, sizeof(p.pid)) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	ck_assert_int_eq(read(ends[0], &sleeper, sizeof(sleeper)), sizeof(sleeper));
	kill(between, SIGKILL);
	ck_assert_int_eq(waitpid(between, NULL, 0), between);
	for (int i = 0; i < 1000 && !gone; i++) {
		gone = waitpid(sleeper, NULL, WNOHANG) == sleeper;
		usleep(10000);
	}
	if (!gone)
		kill(sleeper, SIGKILL);
	ck_assert(gone);
}
END_TEST

static void *spawn_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		gt_auto(gt_buf) out = GT_BUF_INIT;
		int status = -1;

		ck_no_error(run_shell("echo x", NULL, 0, 10, &out, &status));
		ck_assert_str_eq(out.s, "x\n");
		ck_assert_int_eq(status, 0);
	}
	return NULL;
}

START_TEST(many_threads_spawn)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, spawn_many, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	ck_assert_int_le(open("/dev/null", O_RDONLY), 10); /* nothing leaked */
}
END_TEST

static void read_cgroups(char *out, size_t size)
{
	int fd = open("/proc/self/cgroup", O_RDONLY);
	ssize_t n = read(fd, out, size - 1);

	ck_assert_int_gt(n, 0);
	out[n] = '\0';
	close(fd);
}

START_TEST(grace_moves_nobody)
{
	char before[4096], after[4096];
	struct gt_grace g[3] = { 0 };

	gt_grace_done(&g[0]); /* never begun */
	read_cgroups(before, sizeof(before));
	for (int i = 0; i < 3; i++)
		gt_grace_begin(&g[i]);
	for (int i = 0; i < 3; i++)
		gt_grace_done(&g[i]);
	read_cgroups(after, sizeof(after));
	ck_assert_str_eq(before, after);
	gt_grace_done(&g[0]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("proc");
	TCase *tc = tcase_create("proc");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, run_gives_output_and_status);
	tcase_add_test(tc, input_that_nobody_reads_is_harmless);
	tcase_add_test(tc, output_is_cut_at_the_limit);
	tcase_add_test(tc, deadline_kills);
	tcase_add_test(tc, grandchild_is_not_waited_for);
	tcase_add_test(tc, cancel_kills);
	tcase_add_test(tc, exec_error_is_known);
	tcase_add_test(tc, only_the_named_descriptors_arrive);
	tcase_add_test(tc, signals_and_session_are_fresh);
	tcase_add_test(tc, dies_with_its_parent);
	tcase_add_test(tc, many_threads_spawn);
	tcase_add_test(tc, grace_moves_nobody);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
