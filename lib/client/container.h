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
	struct gt_strv devices;
	uint64_t memory_limit; /* 0: none */
	double cpus; /* 0: not set; excludes quota and period */
	int64_t cpu_quota; /* 0 or -1: none */
	uint64_t cpu_period;
	uint64_t cpu_shares; /* 0: none */
	const char *cpuset_cpus;
	const char *cpuset_mems;
	const char *rlimit_nofile; /* "SOFT:HARD" */
	const char *cgroup; /* NULL: "/NS/ID"; "": none */
	const char *rootfs_propagation;
	const char *seccomp_profile; /* text; NULL: none */
	size_t seccomp_profile_len;
	const char *apparmor_profile;
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

/* The signal that the container's label asks for; SIGTERM where it does not. */
GT_MUST_USE struct gt_error *gt_container_stop_signal(const struct gt_container *c, int *out);

/* "SIGTERM", "TERM", "15", "RTMIN+3"; INVALID_ARGUMENT for anything else. */
GT_MUST_USE struct gt_error *gt_signal_parse(const char *s, int *out);

#endif
