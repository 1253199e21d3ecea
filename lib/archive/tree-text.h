/* SPDX-License-Identifier: Apache-2.0 */
/* A tree as text, so that tests can compare two of them. */
#ifndef GANTRY_LIB_ARCHIVE_TREE_TEXT_H
#define GANTRY_LIB_ARCHIVE_TREE_TEXT_H

#include <gantry/buf.h>

enum tree_text_flags {
	TREE_TEXT_FOLDER_TIMES = 1, /* also modification times of folders */
	TREE_TEXT_CHANGE_TIMES = 2, /* and change times of all: whoever touched it shows */
	TREE_TEXT_ROOT = 4, /* and the root itself */
};

/*
 * Adds a line for each entry below 'path', sorted: name, mode, owner, device, time, size, links, what a
 * link points to or a hash of the content, and extended attributes but overlayfs' own.
 */
void tree_text(const char *path, unsigned flags, struct gt_buf *out);

#endif
