/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of a plugin, as one table: the parser, `gantryd config default`, the error messages and the
 * manual page all come from it. The host fills a struct of the plugin's own (of 'config_size' bytes)
 * from the defaults and the configuration file, and frees it after close.
 */
#ifndef GANTRY_OPTION_H
#define GANTRY_OPTION_H

#include <gantry/strv.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gt_option_type {
	GT_OPTION_STRING = 1, /* char *; never NULL */
	GT_OPTION_PATH, /* char *; absolute, or empty */
	GT_OPTION_BOOL, /* bool */
	GT_OPTION_INT, /* int64_t, within min and max */
	GT_OPTION_SIZE, /* uint64_t bytes, written "64MiB", "10kB" or a number */
	GT_OPTION_DURATION, /* int64_t nanoseconds, written "10s", "1h30m", "500ms" */
	GT_OPTION_ENUM, /* char *; one of 'choices' */
	GT_OPTION_LIST, /* struct gt_strv */
};

struct gt_option {
	const char *name; /* as in the file; NULL ends the table */
	enum gt_option_type type;
	size_t offset; /* of the field in the plugin's struct */
	const char *value; /* the default, as it would stand in the file, without quotes */
	const char *text; /* one or two sentences; the manual and the comments come from it */
	int64_t min, max; /* INT, DURATION; both 0: no range */
	const char *choices; /* ENUM: the words, separated by '|' */
	/*
	 * Takes effect on SIGHUP: the host writes the new value in place. The plugin reads it anew each
	 * time; a string that it has read stays valid until it is closed. Not for lists.
	 */
	bool reloadable;
	void *reserved[2];
};

/* The field's type must be the option's: a wrong one does not compile. */
#define GT_OPT_CHECK(type, member, ctype)                                                         \
	(offsetof(type, member) + 0 * sizeof(char[_Generic(((type *)0)->member, ctype : 1)]))

/* Behind the text of a row: takes effect on SIGHUP. */
#define GT_LIVE .reloadable = true

#define GT_OPT_STRING(type_, member, def, txt, ...)                                               \
	{ .name = #member, .type = GT_OPTION_STRING, .value = def, .text = txt,                    \
	  .offset = GT_OPT_CHECK(type_, member, char *) __VA_OPT__(,) __VA_ARGS__ }
#define GT_OPT_PATH(type_, member, def, txt, ...)                                                 \
	{ .name = #member, .type = GT_OPTION_PATH, .value = def, .text = txt,                      \
	  .offset = GT_OPT_CHECK(type_, member, char *) __VA_OPT__(,) __VA_ARGS__ }
#define GT_OPT_BOOL(type_, member, def, txt, ...)                                                 \
	{ .name = #member, .type = GT_OPTION_BOOL, .value = def, .text = txt,                      \
	  .offset = GT_OPT_CHECK(type_, member, bool) __VA_OPT__(,) __VA_ARGS__ }
#define GT_OPT_INT(type_, member, def, lo, hi, txt, ...)                                          \
	{ .name = #member, .type = GT_OPTION_INT, .value = def, .text = txt, .min = lo, .max = hi, \
	  .offset = GT_OPT_CHECK(type_, member, int64_t) __VA_OPT__(,) __VA_ARGS__ }
#define GT_OPT_SIZE(type_, member, def, txt, ...)                                                 \
	{ .name = #member, .type = GT_OPTION_SIZE, .value = def, .text = txt,                      \
	  .offset = GT_OPT_CHECK(type_, member, uint64_t) __VA_OPT__(,) __VA_ARGS__ }
#define GT_OPT_DURATION(type_, member, def, txt, ...)                                             \
	{ .name = #member, .type = GT_OPTION_DURATION, .value = def, .text = txt,                  \
	  .offset = GT_OPT_CHECK(type_, member, int64_t) __VA_OPT__(,) __VA_ARGS__ }
#define GT_OPT_ENUM(type_, member, def, words, txt, ...)                                          \
	{ .name = #member, .type = GT_OPTION_ENUM, .value = def, .text = txt, .choices = words,    \
	  .offset = GT_OPT_CHECK(type_, member, char *) __VA_OPT__(,) __VA_ARGS__ }
/* 'def' is written "[]" or "[a, b]". */
#define GT_OPT_LIST(type_, member, def, txt, ...)                                                 \
	{ .name = #member, .type = GT_OPTION_LIST, .value = def, .text = txt,                      \
	  .offset = GT_OPT_CHECK(type_, member, struct gt_strv) __VA_OPT__(,) __VA_ARGS__ }

#endif
