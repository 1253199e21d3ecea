/* SPDX-License-Identifier: Apache-2.0 */
/* Kind snapshotter: several threads, several processes, processes that die. */
#include <config.h>

#include "snapshotter.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define THREADS 8
#define ROUNDS 25
#define DEATHS 12

static struct gt_call call = GT_CALL_INIT;

struct worker {
	struct gt_snapshotter *s;
	unsigned number, bad;
	pthread_t thread;
};

static struct gt_error *one_round(struct gt_snapshotter *s, const char *parent, unsigned who,
				  unsigned round)
{
	gt_autofree char *key = gt_strf("w/%u/%u", who, round);
	gt_autofree char *name = gt_strf("w/%u/%u-layer", who, round);
	gt_auto(gt_mounts) a = { 0 }, b = { 0 };

	GT_TRY(gt_snapshotter_prepare(s, &call, key, parent, NULL, &a));
	GT_TRY(gt_snapshotter_commit(s, &call, name, key, NULL));
	GT_TRY(gt_snapshotter_view(s, &call, key, name, NULL, &b));
	GT_TRY(gt_snapshotter_remove(s, &call, key));
	return round % 2 ? gt_snapshotter_remove(s, &call, name) : NULL;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		gt_autoptr(gt_error) e = one_round(w->s, "shared", w->number, i);

		if (e)
			fprintf(stderr, "# thread %u: %s\n", w->number, gt_error_text(e));
		w->bad += e != NULL;
	}
	return NULL;
}

static struct gt_error *count_one(void *arg, const struct gt_snapshot_info *i)
{
	(void)i;
	++*(unsigned *)arg;
	return NULL;
}

static unsigned count(struct gt_snapshotter *s)
{
	unsigned n = 0;

	suite_class(gt_snapshotter_walk(s, &call, count_one, &n), GT_OK, "walk");
	return n;
}

static void *race(void *arg)
{
	struct worker *w = arg;
	gt_auto(gt_mounts) m = { 0 };
	gt_autoptr(gt_error) e = gt_snapshotter_prepare(w->s, &call, "race", "shared", NULL, &m);

	w->bad = e && gt_error_class(e) != GT_ALREADY_EXISTS ? 100 : e != NULL;
	return NULL;
}

static void test_threads(struct gt_snapshotter *s)
{
	struct worker w[THREADS];
	unsigned bad = 0;

	suite_class(snapshot_layer(s, "shared", ""), GT_OK, "a layer for all");
	for (unsigned i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .s = s, .number = i };
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		bad += w[i].bad;
	}
	suite_ok(!bad, "%d threads prepare, commit, view and remove", THREADS);
	suite_ok(count(s) == 1 + THREADS * (ROUNDS / 2 + 1), "as many are there as should be");
	bad = 0;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&w[i].thread, NULL, race, &w[i]);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		bad += w[i].bad;
	}
	suite_ok(bad == THREADS - 1, "of %d that want one key at once, one gets it", THREADS);
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
}

/* What another process, or this plugin opened again, must find. */
static int look(struct gt_snapshotter *s)
{
	gt_auto(gt_snapshot_info) layer = { 0 }, active = { 0 };
	gt_auto(gt_mounts) m = { 0 };
	gt_autoptr(gt_error) e = gt_snapshotter_stat(s, &call, "kept-layer", &layer);

	if (!e)
		e = gt_snapshotter_stat(s, &call, "kept-active", &active);
	if (!e)
		e = gt_snapshotter_mounts(s, &call, "kept-active", &m);
	if (e) {
		fprintf(stderr, "# %s\n", gt_error_text(e));
		return 1;
	}
	return layer.kind == GT_SNAPSHOT_COMMITTED && active.kind == GT_SNAPSHOT_ACTIVE &&
			       !strcmp(active.parent, "kept-layer") &&
			       gt_labels_get(&active.labels, "containerd.io/snapshot/label") && m.n
		       ? 0
		       : 2;
}

