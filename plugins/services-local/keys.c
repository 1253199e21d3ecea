/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "keys.h"

#include <string.h>

static size_t add_parts(struct gt_buf *k, int kind, va_list parts)
{
	size_t last = 0;

	gt_buf_setlen(k, 0);
	gt_buf_addc(k, (char)kind);
	for (const char *p = va_arg(parts, const char *); p; p = va_arg(parts, const char *)) {
		gt_buf_addc(k, '\0');
		last = strlen(p);
		gt_buf_add(k, p, last);
	}
	return last;
}

struct gt_error *key_set(struct gt_buf *k, int kind, ...)
{
	va_list parts;
	size_t last;

	va_start(parts, kind);
	last = add_parts(k, kind, parts);
	va_end(parts);
	if (k->len > KEY_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "name of %zu bytes: at most %zu are possible here", last,
				    last > k->len - KEY_MAX ? last - (k->len - KEY_MAX) : 0);
	return NULL;
}

void key_set_prefix(struct gt_buf *k, int kind, ...)
{
	va_list parts;

	va_start(parts, kind);
	add_parts(k, kind, parts);
	va_end(parts);
	gt_buf_addc(k, '\0');
}

void key_add_number(struct gt_buf *k, uint64_t n)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		gt_buf_addc(k, (char)(n >> shift & 0xff));
}
