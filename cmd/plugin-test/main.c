/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests one plugin against the contract of its kind. The suite runs in a process of its own, so that
 * a plugin that crashes or hangs still leaves a clean disk and a TAP stream that says so.
 */
#include <config.h>

#include "child.h"
#include "suite.h"
#include "tap.h"

#include <core/host.h>
#include <gantry/buf.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { OPT_CHILD = 256, OPT_CHILD_ARG, OPT_CHILD_ROOT, OPT_CHILD_TMPFS };

struct arguments {
	const char *file;
	const char *dir;
	const char *proxy; /* NULL: the file is the plugin itself */
	struct gt_strv options;
	bool fast;
	const char *child, *child_arg, *child_root, *child_tmpfs;
};

static const char usage_text[] =
	"usage: gantry-plugin-test [--option NAME=VALUE]... [--dir DIR] [--fast] [--proxy TYPE] FILE.so\n"
	"\n"
	"Tests the plugin in FILE.so against the contract of its kind; prints TAP.\n"
	"  --option NAME=VALUE  sets an option of the plugin\n"
	"  --dir DIR            works in a new folder below DIR instead of $TMPDIR or /tmp\n"
	"  --fast               opens it with fast durability\n"
	"  --proxy TYPE         tests a proxy plugin of that type (snapshot, content, diff,\n"
	"                       sandbox), with FILE.so as\n"
	"                       the services that speak to it; --option sets words of its entry, too\n";

/* 0: go on; else the exit status plus one. */
static int parse(struct arguments *a, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "option", required_argument, NULL, 'o' },
		{ "dir", required_argument, NULL, 'd' },
		{ "fast", no_argument, NULL, 'f' },
		{ "proxy", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "child", required_argument, NULL, OPT_CHILD },
		{ "child-arg", required_argument, NULL, OPT_CHILD_ARG },
		{ "child-root", required_argument, NULL, OPT_CHILD_ROOT },
		{ "child-tmpfs", required_argument, NULL, OPT_CHILD_TMPFS },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "o:d:fp:hV", longs, NULL)) >= 0) {
		switch (c) {
		case 'o': gt_strv_add(&a->options, optarg); break;
		case 'd': a->dir = optarg; break;
		case 'f': a->fast = true; break;
		case 'p': a->proxy = optarg; break;
		case 'h': fputs(usage_text, stdout); return 1;
		case 'V': puts("gantry-plugin-test " PACKAGE_VERSION); return 1;
		case OPT_CHILD: a->child = optarg; break;
		case OPT_CHILD_ARG: a->child_arg = optarg; break;
		case OPT_CHILD_ROOT: a->child_root = optarg; break;
		case OPT_CHILD_TMPFS: a->child_tmpfs = optarg; break;
		default: fputs(usage_text, stderr); return 3;
		}
	}
	if (optind != argc - 1) {
		fputs(usage_text, stderr);
		return 3;
	}
	a->file = argv[optind];
	return 0;
}

static struct gt_error *open_plugin(const struct arguments *a, const char *root,
				    struct gt_host **host, enum gt_kind *kind, void **instance)
{
	enum gt_durability durability = a->fast ? GT_DURABILITY_FAST : GT_DURABILITY_FULL;

	if (a->proxy)
		return gt_host_open_proxy(a->file, a->proxy, root, &a->options, durability, host, kind,
					  instance);
	return gt_host_open_file(a->file, root, &a->options, durability, host, kind, instance);
}

static int child_main(const struct arguments *a)
{
	gt_autoptr(gt_error) e = NULL;
	struct gt_host *host;
	enum gt_kind kind;
	void *instance;
	int status = 97;

	if (a->child_tmpfs) {
		if (a->proxy) /* what it stores lies elsewhere */
			return SUITE_CHILD_SKIP;
		e = child_mount(a->child_root, a->child_tmpfs);
		if (e)
			return SUITE_CHILD_SKIP;
	}
	e = open_plugin(a, a->child_root, &host, &kind, &instance);
	if (e) {
		fprintf(stderr, "# child %s: %s\n", a->child, gt_error_text(e));
		return 96;
	}
	if (kind == GT_CONTENT)
		status = suite_content_child(instance, a->child, a->child_arg);
	else if (kind == GT_METADATA)
		status = suite_metadata_child(instance, a->child, a->child_arg);
	else if (kind == GT_SNAPSHOTTER)
		status = suite_snapshotter_child(instance, a->child, a->child_arg);
	else if (kind == GT_RUNTIME)
		status = suite_runtime_child(instance, a->child, a->child_arg);
	else if (kind == GT_SANDBOXER)
		status = suite_sandboxer_child(instance, a->child, a->child_arg);
	gt_host_close(host);
	return status;
}

