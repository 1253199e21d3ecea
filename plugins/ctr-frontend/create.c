/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "create.h"

#include "commands.h"
#include "format.h"
#include "lookup.h"

#include <gantry/file.h>

#include <fcntl.h>
#include <string.h>

#define FILE_MAX (4 * 1024 * 1024) /* of --env-file, --config, --seccomp-profile */

const struct ctr_flag ctr_container_flags[] = {
	{ .name = "config",
	  .alias = "c",
	  .type = CTR_STRING,
	  .text = "take the whole runtime document from that file; only the id is given then" },
	{ .name = "cwd", .type = CTR_STRING, .text = "working folder of the process" },
	{ .name = "env", .type = CTR_LIST, .text = "set `NAME=VALUE` in the environment" },
	{ .name = "env-file",
	  .type = CTR_STRING,
	  .text = "set variables from a file with one NAME=VALUE a line" },
	{ .name = "label", .type = CTR_LIST, .text = "label `KEY=VALUE` for the container" },
	{ .name = "annotation",
	  .type = CTR_LIST,
	  .text = "annotation `KEY=VALUE` for the runtime document" },
	{ .name = "mount",
	  .type = CTR_LIST,
	  .text = "mount in the container: type=bind,src=/tmp,dst=/host,options=rbind:ro" },
	{ .name = "net-host", .type = CTR_BOOL, .text = "use the host's network" },
	{ .name = "privileged",
	  .type = CTR_BOOL,
	  .text = "all capabilities and devices, nothing masked" },
	{ .name = "read-only", .type = CTR_BOOL, .text = "make the root file system read-only" },
	{ .name = "runtime",
	  .type = CTR_STRING,
	  .text = "runtime to use; empty: the default, io.containerd.runc.v2" },
	{ .name = "runc-binary", .type = CTR_STRING, .text = "OCI runtime program to use" },
	{ .name = "runc-root", .type = CTR_STRING, .text = "that program's state folder" },
	{ .name = "runc-systemd-cgroup",
	  .type = CTR_BOOL,
	  .text = "have that program make cgroups through systemd" },
	{ .name = "runtime-config-path",
	  .type = CTR_STRING,
	  .text = "configuration of a runtime other than runc" },
	{ .name = "sandbox", .type = CTR_STRING, .text = "id of the sandbox that it belongs to" },
	{ .name = "tty", .alias = "t", .type = CTR_BOOL, .text = "give the process a terminal" },
	{ .name = "with-ns",
	  .type = CTR_LIST,
	  .text = "join a namespace: `TYPE:PATH`, TYPE being pid, network, uts, mount, user, ipc "
		  "or cgroup" },
	{ .name = "pid-file", .type = CTR_STRING, .text = "file to write the process's pid to" },
	{ .name = "allow-new-privs",
	  .type = CTR_BOOL,
	  .text = "let the process gain privileges by programs that are setuid" },
	{ .name = "memory-limit", .type = CTR_UINT, .text = "bytes of memory; 0: no limit" },
	{ .name = "cap-add",
	  .type = CTR_LIST,
	  .bits = CTR_COMMAS,
	  .text = "add a capability, written with CAP_ before it" },
	{ .name = "cap-drop",
	  .type = CTR_LIST,
	  .bits = CTR_COMMAS,
	  .text = "take a capability away, written with CAP_ before it" },
	{ .name = "seccomp",
	  .type = CTR_BOOL,
	  .text = "filter system calls by the default profile, or that of --seccomp-profile" },
	{ .name = "seccomp-profile",
	  .type = CTR_STRING,
	  .text = "file with the seccomp object of a runtime document; needs --seccomp" },
	{ .name = "apparmor-default-profile",
	  .type = CTR_STRING,
	  .text = "AppArmor's default profile, under that name; loaded if it is not" },
	{ .name = "apparmor-profile",
	  .type = CTR_STRING,
	  .text = "AppArmor profile, which must be loaded" },
	{ .name = "blockio-config-file",
	  .type = CTR_STRING,
	  .text = "file that defines the classes of --blockio-class" },
	{ .name = "blockio-class", .type = CTR_STRING, .text = "class of block I/O" },
	{ .name = "rdt-class",
	  .type = CTR_STRING,
	  .text = "class of resctrl, which shares out cache and memory bandwidth" },
	{ .name = "gpus",
	  .type = CTR_LIST,
	  .bits = CTR_NUMBERS,
	  .text = "bring in an NVIDIA processor by its number; needs nvidia-container-cli" },
	{ .name = "hostname", .type = CTR_STRING, .text = "the container's host name" },
	{ .name = "user", .alias = "u", .type = CTR_STRING, .text = "`NAME|UID[:GROUP|GID]`" },
	{ .name = "rootfs",
	  .type = CTR_BOOL,
	  .text = "the first argument is a folder that holds the root file system" },
	{ .name = "cpu-quota",
	  .type = CTR_INT,
	  .value = "-1",
	  .text = "microseconds of processor time in each period" },
	{ .name = "cpu-period", .type = CTR_UINT, .text = "length of a period in microseconds" },
	{ .name = "cpu-burst",
	  .type = CTR_UINT,
	  .text = "microseconds by which a period's quota may be exceeded if earlier ones were not used up" },
	{ .name = "no-pivot", .type = CTR_BOOL, .text = "change the root by chroot, as on a ramdisk" },
	{ .name = "rootfs-propagation",
	  .type = CTR_STRING,
	  .text = "mount propagation of the root file system: private, shared or slave, or with an r before it" },
	{ .name = "device",
	  .type = CTR_LIST,
	  .text = "a device of the host, a folder of devices, or VENDOR/CLASS=NAME of CDI" },
	{ 0 },
};

