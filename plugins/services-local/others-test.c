/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "host-test.h"
#include "suites-test.h"

#include <gantry/api-containers.h>
#include <gantry/api-images.h>
#include <gantry/api-introspection.h>
#include <gantry/api-namespaces.h>
#include <gantry/api-snapshots.h>
#include <gantry/api-stream.h>
#include <gantry/api-tasks.h>
#include <gantry/buf.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct bench b;

static void setup(void)
{
	gt_autofree char *dir = bench_folder();

	bench_open(&b, dir, "services-local: { task_timeout = \"200ms\"; };");
}

static void teardown(void)
{
	char *dir = gt_xstrdup(b.dir);

	bench_close(&b);
	bench_folder_remove(dir);
}

static void make_container(const char *id, const char *runtime, const char *snapshot)
{
	gt_auto(gt_container) c = {
		.id = gt_xstrdup(id),
		.image = gt_xstrdup(""),
		.runtime = gt_xstrdup(runtime),
		.snapshotter = gt_xstrdup(snapshot ? "native" : ""),
		.snapshot_key = gt_xstrdup(snapshot ? snapshot : ""),
		.sandbox = gt_xstrdup(""),
	};

	gt_any_set(&c.spec, "spec", "{}", 2);
	ok(gt_containers_create(b.s, &b.call, &c, NULL));
}

static struct gt_error *add_task(void *arg, const struct gt_task_state *t)
{
	gt_strv_addf(arg, "%s %s", t->id, gt_task_status_name(t->status));
	return NULL;
}

START_TEST(test_task_list)
{
	gt_auto(gt_strv) got = { 0 };
	int64_t begin = gt_now();

	ok(gt_tasks_list(b.s, &b.call, add_task, &got));
	ck_assert_int_lt(gt_now() - begin, INT64_C(1500000000));
	ck_assert_uint_eq(got.n, 4);
	ck_assert_str_eq(got.v[0], "hung UNKNOWN");
	ck_assert_str_eq(got.v[1], "task-1 RUNNING");
	ck_assert_str_eq(got.v[3], "task-3 RUNNING");
}
END_TEST

static struct gt_error *add_metric(void *arg, const struct gt_metric *m)
{
	gt_strv_addf(arg, "%s %.*s", m->id, (int)m->data.len, (const char *)m->data.data);
	return NULL;
}

START_TEST(test_task_metrics)
{
	gt_auto(gt_strv) got = { 0 };
	gt_auto(gt_strv) filters = { 0 };

	gt_strv_add(&filters, "id==task-2");
	gt_strv_add(&filters, "id~=g,runtime==io.test.v1");
	ok(gt_tasks_metrics(b.s, &b.call, &filters, add_metric, &got));
	ck_assert_uint_eq(got.n, 1);
	ck_assert_str_eq(got.v[0], "task-2 task-2");
}
END_TEST

START_TEST(test_task_ops)
{
	struct gt_tasks_create req = { .size = sizeof(req), .id = "task-9" };
	gt_auto(gt_mounts) mounts = { 0 };
	gt_auto(gt_task_state) state = { 0 };
	struct gt_descriptor *descriptors = NULL;
	struct gt_processes pids = { 0 };
	struct gt_exit exit;
	size_t n = 0;
	uint32_t pid;

	fails(gt_tasks_create(b.s, &b.call, &req, &pid), GT_NOT_FOUND,
	      "container \"task-9\" in namespace \"default\"");
	make_container("task-9", "io.test.v1", "snap");
	fails(gt_tasks_create(b.s, &b.call, &req, &pid), GT_NOT_FOUND, "snapshot snap");
	ok(gt_snapshots_prepare(b.s, &b.call, NULL, "snap", "", NULL, &mounts));
	ok(gt_tasks_create(b.s, &b.call, &req, &pid));
	ck_assert_uint_eq(pid, 17);
	ok(gt_tasks_start(b.s, &b.call, "task-9", NULL, &pid));
	ok(gt_tasks_get(b.s, &b.call, "task-9", NULL, &state));
	ck_assert_int_eq(state.status, GT_TASK_RUNNING);
	ok(gt_tasks_kill(b.s, &b.call, "task-9", "", 9, true));
	fails(gt_tasks_pause(b.s, &b.call, "task-9"), GT_UNIMPLEMENTED, "");
	fails(gt_tasks_pids(b.s, &b.call, "task-9", &pids), GT_UNIMPLEMENTED, "");
	fails(gt_tasks_checkpoint(b.s, &b.call, "task-9", "", NULL, &descriptors, &n),
	      GT_UNIMPLEMENTED, "");
	ok(gt_tasks_remove(b.s, &b.call, "task-9", "", &exit));
	ck_assert_uint_eq(exit.status, 3);

	make_container("c2", "io.elsewhere.v1", NULL);
	fails(gt_tasks_start(b.s, &b.call, "c2", NULL, &pid), GT_NOT_FOUND, "io.elsewhere.v1");
	/* A task whose container is gone can still be ended. */
	ok(gt_tasks_kill(b.s, &b.call, "task-1", "", 9, true));
	fails(gt_tasks_kill(b.s, &b.call, "nobody", "", 9, true), GT_NOT_FOUND,
	      "container \"nobody\"");
}
END_TEST

