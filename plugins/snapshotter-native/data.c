/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "native.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#define CHUNK ((size_t)128 << 10)

static struct gt_error *data_error(int err)
{
	return gt_error_errno(gt_file_class(err), err, "copy the bytes of a file");
}

/* Where the kernel cannot copy by itself: through our memory. */
static struct gt_error *copy_through(int from, int to, off_t start, off_t end)
{
	gt_autofree char *block = gt_xmalloc(CHUNK);

	while (start < end) {
		size_t want = (off_t)CHUNK < end - start ? CHUNK : (size_t)(end - start);
		ssize_t n = pread(from, block, want, start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return data_error(errno);
		if (n == 0) /* shorter than it was */
			return NULL;
		for (ssize_t done = 0; done < n;) {
			ssize_t put = pwrite(to, block + done, n - done, start + done);

			if (put < 0 && errno != EINTR)
				return data_error(errno);
			if (put > 0)
				done += put;
		}
		start += n;
	}
	return NULL;
}

static struct gt_error *copy_range(int from, int to, off_t start, off_t end)
{
	while (start < end) {
		off_t in = start, out = start;
		ssize_t n = copy_file_range(from, &in, to, &out, end - start, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
			return data_error(errno);
		if (n <= 0) /* not between these, or it says there is nothing: look ourselves */
			return copy_through(from, to, start, end);
		start += n;
	}
	return NULL;
}

struct gt_error *native_copy_data(int from, int to, off_t size)
{
	off_t at = 0;

	if (size == 0 || ioctl(to, FICLONE, from) == 0)
		return NULL;
	while (at < size) {
		off_t start = lseek(from, at, SEEK_DATA), end;

		if (start < 0 && errno == ENXIO) /* a hole up to the end */
			break;
		end = start < 0 ? -1 : lseek(from, start, SEEK_HOLE);
		if (end < 0) { /* knows no holes */
			start = at;
			end = size;
		}
		if (end > size)
			end = size;
		GT_TRY(copy_range(from, to, start, end));
		at = end;
	}
	return ftruncate(to, size) < 0 ? data_error(errno) : NULL;
}
