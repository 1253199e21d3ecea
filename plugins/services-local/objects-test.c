/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "host-test.h"
#include "suites-test.h"

#include <gantry/api-containers.h>
#include <gantry/api-images.h>
#include <gantry/api-leases.h>
#include <gantry/api-namespaces.h>
#include <gantry/api-sandboxes.h>
#include <gantry/buf.h>

#include <stdio.h>
#include <string.h>

#define DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

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

/* A list of one, freed by the caller. */
static struct gt_strv one(const char *s)
{
	struct gt_strv l = { 0 };

	gt_strv_add(&l, s);
	return l;
}

static struct gt_error *add_namespace(void *arg, const char *name, const struct gt_labels *labels)
{
	(void)labels;
	gt_strv_add(arg, name);
	return NULL;
}

static struct gt_image image(const char *name)
{
	struct gt_image i = { .name = gt_xstrdup(name) };

	i.target.media_type = gt_xstrdup("application/vnd.oci.image.index.v1+json");
	i.target.digest = gt_xstrdup(DIGEST);
	i.target.size = 7;
	return i;
}

static struct gt_container container(const char *id)
{
	struct gt_container c = {
		.id = gt_xstrdup(id),
		.image = gt_xstrdup("image"),
		.runtime = gt_xstrdup("io.test.v1"),
		.snapshotter = gt_xstrdup("native"),
		.snapshot_key = gt_xstrdup(id),
		.sandbox = gt_xstrdup(""),
	};

	gt_any_set(&c.spec, "types.containerd.io/opencontainers/runtime-spec/1/Spec", "{}", 2);
	return c;
}

START_TEST(test_namespaces)
{
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_labels) got = { 0 };
	gt_auto(gt_strv) names = { 0 };
	struct gt_call none = GT_CALL_INIT;

	gt_labels_set(&labels, "a", "1");
	gt_labels_set(&labels, "b", "2");
	gt_labels_set(&labels, "empty", "");
	ok(gt_namespaces_create(b.s, &none, "two", &labels));
	ok(gt_namespaces_create(b.s, &none, "one", NULL));
	fails(gt_namespaces_create(b.s, &none, "one", NULL), GT_ALREADY_EXISTS, "namespace \"one\"");
	fails(gt_namespaces_create(b.s, &none, "../x", NULL), GT_INVALID_ARGUMENT, "../x");
	ok(gt_namespaces_list(b.s, &none, add_namespace, &names));
	ck_assert_uint_eq(names.n, 2);
	ck_assert_str_eq(names.v[0], "one");
	ck_assert_str_eq(names.v[1], "two");

	ok(gt_namespaces_get(b.s, &none, "two", &got));
	ck_assert_uint_eq(got.n, 2);
	gt_labels_done(&got);
	gt_labels_done(&labels);
	gt_labels_set(&labels, "a", "");
	gt_labels_set(&labels, "c", "3");
	ok(gt_namespaces_update(b.s, &none, "two", &labels, false));
	ok(gt_namespaces_get(b.s, &none, "two", &got));
	ck_assert_uint_eq(got.n, 2);
	ck_assert_str_eq(gt_labels_get(&got, "b"), "2");
	ck_assert_str_eq(gt_labels_get(&got, "c"), "3");
	gt_labels_done(&got);
	ok(gt_namespaces_update(b.s, &none, "two", &labels, true));
	ok(gt_namespaces_get(b.s, &none, "two", &got));
	ck_assert_uint_eq(got.n, 1);
	gt_labels_done(&got);
	ok(gt_namespaces_get(b.s, &none, "three", &got));
	ck_assert_uint_eq(got.n, 0);
	fails(gt_namespaces_remove(b.s, &none, "three"), GT_NOT_FOUND, "three");
	ok(gt_namespaces_update(b.s, &none, "three", &labels, false));
	ok(gt_namespaces_get(b.s, &none, "three", &got));
	ck_assert_str_eq(gt_labels_get(&got, "c"), "3");
	ok(gt_namespaces_remove(b.s, &none, "three"));
}
END_TEST

