/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making the mounts that a snapshotter describes, and undoing them, by containerd's rules. Works
 * in the caller's mount namespace, from any thread; needs nothing but the core's base, so that
 * the shim can have it.
 */
#ifndef GANTRY_LIB_MOUNT_H
#define GANTRY_LIB_MOUNT_H

#include <gantry/error.h>
#include <gantry/mount.h>

enum gt_unmount_flags {
	/* Where it is still busy after 50 attempts, 50 ms apart, detach it instead of an error. */
	GT_UNMOUNT_LAZY = 1,
	/* Detach at once. */
	GT_UNMOUNT_DETACH = 2,
};

/*
 * Mounts all of 'm' at the folder 'target' (an absolute path), one on top of the other; a mount's
 * own target is resolved below it, links included. If one fails, those before it are undone.
 *
 * Options become flags where mount(8) has a flag for the word; `loop` attaches a loop device that
 * ends with the mount; types "fuse.X" and "fuse3.X" run mount.fuse and mount.fuse3. A bind mount
 * gets its flags by a second, remounting call. INVALID_ARGUMENT for an X-containerd.* option (a
 * mount manager had to take it out) and for options that are longer than the kernel takes;
 * UNIMPLEMENTED for uidmap= and gidmap=.
 */
GT_MUST_USE struct gt_error *gt_mount_all(const struct gt_mounts *m, const char *target);

/* Undoes the topmost mount at 'target', which is no link. Fine if nothing is mounted there. */
GT_MUST_USE struct gt_error *gt_mount_unmount(const char *target, unsigned flags);

/*
 * Undoes all mounts at 'target' and below it. Fine if there are none or 'target' does not exist.
 * The first error stops it.
 */
GT_MUST_USE struct gt_error *gt_mount_unmount_all(const char *target, unsigned flags);

#endif
