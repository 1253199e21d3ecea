/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "host-test.h"
#include "suites-test.h"

#include <gantry/api-blobs.h>
#include <gantry/api-leases.h>
#include <gantry/api-namespaces.h>
#include <gantry/buf.h>

#include <stdio.h>
#include <string.h>

/* sha256 of "hello" and of "world". */
#define HELLO "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define WORLD "sha256:486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7"

static struct bench b;
static struct gt_call other; /* another namespace */

static void open_with(const char *more)
{
	gt_autofree char *dir = bench_folder();

	bench_open(&b, dir, more);
	other = b.call;
	other.ns = "other";
}

static void setup(void)
{
	open_with(NULL);
}

static void setup_isolated(void)
{
	open_with("services-local: { content_sharing = \"isolated\"; };");
}

static void teardown(void)
{
	char *dir = gt_xstrdup(b.dir);

	bench_close(&b);
	bench_folder_remove(dir);
}

static struct gt_error *open_writer(struct gt_call *call, const char *ref, const char *digest,
				    int64_t size, struct gt_writer **out)
{
	struct gt_descriptor desc = { .digest = (char *)digest, .size = size };

	return gt_blobs_writer(b.s, call, ref, &desc, out);
}

static void write_blob(struct gt_call *call, const char *text)
{
	gt_autoptr(gt_writer) w = NULL;
	gt_autofree char *ref = gt_strf("ref-%s", text);

	ok(gt_blobs_writer(b.s, call, ref, NULL, &w));
	ok(gt_writer_write(w, text, strlen(text)));
	ok(gt_blobs_commit(b.s, call, w, (int64_t)strlen(text), NULL, NULL, NULL));
}

static bool driver_has(const char *digest)
{
	struct gt_blob_info info = { 0 };
	struct gt_error *e = gt_content_info(b.content, &b.call, digest, &info);
	bool has = !e;

	ok(gt_error_unless(e, GT_NOT_FOUND));
	gt_blob_info_done(&info);
	return has;
}

static struct gt_error *count(void *arg, const struct gt_blob *blob)
{
	(void)blob;
	++*(int *)arg;
	return NULL;
}

static struct gt_error *count_ingest(void *arg, const struct gt_ingest_info *i)
{
	(void)i;
	++*(int *)arg;
	return NULL;
}

static int count_ingests(struct gt_call *call, const char *filter)
{
	gt_auto(gt_strv) filters = { 0 };
	int n = 0;

	if (filter)
		gt_strv_add(&filters, filter);
	ok(gt_blobs_list_ingests(b.s, call, &filters, count_ingest, &n));
	return n;
}

START_TEST(test_blob_life)
{
	gt_autoptr(gt_writer) w = NULL;
	gt_autoptr(gt_reader) r = NULL;
	gt_autofree char *digest = NULL;
	gt_autofree char *text = NULL;
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_blob) blob = { 0 };
	gt_auto(gt_ingest_info) status = { 0 };
	gt_auto(gt_strv) mask = { 0 };
	size_t len;
	int n = 0;

	gt_labels_set(&labels, "a", "1");
	gt_labels_set(&labels, "b", "2");
	ok(open_writer(&b.call, "ref", NULL, 0, &w));
	ok(gt_writer_write(w, "hel", 3));
	ok(gt_writer_write(w, "lo", 2));
	ok(gt_writer_status(w, &status));
	ck_assert_str_eq(status.ref, "ref");
	ck_assert_int_eq(status.offset, 5);
	ck_assert_int_eq(count_ingests(&b.call, NULL), 1);
	ok(gt_blobs_commit(b.s, &b.call, w, 5, NULL, &labels, &digest));
	ck_assert_str_eq(digest, HELLO);
	fails(gt_blobs_commit(b.s, &b.call, w, 5, NULL, NULL, NULL), GT_FAILED_PRECONDITION,
	      "committed");
	ck_assert_int_eq(count_ingests(&b.call, NULL), 0);

	ok(gt_blobs_info(b.s, &b.call, HELLO, &blob));
	ck_assert_int_eq(blob.info.size, 5);
	ck_assert_uint_eq(blob.labels.n, 2);
	gt_blob_done(&blob);
	ok(gt_blobs_reader(b.s, &b.call, HELLO, &r));
	ok(gt_reader_all(r, 10, &text, &len));
	ck_assert_str_eq(text, "hello");

	gt_labels_done(&labels);
	gt_labels_set(&labels, "c", "3");
	gt_strv_add(&mask, "labels.a");
	gt_strv_add(&mask, "labels.c");
	ok(gt_blobs_update(b.s, &b.call, HELLO, &labels, &mask, &blob));
	ck_assert_uint_eq(blob.labels.n, 2);
	ck_assert_str_eq(gt_labels_get(&blob.labels, "c"), "3");
	gt_blob_done(&blob);
	ok(gt_blobs_update(b.s, &b.call, HELLO, &labels, NULL, &blob));
	ck_assert_uint_eq(blob.labels.n, 1);
	gt_blob_done(&blob);
	gt_strv_add(&mask, "size");
	fails(gt_blobs_update(b.s, &b.call, HELLO, &labels, &mask, NULL), GT_INVALID_ARGUMENT,
	      "\"size\"");

	gt_strv_done(&mask);
	gt_strv_add(&mask, "size==5,labels.c==3");
	gt_strv_add(&mask, "digest~=^sha512");
	ok(gt_blobs_list(b.s, &b.call, &mask, count, &n));
	ck_assert_int_eq(n, 1);
	fails(gt_blobs_info(b.s, &b.call, WORLD, &blob), GT_NOT_FOUND, "content " WORLD);
	fails(gt_blobs_info(b.s, &b.call, "sha256:1", &blob), GT_INVALID_ARGUMENT, "digest");
	ok(gt_blobs_remove(b.s, &b.call, HELLO));
	ck_assert(!driver_has(HELLO));
	fails(gt_blobs_remove(b.s, &b.call, HELLO), GT_NOT_FOUND, "content " HELLO);
}
END_TEST

