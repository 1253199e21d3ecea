/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/document.h>

#include <gantry/buf.h>

#include <check.h>
#include <oci/chain.h>
#include <oci/json.h>
#include <string.h>
#include <sys/resource.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX
#define LAYER "{\"mediaType\":\"" GT_TYPE_OCI_LAYER "+gzip\",\"digest\":\"" DIGEST "\",\"size\":7}"
#define CONFIG "{\"mediaType\":\"" GT_TYPE_OCI_CONFIG "\",\"digest\":\"" DIGEST "\",\"size\":9}"
#define MANIFEST                                                                                  \
	"{\"mediaType\":\"" GT_TYPE_OCI_MANIFEST "\",\"digest\":\"" DIGEST "\",\"size\":5,"           \
	"\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}}"

static enum gt_class class_take(struct gt_error *e)
{
	enum gt_class c = gt_error_class(e);

	gt_error_free(e);
	return c;
}

static struct gt_error *index_of(const char *text, const char *type)
{
	gt_auto(gt_index) i = { 0 };

	return gt_index_parse(text, strlen(text), type, &i);
}

static struct gt_error *manifest_of(const char *text, const char *type)
{
	gt_auto(gt_manifest) m = { 0 };

	return gt_manifest_parse(text, strlen(text), type, &m);
}

static struct gt_error *config_of(const char *text)
{
	gt_auto(gt_image_config) c = { 0 };

	return gt_image_config_parse(text, strlen(text), &c);
}

START_TEST(index_is_read)
{
	static const char text[] = "{\"schemaVersion\":2,\"manifests\":[" MANIFEST "],"
				   "\"annotations\":{\"b\":\"2\",\"a\":\"1\"},\"unknown\":[1,{}]}";
	gt_auto(gt_index) i = { 0 };

	ck_assert_ptr_null(gt_index_parse(text, strlen(text), GT_TYPE_OCI_INDEX, &i));
	ck_assert_uint_eq(i.manifests.n, 1);
	ck_assert_str_eq(i.manifests.v[0].digest, DIGEST);
	ck_assert_int_eq(i.manifests.v[0].size, 5);
	ck_assert_str_eq(i.manifests.v[0].platform, "linux/arm64");
	ck_assert_str_eq(gt_labels_get(&i.annotations, "a"), "1");
}
END_TEST

START_TEST(manifest_is_read_and_written)
{
	static const char text[] = "{\"schemaVersion\":2,\"mediaType\":\"" GT_TYPE_OCI_MANIFEST
				   "\",\"config\":" CONFIG ",\"layers\":[" LAYER "," LAYER "]}";
	gt_auto(gt_manifest) m = { 0 };
	gt_auto(gt_buf) out = GT_BUF_INIT;

	ck_assert_ptr_null(gt_manifest_parse(text, strlen(text), GT_TYPE_OCI_MANIFEST, &m));
	ck_assert_uint_eq(m.layers.n, 2);
	ck_assert_str_eq(m.config.media_type, GT_TYPE_OCI_CONFIG);
	gt_manifest_write(&m, &out);
	ck_assert_str_eq(out.s, text);
}
END_TEST

