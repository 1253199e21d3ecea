/* SPDX-License-Identifier: Apache-2.0 */
/* Kind snapshotter: what <gantry/snapshotter.h> says, in one process and one thread. */
#include <config.h>

#include "snapshotter.h"

#include <gantry/buf.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct gt_call call = GT_CALL_INIT;

static struct gt_error *prepare(struct gt_snapshotter *s, const char *key, const char *parent)
{
	gt_auto(gt_mounts) m = { 0 };

	return gt_snapshotter_prepare(s, &call, key, parent, NULL, &m);
}

static struct gt_error *view(struct gt_snapshotter *s, const char *key, const char *parent)
{
	gt_auto(gt_mounts) m = { 0 };

	return gt_snapshotter_view(s, &call, key, parent, NULL, &m);
}

static struct gt_error *commit(struct gt_snapshotter *s, const char *name, const char *key)
{
	return gt_snapshotter_commit(s, &call, name, key, NULL);
}

static struct gt_error *drop(struct gt_snapshotter *s, const char *key)
{
	return gt_snapshotter_remove(s, &call, key);
}

static bool is_a(struct gt_snapshotter *s, const char *key, enum gt_snapshot_kind kind,
		 const char *parent)
{
	gt_auto(gt_snapshot_info) i = { 0 };
	gt_autoptr(gt_error) e = gt_snapshotter_stat(s, &call, key, &i);

	return !e && i.kind == kind && !strcmp(i.key, key) && !strcmp(i.parent, parent);
}

static void test_absent(struct gt_snapshotter *s)
{
	gt_auto(gt_snapshot_info) i = { 0 };
	gt_auto(gt_mounts) m = { 0 };
	gt_auto(gt_labels) l = { 0 };
	struct gt_usage u;

	suite_class(gt_snapshotter_stat(s, &call, "none", &i), GT_NOT_FOUND, "stat: unknown key");
	suite_class(gt_snapshotter_mounts(s, &call, "none", &m), GT_NOT_FOUND,
		    "mounts: unknown key");
	suite_class(commit(s, "name", "none"), GT_NOT_FOUND, "commit: unknown key");
	suite_class(drop(s, "none"), GT_NOT_FOUND, "remove: unknown key");
	suite_class(prepare(s, "x", "none"), GT_NOT_FOUND, "prepare: unknown parent");
	suite_class(view(s, "x", "none"), GT_NOT_FOUND, "view: unknown parent");
	suite_class(gt_snapshotter_stat(s, &call, "x", &i), GT_NOT_FOUND,
		    "a prepare that did not work leaves nothing");
	suite_class(prepare(s, "", ""), GT_INVALID_ARGUMENT, "prepare: empty key");
	if (s->ops->update)
		suite_class(gt_snapshotter_update(s, &call, "none", &l), GT_NOT_FOUND,
			    "update: unknown key");
	if (s->ops->usage)
		suite_class(gt_snapshotter_usage(s, &call, "none", &u), GT_NOT_FOUND,
			    "usage: unknown key");
}

static void test_rules(struct gt_snapshotter *s)
{
	gt_auto(gt_mounts) m = { 0 };

	suite_class(prepare(s, "active", ""), GT_OK, "prepare without a parent");
	suite_ok(is_a(s, "active", GT_SNAPSHOT_ACTIVE, ""), "it is active");
	suite_class(prepare(s, "active", ""), GT_ALREADY_EXISTS, "prepare: key is taken");
	suite_class(view(s, "active", ""), GT_ALREADY_EXISTS, "view: key is taken");
	suite_class(prepare(s, "x", "active"), GT_INVALID_ARGUMENT,
		    "prepare: parent is not committed");
	suite_class(view(s, "x", "active"), GT_INVALID_ARGUMENT, "view: parent is not committed");
	suite_class(commit(s, "base", "active"), GT_OK, "commit");
	suite_ok(is_a(s, "base", GT_SNAPSHOT_COMMITTED, ""), "it is committed");
	suite_class(drop(s, "active"), GT_NOT_FOUND, "the key is free after commit");
	suite_class(gt_snapshotter_mounts(s, &call, "base", &m), GT_FAILED_PRECONDITION,
		    "mounts: committed");
	suite_class(commit(s, "again", "base"), GT_FAILED_PRECONDITION, "commit: committed");
	suite_class(prepare(s, "base", ""), GT_ALREADY_EXISTS, "prepare: key is a layer's name");
	suite_class(prepare(s, "active", "base"), GT_OK, "prepare on a layer");
	suite_ok(is_a(s, "active", GT_SNAPSHOT_ACTIVE, "base"), "it has the parent");
	suite_class(commit(s, "base", "active"), GT_ALREADY_EXISTS, "commit: name is taken");
	suite_ok(is_a(s, "active", GT_SNAPSHOT_ACTIVE, "base"), "it is as it was");
	suite_class(view(s, "view", "base"), GT_OK, "view of a layer");
	suite_ok(is_a(s, "view", GT_SNAPSHOT_VIEW, "base"), "it is a view");
	suite_class(commit(s, "x", "view"), GT_FAILED_PRECONDITION, "commit: a view");
	suite_class(prepare(s, "x", "view"), GT_INVALID_ARGUMENT, "prepare: parent is a view");
	suite_class(view(s, "empty", ""), GT_OK, "view without a parent");
	suite_class(drop(s, "base"), GT_FAILED_PRECONDITION, "remove: has children");
	suite_class(drop(s, "view"), GT_OK, "remove a view");
	suite_class(drop(s, "base"), GT_FAILED_PRECONDITION, "remove: has a child still");
	suite_class(drop(s, "active"), GT_OK, "remove an active one");
	suite_class(drop(s, "base"), GT_OK, "remove a layer");
	suite_class(drop(s, "empty"), GT_OK, "remove a view without a parent");
	suite_class(drop(s, "base"), GT_NOT_FOUND, "remove it again");
}

