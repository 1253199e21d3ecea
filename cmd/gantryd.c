/* SPDX-License-Identifier: Apache-2.0 */
/* gantryd: the daemon's program. `gantryd config` prints and checks configurations. */
#include <config.h>

#include "cmd/start.h"
#include "core/host.h"
#include "core/loader.h"
#include "core/option.h"

#include <gantry/api-introspection.h>

#include <stdio.h>
#include <string.h>

static const char usage_text[] =
	"Usage:\n"
	"  gantryd [--config FILE] config default       print every setting with its default\n"
	"  gantryd [--config FILE] config dump          print every setting and where it comes from\n"
	"  gantryd config check FILE                    check a configuration and all it names\n"
	"  gantryd --version | -v\n"
	"  gantryd --help | -h\n";

static int usage_fail(const char *what, const char *arg)
{
	fprintf(stderr, "gantryd: %s%s\n%s", what, arg ? arg : "", usage_text);
	return 2;
}

/* Adds the settings of the core and of each module, active or not. */
static struct gt_error *print_all(const struct gt_config *c, bool texts, struct gt_buf *out)
{
	const struct gt_strv *path = &gt_config_settings(c)->plugin_path;
	struct gt_strv modules = { 0 };
	struct gt_error *e = NULL;

	for (const struct gt_config_group *g = gt_config_groups; g->name; g++) {
		if (texts && g->text)
			gt_buf_addf(out, "\n# %s\n", g->text);
		gt_config_print_group(c, g->name, g->options, gt_config_settings(c), texts, out);
	}
	gt_module_list(path, &modules);
	for (size_t i = 0; !e && i < modules.n; i++) {
		struct gt_module *m = NULL;
		gt_autofree char *values = NULL;

		e = gt_module_load(path, modules.v[i], &m);
		if (e) { /* its options cannot be known: say so, and go on */
			gt_buf_addf(out, "\n# %s: %s\n", modules.v[i], gt_error_text(e));
			gt_error_free(e);
			e = NULL;
		} else if (m->options->name) {
			values = gt_xcalloc(1, m->plugin.config_size);
			e = gt_config_plugin(c, m->name, m->options, values);
			if (texts)
				gt_buf_addf(out, "\n# %s\n", m->plugin.doc);
			if (!e)
				gt_config_print_group(c, m->name, m->options, values, texts, out);
			gt_option_done(m->options, values);
		}
		gt_module_free(m);
	}
	gt_strv_done(&modules);
	return e;
}

static int config_print(const char *file, bool defaults)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	struct gt_config *c = NULL;
	struct gt_error *e = defaults ? gt_config_load(gantry_shipped_config, file, &c)
				      : gantry_start(file, &c);

	if (!e)
		e = print_all(c, defaults, &out);
	gt_config_free(c);
	gt_loader_end();
	if (e)
		return gantry_fail_take("gantryd", e);
	return fwrite(out.s, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? 0 : 1;
}

/* All that can be known without touching root and state: names, types, ranges, modules, needs. */
static int config_check(const char *file)
{
	struct gt_config *c = NULL;
	struct gt_host *h = NULL;
	struct gt_error *e = gantry_start(file, &c);

	if (!e)
		e = gt_host_open(c, true, &h);
	if (!e)
		e = gt_host_check(h);
	gt_host_close(h);
	gt_config_free(c);
	gt_loader_end();
	if (e)
		return gantry_fail_take("gantryd", e);
	printf("%s: ok\n", file);
	return 0;
}

static int config_command(int argc, char **argv, const char *file)
{
	if (argc == 1 && !strcmp(argv[0], "default"))
		return config_print(file, true);
	if (argc == 1 && !strcmp(argv[0], "dump"))
		return config_print(file, false);
	if (argc >= 1 && !strcmp(argv[0], "check")) {
		if (argc == 2)
			file = argv[1];
		if (argc > 2 || !file)
			return usage_fail("config check takes one FILE", NULL);
		return config_check(file);
	}
	return usage_fail("config takes default, dump or check FILE", NULL);
}

int main(int argc, char **argv)
{
	const char *file = NULL;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		const char *name = argv[i] + (argv[i][1] == '-');

		if (!strcmp(name, "-config") || !strcmp(name, "-c")) {
			if (i + 1 >= argc)
				return usage_fail("--config needs a FILE", NULL);
			file = argv[++i];
		} else if (!strncmp(name, "-config=", strlen("-config="))) {
			file = name + strlen("-config=");
		} else if (!strcmp(name, "-version") || !strcmp(name, "-v")) {
			printf("gantryd %s %s\n", gt_version(), gt_revision());
			return 0;
		} else if (!strcmp(name, "-help") || !strcmp(name, "-h")) {
			fputs(usage_text, stdout);
			return 0;
		} else {
			return usage_fail("unknown option ", argv[i]);
		}
	}
	if (i < argc && !strcmp(argv[i], "config"))
		return config_command(argc - i - 1, argv + i + 1, file);
	if (i < argc)
		return usage_fail("unknown command ", argv[i]);
	fputs(usage_text, stdout);
	return 0;
}
