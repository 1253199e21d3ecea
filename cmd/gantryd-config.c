/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "cmd/gantryd-config.h"

#include "cmd/start.h"
#include "core/host.h"
#include "core/loader.h"
#include "core/option.h"

#include <stdio.h>
#include <string.h>

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
	gt_config_print_proxies(c, out);
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

static int config_print(const char *file, const char *over, bool defaults)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	struct gt_config *c = NULL;
	struct gt_error *e = defaults ? gt_config_load(gantry_shipped_config, file, &c)
				      : gantry_start(file, over, &c);

	if (!e)
		gantry_warn(c);
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
	struct gt_error *e = gantry_start(file, NULL, &c);

	if (!e)
		gantry_warn(c);
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

static int usage(const char *text)
{
	fprintf(stderr, "gantryd: %s (gantryd --help)\n", text);
	return 2;
}

int gantryd_config(int argc, char **argv, const char *file, const char *over)
{
	if (argc == 1 && !strcmp(argv[0], "default"))
		return config_print(file, over, true);
	if (argc == 1 && !strcmp(argv[0], "dump"))
		return config_print(file, over, false);
	if (argc >= 1 && !strcmp(argv[0], "check")) {
		if (argc == 2)
			file = argv[1];
		if (argc > 2 || !file)
			return usage("config check takes one FILE");
		return config_check(file);
	}
	return usage("config takes default, dump or check FILE");
}
