/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/container-spec.h>

#include <gantry/log.h>

#include <client/apparmor.h>
#include <client/gpu.h>
#include <client/idmap.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define CFS_PERIOD 100000
#define CPUS_MAX 1000000.0

static struct gt_error *set_user(struct gt_spec *s, const struct gt_container_options *o,
				 const struct gt_image_config *image, int root)
{
	gt_auto(gt_user) u = { 0 };

	if (o->user)
		GT_TRY(gt_user_resolve(o->user, root, &u));
	else
		GT_TRY(gt_user_resolve_image(image->user, root, &u));
	gt_spec_set_user(s, &u);
	return NULL;
}

static struct gt_error *set_process(struct gt_spec *s, const struct gt_container_options *o,
				    const struct gt_image_config *image, int root)
{
	if (image)
		GT_TRY(gt_spec_set_image(s, image, NULL));
	if (o->args.n)
		GT_TRY(gt_spec_set_args(s, &o->args));
	if (!gt_spec_has_args(s))
		return gt_error_new(GT_INVALID_ARGUMENT, "no arguments specified");
	if (o->env_text)
		GT_TRY(gt_spec_add_env_text(s, o->env_text, o->env_text_len));
	GT_TRY(gt_spec_add_env(s, &o->env));
	if (o->cwd)
		GT_TRY(gt_spec_set_cwd(s, o->cwd));
	if (o->user || image)
		GT_TRY(set_user(s, o, image, root));
	if (o->tty)
		gt_spec_set_tty(s, true);
	return NULL;
}

static struct gt_error *set_apparmor(const struct gt_call *call, struct gt_spec *s,
				     const struct gt_container_options *o)
{
	if (o->apparmor_default_profile) {
		GT_TRY(gt_apparmor_load_default(call, o->apparmor_default_profile));
		gt_spec_set_apparmor(s, o->apparmor_default_profile);
	}
	if (o->apparmor_profile)
		gt_spec_set_apparmor(s, o->apparmor_profile);
	return NULL;
}

static struct gt_error *set_privileges(const struct gt_call *call, struct gt_spec *s,
				       const struct gt_container_options *o)
{
	if (o->privileged) {
		GT_TRY(gt_spec_set_privileged(s));
		if (!o->privileged_without_host_devices)
			GT_TRY(gt_spec_add_host_devices(s));
	}
	GT_TRY(gt_spec_add_caps(s, &o->cap_add));
	GT_TRY(gt_spec_drop_caps(s, &o->cap_drop));
	if (o->allow_new_privs)
		gt_spec_set_new_privileges(s, true);
	if (o->seccomp_profile)
		GT_TRY(gt_spec_set_seccomp(s, o->seccomp_profile, o->seccomp_profile_len));
	else if (o->seccomp)
		gt_spec_set_default_seccomp(s);
	return set_apparmor(call, s, o);
}

static struct gt_error *set_network(struct gt_spec *s, const struct gt_container_options *o)
{
	gt_auto(gt_strv) env = { 0 };
	char name[256] = "";

	if (!o->net_host)
		return NULL;
	gt_spec_set_host_network(s);
	if (gethostname(name, sizeof(name) - 1) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "read host name");
	gt_strv_addf(&env, "HOSTNAME=%s", name);
	return gt_spec_add_env(s, &env);
}

/* "SOFT:HARD" */
static struct gt_error *set_nofile(struct gt_spec *s, const char *text)
{
	unsigned long long soft, hard;
	int end = 0;

	if (strspn(text, "0123456789:") != strlen(text) || strlen(text) > 40 ||
	    sscanf(text, "%llu:%llu%n", &soft, &hard, &end) != 2 || text[end])
		return gt_error_new(GT_INVALID_ARGUMENT, "\"%s\" is not SOFT:HARD", text);
	return gt_spec_set_rlimit(s, "RLIMIT_NOFILE", soft, hard);
}

/* CDI's last, as they may take the place of a path's. */
static struct gt_error *set_devices(struct gt_spec *s, const struct gt_container_options *o)
{
	gt_auto(gt_strv) cdi = { 0 };
	gt_auto(gt_strv) ignored = { 0 };
	struct gt_error *e;

	for (size_t i = 0; i < o->devices.n; i++) {
		if (gt_spec_is_cdi(o->devices.v[i]))
			gt_strv_add(&cdi, o->devices.v[i]);
		else
			GT_TRY(gt_spec_add_device(s, o->devices.v[i], "rwm"));
	}
	e = gt_spec_add_cdi(s, &o->cdi_dirs, &cdi, &ignored);
	for (size_t i = 0; i < ignored.n; i++)
		gt_log_warn("CDI: left out: %s", ignored.v[i]);
	return e;
}

