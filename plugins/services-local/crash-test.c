/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that are killed at any moment, and several at once, over one root: whatever is listed is
 * whole, every operation can be tried again, and cleanup leaves nothing that has no record.
 */
#include <config.h>

#include "host-test.h"

#include <gantry/api-blobs.h>
#include <gantry/api-containers.h>
#include <gantry/api-leases.h>
#include <gantry/api-snapshots.h>
#include <gantry/buf.h>
#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define KEYS 6
#define KILLS 40

/* Which snapshotter: rebasing commits too where it can. */
struct kind {
	const char *module;
	const char *id;
};
static const struct kind kinds[] = {
	{ "snapshotter-native", "native" },
	{ "snapshotter-overlay", "overlayfs" },
};
static const struct kind *kind;

struct worker {
	struct bench b;
	bool can_rebase;
	unsigned seed;
};

/* Ends the process with 77 where the snapshotter does not work. */
static void open_or_skip(struct bench *b, const char *dir)
{
	if (!bench_open_with(b, dir, kind->module, kind->id, NULL))
		exit(77);
}

static unsigned pick(struct worker *w, unsigned n)
{
	w->seed = w->seed * 1103515245 + 12345;
	return (w->seed >> 16) % n;
}

/* What other processes, or one that died, may have made of an operation. */
static void may_fail(struct gt_error *e)
{
	switch (gt_error_class(e)) {
	case GT_OK:
	case GT_NOT_FOUND:
	case GT_ALREADY_EXISTS:
	case GT_FAILED_PRECONDITION:
	case GT_ABORTED:
		break;
	case GT_UNAVAILABLE:
		ck_assert_msg(strstr(gt_error_text(e), "locked") != NULL, "%s", gt_error_text(e));
		break;
	default:
		ck_abort_msg("%s: %s", gt_class_name(gt_error_class(e)), gt_error_text(e));
	}
	gt_error_free(e);
}

/* Prepares a snapshot with a file that says which it is, and commits it. */
static void work_snapshot(struct worker *w)
{
	struct bench *b = &w->b;
	gt_auto(gt_mounts) mounts = { 0 };
	gt_autofree char *key = gt_strf("key-%u", pick(w, KEYS));
	gt_autofree char *name = gt_strf("name-%u", pick(w, KEYS));
	gt_autofree char *parent =
		pick(w, 2) ? gt_strf("name-%u", pick(w, KEYS)) : gt_xstrdup("");
	bool rebase = w->can_rebase && *parent && pick(w, 2);
	struct gt_commit_options o = { .size = sizeof(o), .parent = rebase ? parent : NULL };
	struct gt_error *e = gt_snapshots_prepare(b->s, &b->call, NULL, key, rebase ? "" : parent,
						  NULL, &mounts);

	if (!e) {
		gt_autofree char *file = bench_file(&mounts, "file");

		/* Another process may have removed it at once. */
		gt_error_free(gt_file_write(AT_FDCWD, file, "whole", 5, 0644, false));
	}
	may_fail(e);
	may_fail(gt_snapshots_commit(b->s, &b->call, NULL, name, key, &o));
	if (pick(w, 3) == 0)
		may_fail(gt_snapshots_remove(b->s, &b->call, NULL, key));
	if (pick(w, 3) == 0)
		may_fail(gt_snapshots_remove(b->s, &b->call, NULL, name));
}

static char *blob_text(unsigned n)
{
	return gt_strf("blob number %u", n);
}

static void work_blob(struct worker *w, char digests[KEYS][80])
{
	struct bench *b = &w->b;
	struct gt_call call = b->call;
	unsigned n = pick(w, KEYS);
	gt_autofree char *text = blob_text(n);
	gt_autofree char *ref = gt_strf("ref-%u", n);
	gt_autoptr(gt_writer) writer = NULL;
	struct gt_descriptor desc = { .digest = digests[n], .size = (int64_t)strlen(text) };
	struct gt_error *e;

	call.ns = pick(w, 2) ? "default" : "other";
	e = gt_blobs_writer(b->s, &call, ref, pick(w, 2) ? &desc : NULL, &writer);
	if (!e) {
		gt_auto(gt_ingest_info) status = { 0 };

		ok(gt_writer_status(writer, &status));
		/* What was stored before is the same text's beginning. */
		ok(gt_writer_write(writer, text + status.offset, strlen(text) - status.offset));
		if (pick(w, 4))
			e = gt_blobs_commit(b->s, &call, writer, desc.size, digests[n], NULL, NULL);
	}
	may_fail(e);
	gt_writer_free(gt_steal(&writer));
	if (pick(w, 3) == 0)
		may_fail(gt_blobs_remove(b->s, &call, digests[n]));
	if (pick(w, 5) == 0)
		may_fail(gt_blobs_abort(b->s, &call, ref));
}

