/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration's files, for those who read them. Internal to the core. */
#ifndef GANTRY_CORE_CONFIG_PRIVATE_H
#define GANTRY_CORE_CONFIG_PRIVATE_H

#include "core/config.h"

#include "core/option.h"

#include <libconfig.h>

#define GT_CONFIG_PROXY_PLUGINS "proxy_plugins"

struct source {
	config_t file;
	char *name; /* as errors show it */
};

struct gt_config {
	struct source **sources; /* a later one wins */
	size_t n, alloc;
	struct gt_strv warnings;
	struct gt_settings settings;
};

/* A setting's value; the caller gt_strv_done()s its list. */
void gt_config_value(config_setting_t *v, struct gt_value *out);

/* The error for a name that nobody knows; 'known' are the names that could stand there. */
GT_MUST_USE struct gt_error *gt_config_unknown(const struct source *s, config_setting_t *v,
					       const char *group, const struct gt_strv *known);

/* config-proxies.c: fills the settings' list from all files. */
GT_MUST_USE struct gt_error *gt_config_proxies_load(struct gt_config *c);
void gt_config_proxies_done(struct gt_config *c);

#endif
