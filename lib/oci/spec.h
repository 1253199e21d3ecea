/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime document of a container: containerd's default, and the changes that options and
 * images make to it, each as one function. A value that would end in a file of the host's or the
 * container's, or in the kernel, is refused if it holds a control character.
 */
#ifndef GANTRY_LIB_OCI_SPEC_H
#define GANTRY_LIB_OCI_SPEC_H

#include <gantry/any.h>
#include <gantry/buf.h>
#include <gantry/strv.h>

#include <oci/document.h>
#include <oci/user.h>

#define GT_TYPE_SPEC "types.containerd.io/opencontainers/runtime-spec/1/Spec"
#define GT_TYPE_PROCESS "types.containerd.io/opencontainers/runtime-spec/1/Process"
#define GT_SPEC_MAX (4 * 1024 * 1024)

struct gt_spec;

/* containerd's default for Linux; its cgroup path is "/NS/ID". */
struct gt_spec *gt_spec_new(const char *ns, const char *id);
/* containerd's for an operating system that has one of its own (windows, darwin); else NULL. */
struct gt_spec *gt_spec_new_foreign(const char *os);
/* Leave to use the devices that every container has (null, zero, tty, ...), as ctr gives it. */
void gt_spec_add_default_devices(struct gt_spec *s);
/* A document of the caller's (--config, or a record's). INVALID_ARGUMENT unless it is one. */
GT_MUST_USE struct gt_error *gt_spec_parse(const void *data, size_t len, struct gt_spec **out);
/*
 * Of such a document: INVALID_ARGUMENT for text that would end in a file of the kernel's or the host's
 * and holds a control character there, or a name that leads elsewhere (sysctls, cgroup settings,
 * devices).
 */
GT_MUST_USE struct gt_error *gt_spec_check(const struct gt_spec *s);
void gt_spec_free(struct gt_spec *s);
GT_DEFINE_AUTOPTR(gt_spec)

/* Its text; with 'indent' 0 on one line. */
void gt_spec_write(const struct gt_spec *s, int indent, struct gt_buf *out);
/* The same as the value of a container's record. */
void gt_spec_any(const struct gt_spec *s, struct gt_any *out);
/* Its `process` alone, as exec takes it. */
void gt_spec_process_any(const struct gt_spec *s, struct gt_any *out);

/*
 * What the image says of its process: environment (a PATH where it gives none), working folder,
 * entrypoint and cmd. 'args' (may be NULL or none) takes the place of cmd. The user is not set: see
 * gt_spec_set_user().
 */
GT_MUST_USE struct gt_error *gt_spec_set_image(struct gt_spec *s, const struct gt_image_config *c,
					       const struct gt_strv *args);
/* In the place of all, entrypoint included. INVALID_ARGUMENT for bytes that are not UTF-8. */
GT_MUST_USE struct gt_error *gt_spec_set_args(struct gt_spec *s, const struct gt_strv *args);
bool gt_spec_has_args(const struct gt_spec *s);
/* "K=V" replaces or adds; "K" alone removes K. */
GT_MUST_USE struct gt_error *gt_spec_add_env(struct gt_spec *s, const struct gt_strv *env);
/* Lines "K=V" of a file's text; empty lines and lines that begin with '#' are left out. */
GT_MUST_USE struct gt_error *gt_spec_add_env_text(struct gt_spec *s, const char *text, size_t len);
/* INVALID_ARGUMENT unless it is absolute. */
GT_MUST_USE struct gt_error *gt_spec_set_cwd(struct gt_spec *s, const char *cwd);
/* uid, gid and supplementary groups, the primary one among them. */
void gt_spec_set_user(struct gt_spec *s, const struct gt_user *u);
void gt_spec_set_rootfs(struct gt_spec *s, const char *path);
/* A new string; NULL where it has none. */
char *gt_spec_rootfs(const struct gt_spec *s);
void gt_spec_set_readonly(struct gt_spec *s, bool readonly);
void gt_spec_set_tty(struct gt_spec *s, bool tty); /* also TERM=xterm where none is set */
bool gt_spec_tty(const struct gt_spec *s);
GT_MUST_USE struct gt_error *gt_spec_set_hostname(struct gt_spec *s, const char *name);
GT_MUST_USE struct gt_error *gt_spec_set_annotation(struct gt_spec *s, const char *key,
						    const char *value);
/* The group that the processes go to; "" leaves it to the runtime. */
GT_MUST_USE struct gt_error *gt_spec_set_cgroup(struct gt_spec *s, const char *path);

/* ctr's CSV: "type=bind,src=/a,dst=/b,options=rbind:ro". INVALID_ARGUMENT names the bad field. */
GT_MUST_USE struct gt_error *gt_spec_add_mount_csv(struct gt_spec *s, const char *csv);
GT_MUST_USE struct gt_error *gt_spec_add_mount(struct gt_spec *s, const char *destination,
					       const char *type, const char *source,
					       const struct gt_strv *options);

