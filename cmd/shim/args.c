/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "args.h"

#include <string.h>

struct flag {
	const char *name;
	bool *on; /* a switch */
	const char **value;
};

static const struct flag *flag_find(const struct flag *flags, const char *name, size_t len)
{
	for (; flags->name; flags++)
		if (strlen(flags->name) == len && !memcmp(flags->name, name, len))
			return flags;
	return NULL;
}

/* As Go's strconv.ParseBool. */
static bool bool_parse(const char *s, bool *out)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
		if (!strcmp(s, yes[i]) || !strcmp(s, no[i])) {
			*out = !strcmp(s, yes[i]);
			return true;
		}
	}
	return false;
}

struct gt_error *shim_args_parse(int argc, char **argv, struct shim_args *out)
{
	const struct flag flags[] = {
		{ .name = "debug", .on = &out->debug },
		{ .name = "v", .on = &out->version },
		{ .name = "version", .on = &out->version },
		{ .name = "info", .on = &out->info },
		{ .name = "namespace", .value = &out->ns },
		{ .name = "id", .value = &out->id },
		{ .name = "socket", .value = &out->socket },
		{ .name = "debug-socket", .value = &out->debug_socket },
		{ .name = "bundle", .value = &out->bundle },
		{ .name = "address", .value = &out->address },
		{ .name = "publish-binary", .value = &out->publish_binary },
		{ 0 },
	};
	int i;

	for (i = 1; i < argc; i++) {
		const char *name = argv[i], *eq;
		const struct flag *f;

		if (name[0] != '-' || !name[1])
			break;
		name += name[1] == '-' ? 2 : 1;
		if (!*name) { /* "--" ends the flags */
			i++;
			break;
		}
		eq = strchrnul(name, '=');
		f = flag_find(flags, name, eq - name);
		if (!f)
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "flag provided but not defined: -%.*s",
					    (int)(eq - name), name);
		if (f->on) {
			*f->on = true;
			if (*eq && !bool_parse(eq + 1, f->on))
				return gt_error_new(GT_INVALID_ARGUMENT,
						    "invalid boolean value \"%s\" for -%s", eq + 1,
						    f->name);
		} else if (*eq) {
			*f->value = eq + 1;
		} else if (i + 1 < argc) {
			*f->value = argv[++i];
		} else {
			return gt_error_new(GT_INVALID_ARGUMENT, "flag needs an argument: -%s",
					    f->name);
		}
	}
	if (i < argc) {
		out->action = argv[i];
		if (strcmp(out->action, "start") != 0 && strcmp(out->action, "delete") != 0)
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "unknown action \"%s\": expected start or delete",
					    out->action);
	}
	return NULL;
}
