/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz target is a file with LLVMFuzzerTestOneInput, built twice: by make check with replay.c, which
 * runs it over the files of fuzz/corpus/NAME, and by fuzz/campaign.sh with clang's libFuzzer.
 */
#ifndef GANTRY_FUZZ_H
#define GANTRY_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Optional; called once, before privileges are dropped. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* What is called for each object of a listing, and takes it. Needs <assert.h>. */
#define FUZZ_SEEN(fn, type)                                          \
	static struct gt_error *fn(void *arg, const struct type *o)  \
	{                                                            \
		(void)arg;                                                  \
		assert(o);                                                  \
		return NULL;                                                \
	}

#endif
