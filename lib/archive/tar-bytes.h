/* SPDX-License-Identifier: Apache-2.0 */
/* Tar archives made byte by byte, right or wrong, for tests. */
#ifndef GANTRY_LIB_ARCHIVE_TAR_BYTES_H
#define GANTRY_LIB_ARCHIVE_TAR_BYTES_H

#include <gantry/buf.h>

#include <sys/types.h>

struct tar_entry {
	const char *name; /* at most 100 bytes go into the header; longer ones get a "path" record */
	char type; /* '0' file, '1' hard link, '2' link, '3' '4' devices, '5' folder, '6' FIFO */
	const char *link;
	mode_t mode; /* 0: 0644, folders 0755 */
	int64_t uid, gid;
	int64_t mtime;
	const char *data; /* NULL: none */
	size_t len; /* of 'data' */
	int64_t size; /* what the header claims; 0: 'len' */
	unsigned major, minor;
	const char *const *pax; /* records "key=value", ended by NULL; NULL: none */
};

void tar_add(struct gt_buf *b, const struct tar_entry *e);
/* The two blocks of zeros. */
void tar_end(struct gt_buf *b);

#define TAR_ADD(b, ...) tar_add(b, &(struct tar_entry){ __VA_ARGS__ })

/* Adds 'in', compressed, to 'out'. */
void tar_gzip(const struct gt_buf *in, struct gt_buf *out);
void tar_zstd(const struct gt_buf *in, struct gt_buf *out);

#endif
