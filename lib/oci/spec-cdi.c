/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices by the Container Device Interface: "vendor.com/class=name" stands for what a file of the
 * machine's administrator (or of a driver) says that a container needs to use that device.
 */
#include <config.h>

#include <oci/spec.h>

#include <gantry/file.h>
#include <oci/json.h>
#include <oci/spec-private.h>
#include <oci/yaml.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define FILE_MAX (1024 * 1024)
#define FILES_MAX 1000
#define VALUES_MAX 100000
#define DEPTH 32
#define LIST_MAX 1000
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

struct file {
	char *path;
	size_t rank; /* of its folder: those of a later one go before */
	json_t *doc;
	bool used; /* what it says for all of its devices is in */
};

struct registry {
	struct file *v;
	size_t n, alloc;
	struct gt_strv *ignored;
};

static void registry_done(struct registry *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].path);
		json_decref(r->v[i].doc);
	}
	free(r->v);
}

/* A word that begins with one of 'first', has 'inner' besides, and ends with a letter or digit. */
static bool is_word(const char *s, size_t len, const char *first, const char *inner)
{
	if (!len || !strchr(first, *s))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!strchr(LETTERS DIGITS, s[i]) && !strchr(inner, s[i]))
			return false;
	return strchr(LETTERS DIGITS, s[len - 1]);
}

static bool is_kind(const char *s, size_t len)
{
	const char *slash = memchr(s, '/', len);
	size_t vendor = slash ? (size_t)(slash - s) : 0;

	return slash && is_word(s, vendor, LETTERS, "_-.") &&
	       is_word(slash + 1, len - vendor - 1, LETTERS, "_-.");
}

static bool is_device_name(const char *s)
{
	return is_word(s, strlen(s), LETTERS DIGITS, "_-.:");
}

bool gt_spec_is_cdi(const char *name)
{
	const char *eq = strchr(name, '=');

	return eq && is_kind(name, (size_t)(eq - name)) && is_device_name(eq + 1);
}

/* --- the files ----------------------------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* 0.x and 1.x: what later ones of these add is refused where it is used. */
static bool version_is_known(const char *v)
{
	return (!strncmp(v, "0.", 2) || !strncmp(v, "1.", 2)) && strspn(v, DIGITS ".") == strlen(v);
}

static struct gt_error *file_check(const char *path, const json_t *doc)
{
	const char *version = text_of(doc, "cdiVersion"), *kind = text_of(doc, "kind");
	const json_t *d;
	json_t *devices;
	size_t i;

	if (!json_is_object(doc))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: is no object", path);
	if (!version_is_known(version))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: cdiVersion \"%s\" is not known", path,
				    version);
	if (!is_kind(kind, strlen(kind)))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: kind \"%s\" is not VENDOR/CLASS", path,
				    kind);
	GT_TRY(gt_json_array(path, doc, "devices", LIST_MAX, &devices));
	json_array_foreach(devices, i, d) {
		if (!is_device_name(text_of(d, "name")))
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: device name \"%s\" is not valid",
					    path, text_of(d, "name"));
	}
	return NULL;
}

static struct gt_error *file_parse(const char *path, json_t **out)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	GT_TRY(gt_file_read(AT_FDCWD, path, FILE_MAX, &text));
	if (!strcmp(strrchr(path, '.'), ".json"))
		return gt_json_parse(path, text.s, text.len, FILE_MAX, DEPTH, out);
	return gt_yaml_parse(path, text.s, text.len, DEPTH, VALUES_MAX, out);
}

static struct gt_error *file_add(struct registry *r, const char *path, size_t rank)
{
	gt_autojson doc = NULL;

	GT_TRY(file_parse(path, &doc));
	GT_TRY(file_check(path, doc));
	GT_GROW(r->v, r->n, r->alloc);
	r->v[r->n++] = (struct file){ .path = gt_xstrdup(path), .rank = rank, .doc = json_incref(doc) };
	return NULL;
}

static int is_wanted(const struct dirent *ent)
{
	const char *dot = strrchr(ent->d_name, '.');

	return *ent->d_name != '.' && dot && (!strcmp(dot, ".json") || !strcmp(dot, ".yaml"));
}

