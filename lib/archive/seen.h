/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of paths that a layer wrote, so that its whiteouts spare them. Only 64 bits of each are kept:
 * two paths of one image that meet there would spare one file too many, in that image.
 */
#ifndef GANTRY_LIB_ARCHIVE_SEEN_H
#define GANTRY_LIB_ARCHIVE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct layer_seen {
	uint64_t *slots; /* 0: free */
	size_t n, size;
};

#define LAYER_SEEN_ROOT UINT64_C(0xcbf29ce484222325)

/* The hash of 'name' in the folder with hash 'folder'; never 0. */
uint64_t layer_seen_hash(uint64_t folder, const char *name, size_t len);

void layer_seen_add(struct layer_seen *s, uint64_t hash);
bool layer_seen_has(const struct layer_seen *s, uint64_t hash);
void layer_seen_done(struct layer_seen *s);

#endif
