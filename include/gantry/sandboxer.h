/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind `sandboxer`: a sandbox controller. It makes the place that the containers of a pod share: a group
 * of namespaces, a virtual machine, or a shim that holds them all. Semantics are those of containerd's
 * sandbox controllers. A sandbox is named by the call's namespace and its id; its record is the sandbox
 * store's (<gantry/api-sandboxes.h>), whose part is not the controller's.
 *
 * A sandbox outlives the process that made it: each op must work on sandboxes that another process
 * made, and what it answers comes from the sandbox at that moment. Every op has a deadline of its own
 * where the call has none; a sandbox that hangs holds up only calls about itself.
 *
 * Errors of every op: NOT_FOUND "sandbox ID"; UNAVAILABLE if what holds the sandbox does not answer; its
 * own class and text otherwise. Any thread.
 */
#ifndef GANTRY_SANDBOXER_H
#define GANTRY_SANDBOXER_H

#include <gantry/api-sandboxes.h>
#include <gantry/mount.h>
#include <gantry/plugin.h>
#include <gantry/runtime.h>

struct gt_sandboxer {
	GT_INSTANCE_MEMBERS(sandboxer)
};

struct gt_sandbox_create {
	size_t size;
	const char *id;
	const struct gt_sandbox *sandbox; /* its record: runtime, options, spec; NULL: not known */
	const struct gt_mounts *rootfs; /* NULL or none: it has no file tree of its own */
	const struct gt_any *options; /* for what makes it; NULL: none */
	const char *netns; /* path of the network namespace that it joins; NULL or "": none */
	const struct gt_labels *annotations; /* NULL: none */
};

/* A sandbox that has been started. */
struct gt_sandbox_instance {
	char *id;
	uint32_t pid; /* 0: it has none */
	struct timespec created_at;
	struct gt_labels labels;
	/*
	 * Where the tasks of its containers are served: "PROTOCOL+unix:///path" with PROTOCOL ttrpc or
	 * grpc ("unix:///path" is ttrpc), and the version of the task API there; "" and 0: nowhere.
	 */
	char *address;
	uint32_t version;
	struct gt_any spec; /* for its containers to start from; no value: none */
};
void gt_sandbox_instance_done(struct gt_sandbox_instance *i);

/* States as containerd's clients read them. */
#define GT_SANDBOX_READY "SANDBOX_READY"
#define GT_SANDBOX_NOTREADY "SANDBOX_NOTREADY"

struct gt_sandbox_state {
	char *id;
	uint32_t pid;
	char *state; /* GT_SANDBOX_READY and such, or what its shim says */
	struct gt_labels info; /* what 'verbose' adds */
	struct timespec created_at;
	struct timespec exited_at; /* both 0: it has not ended */
	struct gt_any extra;
	char *address; /* as in struct gt_sandbox_instance */
	uint32_t version;
};
void gt_sandbox_state_done(struct gt_sandbox_state *s);

struct gt_metric; /* <gantry/api-tasks.h> */

struct gt_sandboxer_ops {
	size_t size;
	/* Required. Connects to nothing yet. '*out' is freed by close. */
	struct gt_error *(*open)(const struct gt_init *init, struct gt_sandboxer **out);
	/* Required. Leaves every sandbox running. */
	void (*close)(struct gt_sandboxer *s);
	/* Required. ALREADY_EXISTS "sandbox ID". On error nothing of it is left. */
	struct gt_error *(*create)(struct gt_sandboxer *s, struct gt_call *call,
				   const struct gt_sandbox_create *req);
	/* Required. On error nothing of it is left. The caller gt_sandbox_instance_done()s '*out'. */
	struct gt_error *(*start)(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				  struct gt_sandbox_instance *out);
	/*
	 * Required. Ends what runs in it, within 'timeout' seconds (0: as long as the controller
	 * thinks right) by force. Fine if it has ended. It still has a status.
	 */
	struct gt_error *(*stop)(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				 uint32_t timeout);
	/*
	 * Required. Arranges for 'fn' to be called when the sandbox ends (at once if it has), or when
	 * the call's cancel ends the wait. Does not block: parks no thread. The exit has no pid.
	 */
	struct gt_error *(*wait)(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				 gt_wait_fn *fn, void *arg);
	/* Required. The caller gt_sandbox_state_done()s '*out'. */
	struct gt_error *(*status)(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				   bool verbose, struct gt_sandbox_state *out);
	/* Required. Ends it if it runs and deletes all that it held; the id is free afterwards. */
	struct gt_error *(*shutdown)(struct gt_sandboxer *s, struct gt_call *call, const char *id);
	/* Optional, as all that follow; absent: UNIMPLEMENTED. "linux/arm64/v8", a new string. */
	struct gt_error *(*platform)(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				     char **out);
	/* The caller gt_metric_done()s '*out'. */
	struct gt_error *(*metrics)(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				    struct gt_metric *out);
	/* Absent: that is fine. Tells that these fields of its record have changed. */
	struct gt_error *(*update)(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				   const struct gt_sandbox *sandbox, const struct gt_strv *fields);
	/* New members go here, at the end. */
};

GT_MUST_USE struct gt_error *gt_sandboxer_create(struct gt_sandboxer *s, struct gt_call *call,
						 const struct gt_sandbox_create *req);
GT_MUST_USE struct gt_error *gt_sandboxer_start(struct gt_sandboxer *s, struct gt_call *call,
						const char *id, struct gt_sandbox_instance *out);
GT_MUST_USE struct gt_error *gt_sandboxer_stop(struct gt_sandboxer *s, struct gt_call *call,
					       const char *id, uint32_t timeout);
GT_MUST_USE struct gt_error *gt_sandboxer_wait(struct gt_sandboxer *s, struct gt_call *call,
					       const char *id, gt_wait_fn *fn, void *arg);
GT_MUST_USE struct gt_error *gt_sandboxer_status(struct gt_sandboxer *s, struct gt_call *call,
						 const char *id, bool verbose,
						 struct gt_sandbox_state *out);
GT_MUST_USE struct gt_error *gt_sandboxer_shutdown(struct gt_sandboxer *s, struct gt_call *call,
						   const char *id);
GT_MUST_USE struct gt_error *gt_sandboxer_platform(struct gt_sandboxer *s, struct gt_call *call,
						   const char *id, char **out);
GT_MUST_USE struct gt_error *gt_sandboxer_metrics(struct gt_sandboxer *s, struct gt_call *call,
						  const char *id, struct gt_metric *out);
GT_MUST_USE struct gt_error *gt_sandboxer_update(struct gt_sandboxer *s, struct gt_call *call,
						 const char *id, const struct gt_sandbox *sandbox,
						 const struct gt_strv *fields);

#endif
