/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <wire/objects.h>

#include "containerd.events.pb-c.h"

#include <check.h>
#include <string.h>

/* A message through its bytes and back; freed by the caller. */
static ProtobufCMessage *through(const ProtobufCMessage *m)
{
	gt_auto(gt_buf) bytes = GT_BUF_INIT;
	ProtobufCMessage *out = NULL;
	struct gt_error *e;

	gt_wire_pack(m, &bytes);
	e = gt_wire_unpack(m->descriptor, bytes.s, bytes.len, &out);
	ck_assert_msg(!e, "%s", gt_error_text(e));
	return out;
}

START_TEST(test_time)
{
	gt_auto(gt_arena) a = { 0 };
	struct timespec none = { 0 }, some = { .tv_sec = 1700000000, .tv_nsec = 5 }, got;
	Google__Protobuf__Timestamp *m = gt_wire_time(&a, &none);

	ck_assert_int_eq(m->seconds, -62135596800);
	got = gt_wire_time_get(m);
	ck_assert(!got.tv_sec && !got.tv_nsec);
	got = gt_wire_time_get(NULL);
	ck_assert(!got.tv_sec && !got.tv_nsec);
	m = gt_wire_time(&a, &some);
	got = gt_wire_time_get(m);
	ck_assert_int_eq(got.tv_sec, 1700000000);
	ck_assert_int_eq(got.tv_nsec, 5);
	/* Before 1970 is a time; nanoseconds that are none are not. */
	m->seconds = -5;
	ck_assert_int_eq(gt_wire_time_get(m).tv_sec, -5);
	m->nanos = 1000000000;
	ck_assert_int_eq(gt_wire_time_get(m).tv_sec, 0);
	m->nanos = -1;
	ck_assert_int_eq(gt_wire_time_get(m).tv_sec, 0);
}
END_TEST

START_TEST(test_arena)
{
	gt_auto(gt_arena) a = { 0 };

	for (size_t size = 0; size < 10000; size = size * 2 + 1) {
		unsigned char *p = gt_arena_alloc(&a, size);

		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			ck_assert_uint_eq(p[i], 0);
		memset(p, 0xff, size);
	}
}
END_TEST

START_TEST(test_any)
{
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_any) any = { 0 };
	gt_auto(gt_any) got = { 0 };
	gt_autowire ProtobufCMessage *m = NULL;
	gt_autowire ProtobufCMessage *wrong = NULL;
	Containerd__Events__TaskExit exit = CONTAINERD__EVENTS__TASK_EXIT__INIT;
	struct gt_error *e;

	ck_assert(gt_wire_any(&a, &any) == NULL);
	gt_wire_any_get(NULL, &got);
	ck_assert(got.type_url == NULL);
	exit.container_id = (char *)"c1";
	exit.exit_status = 7;
	gt_wire_any_pack(&exit.base, &any);
	ck_assert_str_eq(any.type_url, "containerd.events.TaskExit");
	gt_wire_any_get(gt_wire_any(&a, &any), &got);
	ck_assert_uint_eq(got.len, any.len);
	ck_assert(!gt_wire_any_unpack(&got, &containerd__events__task_exit__descriptor, &m));
	ck_assert_uint_eq(((Containerd__Events__TaskExit *)m)->exit_status, 7);
	e = gt_wire_any_unpack(&got, &containerd__events__task_oom__descriptor, &wrong);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	gt_error_free(e);
	/* Cut off, and what is no message at all. */
	got.len--;
	e = gt_wire_any_unpack(&got, &containerd__events__task_exit__descriptor, &wrong);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	gt_error_free(e);
	gt_any_set(&got, "containerd.events.TaskExit", "\xff\xff\xff", 3);
	e = gt_wire_any_unpack(&got, &containerd__events__task_exit__descriptor, &wrong);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	gt_error_free(e);
}
END_TEST

