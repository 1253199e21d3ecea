/* SPDX-License-Identifier: Apache-2.0 */
/* Challenges, tokens, config.json and credential helpers; what is shown of the traffic. */
#include <config.h>

#include "auth.h"
#include "challenge.h"
#include "credentials.h"
#include "url.h"
#include "watch.h"

#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static void challenge_is(const char *header, enum challenge_scheme scheme, const char *realm,
			 const char *service, const char *scopes)
{
	struct challenge c = { 0 };
	gt_auto(gt_buf) all = GT_BUF_INIT;

	challenge_parse(header, &c);
	ck_assert_msg(c.scheme == scheme, "%s: scheme %d", header, c.scheme);
	ck_assert_pstr_eq(c.realm, realm);
	ck_assert_pstr_eq(c.service, service);
	for (size_t i = 0; i < c.scopes.n; i++)
		gt_buf_addf(&all, "%s%s", i ? " " : "", c.scopes.v[i]);
	ck_assert_str_eq(all.s, scopes);
	challenge_done(&c);
}

START_TEST(challenges_are_read_as_far_as_they_go)
{
	challenge_is("Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull\"",
		     CHALLENGE_BEARER, "https://a/t", "s", "repository:x:pull");
	challenge_is("bearer  Realm = \"https://a/t\" , scope=\"a:b:pull,push c:d:*\",error=\"x\"",
		     CHALLENGE_BEARER, "https://a/t", NULL, "a:b:pull,push c:d:*");
	challenge_is("Basic realm=\"the \\\"realm\\\"\"", CHALLENGE_BASIC, "the \"realm\"", NULL, "");
	challenge_is("Basic", CHALLENGE_BASIC, "", NULL, "");
	/* several, in one header or joined from two */
	challenge_is("Basic realm=\"b\", Bearer realm=\"https://a\", Basic realm=\"c\"", CHALLENGE_BEARER,
		     "https://a", NULL, "");
	challenge_is("Negotiate, Basic realm=x", CHALLENGE_BASIC, "x", NULL, "");
	challenge_is("Negotiate YII8Wa==, Basic realm=\"b\"", CHALLENGE_BASIC, "b", NULL, "");
	challenge_is("Digest realm=\"d\", nonce=\"n\"", CHALLENGE_NONE, NULL, NULL, "");
	challenge_is("Bearer realm=https://a/t?x=y,service=s", CHALLENGE_BEARER, "https://a/t?x=y", "s", "");
	/* Bearer without a realm says nothing */
	challenge_is("Bearer service=\"s\"", CHALLENGE_NONE, NULL, NULL, "");
	/* broken ones */
	challenge_is("", CHALLENGE_NONE, NULL, NULL, "");
	challenge_is(",,, ,", CHALLENGE_NONE, NULL, NULL, "");
	challenge_is("Bearer realm=\"https://a", CHALLENGE_NONE, NULL, NULL, "");
	challenge_is("Bearer realm=\"https://a\",service=\"", CHALLENGE_BEARER, "https://a", NULL, "");
	challenge_is("=\"x\"", CHALLENGE_NONE, NULL, NULL, "");
	challenge_is("Basic realm", CHALLENGE_BASIC, "", NULL, "");
}
END_TEST

static void token_is(const char *text, const char *want, int64_t seconds)
{
	gt_autofree char *token = NULL;
	int64_t s = 0;
	gt_autoptr(gt_error) e = auth_token_parse(text, strlen(text), &token, &s);

	if (!want) {
		ck_assert_ptr_nonnull(e);
		ck_assert_ptr_null(strstr(gt_error_text(e), "secret"));
		return;
	}
	ck_assert_msg(!e, "%s", gt_error_text(e));
	ck_assert_str_eq(token, want);
	ck_assert_int_eq(s, seconds);
}

