/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a layer or an image archive is made of, through the layer worker's own functions: tar as an archive
 * is listed and as a layer is applied to a folder, gzip and zstd as they are unpacked. The first byte's
 * bits: 1 checksums of tar headers are set right before, 2 the target is overlayfs' upper folder, 4 devices
 * are left out, 8 what is below is not there yet, 16 a thread reads ahead, 32 a limit is small.
 */
#include <config.h>

#include "fuzz/fuzz.h"

#include <archive/input.h>
#include <archive/layer.h>
#include <archive/reader.h>

#include <gantry/file.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define BLOCK 512

/* The worker says these to who started it. */
void layer_say(struct gt_buf *frame)
{
	assert(frame->len >= 4);
}

void layer_say_warning(void *arg, const char *text)
{
	(void)arg;
	assert(*text);
}

static void checksums_mend(uint8_t *tar, size_t len)
{
	for (size_t at = 0; at + BLOCK <= len; at += BLOCK) {
		uint8_t *h = tar + at;
		unsigned sum = 0;

		if (memcmp(h + 257, "ustar", 5) != 0)
			continue;
		memset(h + 148, ' ', 8);
		for (size_t i = 0; i < BLOCK; i++)
			sum += h[i];
		snprintf((char *)h + 148, 8, "%06o", sum);
	}
}

static struct layer_input *input_of(int blob, const struct layer_job_options *o)
{
	struct layer_input_options io = {
		.fd = blob,
		.digest = true,
		.max_size = o->max_size,
		.max_ratio = o->max_ratio,
		.max_window = o->max_window,
	};
	struct layer_input *in = NULL;
	struct gt_error *e = layer_input_open(&io, &in);

	gt_error_free(e);
	return e ? NULL : in;
}

static void apply(int blob, const struct layer_job_options *o)
{
	gt_autoptr(layer_input) in = input_of(blob, o);
	struct layer_done done = { 0 };
	gt_autofd int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	gt_autofd int root = -1;
	struct gt_error *e = NULL;

	mkdir("root", 0755);
	root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (in && o->thread)
		e = layer_input_start_thread(in);
	if (in && !e)
		e = layer_apply_input(o, root, in, &done);
	if (in && !e)
		e = layer_input_digest(in, &done.digest);
	assert(e || !in || !strncmp(done.digest, "sha256:", 7));
	gt_error_free(e);
	free(done.digest);
	if (fchdir(here) < 0)
		abort();
	/* Folders may have been left without a way in. */
	if (faccessat(AT_FDCWD, "root", W_OK | X_OK, 0) < 0)
		chmod("root", 0700);
	gt_error_free(gt_file_remove_tree(AT_FDCWD, "root"));
}

static void list(int blob, const struct layer_job_options *o)
{
	gt_autoptr(layer_input) in = input_of(blob, o);
	struct layer_done done = { 0 };

	if (in)
		gt_error_free(layer_list_input(o, in, &done));
	assert(done.entries >= 0);
}

static void folder_enter(void)
{
	const char *tmp = getenv("TMPDIR");
	gt_autofree char *folder = gt_strf("%s/fuzz-archive.XXXXXX", tmp ? tmp : "/tmp");

	if (!mkdtemp(folder) || chdir(folder))
		abort();
	layer_reader_prepare();
	umask(0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_ready;
	struct layer_job_options o = { .epoch = -1, .max_window = 8 << 20, .max_size = 64 << 20 };
	gt_autofree uint8_t *bytes = NULL;
	gt_autofd int blob = -1;

	if (!size)
		return 0;
	if (!is_ready)
		folder_enter();
	is_ready = true;
	o.overlay = o.userxattr = data[0] & 2;
	o.userns = data[0] & 4;
	o.alone = data[0] & 8;
	o.thread = data[0] & 16;
	if (data[0] & 32) {
		o.max_size = 4096;
		o.max_entries = 3;
		o.max_ratio = 10;
	}
	bytes = gt_xmemdup(data + 1, size - 1);
	if (data[0] & 1)
		checksums_mend(bytes, size - 1);
	blob = memfd_create("blob", MFD_CLOEXEC);
	if (blob < 0 || pwrite(blob, bytes, size - 1, 0) != (ssize_t)(size - 1))
		abort();
	list(blob, &o);
	apply(blob, &o);
	return 0;
}
