/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "idmaps.h"

#include <gantry/buf.h>

#include <string.h>

static struct gt_error *parse_number(const char *what, const char *text, uint32_t *out)
{
	gt_auto(gt_buf) quoted = GT_BUF_INIT;
	const char *wrong = NULL;
	uint64_t n = 0;

	if (!*text || strspn(text, "0123456789") != strlen(text))
		wrong = "invalid syntax";
	for (const char *p = text; !wrong && *p; p++) {
		n = n * 10 + (uint64_t)(*p - '0');
		if (n > UINT32_MAX)
			wrong = "value out of range";
	}
	*out = (uint32_t)n;
	if (!wrong)
		return NULL;
	gt_buf_addq(&quoted, text);
	return gt_error_new(GT_UNKNOWN,
			    "invalid %s for user namespace remapping: strconv.ParseUint: parsing %s: %s",
			    what, quoted.s, wrong);
}

static struct gt_error *parse(const char *text, struct gt_idmap *out)
{
	gt_auto(gt_strv) parts = { 0 };

	gt_strv_split(&parts, text, ':');
	if (parts.n != 3)
		return gt_error_new(GT_UNKNOWN, "user namespace mappings require the format "
						"`container-id:host-id:size`");
	GT_TRY(parse_number("container id", parts.v[0], &out->container));
	GT_TRY(parse_number("host id", parts.v[1], &out->host));
	return parse_number("size", parts.v[2], &out->length);
}

struct gt_error *ctr_idmaps_parse(const struct gt_strv *list, struct gt_idmap **out)
{
	gt_autofree struct gt_idmap *maps = gt_xcalloc(list->n + 1, sizeof(*maps));

	for (size_t i = 0; i < list->n; i++)
		GT_TRY(parse(list->v[i], &maps[i]));
	*out = gt_steal(&maps);
	return NULL;
}
