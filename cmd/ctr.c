/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctr: starts the core in this process and hands over to the command line's frontend. Where a daemon holds
 * the root, or --address names one, the services are that daemon's: the configuration then has
 * services-remote in the place of what it says.
 */
#include <config.h>

#include "cmd/start.h"
#include "core/host.h"

#include <gantry/buf.h>
#include <gantry/frontend.h>
#include <gantry/quantity.h>

#include <string.h>

/* containerd's, where none is given; and for a daemon that has only just begun. */
#define CONNECT_TIMEOUT 10000

/* The global options that say how the core starts. */
struct globals {
	const char *address, *config, *connect_timeout;
	const char *ignored; /* of the command line's own */
	bool debug;
};

static bool is_option(const char *arg, const char *name, const char *letter, const char **value)
{
	const char *text = arg + 1 + (arg[1] == '-');
	size_t len = strcspn(text, "=");

	*value = text[len] ? text + len + 1 : NULL;
	return (strlen(name) == len && !strncmp(text, name, len)) ||
	       (letter && len == 1 && *letter == *text);
}

/* They stand before the command, which may have some of the same name. */
static void globals_read(int argc, char **argv, struct globals *g)
{
	const struct {
		const char *name, *letter;
		const char **value;
	} options[] = {
		{ "address", "a", &g->address },	{ "config", NULL, &g->config },
		{ "namespace", "n", &g->ignored },	{ "timeout", NULL, &g->ignored },
		{ "connect-timeout", NULL, &g->connect_timeout },
	};

	for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
		const char *value;

		if (is_option(argv[i], "debug", NULL, &value))
			g->debug = !value || !strcmp(value, "true");
		for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
			if (!is_option(argv[i], options[k].name, options[k].letter, &value))
				continue;
			if (!value && i + 1 < argc)
				value = argv[++i];
			*options[k].value = value;
			break;
		}
	}
	if (!g->address)
		g->address = getenv("CONTAINERD_ADDRESS");
}

/* What makes the services those of the daemon at 'address'. */
static void remote_add(struct gt_buf *over, const char *address, const char *timeout)
{
	int64_t ns;

	gt_buf_adds(over, "active: { services = \"services-remote\"; };\nservices-remote: { address = ");
	gt_buf_addq(over, address);
	if (timeout && gt_duration_parse(timeout, &ns) && ns > 0) { /* the command line complains of one that is wrong */
		gt_buf_adds(over, "; connect_timeout = ");
		gt_buf_addq(over, timeout);
	}
	gt_buf_adds(over, "; };\n");
}

static struct gt_error *start(int argc, char **argv, struct gt_config **config)
{
	gt_auto(gt_buf) over = GT_BUF_INIT;
	gt_autofree char *holder = NULL;
	struct globals g = { 0 };

	globals_read(argc, argv, &g);
	if (g.debug)
		gt_buf_adds(&over, "log: { level = \"debug\"; };\n");
	if (!g.address || !*g.address) {
		GT_TRY(gantry_start(g.config, over.len ? over.s : NULL, config));
		GT_TRY(gt_root_daemon(*config, CONNECT_TIMEOUT, &holder));
		if (!holder)
			return NULL;
		g.address = holder;
		gt_config_free(gt_steal(config));
	}
	remote_add(&over, g.address, g.connect_timeout);
	return gantry_start(g.config, over.s, config);
}

int main(int argc, char **argv)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_config *config = NULL;
	struct gt_host *host = NULL;
	struct gt_frontend *frontend;
	struct gt_error *e;
	int status = 1;

	e = start(argc, argv, &config);
	if (!e)
		e = gt_host_open(config, false, &host);
	if (!e)
		e = gt_host_frontend(host, "ctr", &frontend);
	if (!e)
		e = gt_frontend_run(frontend, &call, argc, argv, &status);
	if (e)
		status = gantry_fail_take("ctr", e);
	gt_host_close(host);
	gt_config_free(config);
	/* The modules stay: to unload them takes longer than for the process to end. */
	return status;
}