static bool has_snapshot(const char *key)
{
	gt_auto(gt_snapshot_info) i = { 0 };
	struct gt_error *e = gt_snapshots_stat(b.s, &b.call, "native", key, &i);
	bool has = !e;

	gt_error_free(e);
	return has;
}

START_TEST(test_remove_whole)
{
	gt_auto(gt_mounts) mounts = { 0 };
	gt_auto(gt_container) c = { 0 };

	ok(gt_snapshots_prepare(b.s, &b.call, "native", "s1", "", NULL, &mounts));
	make_container("w1", "io.test.v1", "s1");
	ok(gt_containers_remove_whole(b.s, &b.call, "w1"));
	fails(gt_containers_get(b.s, &b.call, "w1", &c), GT_NOT_FOUND, "w1");
	ck_assert(!has_snapshot("s1"));

	make_container("w2", "io.test.v1", "never made");
	ok(gt_containers_remove_whole(b.s, &b.call, "w2"));
	make_container("w3", "io.test.v1", NULL);
	ok(gt_containers_remove_whole(b.s, &b.call, "w3"));

	/* Where the snapshot has to stay so does the container. */
	gt_mounts_done(&mounts);
	ok(gt_snapshots_prepare(b.s, &b.call, "native", "s4", "", NULL, &mounts));
	ok(gt_snapshots_commit(b.s, &b.call, "native", "layer", "s4", NULL));
	gt_mounts_done(&mounts);
	ok(gt_snapshots_prepare(b.s, &b.call, "native", "s5", "layer", NULL, &mounts));
	make_container("w4", "io.test.v1", "layer");
	fails(gt_containers_remove_whole(b.s, &b.call, "w4"), GT_FAILED_PRECONDITION, "children");
	ok(gt_containers_get(b.s, &b.call, "w4", &c));
	ck_assert(has_snapshot("layer"));
}
END_TEST

struct birth {
	size_t n_mounts;
	bool fails;
};

static struct gt_error *fill_birth(void *arg, const struct gt_mounts *mounts, struct gt_container *c)
{
	struct birth *b = arg;

	b->n_mounts += mounts->n;
	ck_assert(!has_snapshot(c->snapshot_key)); /* nobody sees it yet */
	if (b->fails)
		return gt_error_new(GT_DATA_LOSS, "no spec");
	gt_any_set(&c->spec, "type", "{}", 2);
	return NULL;
}

static struct gt_error *create_whole(const char *id, const char *parent, struct birth *birth)
{
	const struct gt_container_snapshot sn = {
		.parent = parent, .fill = fill_birth, .arg = birth
	};
	gt_auto(gt_container) c = {
		.id = gt_xstrdup(id),
		.image = gt_xstrdup(""),
		.runtime = gt_xstrdup("io.test.v1"),
		.snapshotter = gt_xstrdup("native"),
		.snapshot_key = gt_strf("of-%s", id),
		.sandbox = gt_xstrdup(""),
	};

	GT_TRY(gt_containers_create_whole(b.s, &b.call, &sn, &c));
	ck_assert_int_ne(c.created_at.tv_sec, 0);
	return NULL;
}

