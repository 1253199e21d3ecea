/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/spec.h>

#include <check.h>
#include <jansson.h>
#include <string.h>

static struct gt_spec *spec;

static void set_up(void)
{
	spec = gt_spec_new("ns", "id");
}

static void tear_down(void)
{
	gt_spec_free(spec);
}

static void ok(struct gt_error *e)
{
	ck_assert_msg(!e, "%s", gt_error_text(e));
}

static void refused(struct gt_error *e)
{
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	gt_error_free(e);
}

/* The part of the document at "a.b.2.c", as compact JSON; "" where there is none. */
static char *at(const char *path)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_auto(gt_strv) keys = { 0 };
	json_t *doc, *j;
	char *out;

	gt_spec_write(spec, 0, &text);
	doc = json_loadb(text.s, text.len, 0, NULL);
	ck_assert_ptr_nonnull(doc);
	gt_strv_split(&keys, path, '.');
	j = doc;
	for (size_t i = 0; i < keys.n && j; i++)
		j = json_is_array(j) ? json_array_get(j, atoi(keys.v[i])) :
				       json_object_get(j, keys.v[i]);
	out = j ? json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY) : gt_xstrdup("");
	json_decref(doc);
	return out;
}

#define ck_at(path, want)                                                                         \
	do {                                                                                       \
		gt_autofree char *have = at(path);                                                 \
		ck_assert_str_eq(have, want);                                                      \
	} while (0)

static void add(struct gt_strv *l, const char *a, const char *b, const char *c)
{
	const char *const all[] = { a, b, c };

	for (size_t i = 0; i < 3 && all[i]; i++)
		gt_strv_add(l, all[i]);
}

START_TEST(defaults)
{
	ck_at("ociVersion", "\"1.0.2-dev\"");
	ck_at("linux.cgroupsPath", "\"/ns/id\"");
	ck_at("process.noNewPrivileges", "true");
	ck_at("process.capabilities.inheritable", "");
	ck_at("process.capabilities.ambient", "");
	ck_at("linux.resources.devices.0", "{\"allow\":false,\"access\":\"rwm\"}");
}
END_TEST

START_TEST(image)
{
	static const char text[] = "{\"config\":{\"Env\":[\"PATH=/p\",\"A=1\",\"B=2\"],"
				   "\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"],\"WorkingDir\":\"/w\"}}";
	gt_auto(gt_image_config) c = { 0 };
	gt_auto(gt_strv) args = { 0 };
	gt_auto(gt_strv) env = { 0 };

	ok(gt_image_config_parse(text, strlen(text), &c));
	ok(gt_spec_set_image(spec, &c, NULL));
	ck_at("process.args", "[\"e\",\"c\"]");
	ck_at("process.cwd", "\"/w\"");
	add(&args, "x", NULL, NULL);
	ok(gt_spec_set_image(spec, &c, &args));
	ck_at("process.args", "[\"e\",\"x\"]");
	ok(gt_spec_set_args(spec, &args));
	ck_at("process.args", "[\"x\"]");
	add(&env, "A=9", "B", "C=");
	ok(gt_spec_add_env(spec, &env));
	ck_at("process.env", "[\"PATH=/p\",\"A=9\",\"C=\"]");
	gt_spec_set_tty(spec, true);
	ck_at("process.env.3", "\"TERM=xterm\"");
	ck_assert(gt_spec_tty(spec));
	gt_spec_set_tty(spec, true);
	ck_at("process.env.4", "");
}
END_TEST

START_TEST(image_without_anything)
{
	gt_auto(gt_image_config) c = { 0 };

	ok(gt_image_config_parse("{}", 2, &c));
	ok(gt_spec_set_image(spec, &c, NULL));
	ck_assert(!gt_spec_has_args(spec));
	ck_at("process.env",
	      "[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"]");
	ck_at("process.cwd", "\"/\"");
}
END_TEST

START_TEST(env_text)
{
	static const char text[] = "A=1\n\n#c=d\r\nB\nC=x y\r\n  D=1";
	static const char nul[] = "A=1\0B=2";

	ok(gt_spec_add_env_text(spec, text, strlen(text)));
	ck_at("process.env", "[\"A=1\",\"C=x y\",\"  D=1\"]");
	refused(gt_spec_add_env_text(spec, nul, sizeof(nul) - 1));
	refused(gt_spec_add_env_text(spec, "=x", 2));
}
END_TEST