static void work_container(struct worker *w)
{
	struct bench *b = &w->b;
	gt_autofree char *id = gt_strf("c%u", pick(w, KEYS));
	gt_auto(gt_container) c = {
		.id = gt_xstrdup(id),
		.image = gt_xstrdup("i"),
		.runtime = gt_xstrdup("r"),
		.snapshotter = gt_xstrdup(""),
		.snapshot_key = gt_xstrdup(""),
		.sandbox = gt_xstrdup(""),
	};

	gt_any_set(&c.spec, "spec", "{}", 2);
	may_fail(gt_containers_create(b->s, &b->call, &c, NULL));
	if (pick(w, 2))
		may_fail(gt_containers_remove(b->s, &b->call, id));
}

/* The digests of the texts, from the content store itself. */
static void learn_digests(struct bench *b, char digests[KEYS][80])
{
	for (unsigned n = 0; n < KEYS; n++) {
		gt_autofree char *text = blob_text(n);
		gt_autofree char *digest = NULL;
		gt_autoptr(gt_writer) w = NULL;

		ok(gt_content_writer(b->content, &b->call, "learn", 0, NULL, &w));
		ok(gt_writer_write(w, text, strlen(text)));
		ok(gt_writer_digest(w, &digest));
		snprintf(digests[n], 80, "%s", digest);
		gt_writer_free(gt_steal(&w));
		ok(gt_content_abort(b->content, &b->call, "learn"));
	}
}

/* Works for 'rounds' rounds, 0: until it is killed; tells 'ready' when it begins. */
static void work(const char *dir, char digests[KEYS][80], unsigned seed, int rounds, int ready)
{
	struct worker w = { .seed = seed };

	open_or_skip(&w.b, dir);
	ok(gt_snapshots_can_rebase(w.b.s, &w.b.call, NULL, &w.can_rebase));
	if (ready >= 0)
		ck_assert(write(ready, "x", 1) == 1);
	for (int i = 0; !rounds || i < rounds; i++) {
		work_snapshot(&w);
		work_blob(&w, digests);
		work_container(&w);
	}
	bench_close(&w.b);
}

struct look {
	struct bench *b;
	struct gt_strv keys;
	char (*digests)[80];
};

static struct gt_error *look_snapshot(void *arg, const struct gt_snapshot_info *i)
{
	struct look *l = arg;
	gt_auto(gt_mounts) mounts = { 0 };
	gt_auto(gt_snapshot_info) again = { 0 };

	gt_strv_add(&l->keys, i->key);
	ok(gt_snapshots_stat(l->b->s, &l->b->call, NULL, i->key, &again));
	if (*i->parent) {
		gt_auto(gt_snapshot_info) parent = { 0 };

		ok(gt_snapshots_stat(l->b->s, &l->b->call, NULL, i->parent, &parent));
		ck_assert_int_eq(parent.kind, GT_SNAPSHOT_COMMITTED);
	}
	if (i->kind != GT_SNAPSHOT_COMMITTED)
		ok(gt_snapshots_mounts(l->b->s, &l->b->call, NULL, i->key, &mounts));
	return NULL;
}

static struct gt_error *look_driver(void *arg, const struct gt_snapshot_info *i)
{
	gt_strv_add(arg, i->key);
	return NULL;
}

static struct gt_error *look_blob(void *arg, const struct gt_blob *blob)
{
	struct look *l = arg;
	gt_autoptr(gt_reader) r = NULL;
	gt_autofree char *text = NULL;
	size_t len;

	for (unsigned n = 0; n < KEYS; n++) {
		gt_autofree char *want = blob_text(n);

		if (strcmp(blob->info.digest, l->digests[n]))
			continue;
		ok(gt_content_reader(l->b->content, &l->b->call, blob->info.digest, &r));
		ok(gt_reader_all(r, 1000, &text, &len));
		ck_assert_str_eq(text, want);
		return NULL;
	}
	ck_abort_msg("content %s", blob->info.digest);
	return NULL;
}

static struct gt_error *look_container(void *arg, const struct gt_container *c)
{
	(void)arg;
	ck_assert_str_eq(c->runtime, "r");
	return NULL;
}

