/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles: the folder of a task, STATE/FOLDER/NS/ID, in containerd's layout. Each runtime has a FOLDER of
 * its own; the default is containerd's.
 *
 * Any number of processes work on them, and each may die at any moment. Who makes or deletes a bundle
 * holds the flock of its folder meanwhile; the kernel lets go of it for the dead. So a bundle that has no
 * address of a shim in it and whose lock is free belongs to nobody and can go. A bundle appears under
 * its name when its files are complete, and disappears by a rename: names that begin with a '.' are on
 * their way in or out.
 */
#ifndef GANTRY_LIB_SHIM_BUNDLE_H
#define GANTRY_LIB_SHIM_BUNDLE_H

#include <gantry/any.h>
#include <gantry/buf.h>
#include <gantry/call.h>

#define GT_BUNDLES_FOLDER "io.containerd.runtime.v2.task"

/* Where bundles live, and what they keep beyond a reboot. */
struct gt_bundles {
	char *state; /* STATE/FOLDER */
	char *root; /* ROOT/FOLDER */
};
/* 'folder' NULL: GT_BUNDLES_FOLDER. */
void gt_bundles_init(struct gt_bundles *all, const char *base_state, const char *base_root,
		     const char *folder);
void gt_bundles_done(struct gt_bundles *all);

struct gt_bundle {
	char *ns, *id;
	char *path;
	char *work; /* folder below root; made by gt_bundle_work() */
	int fd; /* the folder; -1: not open */
	bool locked;
};
#define GT_BUNDLE_INIT { .fd = -1 }
void gt_bundle_done(struct gt_bundle *b); /* lets go of the lock */

/*
 * Makes a bundle with its files and locks it. 'spec' may be NULL: no config.json. 'program' is the shim's.
 * ALREADY_EXISTS if there is one of that name.
 */
GT_MUST_USE struct gt_error *gt_bundle_make(const struct gt_bundles *all, const char *ns,
					    const char *id, const struct gt_any *spec,
					    const char *program, struct gt_bundle *out);

/* NOT_FOUND "task ID not found". */
GT_MUST_USE struct gt_error *gt_bundle_open(const struct gt_bundles *all, const char *ns,
					    const char *id, struct gt_bundle *out);

/* The names of one that is not there, with which nothing can be done but to look for what it left. */
void gt_bundle_name(const struct gt_bundles *all, const char *ns, const char *id,
		    struct gt_bundle *out);

/*
 * Takes the lock, waiting for 'timeout' milliseconds at most (0: not at all) and no longer than the call
 * lasts. UNAVAILABLE if another has it; NOT_FOUND if the bundle has gone meanwhile.
 */
GT_MUST_USE struct gt_error *gt_bundle_lock(struct gt_bundle *b, const struct gt_call *call,
					    int timeout);

/* Opens a bundle and locks it: one that is deleted and made again meanwhile is opened again. */
GT_MUST_USE struct gt_error *gt_bundle_open_locked(const struct gt_bundles *all, const char *id,
						   const struct gt_call *call, int timeout,
						   struct gt_bundle *out);

/* Makes the work folder, for what writes there. */
GT_MUST_USE struct gt_error *gt_bundle_work(const struct gt_bundle *b);

/* Unmounts the rootfs and deletes the bundle, which must be locked, and its work folder. */
GT_MUST_USE struct gt_error *gt_bundle_remove(struct gt_bundle *b);

/* Adds the whole of config.json to 'out'. */
GT_MUST_USE struct gt_error *gt_bundle_spec(const struct gt_bundle *b, struct gt_buf *out);

/* The shim's program: what the file shim-binary-path says. */
GT_MUST_USE struct gt_error *gt_bundle_program(const struct gt_bundle *b, char **path);

/* The annotations by which a spec asks for a shim that it shares: the first that is there. Ended by NULL. */
extern const char *const gt_bundle_group_keys[];

/*
 * Notes that the task is in a sandbox, whose shim holds it: that goes with the sandbox, not with the task.
 */
GT_MUST_USE struct gt_error *gt_bundle_attach(const struct gt_bundle *b, const char *sandbox);
bool gt_bundle_is_attached(const struct gt_bundle *b);

/* Whether the spec asks for a shim that it shares with other tasks. */
bool gt_bundle_is_grouped(const struct gt_bundle *b);

/*
 * Calls 'fn' for each bundle of a namespace (NULL: of all), sorted by name. 'has_address' is false for one
 * that is being made, or that nobody finished.
 */
GT_MUST_USE struct gt_error *gt_bundles_walk(const struct gt_bundles *all, const char *ns,
					     struct gt_error *(*fn)(void *arg, const char *ns,
								    const char *id, bool has_address),
					     void *arg);

/* Deletes what the dead left half-made or half-deleted, under hidden names, in a namespace. */
void gt_bundles_tidy(const struct gt_bundles *all, const char *ns);

#endif
