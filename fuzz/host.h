/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host for targets that need plugins: content, metadata, plain snapshots and services, in a folder of
 * its own. What many inputs have left there is thrown away now and then.
 */
#ifndef GANTRY_FUZZ_HOST_H
#define GANTRY_FUZZ_HOST_H

#include "core/host.h"

struct fuzz_host {
	const char *name; /* set these before */
	const char *active, *options; /* more of the configuration; NULL: none */
	void (*closing)(void); /* called before the host is closed; NULL: nothing is */
	char *folder;
	struct gt_config *config;
	struct gt_host *host;
	unsigned n;
};

/* Aborts where it is none of the input's doing that something fails. */
void fuzz_must(struct gt_error *e);
/*
 * Before privileges are dropped: whoever runs the inputs may not reach the build folder, so modules are
 * loaded now. One host a program.
 */
void fuzz_host_open(struct fuzz_host *h);
/* For the next input; true if the host is a new one. */
bool fuzz_host_next(struct fuzz_host *h);
/* The active plugin of a kind. */
void *fuzz_host_plugin(struct fuzz_host *h, enum gt_kind kind);

#endif
