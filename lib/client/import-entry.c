/* SPDX-License-Identifier: Apache-2.0 */
/* An entry's bytes read in place, as if they were a blob. */
#include <config.h>

#include <client/import-private.h>

#include <gantry/api-blobs.h>

#include <errno.h>
#include <unistd.h>

struct entry_reader {
	struct gt_reader base;
	int fd;
	int64_t offset, size;
};

static struct gt_error *entry_pread(struct gt_reader *r, void *buf, size_t len, int64_t off,
				    size_t *out)
{
	const struct entry_reader *e = (const struct entry_reader *)r;
	ssize_t n = 0;

	if (off < e->size)
		n = pread(e->fd, buf, (int64_t)len < e->size - off ? (int64_t)len : e->size - off,
			  e->offset + off);
	if (n < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "read the archive");
	*out = n;
	return NULL;
}

static int64_t entry_length(struct gt_reader *r)
{
	return ((const struct entry_reader *)r)->size;
}

static void entry_close(struct gt_reader *r)
{
	free(r);
}

static const struct gt_reader_ops entry_reader_ops = {
	.size = sizeof(entry_reader_ops),
	.pread = entry_pread,
	.length = entry_length,
	.close = entry_close,
};

struct gt_error *gt_import_entry_open(struct import *m, const struct import_entry *e,
				      struct gt_reader **out)
{
	struct entry_reader *r;

	if (e->offset < 0)
		return gt_blobs_reader(m->s, m->call, e->digest, out);
	r = gt_xcalloc(1, sizeof(*r));
	*r = (struct entry_reader){ .base.ops = &entry_reader_ops,
				    .fd = m->fd,
				    .offset = e->offset,
				    .size = e->size };
	*out = &r->base;
	return NULL;
}
