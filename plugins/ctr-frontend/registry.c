/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "registry.h"

#include <gantry/buf.h>

#include <oci/reference.h>

#include <stdio.h>
#include <string.h>
#include <termios.h>

#define PASSWORD_MAX 4096

const struct ctr_flag ctr_registry_flags[] = {
	{ .name = "skip-verify",
	  .alias = "k",
	  .type = CTR_BOOL,
	  .text = "take the registry's certificate as it is" },
	{ .name = "plain-http", .type = CTR_BOOL, .text = "ask the registry by http" },
	{ .name = "user",
	  .alias = "u",
	  .type = CTR_STRING,
	  .text = "`USER[:PASSWORD]` at the registry; asks for a password that is left out" },
	{ .name = "refresh",
	  .type = CTR_STRING,
	  .text = "refresh token for the registry's authorization server" },
	{ .name = "hosts-dir",
	  .type = CTR_STRING,
	  .text = "folder with a hosts.toml for each registry, in the place of the configured one" },
	{ .name = "tlscacert",
	  .type = CTR_STRING,
	  .text = "`FILE` of authorities for the registry's certificate" },
	{ .name = "tlscert", .type = CTR_STRING, .text = "`FILE` of the client's certificate" },
	{ .name = "tlskey", .type = CTR_STRING, .text = "`FILE` of its key" },
	{ .name = "http-dump",
	  .type = CTR_BOOL,
	  .text = "log requests and answers, without their secrets" },
	{ .name = "http-trace",
	  .type = CTR_BOOL,
	  .text = "log connections, TLS and times, too" },
	{ 0 },
};

/* A line from standard input; not shown where that is a terminal. */
static struct gt_error *ask_password(struct ctr *c, char **out)
{
	char text[PASSWORD_MAX];
	struct termios before, quiet;
	bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
	char *got;

	fprintf(c->out, "Password: ");
	fflush(c->out);
	if (terminal) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	got = fgets(text, sizeof(text), stdin);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fprintf(c->out, "\n");
	}
	if (!got)
		return ctr_usage_error("no password was given");
	text[strcspn(text, "\r\n")] = '\0';
	*out = gt_xstrdup(text);
	explicit_bzero(text, sizeof(text));
	return NULL;
}

static void log_line(void *arg, const char *text)
{
	ctr_log(arg, "info", NULL, "%s", text);
}

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

struct gt_error *ctr_registry_read(struct ctr *c, struct ctr_registry *out)
{
	const char *user = ctr_string(c, "user");
	const char *colon = strchr(user, ':');

	*out = (struct ctr_registry){
		.c = c,
		.options = {
			.size = sizeof(out->options),
			.identity_token = or_null(ctr_string(c, "refresh")),
			.hosts_dir = or_null(ctr_string(c, "hosts-dir")),
			.plain_http = ctr_bool(c, "plain-http"),
			.skip_verify = ctr_bool(c, "skip-verify"),
			.ca = or_null(ctr_string(c, "tlscacert")),
			.cert = or_null(ctr_string(c, "tlscert")),
			.key = or_null(ctr_string(c, "tlskey")),
			.http_dump = ctr_bool(c, "http-dump"),
			.http_trace = ctr_bool(c, "http-trace"),
			.line = log_line,
			.line_arg = c,
		},
	};
	if (colon)
		out->password = gt_xstrdup(colon + 1);
	else if (*user)
		GT_TRY(ask_password(c, &out->password));
	if (*user) {
		out->user = gt_xstrndup(user, colon ? (size_t)(colon - user) : strlen(user));
		out->options.user = out->user;
		out->options.password = out->password;
	}
	return gt_need_resolver(c->init, NULL, &out->resolver);
}

void ctr_registry_done(struct ctr_registry *r)
{
	if (r->password)
		explicit_bzero(r->password, strlen(r->password));
	free(r->user);
	free(r->password);
}

struct gt_error *ctr_full_reference(const char *arg, char **out)
{
	gt_auto(gt_reference) r = { 0 };
	struct gt_error *e = gt_reference_normalise(arg, out), *literal;

	if (!e)
		return NULL;
	literal = gt_reference_parse(arg, &r);
	if (!literal && r.object && *r.object) {
		gt_error_free(e);
		*out = gt_xstrdup(arg);
		return NULL;
	}
	gt_error_free(literal);
	return e;
}
