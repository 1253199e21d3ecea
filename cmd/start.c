/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "cmd/start.h"

#include "core/log.h"

#include <gantry/log.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CONFIG_FILE GT_SYSCONFDIR "/gantry/gantry.conf"
#define TOML_FILE GT_SYSCONFDIR "/gantry/gantry.toml"

struct gt_error *gantry_start(const char *file, const char *over, struct gt_config **out)
{
	const struct gt_settings *set;
	struct gt_log_setup log = { .fd = STDERR_FILENO };
	struct gt_config *c;
	struct gt_error *e;

	umask(077);
	if (!file || !*file)
		file = getenv("GANTRY_CONFIG");
	if ((!file || !*file) && (access(CONFIG_FILE, F_OK) == 0 || errno != ENOENT))
		file = CONFIG_FILE;
	if ((!file || !*file) && (access(TOML_FILE, F_OK) == 0 || errno != ENOENT))
		file = TOML_FILE;
	GT_TRY(gt_config_load_over(gantry_shipped_config, file && *file ? file : NULL, over, &c));
	set = gt_config_settings(c);
	log.json = !strcmp(set->log.format, "json");
	log.topics = &set->log.topics;
	e = gt_log_level_parse(set->log.level, &log.level);
	if (!e)
		e = gt_error_wrap(gt_log_set(&log), "log.topics");
	if (e) {
		gt_config_free(c);
		return e;
	}
	*out = c;
	return NULL;
}

void gantry_warn(const struct gt_config *c)
{
	const struct gt_strv *w = gt_config_warnings(c);

	for (size_t i = 0; i < w->n; i++)
		gt_log_write("core", GT_LOG_WARN, "%s", w->v[i]);
}

int gantry_fail_take(const char *program, struct gt_error *e)
{
	fprintf(stderr, "%s: %s\n", program, gt_error_text(e));
	gt_error_free(e);
	return 1;
}

int gantry_end_take(const char *program, struct gt_error *e)
{
	return e ? gantry_fail_take(program, e) : 0;
}
