/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "host-test.h"
#include "suites-test.h"

#include <gantry/api-leases.h>
#include <gantry/api-namespaces.h>
#include <gantry/api-snapshots.h>
#include <gantry/buf.h>
#include <gantry/file.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static struct bench b;
static const char *id; /* of the snapshotter */
static bool usable;

static void setup(const char *module, const char *name)
{
	gt_autofree char *dir = bench_folder();

	id = name;
	usable = bench_open_with(&b, dir, module, name, NULL);
	if (!usable)
		bench_folder_remove(gt_steal(&dir));
}

static void setup_native(void)
{
	setup("snapshotter-native", "native");
}

static void setup_overlay(void)
{
	setup("snapshotter-overlay", "overlayfs");
}

static void teardown(void)
{
	char *dir;

	if (!usable)
		return;
	dir = gt_xstrdup(b.dir);
	bench_close(&b);
	bench_folder_remove(dir);
}

/* A test over the snapshotter of its fixture; one that does not work here is left out. */
#define SNAPSHOTS_TEST(name)                                                                      \
	static void run_##name(void);                                                              \
	START_TEST(name)                                                                           \
	{                                                                                          \
		if (usable)                                                                        \
			run_##name();                                                              \
	}                                                                                          \
	END_TEST                                                                                   \
	static void run_##name(void)

static struct gt_error *prepare(const char *key, const char *parent)
{
	gt_auto(gt_mounts) mounts = { 0 };

	return gt_snapshots_prepare(b.s, &b.call, NULL, key, parent, NULL, &mounts);
}

static void layer(const char *name, const char *parent)
{
	gt_autofree char *key = gt_strf("extract %s", name);

	ok(prepare(key, parent));
	ok(gt_snapshots_commit(b.s, &b.call, NULL, name, key, NULL));
}

static struct gt_error *add_key(void *arg, const struct gt_snapshot_info *i)
{
	gt_strv_add(arg, i->key);
	return NULL;
}

/* The keys that a filter lists, joined by spaces. */
static char *listed(const char *filter)
{
	gt_auto(gt_strv) filters = { 0 };
	gt_auto(gt_strv) keys = { 0 };
	struct gt_buf out = GT_BUF_INIT;

	gt_strv_add(&filters, filter);
	ok(gt_snapshots_list(b.s, &b.call, id, &filters, add_key, &keys));
	for (size_t i = 0; i < keys.n; i++)
		gt_buf_addf(&out, "%s%s", i ? " " : "", keys.v[i]);
	return gt_buf_detach(&out);
}

static size_t driver_count(void)
{
	gt_auto(gt_strv) keys = { 0 };

	ok(gt_snapshotter_walk(b.driver, &b.call, add_key, &keys));
	return keys.n;
}

