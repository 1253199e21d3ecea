/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes images out of an archive: an OCI layout or what `docker save` makes, as tar, compressed or
 * not, from a file or a pipe. The archive's names are only looked up; its tar is read by a confined
 * process; each blob must have the digest that it is called by.
 *
 * All of it or nothing: on an error the blobs, snapshots and image names that this import made are
 * gone again. It runs under a lease of its own, which ends with it.
 */
#ifndef GANTRY_LIB_CLIENT_IMPORT_H
#define GANTRY_LIB_CLIENT_IMPORT_H

#include <gantry/api-images.h>

#include <oci/platform.h>

enum gt_import_step {
	GT_IMPORT_UNPACKING, /* the image's unpacking begins, or what is left of it */
	GT_IMPORT_UNPACKED,
	GT_IMPORT_DONE, /* its name is there */
};

/*
 * Which of the names that stand in the archive are made here, or move to its images. A reference
 * without '/', ':' or '@' is none yet: it becomes PREFIX:REF and so is always below the prefix.
 */
enum gt_import_names {
	GT_IMPORT_ALL_NAMES,
	GT_IMPORT_NAMES_BELOW, /* the prefix */
	GT_IMPORT_NO_NAMES, /* none; only 'index_name' and those of 'digests' */
};

struct gt_import_options {
	enum gt_import_names names;
	const char *base_name; /* the prefix; NULL or "": "import-YYYY-MM-DD" */
	bool digests; /* also PREFIX@DIGEST for each image */
	bool skip_digest_for_named; /* .. but only for those without a name */
	const char *index_name; /* a name for the archive's index itself; NULL: none */
	/*
	 * Which platforms must be whole and are unpacked; none: all that are in the archive.
	 * Manifests of an index that are for others are taken if they are there and left out if
	 * they are not. Images that the archive says are for others altogether are left out.
	 */
	struct gt_platforms platforms;
	bool compress_blobs; /* gzip layers of a Docker archive that are plain tar */
	bool unpack;
	bool discard_unpacked_layers; /* no gc labels for layers once they are unpacked */
	const char *snapshotter; /* NULL: the default */
	struct gt_labels snapshot_labels;
	struct gt_labels labels; /* for the images */
	unsigned jobs; /* layers applied at the same time; 0: one a processor */
	const char *worker; /* the program that reads the archive; NULL: the installed one */
	/*
	 * Called for each image, in the importing thread; NULL: not called. Ends the import by an
	 * error.
	 */
	struct gt_error *(*step)(void *arg, enum gt_import_step step, const struct gt_image *image);
	void *arg;
};

/*
 * Reads the archive from 'fd' (which stays the caller's) to its end. INVALID_ARGUMENT with the
 * entry's name for a bad archive; NOT_FOUND for a blob that the archive should hold, and where it has
 * no image that is wanted; ALREADY_EXISTS never: a name that is there moves to the new image.
 */
GT_MUST_USE struct gt_error *gt_image_import(struct gt_services *s, struct gt_call *call, int fd,
					     const struct gt_import_options *o);

#endif
