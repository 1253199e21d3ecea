/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of a tar archive that is written: files and folders of nobody's, without times, as Go's
 * archive/tar writes them, so that an archive of ours is one of containerd's byte for byte. POSIX
 * ustar; pax records before what does not fit it.
 */
#ifndef GANTRY_LIB_ARCHIVE_TAR_WRITE_H
#define GANTRY_LIB_ARCHIVE_TAR_WRITE_H

#include <gantry/buf.h>

#include <sys/types.h>

#define GT_TAR_BLOCK 512

/* Adds the header of a file of 'size' bytes; of a folder if 'name' ends in '/'. */
void gt_tar_header(struct gt_buf *out, const char *name, mode_t mode, int64_t size);
/* How many bytes fill the last block of a file of 'size' bytes. */
size_t gt_tar_padding(int64_t size);
/* Adds the archive's end. */
void gt_tar_end(struct gt_buf *out);

#endif