static void run_suite(enum gt_kind kind, void *instance, const char *dir)
{
	switch (kind) {
#define RUN(NAME, name)                                                                           \
	case GT_##NAME:                                                                            \
		suite_##name(instance, dir);                                                       \
		break
	RUN(CONTENT, content);
	RUN(SNAPSHOTTER, snapshotter);
	RUN(DIFFER, differ);
	RUN(METADATA, metadata);
	RUN(RUNTIME, runtime);
	RUN(RESOLVER, resolver);
	RUN(SANDBOXER, sandboxer);
#undef RUN
	default:
		suite_note("a %s plugin is tested by what uses it", gt_kind_name(kind));
	}
}

/* In the process that may crash. */
static int runner_main(const struct arguments *a, const char *root, const char *dir)
{
	const struct runner r = {
		.file = a->file, .options = &a->options, .root = root, .fast = a->fast,
		.proxy = a->proxy,
	};
	struct gt_host *host = NULL;
	enum gt_kind kind = GT_KIND_NONE;
	void *instance = NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	child_runner(&r);
	if (suite_declaration(a->file) &&
	    suite_class(open_plugin(a, root, &host, &kind, &instance), GT_OK, "the plugin opens") &&
	    suite_ok(instance != NULL, "open answers with an instance"))
		run_suite(kind, instance, dir);
	if (host)
		gt_host_close(host);
	tap_plan();
	return suite_failed() ? 1 : 0;
}

/* The supervisor's only signal handler: the runner ends, then the disk is cleaned as always. */
static volatile pid_t runner_pid;

static void on_signal(int sig)
{
	(void)sig;
	if (runner_pid > 0)
		kill(runner_pid, SIGKILL);
}

static int supervise(const struct arguments *a, const char *root, const char *dir)
{
	struct sigaction act = { .sa_handler = on_signal };
	int status;
	pid_t pid;

	sigemptyset(&act.sa_mask);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	pid = fork();
	if (pid == 0) {
		int rc = runner_main(a, root, dir);

		exit(rc); /* leak checkers report from here */
	}
	if (pid < 0) {
		printf("Bail out! fork: %s\n", strerror(errno));
		return 1;
	}
	runner_pid = pid;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	printf("Bail out! the plugin ended the tests by signal %d (%s)\n", WTERMSIG(status),
	       strsignal(WTERMSIG(status)));
	return 1;
}

int main(int argc, char **argv)
{
	struct arguments a = { 0 };
	gt_autofree char *base = NULL, *root = NULL, *dir = NULL, *file = NULL;
	gt_autoptr(gt_error) e = NULL;
	const char *tmp = getenv("TMPDIR");
	int status = parse(&a, argc, argv);

	if (status) {
		gt_strv_done(&a.options);
		return status - 1;
	}
	umask(077);
	file = realpath(a.file, NULL);
	if (!file) {
		fprintf(stderr, "gantry-plugin-test: %s: %s\n", a.file, strerror(errno));
		gt_strv_done(&a.options);
		return 2;
	}
	a.file = file;
	if (a.child) {
		status = child_main(&a);
		gt_strv_done(&a.options);
		return status;
	}
	base = gt_strf("%s/gantry-plugin-test.XXXXXX", a.dir ? a.dir : tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(base)) {
		fprintf(stderr, "gantry-plugin-test: make folder %s: %s\n", base, strerror(errno));
		gt_strv_done(&a.options);
		return 2;
	}
	root = gt_strf("%s/host", base);
	dir = gt_strf("%s/suite", base);
	if (mkdir(root, 0700) < 0 || mkdir(dir, 0700) < 0) {
		fprintf(stderr, "gantry-plugin-test: make folders in %s: %s\n", base,
			strerror(errno));
		status = 2;
	} else {
		status = supervise(&a, root, dir);
	}
	e = gt_file_remove_tree(AT_FDCWD, base);
	if (e)
		fprintf(stderr, "# %s\n", gt_error_text(e));
	gt_strv_done(&a.options);
	return status;
}
