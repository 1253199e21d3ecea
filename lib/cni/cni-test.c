/* SPDX-License-Identifier: Apache-2.0 */
/* The client against plugins that are shell scripts. Real ones: tests/cni.sh. */
#include <config.h>

#include <cni/cni.h>

#include <gantry/buf.h>
#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SECOND 1000000000LL

static char top[64];
static struct gt_cni cni;
static struct gt_call call = GT_CALL_INIT;
static struct gt_cni_attachment att;

static void write_file(const char *name, const char *text, mode_t mode)
{
	gt_autofree char *path = gt_strf("%s/%s", top, name);
	struct gt_error *e = gt_file_write(AT_FDCWD, path, text, strlen(text), mode, false);

	ck_assert_msg(!e, "%s", gt_error_text(e));
}

/* Notes what it is asked, as "COMMAND NAME CONFIG" and its environment, and does 'body'. */
static void plugin(const char *name, const char *body)
{
	gt_autofree char *text = gt_strf("#!/bin/sh\n"
					 "config=$(cat)\n"
					 "echo \"$CNI_COMMAND ${0##*/} $config\" >>%s/log\n"
					 "env | grep ^CNI_ | sort >%s/env\n"
					 "%s\n",
					 top, top, body);
	gt_autofree char *file = gt_strf("bin/%s", name);

	write_file(file, text, 0755);
}

static char *text_of(const char *name)
{
	gt_autofree char *path = gt_strf("%s/%s", top, name);
	struct gt_buf b = GT_BUF_INIT;

	gt_error_free(gt_file_read(AT_FDCWD, path, 1 << 20, &b));
	return gt_buf_detach(&b);
}

#define ck_log(want)                                                                              \
	do {                                                                                       \
		gt_autofree char *have = text_of("log");                                           \
		ck_assert_str_eq(have, want);                                                      \
		gt_error_free(gt_file_remove_tree(AT_FDCWD, log_path()));                          \
	} while (0)

static const char *log_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/log", top);
	return path;
}

static struct gt_cni_network *network(const char *text)
{
	struct gt_cni_network *n = NULL;
	struct gt_error *e = gt_cni_network_parse("net", text, strlen(text), &n);

	ck_assert_msg(!e, "%s", gt_error_text(e));
	return n;
}

static bool has_record(void)
{
	gt_autofree char *path = gt_strf("%s/records/ns-c:eth0", top);

	return access(path, F_OK) == 0;
}

static void ck_error(struct gt_error *e, enum gt_class cls, const char *text)
{
	ck_assert_str_eq(gt_error_text(e), text);
	ck_assert_int_eq(gt_error_class(e), cls);
	gt_error_free(e);
}

static void ok(struct gt_error *e)
{
	ck_assert_msg(!e, "%s", gt_error_text(e));
}

