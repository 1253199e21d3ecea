/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ctr oci hook -- PROGRAM ARG...`: what a runtime starts as a hook of containers with --gpus. It
 * reads the container's state, which the runtime writes to its stdin, fills in the words in double
 * braces and becomes the program. The words are those of `containerd oci-hook`.
 */
#include <config.h>

#include "commands.h"

#include <gantry/file.h>

#include <oci/json.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define STATE_MAX (1024 * 1024)
#define SPEC_MAX (4 * 1024 * 1024)
#define DEPTH 64

struct hook {
	json_t *state;
	char *rootfs;
};

static struct gt_error *read_stdin(struct gt_buf *out)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read the container's state");
		if (out->len + (size_t)n > STATE_MAX)
			return gt_error_new(GT_RESOURCE_EXHAUSTED,
					    "the container's state is longer than %d bytes", STATE_MAX);
		gt_buf_add(out, chunk, (size_t)n);
	}
	return NULL;
}

static const char *member(const struct hook *h, const char *key)
{
	const char *s = json_string_value(json_object_get(h->state, key));

	return s ? s : "";
}

/* The root file system's folder; where it is relative, below the bundle. */
static struct gt_error *read_rootfs(struct hook *h)
{
	gt_autofree char *file = gt_strf("%s/config.json", member(h, "bundle"));
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_autojson spec = NULL;
	const char *path;

	GT_TRY(gt_file_read(AT_FDCWD, file, SPEC_MAX, &text));
	GT_TRY(gt_json_parse(file, text.s, text.len, SPEC_MAX, DEPTH, &spec));
	path = json_string_value(json_object_get(json_object_get(spec, "root"), "path"));
	if (!path)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: has no root file system", file);
	h->rootfs = *path == '/' ? gt_xstrdup(path) : gt_strf("%s/%s", member(h, "bundle"), path);
	return NULL;
}

static struct gt_error *hook_read(struct hook *h)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	GT_TRY(read_stdin(&text));
	GT_TRY(gt_json_parse("container's state", text.s, text.len, STATE_MAX, DEPTH, &h->state));
	return read_rootfs(h);
}

/* What stands for the word between the braces, a new string; NULL: no such word. */
static char *value_of(const struct hook *h, const char *word, size_t len)
{
	static const char *const members[] = { "id", "bundle", "status" };
	static const char annotation[] = "annotation \"";
	gt_autofree char *name = gt_xstrndup(word, len);
	size_t head = sizeof(annotation) - 1;

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		if (!strcmp(name, members[i]))
			return gt_xstrdup(member(h, members[i]));
	}
	if (!strcmp(name, "rootfs"))
		return gt_xstrdup(h->rootfs);
	if (!strcmp(name, "pid"))
		return gt_strf("%lld", (long long)json_integer_value(
					       json_object_get(h->state, "pid")));
	if (len > head && !strncmp(name, annotation, head) && name[len - 1] == '"') {
		const json_t *all = json_object_get(h->state, "annotations");
		const char *v;

		name[len - 1] = '\0';
		v = json_string_value(json_object_get(all, name + head));
		return gt_xstrdup(v ? v : "");
	}
	return NULL;
}

static struct gt_error *fill_in(const struct hook *h, const char *text, struct gt_strv *out)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	for (;;) {
		const char *open = strstr(text, "{{");
		const char *end = open ? strstr(open, "}}") : NULL;
		gt_autofree char *value = NULL;
		size_t head;

		if (!end)
			break;
		gt_buf_add(&b, text, (size_t)(open - text));
		open += 2;
		head = strspn(open, " ");
		open += head;
		text = end + 2;
		while (end > open && end[-1] == ' ')
			end--;
		value = value_of(h, open, (size_t)(end - open));
		if (!value)
			return gt_error_new(GT_INVALID_ARGUMENT, "{{%.*s}} is no word of a hook",
					    (int)(end - open), open);
		gt_buf_adds(&b, value);
	}
	gt_buf_adds(&b, text);
	gt_strv_add_take(out, gt_buf_detach(&b));
	return NULL;
}

static struct gt_error *hook_start(const struct hook *h, const struct gt_strv *args)
{
	gt_auto(gt_strv) filled = { 0 };
	gt_auto(gt_strv) env = { 0 };

	for (size_t i = 0; i < args->n; i++)
		GT_TRY(fill_in(h, args->v[i], &filled));
	for (char **e = environ; *e; e++)
		GT_TRY(fill_in(h, *e, &env));
	gt_strv_add(&env, ""); /* so that there is a list */
	free(gt_steal(&env.v[--env.n]));
	execve(filled.v[0], filled.v, env.v);
	return gt_error_errno(GT_NOT_FOUND, errno, "start %s", filled.v[0]);
}

static struct gt_error *run_hook(struct ctr *c)
{
	const struct gt_strv args = ctr_args_from(c, 0);
	struct hook h = { 0 };
	struct gt_error *e;

	if (!args.n)
		return ctr_usage_error("a program must be provided");
	e = hook_read(&h);
	if (!e)
		e = hook_start(&h, &args);
	json_decref(h.state);
	free(h.rootfs);
	return e;
}

const struct ctr_command ctr_oci_hook = {
	.name = "hook",
	.text = "start a program as a runtime's hook, with what is known of the container",
	.args = "-- PROGRAM [ARG...]",
	.more = "The container's state is read from stdin. {{id}}, {{pid}}, {{bundle}}, {{rootfs}},\n"
		"{{status}} and {{annotation \"KEY\"}} are filled in.",
	.run = run_hook,
	.bits = CTR_FLAGS_FIRST,
};