START_TEST(test_namespace_by_use)
{
	gt_auto(gt_image) i = image("x");
	gt_auto(gt_labels) got = { 0 };
	struct gt_lease lease = { 0 };

	fails(gt_namespaces_remove(b.s, &b.call, "default"), GT_NOT_FOUND, "default");
	ok(gt_images_create(b.s, &b.call, &i, NULL));
	ok(gt_namespaces_get(b.s, &b.call, "default", &got));
	fails(gt_namespaces_remove(b.s, &b.call, "default"), GT_FAILED_PRECONDITION,
	      "namespace \"default\" must be empty, but it still has images");
	ok(gt_images_remove(b.s, &b.call, "x", false));
	/* Leases go with it. */
	ok(gt_leases_create(b.s, &b.call, "l", NULL, &lease));
	gt_lease_done(&lease);
	ok(gt_namespaces_remove(b.s, &b.call, "default"));
	fails(gt_leases_remove(b.s, &b.call, "l", false), GT_NOT_FOUND, "lease \"l\"");
}
END_TEST

START_TEST(test_no_namespace)
{
	gt_auto(gt_image) got = { 0 };

	b.call.ns = NULL;
	fails(gt_images_get(b.s, &b.call, "x", &got), GT_FAILED_PRECONDITION,
	      "namespace is required");
	b.call.ns = "a/b";
	fails(gt_images_get(b.s, &b.call, "x", &got), GT_INVALID_ARGUMENT, "a/b");
}
END_TEST

START_TEST(test_image_life)
{
	gt_auto(gt_image) i = image("docker.io/library/x:1");
	gt_auto(gt_image) got = { 0 };
	struct gt_call other = b.call;

	gt_labels_set(&i.labels, "containerd.io/gc.ref.content", DIGEST);
	gt_labels_set(&i.labels, "dropped", "");
	gt_labels_set(&i.target.annotations, "note", "n");
	ok(gt_images_create(b.s, &b.call, &i, &got));
	ck_assert(got.created_at.tv_sec > 0);
	ck_assert_int_eq(got.created_at.tv_nsec, got.updated_at.tv_nsec);
	gt_image_done(&got);
	fails(gt_images_create(b.s, &b.call, &i, NULL), GT_ALREADY_EXISTS,
	      "image \"docker.io/library/x:1\"");
	ok(gt_images_get(b.s, &b.call, i.name, &got));
	ck_assert_str_eq(got.target.digest, DIGEST);
	ck_assert_int_eq(got.target.size, 7);
	ck_assert_str_eq(gt_labels_get(&got.target.annotations, "note"), "n");
	ck_assert_uint_eq(got.labels.n, 1);
	other.ns = "other";
	fails(gt_images_get(b.s, &other, i.name, &got), GT_NOT_FOUND,
	      "image \"docker.io/library/x:1\"");
	ok(gt_images_remove(b.s, &b.call, i.name, true));
	fails(gt_images_remove(b.s, &b.call, i.name, true), GT_NOT_FOUND, "docker.io/library/x:1");
}
END_TEST

START_TEST(test_image_wrong)
{
	gt_auto(gt_image) i = image("x");
	gt_auto(gt_buf) big = GT_BUF_INIT;

	i.target.size = 0;
	fails(gt_images_create(b.s, &b.call, &i, NULL), GT_INVALID_ARGUMENT, "size");
	i.target.size = 7;
	i.target.digest[8] = 'X';
	fails(gt_images_create(b.s, &b.call, &i, NULL), GT_INVALID_ARGUMENT, "digest");
	i.target.digest[8] = '0';
	free(gt_steal(&i.target.media_type));
	fails(gt_images_create(b.s, &b.call, &i, NULL), GT_INVALID_ARGUMENT, "media type");
	i.target.media_type = gt_xstrdup("t");
	for (int n = 0; n < 5000; n++)
		gt_buf_addc(&big, 'a');
	gt_labels_set(&i.labels, "k", big.s);
	fails(gt_images_create(b.s, &b.call, &i, NULL), GT_INVALID_ARGUMENT, "4096");
	gt_labels_done(&i.labels);
	free(gt_steal(&i.name));
	i.name = gt_xstrndup(big.s, 600);
	fails(gt_images_create(b.s, &b.call, &i, NULL), GT_INVALID_ARGUMENT, "at most 489");
	i.name[489] = '\0';
	ok(gt_images_create(b.s, &b.call, &i, NULL));
	i.name[0] = '\0';
	fails(gt_images_create(b.s, &b.call, &i, NULL), GT_INVALID_ARGUMENT, "");
}
END_TEST

