/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a tar archive from somebody else, as an image import does. The bytes are parsed in the
 * confined worker process; this side sees entries one after the other. Nothing that an entry claims
 * costs memory or disk before the bytes are there.
 */
#ifndef GANTRY_LIB_ARCHIVE_SOURCE_H
#define GANTRY_LIB_ARCHIVE_SOURCE_H

#include <gantry/buf.h>
#include <gantry/call.h>

#include <sys/types.h>

struct gt_archive_source_options {
	const char *worker; /* its program; NULL: the installed one */
	int64_t max_size; /* uncompressed bytes of the whole archive; 0: 1 TiB */
	int64_t max_entries; /* 0: 1,000,000 */
};

enum gt_archive_type {
	GT_ARCHIVE_FILE,
	GT_ARCHIVE_DIR,
	GT_ARCHIVE_SYMLINK,
	GT_ARCHIVE_HARDLINK,
	GT_ARCHIVE_OTHER, /* device, FIFO */
};

struct gt_archive_entry {
	/*
	 * Relative and lexically clean: without a leading or trailing '/', without "." and "..". An
	 * entry whose name would leave the root is an error of next. "" is the root itself.
	 */
	const char *name;
	const char *link; /* SYMLINK: as it stands there; HARDLINK: clean as 'name'; else "" */
	enum gt_archive_type type;
	int64_t size; /* FILE: of its content, as claimed; else 0 */
	/*
	 * Where the content stands in the descriptor that was opened, all of it there (checked); it is
	 * then best copied from there (gt_writer_write_from). -1: compressed, sparse, or the descriptor
	 * is no regular file; only gt_archive_source_read() has it.
	 */
	int64_t offset;
};

struct gt_archive_source;

/*
 * Begins to read the archive in 'fd' (file, pipe or socket; gzip, zstd or plain, told by its first
 * bytes), which stays the caller's and open, and whose position means nothing for a regular file: it
 * is read from its start. One thread from open to free.
 */
GT_MUST_USE struct gt_error *
gt_archive_source_open(const struct gt_archive_source_options *o, int fd,
		       struct gt_archive_source **out);

/*
 * Goes to the next entry, past what was not read of the one before. '*out' NULL: the archive's end,
 * and all of it was right. What '*out' points to lives until the next call. INVALID_ARGUMENT for a
 * broken, truncated or lying archive; RESOURCE_EXHAUSTED at a limit.
 */
GT_MUST_USE struct gt_error *gt_archive_source_next(struct gt_archive_source *s,
						    const struct gt_call *call,
						    const struct gt_archive_entry **out);

/* Up to 'len' bytes of the current entry's content, whatever its offset; '*n' 0 only at its end. */
GT_MUST_USE struct gt_error *gt_archive_source_read(struct gt_archive_source *s,
						    const struct gt_call *call, void *buf,
						    size_t len, size_t *n);

/* Adds the rest of the current entry to 'out'; RESOURCE_EXHAUSTED if it claims more than 'limit'. */
GT_MUST_USE struct gt_error *gt_archive_source_read_all(struct gt_archive_source *s,
							const struct gt_call *call, size_t limit,
							struct gt_buf *out);

/* Ends the worker, wherever it is. NULL is fine. */
void gt_archive_source_free(struct gt_archive_source *s);
GT_DEFINE_AUTOPTR(gt_archive_source)

#endif
