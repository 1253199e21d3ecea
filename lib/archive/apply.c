/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's mode "apply": a layer blob into a folder. */
#include <config.h>

#include <archive/confine.h>
#include <archive/extract.h>
#include <archive/layer.h>
#include <archive/reader.h>

#include <pthread.h>
#include <unistd.h>

#define WRITE_BACK_EACH 500000 /* microseconds */
#define MEMORY (160 << 20) /* besides zstd's window; what is needed is far less */

/*
 * Starts writing to the disk what has gathered, every now and then: the kernel alone would wait for long,
 * and whoever makes the snapshot durable would wait for all of it. It may be in the middle of that when
 * the process ends; what it writes then has to be written anyhow.
 */
static void *write_back(void *arg)
{
	(void)arg;
	for (;;) {
		usleep(WRITE_BACK_EACH);
		syncfs(GT_LAYER_ROOT);
	}
	return NULL;
}

static struct gt_error *apply_entries(const struct layer_job_options *o, struct layer_reader *r,
				      struct layer_extract *x, int64_t *entries)
{
	for (;;) {
		struct archive_entry *entry;
		struct gt_error *e;

		GT_TRY(layer_reader_next(r, &entry));
		if (!entry)
			return NULL;
		if (++*entries > o->max_entries && o->max_entries)
			return gt_error_new(GT_RESOURCE_EXHAUSTED,
					    "it has more than %lld entries, the limit",
					    (long long)o->max_entries);
		e = layer_extract_entry(x, r, entry);
		if (e)
			return e;
	}
}

struct gt_error *layer_apply_input(const struct layer_job_options *o, int root,
				   struct layer_input *in, struct layer_done *out)
{
	int *below = gt_xcalloc(o->below, sizeof(*below));
	struct layer_extract_options xo = {
		.root = root,
		.below = below,
		.n_below = o->below,
		.alone = o->alone,
		.opaque = !o->overlay	 ? NULL
			  : o->userxattr ? "user.overlay.opaque"
					 : "trusted.overlay.opaque",
		.userns = o->userns,
		.max_size = o->max_size,
		.warn = layer_say_warning,
	};
	struct layer_reader r = { 0 };
	struct layer_extract x;
	struct gt_error *e;

	for (int64_t i = 0; i < o->below; i++)
		below[i] = GT_LAYER_LOWER + i;
	layer_extract_init(&x, &xo);
	e = layer_reader_open(&r, in, false);
	if (!e)
		e = apply_entries(o, &r, &x, &out->entries);
	layer_reader_done(&r);
	layer_extract_done(&x);
	free(below);
	if (!e)
		e = layer_input_drain(in);
	return e;
}

struct gt_error *layer_apply(const struct layer_job_options *o, struct layer_done *out)
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

	layer_reader_prepare();
	GT_TRY(layer_confine_root(GT_LAYER_ROOT));
	GT_TRY(layer_confine_privileges(LAYER_WRITES, MEMORY + o->max_window));
	GT_TRY(layer_input_open(&io, &in));
	if (o->thread)
		GT_TRY(layer_input_start_thread(in));
	if (o->writeback) {
		pthread_t t;

		if (!pthread_create(&t, NULL, write_back, NULL)) /* without it, it is only slower */
			pthread_detach(t);
	}
	GT_TRY(layer_confine_calls(LAYER_WRITES));
	GT_TRY(layer_apply_input(o, GT_LAYER_ROOT, in, out));
	out->size = layer_input_produced(in);
	out->consumed = layer_input_consumed(in);
	return layer_input_digest(in, &out->digest);
}