START_TEST(test_create_whole)
{
	struct birth birth = { 0 };
	gt_auto(gt_container) c = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };

	ok(create_whole("b1", "", &birth));
	ck_assert_uint_eq(birth.n_mounts, 1);
	ck_assert(has_snapshot("of-b1"));
	ok(gt_containers_get(b.s, &b.call, "b1", &c));
	ck_assert_str_eq(c.snapshot_key, "of-b1");

	/* The snapshot is there, then the container is: nothing changes, and nothing is left. */
	fails(create_whole("b1", "", &birth), GT_ALREADY_EXISTS, "of-b1");
	ck_assert_uint_eq(birth.n_mounts, 1);
	make_container("b2", "io.test.v1", NULL);
	fails(create_whole("b2", "", &birth), GT_ALREADY_EXISTS, "b2");
	ck_assert(!has_snapshot("of-b2"));
	ok(gt_snapshots_prepare(b.s, &b.call, "native", "of-b2", "", NULL, &mounts));

	fails(create_whole("b3", "none", &birth), GT_NOT_FOUND, "none");
	birth.fails = true;
	fails(create_whole("b3", "", &birth), GT_DATA_LOSS, "no spec");
	ck_assert(!has_snapshot("of-b3"));
	gt_container_done(&c);
	c = (struct gt_container){ 0 };
	fails(gt_containers_get(b.s, &b.call, "b3", &c), GT_NOT_FOUND, "b3");
	birth.fails = false;
	ok(create_whole("b3", "", &birth));
}
END_TEST

static struct gt_error *add_plugin(void *arg, const struct gt_plugin_info *i)
{
	gt_strv_addf(arg, "%s.%s %s", i->type, i->id, gt_plugin_status_name(i->status));
	return NULL;
}

START_TEST(test_introspection)
{
	gt_auto(gt_server_info) one = { 0 };
	gt_auto(gt_server_info) two = { 0 };
	gt_auto(gt_strv) filters = { 0 };
	gt_auto(gt_strv) got = { 0 };
	struct gt_call none = GT_CALL_INIT;
	char *dir = gt_xstrdup(b.dir);

	ok(gt_introspection_server(b.s, &none, &one));
	ck_assert_uint_eq(strlen(one.uuid), 36);
	ck_assert_int_eq(one.uuid[14], '4');
	ck_assert_uint_eq(one.pid, (unsigned long)getpid());
	ck_assert(one.pidns != 0);
	bench_close(&b);
	bench_open(&b, dir, NULL);
	free(dir);
	ok(gt_introspection_server(b.s, &none, &two));
	ck_assert_str_eq(one.uuid, two.uuid);

	gt_strv_add(&filters, "type==io.containerd.snapshotter.v1");
	ok(gt_introspection_plugins(b.s, &none, &filters, add_plugin, &got));
	ck_assert(gt_strv_has(&got, "io.containerd.snapshotter.v1.native ok"));
	for (size_t i = 0; i < got.n; i++)
		ck_assert(!strncmp(got.v[i], "io.containerd.snapshotter.v1.", 29));
}
END_TEST

struct heard {
	pthread_mutex_t lock;
	struct gt_strv lines;
	uint64_t last;
	bool in_order;
};
#define HEARD_INIT { .lock = PTHREAD_MUTEX_INITIALIZER, .in_order = true }

static void add_event(void *arg, const struct gt_event *e)
{
	struct heard *h = arg;

	pthread_mutex_lock(&h->lock);
	gt_strv_addf(&h->lines, "%s %s %s", e->ns, e->topic, e->payload->type_url);
	h->in_order = h->in_order && e->sequence > h->last;
	h->last = e->sequence;
	pthread_mutex_unlock(&h->lock);
}

static size_t heard(struct heard *h)
{
	size_t n;

	pthread_mutex_lock(&h->lock);
	n = h->lines.n;
	pthread_mutex_unlock(&h->lock);
	return n;
}

/* They come from another thread, soon. */
static void wait_for_events(struct heard *h, size_t n)
{
	for (int i = 0; heard(h) < n && i < 20000; i++)
		poll(NULL, 0, 1);
	ck_assert_uint_eq(heard(h), n);
}

