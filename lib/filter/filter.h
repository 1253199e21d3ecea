/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's filters, as List calls and event streams take them:
 *
 *	filter    := selector ("," selector)*		all of them hold; "" holds always
 *	selector  := field ("." field)* (operator value)?	without operator: the field is there
 *	field     := quoted | [A-Za-z0-9_]+
 *	operator  := "==" | "!=" | "~="			the last takes a regular expression
 *	value     := quoted | [^ \t\n,]+
 *	quoted    := a string in Go's syntax; after "~=" also /text/ and |text|
 *
 * Of several filters any one suffices. Fields are the caller's: it hands in a function that looks them
 * up in the object at hand.
 */
#ifndef GANTRY_LIB_FILTER_H
#define GANTRY_LIB_FILTER_H

#include <gantry/buf.h>
#include <gantry/error.h>
#include <gantry/strv.h>

struct gt_filter;

/*
 * The value of the field 'path' (at least one part) of 'object', or NULL where it has none. The answer
 * must live until the next look-up; one that has to be made can be put in 'scratch', which is empty.
 */
typedef const char *gt_filter_lookup(const void *object, const struct gt_strv *path,
				     struct gt_buf *scratch);

/*
 * Parses 'filters' (NULL or none: matches everything). INVALID_ARGUMENT with the place for bad syntax,
 * for a regular expression that is wrong or uses what is not supported, and for what is too long.
 */
GT_MUST_USE struct gt_error *gt_filter_parse(const struct gt_strv *filters, struct gt_filter **out);
bool gt_filter_matches(const struct gt_filter *f, gt_filter_lookup *lookup, const void *object);
void gt_filter_free(struct gt_filter *f);
GT_DEFINE_AUTOPTR(gt_filter)

/* For look-ups: the label that the parts of 'path' from 'first' on name, joined by dots. */
const char *gt_filter_label(const struct gt_labels *l, const struct gt_strv *path, size_t first);
/* For look-ups: NULL for an empty string, which filters take as absent. */
const char *gt_filter_string(const char *s);

#endif
