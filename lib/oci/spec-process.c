/* SPDX-License-Identifier: Apache-2.0 */
/* The spec's process: arguments, environment, user, capabilities, limits. */
#include <config.h>

#include <oci/spec.h>

#include <oci/json.h>
#include <oci/spec-private.h>

#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static struct gt_error *env_set(json_t *env, const char *entry)
{
	const char *eq = strchr(entry, '=');
	size_t key = eq ? (size_t)(eq - entry) : strlen(entry);
	json_t *fresh, *j;
	size_t i;

	if (!key)
		return gt_error_new(GT_INVALID_ARGUMENT, "environment variable without a name");
	GT_TRY(gt_spec_text("environment variable", entry, &fresh));
	json_array_foreach(env, i, j) {
		const char *have = json_string_value(j);

		if (!have || strncmp(have, entry, key) || have[key] != '=')
			continue;
		if (eq) {
			json_array_set_new(env, i, fresh);
		} else {
			json_array_remove(env, i);
			json_decref(fresh);
		}
		return NULL;
	}
	if (eq)
		json_array_append_new(env, fresh);
	else
		json_decref(fresh);
	return NULL;
}

static bool env_has(json_t *env, const char *key)
{
	size_t len = strlen(key);
	json_t *j;
	size_t i;

	json_array_foreach(env, i, j) {
		const char *have = json_string_value(j);

		if (have && !strncmp(have, key, len) && have[len] == '=')
			return true;
	}
	return false;
}

struct gt_error *gt_spec_add_env(struct gt_spec *s, const struct gt_strv *list)
{
	json_t *env;

	if (!list->n)
		return NULL;
	env = gt_spec_array(gt_spec_process(s), "env");
	for (size_t i = 0; i < list->n; i++)
		GT_TRY(env_set(env, list->v[i]));
	return NULL;
}

struct gt_error *gt_spec_add_env_text(struct gt_spec *s, const char *text, size_t len)
{
	gt_auto(gt_strv) list = { 0 };
	const char *p = text, *end = text + len;

	if (memchr(text, '\0', len))
		return gt_error_new(GT_INVALID_ARGUMENT, "environment file: has a NUL");
	while (p < end) {
		const char *eol = memchr(p, '\n', end - p);
		size_t n = (eol ? eol : end) - p;
		size_t shown = n && p[n - 1] == '\r' ? n - 1 : n;

		if (shown && *p != '#')
			gt_strv_add_take(&list, gt_xstrndup(p, shown));
		p += n + 1;
	}
	return gt_spec_add_env(s, &list);
}

struct gt_error *gt_spec_set_args(struct gt_spec *s, const struct gt_strv *args)
{
	gt_autojson list = json_array();

	for (size_t i = 0; i < args->n; i++) {
		json_t *j;

		GT_TRY(gt_spec_text("argument", args->v[i], &j));
		json_array_append_new(list, j);
	}
	json_object_set(gt_spec_process(s), "args", list);
	return NULL;
}

bool gt_spec_has_args(const struct gt_spec *s)
{
	return json_array_size(json_object_get(gt_spec_process(s), "args")) > 0;
}

struct gt_error *gt_spec_set_image(struct gt_spec *s, const struct gt_image_config *c,
				   const struct gt_strv *args)
{
	gt_auto(gt_strv) all = { 0 };

	gt_spec_array(gt_spec_process(s), "env");
	if (c->env.n)
		GT_TRY(gt_error_wrap(gt_spec_add_env(s, &c->env), "image config"));
	else
		GT_TRY(env_set(gt_spec_array(gt_spec_process(s), "env"), DEFAULT_PATH));
	gt_strv_addv(&all, &c->entrypoint);
	gt_strv_addv(&all, args && args->n ? args : &c->cmd);
	if (all.n)
		GT_TRY(gt_spec_set_args(s, &all));
	return gt_error_wrap(gt_spec_set_cwd(s, *c->working_dir ? c->working_dir : "/"),
			     "image config");
}

