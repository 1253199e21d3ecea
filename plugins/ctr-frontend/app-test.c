/* SPDX-License-Identifier: Apache-2.0 */
/* The frame around the commands, with a small tree of its own. */
#include <config.h>

#include "app.h"

#include <check.h>
#include <string.h>

static const struct ctr_flag global[] = {
	{ .name = "namespace", .alias = "n", .type = CTR_STRING, .value = "default",
	  .env = "CTR_TEST_NAMESPACE", .text = "where" },
	{ .name = "timeout", .type = CTR_DURATION, .text = "how long" },
	{ .name = "version", .alias = "v", .type = CTR_BOOL, .text = "print the version" },
	{ 0 },
};

static const struct ctr_flag leaf_flags[] = {
	{ .name = "quiet", .alias = "q", .type = CTR_BOOL, .text = "less" },
	{ .name = "class", .type = CTR_INT, .text = "class of the error to end in" },
	{ .name = "status", .type = CTR_INT, .text = "status to end with" },
	{ 0 },
};

static const struct ctr_flag need_flags[] = {
	{ .name = "exec-id", .type = CTR_STRING, .bits = CTR_REQUIRED, .text = "id" },
	{ 0 },
};

static struct gt_error *run_leaf(struct ctr *c)
{
	int64_t cls = ctr_int(c, "class");

	fprintf(c->out, "%s %s %zu%s\n", c->path, c->call.ns, ctr_n_args(c),
		ctr_bool(c, "quiet") ? " quiet" : "");
	c->status = (int)ctr_int(c, "status");
	if (!strcmp(ctr_arg(c, 0), "several")) {
		struct gt_error *kept = NULL;

		ctr_keep_error(c, &kept, gt_error_new(GT_NOT_FOUND, "one"), "first \"1\"");
		ctr_keep_error(c, &kept, gt_error_new(GT_UNKNOWN, "two"), "second");
		c->hint = strdup(" (elsewhere)");
		return kept;
	}
	return cls ? gt_error_new((enum gt_class)cls, "%s", ctr_arg(c, 0)) : NULL;
}

static const struct ctr_command leaf = {
	.name = "list",
	.aliases = "ls, l",
	.text = "list things",
	.args = "[flags] [<filter>]",
	.flags = (const struct ctr_flag *const[]){ leaf_flags, NULL },
	.run = run_leaf,
};

static const struct ctr_command need = {
	.name = "exec",
	.text = "needs a flag",
	.flags = (const struct ctr_flag *const[]){ need_flags, NULL },
	.run = run_leaf,
};

static const struct ctr_command group = {
	.name = "images",
	.aliases = "image, i",
	.text = "manage images",
	.commands = (const struct ctr_command *const[]){ &leaf, &need, NULL },
};

const struct ctr_command ctr_root = {
	.name = "ctr",
	.text = "test",
	.flags = (const struct ctr_flag *const[]){ global, NULL },
	.commands = (const struct ctr_command *const[]){ &group, NULL },
};

static char *out_text, *err_text;

static int run(const char *line)
{
	const struct gt_call call = GT_CALL_INIT;
	char *copy = strdup(line), *save = NULL;
	char *argv[32] = { (char *)"ctr" };
	size_t out_len, err_len;
	FILE *out, *err;
	int argc = 1, status;

	free(out_text);
	free(err_text);
	out = open_memstream(&out_text, &out_len);
	err = open_memstream(&err_text, &err_len);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	status = ctr_main(NULL, &call, out, err, argc, argv);
	fclose(out);
	fclose(err);
	free(copy);
	return status;
}

static const char leaf_help[] = "NAME:\n"
				"   ctr images list - list things\n"
				"\n"
				"USAGE:\n"
				"   ctr images list [command options] [flags] [<filter>]\n"
				"\n"
				"OPTIONS:\n"
				"   --quiet, -q     less\n"
				"   --class value   class of the error to end in (default: 0)\n"
				"   --status value  status to end with (default: 0)\n"
				"   \n";

START_TEST(test_dispatch)
{
	ck_assert_int_eq(run("i ls"), 0);
	ck_assert_str_eq(out_text, "ctr images list default 0\n");
	ck_assert_int_eq(run("-n other image l a -q b"), 0);
	ck_assert_str_eq(out_text, "ctr images list other 2 quiet\n");
	ck_assert_int_eq(run("i ls --status 7"), 7);
	ck_assert_str_eq(err_text, "");
	setenv("CTR_TEST_NAMESPACE", "env", 1);
	ck_assert_int_eq(run("i ls"), 0);
	ck_assert_str_eq(out_text, "ctr images list env 0\n");
	unsetenv("CTR_TEST_NAMESPACE");
	ck_assert_int_eq(run("-v"), 0);
	ck_assert(!strncmp(out_text, "ctr gantry ", 11));
}
END_TEST

