/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <cni/plugin.h>

#include <gantry/buf.h>

#include <ctype.h>
#include <oci/json.h>
#include <proc/proc.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Well-known codes of the specification. */
#define CODE_VERSION 1
#define CODE_ENVIRONMENT 4
#define CODE_CONFIG 7
#define CODE_TRY_AGAIN 11

static struct gt_error *find(const struct gt_cni *cni, const char *type, char **out)
{
	gt_auto(gt_buf) dirs = GT_BUF_INIT;

	for (size_t i = 0; i < cni->plugin_dirs.n; i++) {
		gt_autofree char *file = gt_strf("%s/%s", cni->plugin_dirs.v[i], type);
		struct stat st;

		if (stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
			*out = gt_steal(&file);
			return NULL;
		}
		gt_buf_addf(&dirs, "%s%s", i ? " " : "", cni->plugin_dirs.v[i]);
	}
	return gt_error_new(GT_NOT_FOUND, "failed to find plugin \"%s\" in path [%s]", type, dirs.s);
}

/* Ours without what belongs to CNI, and the attachment's. */
static void environment(const struct gt_cni *cni, const char *command,
			const struct gt_cni_attachment *a, struct gt_strv *out)
{
	gt_auto(gt_buf) args = GT_BUF_INIT, path = GT_BUF_INIT;

	for (char **e = environ; *e; e++) {
		if (strncmp(*e, "CNI_", 4))
			gt_strv_add(out, *e);
	}
	for (size_t i = 0; i < a->args.n; i++)
		gt_buf_addf(&args, "%s%s=%s", i ? ";" : "", a->args.v[i].key, a->args.v[i].value);
	for (size_t i = 0; i < cni->plugin_dirs.n; i++)
		gt_buf_addf(&path, "%s%s", i ? ":" : "", cni->plugin_dirs.v[i]);
	gt_strv_addf(out, "CNI_COMMAND=%s", command);
	gt_strv_addf(out, "CNI_CONTAINERID=%s", a->container_id);
	gt_strv_addf(out, "CNI_NETNS=%s", a->netns);
	gt_strv_addf(out, "CNI_IFNAME=%s", a->ifname);
	gt_strv_addf(out, "CNI_ARGS=%s", args.s);
	gt_strv_addf(out, "CNI_PATH=%s", path.s);
}

static enum gt_class class_of(json_int_t code)
{
	switch (code) {
	case CODE_ENVIRONMENT:
	case CODE_CONFIG:
		return GT_INVALID_ARGUMENT;
	case CODE_VERSION:
		return GT_FAILED_PRECONDITION;
	case CODE_TRY_AGAIN:
		return GT_UNAVAILABLE;
	default:
		return GT_UNKNOWN;
	}
}

/* Text of the plugin's, with what a terminal would act upon taken out. */
static void printable(struct gt_buf *b, const char *s)
{
	for (; *s; s++)
		gt_buf_addc(b, iscntrl((unsigned char)*s) ? ' ' : *s);
}

/* What a plugin that did not succeed printed: an error object, or whatever. */
static struct gt_error *failure(const struct gt_buf *said, int status)
{
	gt_autojson doc = NULL;
	gt_auto(gt_buf) text = GT_BUF_INIT;
	struct gt_error *e = gt_json_parse("error", said->s, said->len, GT_CNI_OUTPUT_MAX,
					   GT_CNI_DEPTH, &doc);
	const char *msg = json_string_value(json_object_get(doc, "msg"));
	const char *details = json_string_value(json_object_get(doc, "details"));

	gt_error_free(e);
	if (msg) {
		printable(&text, msg);
		if (details && *details) {
			gt_buf_adds(&text, "; ");
			printable(&text, details);
		}
		return gt_error_new(class_of(json_integer_value(json_object_get(doc, "code"))), "%s",
				    text.s);
	}
	printable(&text, said->s);
	if (WIFSIGNALED(status))
		return gt_error_new(GT_UNKNOWN, "netplugin killed by signal %d: %.1000s",
				    WTERMSIG(status), text.s);
	if (!text.len)
		return gt_error_new(GT_UNKNOWN, "netplugin failed with no error message, status %d",
				    WEXITSTATUS(status));
	return gt_error_new(GT_UNKNOWN, "netplugin failed: %.1000s", text.s);
}

static bool is_blank(const struct gt_buf *b)
{
	return strspn(b->s, " \t\r\n") == b->len;
}

struct gt_error *gt_cni_plugin_answer(const struct gt_buf *said, int status, json_t **out)
{
	gt_autojson doc = NULL;

	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return failure(said, status);
	if (!out || is_blank(said))
		return NULL;
	GT_TRY(gt_json_parse("result", said->s, said->len, GT_CNI_OUTPUT_MAX - 1, GT_CNI_DEPTH,
			     &doc));
	if (!json_is_object(doc))
		return gt_error_new(GT_DATA_LOSS, "result: is no object");
	*out = json_incref(doc);
	return NULL;
}

struct gt_error *gt_cni_plugin_run(const struct gt_cni *cni, const struct gt_call *call,
				   const char *type, const char *command,
				   const struct gt_cni_attachment *a, const json_t *config,
				   json_t **out)
{
	gt_autofree char *program = NULL;
	gt_auto(gt_strv) env = { 0 };
	gt_auto(gt_buf) input = GT_BUF_INIT, said = GT_BUF_INIT;
	struct gt_call limited = *call;
	int64_t end = gt_now() + cni->timeout;
	int status = 0;

	GT_TRY(find(cni, type, &program));
	environment(cni, command, a, &env);
	gt_json_write(config, &input);
	if (!limited.deadline || end < limited.deadline)
		limited.deadline = end;
	const char *const argv[] = { program, NULL };
	const struct gt_proc_spec spec = {
		.argv = argv,
		.env = (const char *const *)env.v,
		.err = STDERR_FILENO,
	};

	GT_TRY(gt_proc_run(&spec, &limited, input.s, input.len, GT_CNI_OUTPUT_MAX, &said, &status));
	return gt_cni_plugin_answer(&said, status, out);
}