SNAPSHOTS_TEST(test_life)
{
	gt_auto(gt_mounts) mounts = { 0 };
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_snapshot_info) info = { 0 };
	gt_autofree char *file = NULL;
	gt_autofree char *copy = NULL;
	struct gt_usage usage;
	struct gt_commit_options o = { .size = sizeof(o), .labels = &labels };

	gt_labels_set(&labels, "mine", "1");
	ok(gt_snapshots_prepare(b.s, &b.call, id, "one", "", &labels, &mounts));
	ck_assert_uint_eq(mounts.n, 1);
	file = bench_file(&mounts, "hello");
	ok(gt_file_write(AT_FDCWD, file, "hello", 5, 0644, false));
	ok(gt_snapshots_stat(b.s, &b.call, NULL, "one", &info));
	ck_assert_int_eq(info.kind, GT_SNAPSHOT_ACTIVE);
	ck_assert_str_eq(info.key, "one");
	ck_assert_str_eq(info.parent, "");
	ck_assert_str_eq(gt_labels_get(&info.labels, "mine"), "1");
	gt_snapshot_info_done(&info);
	gt_labels_set(&labels, "mine", "2");
	ok(gt_snapshots_commit(b.s, &b.call, NULL, "layer", "one", &o));
	fails(gt_snapshots_stat(b.s, &b.call, NULL, "one", &info), GT_NOT_FOUND, "snapshot one");
	ok(gt_snapshots_stat(b.s, &b.call, NULL, "layer", &info));
	ck_assert_int_eq(info.kind, GT_SNAPSHOT_COMMITTED);
	ck_assert_str_eq(gt_labels_get(&info.labels, "mine"), "2");
	gt_snapshot_info_done(&info);

	gt_mounts_done(&mounts);
	ok(gt_snapshots_view(b.s, &b.call, NULL, "look", "layer", NULL, &mounts));
	copy = bench_file(&mounts, "hello");
	ck_assert(access(copy, R_OK) == 0);
	gt_mounts_done(&mounts);
	ok(gt_snapshots_mounts(b.s, &b.call, NULL, "look", &mounts));
	ck_assert_uint_eq(mounts.n, 1);
	ok(gt_snapshots_usage(b.s, &b.call, NULL, "layer", &usage));
	ck_assert_int_ge(usage.inodes, 1);
	fails(gt_snapshots_commit(b.s, &b.call, NULL, "x", "look", NULL), GT_FAILED_PRECONDITION,
	      "not active");
	fails(gt_snapshots_remove(b.s, &b.call, NULL, "layer"), GT_FAILED_PRECONDITION,
	      "snapshot layer has children");
	ok(gt_snapshots_remove(b.s, &b.call, NULL, "look"));
	fails(gt_namespaces_remove(b.s, &b.call, "default"), GT_FAILED_PRECONDITION,
	      "must be empty, but it still has snapshots on");
	ok(gt_snapshots_remove(b.s, &b.call, NULL, "layer"));
	fails(gt_snapshots_remove(b.s, &b.call, NULL, "layer"), GT_NOT_FOUND, "snapshot layer");
	ck_assert_uint_eq(driver_count(), 0);
}

SNAPSHOTS_TEST(test_wrong)
{
	gt_auto(gt_buf) big = GT_BUF_INIT;
	gt_auto(gt_mounts) mounts = { 0 };
	struct gt_call other = b.call;

	layer("base", "");
	ok(prepare("a", "base"));
	fails(prepare("a", "base"), GT_ALREADY_EXISTS, "snapshot \"a\"");
	fails(prepare("b", "nothing"), GT_NOT_FOUND, "parent: snapshot nothing");
	fails(prepare("b", "a"), GT_INVALID_ARGUMENT, "parent a is not committed");
	fails(gt_snapshots_commit(b.s, &b.call, NULL, "base", "a", NULL), GT_ALREADY_EXISTS,
	      "snapshot base");
	fails(gt_snapshots_commit(b.s, &b.call, NULL, "a", "a", NULL), GT_ALREADY_EXISTS,
	      "snapshot a");
	fails(gt_snapshots_commit(b.s, &b.call, NULL, "x", "nothing", NULL), GT_NOT_FOUND,
	      "snapshot nothing");
	fails(gt_snapshots_commit(b.s, &b.call, NULL, "x", "base", NULL), GT_FAILED_PRECONDITION,
	      "snapshot base is not active");
	fails(gt_snapshots_prepare(b.s, &b.call, "zfs", "x", "", NULL, &mounts),
	      GT_INVALID_ARGUMENT, "zfs");
	other.ns = "other";
	fails(gt_snapshots_prepare(b.s, &other, NULL, "x", "base", NULL, &mounts), GT_NOT_FOUND,
	      "snapshot base");
	for (int i = 0; i < 450; i++)
		gt_buf_addc(&big, 'k');
	fails(prepare(big.s, ""), GT_INVALID_ARGUMENT, "at most 412");
	gt_buf_setlen(&big, 412);
	ok(prepare(big.s, ""));
	ck_assert_uint_eq(mounts.n, 0);
	/* Nothing is left of what went wrong. */
	ck_assert_uint_eq(driver_count(), 3);
}

