/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gantry-layer: where the bytes of somebody's image meet the disk. A program of its own, so that what
 * they could take over has neither the daemon's memory nor its privileges.
 */
#include <config.h>

#include <archive/layer.h>

#include <gantry/file.h>

#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_WARNINGS 16
#define MAX_TEXT 4096

void layer_say(struct gt_buf *frame)
{
	struct gt_error *e = gt_file_write_all(GT_LAYER_RESULT, frame->s, frame->len, "result");

	if (e)
		_exit(3); /* whoever asked is gone */
}

static void say_text(enum gt_frame_type type, int64_t number, const char *text)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autofree char *start = gt_xstrndup(text, MAX_TEXT);
	size_t begin = gt_frame_begin(&b, type);

	if (type == GT_FRAME_ERROR)
		gt_frame_number(&b, number);
	gt_frame_string(&b, start);
	gt_frame_end(&b, begin);
	layer_say(&b);
}

void layer_say_warning(void *arg, const char *text)
{
	static int said;

	(void)arg;
	if (said++ < MAX_WARNINGS)
		say_text(GT_FRAME_WARNING, 0, text);
}

static void say_done(const struct layer_done *d)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	size_t begin = gt_frame_begin(&b, GT_FRAME_DONE);

	gt_frame_number(&b, d->size);
	gt_frame_number(&b, d->consumed);
	gt_frame_number(&b, d->entries);
	gt_frame_string(&b, d->digest ? d->digest : "");
	gt_frame_end(&b, begin);
	layer_say(&b);
}

static bool parse_number(const char *s, int64_t *out)
{
	int64_t v = 0;
	bool minus = *s == '-';

	s += minus;
	if (!*s)
		return false;
	for (; *s; s++)
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, *s - '0', &v))
			return false;
	*out = minus ? -v : v;
	return true;
}

static bool parse_option(struct layer_job_options *o, const char *arg)
{
	const struct {
		const char *name;
		bool *flag;
		int64_t *number;
	} table[] = {
		{ "raw", &o->raw, NULL },
		{ "overlay", &o->overlay, NULL },
		{ "userxattr", &o->userxattr, NULL },
		{ "userns", &o->userns, NULL },
		{ "writeback", &o->writeback, NULL },
		{ "thread", &o->thread, NULL },
		{ "alone", &o->alone, NULL },
		{ "lower", &o->lower, NULL },
		{ "guided", &o->guided, NULL },
		{ "below", NULL, &o->below },
		{ "max-size", NULL, &o->max_size },
		{ "max-entries", NULL, &o->max_entries },
		{ "max-ratio", NULL, &o->max_ratio },
		{ "max-window", NULL, &o->max_window },
		{ "compression", NULL, &o->compression },
		{ "epoch", NULL, &o->epoch },
	};
	const char *value = strchr(arg, '=');

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		size_t n = strlen(table[i].name);
		int64_t v;

		if (!value || (size_t)(value - arg) != n || strncmp(arg, table[i].name, n))
			continue;
		if (!parse_number(value + 1, &v))
			return false;
		if (table[i].flag)
			*table[i].flag = v;
		else
			*table[i].number = v;
		return true;
	}
	return false;
}

static struct gt_error *run(int argc, char **argv, struct layer_done *done)
{
	struct layer_job_options o = { .epoch = -1, .max_window = 128 << 20 };

	for (int i = 2; i < argc; i++)
		if (!parse_option(&o, argv[i]))
			return gt_error_new(GT_INTERNAL, "layer worker does not know '%s'",
					    argv[i]);
	if (!strcmp(argv[1], "apply"))
		return layer_apply(&o, done);
	if (!strcmp(argv[1], "diff"))
		return layer_diff(&o, done);
	if (!strcmp(argv[1], "measure"))
		return layer_measure(&o, done);
	if (!strcmp(argv[1], "recode"))
		return layer_recode(&o, done);
	if (!strcmp(argv[1], "list"))
		return layer_list(&o, done);
	return gt_error_new(GT_INTERNAL, "layer worker does not know '%s'", argv[1]);
}

int main(int argc, char **argv)
{
	struct layer_done done = { 0 };
	struct gt_error *e;
	struct stat st;

	if (argc < 2 || fstat(GT_LAYER_RESULT, &st) < 0) {
		fprintf(stderr, "%s is started by Gantry, not by hand\n", argv[0]);
		return 2;
	}
	/* No configuration: it could name modules to load. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	signal(SIGPIPE, SIG_IGN);
	umask(0);
	e = run(argc, argv, &done);
	if (e) {
		say_text(GT_FRAME_ERROR, gt_error_class(e), gt_error_text(e));
		_exit(1); /* a thread may still be reading */
	}
	say_done(&done);
	return 0;
}