/* What one tool takes for an index and another for a manifest is refused (CVE-2021-41190). */
START_TEST(two_faces)
{
	static const char both[] = "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[],\"config\":" CONFIG
				   "}";
	static const char index[] = "{\"schemaVersion\":2,\"manifests\":[]}";
	static const char stated[] = "{\"schemaVersion\":2,\"mediaType\":\"" GT_TYPE_OCI_MANIFEST
				     "\",\"manifests\":[]}";
	static const char docker[] = "{\"schemaVersion\":2,\"mediaType\":\"" GT_TYPE_DOCKER_INDEX
				     "\",\"manifests\":[]}";
	static const char schema1[] = "{\"schemaVersion\":1,\"fsLayers\":[],\"config\":" CONFIG "}";
	static const char fs_layers[] = "{\"schemaVersion\":2,\"fsLayers\":[],\"config\":" CONFIG "}";

	ck_assert_int_eq(class_take(index_of(both, NULL)), GT_INVALID_ARGUMENT);
	ck_assert_int_eq(class_take(manifest_of(both, NULL)), GT_INVALID_ARGUMENT);
	ck_assert_int_eq(class_take(index_of(index, NULL)), GT_OK);
	ck_assert_int_eq(class_take(index_of(index, GT_TYPE_OCI_MANIFEST)), GT_INVALID_ARGUMENT);
	ck_assert_int_eq(class_take(manifest_of(index, GT_TYPE_OCI_MANIFEST)),
			 GT_INVALID_ARGUMENT);
	ck_assert_int_eq(class_take(index_of(stated, NULL)), GT_INVALID_ARGUMENT);
	ck_assert_int_eq(class_take(index_of(docker, GT_TYPE_OCI_INDEX)), GT_INVALID_ARGUMENT);
	ck_assert_int_eq(class_take(index_of(docker, GT_TYPE_DOCKER_INDEX)), GT_OK);
	ck_assert_int_eq(class_take(manifest_of(schema1, NULL)), GT_INVALID_ARGUMENT);
	ck_assert_int_eq(class_take(manifest_of(fs_layers, NULL)), GT_INVALID_ARGUMENT);
	ck_assert_int_eq(class_take(config_of(index)), GT_INVALID_ARGUMENT);
}
END_TEST

static const char *const broken_manifests[] = {
	"",
	"null",
	"[]",
	"7",
	"{",
	"{\"schemaVersion\":2}",
	"{\"schemaVersion\":\"2\",\"config\":" CONFIG "}",
	"{\"schemaVersion\":3,\"config\":" CONFIG "}",
	"{\"schemaVersion\":2,\"config\":" CONFIG "}x",
	"{\"schemaVersion\":2,\"schemaVersion\":2,\"config\":" CONFIG "}",
	"{\"schemaVersion\":2,\"config\":[]}",
	"{\"schemaVersion\":2,\"config\":{}}",
	"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":{}}",
	"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[1]}",
	"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[null]}",
	"{\"schemaVersion\":2,\"config\":" CONFIG ",\"annotations\":{\"a\":1}}",
	"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:00\",\"size\":1}}",
	"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"../../" HEX
	"\",\"size\":1}}",
	"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"" DIGEST "\"}}",
	"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"" DIGEST "\",\"size\":-1}}",
	"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"" DIGEST
	"\",\"size\":1.5}}",
	"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"" DIGEST
	"\",\"size\":99999999999999999999}}",
	"{\"schemaVersion\":2,\"config\":{\"digest\":\"" DIGEST "\",\"size\":1}}",
	"{\"schemaVersion\":2,\"mediaType\":\"a\\u0000b\",\"config\":" CONFIG "}",
	"{\"schemaVersion\":2,\"mediaType\":\"\xff\",\"config\":" CONFIG "}",
};

START_TEST(broken_manifest)
{
	struct gt_error *e = manifest_of(broken_manifests[_i], NULL);

	ck_assert_msg(gt_error_class(e) == GT_INVALID_ARGUMENT, "%s: %s", broken_manifests[_i],
		      gt_error_text(e));
	gt_error_free(e);
}
END_TEST

static char *deep(const char *before, const char *open, size_t n, const char *close)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	gt_buf_adds(&b, before);
	for (size_t i = 0; i < n; i++)
		gt_buf_adds(&b, open);
	for (size_t i = 0; i < n; i++)
		gt_buf_adds(&b, close);
	gt_buf_adds(&b, *before ? "}" : "");
	return gt_buf_detach(&b);
}

START_TEST(nested_100000_deep)
{
	gt_autofree char *lists = deep("", "[", 100000, "]");
	gt_autofree char *member = deep("{\"schemaVersion\":2,\"config\":", "[", 100000, "]");
	gt_autofree char *open = deep("{\"a\":", "{\"a\":", 100000, "");

	ck_assert_int_eq(class_take(index_of(lists, NULL)), GT_INVALID_ARGUMENT);
	ck_assert_int_eq(class_take(manifest_of(lists, NULL)), GT_INVALID_ARGUMENT);
	ck_assert_int_eq(class_take(manifest_of(member, NULL)), GT_INVALID_ARGUMENT);
	ck_assert_int_eq(class_take(config_of(member)), GT_INVALID_ARGUMENT);
	ck_assert_int_eq(class_take(config_of(open)), GT_INVALID_ARGUMENT);
}
END_TEST

