/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind `content`: a store of blobs by digest, with resumable writes ("ingests"). It knows nothing of
 * namespaces or labels: the content service keeps those, and hands refs down as "NS/SEQ/REF".
 * Digests are "ALG:HEX" with ALG sha256, sha384 or sha512 and HEX in lower case.
 *
 * Errors of every op: INVALID_ARGUMENT for a malformed digest or an empty ref; UNAVAILABLE or
 * RESOURCE_EXHAUSTED (disk full) for the machine; UNKNOWN for what nobody foresaw. Ops may block on
 * the disk and may be called from any thread; a writer belongs to one thread at a time.
 */
#ifndef GANTRY_CONTENT_H
#define GANTRY_CONTENT_H

#include <gantry/call.h>
#include <gantry/hash.h>
#include <gantry/plugin.h>

#include <sys/types.h>
#include <time.h>

struct gt_content {
	GT_INSTANCE_MEMBERS(content)
};

struct gt_blob_info {
	char *digest;
	int64_t size;
	struct timespec created_at; /* when it was committed */
	struct timespec updated_at;
};
void gt_blob_info_done(struct gt_blob_info *i);

struct gt_ingest_info {
	char *ref;
	int64_t offset; /* bytes stored so far */
	int64_t total; /* expected; 0: not known */
	char *expected; /* digest; NULL: not known */
	struct timespec started_at;
	struct timespec updated_at;
};
void gt_ingest_info_done(struct gt_ingest_info *i);

/*
 * An open blob. Stays readable when the blob is deleted meanwhile; where the store lies behind a socket it may
 * answer NOT_FOUND from then on, never other bytes.
 */
struct gt_reader {
	const struct gt_reader_ops *ops;
};

struct gt_reader_ops {
	size_t size;
	/* Required. Reads up to 'len' bytes at 'off' into 'buf'; '*out' 0 only at the end. */
	struct gt_error *(*pread)(struct gt_reader *r, void *buf, size_t len, int64_t off,
				  size_t *out);
	/* Required. The blob's bytes. */
	int64_t (*length)(struct gt_reader *r);
	/* Required. Frees the reader. */
	void (*close)(struct gt_reader *r);
	/*
	 * Optional. A descriptor of a regular file that holds just these bytes, opened read-only and
	 * owned by the reader; -1 or absent: none, the caller reads.
	 */
	int (*fd)(struct gt_reader *r);
};

/* An ingest being written. Closing it without commit keeps what is stored, for resuming. */
struct gt_writer {
	const struct gt_writer_ops *ops;
};

struct gt_writer_ops {
	size_t size;
	/* Required. Appends all of it. OUT_OF_RANGE if that exceeds a known total. */
	struct gt_error *(*write)(struct gt_writer *w, const void *buf, size_t len);
	/*
	 * Required. Cuts what is stored to 'size' bytes, which must not be more than there are.
	 * UNIMPLEMENTED is allowed for a part of it, neither nothing nor all: content services have no
	 * word for that.
	 */
	struct gt_error *(*truncate)(struct gt_writer *w, int64_t size);
	/* Required. How far it is; the caller gt_ingest_info_done()s '*out'. */
	struct gt_error *(*status)(struct gt_writer *w, struct gt_ingest_info *out);
	/* Required. The digest of what is stored so far, as a new string. */
	struct gt_error *(*digest)(struct gt_writer *w, char **out);
	/*
	 * Required. Makes it a blob: size must be 'size' (if > 0) and the digest 'expected' (if not
	 * NULL), else FAILED_PRECONDITION "unexpected commit size N, expected M" / "unexpected commit
	 * digest D, expected E" and the ingest stays. ALREADY_EXISTS if the blob is there (the ingest
	 * is dropped). With full durability the bytes and the name are on disk when it answers. After
	 * success or ALREADY_EXISTS only close may follow. '*digest' (if not NULL) gets a new string.
	 */
	struct gt_error *(*commit)(struct gt_writer *w, int64_t size, const char *expected,
				   char **digest);
	/* Required. Frees the writer. */
	void (*close)(struct gt_writer *w);
	/*
	 * Optional; absent: the host reads and writes. Appends 'len' bytes of 'fd' at 'off'.
	 * OUT_OF_RANGE if the file ends before, or if that exceeds a known total: then none of it is
	 * stored.
	 */
	struct gt_error *(*write_from)(struct gt_writer *w, struct gt_call *call, int fd,
				       int64_t off, int64_t len);
};

