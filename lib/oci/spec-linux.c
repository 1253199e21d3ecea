/* SPDX-License-Identifier: Apache-2.0 */
/* The rest of the spec: mounts, namespaces, devices, resources, annotations. */
#include <config.h>

#include <oci/spec.h>

#include <oci/json.h>
#include <oci/spec-private.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DEVICES_DEPTH 8

static struct gt_error *set_text(json_t *obj, const char *key, const char *what, const char *value)
{
	json_t *j;

	GT_TRY(gt_spec_printable(what, value));
	GT_TRY(gt_spec_text(what, value, &j));
	json_object_set_new(obj, key, j);
	return NULL;
}

void gt_spec_set_rootfs(struct gt_spec *s, const char *path)
{
	json_object_set_new(gt_spec_object(s->doc, "root"), "path", json_string(path));
}

char *gt_spec_rootfs(const struct gt_spec *s)
{
	const json_t *root = json_object_get(s->doc, "root");

	return gt_xstrdup(json_string_value(json_object_get(root, "path")));
}

void gt_spec_set_readonly(struct gt_spec *s, bool readonly)
{
	json_t *root = gt_spec_object(s->doc, "root");

	if (readonly)
		json_object_set_new(root, "readonly", json_true());
	else
		json_object_del(root, "readonly");
}

struct gt_error *gt_spec_set_hostname(struct gt_spec *s, const char *name)
{
	if (strlen(name) > 64)
		return gt_error_new(GT_INVALID_ARGUMENT, "host name longer than 64 bytes");
	return set_text(s->doc, "hostname", "host name", name);
}

struct gt_error *gt_spec_set_annotation(struct gt_spec *s, const char *key, const char *value)
{
	GT_TRY(gt_spec_printable("annotation", key));
	if (!*key)
		return gt_error_new(GT_INVALID_ARGUMENT, "annotation without a name");
	return set_text(gt_spec_object(s->doc, "annotations"), key, "annotation", value);
}

struct gt_error *gt_spec_set_cgroup(struct gt_spec *s, const char *path)
{
	if (!*path) {
		json_object_del(gt_spec_linux(s), "cgroupsPath");
		return NULL;
	}
	return set_text(gt_spec_linux(s), "cgroupsPath", "cgroup path", path);
}

struct gt_error *gt_spec_add_mount(struct gt_spec *s, const char *destination, const char *type,
				   const char *source, const struct gt_strv *options)
{
	gt_autojson m = json_object();

	if (!*destination)
		return gt_error_new(GT_INVALID_ARGUMENT, "mount without a destination");
	GT_TRY(set_text(m, "destination", "mount destination", destination));
	if (type && *type)
		GT_TRY(set_text(m, "type", "mount type", type));
	if (source && *source)
		GT_TRY(set_text(m, "source", "mount source", source));
	for (size_t i = 0; options && i < options->n; i++) {
		json_t *j;

		GT_TRY(gt_spec_printable("mount option", options->v[i]));
		GT_TRY(gt_spec_text("mount option", options->v[i], &j));
		json_array_append_new(gt_spec_array(m, "options"), j);
	}
	json_array_append(gt_spec_array(s->doc, "mounts"), m);
	return NULL;
}

/* One line of comma-separated fields, a field in double quotes as RFC 4180 has it. */
static struct gt_error *csv_split(const char *s, struct gt_strv *out)
{
	for (;;) {
		gt_auto(gt_buf) field = GT_BUF_INIT;

		if (*s == '"') {
			for (s++;; s++) {
				if (!*s)
					return gt_error_new(GT_INVALID_ARGUMENT,
							    "quotes without an end");
				if (*s == '"' && *++s != '"')
					break;
				gt_buf_addc(&field, *s);
			}
			if (*s && *s != ',')
				return gt_error_new(GT_INVALID_ARGUMENT,
						    "text behind the end of quotes");
		} else {
			for (; *s && *s != ','; s++) {
				if (*s == '"')
					return gt_error_new(GT_INVALID_ARGUMENT,
							    "quotes inside a field without quotes");
				gt_buf_addc(&field, *s);
			}
		}
		gt_strv_add_take(out, gt_buf_detach(&field));
		if (!*s++)
			return NULL;
	}
}

struct gt_error *gt_spec_add_mount_csv(struct gt_spec *s, const char *csv)
{
	gt_auto(gt_strv) fields = { 0 };
	gt_auto(gt_strv) options = { 0 };
	const char *type = "", *source = "", *destination = "";

	GT_TRY(gt_error_wrap(csv_split(csv, &fields), "mount %s", csv));
	for (size_t i = 0; i < fields.n; i++) {
		const char *f = fields.v[i];
		const char *eq = strchr(f, '=');
		gt_autofree char *key = gt_xstrndup(f, eq ? eq - f : 0);

		if (!eq)
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "invalid mount specification: expected key=val");
		if (!strcmp(key, "type"))
			type = eq + 1;
		else if (!strcmp(key, "source") || !strcmp(key, "src"))
			source = eq + 1;
		else if (!strcmp(key, "destination") || !strcmp(key, "dst"))
			destination = eq + 1;
		else if (!strcmp(key, "options"))
			gt_strv_split(&options, eq + 1, ':');
		else
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "mount option \"%s\" not supported", key);
	}
	return gt_error_wrap(gt_spec_add_mount(s, destination, type, source, &options), "mount %s",
			     csv);
}

