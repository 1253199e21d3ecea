/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's mode "recode": a blob in another compression, with the digest of what it holds. */
#include <config.h>

#include <archive/confine.h>
#include <archive/input.h>
#include <archive/layer.h>
#include <archive/output.h>

#define MEMORY (160 << 20) /* besides zstd's window */

static struct gt_error *copy(struct layer_input *in, struct layer_output *to,
			     struct layer_done *out)
{
	for (;;) {
		const void *data;
		size_t len;

		GT_TRY(layer_input_next(in, &data, &len));
		if (!len)
			return layer_output_end(to, out);
		GT_TRY(layer_output_write(to, data, len));
	}
}

struct gt_error *layer_recode(const struct layer_job_options *o, struct layer_done *out)
{
	struct layer_input_options io = {
		.fd = GT_LAYER_BLOB,
		.max_size = o->max_size,
		.max_ratio = o->max_ratio,
		.max_window = o->max_window,
	};
	gt_autoptr(layer_output) to = NULL;
	gt_autoptr(layer_input) in = NULL;

	GT_TRY(layer_confine_privileges(LAYER_READS, MEMORY + o->max_window));
	GT_TRY(layer_output_open(o->compression, &to));
	GT_TRY(layer_input_open(&io, &in));
	GT_TRY(layer_confine_calls(LAYER_READS));
	GT_TRY(copy(in, to, out));
	out->consumed = layer_input_consumed(in);
	return NULL;
}
