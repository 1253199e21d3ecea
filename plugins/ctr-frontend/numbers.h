/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people type them, by the rules of Go's strconv package. */
#ifndef CTR_NUMBERS_H
#define CTR_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

enum ctr_number { CTR_NUMBER_OK, CTR_NUMBER_SYNTAX, CTR_NUMBER_RANGE };

/* Decimal, or with 0x, 0o, 0b or a leading 0; the whole of 's'. */
enum ctr_number ctr_parse_uint(const char *s, uint64_t *out);
enum ctr_number ctr_parse_int(const char *s, int64_t *out);
enum ctr_number ctr_parse_float(const char *s, double *out);
/* 1, t, T, true, True, TRUE and their opposites. */
bool ctr_parse_bool(const char *s, bool *out);

#endif
