/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions in Go's syntax (RE2), compiled to the C library's. Only whether a text matches is
 * asked, so greediness and groups make no difference. Supported: literals, '.', classes with ranges,
 * escapes and [:names:], anchors, groups, alternatives, all repetitions, \d \s \w and their opposites,
 * \b \B \A \z, \Q...\E, \x and octal escapes of ASCII, and the flags i and s in front. Not supported:
 * Unicode classes, classes with characters beyond ASCII, flags elsewhere.
 */
#ifndef GANTRY_LIB_FILTER_REGEXP_H
#define GANTRY_LIB_FILTER_REGEXP_H

#include <gantry/error.h>

#include <regex.h>

/* INVALID_ARGUMENT with the place. The caller regfree()s '*out'. */
GT_MUST_USE struct gt_error *gt_regexp_compile(const char *pattern, regex_t *out);

#endif