static struct gt_error *make(struct gt_snapshotter *s)
{
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_mounts) m = { 0 };

	gt_labels_set(&labels, "containerd.io/snapshot/label", "value");
	GT_TRY(snapshot_layer(s, "kept-layer", ""));
	return gt_snapshotter_prepare(s, &call, "kept-active", "kept-layer", &labels, &m);
}

/* Until it is killed. The layer of the round before is the parent of the next. */
static int churn(struct gt_snapshotter *s, const char *arg)
{
	suite_child_ready();
	for (unsigned i = 0;; i++) {
		gt_autofree char *key = gt_strf("churn/%s/%u", arg, i);
		gt_autofree char *name = gt_strf("churn/%s/%u-layer", arg, i);
		gt_autofree char *before =
			i % 5 ? gt_strf("churn/%s/%u-layer", arg, i - 1) : gt_xstrdup("");
		gt_auto(gt_mounts) m = { 0 };

		gt_error_free(gt_snapshotter_prepare(s, &call, key, before, NULL, &m));
		gt_error_free(gt_snapshotter_commit(s, &call, name, key, NULL));
		if (i % 5 == 4)
			gt_error_free(gt_snapshotter_remove(s, &call, name));
	}
	return 0;
}

/* Like churn, but nothing of it may fail. */
static int busy(struct gt_snapshotter *s)
{
	suite_child_ready();
	for (unsigned i = 0; i < 150; i++) {
		gt_autoptr(gt_error) e = one_round(s, "shared", 99, i);

		if (e) {
			fprintf(stderr, "# %s\n", gt_error_text(e));
			return 1;
		}
	}
	return 0;
}

int suite_snapshotter_child(struct gt_snapshotter *s, const char *name, const char *arg)
{
	gt_autoptr(gt_error) e = NULL;

	if (!strcmp(name, "look"))
		return look(s);
	if (!strcmp(name, "churn"))
		return churn(s, arg);
	if (!strcmp(name, "work"))
		return busy(s);
	if (strcmp(name, "make") != 0)
		return 90;
	e = make(s);
	if (e)
		fprintf(stderr, "# %s\n", gt_error_text(e));
	return e ? 1 : 0;
}

static int run_child(const char *name, const char *root)
{
	struct suite_child c = { .name = name, .root = root };

	return suite_child_start(&c) ? suite_child_end(&c, 60) : -1;
}

static void test_other_processes(struct gt_snapshotter *s, const char *dir)
{
	gt_autofree char *root = gt_strf("%s/again", dir);
	gt_auto(gt_snapshot_info) i = { 0 };

	suite_class(make(s), GT_OK, "a layer and a child of it");
	suite_ok(run_child("look", NULL) == 0, "another process sees them");
	suite_class(snapshot_remove_all(s), GT_OK, "remove them");
	suite_ok(run_child("look", NULL) == 1, "another process does not see them any more");
	suite_ok(run_child("make", NULL) == 0, "another process makes them");
	suite_class(gt_snapshotter_stat(s, &call, "kept-layer", &i), GT_OK, "this one sees them");
	suite_class(snapshot_remove_all(s), GT_OK, "and removes them");
	suite_class(gt_file_mkdirs(root, 0700), GT_OK, "a root of its own");
	suite_ok(run_child("make", root) == 0, "make them there, and close");
	suite_ok(run_child("look", root) == 0, "they are there when it is opened again");
}

static unsigned files_below(const char *path)
{
	char *const paths[] = { (char *)path, NULL };
	FTS *f = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	unsigned n = 0;
	FTSENT *ent;

	while (f && (ent = fts_read(f)))
		n += ent->fts_info != FTS_DP;
	if (f)
		fts_close(f);
	return n;
}

/* Whether what it lists can be used: an active one has mounts, a layer can be a parent. */
struct check {
	struct gt_snapshotter *s;
	unsigned n;
};