static bool is_namespace(const char *type)
{
	static const char *const types[] = { "pid",  "network", "uts",	"mount",
					     "user", "ipc",	"cgroup", "time" };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (!strcmp(type, types[i]))
			return true;
	}
	return false;
}

void gt_spec_drop_namespace(struct gt_spec *s, const char *type)
{
	json_t *list = gt_spec_array(gt_spec_linux(s), "namespaces");

	for (size_t i = json_array_size(list); i-- > 0;) {
		const char *have = json_string_value(
			json_object_get(json_array_get(list, i), "type"));

		if (have && !strcmp(have, type))
			json_array_remove(list, i);
	}
}

struct gt_error *gt_spec_set_namespace(struct gt_spec *s, const char *type, const char *path)
{
	json_t *list = gt_spec_array(gt_spec_linux(s), "namespaces");
	gt_autojson ns = json_object();
	json_t *j;
	size_t i;

	if (!is_namespace(type))
		return gt_error_new(GT_INVALID_ARGUMENT, "\"%s\" is no kind of namespace", type);
	json_object_set_new(ns, "type", json_string(type));
	if (path && *path)
		GT_TRY(set_text(ns, "path", "namespace path", path));
	json_array_foreach(list, i, j) {
		const char *have = json_string_value(json_object_get(j, "type"));

		if (have && !strcmp(have, type)) {
			json_array_set(list, i, ns);
			return NULL;
		}
	}
	json_array_append(list, ns);
	return NULL;
}

void gt_spec_set_host_network(struct gt_spec *s)
{
	static const char *const files[] = { "/etc/hosts", "/etc/resolv.conf" };

	gt_spec_drop_namespace(s, "network");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		json_array_append_new(gt_spec_array(s->doc, "mounts"),
				      json_pack("{s:s, s:s, s:s, s:[s, s]}", "destination",
						files[i], "type", "bind", "source", files[i],
						"options", "rbind", "ro"));
}

static json_t *device_rules(struct gt_spec *s)
{
	return gt_spec_array(gt_spec_resources(s), "devices");
}

/* A node of the host's, and with 'access' the leave to use it. */
static struct gt_error *device_put(struct gt_spec *s, const char *path, const struct stat *st,
				   const char *access)
{
	const char *type = S_ISBLK(st->st_mode) ? "b" : "c";
	json_t *j;

	GT_TRY(gt_spec_printable("device", path));
	GT_TRY(gt_spec_text("device", path, &j));
	json_array_append_new(gt_spec_array(gt_spec_linux(s), "devices"),
			      json_pack("{s:o, s:s, s:I, s:I, s:i, s:I, s:I}", "path", j, "type",
					type, "major", (json_int_t)major(st->st_rdev), "minor",
					(json_int_t)minor(st->st_rdev), "fileMode",
					(int)(st->st_mode & 07777), "uid", (json_int_t)st->st_uid,
					"gid", (json_int_t)st->st_gid));
	if (access)
		json_array_append_new(device_rules(s),
				      json_pack("{s:b, s:s, s:I, s:I, s:s}", "allow", 1, "type",
						type, "major", (json_int_t)major(st->st_rdev),
						"minor", (json_int_t)minor(st->st_rdev), "access",
						access));
	return NULL;
}

static bool is_left_out(const char *name)
{
	static const char *const list[] = { ".",      "..",  "pts",  "shm",	   "fd",
					    "mqueue", ".lxc", ".lxd-mounts", ".udev", "console" };

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		if (!strcmp(name, list[i]))
			return true;
	}
	return false;
}

/* All nodes below a folder. Links are not followed: each node comes once, by its own name. */
static struct gt_error *devices_walk(struct gt_spec *s, const char *folder, const char *access,
				     int depth)
{
	struct dirent **names = NULL;
	struct gt_error *e = NULL;
	int n = scandir(folder, &names, NULL, alphasort);

	if (n < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "read folder %s", folder);
	for (int i = 0; i < n; i++) {
		gt_autofree char *path = gt_strf("%s/%s", folder, names[i]->d_name);
		struct stat st;

		if (!e && !is_left_out(names[i]->d_name) && lstat(path, &st) == 0) {
			if (S_ISDIR(st.st_mode) && depth > 0)
				e = devices_walk(s, path, access, depth - 1);
			else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
				e = device_put(s, path, &st, access);
		}
		free(names[i]);
	}
	free(names);
	return e;
}

struct gt_error *gt_spec_add_device(struct gt_spec *s, const char *path, const char *access)
{
	struct stat st;

