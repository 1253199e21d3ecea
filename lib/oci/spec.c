/* SPDX-License-Identifier: Apache-2.0 */
/* The document: containerd's default, reading and writing. */
#include <config.h>

#include <oci/spec.h>

#include <oci/json.h>
#include <oci/spec-private.h>

#include <string.h>

#define OCI_VERSION "1.0.2-dev"

struct default_mount {
	const char *destination, *type, *source;
	const char *options[7];
};

static const struct default_mount default_mounts[] = {
	{ "/proc", "proc", "proc", { "nosuid", "noexec", "nodev" } },
	{ "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
	{ "/dev/pts",
	  "devpts",
	  "devpts",
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
	{ "/dev/shm", "tmpfs", "shm", { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } },
	{ "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
	{ "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
	{ "/run", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
};

static const char *const default_caps[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
	"CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
	"CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
};

static const char *const default_namespaces[] = { "pid", "ipc", "uts", "mount", "network" };

/* containerd 1.6's list, and powercap, whose counters tell one container what another computes. */
static const char *const masked_paths[] = {
	"/proc/acpi",	      "/proc/asound",	   "/proc/kcore",      "/proc/keys",
	"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
	"/sys/firmware",      "/proc/scsi",	   "/sys/devices/virtual/powercap",
};

static const char *const readonly_paths[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					      "/proc/sysrq-trigger" };

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* Character devices that every container may use; minor -1: any. */
static const struct {
	int major, minor;
} default_devices[] = {
	{ 1, 3 }, { 1, 8 }, { 1, 7 }, { 5, 0 }, { 1, 5 }, { 1, 9 }, { 5, 1 }, { 136, -1 }, { 5, 2 },
};

json_t *gt_spec_object(json_t *j, const char *key)
{
	json_t *o = json_object_get(j, key);

	if (!json_is_object(o)) {
		o = json_object();
		json_object_set_new(j, key, o);
	}
	return o;
}

json_t *gt_spec_array(json_t *j, const char *key)
{
	json_t *a = json_object_get(j, key);

	if (!json_is_array(a)) {
		a = json_array();
		json_object_set_new(j, key, a);
	}
	return a;
}

json_t *gt_spec_process(const struct gt_spec *s)
{
	return gt_spec_object(s->doc, "process");
}

json_t *gt_spec_linux(const struct gt_spec *s)
{
	return gt_spec_object(s->doc, "linux");
}

json_t *gt_spec_resources(const struct gt_spec *s)
{
	return gt_spec_object(gt_spec_linux(s), "resources");
}

static json_t *strings(const char *const *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n && v[i]; i++)
		json_array_append_new(a, json_string(v[i]));
	return a;
}

void gt_spec_put_caps(const struct gt_spec *s, json_t *caps)
{
	json_t *set = gt_spec_object(gt_spec_process(s), "capabilities");

	json_object_set_new(set, "bounding", json_deep_copy(caps));
	json_object_set_new(set, "effective", json_deep_copy(caps));
	json_object_set_new(set, "permitted", caps);
}

static json_t *default_process(void)
{
	return json_pack("{s:{s:i,s:i}, s:s}", "user", "uid", 0, "gid", 0, "cwd", "/");
}

static json_t *default_mount_list(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < COUNT(default_mounts); i++) {
		const struct default_mount *m = &default_mounts[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:o}", "destination",
						m->destination, "type", m->type, "source",
						m->source, "options",
						strings(m->options, COUNT(m->options))));
	}
	return list;
}

static json_t *no_devices(void)
{
	return json_pack("[{s:b, s:s}]", "allow", 0, "access", "rwm");
}

void gt_spec_add_default_devices(struct gt_spec *s)
{
	json_t *list = gt_spec_array(gt_spec_resources(s), "devices");

	for (size_t i = 0; i < COUNT(default_devices); i++) {
		json_t *rule = json_pack("{s:b, s:s, s:i}", "allow", 1, "type", "c", "major",
					 default_devices[i].major);

		if (default_devices[i].minor >= 0)
			json_object_set_new(rule, "minor", json_integer(default_devices[i].minor));
		json_object_set_new(rule, "access", json_string("rwm"));
		json_array_append_new(list, rule);
	}
}

static json_t *default_linux(const char *ns, const char *id)
{
	gt_autofree char *cgroup = gt_strf("/%s/%s", ns, id);
	json_t *namespaces = json_array();

	for (size_t i = 0; i < COUNT(default_namespaces); i++)
		json_array_append_new(namespaces,
				      json_pack("{s:s}", "type", default_namespaces[i]));
	return json_pack("{s:{s:o}, s:s, s:o, s:o, s:o}", "resources", "devices",
			 no_devices(), "cgroupsPath", cgroup, "namespaces", namespaces,
			 "maskedPaths", strings(masked_paths, COUNT(masked_paths)),
			 "readonlyPaths", strings(readonly_paths, COUNT(readonly_paths)));
}

struct gt_spec *gt_spec_new(const char *ns, const char *id)
{
	struct gt_spec *s = gt_xcalloc(1, sizeof(*s));

	s->doc = json_pack("{s:s, s:o, s:{s:s}, s:o, s:o}", "ociVersion", OCI_VERSION, "process",
			   default_process(), "root", "path", "rootfs", "mounts",
			   default_mount_list(), "linux", default_linux(ns, id));
	gt_spec_put_caps(s, strings(default_caps, COUNT(default_caps)));
	json_object_set_new(gt_spec_process(s), "rlimits",
			    json_pack("[{s:s, s:i, s:i}]", "type", "RLIMIT_NOFILE", "hard", 1024,
				      "soft", 1024));
	json_object_set_new(gt_spec_process(s), "noNewPrivileges", json_true());
	return s;
}

struct gt_spec *gt_spec_new_foreign(const char *os)
{
	bool windows = !strcmp(os, "windows");
	struct gt_spec *s;

	if (!windows && strcmp(os, "darwin"))
		return NULL;
	s = gt_xcalloc(1, sizeof(*s));
	s->doc = json_pack("{s:s, s:o, s:{s:s}}", "ociVersion", OCI_VERSION, "process",
			   default_process(), "root", "path", "");
	if (windows) {
		json_object_set_new(gt_spec_process(s), "cwd", json_string("C:\\"));
		json_object_set_new(s->doc, "windows", json_pack("{s:n}", "layerFolders"));
	}
	return s;
}

struct gt_error *gt_spec_parse(const void *data, size_t len, struct gt_spec **out)
{
	static const char what[] = "runtime spec";
	gt_autojson doc = NULL;
	json_t *part;

	GT_TRY(gt_json_parse(what, data, len, GT_SPEC_MAX, GT_DOCUMENT_DEPTH, &doc));
	if (!json_is_object(doc))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: is no object", what);
	GT_TRY(gt_json_object(what, doc, "process", &part));
	GT_TRY(gt_json_object(what, doc, "linux", &part));
	GT_TRY(gt_json_object(what, doc, "root", &part));
	*out = gt_xcalloc(1, sizeof(**out));
	(*out)->doc = json_incref(doc);
	return NULL;
}

void gt_spec_free(struct gt_spec *s)
{
	if (!s)
		return;
	json_decref(s->doc);
	free(s);
}

static int add_to_buf(const char *data, size_t len, void *arg)
{
	gt_buf_add(arg, data, len);
	return 0;
}

void gt_spec_write(const struct gt_spec *s, int indent, struct gt_buf *out)
{
	json_dump_callback(s->doc, add_to_buf, out, indent ? JSON_INDENT(indent) : JSON_COMPACT);
}

void gt_spec_any(const struct gt_spec *s, struct gt_any *out)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	gt_json_write(s->doc, &text);
	gt_any_set(out, GT_TYPE_SPEC, text.s, text.len);
}

void gt_spec_process_any(const struct gt_spec *s, struct gt_any *out)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	gt_json_write(gt_spec_process(s), &text);
	gt_any_set(out, GT_TYPE_PROCESS, text.s, text.len);
}

struct gt_error *gt_spec_text(const char *what, const char *s, json_t **out)
{
	*out = json_string(s);
	if (*out)
		return NULL;
	return gt_error_new(GT_INVALID_ARGUMENT, "%s: is not valid UTF-8", what);
}

struct gt_error *gt_spec_printable(const char *what, const char *s)
{
	for (const char *p = s; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			gt_auto(gt_buf) q = GT_BUF_INIT;

			gt_buf_addq(&q, s);
			return gt_error_new(GT_INVALID_ARGUMENT, "%s %s: has a control character",
					    what, q.s);
		}
	}
	return NULL;
}