static const struct {
	const char *csv, *out; /* NULL: refused */
} mounts[] = {
	{ "type=bind,src=/tmp,dst=/mnt,options=rbind:ro",
	  "{\"destination\":\"/mnt\",\"type\":\"bind\",\"source\":\"/tmp\",\"options\":[\"rbind\",\"ro\"]}" },
	{ "type=tmpfs,destination=/t", "{\"destination\":\"/t\",\"type\":\"tmpfs\"}" },
	{ "src=/a,dst=/b", "{\"destination\":\"/b\",\"source\":\"/a\"}" },
	{ "type=bind,\"src=/a,b\",dst=/c", "{\"destination\":\"/c\",\"type\":\"bind\",\"source\":\"/a,b\"}" },
	{ "\"src=/a\"\"b\",dst=/c", "{\"destination\":\"/c\",\"source\":\"/a\\\"b\"}" },
	{ "type=bind,foo=bar,dst=/x", NULL },
	{ "type", NULL },
	{ "", NULL },
	{ "type=bind,src=/x", NULL },
	{ "type=bind,dst=\"/b\"", NULL },
	{ "\"type=bind", NULL },
	{ "\"type=bind\"x,dst=/b", NULL },
	{ "dst=/a\nb", NULL },
	{ "dst=/b,options=a:b\tc", NULL },
};

START_TEST(mount_csv)
{
	struct gt_error *e = gt_spec_add_mount_csv(spec, mounts[_i].csv);

	if (!mounts[_i].out) {
		refused(e);
		ck_at("mounts.7", "");
		return;
	}
	ok(e);
	ck_at("mounts.7", mounts[_i].out);
}
END_TEST

START_TEST(capabilities)
{
	gt_auto(gt_strv) caps = { 0 };
	gt_auto(gt_strv) bad = { 0 };

	add(&caps, "CAP_SYS_ADMIN", NULL, NULL);
	ok(gt_spec_add_caps(spec, &caps));
	ok(gt_spec_add_caps(spec, &caps));
	ck_at("process.capabilities.bounding.14", "\"CAP_SYS_ADMIN\"");
	ck_at("process.capabilities.permitted.15", "");
	ok(gt_spec_drop_caps(spec, &caps));
	ck_at("process.capabilities.effective.14", "");
	add(&bad, "SYS_ADMIN", NULL, NULL);
	refused(gt_spec_add_caps(spec, &bad));
	free(bad.v[0]);
	bad.v[0] = gt_xstrdup("CAP_NOSUCH");
	refused(gt_spec_add_caps(spec, &bad));
}
END_TEST

START_TEST(network_and_namespaces)
{
	gt_spec_set_host_network(spec);
	ck_at("linux.namespaces", "[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
				  "{\"type\":\"mount\"}]");
	ck_at("mounts.8.destination", "\"/etc/resolv.conf\"");
	ok(gt_spec_set_namespace(spec, "ipc", "/proc/1/ns/ipc"));
	ck_at("linux.namespaces.1", "{\"type\":\"ipc\",\"path\":\"/proc/1/ns/ipc\"}");
	ok(gt_spec_set_namespace(spec, "cgroup", NULL));
	ck_at("linux.namespaces.4", "{\"type\":\"cgroup\"}");
	refused(gt_spec_set_namespace(spec, "net", NULL));
	refused(gt_spec_set_namespace(spec, "pid", "/a\nb"));
}
END_TEST

START_TEST(privileged)
{
	ok(gt_spec_set_privileged(spec));
	ck_at("linux.maskedPaths", "");
	ck_at("linux.readonlyPaths", "");
	ck_at("mounts.5.options", "[\"nosuid\",\"noexec\",\"nodev\",\"rw\"]");
	ok(gt_spec_add_host_devices(spec));
	ck_at("linux.resources.devices", "[{\"allow\":true,\"access\":\"rwm\"}]");
}
END_TEST

START_TEST(devices)
{
	ok(gt_spec_add_device(spec, "/dev/null", "rwm"));
	ck_at("linux.devices.0.path", "\"/dev/null\"");
	ck_at("linux.devices.0.major", "1");
	ck_at("linux.resources.devices.1.minor", "3");
	gt_spec_add_default_devices(spec);
	ck_at("linux.resources.devices.9",
	      "{\"allow\":true,\"type\":\"c\",\"major\":136,\"access\":\"rwm\"}");
	refused(gt_spec_add_device(spec, "/etc/passwd", "rwm"));
	refused(gt_spec_add_device(spec, "/dev/null", "x"));
	refused(gt_spec_add_device(spec, "/dev/null", ""));
}
END_TEST