struct gt_error *ctr_creation_arguments(const struct ctr *c, enum gt_class cls)
{
	bool spec = *ctr_string(c, "config");

	if (spec && ctr_n_args(c) > 1)
		return gt_error_new(cls, "with spec config file, only container id should be provided");
	if (!spec && !*ctr_arg(c, 0))
		return gt_error_new(cls, "image ref must be provided");
	if (!*ctr_arg(c, spec ? 0 : 1))
		return gt_error_new(cls, "container id must be provided");
	return NULL;
}

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

static struct gt_error *read_labels(struct ctr *c, struct gt_container_options *o)
{
	const struct gt_strv *annotations = ctr_list(c, "annotation");

	ctr_labels_parse(&o->snapshot_labels, ctr_list(c, "snapshotter-label"), "true");
	ctr_labels_parse(&o->labels, ctr_list(c, "label"), "true");
	for (size_t i = 0; i < annotations->n; i++)
		if (!strchr(annotations->v[i], '='))
			return ctr_usage_error("invalid key=value format annotation: %s",
					       annotations->v[i]);
	ctr_labels_parse(&o->annotations, annotations, "");
	return NULL;
}

static struct gt_error *check_caps(const struct gt_strv *caps)
{
	for (size_t i = 0; i < caps->n; i++)
		if (strncmp(caps->v[i], "CAP_", 4))
			return ctr_usage_error("capabilities must be specified with 'CAP_' prefix");
	return NULL;
}

static bool is_namespace(const char *s, size_t len)
{
	static const char *const types[] = { "pid", "network", "uts", "mount", "user", "ipc", "cgroup" };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strlen(types[i]) == len && !memcmp(types[i], s, len))
			return true;
	return false;
}

static struct gt_error *read_namespaces(struct ctr *c, struct ctr_creation *out)
{
	const struct gt_strv *given = ctr_list(c, "with-ns");