static char *note_of(struct gt_call *call, const char *digest)
{
	char *text = NULL;

	ok(gt_error_unless(gt_blobs_note(b.s, call, digest, &text), GT_NOT_FOUND));
	return text ? text : gt_xstrdup("none");
}

static void has_note(struct gt_call *call, const char *digest, const char *text)
{
	gt_autofree char *note = note_of(call, digest);

	ck_assert_str_eq(note, text);
}

START_TEST(test_notes)
{
	gt_auto(gt_strv) digests = { 0 }, notes = { 0 }, again = { 0 };

	write_blob(&b.call, "hello");
	gt_strv_add(&digests, HELLO);
	gt_strv_add(&digests, WORLD);
	gt_strv_add(&notes, "of hello");
	gt_strv_add(&notes, "of world");
	gt_strv_add(&again, "more");
	gt_strv_add(&again, "of hello");
	ok(gt_blobs_set_notes(b.s, &b.call, &digests, &notes));
	has_note(&b.call, HELLO, "of hello");
	has_note(&b.call, WORLD, "none"); /* there is no such blob */
	has_note(&other, HELLO, "none");
	ok(gt_blobs_set_notes(b.s, &b.call, &digests, &again));
	has_note(&b.call, HELLO, "more");
	ok(gt_blobs_remove(b.s, &b.call, HELLO));
	write_blob(&b.call, "hello");
	has_note(&b.call, HELLO, "none"); /* it went with the blob */
}
END_TEST

START_TEST(test_commit_wrong)
{
	gt_autoptr(gt_writer) w = NULL;

	ok(open_writer(&b.call, "ref", HELLO, 5, &w));
	ok(gt_writer_write(w, "world", 5));
	fails(gt_writer_write(w, "!", 1), GT_OUT_OF_RANGE, "");
	fails(gt_blobs_commit(b.s, &b.call, w, 4, NULL, NULL, NULL), GT_FAILED_PRECONDITION,
	      "unexpected commit size 5, expected 4");
	fails(gt_blobs_commit(b.s, &b.call, w, 5, NULL, NULL, NULL), GT_FAILED_PRECONDITION,
	      "unexpected commit digest " WORLD);
	fails(gt_blobs_commit(b.s, &other, w, 5, NULL, NULL, NULL), GT_INVALID_ARGUMENT,
	      "another namespace");
	ck_assert(!driver_has(WORLD));
	/* It can be put right. */
	ok(gt_writer_truncate(w, 0));
	ok(gt_writer_write(w, "hello", 5));
	ok(gt_writer_commit(w, 5, NULL, NULL));
	ck_assert(driver_has(HELLO));
}
END_TEST