SNAPSHOTS_TEST(test_labels_and_filters)
{
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_strv) mask = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	gt_auto(gt_snapshot_info) info = { 0 };
	static const struct {
		const char *filter;
		const char *want;
	} cases[] = {
		{ "", "active base look" },
		{ "kind==active", "active" },
		{ "kind==committed", "base" },
		{ "kind==view,parent==base", "look" },
		{ "name~=^l", "look" },
		{ "labels.\"a/b\"==c", "active" },
		{ "parent==\"\"", "base" },
	};

	layer("base", "");
	gt_labels_set(&labels, "a/b", "c");
	gt_labels_set(&labels, "containerd.io/snapshot/x", "down");
	ok(gt_snapshots_prepare(b.s, &b.call, NULL, "active", "base", &labels, &mounts));
	ok(gt_snapshots_view(b.s, &b.call, NULL, "look", "base", NULL, &mounts));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		gt_autofree char *got = listed(cases[i].filter);

		ck_assert_msg(!strcmp(got, cases[i].want), "%s: %s", cases[i].filter, got);
	}
	gt_labels_done(&labels);
	gt_strv_add(&mask, "labels.a/b");
	gt_labels_set(&labels, "other", "o");
	ok(gt_snapshots_update(b.s, &b.call, NULL, "active", &labels, &mask, &info));
	ck_assert(!gt_labels_get(&info.labels, "a/b"));
	ck_assert(!gt_labels_get(&info.labels, "other"));
	ck_assert_str_eq(gt_labels_get(&info.labels, "containerd.io/snapshot/x"), "down");
	gt_strv_add(&mask, "parent");
	fails(gt_snapshots_update(b.s, &b.call, NULL, "active", &labels, &mask, NULL),
	      GT_INVALID_ARGUMENT, "\"parent\"");
	fails(gt_snapshots_update(b.s, &b.call, NULL, "x", &labels, NULL, NULL), GT_NOT_FOUND,
	      "snapshot x");
}

static struct gt_error *add_resource(void *arg, const char *type, const char *name)
{
	gt_strv_addf(arg, "%s %s", type, name);
	return NULL;
}

/* That a lease lists this one snapshot and nothing else. */
static void leased(const char *lease, const char *key)
{
	gt_auto(gt_strv) got = { 0 };
	gt_autofree char *want = gt_strf("snapshots/%s %s", id, key);

	ok(gt_leases_resources(b.s, &b.call, lease, add_resource, &got));
	ck_assert_uint_eq(got.n, 1);
	ck_assert_str_eq(got.v[0], want);
}

SNAPSHOTS_TEST(test_target)
{
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	struct gt_commit_options o = { .size = sizeof(o), .labels = &labels };
	struct gt_lease l = { 0 };

	gt_labels_set(&labels, "containerd.io/snapshot.ref", "chain");
	ok(gt_snapshots_prepare(b.s, &b.call, NULL, "one", "", &labels, &mounts));
	ok(gt_snapshots_commit(b.s, &b.call, NULL, "chain", "one", &o));
	ok(gt_leases_create(b.s, &b.call, "l", NULL, &l));
	gt_lease_done(&l);
	b.call.lease = "l";
	fails(gt_snapshots_prepare(b.s, &b.call, NULL, "two", "", &labels, &mounts),
	      GT_ALREADY_EXISTS, "target snapshot \"chain\"");
	leased("l", "chain");
	ck_assert_uint_eq(driver_count(), 1);
}

SNAPSHOTS_TEST(test_lease)
{
	gt_auto(gt_lease) l = { 0 };

	b.call.lease = "l";
	fails(prepare("x", ""), GT_NOT_FOUND, "lease \"l\"");
	ck_assert_uint_eq(driver_count(), 0);
	ok(gt_leases_create(b.s, &b.call, "l", NULL, &l));
	ok(prepare("x", ""));
	ok(prepare("y", ""));
	ok(gt_snapshots_commit(b.s, &b.call, NULL, "z", "x", NULL));
	ok(gt_snapshots_remove(b.s, &b.call, NULL, "y"));
	leased("l", "z");
}

