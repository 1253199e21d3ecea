/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind `differ`: turns a layer blob into files and files into a layer blob. It knows neither content
 * stores nor snapshotters: it gets an open blob and mounts, and an open ingest.
 *
 * Both ops read or write foreign bytes as root and may take minutes: they watch the call's end.
 */
#ifndef GANTRY_DIFFER_H
#define GANTRY_DIFFER_H

#include <gantry/call.h>
#include <gantry/content.h>
#include <gantry/descriptor.h>
#include <gantry/mount.h>
#include <gantry/plugin.h>

struct gt_differ {
	GT_INSTANCE_MEMBERS(differ)
};

/* What a layer turned out to be. */
struct gt_diff_result {
	char *media_type; /* of the uncompressed layer */
	char *digest; /* its diff ID: of the uncompressed bytes */
	int64_t size; /* uncompressed bytes; 0: not known, of a compressed layer made behind a socket */
};
void gt_diff_result_done(struct gt_diff_result *r);

struct gt_diff_options {
	size_t size;
	const char *media_type; /* NULL: application/vnd.oci.image.layer.v1.tar+gzip */
	const struct timespec *source_date_epoch; /* latest mtime that is written; NULL: none */
};

struct gt_differ_ops {
	size_t size;
	/* Required. '*out' is freed by close. */
	struct gt_error *(*open)(const struct gt_init *init, struct gt_differ **out);
	/* Required. */
	void (*close)(struct gt_differ *d);
	/*
	 * Required. Writes the layer 'blob' (described by 'desc') into what 'mounts' show.
	 * UNIMPLEMENTED for a media type that it does not know; INVALID_ARGUMENT for an archive that
	 * is broken or reaches outside (the target is then in no defined state, nothing outside it is
	 * touched); RESOURCE_EXHAUSTED at a limit or a full disk. Does not sync.
	 * Mounts of a layer alone (see GT_LABEL_ALONE): FAILED_PRECONDITION if it cannot be applied
	 * without those below it, because it leaves out a folder whose attributes they have.
	 */
	struct gt_error *(*apply)(struct gt_differ *d, struct gt_call *call,
				  const struct gt_descriptor *desc, struct gt_reader *blob,
				  const struct gt_mounts *mounts, struct gt_diff_result *out);
	/*
	 * Optional; absent: UNIMPLEMENTED. Writes the difference from 'lower' to 'upper' to 'w', and
	 * leaves the commit to the caller. '*out' tells the uncompressed layer.
	 */
	struct gt_error *(*diff)(struct gt_differ *d, struct gt_call *call,
				 const struct gt_mounts *lower, const struct gt_mounts *upper,
				 const struct gt_diff_options *o, struct gt_writer *w,
				 struct gt_diff_result *out);
	/* New members go here, at the end. */
};

GT_MUST_USE struct gt_error *gt_differ_apply(struct gt_differ *d, struct gt_call *call,
					     const struct gt_descriptor *desc,
					     struct gt_reader *blob, const struct gt_mounts *mounts,
					     struct gt_diff_result *out);
GT_MUST_USE struct gt_error *gt_differ_diff(struct gt_differ *d, struct gt_call *call,
					    const struct gt_mounts *lower,
					    const struct gt_mounts *upper,
					    const struct gt_diff_options *o, struct gt_writer *w,
					    struct gt_diff_result *out);

#endif