START_TEST(test_resume)
{
	struct gt_writer *w = NULL, *second = NULL;
	gt_auto(gt_ingest_info) status = { 0 };
	char *dir = gt_xstrdup(b.dir);

	ok(open_writer(&b.call, "a/b c", HELLO, 5, &w));
	ok(gt_writer_write(w, "hel", 3));
	fails(open_writer(&b.call, "a/b c", HELLO, 5, &second), GT_UNAVAILABLE, "locked");
	/* The same ref of another namespace is another ingest. */
	ok(open_writer(&other, "a/b c", NULL, 0, &second));
	gt_writer_free(second);
	gt_writer_free(w);
	/* As if by another process. */
	bench_close(&b);
	bench_open(&b, dir, NULL);
	free(dir);
	ok(gt_blobs_status(b.s, &b.call, "a/b c", &status));
	ck_assert_str_eq(status.ref, "a/b c");
	ck_assert_int_eq(status.offset, 3);
	ck_assert_int_eq(status.total, 5);
	ck_assert_str_eq(status.expected, HELLO);
	ck_assert_int_eq(count_ingests(&b.call, "ref==\"a/b c\""), 1);
	ck_assert_int_eq(count_ingests(&b.call, "ref==x"), 0);
	ok(open_writer(&b.call, "a/b c", NULL, 0, &w));
	ok(gt_writer_write(w, "lo", 2));
	ok(gt_blobs_commit(b.s, &b.call, w, 5, NULL, NULL, NULL));
	gt_writer_free(w);
	fails(open_writer(&b.call, "other ref", HELLO, 5, &w), GT_ALREADY_EXISTS, "content " HELLO);
}
END_TEST

START_TEST(test_abort)
{
	struct gt_writer *w = NULL;

	fails(gt_blobs_abort(b.s, &b.call, "ref"), GT_NOT_FOUND, "ingest ref");
	ok(open_writer(&b.call, "ref", NULL, 0, &w));
	ok(gt_writer_write(w, "x", 1));
	fails(gt_blobs_abort(b.s, &b.call, "ref"), GT_UNAVAILABLE, "");
	gt_writer_free(w);
	ok(gt_blobs_abort(b.s, &b.call, "ref"));
	ck_assert_int_eq(count_ingests(&b.call, NULL), 0);
	fails(gt_blobs_abort(b.s, &b.call, "ref"), GT_NOT_FOUND, "ingest ref");
}
END_TEST

START_TEST(test_same_blob_twice)
{
	gt_autoptr(gt_writer) a = NULL;
	gt_autoptr(gt_writer) c = NULL;

	ok(open_writer(&b.call, "a", NULL, 0, &a));
	ok(open_writer(&b.call, "c", NULL, 0, &c));
	ok(gt_writer_write(a, "hello", 5));
	ok(gt_writer_write(c, "hello", 5));
	ok(gt_blobs_commit(b.s, &b.call, a, 5, NULL, NULL, NULL));
	fails(gt_blobs_commit(b.s, &b.call, c, 5, NULL, NULL, NULL), GT_ALREADY_EXISTS,
	      "content " HELLO);
	ck_assert_int_eq(count_ingests(&b.call, NULL), 0);
}
END_TEST

START_TEST(test_shared)
{
	gt_autoptr(gt_writer) w = NULL;
	gt_auto(gt_ingest_info) status = { 0 };
	gt_auto(gt_blob) blob = { 0 };
	gt_autofree char *digest = NULL;

	write_blob(&b.call, "hello");
	fails(gt_blobs_info(b.s, &other, HELLO, &blob), GT_NOT_FOUND, HELLO);
	ok(open_writer(&other, "ref", HELLO, 5, &w));
	ok(gt_writer_status(w, &status));
	ck_assert_int_eq(status.offset, 5);
	/* While somebody expects it, it stays. */
	ok(gt_blobs_remove(b.s, &b.call, HELLO));
	ck_assert(driver_has(HELLO));
	fails(gt_blobs_commit(b.s, &other, w, 6, NULL, NULL, NULL), GT_FAILED_PRECONDITION, "size");
	fails(gt_blobs_commit(b.s, &other, w, 5, WORLD, NULL, NULL), GT_FAILED_PRECONDITION,
	      "digest");
	ok(gt_blobs_commit(b.s, &other, w, 5, HELLO, NULL, &digest));
	ck_assert_str_eq(digest, HELLO);
	ok(gt_blobs_info(b.s, &other, HELLO, &blob));
	ck_assert_int_eq(blob.info.size, 5);
	ok(gt_blobs_remove(b.s, &other, HELLO));
	ck_assert(!driver_has(HELLO));
}
END_TEST

START_TEST(test_shared_abort)
{
	struct gt_writer *w;

	write_blob(&b.call, "hello");
	ok(open_writer(&other, "ref", HELLO, 5, &w));
	gt_writer_free(w);
	ok(gt_blobs_remove(b.s, &b.call, HELLO));
	ck_assert(driver_has(HELLO));
	ok(gt_blobs_abort(b.s, &other, "ref"));
	ck_assert(!driver_has(HELLO));
}
END_TEST

