/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of import share. Within lib/client only. */
#ifndef GANTRY_LIB_CLIENT_IMPORT_PRIVATE_H
#define GANTRY_LIB_CLIENT_IMPORT_PRIVATE_H

#include <archive/source.h>
#include <client/import.h>
#include <gantry/content.h>
#include <oci/document.h>
#include <pthread.h>

/* A file or link of the archive. */
struct import_entry {
	char *name;
	char *link; /* of a link: what it names, clean, from the archive's root; else NULL */
	size_t order; /* of two with one name the later one counts */
	int64_t size;
	int64_t offset; /* in the archive's file; -1: its bytes are the blob 'digest' already */
	char *digest; /* where offset is -1; NULL: the bytes were not kept */
};

enum import_blob_state { IMPORT_BLOB_TODO, IMPORT_BLOB_BUSY, IMPORT_BLOB_DONE };

/* A blob that the import brings in. */
struct import_blob {
	struct gt_descriptor desc;
	struct gt_labels labels; /* set once it is in */
	const struct import_entry *entry; /* its bytes; NULL: 'text' */
	struct gt_buf text;
	bool is_layer;
	enum import_blob_state state;
};

struct import_name {
	struct gt_image image;
	struct gt_image before; /* what had the name; its name is NULL: nothing */
	bool set;
};

struct import {
	struct gt_services *s;
	struct gt_call *call; /* with the lease */
	const struct gt_import_options *o;
	int fd;

	struct import_entry *entries; /* sorted by name after the scan, each name once */
	size_t n_entries, alloc_entries;
	size_t name_bytes;
	bool is_oci; /* has a valid oci-layout */
	struct gt_buf index; /* index.json */
	struct gt_buf docker; /* manifest.json */
	bool has_index, has_docker;

	void *blobs; /* tsearch's tree of struct import_blob, by digest */
	struct import_blob **order; /* the same in the order of coming */
	size_t n_blobs, alloc_blobs;
	pthread_mutex_t lock; /* blobs' state, and 'written' */
	pthread_cond_t change;
	struct gt_strv written; /* digests that this import made */

	struct import_name *names;
	size_t n_names, alloc_names;
};

/* Reads the whole archive: documents into 'm', the bytes of others noted or stored. */
GT_MUST_USE struct gt_error *gt_import_scan(struct import *m);
/* Follows links. NOT_FOUND "NAME is not in the archive". */
GT_MUST_USE struct gt_error *gt_import_find(struct import *m, const char *name,
					    const struct import_entry **out);
/* The entry "blobs/ALG/HEX"; NULL if there is none. */
const struct import_entry *gt_import_find_blob(struct import *m, const char *digest);
/* Adds its bytes; RESOURCE_EXHAUSTED beyond the limit for documents. */
GT_MUST_USE struct gt_error *gt_import_entry_read(struct import *m, const struct import_entry *e,
						  struct gt_buf *out);
/* The first bytes tell the compression: the media type of a Docker layer. */
GT_MUST_USE struct gt_error *gt_import_entry_sniff(struct import *m, const struct import_entry *e,
						   const char **media_type);

/* The blob with desc's digest, made if it is not known yet; '*fresh' tells. */
struct import_blob *gt_import_blob(struct import *m, const struct gt_descriptor *desc, bool *fresh);
struct import_blob *gt_import_blob_find(struct import *m, const char *digest);
/* Brings it into the content service, unless it is there; any thread. */
GT_MUST_USE struct gt_error *gt_import_blob_store(struct import *m, struct gt_call *call,
						  struct import_blob *b);
/*
 * Stores the rest of the source's current entry as a blob. 'expected' NULL: whatever its digest is.
 * '*digest' is a new string.
 */
GT_MUST_USE struct gt_error *gt_import_stream_store(struct import *m, struct gt_archive_source *src,
						    const struct gt_archive_entry *e,
						    const char *expected, char **digest);
/* Its bytes; the caller gt_reader_free()s it. */
GT_MUST_USE struct gt_error *gt_import_entry_open(struct import *m, const struct import_entry *e,
						  struct gt_reader **out);
/* Stores a plain layer with gzip, whatever that makes its digest; 'd' gets digest and size. */
GT_MUST_USE struct gt_error *gt_import_entry_compress(struct import *m,
						      const struct import_entry *e,
						      const char *diff_id,
						      struct gt_descriptor *d);
/* Removes blobs that this import made, all (on an error) or those that no plan wanted. */
void gt_import_undo_blobs(struct import *m);
void gt_import_drop_unused(struct import *m);
void gt_import_blobs_done(struct import *m);

/* From the documents to blobs and names. */
GT_MUST_USE struct gt_error *gt_import_plan_oci(struct import *m);
GT_MUST_USE struct gt_error *gt_import_plan_docker(struct import *m);
/* Notes a name for an image; refuses what is no name. */
GT_MUST_USE struct gt_error *gt_import_add_name(struct import *m, const char *name,
						const struct gt_descriptor *target);
/* "PREFIX@DIGEST", if the caller wants it. */
GT_MUST_USE struct gt_error *gt_import_add_digest_name(struct import *m, bool named,
						       const struct gt_descriptor *target);
/* The index itself, if the caller wants a name for it. */
GT_MUST_USE struct gt_error *gt_import_add_index(struct import *m, struct gt_index *index);
/* The labels that keep a manifest's children, less those that the caller does not want. */
void gt_import_manifest_labels(const struct import *m, const struct gt_manifest *doc,
			       struct gt_labels *out);
/* The caller's prefix for names, as a new string. */
char *gt_import_prefix(const struct import *m);
/* Whether a name that stands in the archive is to be made. */
bool gt_import_wants_name(const struct import *m, const char *name);
/* What is wrong where the archive has images, but none of a name that is to be made. */
GT_MUST_USE struct gt_error *gt_import_no_name(const struct import *m);

#endif