/* Millions of small values cost memory many times their text; brackets in strings cost nothing. */
START_TEST(many_values)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	struct rusage before, after;

	gt_buf_adds(&b, "{\"schemaVersion\":2,\"manifests\":[0");
	while (b.len < GT_DOCUMENT_MAX - 16)
		gt_buf_adds(&b, ",{}");
	gt_buf_adds(&b, "]}");
	getrusage(RUSAGE_SELF, &before);
	ck_assert_int_eq(class_take(index_of(b.s, NULL)), GT_RESOURCE_EXHAUSTED);
	getrusage(RUSAGE_SELF, &after);
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 32 * 1024);
	gt_buf_setlen(&b, 0);
	gt_buf_adds(&b, "{\"schemaVersion\":2,\"manifests\":[],\"x\":\"\\\"");
	for (int i = 0; i < 200000; i++)
		gt_buf_adds(&b, "[,");
	gt_buf_adds(&b, "\"}");
	ck_assert_int_eq(class_take(index_of(b.s, NULL)), GT_OK);
}
END_TEST

START_TEST(too_long)
{
	size_t len = GT_DOCUMENT_MAX + 1;
	gt_autofree char *text = gt_xmalloc(len);
	gt_auto(gt_index) i = { 0 };

	memset(text, ' ', len);
	ck_assert_int_eq(class_take(gt_index_parse(text, len, NULL, &i)), GT_RESOURCE_EXHAUSTED);
}
END_TEST

START_TEST(config_is_read)
{
	static const char text[] =
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"User\":\"web\","
		"\"Env\":[\"A=1\"],\"Entrypoint\":[\"/x\"],\"Cmd\":null,\"WorkingDir\":\"/w\","
		"\"Labels\":{\"k\":\"v\"},\"Volumes\":{\"/v\":{}},\"StopSignal\":\"SIGQUIT\"},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST "\"]},\"history\":[{}]}";
	gt_auto(gt_image_config) c = { 0 };

	ck_assert_ptr_null(gt_image_config_parse(text, strlen(text), &c));
	ck_assert_str_eq(c.platform.arch, "amd64");
	ck_assert_str_eq(c.user, "web");
	ck_assert_uint_eq(c.cmd.n, 0);
	ck_assert_str_eq(c.entrypoint.v[0], "/x");
	ck_assert_str_eq(c.volumes.v[0], "/v");
	ck_assert_str_eq(c.stop_signal, "SIGQUIT");
	ck_assert_str_eq(c.diff_ids.v[0], DIGEST);
	ck_assert_str_eq(gt_labels_get(&c.labels, "k"), "v");
	ck_assert_str_eq(c.created, "");
}
END_TEST

static const char *const broken_configs[] = {
	"[]",
	"{\"rootfs\":{\"type\":\"other\"}}",
	"{\"rootfs\":{\"diff_ids\":[\"sha256:zz\"]}}",
	"{\"rootfs\":{\"diff_ids\":[1]}}",
	"{\"rootfs\":[]}",
	"{\"os\":1}",
	"{\"config\":{\"Env\":\"A=1\"}}",
	"{\"config\":{\"Env\":[1]}}",
	"{\"config\":{\"Labels\":{\"a\":{}}}}",
	"{\"config\":{\"User\":0}}",
	"{\"config\":{\"Volumes\":[]}}",
};

START_TEST(broken_config)
{
	ck_assert_msg(class_take(config_of(broken_configs[_i])) == GT_INVALID_ARGUMENT, "%s",
		      broken_configs[_i]);
}
END_TEST

START_TEST(docker_images)
{
	static const char text[] = "[{\"Config\":\"c.json\",\"RepoTags\":[\"a:1\"],"
				   "\"Layers\":[\"l/layer.tar\"]},{\"Config\":\"d\",\"RepoTags\":null}]";
	static const char *const bad[] = { "{}", "[1]", "[{}]", "[{\"Config\":1}]",
					   "[{\"Config\":\"c\",\"Layers\":[{}]}]" };
	gt_auto(gt_docker_images) l = { 0 };

	ck_assert_ptr_null(gt_docker_images_parse(text, strlen(text), &l));
	ck_assert_uint_eq(l.n, 2);
	ck_assert_str_eq(l.v[0].layers.v[0], "l/layer.tar");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		gt_auto(gt_docker_images) other = { 0 };

		ck_assert_int_eq(class_take(gt_docker_images_parse(bad[i], strlen(bad[i]), &other)),
				 GT_INVALID_ARGUMENT);
	}
}
END_TEST

