/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the content suite share. */
#ifndef GANTRY_PLUGIN_TEST_CONTENT_H
#define GANTRY_PLUGIN_TEST_CONTENT_H

#include "suite.h"

#include <gantry/content.h>

/* 'len' bytes that 'seed' determines, as new memory. */
char *content_bytes(unsigned seed, size_t len);
/* Writes and commits them. '*digest' may be NULL. */
GT_MUST_USE struct gt_error *content_store(struct gt_content *c, const char *ref, const void *data,
					   size_t len, char **digest);
/* Whether the blob is there and its bytes have that digest. */
bool content_verify(struct gt_content *c, const char *digest);

/* Many threads and processes, deaths, and a full disk. */
void content_many(struct gt_content *c, const char *dir);

#endif