/* "pid", "network", "uts", "mount", "user", "ipc", "cgroup"; "path" NULL: a fresh one. */
GT_MUST_USE struct gt_error *gt_spec_set_namespace(struct gt_spec *s, const char *type,
						   const char *path);
void gt_spec_drop_namespace(struct gt_spec *s, const char *type);
/* The host's network, with its /etc/hosts and /etc/resolv.conf. */
void gt_spec_set_host_network(struct gt_spec *s);
/* All capabilities, no masked or read-only paths, writable sysfs and cgroupfs, no seccomp. */
GT_MUST_USE struct gt_error *gt_spec_set_privileged(struct gt_spec *s);
/* Each device of the host's /dev, and leave to use all. */
GT_MUST_USE struct gt_error *gt_spec_add_host_devices(struct gt_spec *s);
/* One device node of the host, or all below a folder: "/dev/x". 'access' as "rwm". */
GT_MUST_USE struct gt_error *gt_spec_add_device(struct gt_spec *s, const char *path,
						const char *access);
/* Whether a device is named by the Container Device Interface: "vendor.com/class=name". */
bool gt_spec_is_cdi(const char *name);
/*
 * What the JSON and YAML files in 'dirs' say of the devices 'names'; of two folders with one device the
 * later goes before. NOT_FOUND for a device that none has, FAILED_PRECONDITION for one that two files of
 * a folder have, UNIMPLEMENTED for edits that are not known. Which files are wrong, and why, is added to
 * 'ignored'.
 */
GT_MUST_USE struct gt_error *gt_spec_add_cdi(struct gt_spec *s, const struct gt_strv *dirs,
					     const struct gt_strv *names, struct gt_strv *ignored);
/*
 * "CAP_X". INVALID_ARGUMENT "capabilities must be specified with 'CAP_' prefix" / for unknown ones.
 */
GT_MUST_USE struct gt_error *gt_spec_add_caps(struct gt_spec *s, const struct gt_strv *caps);
GT_MUST_USE struct gt_error *gt_spec_drop_caps(struct gt_spec *s, const struct gt_strv *caps);
void gt_spec_set_new_privileges(struct gt_spec *s, bool allow);
void gt_spec_set_memory_limit(struct gt_spec *s, uint64_t bytes);
void gt_spec_set_cpu_cfs(struct gt_spec *s, int64_t quota, uint64_t period);
void gt_spec_set_cpu_burst(struct gt_spec *s, uint64_t microseconds);
void gt_spec_set_cpu_shares(struct gt_spec *s, uint64_t shares);
/* "0-3,5" as the kernel takes it. "" leaves it. */
GT_MUST_USE struct gt_error *gt_spec_set_cpuset(struct gt_spec *s, const char *cpus,
						const char *mems);
/* "RLIMIT_NOFILE"; replaces the one of that type. */
GT_MUST_USE struct gt_error *gt_spec_set_rlimit(struct gt_spec *s, const char *type, uint64_t soft,
						uint64_t hard);
/* "private", "shared", "slave", with or without "r" before it. */
GT_MUST_USE struct gt_error *gt_spec_set_propagation(struct gt_spec *s, const char *mode);
/* The class of resctrl (cache and memory bandwidth) that the container belongs to: one name. */
GT_MUST_USE struct gt_error *gt_spec_set_rdt(struct gt_spec *s, const char *class_name);
/*
 * A class of a blockio configuration (YAML: classes of weights and limits by device patterns), as
 * resources. INVALID_ARGUMENT says what is wrong in the text; NOT_FOUND where it has no such class.
 * What matches no block device of this machine is left out, and why is added to 'ignored'.
 */
GT_MUST_USE struct gt_error *gt_spec_set_blockio(struct gt_spec *s, const void *config, size_t len,
						 const char *class_name, struct gt_strv *ignored);
/*
 * A program that the runtime runs, by its absolute path: "prestart" when the namespaces are there and
 * before the process, and so on. 'timeout' in seconds, 0: none.
 */
GT_MUST_USE struct gt_error *gt_spec_add_hook(struct gt_spec *s, const char *when, const char *path,
					      const struct gt_strv *args, const struct gt_strv *env,
					      int timeout);
/* containerd's default profile, for the bounding capabilities that the spec has now. */
void gt_spec_set_default_seccomp(struct gt_spec *s);
/* A seccomp profile, the OCI object's text, in the place of what is there. */
GT_MUST_USE struct gt_error *gt_spec_set_seccomp(struct gt_spec *s, const void *json, size_t len);
void gt_spec_set_apparmor(struct gt_spec *s, const char *profile);
/* Adds a user namespace of one mapping each; numbers in range or INVALID_ARGUMENT. */
GT_MUST_USE struct gt_error *gt_spec_add_idmap(struct gt_spec *s, bool group, uint32_t container,
					       uint32_t host, uint32_t length);

/* A copy of its process with other arguments, for exec. INVALID_ARGUMENT if it has none. */
GT_MUST_USE struct gt_error *gt_spec_exec(const struct gt_spec *s, const struct gt_strv *args,
					  struct gt_spec **out);

#endif