START_TEST(test_events)
{
	struct heard got = HEARD_INIT, named = HEARD_INIT, again = HEARD_INIT;
	gt_auto(gt_strv) filters = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	gt_auto(gt_image) i = { .name = gt_xstrdup("x") };
	struct gt_event_stream *all, *some, *replayed;
	struct gt_any any = { 0 };
	struct gt_event e = { .ns = "ns", .topic = "/a/b", .payload = &any };
	struct gt_call none = GT_CALL_INIT;
	static const char *const want[] = {
		"default /images/create containerd.services.images.v1.ImageCreate",
		"default /images/update containerd.services.images.v1.ImageUpdate",
		"default /images/delete containerd.services.images.v1.ImageDelete",
		"default /containers/create containerd.events.ContainerCreate",
		"default /containers/delete containerd.events.ContainerDelete",
		"default /snapshot/prepare containerd.events.SnapshotPrepare",
		"default /snapshot/commit containerd.events.SnapshotCommit",
		"default /snapshot/remove containerd.events.SnapshotRemove",
		"n2 /namespaces/create containerd.events.NamespaceCreate",
		"n2 /namespaces/update containerd.events.NamespaceUpdate",
		"n2 /namespaces/delete containerd.events.NamespaceDelete",
		"default /mine test",
		"ns /a/b test",
	};

	ok(gt_stream_subscribe(b.s, &none, NULL, add_event, &got, &all));
	gt_strv_add(&filters, "event.name==x,topic~=^/images/");
	gt_strv_add(&filters, "namespace==n2,event.labels.\"a.b\"==c");
	ok(gt_stream_subscribe(b.s, &none, &filters, add_event, &named, &some));

	i.target.media_type = gt_xstrdup("t");
	i.target.digest = gt_xstrdup(DIGEST);
	i.target.size = 1;
	ok(gt_images_create(b.s, &b.call, &i, NULL));
	ok(gt_images_update(b.s, &b.call, &i, NULL, NULL));
	ok(gt_images_remove(b.s, &b.call, "x", false));
	make_container("c", "io.test.v1", NULL);
	ok(gt_containers_remove(b.s, &b.call, "c"));
	ok(gt_snapshots_prepare(b.s, &b.call, NULL, "k", "", NULL, &mounts));
	ok(gt_snapshots_commit(b.s, &b.call, NULL, "l", "k", NULL));
	ok(gt_snapshots_remove(b.s, &b.call, NULL, "l"));
	gt_labels_set(&i.labels, "a.b", "c");
	ok(gt_namespaces_create(b.s, &none, "n2", NULL));
	ok(gt_namespaces_update(b.s, &none, "n2", &i.labels, true));
	ok(gt_namespaces_remove(b.s, &none, "n2"));
	gt_any_set(&any, "test", "x", 1);
	ok(gt_stream_publish(b.s, &b.call, "/mine", &any));
	ok(gt_stream_forward(b.s, &none, &e));
	fails(gt_stream_publish(b.s, &none, "/mine", &any), GT_FAILED_PRECONDITION, "namespace");
	fails(gt_stream_publish(b.s, &b.call, "mine", &any), GT_INVALID_ARGUMENT, "mine");
	gt_any_done(&any);
	wait_for_events(&got, sizeof(want) / sizeof(want[0]));
	for (size_t n = 0; n < got.lines.n; n++)
		ck_assert_str_eq(got.lines.v[n], want[n]);
	wait_for_events(&named, 4);
	ck_assert(got.in_order && named.in_order);
	gt_stream_unsubscribe(b.s, all);
	gt_stream_unsubscribe(b.s, some);

	/* What was before can be had later, all or from one on, and goes on with what comes. */
	ok(gt_stream_replay(b.s, &none, NULL, 0, add_event, &again, &replayed));
	ck_assert_uint_eq(again.lines.n, got.lines.n);
	for (size_t n = 0; n < got.lines.n; n++)
		ck_assert_str_eq(again.lines.v[n], want[n]);
	ok(gt_images_create(b.s, &b.call, &i, NULL));
	wait_for_events(&again, got.lines.n + 1);
	gt_stream_unsubscribe(b.s, replayed);
	gt_strv_done(&again.lines);
	again.last = 0;
	ok(gt_stream_replay(b.s, &none, NULL, got.last, add_event, &again, &replayed));
	ck_assert_uint_eq(again.lines.n, 1);
	ck_assert(again.in_order);
	ck_assert_uint_eq(again.last, got.last + 1);
	gt_stream_unsubscribe(b.s, replayed);

	ok(gt_namespaces_create(b.s, &none, "n3", NULL));
	ck_assert_uint_eq(heard(&named), 4);
	gt_strv_add(&filters, "x=");
	fails(gt_stream_subscribe(b.s, &none, &filters, add_event, &named, &some),
	      GT_INVALID_ARGUMENT, "expected");
	gt_strv_done(&got.lines);
	gt_strv_done(&named.lines);
	gt_strv_done(&again.lines);
}
END_TEST

TCase *others_tests(void)
{
	TCase *t = tcase_create("others");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_task_list);
	tcase_add_test(t, test_task_metrics);
	tcase_add_test(t, test_task_ops);
	tcase_add_test(t, test_remove_whole);
	tcase_add_test(t, test_create_whole);
	tcase_add_test(t, test_introspection);
	tcase_add_test(t, test_events);
	return t;
}
