/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters, parsed and matched. Lines are filters, of which any suffices, up to an empty line; what follows
 * are "KEY=VALUE" lines, the fields and labels of an object.
 */
#include <config.h>

#include "fuzz/fuzz.h"

#include <filter/filter.h>

#include <assert.h>
#include <string.h>

static const char *lookup(const void *object, const struct gt_strv *path, struct gt_buf *scratch)
{
	const struct gt_labels *labels = object;

	if (!strcmp(path->v[0], "labels"))
		return gt_filter_label(labels, path, 1);
	for (size_t i = 0; i < path->n; i++)
		gt_buf_addf(scratch, "%s%s", i ? "." : "", path->v[i]);
	for (size_t i = 0; i < labels->n; i++)
		if (!strcmp(labels->v[i].key, scratch->s))
			return gt_filter_string(labels->v[i].value);
	return NULL;
}

static void labels_read(char *text, struct gt_labels *out)
{
	char *line, *save = NULL;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');

		if (!value)
			continue;
		*value++ = '\0';
		gt_labels_set(out, line, value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	gt_autofree char *text = gt_xstrndup((const char *)data, size);
	char *object = strstr(text, "\n\n"), *end = text;
	struct gt_labels labels = { 0 };
	struct gt_strv filters = { 0 };
	struct gt_filter *f = NULL;
	struct gt_error *e;

	if (object) {
		*object = '\0';
		labels_read(object + 2, &labels);
	}
	while (end) {
		char *line = end;

		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		gt_strv_add(&filters, line);
	}
	e = gt_filter_parse(&filters, &f);
	if (!e) {
		bool all = gt_filter_matches(f, lookup, &labels), any = false;

		/* One by one they say the same as together. */
		for (size_t i = 0; i < filters.n; i++) {
			struct gt_strv one = { .v = &filters.v[i], .n = 1 };
			gt_autoptr(gt_filter) g = NULL;

			if (gt_filter_parse(&one, &g))
				abort();
			any |= gt_filter_matches(g, lookup, &labels);
		}
		assert(all == any);
		gt_filter_free(f);
	}
	gt_error_free(e);
	gt_strv_done(&filters);
	gt_labels_done(&labels);
	return 0;
}