START_TEST(tokens_are_read)
{
	token_is("{\"token\":\"a\",\"expires_in\":300}", "a", 300);
	token_is("{\"access_token\":\"b\"}", "b", 60);
	token_is("{\"token\":\"\",\"access_token\":\"b\",\"expires_in\":1}", "b", 60);
	token_is("{\"token\":\"a\",\"expires_in\":99999999999}", "a", 86400);
	token_is("{\"token\":\"a\",\"expires_in\":-5}", "a", 60);
	token_is("{\"token\":\"secret\\r\\nX: y\"}", NULL, 0);
	token_is("{\"token\":[\"secret\"]}", NULL, 0);
	token_is("{\"token\":\"secret", NULL, 0);
	token_is("{}", NULL, 0);
	token_is("[]", NULL, 0);
	token_is("", NULL, 0);
}
END_TEST

static struct gt_error *config(const char *text, const char *host, struct credentials *c)
{
	struct gt_call call = GT_CALL_INIT;

	*c = (struct credentials){ 0 };
	return credentials_parse(&call, "config.json", text, strlen(text), host, INT64_C(10000000000), c);
}

static void config_is(const char *text, const char *host, const char *user, const char *password,
		      const char *token)
{
	struct credentials c;
	gt_autoptr(gt_error) e = config(text, host, &c);

	ck_assert_msg(!e, "%s: %s", text, gt_error_text(e));
	ck_assert_pstr_eq(c.user, user);
	ck_assert_pstr_eq(c.password, password);
	ck_assert_pstr_eq(c.identity_token, token);
	credentials_done(&c);
}

static void config_refused(const char *text, enum gt_class cls, const char *words)
{
	struct credentials c;
	gt_autoptr(gt_error) e = config(text, "r.example", &c);

	ck_assert_msg(gt_error_class(e) == cls, "%s: %s", text, gt_error_text(e));
	ck_assert_msg(strstr(gt_error_text(e), words) != NULL, "%s", gt_error_text(e));
	ck_assert_ptr_null(strstr(gt_error_text(e), "secret"));
	credentials_done(&c);
}

START_TEST(config_json_is_read)
{
	const char *all = "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"},"
			  "\"r.example:5000\":{\"username\":\"x\",\"password\":\"y:z\"},"
			  "\"https://old.example/v1/\":{\"auth\":\"dTpwOnE=\"},"
			  "\"t.example\":{\"auth\":\"dTpw\",\"identitytoken\":\"it\"},"
			  "\"empty.example\":{}},\"HttpHeaders\":{}}";

	config_is(all, "docker.io", "u", "p", NULL);
	config_is(all, "r.example:5000", "x", "y:z", NULL);
	config_is(all, "old.example", "u", "p:q", NULL);
	config_is(all, "t.example", "u", "p", "it");
	config_is(all, "empty.example", NULL, NULL, NULL);
	/* nobody else's */
	config_is(all, "r.example", NULL, NULL, NULL);
	config_is(all, "index.docker.io.example", NULL, NULL, NULL);
	config_is(all, "xt.example", NULL, NULL, NULL);
	config_is("{}", "docker.io", NULL, NULL, NULL);
	config_refused("{\"auths\":{\"r.example\":{\"auth\":\"c2VjcmV0\"}}}", GT_INVALID_ARGUMENT, "base64");
	config_refused("{\"auths\":{\"r.example\":{\"auth\":\"sec ret\"}}}", GT_INVALID_ARGUMENT, "base64");
	config_refused("{\"auths\":{\"r.example\":3}}", GT_INVALID_ARGUMENT, "config.json");
	config_refused("{\"auths\":[]}", GT_INVALID_ARGUMENT, "auths");
	config_refused("{\"auths\":{\"r.example\":{\"password\":secret}}}", GT_INVALID_ARGUMENT, "line 1");
	config_refused("[]", GT_INVALID_ARGUMENT, "no object");
	config_refused("{\"credHelpers\":{\"r.example\":\"../../bin/sh\"}}", GT_INVALID_ARGUMENT, "helper");
	config_refused("{\"credHelpers\":{\"r.example\":\"not-there\"}}", GT_NOT_FOUND,
		       "docker-credential-not-there");
}
END_TEST

