/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the OCI runtime program: command lines, results, error texts. */
#ifndef GANTRY_SHIM_RUNTIME_H
#define GANTRY_SHIM_RUNTIME_H

#include "child.h"
#include "options.h"

#include <gantry/strv.h>

/* How the program is called for one container. */
struct runtime {
	struct options options;
	char *binary;
	char *root; /* its state, with the namespace */
	char *log; /* its log of JSON lines, in the bundle */
};

/* Takes the options. */
void runtime_init_take(struct runtime *rt, struct options *o, const char *ns, const char *bundle);
void runtime_done(struct runtime *rt);

/* "PROGRAM --root ... [--systemd-cgroup]": what stands before each command. */
void runtime_argv(const struct runtime *rt, struct gt_strv *argv);

/* One call under way. Embedded in the operation that it is part of. */
struct run {
	struct child child; /* first */
	const struct runtime *rt;
	int output; /* what the program prints; -1: that goes elsewhere */
	off_t log_start;
	/* Takes 'e': NULL if the program ended with 0. */
	void (*done)(struct run *r, struct gt_error *e);
};

struct run_stdio {
	const int *fds; /* of the container; NULL: its output is read for the error text */
	int in; /* if fds is NULL; -1: none */
};

/* Takes 'argv'. On error 'done' is not called. Nanoseconds. */
GT_MUST_USE struct gt_error *run_start_take(struct shim *shim, struct run *r,
					    const struct runtime *rt, struct gt_strv *argv,
					    const struct run_stdio *io, const char *cwd,
					    int64_t timeout);

/* "what: the program's own last words" if it logged any in this call, else "what: e". Takes 'e'. */
GT_MUST_USE struct gt_error *runtime_error_take(const struct run *r, struct gt_error *e,
						const char *what);

/* Reads a pid that the program wrote. */
GT_MUST_USE struct gt_error *runtime_pid_read(const char *path, pid_t *pid);

#endif