	out->namespaces = gt_xcalloc(given->n + 1, sizeof(*out->namespaces));
	for (size_t i = 0; i < given->n; i++) {
		const char *colon = strchr(given->v[i], ':');

		if (!colon)
			return ctr_usage_error("joining a Linux namespace using --with-ns requires the "
					       "format 'nstype:path'");
		if (!is_namespace(given->v[i], (size_t)(colon - given->v[i])))
			return ctr_usage_error("the Linux namespace type specified in --with-ns is not "
					       "valid: %.*s",
					       (int)(colon - given->v[i]), given->v[i]);
		gt_strv_add_take(&out->namespace_words,
				 gt_xstrndup(given->v[i], (size_t)(colon - given->v[i])));
		out->namespaces[i].type = out->namespace_words.v[i];
		out->namespaces[i].path = colon + 1;
	}
	out->options.namespaces = out->namespaces;
	out->options.n_namespaces = given->n;
	return NULL;
}

static struct gt_error *read_seccomp(struct ctr *c, struct ctr_creation *out)
{
	const char *file = ctr_string(c, "seccomp-profile");

	if (*file && !ctr_bool(c, "seccomp"))
		return ctr_usage_error("seccomp must be set to true, if using a custom seccomp-profile");
	if (!ctr_bool(c, "seccomp"))
		return NULL;
	out->options.seccomp = true;
	if (!*file)
		return NULL;
	GT_TRY(gt_file_read(AT_FDCWD, file, FILE_MAX, &out->seccomp));
	out->options.seccomp_profile = out->seccomp.s;
	out->options.seccomp_profile_len = out->seccomp.len;
	return NULL;
}

static struct gt_error *read_blockio(struct ctr *c, struct ctr_creation *out)
{
	const char *file = ctr_string(c, "blockio-config-file");

	out->options.blockio_class = or_null(ctr_string(c, "blockio-class"));
	if (!*file)
		return NULL;
	GT_TRY(gt_error_wrap(gt_file_read(AT_FDCWD, file, FILE_MAX, &out->blockio),
			     "blockio-config-file error"));
	out->options.blockio = out->blockio.s;
	out->options.blockio_len = out->blockio.len;
	return NULL;
}

static struct gt_error *read_files(struct ctr *c, struct ctr_creation *out)
{
	const char *spec = ctr_string(c, "config"), *env = ctr_string(c, "env-file");

	if (*spec) {
		GT_TRY(gt_error_wrap(gt_file_read(AT_FDCWD, spec, FILE_MAX, &out->spec),
				     "cannot load spec config file"));
		out->options.spec = out->spec.s;
		out->options.spec_len = out->spec.len;
	}
	if (*env) {
		GT_TRY(gt_file_read(AT_FDCWD, env, FILE_MAX, &out->env));
		out->options.env_text = out->env.s;
		out->options.env_text_len = out->env.len;
	}
	GT_TRY(read_blockio(c, out));
	return read_seccomp(c, out);
}

/* What the container is made of: an image, a folder or a document; and its id and arguments. */
static struct gt_error *read_source(struct ctr *c, struct gt_services *s, struct ctr_creation *out)
{
	struct gt_container_options *o = &out->options;

	if (o->spec) {
		o->id = ctr_arg(c, 0);
		return NULL;
	}
	o->id = ctr_arg(c, 1);
	o->args = ctr_args_from(c, 2); /* borrows: see ctr_creation_done() */
	if (ctr_bool(c, "rootfs")) {
		out->rootfs = realpath(ctr_arg(c, 0), NULL);
		if (!out->rootfs)
			return gt_error_new(GT_NOT_FOUND, "root file system %s: %m", ctr_arg(c, 0));
		o->rootfs = out->rootfs;
		return NULL;
	}
	GT_TRY(ctr_find_image(c, s, ctr_arg(c, 0), &out->image));
	o->image = out->image.name;
	return NULL;
}

/* For hooks, which a runtime starts by their path. */
static char *own_program(void)
{
	return realpath("/proc/self/exe", NULL);
}

struct gt_error *ctr_creation_read(struct ctr *c, struct gt_services *s, struct ctr_creation *out)
{
	struct gt_container_options *o = &out->options;
	const char *runtime = ctr_string(c, "runtime");

