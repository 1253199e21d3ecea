/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over each file of its corpus, and over the file cut and flipped at as many places as
 * there is time for. Root becomes nobody for it: among the inputs are requests to mount, to delete and to
 * run something.
 */
#include <config.h>

#include "fuzz/fuzz.h"

#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

#define INPUT_MAX (1024 * 1024)
#define EDITS_MAX 4096 /* of one file */
#define EDITS_CLOCK (4 * CLOCKS_PER_SEC) /* of all files together: each has a share by its length */
#define SPREAD UINT64_C(2654435761) /* a prime: each place comes once */
#define NOBODY 65534

struct input {
	char *name;
	struct gt_buf bytes;
	struct input *next;
};

int __attribute__((weak)) LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	return 0;
}

static bool become_nobody(void)
{
	if (geteuid())
		return true;
	return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	       setresuid(NOBODY, NOBODY, NOBODY) == 0 &&
	       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static struct gt_error *corpus_read(const char *folder, struct input **out)
{
	DIR *d = opendir(folder);
	struct gt_error *e = d ? NULL : gt_error_errno(GT_NOT_FOUND, errno, "open %s", folder);
	const struct dirent *ent;

	while (!e && (ent = readdir(d))) {
		struct input *in;

		if (ent->d_name[0] == '.')
			continue;
		in = gt_xcalloc(1, sizeof(*in));
		in->name = gt_xstrdup(ent->d_name);
		gt_buf_init(&in->bytes);
		in->next = *out;
		*out = in;
		e = gt_file_read(dirfd(d), ent->d_name, INPUT_MAX, &in->bytes);
	}
	if (d)
		closedir(d);
	return e;
}

static void run(const struct gt_buf *in, size_t total)
{
	clock_t until = clock() + (clock_t)((double)EDITS_CLOCK * (double)in->len / (double)total);
	size_t edits = in->len < EDITS_MAX ? in->len : EDITS_MAX;

	LLVMFuzzerTestOneInput((const uint8_t *)in->s, in->len);
	for (size_t n = 0; n < edits && clock() < until; n++) {
		size_t i = n * SPREAD % in->len; /* all over the file, however few there is time for */
		uint8_t *copy = gt_xmemdup(in->s, in->len);

		copy[i] ^= 1u << (i % 8);
		LLVMFuzzerTestOneInput(copy, in->len);
		LLVMFuzzerTestOneInput(copy, i);
		free(copy);
	}
}

int main(int argc, char **argv)
{
	struct input *inputs = NULL;
	struct gt_error *e;
	size_t total = 1;
	int n = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	e = corpus_read(argv[1], &inputs);
	if (e || LLVMFuzzerInitialize(&argc, &argv) || !become_nobody()) {
		printf("Bail out! %s\n", e ? gt_error_text(e) : "the target cannot be prepared");
		gt_error_free(e);
		return 1;
	}
	for (const struct input *in = inputs; in; in = in->next)
		total += in->bytes.len;
	while (inputs) {
		struct input *in = inputs;

		run(&in->bytes, total);
		printf("ok %d - %s, whole, cut and flipped\n", ++n, in->name);
		inputs = in->next;
		gt_buf_done(&in->bytes);
		free(in->name);
		free(in);
	}
	printf("1..%d\n", n);
	return n ? 0 : 1;
}