static bool later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static void test_labels(struct gt_snapshotter *s)
{
	gt_auto(gt_snapshot_info) a = { 0 }, b = { 0 }, c = { 0 };
	gt_auto(gt_labels) l = { 0 };
	gt_auto(gt_mounts) m = { 0 };
	struct gt_commit_options o = { .size = sizeof(o), .labels = &l };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	gt_labels_set(&l, "containerd.io/snapshot/a", "1");
	suite_class(gt_snapshotter_prepare(s, &call, "labels", "", &l, &m), GT_OK,
		    "prepare with labels");
	suite_class(gt_snapshotter_stat(s, &call, "labels", &a), GT_OK, "stat");
	suite_ok(gt_labels_get(&a.labels, "containerd.io/snapshot/a") != NULL, "labels are kept");
	suite_ok(a.created_at.tv_sec >= now.tv_sec - 1 && a.created_at.tv_sec <= now.tv_sec + 60,
		 "created_at is now");
	if (s->ops->update) {
		gt_labels_set(&l, "b", "two\nlines");
		gt_labels_unset(&l, "containerd.io/snapshot/a");
		suite_class(gt_snapshotter_update(s, &call, "labels", &l), GT_OK, "update");
		suite_class(gt_snapshotter_stat(s, &call, "labels", &b), GT_OK, "stat again");
		suite_ok(b.labels.n == 1 && !strcmp(b.labels.v[0].value, "two\nlines"),
			 "update replaces the labels");
		suite_ok(later(&b.updated_at, &a.updated_at), "update sets updated_at");
		suite_ok(!later(&b.created_at, &a.created_at), "update leaves created_at");
	} else {
		suite_skip("no update", "update");
	}
	suite_class(gt_snapshotter_commit(s, &call, "labelled", "labels", &o), GT_OK,
		    "commit with labels");
	suite_class(gt_snapshotter_stat(s, &call, "labelled", &c), GT_OK, "stat the layer");
	suite_ok(c.labels.n == l.n && gt_labels_get(&c.labels, l.v[0].key), "it has the labels");
	suite_class(drop(s, "labelled"), GT_OK, "remove it");
}

struct walk {
	struct gt_snapshotter *s;
	struct gt_strv keys;
	size_t most;
	bool drop;
};

static struct gt_error *walk_one(void *arg, const struct gt_snapshot_info *i)
{
	struct walk *w = arg;

	if (w->keys.n == w->most)
		return gt_error_new(GT_ABORTED, "enough");
	gt_strv_add(&w->keys, i->key);
	return w->drop ? gt_snapshotter_remove(w->s, &call, i->key) : NULL;
}

