/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and durations as people write them; the one parser of each. */
#ifndef GANTRY_QUANTITY_H
#define GANTRY_QUANTITY_H

#include <gantry/buf.h>

/* "64MiB", "10kB", "1G" (binary), "4096": bytes. False for anything else, or too much. */
bool gt_size_parse(const char *s, uint64_t *out);
void gt_size_print(uint64_t bytes, struct gt_buf *out);

/* Go's syntax: "1h30m", "1.5s", "500ms", "-2us", "0"; nanoseconds. False for anything else. */
bool gt_duration_parse(const char *s, int64_t *out);
void gt_duration_print(int64_t ns, struct gt_buf *out);

#endif