struct gt_content_ops {
	size_t size;
	/* Required. '*out' is freed by close. 'init' outlives it. */
	struct gt_error *(*open)(const struct gt_init *init, struct gt_content **out);
	/* Required. */
	void (*close)(struct gt_content *c);
	/* Required. NOT_FOUND "content DIGEST". The caller gt_blob_info_done()s '*out'. */
	struct gt_error *(*info)(struct gt_content *c, struct gt_call *call, const char *digest,
				 struct gt_blob_info *out);
	/* Required. NOT_FOUND. The caller closes the reader. */
	struct gt_error *(*reader)(struct gt_content *c, struct gt_call *call, const char *digest,
				   struct gt_reader **out);
	/*
	 * Required. Opens or resumes the ingest 'ref'. 'total' 0 and 'expected' NULL mean unknown.
	 * ALREADY_EXISTS if the blob 'expected' is there; UNAVAILABLE "ref REF locked" while another
	 * writer, in this process or another, has it open.
	 */
	struct gt_error *(*writer)(struct gt_content *c, struct gt_call *call, const char *ref,
				   int64_t total, const char *expected, struct gt_writer **out);
	/* Required. NOT_FOUND. Readers that are open go on. */
	struct gt_error *(*remove)(struct gt_content *c, struct gt_call *call, const char *digest);
	/* Required. Calls 'fn' for each blob, any order; ends at fn's first error and returns it. */
	struct gt_error *(*walk)(struct gt_content *c, struct gt_call *call,
				 struct gt_error *(*fn)(void *arg, const struct gt_blob_info *info),
				 void *arg);
	/* Required. NOT_FOUND "ingest REF". */
	struct gt_error *(*status)(struct gt_content *c, struct gt_call *call, const char *ref,
				   struct gt_ingest_info *out);
	/* Required. Calls 'fn' for each ingest, also those of earlier processes. */
	struct gt_error *(*walk_ingests)(struct gt_content *c, struct gt_call *call,
					 struct gt_error *(*fn)(void *arg,
								const struct gt_ingest_info *info),
					 void *arg);
	/* Required. Drops an ingest and its bytes. NOT_FOUND; UNAVAILABLE while it is written. */
	struct gt_error *(*abort)(struct gt_content *c, struct gt_call *call, const char *ref);
	/* New members go here, at the end. */
};

/* The only callers of the ops, in core/: absence, argument checks and limits live there. */
GT_MUST_USE struct gt_error *gt_content_info(struct gt_content *c, struct gt_call *call,
					     const char *digest, struct gt_blob_info *out);
GT_MUST_USE struct gt_error *gt_content_reader(struct gt_content *c, struct gt_call *call,
					       const char *digest, struct gt_reader **out);
GT_MUST_USE struct gt_error *gt_content_writer(struct gt_content *c, struct gt_call *call,
					       const char *ref, int64_t total, const char *expected,
					       struct gt_writer **out);
GT_MUST_USE struct gt_error *gt_content_remove(struct gt_content *c, struct gt_call *call,
					       const char *digest);
GT_MUST_USE struct gt_error *gt_content_walk(struct gt_content *c, struct gt_call *call,
					     struct gt_error *(*fn)(void *, const struct gt_blob_info *),
					     void *arg);
GT_MUST_USE struct gt_error *gt_content_status(struct gt_content *c, struct gt_call *call,
					       const char *ref, struct gt_ingest_info *out);
GT_MUST_USE struct gt_error *
gt_content_walk_ingests(struct gt_content *c, struct gt_call *call,
			struct gt_error *(*fn)(void *, const struct gt_ingest_info *), void *arg);
GT_MUST_USE struct gt_error *gt_content_abort(struct gt_content *c, struct gt_call *call,
					      const char *ref);

GT_MUST_USE struct gt_error *gt_reader_pread(struct gt_reader *r, void *buf, size_t len, int64_t off,
					     size_t *out);
/* Reads the whole blob into a new NUL-terminated string; RESOURCE_EXHAUSTED if it exceeds 'limit'. */
GT_MUST_USE struct gt_error *gt_reader_all(struct gt_reader *r, int64_t limit, char **out,
					   size_t *len);
int64_t gt_reader_length(struct gt_reader *r);
int gt_reader_fd(struct gt_reader *r);
void gt_reader_free(struct gt_reader *r);
GT_DEFINE_AUTOPTR(gt_reader)

GT_MUST_USE struct gt_error *gt_writer_write(struct gt_writer *w, const void *buf, size_t len);
GT_MUST_USE struct gt_error *gt_writer_write_from(struct gt_writer *w, struct gt_call *call, int fd,
						  int64_t off, int64_t len);
GT_MUST_USE struct gt_error *gt_writer_truncate(struct gt_writer *w, int64_t size);
GT_MUST_USE struct gt_error *gt_writer_status(struct gt_writer *w, struct gt_ingest_info *out);
GT_MUST_USE struct gt_error *gt_writer_digest(struct gt_writer *w, char **out);
GT_MUST_USE struct gt_error *gt_writer_commit(struct gt_writer *w, int64_t size,
					      const char *expected, char **digest);
void gt_writer_free(struct gt_writer *w);
GT_DEFINE_AUTOPTR(gt_writer)

#endif