START_TEST(test_image_masks)
{
	gt_auto(gt_image) i = image("x");
	gt_auto(gt_image) new = image("x");
	gt_auto(gt_image) got = { 0 };
	gt_auto(gt_strv) mask = { 0 };

	gt_labels_set(&i.labels, "a", "1");
	gt_labels_set(&i.labels, "b", "2");
	ok(gt_images_create(b.s, &b.call, &i, NULL));
	gt_labels_set(&new.labels, "b.c", "3");
	new.target.size = 8;
	gt_strv_add(&mask, "labels.b.c");
	gt_strv_add(&mask, "labels.a");
	ok(gt_images_update(b.s, &b.call, &new, &mask, &got));
	ck_assert_int_eq(got.target.size, 7);
	ck_assert_uint_eq(got.labels.n, 2);
	ck_assert_str_eq(gt_labels_get(&got.labels, "b"), "2");
	ck_assert_str_eq(gt_labels_get(&got.labels, "b.c"), "3");
	gt_image_done(&got);
	gt_strv_add(&mask, "name");
	fails(gt_images_update(b.s, &b.call, &new, &mask, NULL), GT_INVALID_ARGUMENT,
	      "cannot update \"name\" field on \"x\"");
	ok(gt_images_update(b.s, &b.call, &new, NULL, &got));
	ck_assert_int_eq(got.target.size, 8);
	ck_assert_uint_eq(got.labels.n, 1);
	ck_assert(got.updated_at.tv_sec > got.created_at.tv_sec ||
		  got.updated_at.tv_nsec > got.created_at.tv_nsec);
	free(gt_steal(&new.name));
	new.name = gt_xstrdup("y");
	fails(gt_images_update(b.s, &b.call, &new, NULL, NULL), GT_NOT_FOUND, "image \"y\"");
}
END_TEST

static struct gt_error *add_image(void *arg, const struct gt_image *i)
{
	gt_strv_add(arg, i->name);
	return NULL;
}

static size_t count_images(const char *filter, const char *last)
{
	gt_auto(gt_strv) filters = one(filter);
	gt_auto(gt_strv) names = { 0 };

	ok(gt_images_list(b.s, &b.call, &filters, add_image, &names));
	if (last)
		ck_assert_str_eq(names.v[names.n - 1], last);
	return names.n;
}

static struct gt_error *stop(void *arg, const struct gt_image *i)
{
	(void)arg;
	return gt_error_new(GT_ABORTED, "at %s", i->name);
}

static struct gt_error *remove_it(void *arg, const struct gt_image *i)
{
	(void)arg;
	return gt_images_remove(b.s, &b.call, i->name, false);
}

START_TEST(test_image_list)
{
	gt_auto(gt_strv) bad = one("name==");

	for (int n = 0; n < 600; n++) {
		gt_autofree char *name = gt_strf("image-%03d", n);
		gt_auto(gt_image) i = image(name);

		gt_labels_set(&i.labels, "odd/even", n % 2 ? "odd" : "even");
		gt_labels_set(&i.labels, "pinned", n == 599 ? "yes" : "");
		ok(gt_images_create(b.s, &b.call, &i, NULL));
	}
	ck_assert_uint_eq(count_images("", "image-599"), 600);
	ck_assert_uint_eq(count_images("labels.\"odd/even\"==odd", "image-599"), 300);
	ck_assert_uint_eq(count_images("name~=-59[0-4]$", "image-594"), 5);
	ck_assert_uint_eq(count_images("labels.pinned", "image-599"), 1);
	ck_assert_uint_eq(count_images("target.digest==" DIGEST ",name==image-007", "image-007"), 1);
	ck_assert_uint_eq(count_images("target.mediatype!=x,name~=^x", NULL), 0);
	fails(gt_images_list(b.s, &b.call, &bad, add_image, NULL), GT_INVALID_ARGUMENT,
	      "expected a value");
	fails(gt_images_list(b.s, &b.call, NULL, stop, NULL), GT_ABORTED, "at image-000");
	/* The callback may change what is listed. */
	ok(gt_images_list(b.s, &b.call, NULL, remove_it, NULL));
	ck_assert_uint_eq(count_images("", NULL), 0);
}
END_TEST