static struct gt_error *set_resources(struct gt_spec *s, const struct gt_container_options *o)
{
	if (o->memory_limit)
		gt_spec_set_memory_limit(s, o->memory_limit);
	if (o->cpus > 0) {
		if (!(o->cpus < CPUS_MAX))
			return gt_error_new(GT_INVALID_ARGUMENT, "%g cpus are too many", o->cpus);
		gt_spec_set_cpu_cfs(s, (int64_t)(o->cpus * CFS_PERIOD), CFS_PERIOD);
	} else if (o->cpu_quota_given || o->cpu_quota > 0 || o->cpu_period) {
		gt_spec_set_cpu_cfs(s, o->cpu_quota, o->cpu_period);
	}
	if (o->cpu_burst)
		gt_spec_set_cpu_burst(s, o->cpu_burst);
	if (o->cpu_shares)
		gt_spec_set_cpu_shares(s, o->cpu_shares);
	if (o->cpuset_cpus || o->cpuset_mems)
		GT_TRY(gt_spec_set_cpuset(s, o->cpuset_cpus ? o->cpuset_cpus : "",
					  o->cpuset_mems ? o->cpuset_mems : ""));
	if (o->rlimit_nofile)
		GT_TRY(set_nofile(s, o->rlimit_nofile));
	if (o->cgroup)
		GT_TRY(gt_spec_set_cgroup(s, o->cgroup));
	return set_devices(s, o);
}

static struct gt_error *set_blockio(struct gt_spec *s, const struct gt_container_options *o)
{
	gt_auto(gt_strv) ignored = { 0 };

	if (!o->blockio_class)
		return NULL;
	GT_TRY(gt_error_wrap(gt_spec_set_blockio(s, o->blockio ? o->blockio : "", o->blockio_len,
						 o->blockio_class, &ignored),
			     "blockio-class error"));
	for (size_t i = 0; i < ignored.n; i++)
		gt_log_warn("blockio class %s: %s", o->blockio_class, ignored.v[i]);
	return NULL;
}

/* What steers hardware: classes of the processor's cache and of disks, graphics processors. */
static struct gt_error *set_hardware(struct gt_spec *s, const struct gt_container_options *o)
{
	if (o->gpus.n && !o->hook)
		return gt_error_new(GT_INVALID_ARGUMENT, "no program to start hooks with");
	if (o->gpus.n)
		GT_TRY(gt_gpu_add(s, o->hook, &o->gpus));
	GT_TRY(set_blockio(s, o));
	if (!o->rdt_class)
		return NULL;
	GT_TRY(gt_spec_set_rdt(s, o->rdt_class));
	/* Runtimes leave it out where there is none, as if nobody had asked. */
	if (access("/sys/fs/resctrl/schemata", F_OK) < 0)
		gt_log_warn("RDT class %s: no resctrl is mounted at /sys/fs/resctrl", o->rdt_class);
	return NULL;
}

static struct gt_error *set_rest(struct gt_spec *s, const struct gt_container_options *o)
{
	for (size_t i = 0; i < o->mounts.n; i++)
		GT_TRY(gt_spec_add_mount_csv(s, o->mounts.v[i]));
	if (o->read_only)
		gt_spec_set_readonly(s, true);
	if (o->hostname)
		GT_TRY(gt_spec_set_hostname(s, o->hostname));
	if (o->rootfs_propagation)
		GT_TRY(gt_spec_set_propagation(s, o->rootfs_propagation));
	for (size_t i = 0; i < o->n_namespaces; i++)
		GT_TRY(gt_spec_set_namespace(s, o->namespaces[i].type, o->namespaces[i].path));
	return set_hardware(s, o);
}

static struct gt_error *set_annotations(struct gt_spec *s, const struct gt_labels *l)
{
	for (size_t i = 0; i < l->n; i++)
		GT_TRY(gt_spec_set_annotation(s, l->v[i].key, l->v[i].value));
	return NULL;
}

/* A folder of the host as root; users are looked up below it. */
static struct gt_error *set_rootfs(struct gt_spec *s, const char *path, int *fd)
{
	gt_autofree char *whole = realpath(path, NULL);

	if (!whole)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : GT_INVALID_ARGUMENT, errno,
				      "root folder %s", path);
	*fd = open(whole, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return gt_error_errno(GT_INVALID_ARGUMENT, errno, "root folder %s", whole);
	gt_spec_set_rootfs(s, whole);
	return NULL;
}

struct gt_error *gt_container_spec_make(const struct gt_call *call,
					const struct gt_container_options *o,
					const struct gt_image_config *image, int root,
					struct gt_spec **out)
{
	gt_autoptr(gt_spec) s = NULL;
	gt_autofd int own = -1;

	if (o->spec) {
		GT_TRY(gt_spec_parse(o->spec, o->spec_len, &s));
		GT_TRY(gt_spec_check(s));
	} else {
		GT_TRY(gt_call_namespace(call));
		s = gt_spec_new(call->ns, o->id);
		gt_spec_add_default_devices(s);
		if (o->rootfs)
			GT_TRY(set_rootfs(s, o->rootfs, &own));
		GT_TRY(set_process(s, o, image, o->rootfs ? own : root));
		GT_TRY(gt_idmaps_put(s, o));
		GT_TRY(set_rest(s, o));
		GT_TRY(set_privileges(call, s, o));
		GT_TRY(set_network(s, o));
		GT_TRY(set_resources(s, o));
		GT_TRY(set_annotations(s, &o->annotations));
	}
	GT_TRY(set_annotations(s, &o->labels));
	*out = gt_steal(&s);
	return NULL;
}
