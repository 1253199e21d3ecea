/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "host-test.h"
#include "suites-test.h"

#include <gantry/api-blobs.h>
#include <gantry/api-diffs.h>
#include <gantry/api-snapshots.h>
#include <gantry/buf.h>
#include <gantry/file.h>

#include <fcntl.h>
#include <string.h>

#define UNCOMPRESSED "containerd.io/uncompressed"

static struct bench b;

static void setup(void)
{
	gt_autofree char *dir = bench_folder();

	bench_open(&b, dir, NULL);
}

static void teardown(void)
{
	char *dir = gt_xstrdup(b.dir);

	bench_close(&b);
	bench_folder_remove(dir);
}

static void prepare(const char *key, struct gt_mounts *out)
{
	ok(gt_snapshots_prepare(b.s, &b.call, NULL, key, "", NULL, out));
}

static void put(const struct gt_mounts *mounts, const char *name, const char *text)
{
	gt_autofree char *path = bench_file(mounts, name);

	ok(gt_file_write(AT_FDCWD, path, text, strlen(text), 0644, false));
}

static struct gt_error *count_ingest(void *arg, const struct gt_ingest_info *i)
{
	(void)i;
	++*(int *)arg;
	return NULL;
}

static int ingests(void)
{
	int n = 0;

	ok(gt_blobs_list_ingests(b.s, &b.call, NULL, count_ingest, &n));
	return n;
}

START_TEST(test_there_and_back)
{
	gt_auto(gt_mounts) lower = { 0 };
	gt_auto(gt_mounts) upper = { 0 };
	gt_auto(gt_mounts) target = { 0 };
	gt_auto(gt_descriptor) layer = { 0 };
	gt_auto(gt_descriptor) again = { 0 };
	gt_auto(gt_descriptor) applied = { 0 };
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_blob) blob = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_autofree char *path = NULL;
	struct gt_diff_options o = { .size = sizeof(o) };

	prepare("lower", &lower);
	prepare("upper", &upper);
	prepare("target", &target);
	put(&upper, "hello", "world");
	gt_labels_set(&labels, "mine", "1");
	o.media_type = "application/vnd.oci.image.layer.v1.tar";
	ok(gt_diffs_diff(b.s, &b.call, &lower, &upper, &o, NULL, &labels, &layer));
	ck_assert_str_eq(layer.media_type, o.media_type);
	ok(gt_blobs_info(b.s, &b.call, layer.digest, &blob));
	ck_assert_int_eq(blob.info.size, layer.size);
	ck_assert_str_eq(gt_labels_get(&blob.labels, "mine"), "1");
	/* Not compressed, it is itself. */
	ck_assert_str_eq(gt_labels_get(&blob.labels, UNCOMPRESSED), layer.digest);
	gt_blob_done(&blob);
	ck_assert_int_eq(ingests(), 0);

	ok(gt_diffs_apply(b.s, &b.call, &layer, &target, &applied));
	ck_assert_str_eq(applied.digest, layer.digest);
	ck_assert_int_eq(applied.size, layer.size);
	path = bench_file(&target, "hello");
	ok(gt_file_read(AT_FDCWD, path, 100, &text));
	ck_assert_str_eq(text.s, "world");

	/* The same once more: the blob is there, and gets what labels are new. */
	gt_labels_done(&labels);
	gt_labels_set(&labels, "other", "2");
	ok(gt_diffs_diff(b.s, &b.call, &lower, &upper, &o, "ref", &labels, &again));
	ck_assert_str_eq(again.digest, layer.digest);
	ok(gt_blobs_info(b.s, &b.call, layer.digest, &blob));
	ck_assert_uint_eq(blob.labels.n, 3);
	ck_assert_int_eq(ingests(), 0);
}
END_TEST

START_TEST(test_compressed)
{
	gt_auto(gt_mounts) lower = { 0 };
	gt_auto(gt_mounts) upper = { 0 };
	gt_auto(gt_mounts) target = { 0 };
	gt_auto(gt_descriptor) layer = { 0 };
	gt_auto(gt_descriptor) applied = { 0 };
	gt_auto(gt_blob) blob = { 0 };

	prepare("lower", &lower);
	prepare("upper", &upper);
	prepare("target", &target);
	put(&upper, "hello", "world");
	ok(gt_diffs_diff(b.s, &b.call, &lower, &upper, NULL, NULL, NULL, &layer));
	ck_assert_str_eq(layer.media_type, "application/vnd.oci.image.layer.v1.tar+gzip");
	ok(gt_diffs_apply(b.s, &b.call, &layer, &target, &applied));
	ok(gt_blobs_info(b.s, &b.call, layer.digest, &blob));
	ck_assert_str_eq(gt_labels_get(&blob.labels, UNCOMPRESSED), applied.digest);
}
END_TEST

START_TEST(test_wrong)
{
	gt_auto(gt_mounts) upper = { 0 };
	gt_auto(gt_descriptor) layer = { 0 };
	gt_auto(gt_descriptor) applied = { 0 };
	struct gt_mounts none = { 0 };
	struct gt_diff_options o = { .size = sizeof(o), .media_type = "application/x-nothing" };
	struct gt_call late = b.call;
	struct gt_error *e;

	prepare("upper", &upper);
	put(&upper, "hello", "world");
	fails(gt_diffs_diff(b.s, &b.call, &none, &upper, &o, NULL, NULL, &layer), GT_UNIMPLEMENTED,
	      "application/x-nothing");
	late.deadline = 1;
	e = gt_diffs_diff(b.s, &late, &none, &upper, NULL, NULL, NULL, &layer);
	fails(e, GT_DEADLINE_EXCEEDED, "");
	ck_assert_int_eq(ingests(), 0);

	layer.digest = gt_xstrdup(
		"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	layer.media_type = gt_xstrdup("application/vnd.oci.image.layer.v1.tar");
	fails(gt_diffs_apply(b.s, &b.call, &layer, &upper, &applied), GT_NOT_FOUND, "content");
}
END_TEST

TCase *diffs_tests(void)
{
	TCase *t = tcase_create("diffs");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_there_and_back);
	tcase_add_test(t, test_compressed);
	tcase_add_test(t, test_wrong);
	return t;
}