START_TEST(test_containers)
{
	gt_auto(gt_container) c = container("c1");
	gt_auto(gt_container) got = { 0 };
	struct gt_any any = { 0 };

	gt_any_set(&any, "t", "v", 1);
	gt_container_set_extension(&c, "ext", &any);
	gt_any_done(&any);
	gt_labels_set(&c.labels, "k", "v");
	ok(gt_containers_create(b.s, &b.call, &c, NULL));
	fails(gt_containers_create(b.s, &b.call, &c, NULL), GT_ALREADY_EXISTS, "container \"c1\"");
	ok(gt_containers_get(b.s, &b.call, "c1", &got));
	ck_assert_str_eq(got.runtime, "io.test.v1");
	ck_assert_str_eq(got.snapshot_key, "c1");
	ck_assert_uint_eq(got.spec.len, 2);
	ck_assert(gt_container_extension(&got, "ext") != NULL);
	ck_assert_str_eq(gt_labels_get(&got.labels, "k"), "v");
	fails(gt_containers_get(b.s, &b.call, "x", &got), GT_NOT_FOUND,
	      "container \"x\" in namespace \"default\"");
	ok(gt_containers_remove(b.s, &b.call, "c1"));
	fails(gt_containers_remove(b.s, &b.call, "c1"), GT_NOT_FOUND, "container \"c1\"");
	fails(gt_containers_remove_whole(b.s, &b.call, "c1"), GT_NOT_FOUND, "container \"c1\"");
	free(gt_steal(&c.id));
	c.id = gt_xstrdup("a b");
	fails(gt_containers_create(b.s, &b.call, &c, NULL), GT_INVALID_ARGUMENT, "a b");
	c.id[1] = '-';
	gt_any_done(&c.spec);
	fails(gt_containers_create(b.s, &b.call, &c, NULL), GT_INVALID_ARGUMENT, "Spec");
	gt_any_set(&c.spec, "t", "{}", 2);
	c.snapshotter[0] = '\0';
	fails(gt_containers_create(b.s, &b.call, &c, NULL), GT_INVALID_ARGUMENT, "Snapshotter");
	c.runtime[0] = '\0';
	fails(gt_containers_create(b.s, &b.call, &c, NULL), GT_INVALID_ARGUMENT, "Runtime");
}
END_TEST

START_TEST(test_container_masks)
{
	gt_auto(gt_container) c = container("c1");
	gt_auto(gt_container) new = container("c1");
	gt_auto(gt_container) got = { 0 };
	gt_auto(gt_strv) mask = { 0 };
	struct gt_any any = { 0 };

	gt_any_set(&any, "t", "v", 1);
	gt_container_set_extension(&c, "b", &any);
	gt_container_set_extension(&c, "d", &any);
	gt_labels_set(&c.labels, "k", "v");
	ok(gt_containers_create(b.s, &b.call, &c, NULL));

	gt_container_set_extension(&new, "a", &any);
	gt_container_set_extension(&new, "c", &any);
	gt_any_done(&any);
	gt_any_set(&new.spec, "t", "{\"x\":1}", 7);
	free(gt_steal(&new.image));
	new.image = gt_xstrdup("other");
	gt_strv_add(&mask, "extensions.a");
	gt_strv_add(&mask, "extensions.b");
	gt_strv_add(&mask, "extensions.c");
	gt_strv_add(&mask, "spec");
	ok(gt_containers_update(b.s, &b.call, &new, &mask, &got));
	ck_assert_uint_eq(got.n_extensions, 3);
	ck_assert_str_eq(got.extensions[0].name, "a");
	ck_assert_str_eq(got.extensions[1].name, "c");
	ck_assert_str_eq(got.extensions[2].name, "d");
	ck_assert_uint_eq(got.spec.len, 7);
	ck_assert_str_eq(got.image, "image");
	ck_assert_uint_eq(got.labels.n, 1);
	gt_container_done(&got);

	ok(gt_containers_update(b.s, &b.call, &new, NULL, &got));
	ck_assert_uint_eq(got.n_extensions, 2);
	ck_assert_uint_eq(got.labels.n, 0);
	ck_assert_str_eq(got.image, "other");
	gt_strv_done(&mask);
	gt_strv_add(&mask, "runtime.name");
	fails(gt_containers_update(b.s, &b.call, &new, &mask, NULL), GT_INVALID_ARGUMENT,
	      "cannot update \"runtime.name\" field on \"c1\"");
	new.runtime[0] = 'x';
	fails(gt_containers_update(b.s, &b.call, &new, NULL, NULL), GT_INVALID_ARGUMENT,
	      "Runtime.Name field is immutable");
	new.snapshotter[0] = 'x';
	fails(gt_containers_update(b.s, &b.call, &new, NULL, NULL), GT_INVALID_ARGUMENT,
	      "Snapshotter field is immutable");
	new.id[1] = '2';
	fails(gt_containers_update(b.s, &b.call, &new, NULL, NULL), GT_NOT_FOUND,
	      "container \"c2\"");
}
END_TEST