/* All that is listed is there; after a cleanup the snapshotter has just that; all of it can go. */
static void look(const char *dir, char digests[KEYS][80])
{
	struct bench b;
	struct look l = { .b = &b, .digests = digests };
	struct gt_call other;
	gt_auto(gt_strv) driver = { 0 };

	open_or_skip(&b, dir);
	other = b.call;
	other.ns = "other";
	ok(gt_snapshots_list(b.s, &b.call, NULL, NULL, look_snapshot, &l));
	gt_strv_done(&l.keys);
	ok(gt_blobs_list(b.s, &b.call, NULL, look_blob, &l));
	ok(gt_blobs_list(b.s, &other, NULL, look_blob, &l));
	ok(gt_containers_list(b.s, &b.call, NULL, look_container, NULL));
	ok(gt_snapshots_cleanup(b.s, &b.call, NULL));
	ok(gt_snapshots_list(b.s, &b.call, NULL, NULL, look_snapshot, &l));
	ok(gt_snapshotter_walk(b.driver, &b.call, look_driver, &driver));
	ck_assert_uint_eq(driver.n, l.keys.n);
	while (l.keys.n) {
		size_t before = l.keys.n;

		for (size_t i = 0; i < l.keys.n; i++) {
			struct gt_error *e =
				gt_snapshots_remove(b.s, &b.call, NULL, l.keys.v[i]);

			ok(gt_error_unless(e, GT_FAILED_PRECONDITION));
		}
		gt_strv_done(&l.keys);
		ok(gt_snapshots_list(b.s, &b.call, NULL, NULL, look_snapshot, &l));
		ck_assert_uint_lt(l.keys.n, before);
	}
	bench_close(&b);
}

static pid_t child(void (*fn)(const char *dir, char digests[KEYS][80], unsigned seed, int ready),
		   const char *dir, char digests[KEYS][80], unsigned seed, int ready)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	bench_forked();
	fn(dir, digests, seed, ready);
	exit(0);
}

static void child_learns(const char *dir, char digests[KEYS][80], unsigned seed, int ready)
{
	struct bench b;

	(void)seed;
	open_or_skip(&b, dir);
	learn_digests(&b, digests);
	ck_assert(write(ready, digests, KEYS * 80) == KEYS * 80);
	bench_close(&b);
}

static void child_works(const char *dir, char digests[KEYS][80], unsigned seed, int ready)
{
	work(dir, digests, seed, 0, ready);
}

static void child_works_some(const char *dir, char digests[KEYS][80], unsigned seed, int ready)
{
	work(dir, digests, seed, 40, ready);
}

static void child_looks(const char *dir, char digests[KEYS][80], unsigned seed, int ready)
{
	(void)seed;
	(void)ready;
	look(dir, digests);
}

static void reap(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a process ended with %#x",
		      status);
}

/* False: the snapshotter does not work here. */
static bool learn(const char *dir, char digests[KEYS][80])
{
	int fd[2], status;
	bool usable;
	pid_t pid;

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	pid = child(child_learns, dir, digests, 0, fd[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	usable = WEXITSTATUS(status) != 77;
	if (usable) {
		ck_assert_int_eq(status, 0);
		ck_assert(read(fd[0], digests, KEYS * 80) == KEYS * 80);
	}
	close(fd[0]);
	close(fd[1]);
	return usable;
}

/* Starts a worker, waits until it works, and kills it at some moment. */
static void kill_one(const char *dir, char digests[KEYS][80], unsigned seed)
{
	int fd[2], status;
	char c;
	pid_t pid;

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	pid = child(child_works, dir, digests, seed, fd[1]);
	close(fd[1]);
	if (read(fd[0], &c, 1) != 1) {
		reap(pid);
		ck_abort_msg("a worker did not begin");
	}
	close(fd[0]);
	usleep(500 + (seed * 7919) % 20000);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status), "a worker ended by itself with %#x", status);
}

START_TEST(test_kill)
{
	char *dir = bench_folder();
	char digests[KEYS][80];

	kind = &kinds[_i];
	if (learn(dir, digests)) {
		for (unsigned i = 1; i <= KILLS; i++) {
			kill_one(dir, digests, i);
			if (i % 10 == 0)
				reap(child(child_looks, dir, digests, 0, -1));
		}
	}
	bench_folder_remove(dir);
}
END_TEST

START_TEST(test_together)
{
	char *dir = bench_folder();
	char digests[KEYS][80];
	pid_t pids[3];

	kind = &kinds[_i];
	if (learn(dir, digests)) {
		for (unsigned i = 0; i < 3; i++)
			pids[i] = child(child_works_some, dir, digests, i + 77, -1);
		for (unsigned i = 0; i < 3; i++)
			reap(pids[i]);
		reap(child(child_looks, dir, digests, 0, -1));
	}
	bench_folder_remove(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("services-local crash");
	TCase *t = tcase_create("crash");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 240);
	tcase_add_loop_test(t, test_kill, 0, 2);
	tcase_add_loop_test(t, test_together, 0, 2);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
