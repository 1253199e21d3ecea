/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts service: mounts that the daemon makes and keeps under a name, where the kernel alone cannot
 * make what a snapshotter describes, or where the mounts shall be there for many users.
 */
#ifndef GANTRY_API_ACTIVATIONS_H
#define GANTRY_API_ACTIVATIONS_H

#include <gantry/mount.h>
#include <gantry/services.h>

#include <time.h>

struct gt_active_mount {
	struct gt_mount mount; /* as it was made */
	struct timespec mounted_at;
	char *point; /* where: a folder, or what a later mount uses: a device */
	struct gt_labels data; /* for later mounts' use */
};

struct gt_activation {
	char *name;
	struct gt_active_mount *active; /* made by the service, in order */
	size_t n_active;
	struct gt_mounts system; /* left to who asked: he mounts them to see the whole */
	struct gt_labels labels;
};
void gt_activation_done(struct gt_activation *a);

struct gt_activations_ops {
	size_t size;
	/*
	 * Makes those of 'mounts' that the caller cannot make, in order, and records them. 'temporary':
	 * makes all, and 'system' is one bind mount of the result. UNIMPLEMENTED if there is nothing
	 * that the caller could not do; ALREADY_EXISTS "mount \"NAME\""; INVALID_ARGUMENT for what cannot
	 * be understood. With a lease in the call it ends with the lease, else with deactivate. On
	 * error nothing is left mounted. A type "format/TYPE" has {{ source N }}, {{ target N }},
	 * {{ mount N }} and {{ overlay N M }} filled in, of mounts before it; type "loop" makes a device
	 * of a file, and its point is that device.
	 */
	struct gt_error *(*create)(struct gt_services *s, struct gt_call *call, const char *name,
				   const struct gt_mounts *mounts, const struct gt_labels *labels,
				   bool temporary, struct gt_activation *out);
	/* NOT_FOUND. Unmounts and forgets; FAILED_PRECONDITION where something is in use. */
	struct gt_error *(*remove)(struct gt_services *s, struct gt_call *call, const char *name);
	/* NOT_FOUND. The caller gt_activation_done()s '*out'. */
	struct gt_error *(*get)(struct gt_services *s, struct gt_call *call, const char *name,
				struct gt_activation *out);
	/* 'mask': labels[.K]; NULL or empty: all labels. '*out' may be NULL. */
	struct gt_error *(*update)(struct gt_services *s, struct gt_call *call,
				   const struct gt_activation *a, const struct gt_strv *mask,
				   struct gt_activation *out);
	/* Filter fields: name, labels. */
	struct gt_error *(*list)(struct gt_services *s, struct gt_call *call,
				 const struct gt_strv *filters,
				 struct gt_error *(*fn)(void *arg, const struct gt_activation *a),
				 void *arg);
	/* New members go here, at the end. */
};

GT_MUST_USE struct gt_error *gt_activations_create(struct gt_services *s, struct gt_call *call,
						   const char *name, const struct gt_mounts *mounts,
						   const struct gt_labels *labels, bool temporary,
						   struct gt_activation *out);
GT_MUST_USE struct gt_error *gt_activations_remove(struct gt_services *s, struct gt_call *call,
						   const char *name);
GT_MUST_USE struct gt_error *gt_activations_get(struct gt_services *s, struct gt_call *call,
						const char *name, struct gt_activation *out);
GT_MUST_USE struct gt_error *gt_activations_update(struct gt_services *s, struct gt_call *call,
						   const struct gt_activation *a,
						   const struct gt_strv *mask,
						   struct gt_activation *out);
GT_MUST_USE struct gt_error *
gt_activations_list(struct gt_services *s, struct gt_call *call, const struct gt_strv *filters,
		    struct gt_error *(*fn)(void *, const struct gt_activation *), void *arg);

#endif