static void test_walk(struct gt_snapshotter *s)
{
	enum { N = 300 };
	struct walk all = { .s = s, .most = SIZE_MAX }, some = { .s = s, .most = 2 };
	struct walk changing = { .s = s, .most = SIZE_MAX, .drop = true };
	unsigned bad = 0;

	for (int i = 0; i < N; i++) {
		gt_autofree char *key = gt_strf("walk-%d", i);
		gt_autoptr(gt_error) e = prepare(s, key, "");

		bad += e != NULL;
	}
	suite_ok(!bad, "prepare %d snapshots", N);
	suite_class(gt_snapshotter_walk(s, &call, walk_one, &all), GT_OK, "walk");
	gt_strv_sort(&all.keys);
	for (size_t i = 1; i < all.keys.n; i++)
		bad += !strcmp(all.keys.v[i - 1], all.keys.v[i]);
	suite_ok(all.keys.n == N && !bad, "each is seen once");
	suite_class(gt_snapshotter_walk(s, &call, walk_one, &some), GT_ABORTED,
		    "walk ends at the first error and returns it");
	suite_ok(some.keys.n == 2, "nothing is seen after it");
	suite_class(gt_snapshotter_walk(s, &call, walk_one, &changing), GT_OK,
		    "other ops may be called in a walk");
	suite_ok(changing.keys.n == N, "they leave out nothing");
	gt_strv_done(&all.keys);
	gt_strv_done(&some.keys);
	gt_strv_done(&changing.keys);
}

/* How long the longest key may be; where a service keeps them it needs some of it for its own. */
static int key_max(struct gt_snapshotter *s)
{
	gt_autofree char *key = gt_strf("%0*d", GT_SNAPSHOT_KEY_MAX, 0);
	struct gt_error *e = view(s, key, "");
	bool fewer = gt_error_class(e) == GT_INVALID_ARGUMENT;

	gt_error_free(e);
	if (!fewer)
		suite_class(drop(s, key), GT_OK, "the longest key");
	else
		suite_skip("this one takes fewer bytes", "the longest key");
	return fewer ? GT_SNAPSHOT_KEY_MAX - 64 : GT_SNAPSHOT_KEY_MAX;
}

static void test_odd_keys(struct gt_snapshotter *s)
{
	int max = key_max(s);
	gt_auto(gt_buf) longest = GT_BUF_INIT;
	const char *const keys[] = { "ns/1/sha256:abc",
				     "../../escape",
				     ".",
				     "..",
				     "a b",
				     "new\nline",
				     "\xff\xfe",
				     "%s%n",
				     "/",
				     "'\"\\",
				     "K",
				     "k",
				     NULL };

	for (int i = 0; i < max; i++)
		gt_buf_addc(&longest, (char)('a' + i % 26));
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *key = keys[i] ? keys[i] : longest.s;
		gt_autofree char *child = gt_strf("%.*s-child", max - 10, key);
		bool good = suite_class(snapshot_layer(s, key, ""), GT_OK,
					"layer with odd name %zu", i);

		if (!good)
			continue;
		suite_class(prepare(s, child, key), GT_OK, "child of it");
		suite_ok(is_a(s, key, GT_SNAPSHOT_COMMITTED, "") &&
				 is_a(s, child, GT_SNAPSHOT_ACTIVE, key),
			 "both are there");
		suite_class(drop(s, child), GT_OK, "remove the child");
		suite_class(drop(s, key), GT_OK, "remove it");
	}
	while (longest.len <= GT_SNAPSHOT_KEY_MAX)
		gt_buf_addc(&longest, 'x');
	suite_class(prepare(s, longest.s, ""), GT_INVALID_ARGUMENT, "prepare: key is too long");
}

static bool same_mounts(const struct gt_mounts *a, const struct gt_mounts *b)
{
	bool same = a->n == b->n && a->n > 0;

	for (size_t i = 0; same && i < a->n; i++) {
		same = !strcmp(a->v[i].type, b->v[i].type) &&
		       !strcmp(a->v[i].source, b->v[i].source) &&
		       a->v[i].options.n == b->v[i].options.n;
		for (size_t k = 0; same && k < a->v[i].options.n; k++)
			same = !strcmp(a->v[i].options.v[k], b->v[i].options.v[k]);
	}
	return same;
}

static void test_mounts_again(struct gt_snapshotter *s)
{
	gt_auto(gt_mounts) a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	suite_class(snapshot_layer(s, "one", ""), GT_OK, "layer");
	suite_class(snapshot_layer(s, "two", "one"), GT_OK, "layer on it");
	suite_class(gt_snapshotter_prepare(s, &call, "a", "two", NULL, &a), GT_OK, "prepare");
	suite_class(gt_snapshotter_mounts(s, &call, "a", &b), GT_OK, "mounts");
	suite_ok(same_mounts(&a, &b), "mounts answers what prepare did");
	suite_class(gt_snapshotter_view(s, &call, "v", "two", NULL, &c), GT_OK, "view");
	suite_class(gt_snapshotter_mounts(s, &call, "v", &d), GT_OK, "mounts");
	suite_ok(same_mounts(&c, &d), "mounts answers what view did");
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
}

