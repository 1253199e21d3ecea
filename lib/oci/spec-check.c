/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a document of the caller's must not say: text that would end in a file of the kernel's or the
 * host's, where a line end or a path would make something else of it. Runtimes write most of it as it
 * stands.
 */
#include <config.h>

#include <oci/spec.h>

#include <oci/json.h>
#include <oci/spec-private.h>

#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static struct gt_error *bad(const char *what, const char *text, const char *why)
{
	gt_auto(gt_buf) q = GT_BUF_INIT;

	gt_buf_addq(&q, text);
	return gt_error_new(GT_INVALID_ARGUMENT, "%s %s: %s", what, q.s, why);
}

/* A member that is text, if it is there. */
static struct gt_error *check_text(const json_t *obj, const char *key, const char *what)
{
	const json_t *j = json_object_get(obj, key);

	if (!j || json_is_null(j))
		return NULL;
	if (!json_is_string(j))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: is no string", what);
	return gt_spec_printable(what, json_string_value(j));
}

/* Name and value of each member of an object of strings. */
static struct gt_error *check_pairs(const json_t *obj, const char *what,
				    struct gt_error *(*name_check)(const char *name))
{
	const char *name;
	json_t *value;

	if (!obj || json_is_null(obj))
		return NULL;
	if (!json_is_object(obj))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: is no object", what);
	json_object_foreach((json_t *)obj, name, value) {
		GT_TRY(gt_spec_printable(what, name));
		GT_TRY(name_check(name));
		GT_TRY(check_text(obj, name, what));
	}
	return NULL;
}

static struct gt_error *annotation_name(const char *name)
{
	return *name ? NULL : gt_error_new(GT_INVALID_ARGUMENT, "annotation without a name");
}

/* It becomes a path below /proc/sys, with '/' for '.' or as it stands. */
static struct gt_error *sysctl_name(const char *name)
{
	if (!*name || *name == '/' || *name == '.' || strstr(name, "..") || strstr(name, "./") ||
	    strstr(name, "/.") || strstr(name, "//"))
		return bad("sysctl", name, "is no name of a setting");
	return NULL;
}

/* It becomes a file's name in the cgroup; those of the group itself are the runtime's. */
static struct gt_error *unified_name(const char *name)
{
	if (!*name || strspn(name, LOWER DIGITS "._") != strlen(name) || *name == '.' ||
	    !strncmp(name, "cgroup.", 7))
		return bad("cgroup setting", name, "is no controller's");
	return NULL;
}

static struct gt_error *check_device(const json_t *d)
{
	const char *path = json_string_value(json_object_get(d, "path"));
	const char *type = json_string_value(json_object_get(d, "type"));

	if (!path || *path != '/')
		return gt_error_new(GT_INVALID_ARGUMENT, "device \"%s\": is no absolute path",
				    path ? path : "");
	GT_TRY(gt_spec_printable("device", path));
	if (!type || strlen(type) != 1 || !strchr("bcup", *type))
		return gt_error_new(GT_INVALID_ARGUMENT, "device %s: its type is not b, c, u or p", path);
	return NULL;
}

static struct gt_error *check_rule(const json_t *r)
{
	const json_t *type = json_object_get(r, "type"), *access = json_object_get(r, "access");
	const char *t = json_is_string(type) ? json_string_value(type) : "a";
	const char *a = json_is_string(access) ? json_string_value(access) : "";

	if (*t && (strlen(t) != 1 || !strchr("abcup", *t)))
		return bad("device rule's type", t, "is not a, b, c, u or p");
	if (strspn(a, "rwm") != strlen(a))
		return bad("device rule's access", a, "is not of r, w and m");
	return NULL;
}

static struct gt_error *check_list(const json_t *list, const char *what,
				   struct gt_error *(*check)(const json_t *item))
{
	const json_t *j;
	size_t i;

	if (list && !json_is_null(list) && !json_is_array(list))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: is no list", what);
	json_array_foreach(list, i, j) {
		if (!json_is_object(j))
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: %zu is no object", what, i);
		GT_TRY(check(j));
	}
	return NULL;
}

static struct gt_error *check_mount(const json_t *m)
{
	const json_t *options = json_object_get(m, "options"), *o;
	size_t i;

	GT_TRY(check_text(m, "destination", "mount destination"));
	GT_TRY(check_text(m, "source", "mount source"));
	GT_TRY(check_text(m, "type", "mount type"));
	json_array_foreach(options, i, o) {
		if (!json_is_string(o))
			return gt_error_new(GT_INVALID_ARGUMENT, "mount option %zu: is no string", i);
		GT_TRY(gt_spec_printable("mount option", json_string_value(o)));
	}
	return NULL;
}

static struct gt_error *check_namespace(const json_t *n)
{
	GT_TRY(check_text(n, "type", "namespace type"));
	return check_text(n, "path", "namespace path");
}

static struct gt_error *check_linux(const json_t *l)
{
	const json_t *resources = json_object_get(l, "resources");

	GT_TRY(check_text(l, "cgroupsPath", "cgroup path"));
	GT_TRY(check_text(l, "rootfsPropagation", "propagation"));
	GT_TRY(check_text(l, "mountLabel", "mount label"));
	GT_TRY(check_pairs(json_object_get(l, "sysctl"), "sysctl", sysctl_name));
	GT_TRY(check_list(json_object_get(l, "devices"), "devices", check_device));
	GT_TRY(check_list(json_object_get(l, "namespaces"), "namespaces", check_namespace));
	GT_TRY(check_list(json_object_get(resources, "devices"), "device rules", check_rule));
	return check_pairs(json_object_get(resources, "unified"), "cgroup setting", unified_name);
}

struct gt_error *gt_spec_check(const struct gt_spec *s)
{
	const json_t *process = json_object_get(s->doc, "process");

	GT_TRY(check_text(s->doc, "hostname", "host name"));
	GT_TRY(check_text(s->doc, "domainname", "domain name"));
	GT_TRY(check_text(json_object_get(s->doc, "root"), "path", "root folder"));
	GT_TRY(check_text(process, "cwd", "working folder"));
	GT_TRY(check_text(process, "apparmorProfile", "AppArmor profile"));
	GT_TRY(check_text(process, "selinuxLabel", "SELinux label"));
	GT_TRY(check_pairs(json_object_get(s->doc, "annotations"), "annotation", annotation_name));
	GT_TRY(check_list(json_object_get(s->doc, "mounts"), "mounts", check_mount));
	return check_linux(json_object_get(s->doc, "linux"));
}
