/* SPDX-License-Identifier: Apache-2.0 */
/* A typed value that passes through without being understood, as google.protobuf.Any does. */
#ifndef GANTRY_ANY_H
#define GANTRY_ANY_H

#include <stdbool.h>
#include <stddef.h>

struct gt_any {
	char *type_url; /* NULL: no value at all */
	void *data; /* owned; NULL where len is 0 */
	size_t len;
};

void gt_any_set(struct gt_any *a, const char *type_url, const void *data, size_t len);
void gt_any_copy(struct gt_any *dst, const struct gt_any *src);
void gt_any_done(struct gt_any *a);

/* Whether 'a' is of that type: the URLs are equal, or equal behind the last '/' of a's. */
bool gt_any_is(const struct gt_any *a, const char *type);

#endif