START_TEST(test_image)
{
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_image) i = { .name = gt_xstrdup("x"), .created_at = { .tv_sec = 5 } };
	gt_auto(gt_image) got = { 0 };
	gt_autowire ProtobufCMessage *m = NULL;

	gt_labels_set(&i.labels, "b", "2");
	gt_labels_set(&i.labels, "a", "");
	i.target.digest = gt_xstrdup("sha256:1");
	i.target.media_type = gt_xstrdup("t");
	i.target.size = INT64_MAX;
	gt_labels_set(&i.target.annotations, "n", "v");
	m = through(&gt_wire_image(&a, &i)->base);
	gt_wire_image_get((void *)m, &got);
	ck_assert_str_eq(got.name, "x");
	ck_assert_uint_eq(got.labels.n, 2);
	ck_assert_str_eq(gt_labels_get(&got.labels, "a"), "");
	ck_assert_str_eq(gt_labels_get(&got.target.annotations, "n"), "v");
	ck_assert(got.target.size == INT64_MAX);
	ck_assert_int_eq(got.created_at.tv_sec, 5);
	ck_assert_int_eq(got.updated_at.tv_sec, 0);
}
END_TEST

START_TEST(test_container)
{
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_container) c = { .id = gt_xstrdup("c"), .runtime = gt_xstrdup("r") };
	gt_auto(gt_container) got = { 0 };
	gt_auto(gt_container) empty = { 0 };
	gt_autowire ProtobufCMessage *m = NULL;
	struct gt_any any = { 0 };
	Containerd__Services__Containers__V1__Container bare =
		CONTAINERD__SERVICES__CONTAINERS__V1__CONTAINER__INIT;
	Containerd__Services__Containers__V1__Container__ExtensionsEntry twice[2] = {
		CONTAINERD__SERVICES__CONTAINERS__V1__CONTAINER__EXTENSIONS_ENTRY__INIT,
		CONTAINERD__SERVICES__CONTAINERS__V1__CONTAINER__EXTENSIONS_ENTRY__INIT,
	};
	Containerd__Services__Containers__V1__Container__ExtensionsEntry *entries[2] = {
		&twice[0], &twice[1]
	};

	gt_any_set(&any, "t", "v", 1);
	gt_container_set_extension(&c, "two", &any);
	gt_container_set_extension(&c, "one", &any);
	gt_any_set(&c.spec, "spec", "{}", 2);
	gt_any_done(&any);
	m = through(&gt_wire_container(&a, &c)->base);
	gt_wire_container_get((void *)m, &got);
	ck_assert_str_eq(got.runtime, "r");
	ck_assert_str_eq(got.image, "");
	ck_assert(got.runtime_options.type_url == NULL);
	ck_assert_uint_eq(got.n_extensions, 2);
	ck_assert_str_eq(got.extensions[0].name, "one");
	ck_assert_uint_eq(got.extensions[1].value.len, 1);
	ck_assert_uint_eq(got.spec.len, 2);
	/* Nothing set, and a key that comes twice. */
	twice[0].key = twice[1].key = (char *)"k";
	bare.n_extensions = 2;
	bare.extensions = entries;
	gt_wire_container_get(&bare, &empty);
	ck_assert_str_eq(empty.runtime, "");
	ck_assert_str_eq(empty.id, "");
	ck_assert_uint_eq(empty.n_extensions, 1);
}
END_TEST

START_TEST(test_others)
{
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_sandbox) box = { .id = gt_xstrdup("b"), .sandboxer = gt_xstrdup("s") };
	gt_auto(gt_sandbox) box_got = { 0 };
	gt_auto(gt_snapshot_info) info = { .kind = GT_SNAPSHOT_VIEW, .key = gt_xstrdup("k") };
	gt_auto(gt_snapshot_info) info_got = { 0 };
	gt_auto(gt_blob) blob = { .info = { .digest = gt_xstrdup("d"), .size = 3 } };
	gt_auto(gt_blob) blob_got = { 0 };
	gt_auto(gt_ingest_info) ingest = { .ref = gt_xstrdup("r"), .total = 9 };
	gt_auto(gt_ingest_info) ingest_got = { 0 };
	gt_auto(gt_lease) lease = { .id = gt_xstrdup("l") };
	gt_auto(gt_lease) lease_got = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	gt_auto(gt_mounts) mounts_got = { 0 };
	Containerd__Types__Mount **v;
	size_t n;

	gt_wire_sandbox_get(gt_wire_sandbox(&a, &box), &box_got);
	ck_assert_str_eq(box_got.sandboxer, "s");
	gt_wire_snapshot_get(gt_wire_snapshot(&a, &info), &info_got);
	ck_assert_int_eq(info_got.kind, GT_SNAPSHOT_VIEW);
	ck_assert_str_eq(info_got.parent, "");
	gt_wire_blob_get(gt_wire_blob(&a, &blob), &blob_got);
	ck_assert_int_eq(blob_got.info.size, 3);
	gt_wire_ingest_get(gt_wire_ingest(&a, &ingest), &ingest_got);
	ck_assert_int_eq(ingest_got.total, 9);
	ck_assert(ingest_got.expected == NULL);
	gt_wire_lease_get(gt_wire_lease(&a, &lease), &lease_got);
	ck_assert_str_eq(lease_got.id, "l");
	gt_strv_add(&gt_mounts_add(&mounts, "bind", "/s", NULL)->options, "ro");
	v = gt_wire_mounts(&a, &mounts, &n);
	gt_wire_mounts_get(v, n, &mounts_got);
	ck_assert_uint_eq(mounts_got.n, 1);
	ck_assert_str_eq(mounts_got.v[0].options.v[0], "ro");
}
END_TEST

