/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of the mounts service: a folder of each, and what is mounted in it. */
#ifndef SERVICES_LOCAL_ACTIVATIONS_H
#define SERVICES_LOCAL_ACTIVATIONS_H

#include "local.h"

#include <gantry/api-activations.h>

struct activation { /* as it is recorded */
	struct gt_activation info;
	char *lease; /* "": none */
	uint64_t seq; /* the folder's name */
	bool made;
};

/*
 * How many of the mounts, from the first on, are the service's to make; those after them are the caller's.
 * UNIMPLEMENTED if the caller can make them all.
 */
GT_MUST_USE struct gt_error *activation_plan(const char *name, const struct gt_mounts *mounts,
					     bool temporary, size_t *n);

/* The type that is left of "format/mkdir/overlay" and the like when what its prefixes ask for is done. */
const char *activation_type(const char *type);

/*
 * Does what the prefixes of m's type ask for, and adds the mount that is left to 'out' (also when it fails):
 * "format" fills in what was mounted before, "mkdir" makes folders, "mkfs" a file with a file system.
 */
GT_MUST_USE struct gt_error *activation_prepare(struct local *l, struct gt_call *call,
						const struct activation *a, const struct gt_mount *m,
						struct gt_mounts *out);

/* Makes them, in the activation's folder, and fills in what was made and what is left. */
GT_MUST_USE struct gt_error *activation_make(struct local *l, struct gt_call *call,
					     const struct gt_mounts *mounts, size_t n, bool temporary,
					     struct activation *a);

/* Unmounts all that is in the folder, whoever made it, and deletes it. Fine if it is not there. */
GT_MUST_USE struct gt_error *activation_unmake(struct local *l, const struct activation *a);

/* Whether the folder is there: not after a reboot. */
bool activation_is_there(struct local *l, const struct activation *a);

/* Ends those whose lease has gone. What cannot be unmounted stays for the next time. */
GT_MUST_USE struct gt_error *activations_collect(struct local *l, struct gt_call *call);

#endif