	if (!*access || strspn(access, "rwm") != strlen(access))
		return gt_error_new(GT_INVALID_ARGUMENT, "device access \"%s\" is not of r, w, m",
				    access);
	if (stat(path, &st) < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : GT_UNKNOWN, errno,
				      "device %s", path);
	if (S_ISDIR(st.st_mode))
		return devices_walk(s, path, access, DEVICES_DEPTH);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s is no device", path);
	return device_put(s, path, &st, access);
}

struct gt_error *gt_spec_add_host_devices(struct gt_spec *s)
{
	json_object_set_new(gt_spec_resources(s), "devices",
			    json_pack("[{s:b, s:s}]", "allow", 1, "access", "rwm"));
	return devices_walk(s, "/dev", NULL, DEVICES_DEPTH);
}

void gt_spec_set_memory_limit(struct gt_spec *s, uint64_t bytes)
{
	json_object_set_new(gt_spec_object(gt_spec_resources(s), "memory"), "limit",
			    json_integer(bytes > INT64_MAX ? INT64_MAX : (json_int_t)bytes));
}

static json_t *cpu(struct gt_spec *s)
{
	return gt_spec_object(gt_spec_resources(s), "cpu");
}

void gt_spec_set_cpu_cfs(struct gt_spec *s, int64_t quota, uint64_t period)
{
	json_object_set_new(cpu(s), "quota", json_integer(quota));
	json_object_set_new(cpu(s), "period", json_integer((json_int_t)period));
}

void gt_spec_set_cpu_burst(struct gt_spec *s, uint64_t microseconds)
{
	json_object_set_new(cpu(s), "burst",
			    json_integer(microseconds > INT64_MAX ? INT64_MAX :
								    (json_int_t)microseconds));
}

void gt_spec_set_cpu_shares(struct gt_spec *s, uint64_t shares)
{
	json_object_set_new(cpu(s), "shares", json_integer((json_int_t)shares));
}

static struct gt_error *set_cpuset(json_t *obj, const char *key, const char *list)
{
	if (!*list)
		return NULL;
	if (strspn(list, "0123456789,-") != strlen(list))
		return gt_error_new(GT_INVALID_ARGUMENT, "\"%s\" is no list of numbers", list);
	json_object_set_new(obj, key, json_string(list));
	return NULL;
}

struct gt_error *gt_spec_set_cpuset(struct gt_spec *s, const char *cpus, const char *mems)
{
	GT_TRY(set_cpuset(cpu(s), "cpus", cpus));
	return set_cpuset(cpu(s), "mems", mems);
}

struct gt_error *gt_spec_set_propagation(struct gt_spec *s, const char *mode)
{
	static const char *const modes[] = { "private", "rprivate", "shared",	  "rshared",
					     "slave",	"rslave",   "unbindable", "runbindable" };

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (!strcmp(mode, modes[i])) {
			json_object_set_new(gt_spec_linux(s), "rootfsPropagation",
					    json_string(mode));
			return NULL;
		}
	}
	return gt_error_new(GT_INVALID_ARGUMENT, "\"%s\" is no way of propagation", mode);
}

struct gt_error *gt_spec_set_rdt(struct gt_spec *s, const char *class_name)
{
	/* It becomes the name of a folder. */
	if (!*class_name || strchr(class_name, '/') || !strcmp(class_name, ".") ||
	    !strcmp(class_name, ".."))
		return gt_error_new(GT_INVALID_ARGUMENT, "RDT class \"%s\" is no name of a folder",
				    class_name);
	return set_text(gt_spec_object(gt_spec_linux(s), "intelRdt"), "closID", "RDT class",
			class_name);
}

static struct gt_error *put_texts(json_t *obj, const char *key, const struct gt_strv *list)
{
	for (size_t i = 0; i < list->n; i++) {
		json_t *j;

		GT_TRY(gt_spec_text("hook", list->v[i], &j));
		json_array_append_new(gt_spec_array(obj, key), j);
	}
	return NULL;
}

struct gt_error *gt_spec_add_hook(struct gt_spec *s, const char *when, const char *path,
				  const struct gt_strv *args, const struct gt_strv *env, int timeout)
{
	gt_autojson hook = json_object();

	GT_TRY(set_text(hook, "path", "hook", path));
	GT_TRY(put_texts(hook, "args", args));
	GT_TRY(put_texts(hook, "env", env));
	if (timeout)
		json_object_set_new(hook, "timeout", json_integer(timeout));
	json_array_append(gt_spec_array(gt_spec_object(s->doc, "hooks"), when), hook);
	return NULL;
}

struct gt_error *gt_spec_add_idmap(struct gt_spec *s, bool group, uint32_t container, uint32_t host,
				   uint32_t length)
{
	if (!length || (uint64_t)container + length > UINT32_MAX ||
	    (uint64_t)host + length > UINT32_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "id mapping %u:%u:%u is out of range",
				    container, host, length);
	GT_TRY(gt_spec_set_namespace(s, "user", NULL));
	json_array_append_new(gt_spec_array(gt_spec_linux(s),
					    group ? "gidMappings" : "uidMappings"),
			      json_pack("{s:I, s:I, s:I}", "containerID", (json_int_t)container,
					"hostID", (json_int_t)host, "size", (json_int_t)length));
	return NULL;
}