static void set_up(void)
{
	gt_autofree char *bin = NULL;

	strcpy(top, "/tmp/gantry-cni.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	bin = gt_strf("%s/bin", top);
	ck_assert_int_eq(mkdir(bin, 0755), 0);
	cni = (struct gt_cni){ .records = gt_strf("%s/records", top), .timeout = 20 * SECOND };
	gt_strv_add(&cni.plugin_dirs, "/no/such/folder");
	gt_strv_add(&cni.plugin_dirs, bin);
	att = (struct gt_cni_attachment){ .container_id = "ns-c",
					  .netns = "/proc/1/ns/net",
					  .ifname = "eth0" };
}

static void tear_down(void)
{
	gt_error_free(gt_file_remove_tree(AT_FDCWD, top));
	gt_strv_done(&cni.plugin_dirs);
	gt_labels_done(&att.args);
	free((char *)cni.records);
}

#define TWO                                                                                        \
	"{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":["                                    \
	"{\"type\":\"one\",\"x\":1},{\"type\":\"two\",\"capabilities\":{\"ports\":true,"            \
	"\"other\":false}}]}"

START_TEST(chain)
{
	gt_autoptr(gt_cni_network) n = network(TWO);
	json_t *capabilities = json_pack("{s:[i], s:i}", "ports", 80, "other", 1);
	json_t *result = NULL;
	gt_autofree char *env = NULL, *want = NULL;

	plugin("one", "echo '{\"from\":\"one\"}'");
	plugin("two", "echo '{\"from\":\"two\"}'");
	att.capabilities = capabilities;
	gt_labels_set(&att.args, "K", "V");
	gt_labels_set(&att.args, "L", "W");
	ok(gt_cni_add(&cni, &call, n, &att, &result));
	ck_assert_str_eq(json_string_value(json_object_get(result, "from")), "two");
	json_decref(result);
	ck_log("ADD one {\"type\":\"one\",\"x\":1,\"cniVersion\":\"1.0.0\",\"name\":\"n\"}\n"
	       "ADD two {\"type\":\"two\",\"cniVersion\":\"1.0.0\",\"name\":\"n\","
	       "\"runtimeConfig\":{\"ports\":[80]},\"prevResult\":{\"from\":\"one\"}}\n");
	env = text_of("env");
	want = gt_strf("CNI_ARGS=K=V;L=W\nCNI_COMMAND=ADD\nCNI_CONTAINERID=ns-c\n"
		       "CNI_IFNAME=eth0\nCNI_NETNS=/proc/1/ns/net\nCNI_PATH=/no/such/folder:%s/bin\n",
		       top);
	ck_assert_str_eq(env, want);

	ok(gt_cni_check(&cni, &call, "ns-c", att.netns, "eth0"));
	ck_log("CHECK one {\"type\":\"one\",\"x\":1,\"cniVersion\":\"1.0.0\",\"name\":\"n\","
	       "\"prevResult\":{\"from\":\"two\"}}\n"
	       "CHECK two {\"type\":\"two\",\"cniVersion\":\"1.0.0\",\"name\":\"n\","
	       "\"runtimeConfig\":{\"ports\":[80]},\"prevResult\":{\"from\":\"two\"}}\n");

	ck_error(gt_cni_add(&cni, &call, n, &att, NULL), GT_ALREADY_EXISTS, "network of ns-c (eth0)");
	ok(gt_cni_del(&cni, &call, "ns-c", "", "eth0"));
	ck_log("DEL two {\"type\":\"two\",\"cniVersion\":\"1.0.0\",\"name\":\"n\","
	       "\"runtimeConfig\":{\"ports\":[80]},\"prevResult\":{\"from\":\"two\"}}\n"
	       "DEL one {\"type\":\"one\",\"x\":1,\"cniVersion\":\"1.0.0\",\"name\":\"n\","
	       "\"prevResult\":{\"from\":\"two\"}}\n");
	ck_assert(!has_record());
	json_decref(capabilities);
}
END_TEST

START_TEST(old_versions)
{
	gt_autoptr(gt_cni_network) n = network("{\"name\":\"n\",\"type\":\"one\"}");

	plugin("one", "echo '{}'");
	ok(gt_cni_add(&cni, &call, n, &att, NULL));
	ok(gt_cni_check(&cni, &call, "ns-c", "", "eth0"));
	ok(gt_cni_del(&cni, &call, "ns-c", "", "eth0"));
	ck_log("ADD one {\"name\":\"n\",\"type\":\"one\",\"cniVersion\":\"0.1.0\"}\n"
	       "DEL one {\"name\":\"n\",\"type\":\"one\",\"cniVersion\":\"0.1.0\"}\n");
}
END_TEST

START_TEST(disabled_check)
{
	gt_autoptr(gt_cni_network) n = network("{\"name\":\"n\",\"cniVersion\":\"1.0.0\","
					       "\"disableCheck\":\"true\","
					       "\"plugins\":[{\"type\":\"one\"}]}");

	plugin("one", "[ $CNI_COMMAND = ADD ] && echo '{}' || exit 1");
	ok(gt_cni_add(&cni, &call, n, &att, NULL));
	ok(gt_cni_check(&cni, &call, "ns-c", "", "eth0"));
}
END_TEST

/* The second refuses: the first is undone, and nothing is left. */
START_TEST(failing_add)
{
	gt_autoptr(gt_cni_network) n = network(TWO);

	plugin("one", "echo '{}'");
	plugin("two", "[ $CNI_COMMAND = DEL ] || { echo '{\"code\":100,\"msg\":\"no \\u001bluck\","
		      "\"details\":\"really\"}'; exit 3; }");
	ck_error(gt_cni_add(&cni, &call, n, &att, NULL), GT_UNKNOWN,
		 "plugin type=\"two\" name=\"n\" failed (add): no  luck; really");
	ck_assert(!has_record());
	ck_log("ADD one {\"type\":\"one\",\"x\":1,\"cniVersion\":\"1.0.0\",\"name\":\"n\"}\n"
	       "ADD two {\"type\":\"two\",\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"prevResult\":{}}\n"
	       "DEL two {\"type\":\"two\",\"cniVersion\":\"1.0.0\",\"name\":\"n\"}\n"
	       "DEL one {\"type\":\"one\",\"x\":1,\"cniVersion\":\"1.0.0\",\"name\":\"n\"}\n");
}
END_TEST

/* What cannot be undone now is kept, to be undone later. */
START_TEST(failing_del)
{
	gt_autoptr(gt_cni_network) n = network(TWO);
	gt_autofree char *want = NULL;

	plugin("one", "[ $CNI_COMMAND = ADD ] && echo '{}' || exit 1");
	plugin("two", "[ $CNI_COMMAND = DEL ] || { echo broken; exit 1; }");
	ck_error(gt_cni_add(&cni, &call, n, &att, NULL), GT_UNKNOWN,
		 "plugin type=\"two\" name=\"n\" failed (add): netplugin failed: broken ");
	ck_assert(has_record());
	ck_error(gt_cni_del(&cni, &call, "ns-c", "", "eth0"), GT_UNKNOWN,
		 "plugin type=\"one\" name=\"n\" failed (delete): netplugin failed with no error "
		 "message, status 1");
	ck_assert(has_record());
	plugin("one", "");
	ok(gt_cni_del(&cni, &call, "ns-c", "", "eth0"));
	ck_assert(!has_record());
	want = gt_strf("open %s/records/ns-c:eth0: No such file or directory", top);
	ck_error(gt_cni_del(&cni, &call, "ns-c", "", "eth0"), GT_NOT_FOUND, want);
}
END_TEST

static const struct {
	const char *body;
	enum gt_class cls;
	const char *text;
} bodies[] = {
	{ "exec sleep 600", GT_DEADLINE_EXCEEDED, NULL },
	{ "exec yes", GT_DEADLINE_EXCEEDED, NULL },
	{ "head -c 2000000 /dev/zero | tr '\\0' x; echo '{}'", GT_RESOURCE_EXHAUSTED, NULL },
	{ "kill -9 $$", GT_UNKNOWN,
	  "plugin type=\"one\" name=\"n\" failed (add): netplugin killed by signal 9: " },
	{ "", GT_DATA_LOSS, "plugin 0 of network \"n\" printed no result" },
	{ "echo '[]'", GT_DATA_LOSS,
	  "plugin type=\"one\" name=\"n\" failed (add): result: is no object" },
	{ "echo '{'", GT_INVALID_ARGUMENT, NULL },
	{ "echo '{\"code\":11,\"msg\":\"busy\"}'; exit 1", GT_UNAVAILABLE,
	  "plugin type=\"one\" name=\"n\" failed (add): busy" },
	{ "[ $CNI_COMMAND = VERSION ] && echo '{\"supportedVersions\":[\"0.3.0\",\"0.4.0\"]}' || {\n"
	  "echo '{\"code\":1,\"msg\":\"incompatible CNI versions\"}'; exit 1; }",
	  GT_FAILED_PRECONDITION,
	  "plugin type=\"one\" name=\"n\" failed (add): network \"n\" is of CNI version 1.0.0, the "
	  "plugin takes 0.3.0 0.4.0: incompatible CNI versions" },
};

START_TEST(bad_plugins)
{
	gt_autoptr(gt_cni_network) n = network("{\"cniVersion\":\"1.0.0\",\"name\":\"n\","
					       "\"plugins\":[{\"type\":\"one\"}]}");
	struct gt_error *e;

	if (bodies[_i].cls == GT_DEADLINE_EXCEEDED)
		cni.timeout = SECOND;
	plugin("one", bodies[_i].body);
	e = gt_cni_add(&cni, &call, n, &att, NULL);
	ck_assert_int_eq(gt_error_class(e), bodies[_i].cls);
	if (bodies[_i].text)
		ck_assert_str_eq(gt_error_text(e), bodies[_i].text);
	gt_error_free(e);
}
END_TEST

START_TEST(missing_plugin)
{
	gt_autoptr(gt_cni_network) n = network("{\"name\":\"n\",\"type\":\"one\"}");
	gt_autofree char *want = gt_strf("plugin type=\"one\" name=\"n\" failed (add): failed to find "
					 "plugin \"one\" in path [/no/such/folder %s/bin]",
					 top);

	ck_error(gt_cni_add(&cni, &call, n, &att, NULL), GT_NOT_FOUND, want);
}
END_TEST

static const struct {
	const char *text, *want;
} configs[] = {
	{ "{}", "net: missing 'name'" },
	{ "[]", "net: is no object" },
	{ "{\"name\":\"a/b\",\"type\":\"x\"}", "net: name has other than letters, digits and _.-" },
	{ "{\"name\":\"n\"}", "net: plugin 0: missing 'type'" },
	{ "{\"name\":\"n\",\"plugins\":[]}", "net: no plugins in list" },
	{ "{\"name\":\"n\",\"plugins\":[{\"type\":\"../x\"}]}", "net: plugin 0: type \"../x\" is no name" },
	{ "{\"name\":\"n\",\"plugins\":[{\"type\":\"..\"}]}", "net: plugin 0: type \"..\" is no name" },
	{ "{\"name\":\"n\",\"plugins\":[1]}", "net: plugin 0: missing 'type'" },
	{ "{\"name\":1,\"plugins\":[]}", "net: name is no string" },
	{ "{\"name\":\"n\",\"plugins\":{}}", "net: plugins is no list" },
	{ "{\"name\":\"n\",\"type\":\"x\",\"cniVersion\":2}", NULL },
	{ "{\"name\":\"n\",\"disableCheck\":3,\"plugins\":[{\"type\":\"x\"}]}",
	  "net: disableCheck is not true or false" },
};

START_TEST(bad_configs)
{
	struct gt_cni_network *n = NULL;
	struct gt_error *e = gt_cni_network_parse("net", configs[_i].text, strlen(configs[_i].text),
						  &n);

	ck_assert_ptr_null(n);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	if (configs[_i].want)
		ck_assert_str_eq(gt_error_text(e), configs[_i].want);
	gt_error_free(e);
}
END_TEST

START_TEST(bad_names)
{
	gt_autoptr(gt_cni_network) n = network("{\"name\":\"n\",\"type\":\"one\"}");

	plugin("one", "echo '{}'");
	att.container_id = "../x";
	ck_error(gt_cni_add(&cni, &call, n, &att, NULL), GT_INVALID_ARGUMENT,
		 "CNI: \"../x\" is no container id");
	att.container_id = "x";
	att.ifname = "an-interface-that-is-long";
	ck_error(gt_cni_add(&cni, &call, n, &att, NULL), GT_INVALID_ARGUMENT,
		 "CNI: \"an-interface-that-is-long\" is no name for an interface");
	att.ifname = "a:b";
	ck_error(gt_cni_add(&cni, &call, n, &att, NULL), GT_INVALID_ARGUMENT,
		 "CNI: \"a:b\" is no name for an interface");
	att.ifname = "eth0";
	gt_labels_set(&att.args, "a", "b;c");
	ck_error(gt_cni_add(&cni, &call, n, &att, NULL), GT_INVALID_ARGUMENT,
		 "CNI argument a=b;c holds a ';'");
}
END_TEST

START_TEST(broken_record)
{
	static const char *const texts[] = { "", "{", "[]", "{}", "{\"netns\":\"\",\"network\":{}}" };
	gt_autofree char *folder = gt_strf("%s/records", top);

	ck_assert_int_eq(mkdir(folder, 0700), 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct gt_error *e;

		write_file("records/ns-c:eth0", texts[i], 0600);
		e = gt_cni_del(&cni, &call, "ns-c", "", "eth0");
		ck_assert_int_eq(gt_error_class(e), GT_DATA_LOSS);
		gt_error_free(e);
	}
	ok(gt_cni_forget(&cni, "ns-c", "eth0"));
	ok(gt_cni_forget(&cni, "ns-c", "eth0"));
}
END_TEST

START_TEST(folders)
{
	gt_autoptr(gt_cni_network) n = NULL;
	gt_autofree char *want = gt_strf("no network config found in %s: cni plugin not initialized",
					 top);

	ck_error(gt_cni_network_load(top, &n), GT_NOT_FOUND, want);
	write_file("99-z.conf", "{\"name\":\"z\",\"type\":\"x\"}", 0644);
	write_file("10-a.conflist.disabled", "{", 0644);
	write_file("20-b.conflist", "{\"name\":\"b\",\"plugins\":[{\"type\":\"x\"}]}", 0644);
	ok(gt_cni_network_load(top, &n));
	ck_assert_str_eq(n->name, "b");
	ck_error(gt_cni_network_load("/no/such/folder", &n), GT_NOT_FOUND,
		 "no network config found in /no/such/folder: cni plugin not initialized");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cni");
	TCase *t = tcase_create("cni");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, chain);
	tcase_add_test(t, old_versions);
	tcase_add_test(t, disabled_check);
	tcase_add_test(t, failing_add);
	tcase_add_test(t, failing_del);
	tcase_add_loop_test(t, bad_plugins, 0, sizeof(bodies) / sizeof(*bodies));
	tcase_add_test(t, missing_plugin);
	tcase_add_loop_test(t, bad_configs, 0, sizeof(configs) / sizeof(*configs));
	tcase_add_test(t, bad_names);
	tcase_add_test(t, broken_record);
	tcase_add_test(t, folders);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