SNAPSHOTS_TEST(test_rebase)
{
	struct gt_commit_options o = { .size = sizeof(o), .parent = "base", .synced = true };
	gt_auto(gt_snapshot_info) info = { 0 };
	bool can;

	ok(gt_snapshots_can_rebase(b.s, &b.call, NULL, &can));
	layer("base", "");
	ok(prepare("x", ""));
	ok(gt_snapshots_sync(b.s, &b.call, NULL));
	if (!can) {
		fails(gt_snapshots_commit(b.s, &b.call, NULL, "top", "x", &o),
		      GT_FAILED_PRECONDITION, "");
		return;
	}
	ok(gt_snapshots_commit(b.s, &b.call, NULL, "top", "x", &o));
	ok(gt_snapshots_stat(b.s, &b.call, NULL, "top", &info));
	ck_assert_str_eq(info.parent, "base");
	fails(gt_snapshots_remove(b.s, &b.call, NULL, "base"), GT_FAILED_PRECONDITION, "children");
}

SNAPSHOTS_TEST(test_default)
{
	gt_auto(gt_labels) labels = { 0 };

	gt_labels_set(&labels, "containerd.io/defaults/snapshotter", "nowhere");
	ok(gt_namespaces_create(b.s, &b.call, "default", &labels));
	fails(prepare("x", ""), GT_INVALID_ARGUMENT, "nowhere");
}

/* What a process leaves that dies between the snapshotter and the record. */
SNAPSHOTS_TEST(test_leftovers)
{
	gt_auto(gt_mounts) mounts = { 0 };
	gt_auto(gt_snapshot_info) info = { 0 };
	gt_auto(gt_strv) keys = { 0 };
	gt_autofree char *done = NULL;
	gt_autofree char *all = NULL;
	gt_autofree char *file = NULL;

	layer("base", "");
	/* Prepared, no record: the next prepare of that key works. */
	ok(gt_snapshotter_prepare(b.driver, &b.call, "default/7/x", "", NULL, &mounts));
	ok(gt_snapshotter_commit(b.driver, &b.call, "default/7/y", "default/7/x", NULL));
	ok(gt_snapshotter_prepare(b.driver, &b.call, "default/8/x", "default/7/y", NULL, &mounts));
	gt_mounts_done(&mounts);
	ok(prepare("x", "base"));

	/* Committed, the record still active: trying again ends it. */
	ok(gt_snapshots_mounts(b.s, &b.call, NULL, "x", &mounts));
	file = bench_file(&mounts, "file");
	ok(gt_file_write(AT_FDCWD, file, "x", 1, 0644, false));
	ok(gt_snapshotter_walk(b.driver, &b.call, add_key, &keys));
	for (size_t i = 0; i < keys.n; i++) {
		size_t len = strlen(keys.v[i]);

		if (!strcmp(keys.v[i], "default/8/x") || strcmp(keys.v[i] + len - 2, "/x"))
			continue;
		done = gt_strf("%.*s/top", (int)(len - 2), keys.v[i]);
		ok(gt_snapshotter_commit(b.driver, &b.call, done, keys.v[i], NULL));
	}
	ck_assert(done != NULL);
	fails(gt_snapshots_stat(b.s, &b.call, NULL, "x", &info), GT_NOT_FOUND, "snapshot x");
	fails(gt_snapshots_commit(b.s, &b.call, NULL, "elsewhere", "x", NULL), GT_NOT_FOUND,
	      "snapshot x");
	ok(gt_snapshots_commit(b.s, &b.call, NULL, "top", "x", NULL));
	ok(gt_snapshots_stat(b.s, &b.call, NULL, "top", &info));
	ck_assert_str_eq(info.parent, "base");

	/* The rest is cleanup's. */
	ck_assert_uint_eq(driver_count(), 4);
	ok(gt_snapshots_cleanup(b.s, &b.call, NULL));
	ck_assert_uint_eq(driver_count(), 2);
	all = listed("");
	ck_assert_str_eq(all, "base top");
}