START_TEST(test_mask)
{
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_strv) mask = { 0 };
	gt_auto(gt_strv) got = { 0 };

	ck_assert(gt_wire_mask(&a, NULL) == NULL);
	ck_assert(gt_wire_mask(&a, &mask) == NULL);
	gt_strv_add(&mask, "labels.a.b");
	gt_wire_mask_get(gt_wire_mask(&a, &mask), &got);
	gt_wire_mask_get(NULL, &got);
	ck_assert_uint_eq(got.n, 1);
}
END_TEST

static const struct {
	const char *path; /* parts, separated by spaces */
	const char *want; /* NULL: no such field */
} fields[] = {
	{ "topic", "/t" },
	{ "namespace", "ns" },
	{ "timestamp", NULL },
	{ "event", NULL },
	{ "event id", "c1" },
	{ "event image", NULL },
	{ "event labels a", "1" },
	{ "event labels a b", "2" },
	{ "event labels c", NULL },
	{ "event nothing", NULL },
	{ "event id more", "c1" },
};

START_TEST(test_event_field)
{
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_any) payload = { 0 };
	gt_auto(gt_strv) path = { 0 };
	gt_auto(gt_buf) scratch = GT_BUF_INIT;
	Containerd__Events__ContainerUpdate m = CONTAINERD__EVENTS__CONTAINER_UPDATE__INIT;
	struct gt_event e = { .ns = "ns", .topic = "/t", .payload = &payload };
	const char *got;

	m.id = (char *)"c1";
	gt_labels_set(&labels, "a", "1");
	gt_labels_set(&labels, "a.b", "2");
	gt_wire_labels(&a, &m.base, "labels", &labels);
	gt_wire_any_pack(&m.base, &payload);
	gt_strv_split(&path, fields[_i].path, ' ');
	got = gt_wire_event_field(&e, &path, &scratch);
	if (fields[_i].want)
		ck_assert_str_eq(got, fields[_i].want);
	else
		ck_assert(got == NULL);
}
END_TEST

START_TEST(test_event_types)
{
	gt_auto(gt_any) payload = { 0 };
	gt_auto(gt_strv) path = { 0 };
	gt_auto(gt_buf) scratch = GT_BUF_INIT;
	Containerd__Events__TaskExit exit = CONTAINERD__EVENTS__TASK_EXIT__INIT;
	struct gt_event e = { .ns = "ns", .topic = "/t", .payload = &payload };

	gt_strv_add(&path, "event");
	gt_strv_add(&path, "exit_status");
	exit.exit_status = 137;
	gt_wire_any_pack(&exit.base, &payload);
	ck_assert_str_eq(gt_wire_event_field(&e, &path, &scratch), "137");
	gt_any_set(&payload, "somebody.Else", "x", 1);
	ck_assert(gt_wire_event_field(&e, &path, &scratch) == NULL);
	gt_any_set(&payload, "containerd.events.TaskExit", "\xff", 1);
	ck_assert(gt_wire_event_field(&e, &path, &scratch) == NULL);
	e.payload = NULL;
	ck_assert(gt_wire_event_field(&e, &path, &scratch) == NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire");
	TCase *t = tcase_create("wire");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, test_time);
	tcase_add_test(t, test_arena);
	tcase_add_test(t, test_any);
	tcase_add_test(t, test_image);
	tcase_add_test(t, test_container);
	tcase_add_test(t, test_others);
	tcase_add_test(t, test_mask);
	tcase_add_loop_test(t, test_event_field, 0, sizeof(fields) / sizeof(fields[0]));
	tcase_add_test(t, test_event_types);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
