/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's mode "measure": size and digest of what a blob holds, whatever it is. */
#include <config.h>

#include <archive/confine.h>
#include <archive/input.h>
#include <archive/layer.h>

#define MEMORY (64 << 20)

struct gt_error *layer_measure(const struct layer_job_options *o, struct layer_done *out)
{
	struct layer_input_options io = {
		.fd = GT_LAYER_BLOB,
		.raw = o->raw,
		.digest = true,
		.max_size = o->max_size,
		.max_ratio = o->max_ratio,
		.max_window = o->max_window,
	};
	gt_autoptr(layer_input) in = NULL;

	GT_TRY(layer_confine_privileges(LAYER_READS, MEMORY + o->max_window));
	GT_TRY(layer_input_open(&io, &in));
	GT_TRY(layer_confine_calls(LAYER_READS));
	GT_TRY(layer_input_drain(in));
	out->size = layer_input_produced(in);
	out->consumed = layer_input_consumed(in);
	return layer_input_digest(in, &out->digest);
}