static struct gt_error *add_container(void *arg, const struct gt_container *c)
{
	gt_strv_add(arg, c->id);
	return NULL;
}

START_TEST(test_container_filters)
{
	static const char *const filters[] = { "id==c1", "runtime.name==io.test.v1,id!=c2",
					       "image~=ima,labels.n==1", "labels.n,id~=1" };

	for (int n = 1; n < 3; n++) {
		gt_autofree char *id = gt_strf("c%d", n);
		gt_autofree char *value = gt_strf("%d", n);
		gt_auto(gt_container) c = container(id);

		gt_labels_set(&c.labels, "n", value);
		ok(gt_containers_create(b.s, &b.call, &c, NULL));
	}
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		gt_auto(gt_strv) filter = one(filters[i]);
		gt_auto(gt_strv) ids = { 0 };

		ok(gt_containers_list(b.s, &b.call, &filter, add_container, &ids));
		ck_assert_msg(ids.n == 1 && !strcmp(ids.v[0], "c1"), "%s", filters[i]);
	}
}
END_TEST

START_TEST(test_sandboxes)
{
	gt_auto(gt_sandbox) box = { .id = gt_xstrdup("p1"), .runtime = gt_xstrdup("r") };
	gt_auto(gt_sandbox) got = { 0 };
	gt_auto(gt_strv) mask = one("runtime");

	gt_labels_set(&box.labels, "k", "v");
	ok(gt_sandboxes_create(b.s, &b.call, &box, &got));
	gt_sandbox_done(&got);
	fails(gt_sandboxes_create(b.s, &b.call, &box, NULL), GT_ALREADY_EXISTS, "sandbox \"p1\"");
	gt_labels_done(&box.labels);
	box.runtime[0] = 's';
	ok(gt_sandboxes_update(b.s, &b.call, &box, &mask, &got));
	ck_assert_str_eq(got.runtime, "s");
	ck_assert_uint_eq(got.labels.n, 1);
	gt_sandbox_done(&got);
	gt_strv_add(&mask, "id");
	fails(gt_sandboxes_update(b.s, &b.call, &box, &mask, NULL), GT_INVALID_ARGUMENT, "\"id\"");
	ok(gt_sandboxes_get(b.s, &b.call, "p1", &got));
	fails(gt_namespaces_remove(b.s, &b.call, "default"), GT_FAILED_PRECONDITION, "sandboxes");
	ok(gt_sandboxes_remove(b.s, &b.call, "p1"));
	fails(gt_sandboxes_remove(b.s, &b.call, "p1"), GT_NOT_FOUND, "sandbox \"p1\"");
}
END_TEST

static struct gt_error *add_resource(void *arg, const char *type, const char *id)
{
	gt_strv_addf(arg, "%s %s", type, id);
	return NULL;
}

static struct gt_error *add_lease(void *arg, const struct gt_lease *l)
{
	gt_strv_add(arg, l->id);
	return NULL;
}

