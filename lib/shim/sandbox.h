/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sandboxes that a shim holds: the client's side of containerd.runtime.sandbox.v1. A sandbox is a shim
 * started for it before its first task; tasks that name it are attached to that shim.
 *
 * Bundles and connections are those of a struct gt_shim_runtime whose settings.folder is
 * GT_SHIM_SANDBOXES and whose settings.max_version is 3; gt_shim_runtime_init() and _done() begin and end
 * it as for tasks. Any thread. Errors of all but create: NOT_FOUND "sandbox ID not found"; UNAVAILABLE if
 * its shim does not answer; the shim's own class and text otherwise.
 */
#ifndef GANTRY_LIB_SHIM_SANDBOX_H
#define GANTRY_LIB_SHIM_SANDBOX_H

#include <shim/endpoint.h>
#include <shim/runtime.h>

#define GT_SHIM_SANDBOXES "io.containerd.sandbox.controller.v1.shim"

struct gt_shim_sandbox_create {
	const char *id;
	const char *program; /* the shim's, absolute: of gt_shim_program() */
	const struct gt_any *spec; /* config.json of the sandbox's bundle; NULL: none */
	const struct gt_any *start; /* to the program's stdin; NULL: nothing */
	const struct gt_any *options; /* into the request; NULL: none */
	const struct gt_mounts *rootfs; /* NULL: none */
	const char *netns; /* path of a network namespace; NULL: none */
	const struct gt_labels *annotations; /* NULL: none */
};

/* ALREADY_EXISTS "sandbox ID". On error nothing is left. What a dead process left goes first. */
GT_MUST_USE struct gt_error *gt_shim_sandbox_create(struct gt_shim_runtime *r, struct gt_call *call,
						    const struct gt_shim_sandbox_create *req);

struct gt_shim_sandbox_start {
	uint32_t pid;
	struct timespec created_at;
	struct gt_any spec; /* where the shim tells one */
};
void gt_shim_sandbox_start_done(struct gt_shim_sandbox_start *s);
GT_MUST_USE struct gt_error *gt_shim_sandbox_start(struct gt_shim_runtime *r, struct gt_call *call,
						   const char *id,
						   struct gt_shim_sandbox_start *out);

/* Strings are the caller's. */
GT_MUST_USE struct gt_error *gt_shim_sandbox_platform(struct gt_shim_runtime *r,
						      struct gt_call *call, const char *id,
						      char **os, char **arch, char **variant);

/* Ends what runs in it: with SIGTERM, and after 'seconds' with SIGKILL. Fine if it has been stopped. */
GT_MUST_USE struct gt_error *gt_shim_sandbox_stop(struct gt_shim_runtime *r, struct gt_call *call,
						  const char *id, uint32_t seconds);

/* Arranges for 'fn' to be called when it is stopped, or with an error. Does not block. */
GT_MUST_USE struct gt_error *gt_shim_sandbox_wait(struct gt_shim_runtime *r, struct gt_call *call,
						  const char *id, gt_wait_fn *fn, void *arg);

struct gt_shim_sandbox_status {
	char *id;
	uint32_t pid;
	char *state; /* "SANDBOX_READY" or "SANDBOX_NOTREADY" of Gantry's shim */
	struct gt_labels info; /* only if asked for */
	struct timespec created_at, exited_at; /* both 0: not yet */
	struct gt_any extra;
};
void gt_shim_sandbox_status_done(struct gt_shim_sandbox_status *s);
GT_MUST_USE struct gt_error *gt_shim_sandbox_status(struct gt_shim_runtime *r, struct gt_call *call,
						    const char *id, bool verbose,
						    struct gt_shim_sandbox_status *out);

GT_MUST_USE struct gt_error *gt_shim_sandbox_ping(struct gt_shim_runtime *r, struct gt_call *call,
						  const char *id);

/* io.containerd.cgroups.v1.Metrics or .v2.Metrics, and when they were true. */
GT_MUST_USE struct gt_error *gt_shim_sandbox_metrics(struct gt_shim_runtime *r,
						     struct gt_call *call, const char *id,
						     struct timespec *at, struct gt_any *out);

/*
 * Ends the sandbox and its shim and deletes its bundle. FAILED_PRECONDITION while it has tasks that are
 * not deleted, if the shim is alive; what a dead one left goes in any case.
 */
GT_MUST_USE struct gt_error *gt_shim_sandbox_shutdown(struct gt_shim_runtime *r,
						      struct gt_call *call, const char *id);

/* Where its shim is, for tasks; and for who is told of it. From the bundle: asks nobody. */
GT_MUST_USE struct gt_error *gt_shim_sandbox_endpoint(const struct gt_bundles *all, const char *ns,
						      const char *id, struct gt_shim_endpoint *out);

/* Calls 'fn' for each that has a bundle, in the call's namespace or in all. */
GT_MUST_USE struct gt_error *gt_shim_sandbox_walk(struct gt_shim_runtime *r, struct gt_call *call,
						  struct gt_error *(*fn)(void *arg, const char *ns,
									 const char *id),
						  void *arg);

#endif