/* A file that is wrong is told of, and stands in nobody's way. */
static void folder_add(struct registry *r, const char *dir, size_t rank)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_wanted, alphasort);

	if (n < 0 && errno != ENOENT)
		gt_strv_addf(r->ignored, "%s: %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		gt_autofree char *path = gt_strf("%s/%s", dir, names[i]->d_name);
		struct gt_error *e = r->n < FILES_MAX ? file_add(r, path, rank) : NULL;

		if (e)
			gt_strv_add(r->ignored, gt_error_text(e));
		gt_error_free(e);
		free(names[i]);
	}
	free(names);
}

/* --- what they change ------------------------------------------------------------------------ */

struct edits {
	struct gt_spec *spec;
	const char *path; /* of the file, for errors */
	bool mounts;
};

static struct gt_error *refuse(const struct edits *x, const char *what, const char *name,
			       const char *why)
{
	return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s \"%s\" %s", x->path, what, name, why);
}

/* Removes from a list of objects the one whose 'key' is that path. */
static void drop_path(json_t *list, const char *key, const char *path)
{
	for (size_t i = json_array_size(list); i-- > 0;)
		if (!strcmp(text_of(json_array_get(list, i), key), path))
			json_array_remove(list, i);
}

/* Number of a device that the file leaves to the host's node; what both say must agree. */
static struct gt_error *node_look(const struct edits *x, const json_t *n, const char *path,
				  const char **type, int64_t *major_, int64_t *minor_)
{
	const char *host = *text_of(n, "hostPath") ? text_of(n, "hostPath") : path;
	const char *have;
	struct stat st;

	if (**type && (*major_ || !strcmp(*type, "p")))
		return NULL;
	if (stat(host, &st) < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : GT_UNKNOWN, errno,
				      "%s: device %s", x->path, host);
	have = S_ISBLK(st.st_mode) ? "b" : S_ISCHR(st.st_mode) ? "c" : S_ISFIFO(st.st_mode) ? "p" : "";
	if (!*have)
		return refuse(x, "device", host, "is none");
	if (**type && strcmp(*type, have) && !(!strcmp(*type, "u") && *have == 'c'))
		return refuse(x, "device", host, "is of another type");
	if (!**type)
		*type = have;
	if (!*major_ && *have != 'p') {
		*major_ = major(st.st_rdev);
		*minor_ = minor(st.st_rdev);
	}
	return NULL;
}

/* The owner that the file names, else the process's user: it is to use the device. */
static struct gt_error *node_owner(const struct edits *x, const json_t *n, const char *key,
				   json_t *node)
{
	const json_t *user = json_object_get(gt_spec_process(x->spec), "user");
	int64_t id = -1;

	GT_TRY(gt_json_int(x->path, n, key, &id));
	if (id > UINT32_MAX)
		return refuse(x, "owner of", text_of(n, "path"), "is out of range");
	if (id < 0 && json_integer_value(json_object_get(user, key)) > 0)
		id = json_integer_value(json_object_get(user, key));
	if (id >= 0)
		json_object_set_new(node, key, json_integer(id));
	return NULL;
}

static struct gt_error *add_node(struct edits *x, const json_t *n)
{
	const char *path = text_of(n, "path"), *type = text_of(n, "type");
	const char *access = *text_of(n, "permissions") ? text_of(n, "permissions") : "rwm";
	int64_t mode = -1, major_ = 0, minor_ = 0;
	json_t *devices = gt_spec_array(gt_spec_linux(x->spec), "devices");
	gt_autojson node = NULL;

	if (*path != '/')
		return refuse(x, "device", path, "is no absolute path");
	GT_TRY(gt_spec_printable("device", path));
	if (*type && (strlen(type) != 1 || !strchr("bcup", *type)))
		return refuse(x, "device type", type, "is not b, c, u or p");
	if (strspn(access, "rwm") != strlen(access))
		return refuse(x, "permissions", access, "are not of r, w and m");
	GT_TRY(gt_json_int(x->path, n, "major", &major_));
	GT_TRY(gt_json_int(x->path, n, "minor", &minor_));
	GT_TRY(gt_json_int(x->path, n, "fileMode", &mode));
	GT_TRY(node_look(x, n, path, &type, &major_, &minor_));
	node = json_pack("{s:s, s:s}", "path", path, "type", type);
	if (*type != 'p') {
		json_object_set_new(node, "major", json_integer(major_));
		json_object_set_new(node, "minor", json_integer(minor_));
	}
	if (mode >= 0)
		json_object_set_new(node, "fileMode", json_integer(mode & 07777));
	GT_TRY(node_owner(x, n, "uid", node));
	GT_TRY(node_owner(x, n, "gid", node));
	drop_path(devices, "path", path);
	json_array_append(devices, node);
	if (*type == 'b' || *type == 'c')
		json_array_append_new(gt_spec_array(gt_spec_resources(x->spec), "devices"),
				      json_pack("{s:b, s:s, s:I, s:I, s:s}", "allow", 1, "type",
						type, "major", (json_int_t)major_, "minor",
						(json_int_t)minor_, "access", access));
	return NULL;
}

