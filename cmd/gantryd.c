/* SPDX-License-Identifier: Apache-2.0 */
/* gantryd: the daemon's program. `gantryd config` prints and checks configurations. */
#include <config.h>

#include "cmd/daemon.h"
#include "cmd/gantryd-config.h"
#include "cmd/start.h"
#include "core/host.h"

#include <gantry/api-introspection.h>
#include <gantry/frontend.h>

#include <stdio.h>
#include <string.h>

#define ARGS_MAX 16

static const char usage_text[] =
	"Usage:\n"
	"  gantryd [OPTIONS]                            run the daemon\n"
	"  gantryd [OPTIONS] config default             print every setting with its default\n"
	"  gantryd [OPTIONS] config dump                print every setting and where it comes from\n"
	"  gantryd config check FILE                    check a configuration and all it names\n"
	"  gantryd [--address SOCKET] publish --topic TOPIC --namespace NAME\n"
	"                                               publish the event on standard input, as shims do\n"
	"Options; each wins over the configuration file:\n"
	"  -c, --config FILE      the configuration file\n"
	"  -a, --address SOCKET   where containerd's API is served\n"
	"      --root FOLDER      where everything lives that lasts\n"
	"      --state FOLDER     where everything lives that a reboot ends\n"
	"  -l, --log-level LEVEL  trace, debug, info, warn or error\n"
	"  -v, -V, --version      print the version\n"
	"  -h, --help\n";

/* Flags with a value, and the setting that each one is. */
static const struct flag {
	const char *name, *letter;
	const char *group; /* NULL: the value is the file's name; "": at the top */
	const char *setting;
} flags[] = {
	{ "config", "c", NULL, NULL },
	{ "address", "a", "grpc-frontend", "address" },
	{ "root", NULL, "", "root" },
	{ "state", NULL, "", "state" },
	{ "log-level", "l", "log", "level" },
};

static int usage_fail(const char *what, const char *arg)
{
	fprintf(stderr, "gantryd: %s%s\n%s", what, arg, usage_text);
	return 2;
}

/* The flag that 'arg' is; '*value' is what stands behind "=" in it, or NULL. */
static const struct flag *flag_find(const char *arg, const char **value)
{
	const char *name = arg + 1 + (arg[1] == '-');
	size_t len = strcspn(name, "=");

	*value = name[len] ? name + len + 1 : NULL;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		const struct flag *f = &flags[i];

		if ((strlen(f->name) == len && !strncmp(f->name, name, len)) ||
		    (f->letter && len == 1 && *f->letter == *name))
			return f;
	}
	return NULL;
}

static bool is_one_of(const char *arg, const char *a, const char *b, const char *c)
{
	const char *name = arg + 1 + (arg[1] == '-');

	return !strcmp(name, a) || !strcmp(name, b) || !strcmp(name, c);
}

static void setting_add(const struct flag *f, const char *value, struct gt_buf *over)
{
	if (*f->group)
		gt_buf_addf(over, "%s: { ", f->group);
	gt_buf_addf(over, "%s = ", f->setting);
	gt_buf_addq(over, value);
	gt_buf_adds(over, *f->group ? "; };\n" : ";\n");
}

/* The command line's `publish`, with the daemon at 'address' behind it. */
static struct gt_error *publish(const char *file, const char *address, int argc, char **argv, int *status)
{
	gt_auto(gt_buf) over = GT_BUF_INIT;
	struct gt_call call = GT_CALL_INIT;
	struct gt_config *config = NULL;
	struct gt_host *host = NULL;
	struct gt_frontend *frontend;
	char *args[ARGS_MAX] = { argv[0], (char *)"publish" };
	struct gt_error *e;

	if (argc > ARGS_MAX - 3)
		return gt_error_new(GT_INVALID_ARGUMENT, "publish: more than %d arguments", ARGS_MAX - 3);
	for (int i = 0; i < argc - 1; i++)
		args[2 + i] = argv[1 + i];
	gt_buf_adds(&over, "active: { services = \"services-remote\"; };\n");
	if (address) {
		gt_buf_adds(&over, "services-remote: { address = ");
		gt_buf_addq(&over, address);
		gt_buf_adds(&over, "; };\n");
	}
	e = gantry_start(file, over.s, &config);
	if (!e)
		e = gt_host_open(config, false, &host);
	if (!e)
		e = gt_host_frontend(host, "ctr", &frontend);
	if (!e)
		e = gt_frontend_run(frontend, &call, argc + 1, args, status);
	gt_host_close(host);
	gt_config_free(config);
	return e;
}

int main(int argc, char **argv)
{
	gt_auto(gt_buf) over = GT_BUF_INIT;
	const char *file = NULL, *address = NULL;
	int status = 0;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		const char *arg = argv[i], *value;
		const struct flag *f = flag_find(arg, &value);

		if (f && !value && i + 1 >= argc)
			return usage_fail("a value is missing behind ", arg);
		if (f && !value)
			value = argv[++i];
		if (f && !f->group) {
			file = value;
		} else if (f) {
			if (!strcmp(f->name, "address"))
				address = value;
			setting_add(f, value, &over);
		} else if (is_one_of(arg, "version", "v", "V")) {
			printf("gantryd %s %s\n", gt_version(), gt_revision());
			return 0;
		} else if (is_one_of(arg, "help", "h", "h")) {
			fputs(usage_text, stdout);
			return 0;
		} else {
			return usage_fail("unknown option ", arg);
		}
	}
	if (i < argc && !strcmp(argv[i], "config"))
		return gantryd_config(argc - i - 1, argv + i + 1, file, over.len ? over.s : NULL);
	if (i < argc && !strcmp(argv[i], "publish")) {
		struct gt_error *e = publish(file, address, argc - i, argv + i, &status);

		return e ? gantry_fail_take("gantryd", e) : status;
	}
	if (i < argc)
		return usage_fail("unknown command ", argv[i]);
	return gantry_end_take("gantryd", daemon_run(file, over.len ? over.s : NULL, argc, argv));
}