START_TEST(layout)
{
	static const char good[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	static const char *const bad[] = { "", "{}", "{\"imageLayoutVersion\":\"2.0.0\"}",
					   "{\"imageLayoutVersion\":1}" };

	ck_assert_ptr_null(gt_oci_layout_parse(good, strlen(good)));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_int_eq(class_take(gt_oci_layout_parse(bad[i], strlen(bad[i]))),
				 GT_INVALID_ARGUMENT);
}
END_TEST

START_TEST(media_types)
{
	ck_assert(gt_type_is_layer(GT_TYPE_OCI_LAYER "+zstd"));
	ck_assert(gt_type_is_layer(GT_TYPE_DOCKER_LAYER_GZIP));
	ck_assert(gt_type_is_layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"));
	ck_assert(!gt_type_is_layer(GT_TYPE_OCI_LAYER "x"));
	ck_assert(!gt_type_is_layer("application/vnd.in-toto+json"));
	ck_assert(!gt_type_is_layer(NULL));
	ck_assert(gt_type_is_layer("application/vnd.erofs.layer.v1+zstd"));
	ck_assert(!gt_type_is_layer("application/vnd.erofs.layer.v10"));
	ck_assert(!gt_type_is_tar_layer("application/vnd.erofs.layer.v1"));
	ck_assert(gt_type_is_tar_layer(GT_TYPE_DOCKER_LAYER_ZSTD));
	ck_assert(gt_type_is_foreign("application/vnd.oci.image.layer.nondistributable.v1.tar"));
	ck_assert(gt_type_is_plain_layer(GT_TYPE_OCI_LAYER));
	ck_assert(!gt_type_is_plain_layer(GT_TYPE_OCI_LAYER "+gzip"));
}
END_TEST

START_TEST(digests)
{
	static const char empty[] =
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	static const char empty512[] =
		"sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
		"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
	gt_autofree char *d = gt_digest_of("", 0);
	gt_auto(gt_strv) diffs = { 0 };
	gt_auto(gt_strv) chain = { 0 };

	ck_assert_str_eq(d, empty);
	ck_assert_ptr_null(gt_digest_verify(empty, "", 0));
	ck_assert_ptr_null(gt_digest_verify(empty512, "", 0));
	ck_assert_int_eq(class_take(gt_digest_verify(empty, "x", 1)), GT_FAILED_PRECONDITION);
	ck_assert_int_eq(class_take(gt_digest_verify("md5:00", "x", 1)), GT_INVALID_ARGUMENT);
	gt_strv_add(&diffs, "sha256:" HEX);
	gt_strv_add(&diffs, empty);
	gt_chain_ids(&diffs, &chain);
	ck_assert_uint_eq(chain.n, 2);
	ck_assert_str_eq(chain.v[0], "sha256:" HEX);
	/* printf 'sha256:0123..cdef sha256:e3b0..b855' | sha256sum */
	ck_assert_str_eq(chain.v[1], "sha256:1ea06e4769bbc481faa48c650973f9393110dbb4edb0623237f9ee202f589c8b");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("oci-document");
	TCase *t = tcase_create("document");
	SRunner *r;
	int failed;

	tcase_add_test(t, index_is_read);
	tcase_add_test(t, manifest_is_read_and_written);
	tcase_add_test(t, two_faces);
	tcase_add_loop_test(t, broken_manifest, 0,
			    sizeof(broken_manifests) / sizeof(*broken_manifests));
	tcase_add_test(t, nested_100000_deep);
	tcase_add_test(t, many_values);
	tcase_add_test(t, too_long);
	tcase_add_test(t, config_is_read);
	tcase_add_loop_test(t, broken_config, 0, sizeof(broken_configs) / sizeof(*broken_configs));
	tcase_add_test(t, docker_images);
	tcase_add_test(t, layout);
	tcase_add_test(t, media_types);
	tcase_add_test(t, digests);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