static struct gt_error *add_mount(struct edits *x, const json_t *m)
{
	gt_auto(gt_strv) options = { 0 };
	const char *to = text_of(m, "containerPath"), *from = text_of(m, "hostPath");

	if (!*from || *to != '/')
		return refuse(x, "mount to", to, "has no hostPath, or no absolute containerPath");
	GT_TRY(gt_json_strings(x->path, m, "options", LIST_MAX, &options));
	drop_path(gt_spec_array(x->spec->doc, "mounts"), "destination", to);
	x->mounts = true;
	return gt_spec_add_mount(x->spec, to, text_of(m, "type"), from, &options);
}

static struct gt_error *add_hook(struct edits *x, const json_t *h)
{
	static const char *const names[] = { "prestart",       "createRuntime", "createContainer",
					     "startContainer", "poststart",	"poststop" };
	const char *name = text_of(h, "hookName"), *path = text_of(h, "path");
	gt_auto(gt_strv) args = { 0 };
	gt_auto(gt_strv) env = { 0 };
	int64_t timeout = 0;
	size_t i = 0;

	while (i < sizeof(names) / sizeof(*names) && strcmp(name, names[i]))
		i++;
	if (i == sizeof(names) / sizeof(*names))
		return refuse(x, "hook", name, "is no kind of hook");
	if (*path != '/')
		return refuse(x, "hook", path, "is no absolute path");
	GT_TRY(gt_json_strings(x->path, h, "args", LIST_MAX, &args));
	GT_TRY(gt_json_strings(x->path, h, "env", LIST_MAX, &env));
	GT_TRY(gt_json_int(x->path, h, "timeout", &timeout));
	if (timeout < 0 || timeout > INT32_MAX)
		return refuse(x, "hook", path, "has a timeout that is out of range");
	return gt_spec_add_hook(x->spec, name, path, &args, &env, (int)timeout);
}

static struct gt_error *each(struct edits *x, const json_t *all, const char *key,
			     struct gt_error *(*fn)(struct edits *x, const json_t *item))
{
	const json_t *item;
	json_t *list;
	size_t i;

	GT_TRY(gt_json_array(x->path, all, key, LIST_MAX, &list));
	json_array_foreach(list, i, item) {
		if (!json_is_object(item))
			return refuse(x, "item of", key, "is no object");
		GT_TRY(fn(x, item));
	}
	return NULL;
}

static struct gt_error *add_rdt(struct edits *x, const json_t *rdt)
{
	json_t *out = gt_spec_object(gt_spec_linux(x->spec), "intelRdt");
	const char *key;
	const json_t *value;

	if (*text_of(rdt, "closID"))
		GT_TRY(gt_spec_set_rdt(x->spec, text_of(rdt, "closID")));
	json_object_foreach((json_t *)rdt, key, value) {
		if (!strcmp(key, "closID"))
			continue;
		if (json_is_string(value))
			GT_TRY(gt_spec_printable("intelRdt", json_string_value(value)));
		json_object_set(out, key, (json_t *)value);
	}
	return NULL;
}

static struct gt_error *add_gids(struct edits *x, const json_t *all)
{
	json_t *user = gt_spec_object(gt_spec_process(x->spec), "user");
	json_t *have = gt_spec_array(user, "additionalGids"), *list;
	const json_t *gid, *old;
	size_t i, k;

	GT_TRY(gt_json_array(x->path, all, "additionalGids", LIST_MAX, &list));
	json_array_foreach(list, i, gid) {
		bool known = !json_integer_value(gid);

		if (!json_is_integer(gid) || json_integer_value(gid) < 0 ||
		    json_integer_value(gid) > UINT32_MAX)
			return refuse(x, "item of", "additionalGids", "is no group's number");
		json_array_foreach(have, k, old)
			known = known || json_equal(old, gid);
		if (!known)
			json_array_append(have, (json_t *)gid);
	}
	return NULL;
}

static struct gt_error *apply(struct edits *x, const json_t *holder)
{
	static const char *const known[] = { "env",   "deviceNodes", "mounts",
					     "hooks", "intelRdt",    "additionalGids" };
	gt_auto(gt_strv) env = { 0 };
	json_t *all, *rdt;
	const char *key;
	const json_t *value;

