/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over each file of its corpus, and over the file cut and flipped at every place. */
#include <config.h>

#include "fuzz/fuzz.h"

#include <gantry/file.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#define INPUT_MAX (1024 * 1024)
#define EDITS_MAX 4096 /* of one file */

static void run(const struct gt_buf *in)
{
	size_t step = in->len / EDITS_MAX + 1;

	LLVMFuzzerTestOneInput((const uint8_t *)in->s, in->len);
	for (size_t i = 0; i < in->len; i += step) {
		uint8_t *copy = gt_xmemdup(in->s, in->len);

		copy[i] ^= 1u << (i % 8);
		LLVMFuzzerTestOneInput(copy, in->len);
		LLVMFuzzerTestOneInput(copy, i);
		free(copy);
	}
}

int main(int argc, char **argv)
{
	DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *ent;
	int n = 0;

	if (!d) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	while ((ent = readdir(d))) {
		gt_auto(gt_buf) in = GT_BUF_INIT;
		struct gt_error *e;

		if (ent->d_name[0] == '.')
			continue;
		e = gt_file_read(dirfd(d), ent->d_name, INPUT_MAX, &in);
		if (e) {
			printf("Bail out! %s\n", gt_error_text(e));
			gt_error_free(e);
			return 1;
		}
		run(&in);
		printf("ok %d - %s, whole, cut and flipped\n", ++n, ent->d_name);
	}
	closedir(d);
	printf("1..%d\n", n);
	return n ? 0 : 1;
}
