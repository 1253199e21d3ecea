/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/spec.h>

#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

static char *top;
static struct gt_strv dirs, ignored;

static void setup(void)
{
	top = gt_xstrdup("/tmp/cdi-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	gt_strv_addf(&dirs, "%s/etc", top);
	gt_strv_addf(&dirs, "%s/run", top);
	gt_strv_addf(&dirs, "%s/none", top);
	for (int i = 0; i < 2; i++)
		gt_error_free(gt_file_mkdirs(dirs.v[i], 0755));
}

static void teardown(void)
{
	gt_error_free(gt_file_remove_tree(AT_FDCWD, top));
	gt_strv_done(&dirs);
	gt_strv_done(&ignored);
	free(top);
}

static void put(const char *name, const char *text)
{
	gt_autofree char *path = gt_strf("%s/%s", top, name);
	struct gt_error *e = gt_file_write(AT_FDCWD, path, text, strlen(text), 0644, false);

	ck_assert_msg(!e, "%s", gt_error_text(e));
}

/* What 'member' of the spec is with these devices (separated by blanks), or "ERROR: ..." */
static char *with(const char *names, const char *member)
{
	gt_autoptr(gt_spec) spec = gt_spec_new("ns", "id");
	const struct gt_user user = { .uid = 1000, .gid = 1000 };
	gt_auto(gt_buf) doc = GT_BUF_INIT;
	gt_auto(gt_strv) list = { 0 }, path = { 0 };
	struct gt_error *e;
	json_t *j, *at;
	char *out;

	gt_spec_set_user(spec, &user);
	gt_strv_split(&list, names, ' ');
	gt_strv_split(&path, member, '.');
	e = gt_spec_add_cdi(spec, &dirs, &list, &ignored);
	if (e) {
		out = gt_strf("%s: %s", gt_class_name(gt_error_class(e)), gt_error_text(e));
		gt_error_free(e);
		return out;
	}
	gt_spec_write(spec, 0, &doc);
	j = at = json_loadb(doc.s, doc.len, 0, NULL);
	for (size_t i = 0; i < path.n; i++)
		at = json_object_get(at, path.v[i]);
	out = json_dumps(at, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(j);
	return out ? out : gt_xstrdup("");
}

static void has(const char *names, const char *member, const char *want)
{
	gt_autofree char *have = with(names, member);

	ck_assert_msg(strstr(have, want), "%s of %s: %s, not %s", member, names, have, want);
}

static void has_not(const char *names, const char *member, const char *unwanted)
{
	gt_autofree char *have = with(names, member);

	ck_assert_msg(!strstr(have, unwanted), "%s of %s: %s", member, names, have);
}

START_TEST(test_names)
{
	static const char *const good[] = { "vendor.com/gpu=0", "v/c=all", "a-b.c_d/e-f_g=1:2.3" };
	static const char *const wrong[] = { "/dev/null", "vendor.com/gpu", "gpu=0", "1v/c=a", "v/c=",
					     "v/=a",	  "/c=a",	    "v/c=-a", "v/c=a-", "v-/c=a",
					     "v/c/d=a",	  "v /c=a",	    "v/c=a\nb", "" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		ck_assert_msg(gt_spec_is_cdi(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ck_assert_msg(!gt_spec_is_cdi(wrong[i]), "%s", wrong[i]);
}
END_TEST

START_TEST(test_edits)
{
	put("etc/a.json",
	    "{\"cdiVersion\": \"0.6.0\", \"kind\": \"v.com/net\", \"containerEdits\": {\"env\": [\"ALL=1\"]},"
	    "\"devices\": [{\"name\": \"n0\", \"containerEdits\": {"
	    "\"env\": [\"N0=yes\"],"
	    "\"deviceNodes\": [{\"path\": \"/dev/mine\", \"hostPath\": \"/dev/null\"},"
	    " {\"path\": \"/dev/other\", \"type\": \"b\", \"major\": 9, \"minor\": 8, \"fileMode\": 438,"
	    "  \"permissions\": \"r\", \"uid\": 0, \"gid\": 5}],"
	    "\"mounts\": [{\"hostPath\": \"/h\", \"containerPath\": \"/etc\", \"options\": [\"ro\", \"bind\"]}],"
	    "\"hooks\": [{\"hookName\": \"createContainer\", \"path\": \"/bin/h\", \"args\": [\"h\", \"x\"],"
	    "  \"timeout\": 5}],"
	    "\"intelRdt\": {\"closID\": \"gold\"},"
	    "\"additionalGids\": [44, 0, 44]}}, {\"name\": \"n1\", \"containerEdits\": {}}]}");
	has("v.com/net=n0", "process.env", "\"ALL=1\",\"N0=yes\"]");
	has("v.com/net=n1", "process.env", "\"ALL=1\"]");
	has("v.com/net=n1 v.com/net=n0", "process.env", "\"ALL=1\",\"N0=yes\"]");
	has("v.com/net=n0", "linux.devices",
	    "[{\"path\":\"/dev/mine\",\"type\":\"c\",\"major\":1,\"minor\":3,\"uid\":1000,\"gid\":1000},"
	    "{\"path\":\"/dev/other\",\"type\":\"b\",\"major\":9,\"minor\":8,\"fileMode\":438,\"uid\":0,"
	    "\"gid\":5}]");
	has("v.com/net=n0", "linux.resources.devices",
	    "{\"allow\":true,\"type\":\"b\",\"major\":9,\"minor\":8,\"access\":\"r\"}");
	has("v.com/net=n0", "hooks",
	    "{\"createContainer\":[{\"path\":\"/bin/h\",\"args\":[\"h\",\"x\"],\"timeout\":5}]}");
	has("v.com/net=n0", "linux.intelRdt", "{\"closID\":\"gold\"}");
	has("v.com/net=n0", "process.user.additionalGids", "44]");
	has_not("v.com/net=n0", "process.user.additionalGids", "44,44");
	/* before those that lie deeper */
	has("v.com/net=n0", "mounts", "\"/etc\",\"source\":\"/h\",\"options\":[\"ro\",\"bind\"]},{\"destination\":\"/dev/pts\"");
	ck_assert_uint_eq(ignored.n, 0);
}
END_TEST

START_TEST(test_yaml)
{
	put("etc/a.yaml", "cdiVersion: 0.5.0\nkind: v.com/c\ndevices:\n- name: \"0\"\n  containerEdits:\n"
			  "    env: [ \"A=1\" ]\n    deviceNodes:\n    - path: /dev/x\n      type: c\n"
			  "      major: 0x0a\n      minor: 7\n      fileMode: 0666\n");
	has("v.com/c=0", "process.env", "A=1");
	has("v.com/c=0", "linux.devices", "\"major\":10,\"minor\":7,\"fileMode\":438");
	put("run/b.yaml", "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
			  "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
			  "e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n");
	put("run/c.yaml", "&a [*a]\n");
	put("run/d.yaml", "a: 1\na: 2\n");
	put("run/e.yaml", "");
	has("v.com/c=0", "process.env", "A=1");
	ck_assert_uint_eq(ignored.n, 4);
	ck_assert_ptr_nonnull(strstr(ignored.v[0], "has too many values"));
	ck_assert_ptr_nonnull(strstr(ignored.v[1], "line 1: it is nested too deep"));
	ck_assert_ptr_nonnull(strstr(ignored.v[2], "line 2: a key comes twice"));
	ck_assert_ptr_nonnull(strstr(ignored.v[3], "is empty"));
}
END_TEST

START_TEST(test_which)
{
	static const char one[] = "{\"cdiVersion\":\"0.3.0\",\"kind\":\"v/c\",\"devices\":[{\"name\":\"a\","
				  "\"containerEdits\":{\"env\":[\"FROM=%s\"]}}]}";
	gt_autofree char *low = gt_strf(one, "etc"), *high = gt_strf(one, "run");

	has("v/c=a", "process", "NOT_FOUND: CDI device injection failed: unresolvable CDI devices v/c=a");
	put("etc/1.json", low);
	has("v/c=a", "process.env", "FROM=etc");
	put("run/1.json", high);
	has("v/c=a", "process.env", "FROM=run");
	put("run/2.json", high);
	has("v/c=a", "process", "FAILED_PRECONDITION: CDI device injection failed: CDI device v/c=a: both ");
	has("v/c=b", "process", "NOT_FOUND: ");
	has("v/d=a", "process", "NOT_FOUND: ");
	ck_assert_uint_eq(ignored.n, 0);
}
END_TEST

static const struct {
	const char *edits, *want;
} wrong_edits[] = {
	{ "{\"env\":[\"A\"]}", "variable \"A\" is not NAME=VALUE" },
	{ "{\"env\":[5]}", "INVALID_ARGUMENT" },
	{ "{\"deviceNodes\":[{\"path\":\"dev\"}]}", "device \"dev\" is no absolute path" },
	{ "{\"deviceNodes\":[{\"path\":\"/dev/a\\nb\",\"hostPath\":\"/dev/null\"}]}", "control character" },
	{ "{\"deviceNodes\":[{\"path\":\"/no/such\"}]}", "NOT_FOUND" },
	{ "{\"deviceNodes\":[{\"path\":\"/etc/passwd\"}]}", "device \"/etc/passwd\" is none" },
	{ "{\"deviceNodes\":[{\"path\":\"/dev/null\",\"type\":\"b\"}]}", "is of another type" },
	{ "{\"deviceNodes\":[{\"path\":\"/dev/null\",\"type\":\"x\"}]}", "is not b, c, u or p" },
	{ "{\"deviceNodes\":[{\"path\":\"/dev/null\",\"permissions\":\"x\"}]}", "are not of r, w and m" },
	{ "{\"deviceNodes\":[{\"path\":\"/dev/null\",\"uid\":4294967296}]}", "out of range" },
	{ "{\"deviceNodes\":[7]}", "is no object" },
	{ "{\"mounts\":[{\"containerPath\":\"/x\"}]}", "has no hostPath" },
	{ "{\"mounts\":[{\"hostPath\":\"/x\\n\",\"containerPath\":\"/x\"}]}", "control character" },
	{ "{\"hooks\":[{\"hookName\":\"later\",\"path\":\"/x\"}]}", "is no kind of hook" },
	{ "{\"hooks\":[{\"hookName\":\"prestart\",\"path\":\"x\"}]}", "is no absolute path" },
	{ "{\"hooks\":[{\"hookName\":\"prestart\",\"path\":\"/x\",\"timeout\":-1}]}", "out of range" },
	{ "{\"additionalGids\":[-1]}", "is no group's number" },
	{ "{\"intelRdt\":{\"closID\":\"../x\"}}", "is no name of a folder" },
	{ "{\"netDevices\":[]}", "UNIMPLEMENTED" },
	{ "5", "INVALID_ARGUMENT" },
};

START_TEST(test_wrong_edits)
{
	gt_autofree char *text = gt_strf("{\"cdiVersion\":\"1.0.0\",\"kind\":\"v/c\",\"devices\":[{\"name\":"
					 "\"a\",\"containerEdits\":%s}]}",
					 wrong_edits[_i].edits);

	put("etc/a.json", text);
	has("v/c=a", "process", wrong_edits[_i].want);
	has("v/c=a", "process", "CDI device injection failed: ");
}
END_TEST

START_TEST(test_wrong_files)
{
	put("etc/1.json", "{");
	put("etc/2.json", "{\"cdiVersion\":\"2.0.0\",\"kind\":\"v/c\"}");
	put("etc/3.json", "{\"cdiVersion\":\"0.6.0\",\"kind\":\"v\"}");
	put("etc/4.json", "{\"cdiVersion\":\"0.6.0\",\"kind\":\"v/c\",\"devices\":[{\"name\":\"a b\"}]}");
	put("etc/5.json", "[]");
	put("etc/6.txt", "not looked at");
	put("etc/9.json", "{\"cdiVersion\":\"0.6.0\",\"kind\":\"v/c\",\"devices\":[{\"name\":\"a\"}]}");
	has("v/c=a", "process", "{");
	ck_assert_uint_eq(ignored.n, 5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cdi");
	TCase *t = tcase_create("cdi");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_names);
	tcase_add_test(t, test_edits);
	tcase_add_test(t, test_yaml);
	tcase_add_test(t, test_which);
	tcase_add_loop_test(t, test_wrong_edits, 0, sizeof(wrong_edits) / sizeof(*wrong_edits));
	tcase_add_test(t, test_wrong_files);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