START_TEST(test_help)
{
	static const char *const root[] = { "", "help", "h", "--help", "-h" };
	static const char *const middle[] = { "i", "images --help", "help i", "i help", "i h" };
	static const char *const end[] = { "i ls -h", "i ls x --help", "images help ls",
					   "help image list" };

	for (size_t k = 0; k < sizeof(root) / sizeof(root[0]); k++) {
		ck_assert_int_eq(run(root[k]), 0);
		ck_assert_ptr_nonnull(strstr(out_text, "\nGLOBAL OPTIONS:\n   --namespace value, -n "
						       "value  where (default: \"default\") "
						       "[$CTR_TEST_NAMESPACE]\n"));
		ck_assert_ptr_nonnull(strstr(out_text, "\nCOMMANDS:\n   images, image, i  manage"));
		ck_assert_str_eq(err_text, "");
	}
	for (size_t k = 0; k < sizeof(middle) / sizeof(middle[0]); k++) {
		ck_assert_int_eq(run(middle[k]), 0);
		ck_assert_ptr_nonnull(strstr(out_text, "   list, ls, l  list things\n"
						       "   exec         needs a flag\n"));
		ck_assert_ptr_nonnull(strstr(out_text, "OPTIONS:\n   --help, -h  show help\n   \n"));
	}
	for (size_t k = 0; k < sizeof(end) / sizeof(end[0]); k++) {
		ck_assert_int_eq(run(end[k]), 0);
		ck_assert_str_eq(out_text, leaf_help);
	}
}
END_TEST

START_TEST(test_unknown)
{
	static const char *const all[] = { "x", "i x", "help x", "i help x", "-n y x --bogus" };

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
		ck_assert_int_eq(run(all[k]), 3);
		ck_assert_str_eq(err_text, "No help topic for 'x'\n");
		ck_assert_str_eq(out_text, "");
	}
}
END_TEST

START_TEST(test_bad_flag)
{
	static const char first[] = "Incorrect Usage: flag provided but not defined: -x\n\n";

	ck_assert_int_eq(run("i ls --x"), 1);
	ck_assert_str_eq(err_text, "ctr: flag provided but not defined: -x\n");
	ck_assert(!strncmp(out_text, first, strlen(first)));
	ck_assert_str_eq(out_text + strlen(first), leaf_help);
	ck_assert_int_eq(run("i --x ls"), 1);
	ck_assert(!strncmp(out_text, "Incorrect Usage. flag", 21));
	ck_assert_int_eq(run("--timeout foo i ls"), 1);
	ck_assert_str_eq(err_text, "ctr: invalid value \"foo\" for flag -timeout: parse error\n");
	ck_assert_int_eq(run("i exec"), 1);
	ck_assert_str_eq(err_text, "ctr: Required flag \"exec-id\" not set\n");
	ck_assert(!strncmp(out_text, "NAME:\n   ctr images exec - ", 26));
}
END_TEST

START_TEST(test_errors)
{
	ck_assert_int_eq(run("i ls --class 5 thing"), 1);
	ck_assert_str_eq(err_text, "ctr: thing: not found\n");
	ck_assert_int_eq(run("i ls --class 2 thing"), 1);
	ck_assert_str_eq(err_text, "ctr: thing\n");
	/* words that are there already are not said twice */
	ck_assert_int_eq(run("i ls --class 14 unavailable"), 1);
	ck_assert_str_eq(err_text, "ctr: unavailable\n");
	ck_assert_int_eq(run("i ls --class 14 it-is-not-unavailable"), 1);
	ck_assert_str_eq(err_text, "ctr: it-is-not-unavailable: unavailable\n");
	ck_assert_int_eq(run("i ls several"), 1);
	ck_assert_ptr_nonnull(strstr(err_text, "level=error msg=\"first \\\"1\\\"\" "
					       "error=\"one: not found\"\n"));
	ck_assert_ptr_nonnull(strstr(err_text, " level=error msg=second error=two\n"));
	ck_assert_ptr_nonnull(strstr(err_text, "\nctr: one: not found (elsewhere)\n"));
	ck_assert(!strncmp(err_text, "time=\"", 6));
}
END_TEST

START_TEST(test_completion)
{
	ck_assert_int_eq(run("--generate-bash-completion"), 0);
	ck_assert_str_eq(out_text, "images\nimage\ni\n");
	ck_assert_int_eq(run("-n x i --generate-bash-completion"), 0);
	ck_assert_str_eq(out_text, "list\nls\nl\nexec\n");
	ck_assert_int_eq(run("i ls --generate-bash-completion"), 0);
	ck_assert_str_eq(out_text, "");
}
END_TEST

START_TEST(test_full_output)
{
	const struct gt_call call = GT_CALL_INIT;
	char *argv[] = { (char *)"ctr", (char *)"help" };
	FILE *out = fopen("/dev/full", "we");
	size_t len;
	char *text = NULL;
	FILE *err = open_memstream(&text, &len);

	ck_assert_int_eq(ctr_main(NULL, &call, out, err, 2, argv), 1);
	fclose(out);
	fclose(err);
	ck_assert_str_eq(text, "ctr: write to standard output: No space left on device\n");
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctr frame");
	TCase *t = tcase_create("frame");
	SRunner *r;
	int failed;

	tcase_add_test(t, test_dispatch);
	tcase_add_test(t, test_help);
	tcase_add_test(t, test_unknown);
	tcase_add_test(t, test_bad_flag);
	tcase_add_test(t, test_errors);
	tcase_add_test(t, test_completion);
	tcase_add_test(t, test_full_output);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
