/* SPDX-License-Identifier: Apache-2.0 */
/* Names in archives. */
#ifndef GANTRY_LIB_ARCHIVE_NAME_H
#define GANTRY_LIB_ARCHIVE_NAME_H

#include <gantry/buf.h>

/*
 * Makes 'name' relative and clean in 'out' (emptied first): no "", "." or ".." in it; "" is the root.
 * INVALID_ARGUMENT if ".." leads above the root or it is longer than a path can be.
 */
GT_MUST_USE struct gt_error *layer_name_clean(const char *name, struct gt_buf *out);

/* Where the last part of a clean name begins; 'folder_len' gets the length of what is before it. */
const char *layer_name_base(const struct gt_buf *name, size_t *folder_len);

#endif
