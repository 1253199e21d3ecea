/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "hosts.h"

#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const struct gt_registry_options none = GT_REGISTRY_OPTIONS_INIT;
static char dir[64];

static void make_dir(void)
{
	strcpy(dir, "/tmp/gantry-hosts-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
	gt_autoptr(gt_error) e = gt_file_remove_tree(AT_FDCWD, dir);

	ck_assert_ptr_null(e);
}

/* A file below the test's folder, with the folder above it. */
static void put(const char *name, const char *text)
{
	gt_autofree char *path = gt_strf("%s/%s", dir, name);
	gt_autofree char *folder = gt_xstrndup(path, strrchr(path, '/') - path);
	gt_autoptr(gt_error) e = gt_file_mkdirs(folder, 0755);

	if (!e)
		e = gt_file_write(AT_FDCWD, path, text, strlen(text), 0644, false);
	ck_assert_msg(!e, "%s", gt_error_text(e));
}

static struct hosts find(const char *name, const struct gt_registry_options *o)
{
	struct hosts h = { 0 };
	gt_autoptr(gt_error) e = hosts_find(dir, name, o, &h);

	ck_assert_msg(!e, "%s", gt_error_text(e));
	return h;
}

static struct hosts parse(const char *text, const char *name)
{
	struct hosts h = { 0 };
	gt_autoptr(gt_error) e = hosts_parse("/etc/x/hosts.toml", text, strlen(text), name, &none, &h);

	ck_assert_msg(!e, "%s", gt_error_text(e));
	return h;
}

static void refused(const char *text, const char *want)
{
	struct hosts h = { 0 };
	gt_autoptr(gt_error) e =
		hosts_parse("/etc/x/hosts.toml", text, strlen(text), "r.example", &none, &h);

	ck_assert_msg(e != NULL, "%s", text);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	ck_assert_msg(!strncmp(gt_error_text(e), want, strlen(want)), "%s\nwant: %s", gt_error_text(e),
		      want);
	hosts_done(&h);
}

static void own(const char *name, const char *base, bool may_be_http, bool skip)
{
	struct hosts h = find(name, &none);

	ck_assert_uint_eq(h.n, 1);
	ck_assert_str_eq(h.v[0].base, base);
	ck_assert_int_eq(h.v[0].may_be_http, may_be_http);
	ck_assert_int_eq(h.v[0].tls.skip_verify, skip);
	ck_assert(h.v[0].is_own);
	ck_assert_uint_eq(h.v[0].capabilities, HOST_ALL);
	hosts_done(&h);
}

START_TEST(a_name_stands_for_a_host_by_itself)
{
	own("docker.io", "https://registry-1.docker.io/v2", false, false);
	own("r.example", "https://r.example/v2", false, false);
	own("r.example:5000", "https://r.example:5000/v2", false, false);
	own("localhost", "https://localhost/v2", false, false);
	own("localhost:443", "https://localhost:443/v2", false, false);
	own("localhost:80", "http://localhost:80/v2", false, false);
	own("localhost:5000", "https://localhost:5000/v2", true, true);
	own("127.1.2.3:5000", "https://127.1.2.3:5000/v2", true, true);
	own("[::1]:5000", "https://[::1]:5000/v2", true, true);
	own("localhost.example:5000", "https://localhost.example:5000/v2", false, false);
	own("127.example:5000", "https://127.example:5000/v2", false, false);
}
END_TEST

START_TEST(flags_say_otherwise)
{
	struct gt_registry_options o = GT_REGISTRY_OPTIONS_INIT;
	struct gt_labels headers = { 0 };
	struct hosts h;

	gt_labels_set(&headers, "X-A", "1");
	o.plain_http = true;
	o.skip_verify = true;
	o.headers = &headers;
	h = find("r.example:5000", &o);
	ck_assert_str_eq(h.v[0].base, "http://r.example:5000/v2");
	ck_assert(h.v[0].tls.skip_verify);
	ck_assert_str_eq(h.v[0].headers.v[0], "X-A: 1");
	hosts_done(&h);
	gt_labels_done(&headers);
}
END_TEST

START_TEST(mirrors_come_in_order_and_the_server_last)
{
	struct hosts h = parse("server = \"https://s.example\"\n"
			       "[host.\"https://z.example:5000\"]\ncapabilities = [\"pull\", \"resolve\"]\n"
			       "[host.\"a.example/pre/fix/\"]\nskip_verify = true\ndial_timeout = \"3s\"\n"
			       "[host.\"https://o.example/x/y\"]\noverride_path = true\n"
			       "[host.\"https://v.example/x/v2\"]\n",
			       "docker.io");

	ck_assert_uint_eq(h.n, 5);
	ck_assert_str_eq(h.v[0].base, "https://z.example:5000/v2");
	ck_assert_uint_eq(h.v[0].capabilities, HOST_PULL | HOST_RESOLVE);
	ck_assert_str_eq(h.v[0].authority, "z.example:5000");
	ck_assert(!h.v[0].is_own);
	ck_assert_str_eq(h.v[1].base, "https://a.example/pre/fix/v2");
	ck_assert(h.v[1].tls.skip_verify);
	ck_assert_int_eq(h.v[1].dial_timeout, INT64_C(3000000000));
	ck_assert_str_eq(h.v[2].base, "https://o.example/x/y");
	ck_assert_str_eq(h.v[3].base, "https://v.example/x/v2");
	ck_assert_str_eq(h.v[4].base, "https://s.example/v2");
	ck_assert(!h.v[4].is_own);
	hosts_done(&h);
	h = parse("server = \"https://registry-1.docker.io\"\n", "docker.io");
	ck_assert(h.v[0].is_own);
	hosts_done(&h);
}
END_TEST

START_TEST(without_a_server_the_name_itself_comes_last)
{
	struct hosts h = parse("skip_verify = true\n[host.\"http://m.example\"]\n", "docker.io");

	ck_assert_uint_eq(h.n, 2);
	ck_assert_str_eq(h.v[0].base, "http://m.example/v2");
	ck_assert(!h.v[0].may_be_http);
	ck_assert_str_eq(h.v[1].base, "https://registry-1.docker.io/v2");
	ck_assert(h.v[1].tls.skip_verify);
	hosts_done(&h);
	h = parse("", "localhost:5000");
	ck_assert_uint_eq(h.n, 1);
	ck_assert_str_eq(h.v[0].base, "https://localhost:5000/v2");
	ck_assert(h.v[0].may_be_http);
	hosts_done(&h);
	/* http, and something said about TLS: both are tried */
	h = parse("[host.\"http://m.example:5000\"]\nskip_verify = true\n", "docker.io");
	ck_assert_str_eq(h.v[0].base, "https://m.example:5000/v2");
	ck_assert(h.v[0].may_be_http);
	hosts_done(&h);
}
END_TEST

START_TEST(headers_are_strings_or_lists)
{
	struct hosts h = parse("[host.\"https://m\".header]\nx-one = \"a\"\nx-two = [\"b\", \"c\"]\n"
			       "x-none = \"\"\n[header]\ny = \"d\"\n",
			       "r.example");

	ck_assert_uint_eq(h.v[0].headers.n, 4);
	ck_assert_str_eq(h.v[0].headers.v[0], "x-one: a");
	ck_assert_str_eq(h.v[0].headers.v[2], "x-two: c");
	ck_assert_str_eq(h.v[0].headers.v[3], "x-none;");
	ck_assert_str_eq(h.v[1].headers.v[0], "y: d");
	hosts_done(&h);
}
END_TEST

START_TEST(errors_name_file_line_and_key)
{
	refused("server = 1\n", "/etc/x/hosts.toml:1: server: a whole number, where a string is wanted");
	refused("\ncapabilities = [\"pul\"]\n",
		"/etc/x/hosts.toml:2: capabilities: \"pul\" is no capability (pull, resolve, push, referrers)");
	refused("[host.\"https://m\"]\nskip_verify = \"yes\"\n",
		"/etc/x/hosts.toml:2: host.\"https://m\".skip_verify: a string, where a boolean is wanted");
	refused("[host.\"https://m\"]\n\nca = [\"a.pem\", 3]\n",
		"/etc/x/hosts.toml:3: host.\"https://m\".ca: a whole number, where a string is wanted");
	refused("[host.\"https://m\"]\nca = \"none.pem\"\n",
		"/etc/x/hosts.toml:2: host.\"https://m\".ca: open /etc/x/none.pem: ");
	refused("client = [[\"a\", \"b\", \"c\"]]\n", "/etc/x/hosts.toml:1: client: ");
	refused("client = {}\n", "/etc/x/hosts.toml:1: client: ");
	refused("dial_timeout = \"soon\"\n", "/etc/x/hosts.toml:1: dial_timeout: no duration");
	refused("[header]\n\"a b\" = \"x\"\n", "/etc/x/hosts.toml:2: header: no name that a header can have");
	refused("[header]\na = \"x\\r\\ny: z\"\n", "/etc/x/hosts.toml:2: header.a: a value of more than one");
	refused("[host.\"ftp://m\"]\n", "/etc/x/hosts.toml:1: host.\"ftp://m\": a URL that begins neither");
	refused("[host.\"https://u:p@m\"]\n",
		"/etc/x/hosts.toml:1: host.\"https://u:p@m\": a URL with a user in it");
	refused("[host.\"https://m?x=y\"]\n", "/etc/x/hosts.toml:1: host.\"https://m?x=y\": no URL");
	refused("[host.\"https://\"]\n", "/etc/x/hosts.toml:1: host.\"https://\": a URL without a host");
	refused("host = 1\n", "/etc/x/hosts.toml:1: host: a whole number, where a table is wanted");
	refused("[host]\nx = 1\n", "/etc/x/hosts.toml:2: host.\"x\": a whole number, where a table");
	refused("server = \"a\nb\"\n", "/etc/x/hosts.toml:1: ");
	refused("a = [\n", "/etc/x/hosts.toml:");
}
END_TEST

START_TEST(folders_are_found_by_containerds_rule)
{
	struct hosts h;

	put("_default/hosts.toml", "server = \"https://default.example\"\n");
	h = find("r.example:5000", &none);
	ck_assert_str_eq(h.v[0].base, "https://default.example/v2");
	hosts_done(&h);
	put("r.example:5000/hosts.toml", "server = \"https://colon.example\"\n");
	h = find("r.example:5000", &none);
	ck_assert_str_eq(h.v[0].base, "https://colon.example/v2");
	hosts_done(&h);
	put("r.example_5000_/hosts.toml", "server = \"https://port.example\"\n");
	h = find("r.example:5000", &none);
	ck_assert_str_eq(h.v[0].base, "https://port.example/v2");
	hosts_done(&h);
	/* several: the first that has one */
	{
		gt_autofree char *dirs = gt_strf("%s/none:%s", dir, dir);
		gt_autoptr(gt_error) e = NULL;

		h = (struct hosts){ 0 };
		e = hosts_find(dirs, "other.example", &none, &h);
		ck_assert_ptr_null(e);
		ck_assert_str_eq(h.v[0].base, "https://default.example/v2");
		hosts_done(&h);
	}
}
END_TEST

START_TEST(certificates_alone_are_dockers_way)
{
	struct hosts h;

	put("r.example/a.crt", "CA-A");
	put("r.example/b.crt", "CA-B\n");
	put("r.example/client.cert", "CERT");
	put("r.example/client.key", "KEY");
	put("r.example/readme", "nothing");
	h = find("r.example", &none);
	ck_assert_uint_eq(h.n, 1);
	ck_assert_str_eq(h.v[0].tls.ca.s, "CA-A\nCA-B\n");
	ck_assert_uint_eq(h.v[0].tls.n_pairs, 1);
	ck_assert_str_eq(h.v[0].tls.pairs[0].cert.s, "CERT\n");
	ck_assert_str_eq(h.v[0].tls.pairs[0].key.s, "KEY\n");
	hosts_done(&h);
	/* somebody put an authority there: it is meant to be looked at */
	put("localhost:5000/a.crt", "CA");
	h = find("localhost:5000", &none);
	ck_assert(!h.v[0].tls.skip_verify);
	hosts_done(&h);
}
END_TEST

START_TEST(paths_count_from_the_file)
{
	struct hosts h;

	put("r.example/hosts.toml", "ca = [\"ca.pem\", \"sub/ca.pem\"]\nclient = [[\"c.pem\", \"k.pem\"], [\"c.pem\", \"\"]]\n"
				    "[host.\"https://m\"]\nclient = \"c.pem\"\n");
	put("r.example/ca.pem", "A");
	put("r.example/sub/ca.pem", "B");
	put("r.example/c.pem", "C");
	put("r.example/k.pem", "K");
	h = find("r.example", &none);
	ck_assert_uint_eq(h.n, 2);
	ck_assert_str_eq(h.v[0].tls.pairs[0].cert.s, "C\n");
	ck_assert_uint_eq(h.v[0].tls.pairs[0].key.len, 0);
	ck_assert_str_eq(h.v[1].tls.ca.s, "A\nB\n");
	ck_assert_uint_eq(h.v[1].tls.n_pairs, 2);
	ck_assert_str_eq(h.v[1].tls.pairs[0].key.s, "K\n");
	ck_assert_str_eq(h.v[1].tls.pairs[1].cert.s, "C\n");
	hosts_done(&h);
}
END_TEST

START_TEST(what_hangs_or_never_ends_is_no_file)
{
	gt_autofree char *fifo = gt_strf("%s/f.example/hosts.toml", dir);
	gt_autofree char *big = gt_strf("%s/b.example/hosts.toml", dir);
	gt_autofree char *ca = gt_strf("%s/c.example/ca.pem", dir);
	struct hosts h = { 0 };
	struct gt_error *e;

	put("f.example/x", "");
	ck_assert_int_eq(mkfifo(fifo, 0644), 0);
	e = hosts_find(dir, "f.example", &none, &h);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	ck_assert_ptr_nonnull(strstr(gt_error_text(e), fifo));
	gt_error_free(e);
	put("b.example/hosts.toml", "");
	ck_assert_int_eq(truncate(big, INT64_C(1) << 30), 0);
	e = hosts_find(dir, "b.example", &none, &h);
	ck_assert_int_eq(gt_error_class(e), GT_RESOURCE_EXHAUSTED);
	ck_assert_ptr_nonnull(strstr(gt_error_text(e), big));
	gt_error_free(e);
	put("c.example/hosts.toml", "\nca = \"ca.pem\"\n");
	ck_assert_int_eq(mkfifo(ca, 0644), 0);
	e = hosts_find(dir, "c.example", &none, &h);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	ck_assert_ptr_nonnull(strstr(gt_error_text(e), "c.example/hosts.toml:2: ca: "));
	gt_error_free(e);
	hosts_done(&h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hosts");
	TCase *c = tcase_create("hosts");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, make_dir, remove_dir);
	tcase_add_test(c, a_name_stands_for_a_host_by_itself);
	tcase_add_test(c, flags_say_otherwise);
	tcase_add_test(c, mirrors_come_in_order_and_the_server_last);
	tcase_add_test(c, without_a_server_the_name_itself_comes_last);
	tcase_add_test(c, headers_are_strings_or_lists);
	tcase_add_test(c, errors_name_file_line_and_key);
	tcase_add_test(c, folders_are_found_by_containerds_rule);
	tcase_add_test(c, certificates_alone_are_dockers_way);
	tcase_add_test(c, paths_count_from_the_file);
	tcase_add_test(c, what_hangs_or_never_ends_is_no_file);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