static struct gt_error *check_one(void *arg, const struct gt_snapshot_info *i)
{
	struct check *c = arg;
	gt_autofree char *key = gt_strf("check-%u", c->n++);
	gt_auto(gt_mounts) m = { 0 };
	struct gt_usage u;

	if (!strncmp(i->key, "check-", 6))
		return NULL;
	if (c->s->ops->usage)
		GT_TRY(gt_snapshotter_usage(c->s, &call, i->key, &u));
	if (i->kind != GT_SNAPSHOT_COMMITTED)
		return gt_snapshotter_mounts(c->s, &call, i->key, &m);
	GT_TRY(gt_snapshotter_prepare(c->s, &call, key, i->key, NULL, &m));
	return gt_snapshotter_remove(c->s, &call, key);
}

static void test_deaths(struct gt_snapshotter *s)
{
	struct check c = { .s = s };
	unsigned before, bad = 0;
	struct gt_error *e = NULL;

	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
	if (s->ops->cleanup)
		suite_class(gt_snapshotter_cleanup(s, &call), GT_OK, "cleanup");
	before = files_below(s->init->root);
	for (unsigned i = 0; i < DEATHS; i++) {
		gt_autofree char *arg = gt_strf("%u", i);
		struct suite_child a = { .name = "churn", .arg = arg };

		if (!suite_child_start(&a) || !suite_child_wait_ready(&a, 30)) {
			bad++;
			continue;
		}
		poll(NULL, 0, 7 + (int)(i * 13 % 40));
		suite_child_kill(&a);
	}
	suite_ok(!bad, "%d processes are killed while they make and remove snapshots", DEATHS);
	/* What the last of them was about to finish may come to light with the next change only. */
	suite_class(snapshot_layer(s, "after", ""), GT_OK, "go on");
	suite_class(gt_snapshotter_walk(s, &call, check_one, &c), GT_OK,
		    "all that is listed is whole");
	suite_ok(c.n > 0, "something is");
	if (s->ops->cleanup)
		suite_class(gt_snapshotter_cleanup(s, &call), GT_OK, "cleanup");
	c.n = 0;
	suite_class(gt_snapshotter_walk(s, &call, check_one, &c), GT_OK,
		    "cleanup took nothing of it");
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
	if (s->ops->cleanup)
		e = gt_snapshotter_cleanup(s, &call);
	suite_class(e, GT_OK, "cleanup");
	bad = files_below(s->init->root);
	suite_ok(bad == before, "nothing is left over: %u files, %u before", bad, before);
}

/* Cleanup while others are at work takes nothing from them. */
static void test_cleanup_at_work(struct gt_snapshotter *s)
{
	struct suite_child c = { .name = "work" };
	struct check check = { .s = s };
	unsigned bad = 0;

	if (!s->ops->cleanup)
		return;
	suite_class(snapshot_layer(s, "shared", ""), GT_OK, "a layer for all");
	if (!suite_child_start(&c) || !suite_child_wait_ready(&c, 30)) {
		suite_ok(false, "a process that makes and removes snapshots");
		return;
	}
	/* Its end closes 'ready'. */
	for (struct pollfd p = { .fd = c.ready, .events = POLLIN }; poll(&p, 1, 0) == 0;) {
		gt_autoptr(gt_error) e = gt_snapshotter_cleanup(s, &call);

		bad += e != NULL;
	}
	suite_ok(!bad, "cleanup while another process makes snapshots");
	suite_ok(suite_child_end(&c, 60) == 0, "that process notices nothing");
	suite_class(gt_snapshotter_walk(s, &call, check_one, &check), GT_OK,
		    "all that is listed is whole");
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
}

void snapshotter_many(struct gt_snapshotter *s, const char *dir)
{
	test_threads(s);
	test_other_processes(s, dir);
	test_deaths(s);
	test_cleanup_at_work(s);
}