/* A helper of this name in a folder of its own, first in PATH. */
static char *helper(const char *name, const char *script)
{
	char *dir = gt_xstrdup("/tmp/gantry-auth-test.XXXXXX");
	gt_autofree char *path = NULL, *paths = NULL;
	gt_autoptr(gt_error) e = NULL;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = gt_strf("%s/docker-credential-%s", dir, name);
	paths = gt_strf("%s:%s", dir, getenv("PATH"));
	setenv("PATH", paths, 1);
	e = gt_file_write(AT_FDCWD, path, script, strlen(script), 0755, false);
	ck_assert_ptr_null(e);
	return dir;
}

static void helper_remove(char *dir)
{
	gt_error_free(gt_file_remove_tree(AT_FDCWD, dir));
	free(dir);
}

START_TEST(helpers_are_asked)
{
	char *dir = helper("test", "#!/bin/sh\nread host\necho warning >&2\n"
				   "case $1-$host in\n"
				   "get-r.example) echo '{\"ServerURL\":\"x\",\"Username\":\"u\",\"Secret\":\"p\"}' ;;\n"
				   "get-t.example) echo '{\"Username\":\"<token>\",\"Secret\":\"it\"}' ;;\n"
				   "get-https://index.docker.io/v1/) echo '{\"Username\":\"d\",\"Secret\":\"q\"}' ;;\n"
				   "*) echo 'credentials not found in native keychain'; exit 1 ;;\nesac\n");

	config_is("{\"credHelpers\":{\"r.example\":\"test\"}}", "r.example", "u", "p", NULL);
	config_is("{\"credHelpers\":{\"t.example\":\"test\"}}", "t.example", NULL, NULL, "it");
	config_is("{\"credsStore\":\"test\"}", "docker.io", "d", "q", NULL);
	config_is("{\"credsStore\":\"test\"}", "none.example", NULL, NULL, NULL);
	/* not in the store, but in the file */
	config_is("{\"credsStore\":\"test\",\"auths\":{\"f.example\":{\"auth\":\"dTpw\"}}}", "f.example", "u",
		  "p", NULL);
	helper_remove(dir);
}
END_TEST

START_TEST(helpers_are_bounded)
{
	const char *json = "{\"credHelpers\":{\"r.example\":\"bad\"}}";
	struct gt_call call = GT_CALL_INIT;
	struct credentials c = { 0 };
	struct gt_error *e;
	char *dir = helper("bad", "#!/bin/sh\nyes secret\n");

	/* prints for ever: stopped by its deadline, and nothing of it is kept */
	e = credentials_parse(&call, "config.json", json, strlen(json), "r.example", 500000000, &c);
	ck_assert_int_eq(gt_error_class(e), GT_UNAVAILABLE);
	ck_assert_ptr_null(strstr(gt_error_text(e), "secret"));
	gt_error_free(e);
	helper_remove(dir);
	dir = helper("bad", "#!/bin/sh\nhead -c 1000000 /dev/zero\n");
	config_refused(json, GT_RESOURCE_EXHAUSTED, "docker-credential-bad");
	helper_remove(dir);
	dir = helper("bad", "#!/bin/sh\nsleep 60\n");
	e = credentials_parse(&call, "config.json", json, strlen(json), "r.example", 200000000, &c);
	ck_assert_int_eq(gt_error_class(e), GT_UNAVAILABLE);
	gt_error_free(e);
	helper_remove(dir);
	dir = helper("bad", "#!/bin/sh\necho secret; exit 3\n");
	config_refused(json, GT_FAILED_PRECONDITION, "status 3");
	helper_remove(dir);
	dir = helper("bad", "#!/bin/sh\necho '{\"Username\":\"secret\"}'\n");
	config_refused(json, GT_FAILED_PRECONDITION, "lacks");
	helper_remove(dir);
}
END_TEST