	gt_buf_init(&out->spec);
	gt_buf_init(&out->env);
	gt_buf_init(&out->seccomp);
	gt_buf_init(&out->blockio);
	o->snapshotter = ctr_snapshotter(c);
	o->runtime = or_null(runtime);
	o->runc_binary = or_null(ctr_string(c, "runc-binary"));
	o->runc_root = or_null(ctr_string(c, "runc-root"));
	o->runc_systemd_cgroup = ctr_bool(c, "runc-systemd-cgroup");
	o->runtime_config_path = or_null(ctr_string(c, "runtime-config-path"));
	o->sandbox = or_null(ctr_string(c, "sandbox"));
	o->cwd = or_null(ctr_string(c, "cwd"));
	o->user = or_null(ctr_string(c, "user"));
	o->hostname = or_null(ctr_string(c, "hostname"));
	o->env = *ctr_list(c, "env"); /* borrowed, as all lists here */
	o->mounts = *ctr_list(c, "mount");
	o->tty = ctr_bool(c, "tty");
	o->read_only = ctr_bool(c, "read-only");
	o->net_host = ctr_bool(c, "net-host");
	o->privileged = ctr_bool(c, "privileged");
	o->allow_new_privs = ctr_bool(c, "allow-new-privs");
	o->cap_add = *ctr_list(c, "cap-add");
	o->cap_drop = *ctr_list(c, "cap-drop");
	o->devices = *ctr_list(c, "device");
	o->cdi_dirs = ((const struct ctr_config *)c->init->config)->cdi_dirs;
	o->memory_limit = ctr_uint(c, "memory-limit");
	o->cpu_quota = ctr_int(c, "cpu-quota");
	o->cpu_quota_given = o->cpu_quota != -1;
	o->cpu_period = ctr_uint(c, "cpu-period");
	o->cpu_burst = ctr_uint(c, "cpu-burst");
	o->rdt_class = or_null(ctr_string(c, "rdt-class"));
	o->gpus = *ctr_list(c, "gpus");
	if (o->gpus.n)
		o->hook = out->hook = own_program();
	o->rootfs_propagation = or_null(ctr_string(c, "rootfs-propagation"));
	o->apparmor_profile = or_null(ctr_string(c, "apparmor-profile"));
	o->apparmor_default_profile = or_null(ctr_string(c, "apparmor-default-profile"));
	if (o->apparmor_profile && o->apparmor_default_profile)
		return ctr_usage_error("apparmor-profile conflicts with apparmor-default-profile");
	if ((o->runc_binary || o->runc_systemd_cgroup) && *runtime &&
	    strcmp(runtime, "io.containerd.runc.v2") && strcmp(runtime, "io.containerd.gantry.v1"))
		return ctr_usage_error("specifying runc-binary and runc-systemd-cgroup is only supported "
				       "for \"io.containerd.runc.v2\" runtime");
	GT_TRY(check_caps(&o->cap_add));
	GT_TRY(check_caps(&o->cap_drop));
	GT_TRY(read_labels(c, o));
	GT_TRY(read_namespaces(c, out));
	GT_TRY(read_files(c, out));
	return read_source(c, s, out);
}

void ctr_creation_done(struct ctr_creation *o)
{
	gt_labels_done(&o->options.snapshot_labels);
	gt_labels_done(&o->options.labels);
	gt_labels_done(&o->options.annotations);
	gt_image_done(&o->image);
	if (o->spec.s) {
		gt_buf_done(&o->spec);
		gt_buf_done(&o->env);
		gt_buf_done(&o->seccomp);
		gt_buf_done(&o->blockio);
	}
	free(o->namespaces);
	gt_strv_done(&o->namespace_words);
	free(o->uidmaps);
	free(o->gidmaps);
	free(o->hook);
	free(o->rootfs);
}

struct gt_error *ctr_write_pid(const char *path, uint32_t pid)
{
	gt_autofree char *text = NULL;

	if (!*path)
		return NULL;
	text = gt_strf("%u", pid);
	return gt_file_write(AT_FDCWD, path, text, strlen(text), 0644, false);
}