struct gt_error *gt_spec_set_cwd(struct gt_spec *s, const char *cwd)
{
	json_t *j;

	GT_TRY(gt_spec_printable("working folder", cwd));
	if (*cwd != '/')
		return gt_error_new(GT_INVALID_ARGUMENT, "working folder \"%s\" is not absolute",
				    cwd);
	GT_TRY(gt_spec_text("working folder", cwd, &j));
	json_object_set_new(gt_spec_process(s), "cwd", j);
	return NULL;
}

void gt_spec_set_user(struct gt_spec *s, const struct gt_user *u)
{
	json_t *user =
		json_pack("{s:I, s:I}", "uid", (json_int_t)u->uid, "gid", (json_int_t)u->gid);
	json_t *groups = json_array();

	for (size_t i = 0; i < u->n_groups; i++)
		json_array_append_new(groups, json_integer(u->groups[i]));
	json_object_set_new(user, "additionalGids", groups);
	json_object_set_new(gt_spec_process(s), "user", user);
}

void gt_spec_set_tty(struct gt_spec *s, bool tty)
{
	json_t *process = gt_spec_process(s);
	json_t *env = gt_spec_array(process, "env");

	if (!tty) {
		json_object_del(process, "terminal");
		return;
	}
	json_object_set_new(process, "terminal", json_true());
	if (!env_has(env, "TERM"))
		json_array_append_new(env, json_string("TERM=xterm"));
}

bool gt_spec_tty(const struct gt_spec *s)
{
	return json_is_true(json_object_get(json_object_get(s->doc, "process"), "terminal"));
}

void gt_spec_set_new_privileges(struct gt_spec *s, bool allow)
{
	if (allow)
		json_object_del(gt_spec_process(s), "noNewPrivileges");
	else
		json_object_set_new(gt_spec_process(s), "noNewPrivileges", json_true());
}

void gt_spec_set_apparmor(struct gt_spec *s, const char *profile)
{
	if (*profile)
		json_object_set_new(gt_spec_process(s), "apparmorProfile", json_string(profile));
	else
		json_object_del(gt_spec_process(s), "apparmorProfile");
}

struct gt_error *gt_spec_set_rlimit(struct gt_spec *s, const char *type, uint64_t soft,
				    uint64_t hard)
{
	json_t *list = gt_spec_array(gt_spec_process(s), "rlimits");
	json_t *j;
	size_t i;

	if (strncmp(type, "RLIMIT_", 7))
		return gt_error_new(GT_INVALID_ARGUMENT, "\"%s\" is no limit", type);
	if (soft > hard)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: soft limit above the hard one", type);
	if (hard > INT64_MAX) /* RLIM_INFINITY does not fit into jansson's numbers */
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: above %lld", type,
				    (long long)INT64_MAX);
	json_array_foreach(list, i, j) {
		const char *have = json_string_value(json_object_get(j, "type"));

		if (have && !strcmp(have, type)) {
			json_array_remove(list, i);
			break;
		}
	}
	json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "type", type, "hard",
					      (json_int_t)hard, "soft", (json_int_t)soft));
	return NULL;
}

/* By the kernel's numbers. */
static const char *const cap_names[] = {
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID",
	"SETUID", "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN",
	"NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE",
	"SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME",
	"SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
	"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
	"PERFMON", "BPF", "CHECKPOINT_RESTORE",
};

#define N_CAPS (sizeof(cap_names) / sizeof(*cap_names))

static struct gt_error *cap_check(const char *cap)
{
	if (strncmp(cap, "CAP_", 4))
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "capabilities must be specified with 'CAP_' prefix");
	for (size_t i = 0; i < N_CAPS; i++) {
		if (!strcmp(cap + 4, cap_names[i]))
			return NULL;
	}
	return gt_error_new(GT_INVALID_ARGUMENT, "unknown capability \"%s\"", cap);
}

static const char *const cap_sets[] = { "bounding", "effective", "permitted" };