START_TEST(test_leases)
{
	gt_auto(gt_lease) l = { 0 };
	gt_auto(gt_lease) made = { 0 };
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_strv) got = { 0 };
	gt_auto(gt_strv) filter = one("labels.k==v");
	gt_auto(gt_strv) ids = { 0 };

	gt_labels_set(&labels, "k", "v");
	ok(gt_leases_create(b.s, &b.call, "l1", &labels, &l));
	ok(gt_leases_create(b.s, &b.call, NULL, NULL, &made));
	ck_assert(strlen(made.id) > 4);
	ok(gt_leases_list(b.s, &b.call, &filter, add_lease, &ids));
	ck_assert_uint_eq(ids.n, 1);
	ck_assert_str_eq(ids.v[0], "l1");
	fails(gt_leases_create(b.s, &b.call, "l1", NULL, &made), GT_ALREADY_EXISTS, "lease \"l1\"");
	fails(gt_leases_create(b.s, &b.call, "l\n1", NULL, &made), GT_INVALID_ARGUMENT, "l\\n1");

	ok(gt_leases_add(b.s, &b.call, "l1", "content", DIGEST));
	ok(gt_leases_add(b.s, &b.call, "l1", "content", DIGEST));
	ok(gt_leases_add(b.s, &b.call, "l1", "snapshots/native", "key with spaces"));
	ok(gt_leases_add(b.s, &b.call, "l1", "ingests", "ref"));
	fails(gt_leases_add(b.s, &b.call, "l1", "content", "x"), GT_INVALID_ARGUMENT, "digest");
	fails(gt_leases_add(b.s, &b.call, "l1", "snapshots", "x"), GT_UNIMPLEMENTED, "snapshots");
	fails(gt_leases_add(b.s, &b.call, "l2", "ingests", "x"), GT_NOT_FOUND, "lease \"l2\"");
	ok(gt_leases_drop(b.s, &b.call, "l1", "ingests", "ref"));
	ok(gt_leases_drop(b.s, &b.call, "l1", "ingests", "ref"));
	ok(gt_leases_resources(b.s, &b.call, "l1", add_resource, &got));
	ck_assert_uint_eq(got.n, 2);
	ck_assert_str_eq(got.v[0], "content " DIGEST);
	ck_assert_str_eq(got.v[1], "snapshots/native key with spaces");
	ok(gt_leases_remove(b.s, &b.call, "l1", true));
	fails(gt_leases_resources(b.s, &b.call, "l1", add_resource, &got), GT_NOT_FOUND, "l1");
	/* Its list went with it. */
	gt_lease_done(&l);
	ok(gt_leases_create(b.s, &b.call, "l1", NULL, &l));
	gt_strv_done(&got);
	ok(gt_leases_resources(b.s, &b.call, "l1", add_resource, &got));
	ck_assert_uint_eq(got.n, 0);
}
END_TEST

START_TEST(test_lease_of_call)
{
	gt_auto(gt_image) i = image("x");
	gt_auto(gt_lease) l = { 0 };
	gt_auto(gt_strv) got = { 0 };
	gt_auto(gt_image) none = { 0 };

	b.call.lease = "l1";
	fails(gt_images_create(b.s, &b.call, &i, NULL), GT_NOT_FOUND, "lease \"l1\"");
	fails(gt_images_get(b.s, &b.call, "x", &none), GT_NOT_FOUND, "image \"x\"");
	ok(gt_leases_create(b.s, &b.call, "l1", NULL, &l));
	ok(gt_images_create(b.s, &b.call, &i, NULL));
	ok(gt_leases_resources(b.s, &b.call, "l1", add_resource, &got));
	ck_assert_uint_eq(got.n, 1);
	ck_assert_str_eq(got.v[0], "images x");
}
END_TEST

TCase *objects_tests(void)
{
	TCase *t = tcase_create("objects");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_namespaces);
	tcase_add_test(t, test_namespace_by_use);
	tcase_add_test(t, test_no_namespace);
	tcase_add_test(t, test_image_life);
	tcase_add_test(t, test_image_wrong);
	tcase_add_test(t, test_image_masks);
	tcase_add_test(t, test_image_list);
	tcase_add_test(t, test_containers);
	tcase_add_test(t, test_container_masks);
	tcase_add_test(t, test_container_filters);
	tcase_add_test(t, test_sandboxes);
	tcase_add_test(t, test_leases);
	tcase_add_test(t, test_lease_of_call);
	return t;
}