START_TEST(resources)
{
	gt_spec_set_memory_limit(spec, 1000000);
	gt_spec_set_cpu_cfs(spec, 50000, 100000);
	gt_spec_set_cpu_shares(spec, 512);
	ok(gt_spec_set_cpuset(spec, "0-1,3", ""));
	refused(gt_spec_set_cpuset(spec, "0 1", ""));
	ck_at("linux.resources.memory", "{\"limit\":1000000}");
	ck_at("linux.resources.cpu",
	      "{\"quota\":50000,\"period\":100000,\"shares\":512,\"cpus\":\"0-1,3\"}");
	ok(gt_spec_set_rlimit(spec, "RLIMIT_NOFILE", 10, 20));
	ck_at("process.rlimits", "[{\"type\":\"RLIMIT_NOFILE\",\"hard\":20,\"soft\":10}]");
	refused(gt_spec_set_rlimit(spec, "RLIMIT_NOFILE", 30, 20));
	refused(gt_spec_set_rlimit(spec, "NOFILE", 1, 2));
	ok(gt_spec_add_idmap(spec, false, 0, 100000, 65536));
	ck_at("linux.uidMappings", "[{\"containerID\":0,\"hostID\":100000,\"size\":65536}]");
	refused(gt_spec_add_idmap(spec, true, 0, 4294967295u, 2));
	refused(gt_spec_add_idmap(spec, true, 0, 0, 0));
}
END_TEST

START_TEST(control_characters)
{
	refused(gt_spec_set_cwd(spec, "/a\nb"));
	refused(gt_spec_set_cwd(spec, "a"));
	refused(gt_spec_set_hostname(spec, "a\nb"));
	refused(gt_spec_set_annotation(spec, "a", "b\nc"));
	refused(gt_spec_set_annotation(spec, "a\x7f", "b"));
	refused(gt_spec_set_annotation(spec, "", "b"));
	refused(gt_spec_set_annotation(spec, "a", "\xff"));
	refused(gt_spec_set_cgroup(spec, "/a\rb"));
	refused(gt_spec_set_propagation(spec, "sharedx"));
	ok(gt_spec_set_cgroup(spec, ""));
	ck_at("linux.cgroupsPath", "");
}
END_TEST

START_TEST(hardware_and_hooks)
{
	gt_auto(gt_strv) args = { 0 };
	gt_auto(gt_strv) env = { 0 };

	refused(gt_spec_set_rdt(spec, "a/b"));
	refused(gt_spec_set_rdt(spec, ".."));
	refused(gt_spec_set_rdt(spec, "a\n"));
	ok(gt_spec_set_rdt(spec, "gold"));
	ck_at("linux.intelRdt", "{\"closID\":\"gold\"}");
	add(&args, "x", "{{pid}}", NULL);
	add(&env, "A=1", NULL, NULL);
	ok(gt_spec_add_hook(spec, "prestart", "/bin/x", &args, &env, 0));
	ck_at("hooks.prestart",
	      "[{\"path\":\"/bin/x\",\"args\":[\"x\",\"{{pid}}\"],\"env\":[\"A=1\"]}]");
}
END_TEST

static bool allows(const char *call)
{
	gt_autofree char *calls = at("linux.seccomp.syscalls");
	gt_autofree char *quoted = gt_strf("\"%s\"", call);

	return strstr(calls, quoted) != NULL;
}

START_TEST(default_seccomp)
{
	gt_auto(gt_strv) caps = { 0 };

	gt_spec_set_default_seccomp(spec);
	ck_at("linux.seccomp.defaultAction", "\"SCMP_ACT_ERRNO\"");
	ck_assert(allows("read") && allows("chroot") && !allows("mount") && !allows("reboot"));
	add(&caps, "CAP_SYS_ADMIN", "CAP_SYS_BOOT", NULL);
	ok(gt_spec_add_caps(spec, &caps));
	gt_spec_set_default_seccomp(spec);
	ck_assert(allows("mount") && allows("reboot") && !allows("bogus"));
}
END_TEST

START_TEST(foreign)
{
	gt_spec_free(spec);
	spec = gt_spec_new_foreign("windows");
	ck_at("process.cwd", "\"C:\\\\\"");
	ck_at("windows", "{\"layerFolders\":null}");
	ck_at("linux", "");
	ck_assert_ptr_null(gt_spec_new_foreign("linux"));
}
END_TEST

START_TEST(parse)
{
	static const char *const bad[] = { "", "[]", "{\"process\":1}", "{\"linux\":[]}",
					   "{\"root\":\"x\"}", "{\"a\":1}}" };
	struct gt_spec *other = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused(gt_spec_parse(bad[i], strlen(bad[i]), &other));
	ck_assert_ptr_null(other);
	ok(gt_spec_parse("{\"process\":{\"args\":[\"x\"],\"terminal\":true}}", 42, &other));
	ck_assert(gt_spec_tty(other));
	gt_spec_free(other);
}
END_TEST

