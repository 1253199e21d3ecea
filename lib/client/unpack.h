/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacks an image's layers into snapshots named by their chain IDs. Layers that are there are
 * left; where the snapshotter can, the others are applied at the same time, synced once, and
 * committed lowest first. Two that unpack one image at once both succeed. On an error no snapshot
 * of this one is left.
 */
#ifndef GANTRY_LIB_CLIENT_UNPACK_H
#define GANTRY_LIB_CLIENT_UNPACK_H

#include <client/image.h>

struct gt_unpack_options {
	const char *snapshotter; /* NULL or "": the default */
	const struct gt_labels *labels; /* further labels for the snapshots; NULL: none */
	unsigned jobs; /* layers at the same time; 0: one a processor */
	bool keep_partial; /* on an error layers that are committed stay */
	/*
	 * Brings layer i's blob into the content service just before it is applied, from the thread
	 * that applies it, so that fetching and applying overlap; NULL: the blobs are there. It may
	 * be called for several layers at once, for each at most once.
	 */
	struct gt_error *(*fetch)(void *arg, struct gt_call *call, size_t i);
	void *arg;
};

/* All of it; returns when the image can be used. */
GT_MUST_USE struct gt_error *gt_image_unpack(struct gt_services *s, struct gt_call *call,
					     const struct gt_image_view *v,
					     const struct gt_unpack_options *o);

/*
 * The same in steps, for who still brings in the blobs: open, then ready(i) once layer i's blob is
 * in the content service (any order, from one thread), then finish. Layers are applied meanwhile.
 * 'v', 'o' and 'call' outlive it.
 */
struct gt_unpack;
GT_MUST_USE struct gt_error *gt_unpack_open(struct gt_services *s, struct gt_call *call,
					    const struct gt_image_view *v,
					    const struct gt_unpack_options *o,
					    struct gt_unpack **out);
/* Whether layer 'i' has to be applied: its blob is not needed else. */
bool gt_unpack_wants(const struct gt_unpack *u, size_t i);
void gt_unpack_ready(struct gt_unpack *u, size_t i);
/* Waits for what was ready, commits, labels the blobs. All layers that it wants must be ready. */
GT_MUST_USE struct gt_error *gt_unpack_finish(struct gt_unpack *u);
/* Removes what finish made: for a caller whose own work fails afterwards. */
void gt_unpack_undo(struct gt_unpack *u);
/* Stops and removes what is not finished. NULL is fine. */
void gt_unpack_free(struct gt_unpack *u);
GT_DEFINE_AUTOPTR(gt_unpack)

#endif