START_TEST(a_config_that_hangs_is_no_file)
{
	struct gt_call call = GT_CALL_INIT;
	struct credentials c = { 0 };
	char *dir = helper("x", "");
	gt_autofree char *fifo = gt_strf("%s/config.json", dir);
	struct gt_error *e;

	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	e = credentials_find(&call, fifo, "r.example", 1000000000, &c);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	gt_error_free(e);
	e = credentials_find(&call, "/tmp/no/such/config.json", "r.example", 1000000000, &c);
	ck_assert_ptr_null(e);
	setenv("DOCKER_CONFIG", "/d", 1);
	{
		gt_autofree char *given = credentials_file("/x/y"), *by_env = credentials_file("");

		ck_assert_str_eq(given, "/x/y");
		ck_assert_str_eq(by_env, "/d/config.json");
	}
	helper_remove(dir);
}
END_TEST

START_TEST(base64_goes_both_ways)
{
	static const char *const pairs[][2] = { { "", "" }, { "a", "" }, { "ab", "c" }, { "u", "p:q\xff" } };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		gt_autofree char *text = credentials_encode(pairs[i][0], pairs[i][1]);
		gt_autofree char *user = NULL, *password = NULL;

		ck_assert(credentials_decode(text, &user, &password));
		ck_assert_str_eq(user, pairs[i][0]);
		ck_assert_str_eq(password, pairs[i][1]);
	}
}
END_TEST

static void shown(const char *line, const char *want)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;

	watch_header(&out, line, strlen(line));
	ck_assert_str_eq(out.s, want);
}

START_TEST(secrets_are_not_shown)
{
	shown("Authorization: Bearer secret", "Authorization: (not shown)");
	shown("PROXY-AUTHORIZATION: x", "PROXY-AUTHORIZATION: (not shown)");
	shown("Set-Cookie: a=secret", "Set-Cookie: (not shown)");
	shown("X-Anything: secret", "X-Anything: (not shown)");
	shown("Www-Authenticate: Bearer realm=\"https://u:secret@h\"", "Www-Authenticate: (not shown)");
	shown("Content-Type: text/html", "Content-Type: text/html");
	shown("Location: https://u:secret@h/p?X-Amz-Signature=secret#f", "Location: https://h/p?...");
	shown("location: /v2/x?_state=secret", "location: /v2/x?...");
	shown("GET /token?account=u&scope=secret HTTP/1.1", "GET /token?... HTTP/1.1");
	shown("GET http://u:secret@h/p?secret HTTP/1.1", "GET http://h/p?... HTTP/1.1");
	shown("HTTP/1.1 200 OK", "HTTP/1.1 200 OK");
	shown("Server: a\x1b[31mb", "Server: a?[31mb");
}
END_TEST

static void joined(const char *base, const char *to, const char *want)
{
	gt_autofree char *url = url_join(base, to);

	ck_assert_pstr_eq(url, want);
}

START_TEST(urls_are_joined)
{
	joined("https://h/v2/a/", "/v2/b?x=y", "https://h/v2/b?x=y");
	joined("https://h/v2/a/b", "c", "https://h/v2/a/c");
	joined("https://h/a", "http://o:5/b#f", "http://o:5/b");
	joined("https://h/a", "//o/b", "https://o/b");
	joined("https://h/a", "https://u:p@o/b", "https://o/b");
	joined("https://h/a", "file:///etc/passwd", NULL);
	joined("https://h/a", "gopher://o/", NULL);
	joined("https://h/a", "http://[bad/", NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("auth");
	TCase *c = tcase_create("auth");
	SRunner *r;
	int failed;

	tcase_set_timeout(c, 60);
	tcase_add_test(c, challenges_are_read_as_far_as_they_go);
	tcase_add_test(c, tokens_are_read);
	tcase_add_test(c, config_json_is_read);
	tcase_add_test(c, helpers_are_asked);
	tcase_add_test(c, helpers_are_bounded);
	tcase_add_test(c, a_config_that_hangs_is_no_file);
	tcase_add_test(c, base64_goes_both_ways);
	tcase_add_test(c, secrets_are_not_shown);
	tcase_add_test(c, urls_are_joined);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
