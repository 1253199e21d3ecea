/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image's files at a folder of the host: a snapshot named like the folder, kept by a lease of the
 * same name until that expires, and the mounts that show it.
 */
#ifndef GANTRY_LIB_CLIENT_IMAGE_MOUNT_H
#define GANTRY_LIB_CLIENT_IMAGE_MOUNT_H

#include <gantry/api-images.h>

#include <oci/platform.h>

struct gt_image_mount_options {
	const char *target; /* a folder that is there; also the name of snapshot and lease */
	struct gt_platforms platforms;
	const char *snapshotter; /* NULL: the default */
	const struct gt_labels *labels; /* for the snapshot; NULL: none */
	bool writable;
	int64_t expire; /* the lease's life, seconds */
	void (*chain)(void *arg, const char *chain_id); /* once it is unpacked; may be NULL */
	void *arg;
};

/*
 * Unpacks the image if it is not, and mounts it. A snapshot of that name which is there is mounted
 * as it is. On an error the snapshot and the lease that this made are gone again.
 */
GT_MUST_USE struct gt_error *gt_image_mount(struct gt_services *s, struct gt_call *call,
					    const struct gt_image *image,
					    const struct gt_image_mount_options *o);

/* Unmounts all of 'target'; 'remove': snapshot and lease go, too. Fine if something is not there. */
GT_MUST_USE struct gt_error *gt_image_unmount(struct gt_services *s, struct gt_call *call,
					      const char *target, const char *snapshotter,
					      bool remove);

#endif
