/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and deleting containers: a record, a snapshot for the root file system, a runtime
 * document.
 */
#ifndef GANTRY_LIB_CLIENT_CONTAINER_H
#define GANTRY_LIB_CLIENT_CONTAINER_H

#include <gantry/api-containers.h>

#include <oci/platform.h>
#include <oci/spec.h>

/* Label that keeps the signal which the image asks to be stopped with. */
#define GT_LABEL_STOP_SIGNAL "io.containerd.image.config.stop-signal"

struct gt_namespace_path {
	const char *type; /* "network" */
	const char *path;
};

/* 'length' ids from 'container' on inside are those from 'host' on outside. */
struct gt_idmap {
	uint32_t container, host, length;
};

/* All pointers may be NULL, all lists empty, unless it says otherwise. */
struct gt_container_options {
	const char *id; /* required */

	/* What it is made of: one of these three. */
	const char *image; /* name of an image; unpacked if it is not yet */
	const char *rootfs; /* folder on the host */
	const char *spec; /* a whole runtime document, text; most of the rest is not used then */
	size_t spec_len;

	const char *platform; /* of the image; NULL: the host's */
	const char *snapshotter;
	struct gt_labels snapshot_labels;
	const char *runtime; /* NULL: "io.containerd.runc.v2" */
	const char *runc_binary;
	const char *runc_root;
	bool runc_systemd_cgroup;
	const char *runtime_config_path; /* for runtimes other than runc */
	const char *sandbox;
	struct gt_labels labels; /* also become annotations, as ctr does */
	struct gt_labels annotations;

	struct gt_strv args; /* in the place of the image's entrypoint and cmd */
	const char *cwd;
	const char *user;
	const char *hostname;
	const char *env_text; /* --env-file, read by the caller */
	size_t env_text_len;
	struct gt_strv env;
	struct gt_strv mounts; /* CSV */
	bool tty;
	bool read_only;
	bool net_host;
	bool privileged;
	bool privileged_without_host_devices;
	bool allow_new_privs;
	const struct gt_namespace_path *namespaces; /* --with-ns */
	size_t n_namespaces;
	struct gt_strv cap_add;
	struct gt_strv cap_drop;
	struct gt_strv devices; /* of the host by path, or by CDI's names */
	struct gt_strv cdi_dirs; /* with CDI's files, the later ones go before */
	uint64_t memory_limit; /* 0: none */
	double cpus; /* 0: not set; excludes quota and period */
	int64_t cpu_quota; /* 0 or -1: none */
	bool cpu_quota_given; /* quota and period are set as they stand, be they 0 */
	uint64_t cpu_period;
	uint64_t cpu_burst; /* microseconds; 0: none */
	uint64_t cpu_shares; /* 0: none */
	const char *cpuset_cpus;
	const char *cpuset_mems;
	const char *rlimit_nofile; /* "SOFT:HARD" */
	const char *cgroup; /* NULL: "/NS/ID"; "": none */
	const char *rootfs_propagation;
	bool seccomp; /* containerd's default profile, unless one is given */
	const char *seccomp_profile; /* text; NULL: none */
	size_t seccomp_profile_len;
	const char *apparmor_profile;
	const char *apparmor_default_profile; /* that name for the default one; loaded if need be */
	const char *rdt_class;
	const char *blockio; /* a blockio configuration's text, of which 'blockio_class' is used */
	size_t blockio_len;
	const char *blockio_class;
	struct gt_strv gpus; /* numbers of NVIDIA devices */
	const char *hook; /* program whose `oci hook` starts hooks; needed for gpus */

	/*
	 * A user namespace, by both lists or none. The root file system is moved to these ids (by
	 * the first mapping of each) in a snapshot between the image's and the container's, or,
	 * with 'remap_labels', by the snapshotter, which is told by labels.
	 */
	const struct gt_idmap *uidmaps;
	size_t n_uidmaps;
	const struct gt_idmap *gidmaps;
	size_t n_gidmaps;
	bool remap_labels;
	struct gt_extension *extensions; /* of the record */
	size_t n_extensions;
};

/*
 * Makes the container; on an error nothing of it is left. '*out' (may be NULL) is its record.
 * NOT_FOUND for the image; ALREADY_EXISTS for id or snapshot.
 */
GT_MUST_USE struct gt_error *gt_container_new(struct gt_services *s, struct gt_call *call,
					      const struct gt_container_options *o,
					      struct gt_container *out);

/* The document that gt_container_new() would store, without making anything (--dump-config). */
GT_MUST_USE struct gt_error *gt_container_spec(struct gt_services *s, struct gt_call *call,
					       const struct gt_container_options *o,
					       struct gt_spec **out);

/*
 * Deletes the record, and its snapshot unless 'keep_snapshot'. A created or stopped task goes
 * first; FAILED_PRECONDITION "cannot delete a non stopped container: ..." for one that runs.
 * NOT_FOUND.
 */
GT_MUST_USE struct gt_error *gt_container_delete(struct gt_services *s, struct gt_call *call,
						 const char *id, bool keep_snapshot);

/*
 * The same whatever state the task is in, and whatever its shim: it is ended first. Comes to an end within
 * 10 s. NOT_FOUND if there is neither a record nor a task.
 */
GT_MUST_USE struct gt_error *gt_container_delete_forced(struct gt_services *s, struct gt_call *call,
							const char *id, bool keep_snapshot);

/* The signal that the container's label asks for; SIGTERM where it does not. */
GT_MUST_USE struct gt_error *gt_container_stop_signal(const struct gt_container *c, int *out);

/* "SIGTERM", "TERM", "15", "RTMIN+3"; INVALID_ARGUMENT for anything else. */
GT_MUST_USE struct gt_error *gt_signal_parse(const char *s, int *out);

#endif
