/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "numbers.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

enum ctr_number ctr_parse_uint(const char *s, uint64_t *out)
{
	unsigned base = 10;
	uint64_t v = 0;

	if (s[0] == '0' && s[1]) {
		char c = s[1] | 0x20;

		base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
		s += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
	}
	if (!*s)
		return CTR_NUMBER_SYNTAX;
	for (const char *p = s; *p; p++)
		if ((unsigned)digit(*p) >= base)
			return CTR_NUMBER_SYNTAX;
	for (; *s; s++)
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (unsigned)digit(*s), &v))
			return CTR_NUMBER_RANGE;
	*out = v;
	return CTR_NUMBER_OK;
}

enum ctr_number ctr_parse_int(const char *s, int64_t *out)
{
	bool negative = *s == '-';
	uint64_t v, most = (uint64_t)INT64_MAX + negative;
	enum ctr_number r;

	if (*s == '-' || *s == '+')
		s++;
	r = ctr_parse_uint(s, &v);
	if (r)
		return r;
	if (v > most)
		return CTR_NUMBER_RANGE;
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return CTR_NUMBER_OK;
}

enum ctr_number ctr_parse_float(const char *s, double *out)
{
	char *end;
	double v;

	if (!*s || strspn(s, "+-.0123456789eE") != strlen(s))
		return CTR_NUMBER_SYNTAX;
	errno = 0;
	v = strtod(s, &end);
	if (*end)
		return CTR_NUMBER_SYNTAX;
	if (!isfinite(v))
		return CTR_NUMBER_RANGE;
	*out = v;
	return CTR_NUMBER_OK;
}

bool ctr_parse_bool(const char *s, bool *out)
{
	static const char *const words[][6] = { { "0", "f", "F", "false", "False", "FALSE" },
						{ "1", "t", "T", "true", "True", "TRUE" } };

	for (int yes = 0; yes < 2; yes++)
		for (int i = 0; i < 6; i++)
			if (!strcmp(s, words[yes][i])) {
				*out = yes;
				return true;
			}
	return false;
}
