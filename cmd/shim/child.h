/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that the shim runs: started without copying it, ended by a deadline, told of by a callback. */
#ifndef GANTRY_SHIM_CHILD_H
#define GANTRY_SHIM_CHILD_H

#include "shim.h"

struct child_spec {
	const char *const *argv; /* argv[0] with a '/', or looked up in PATH */
	const char *file; /* run in place of argv[0]; NULL: that */
	const char *const *env; /* NULL: ours */
	const char *cwd; /* NULL: "/" */
	int in, out, err; /* -1: /dev/null */
	const int *extra; /* become 3, 4, ... in the child; all others are closed there */
	size_t n_extra;
};

struct child {
	/* Called once, when it has been reaped. The child is the caller's again, and may be freed. */
	void (*exited)(struct child *c, int status);
	pid_t pid;
	bool timed_out;
	struct shim *shim;
	struct gt_timer deadline;
	struct child *next;
	struct child **link;
};

/* Where the program is: in the first of PATH's folders that has it, or 'name' itself. */
char *child_find(const char *name);

/* Starts a program. In a process group of its own, with no signal blocked. */
GT_MUST_USE struct gt_error *child_spawn(const struct child_spec *spec, pid_t *pid);

/*
 * The same as a child of the shim's. Killed with all of its group when 'timeout' nanoseconds (0: never)
 * are over.
 */
GT_MUST_USE struct gt_error *child_start(struct shim *shim, struct child *c,
					 const struct child_spec *spec, int64_t timeout);

/* If 'pid' is one of the shim's programs, ends it and says so. */
bool child_reaped(struct shim *shim, pid_t pid, int status);

#endif