SNAPSHOTS_TEST(test_leftover_commit)
{
	gt_auto(gt_strv) keys = { 0 };
	gt_auto(gt_snapshot_info) info = { 0 };
	gt_autofree char *done = NULL;
	gt_autofree char *all = NULL;

	ok(prepare("x", ""));
	ok(prepare("lost", ""));
	ok(gt_snapshotter_walk(b.driver, &b.call, add_key, &keys));
	for (size_t i = 0; i < keys.n; i++) {
		size_t len = strlen(keys.v[i]);

		if (!strcmp(keys.v[i] + len - 5, "/lost")) {
			ok(gt_snapshotter_remove(b.driver, &b.call, keys.v[i]));
			continue;
		}
		done = gt_strf("%.*s/sha256:top", (int)(len - 2), keys.v[i]);
		ok(gt_snapshotter_commit(b.driver, &b.call, done, keys.v[i], NULL));
	}
	ok(gt_snapshots_cleanup(b.s, &b.call, NULL));
	all = listed("");
	ck_assert_str_eq(all, "sha256:top");
	ok(gt_snapshots_stat(b.s, &b.call, NULL, "sha256:top", &info));
	ck_assert_int_eq(info.kind, GT_SNAPSHOT_COMMITTED);
	ok(gt_snapshots_cleanup(b.s, &b.call, NULL));
	ck_assert_uint_eq(driver_count(), 1);
	ok(prepare("x", "sha256:top"));
}

/* The same where the commit gave it another parent. */
SNAPSHOTS_TEST(test_leftover_rebase)
{
	gt_auto(gt_strv) keys = { 0 };
	gt_auto(gt_snapshot_info) info = { 0 };
	gt_autofree char *base = NULL;
	gt_autofree char *x = NULL;
	gt_autofree char *top = NULL;
	struct gt_commit_options o = { .size = sizeof(o) };
	bool can;

	ok(gt_snapshots_can_rebase(b.s, &b.call, NULL, &can));
	if (!can)
		return;
	layer("base", "");
	ok(prepare("x", ""));
	ok(gt_snapshotter_walk(b.driver, &b.call, add_key, &keys));
	ck_assert_uint_eq(keys.n, 2);
	gt_strv_sort(&keys);
	base = gt_xstrdup(keys.v[0]);
	x = gt_xstrdup(keys.v[1]);
	top = gt_strf("%.*s/top", (int)strlen(x) - 2, x);
	o.parent = base;
	ok(gt_snapshotter_commit(b.driver, &b.call, top, x, &o));
	/* A record that says that it has none would let the parent go. */
	fails(gt_snapshots_commit(b.s, &b.call, NULL, "top", "x", NULL), GT_FAILED_PRECONDITION,
	      "another parent");
	ok(gt_snapshots_cleanup(b.s, &b.call, NULL));
	ok(gt_snapshots_stat(b.s, &b.call, NULL, "top", &info));
	ck_assert_str_eq(info.parent, "base");
	fails(gt_snapshots_remove(b.s, &b.call, NULL, "base"), GT_FAILED_PRECONDITION, "children");
	ok(gt_snapshots_remove(b.s, &b.call, NULL, "top"));
	ok(gt_snapshots_remove(b.s, &b.call, NULL, "base"));
	ck_assert_uint_eq(driver_count(), 0);
}

static TCase *tests(const char *name, void (*begin)(void))
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, begin, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_life);
	tcase_add_test(t, test_wrong);
	tcase_add_test(t, test_labels_and_filters);
	tcase_add_test(t, test_target);
	tcase_add_test(t, test_lease);
	tcase_add_test(t, test_rebase);
	tcase_add_test(t, test_default);
	tcase_add_test(t, test_leftovers);
	tcase_add_test(t, test_leftover_commit);
	tcase_add_test(t, test_leftover_rebase);
	return t;
}

TCase *snapshots_native_tests(void)
{
	return tests("native", setup_native);
}

TCase *snapshots_overlay_tests(void)
{
	return tests("overlay", setup_overlay);
}
