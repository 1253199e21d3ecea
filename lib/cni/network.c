/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <cni/network.h>

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/strv.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <oci/json.h>
#include <string.h>

#define FIRST_VERSION "0.1.0" /* what a configuration without a version is of */

void gt_cni_network_free(struct gt_cni_network *n)
{
	if (!n)
		return;
	free(n->name);
	free(n->version);
	json_decref(n->doc);
	free(n);
}

bool gt_cni_is_name(const char *s)
{
	if (!isalnum((unsigned char)*s) || strlen(s) > 255)
		return false;
	for (; *s; s++) {
		if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
			return false;
	}
	return true;
}

bool gt_cni_is_interface(const char *s)
{
	if (!*s || strlen(s) >= IFNAMSIZ || !strcmp(s, ".") || !strcmp(s, ".."))
		return false;
	for (; *s; s++) {
		if (*s == '/' || *s == ':' || isspace((unsigned char)*s))
			return false;
	}
	return true;
}

/* A list made of a single plugin's configuration. */
static json_t *list_of(const json_t *plugin)
{
	json_t *doc = json_object();

	json_object_set(doc, "cniVersion", json_object_get(plugin, "cniVersion"));
	json_object_set(doc, "name", json_object_get(plugin, "name"));
	json_object_set_new(doc, "plugins", json_pack("[o]", json_deep_copy(plugin)));
	return doc;
}

/* The type becomes a program's name: a path would lead out of the plugins' folders. */
static struct gt_error *check_plugins(const char *what, const json_t *plugins)
{
	const json_t *p;
	size_t i;

	if (!json_array_size(plugins))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: no plugins in list", what);
	json_array_foreach(plugins, i, p) {
		const char *type = json_string_value(json_object_get(p, "type"));

		if (!type || !*type)
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: plugin %zu: missing 'type'",
					    what, i);
		if (strchr(type, '/') || *type == '.')
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: plugin %zu: type \"%s\" is no name",
					    what, i, type);
	}
	return NULL;
}

/* The specification has it as a string, libraries take both. */
static struct gt_error *read_disable_check(const char *what, const json_t *doc, bool *out)
{
	const json_t *j = json_object_get(doc, "disableCheck");
	const char *s = json_string_value(j);

	if (!j || json_is_null(j))
		return NULL;
	if (json_is_boolean(j))
		*out = json_is_true(j);
	else if (s && (!strcmp(s, "true") || !strcmp(s, "false")))
		*out = !strcmp(s, "true");
	else
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: disableCheck is not true or false", what);
	return NULL;
}

static struct gt_error *network_read(const char *what, struct gt_cni_network *n)
{
	GT_TRY(gt_json_string(what, n->doc, "name", &n->name));
	GT_TRY(gt_json_string(what, n->doc, "cniVersion", &n->version));
	GT_TRY(gt_json_array(what, n->doc, "plugins", GT_CNI_PLUGINS_MAX, &n->plugins));
	GT_TRY(read_disable_check(what, n->doc, &n->disable_check));
	if (!n->version || !*n->version) {
		free(n->version);
		n->version = gt_xstrdup(FIRST_VERSION);
	}
	if (!n->name || !gt_cni_is_name(n->name))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s", what,
				    n->name ? "name has other than letters, digits and _.-" :
					      "missing 'name'");
	return check_plugins(what, n->plugins);
}

struct gt_error *gt_cni_network_of(const char *what, const json_t *doc, struct gt_cni_network **out)
{
	gt_autoptr(gt_cni_network) n = gt_xcalloc(1, sizeof(*n));

	if (!json_is_object(doc))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: is no object", what);
	n->doc = json_object_get(doc, "plugins") ? json_deep_copy(doc) : list_of(doc);
	GT_TRY(network_read(what, n));
	*out = gt_steal(&n);
	return NULL;
}

struct gt_error *gt_cni_network_parse(const char *what, const void *data, size_t len,
				      struct gt_cni_network **out)
{
	gt_autojson doc = NULL;

	GT_TRY(gt_json_parse(what, data, len, GT_CNI_CONFIG_MAX, GT_CNI_DEPTH, &doc));
	return gt_cni_network_of(what, doc, out);
}

static bool is_config(const char *name)
{
	static const char *const ends[] = { ".conf", ".conflist", ".json" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof(ends) / sizeof(*ends); i++) {
		if (!strcmp(dot, ends[i]))
			return true;
	}
	return false;
}

static struct gt_error *first_file(const char *folder, char **out)
{
	DIR *d = opendir(folder);
	gt_auto(gt_strv) names = { 0 };
	struct dirent *ent;

	if (!d && errno != ENOENT)
		return gt_error_errno(GT_UNKNOWN, errno, "read folder %s", folder);
	while (d && (ent = readdir(d))) {
		if (is_config(ent->d_name))
			gt_strv_add(&names, ent->d_name);
	}
	if (d)
		closedir(d);
	if (!names.n)
		return gt_error_new(GT_NOT_FOUND, "no network config found in %s: cni plugin not "
						  "initialized",
				    folder);
	gt_strv_sort(&names);
	*out = gt_strf("%s/%s", folder, names.v[0]);
	return NULL;
}

struct gt_error *gt_cni_network_load(const char *folder, struct gt_cni_network **out)
{
	gt_autofree char *file = NULL;
	gt_auto(gt_buf) text = GT_BUF_INIT;

	GT_TRY(first_file(folder, &file));
	GT_TRY(gt_file_read(AT_FDCWD, file, GT_CNI_CONFIG_MAX, &text));
	return gt_cni_network_parse(file, text.s, text.len, out);
}