START_TEST(test_shared_written)
{
	gt_autoptr(gt_writer) w = NULL;
	gt_auto(gt_blob) blob = { 0 };

	write_blob(&b.call, "hello");
	ok(open_writer(&other, "ref", HELLO, 0, &w));
	fails(gt_writer_truncate(w, 6), GT_OUT_OF_RANGE, "");
	ok(gt_writer_truncate(w, 3));
	ok(gt_writer_write(w, "lo", 2));
	ok(gt_blobs_commit(b.s, &other, w, 5, HELLO, NULL, NULL));
	ok(gt_blobs_info(b.s, &other, HELLO, &blob));
}
END_TEST

START_TEST(test_isolated)
{
	gt_autoptr(gt_writer) w = NULL;
	gt_autoptr(gt_writer) again = NULL;
	gt_auto(gt_ingest_info) status = { 0 };
	gt_auto(gt_labels) labels = { 0 };

	write_blob(&b.call, "hello");
	write_blob(&b.call, "world");
	ok(open_writer(&other, "ref", HELLO, 5, &w));
	ok(gt_writer_status(w, &status));
	ck_assert_int_eq(status.offset, 0);
	gt_ingest_info_done(&status);
	fails(gt_blobs_commit(b.s, &other, w, 0, HELLO, NULL, NULL), GT_FAILED_PRECONDITION,
	      "digest");
	ok(gt_writer_write(w, "hello", 5));
	ok(gt_blobs_commit(b.s, &other, w, 5, HELLO, NULL, NULL));
	/* Unless the one that has it shares. */
	gt_labels_set(&labels, "containerd.io/namespace.shareable", "true");
	ok(gt_namespaces_update(b.s, &b.call, "default", &labels, false));
	ok(open_writer(&other, "ref2", WORLD, 5, &again));
	ok(gt_writer_status(again, &status));
	ck_assert_int_eq(status.offset, 5);
}
END_TEST

static struct gt_error *add_resource(void *arg, const char *type, const char *id)
{
	gt_strv_addf(arg, "%s %s", type, id);
	return NULL;
}

START_TEST(test_lease)
{
	gt_autoptr(gt_writer) w = NULL;
	gt_auto(gt_lease) l = { 0 };
	gt_auto(gt_strv) got = { 0 };

	ok(gt_leases_create(b.s, &b.call, "l1", NULL, &l));
	b.call.lease = "l1";
	ok(open_writer(&b.call, "ref", HELLO, 5, &w));
	ok(gt_leases_resources(b.s, &b.call, "l1", add_resource, &got));
	ck_assert_uint_eq(got.n, 1);
	ck_assert_str_eq(got.v[0], "ingests ref");
	gt_strv_done(&got);
	ok(gt_writer_write(w, "hello", 5));
	ok(gt_blobs_commit(b.s, &b.call, w, 5, HELLO, NULL, NULL));
	ok(gt_leases_resources(b.s, &b.call, "l1", add_resource, &got));
	ck_assert_uint_eq(got.n, 1);
	ck_assert_str_eq(got.v[0], "content " HELLO);
	gt_strv_done(&got);
	ok(gt_blobs_remove(b.s, &b.call, HELLO));
	ok(gt_leases_resources(b.s, &b.call, "l1", add_resource, &got));
	ck_assert_uint_eq(got.n, 0);
}
END_TEST

START_TEST(test_namespace_gone)
{
	struct gt_writer *w;
	int n = 0;

	ok(open_writer(&b.call, "ref", NULL, 0, &w));
	ok(gt_writer_write(w, "hello", 5));
	gt_writer_free(w);
	ok(gt_namespaces_remove(b.s, &b.call, "default"));
	ok(gt_content_walk_ingests(b.content, &b.call, count_ingest, &n));
	ck_assert_int_eq(n, 0);
}
END_TEST

TCase *content_tests(void)
{
	TCase *t = tcase_create("content");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_blob_life);
	tcase_add_test(t, test_notes);
	tcase_add_test(t, test_commit_wrong);
	tcase_add_test(t, test_resume);
	tcase_add_test(t, test_abort);
	tcase_add_test(t, test_same_blob_twice);
	tcase_add_test(t, test_shared);
	tcase_add_test(t, test_shared_abort);
	tcase_add_test(t, test_shared_written);
	tcase_add_test(t, test_lease);
	tcase_add_test(t, test_namespace_gone);
	return t;
}

TCase *isolation_tests(void)
{
	TCase *t = tcase_create("isolation");

	tcase_add_checked_fixture(t, setup_isolated, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_isolated);
	return t;
}