	GT_TRY(gt_json_object(x->path, holder, "containerEdits", &all));
	if (!all)
		return NULL;
	json_object_foreach(all, key, value) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(*known) && strcmp(key, known[i]))
			i++;
		if (i == sizeof(known) / sizeof(*known))
			return gt_error_new(GT_UNIMPLEMENTED, "%s: containerEdits: %s is not known",
					    x->path, key);
	}
	GT_TRY(gt_json_strings(x->path, all, "env", LIST_MAX, &env));
	for (size_t i = 0; i < env.n; i++)
		if (!strchr(env.v[i], '=') || *env.v[i] == '=')
			return refuse(x, "variable", env.v[i], "is not NAME=VALUE");
	GT_TRY(gt_spec_add_env(x->spec, &env));
	GT_TRY(each(x, all, "deviceNodes", add_node));
	GT_TRY(each(x, all, "mounts", add_mount));
	GT_TRY(each(x, all, "hooks", add_hook));
	GT_TRY(gt_json_object(x->path, all, "intelRdt", &rdt));
	if (rdt)
		GT_TRY(add_rdt(x, rdt));
	return json_object_get(all, "additionalGids") ? add_gids(x, all) : NULL;
}

static size_t depth_of(const json_t *mount)
{
	size_t n = 0;

	for (const char *p = text_of(mount, "destination"); *p; p++)
		n += *p == '/' && p[1] && p[1] != '/';
	return n;
}

/* A mount below another goes after it; otherwise they stay in their order. */
static void sort_mounts(struct gt_spec *s)
{
	json_t *mounts = gt_spec_array(s->doc, "mounts");

	for (size_t i = 1; i < json_array_size(mounts); i++) {
		gt_autojson m = json_incref(json_array_get(mounts, i));
		size_t k = i;

		while (k > 0 && depth_of(json_array_get(mounts, k - 1)) > depth_of(m))
			k--;
		if (k < i) {
			json_array_remove(mounts, i);
			json_array_insert(mounts, k, m);
		}
	}
}

/* --- finding ----------------------------------------------------------------------------------- */

static const json_t *device_in(const struct file *f, const char *name)
{
	const char *kind = text_of(f->doc, "kind");
	size_t len = strlen(kind), i;
	const json_t *d;

	if (strncmp(name, kind, len) || name[len] != '=')
		return NULL;
	json_array_foreach(json_object_get(f->doc, "devices"), i, d) {
		if (!strcmp(text_of(d, "name"), name + len + 1))
			return d;
	}
	return NULL;
}

static struct gt_error *find(struct registry *r, const char *name, struct file **out,
			     const json_t **device)
{
	struct file *rival = NULL;

	*out = NULL;
	for (size_t i = 0; i < r->n; i++) {
		const json_t *d = device_in(&r->v[i], name);

		if (!d)
			continue;
		rival = *out && (*out)->rank == r->v[i].rank ? *out : NULL;
		*out = &r->v[i];
		*device = d;
	}
	if (rival)
		return gt_error_new(GT_FAILED_PRECONDITION, "CDI device %s: both %s and %s define it",
				    name, rival->path, (*out)->path);
	if (!*out)
		return gt_error_new(GT_NOT_FOUND, "unresolvable CDI devices %s", name);
	return NULL;
}

static struct gt_error *add(struct gt_spec *s, struct registry *r, const struct gt_strv *names)
{
	struct edits x = { .spec = s };

	for (size_t i = 0; i < names->n; i++) {
		const json_t *device = NULL;
		struct file *f;

		GT_TRY(find(r, names->v[i], &f, &device));
		x.path = f->path;
		if (!f->used)
			GT_TRY(apply(&x, f->doc));
		f->used = true;
		GT_TRY(apply(&x, device));
	}
	if (x.mounts)
		sort_mounts(s);
	return NULL;
}

struct gt_error *gt_spec_add_cdi(struct gt_spec *s, const struct gt_strv *dirs,
				 const struct gt_strv *names, struct gt_strv *ignored)
{
	struct registry r = { .ignored = ignored };
	struct gt_error *e;

	if (!names->n)
		return NULL;
	for (size_t i = 0; i < dirs->n; i++)
		folder_add(&r, dirs->v[i], i);
	e = gt_error_wrap(add(s, &r, names), "CDI device injection failed");
	registry_done(&r);
	return e;
}