static bool cap_has(const json_t *list, const char *cap)
{
	const json_t *j;
	size_t i;

	json_array_foreach(list, i, j) {
		if (json_is_string(j) && !strcmp(json_string_value(j), cap))
			return true;
	}
	return false;
}

static void cap_remove(json_t *list, const char *cap)
{
	for (size_t i = json_array_size(list); i-- > 0;) {
		const char *have = json_string_value(json_array_get(list, i));

		if (have && !strcmp(have, cap))
			json_array_remove(list, i);
	}
}

static struct gt_error *caps_change(struct gt_spec *s, const struct gt_strv *caps, bool add)
{
	json_t *sets = gt_spec_object(gt_spec_process(s), "capabilities");

	for (size_t i = 0; i < caps->n; i++) {
		GT_TRY(cap_check(caps->v[i]));
		for (size_t k = 0; k < sizeof(cap_sets) / sizeof(*cap_sets); k++) {
			json_t *list = gt_spec_array(sets, cap_sets[k]);

			if (add && !cap_has(list, caps->v[i]))
				json_array_append_new(list, json_string(caps->v[i]));
			if (!add)
				cap_remove(list, caps->v[i]);
			if (!json_array_size(list))
				json_object_del(sets, cap_sets[k]);
		}
	}
	return NULL;
}

struct gt_error *gt_spec_add_caps(struct gt_spec *s, const struct gt_strv *caps)
{
	return caps_change(s, caps, true);
}

struct gt_error *gt_spec_drop_caps(struct gt_spec *s, const struct gt_strv *caps)
{
	return caps_change(s, caps, false);
}

/*
 * Those that this process has: a container can have no more, and the kernel may know fewer names.
 */
static struct gt_error *caps_current(json_t **out)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return gt_error_new(GT_UNKNOWN, "read this process's capabilities");
	*out = json_array();
	for (size_t i = 0; i < N_CAPS; i++) {
		gt_autofree char *name = gt_strf("CAP_%s", cap_names[i]);

		if (data[i / 32].effective & (1u << (i % 32)))
			json_array_append_new(*out, json_string(name));
	}
	return NULL;
}

struct gt_error *gt_spec_set_privileged(struct gt_spec *s)
{
	json_t *caps = NULL, *mounts = gt_spec_array(s->doc, "mounts"), *j;
	size_t i;

	GT_TRY(caps_current(&caps));
	gt_spec_put_caps(s, caps);
	json_object_del(gt_spec_linux(s), "maskedPaths");
	json_object_del(gt_spec_linux(s), "readonlyPaths");
	json_object_del(gt_spec_linux(s), "seccomp");
	json_object_del(gt_spec_process(s), "apparmorProfile");
	json_object_del(gt_spec_process(s), "selinuxLabel");
	json_array_foreach(mounts, i, j) {
		const char *type = json_string_value(json_object_get(j, "type"));
		json_t *options = json_object_get(j, "options"), *o;
		size_t k;

		if (!type || (strcmp(type, "sysfs") && strcmp(type, "cgroup")))
			continue;
		json_array_foreach(options, k, o) {
			if (json_is_string(o) && !strcmp(json_string_value(o), "ro"))
				json_array_set_new(options, k, json_string("rw"));
		}
	}
	return NULL;
}

struct gt_error *gt_spec_exec(const struct gt_spec *s, const struct gt_strv *args,
			      struct gt_spec **out)
{
	const json_t *process = json_object_get(s->doc, "process");
	gt_autoptr(gt_spec) e = NULL;

	if (!process)
		return gt_error_new(GT_INVALID_ARGUMENT, "the container's spec has no process");
	e = gt_xcalloc(1, sizeof(*e));
	e->doc = json_object();
	json_object_set_new(e->doc, "process", json_deep_copy(process));
	json_object_del(gt_spec_process(e), "terminal");
	GT_TRY(gt_spec_set_args(e, args));
	*out = gt_steal(&e);
	return NULL;
}