static const struct {
	const char *text;
	bool good;
} documents[] = {
	{ "{}", true },
	{ "{'annotations':{'a':'b'},'linux':{'sysctl':{'net.core.somaxconn':'5','kernel/shm_rmid':'1'}}}",
	  true },
	{ "{'linux':{'resources':{'unified':{'memory.high':'5'},'devices':[{'allow':false,"
	  "'access':'rwm'},{'allow':true,'type':'c','access':'r'}]}}}",
	  true },
	{ "{'linux':{'sysctl':{'net.core.somaxconn':'5\\n6'}}}", false },
	{ "{'linux':{'sysctl':{'net.core.somaxconn\\n':'5'}}}", false },
	{ "{'linux':{'sysctl':{'net/../../x':'5'}}}", false },
	{ "{'linux':{'sysctl':{'/etc':'5'}}}", false },
	{ "{'linux':{'sysctl':{'a':5}}}", false },
	{ "{'linux':{'sysctl':[]}}", false },
	{ "{'linux':{'resources':{'unified':{'cgroup.subtree_control':'+memory'}}}}", false },
	{ "{'linux':{'resources':{'unified':{'../memory.high':'1'}}}}", false },
	{ "{'linux':{'resources':{'unified':{'memory.high':'1\\n2'}}}}", false },
	{ "{'linux':{'resources':{'devices':[{'type':'c','access':'r+m'}]}}}", false },
	{ "{'linux':{'resources':{'devices':[{'type':'c\\na','access':'r'}]}}}", false },
	{ "{'linux':{'devices':[{'path':'/dev/a\\nb','type':'c'}]}}", false },
	{ "{'linux':{'devices':[{'path':'dev/a','type':'c'}]}}", false },
	{ "{'linux':{'devices':[{'path':'/dev/a','type':'c 1'}]}}", false },
	{ "{'linux':{'devices':{}}}", false },
	{ "{'linux':{'cgroupsPath':'/a\\nb'}}", false },
	{ "{'annotations':{'a':'b\\nc'}}", false },
	{ "{'annotations':{'a\\r':'b'}}", false },
	{ "{'annotations':{'':'b'}}", false },
	{ "{'hostname':'a\\nb'}", false },
	{ "{'process':{'cwd':'/a\\u0007'}}", false },
	{ "{'mounts':[{'destination':'/a','options':['size=1\\n']}]}", false },
	{ "{'mounts':[1]}", false },
};

START_TEST(check)
{
	gt_autofree char *text = gt_xstrdup(documents[_i].text);
	gt_autoptr(gt_spec) other = NULL;

	for (char *p = text; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	ok(gt_spec_parse(text, strlen(text), &other));
	if (documents[_i].good)
		ok(gt_spec_check(other));
	else
		refused(gt_spec_check(other));
}
END_TEST

/* Our own passes, with all that options add. */
START_TEST(check_own)
{
	gt_spec_add_default_devices(spec);
	gt_spec_set_host_network(spec);
	ok(gt_spec_check(spec));
	ok(gt_spec_set_privileged(spec));
	ok(gt_spec_add_host_devices(spec));
	ok(gt_spec_check(spec));
}
END_TEST

START_TEST(nul)
{
	static const char text[] = "{\"annotations\":{\"a\":\"b\\u0000c\"}}";
	struct gt_spec *other = NULL;

	refused(gt_spec_parse(text, strlen(text), &other));
}
END_TEST

START_TEST(exec)
{
	gt_auto(gt_strv) args = { 0 };
	gt_auto(gt_any) any = { 0 };
	gt_autoptr(gt_spec) e = NULL;

	add(&args, "a", "b", NULL);
	gt_spec_set_tty(spec, true);
	ok(gt_spec_exec(spec, &args, &e));
	ck_assert(!gt_spec_tty(e));
	gt_spec_process_any(e, &any);
	ck_assert_str_eq(any.type_url, GT_TYPE_PROCESS);
	ck_assert_ptr_nonnull(memmem(any.data, any.len, "\"args\":[\"a\",\"b\"]", 16));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("oci-spec");
	TCase *t = tcase_create("spec");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, defaults);
	tcase_add_test(t, image);
	tcase_add_test(t, image_without_anything);
	tcase_add_test(t, env_text);
	tcase_add_loop_test(t, mount_csv, 0, sizeof(mounts) / sizeof(*mounts));
	tcase_add_test(t, capabilities);
	tcase_add_test(t, network_and_namespaces);
	tcase_add_test(t, privileged);
	tcase_add_test(t, devices);
	tcase_add_test(t, resources);
	tcase_add_test(t, control_characters);
	tcase_add_test(t, hardware_and_hooks);
	tcase_add_test(t, default_seccomp);
	tcase_add_test(t, foreign);
	tcase_add_test(t, parse);
	tcase_add_loop_test(t, check, 0, sizeof(documents) / sizeof(*documents));
	tcase_add_test(t, check_own);
	tcase_add_test(t, nul);
	tcase_add_test(t, exec);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
