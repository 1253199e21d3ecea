/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/chain.h>

#include <gantry/buf.h>

#include <string.h>

void gt_chain_ids(const struct gt_strv *diff_ids, struct gt_strv *out)
{
	const char *below = NULL;

	for (size_t i = 0; i < diff_ids->n; i++) {
		if (!below) {
			gt_strv_add(out, diff_ids->v[i]);
		} else {
			gt_autofree char *text = gt_strf("%s %s", below, diff_ids->v[i]);

			gt_strv_add_take(out, gt_digest_of(text, strlen(text)));
		}
		below = out->v[out->n - 1];
	}
}