static void test_usage(struct gt_snapshotter *s, const char *dir)
{
	struct gt_usage empty = { 0 }, full = { 0 }, layer = { 0 }, again = { 0 }, child = { 0 };
	struct snapshot_view v;
	gt_autofree char *block = NULL;

	if (!s->ops->usage || !snapshot_can_mount(dir)) {
		suite_skip("no usage, or no mounts", "usage");
		return;
	}
	block = gt_xcalloc(1, (1 << 20) + 1);
	memset(block, 'x', 1 << 20);
	suite_class(snapshot_prepare(s, dir, "usage", "", &v), GT_OK, "prepare and mount");
	suite_class(gt_snapshotter_usage(s, &call, "usage", &empty), GT_OK,
		    "usage of an empty one");
	snapshot_write(&v, "large", block);
	suite_ok(linkat(v.fd, "large", v.fd, "link", 0) == 0, "a second name for a file");
	fsync(v.fd);
	syncfs(v.fd);
	suite_class(gt_snapshotter_usage(s, &call, "usage", &full), GT_OK,
		    "usage with a MiB in it");
	suite_ok(full.size - empty.size >= 1 << 20 && full.size - empty.size < 2 << 20,
		 "the size says so, and counts the second name once");
	suite_ok(full.inodes - empty.inodes == 1, "it is one inode more");
	suite_class(snapshot_commit(s, &v, "usage-layer", "usage"), GT_OK, "commit");
	suite_class(gt_snapshotter_usage(s, &call, "usage-layer", &layer), GT_OK,
		    "usage of a layer");
	suite_ok(layer.size == full.size && layer.inodes == full.inodes, "it is the same");
	suite_class(gt_snapshotter_usage(s, &call, "usage-layer", &again), GT_OK, "once more");
	suite_ok(layer.size == again.size && layer.inodes == again.inodes, "it is the same");
	suite_class(view(s, "usage-child", "usage-layer"), GT_OK, "view of it");
	suite_class(gt_snapshotter_usage(s, &call, "usage-child", &child), GT_OK, "its usage");
	suite_ok(child.size < 1 << 20, "is without the parent's");
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
}

static void test_rebase_refused(struct gt_snapshotter *s)
{
	struct gt_commit_options o = { .size = sizeof(o), .parent = "one" };

	suite_class(snapshot_layer(s, "one", ""), GT_OK, "layer");
	suite_class(prepare(s, "a", ""), GT_OK, "prepare without a parent");
	suite_class(gt_snapshotter_commit(s, &call, "two", "a", &o), GT_FAILED_PRECONDITION,
		    "commit with a parent is refused");
	suite_ok(is_a(s, "a", GT_SNAPSHOT_ACTIVE, ""), "it is as it was");
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
}

static void test_rebase(struct gt_snapshotter *s)
{
	struct gt_commit_options o = { .size = sizeof(o), .parent = "nothing", .synced = true };

	if (!gt_snapshotter_can_rebase(s)) {
		test_rebase_refused(s);
		return;
	}
	suite_class(snapshot_layer(s, "one", ""), GT_OK, "layer");
	suite_class(prepare(s, "a", ""), GT_OK, "prepare without a parent");
	suite_class(prepare(s, "b", "one"), GT_OK, "prepare with one");
	suite_class(gt_snapshotter_sync(s, &call), GT_OK, "sync");
	suite_class(gt_snapshotter_commit(s, &call, "two", "a", &o), GT_NOT_FOUND,
		    "commit: unknown parent");
	o.parent = "b";
	suite_class(gt_snapshotter_commit(s, &call, "two", "a", &o), GT_INVALID_ARGUMENT,
		    "commit: parent is not committed");
	o.parent = "one";
	suite_class(gt_snapshotter_commit(s, &call, "two", "a", &o), GT_OK, "commit with a parent");
	suite_ok(is_a(s, "two", GT_SNAPSHOT_COMMITTED, "one"), "it has the parent");
	suite_class(drop(s, "b"), GT_OK, "remove the other");
	suite_class(drop(s, "one"), GT_FAILED_PRECONDITION, "remove the parent: has children");
	suite_class(drop(s, "two"), GT_OK, "remove it");
	suite_class(drop(s, "one"), GT_OK, "remove the parent");
}

void suite_snapshotter(struct gt_snapshotter *s, const char *dir)
{
	test_absent(s);
	test_rules(s);
	test_labels(s);
	test_walk(s);
	test_odd_keys(s);
	test_mounts_again(s);
	test_rebase(s);
	test_usage(s, dir);
	if (snapshot_can_mount(dir))
		snapshotter_layers(s, dir);
	else
		suite_skip("this process may not mount", "what is seen of layers");
	snapshotter_many(s, dir);
}
