/* SPDX-License-Identifier: Apache-2.0 */
/* Running other programs: with a deadline, a limit on what they print, and no descriptor they should not have. */
#ifndef GANTRY_LIB_PROC_H
#define GANTRY_LIB_PROC_H

#include <gantry/buf.h>
#include <gantry/call.h>

#include <sys/types.h>

/* Descriptor 'from' of ours becomes 'to' in the child. */
struct gt_proc_fd {
	int from;
	int to;
};

struct gt_proc_spec {
	const char *const *argv; /* argv[0] with a '/', or looked up in PATH */
	const char *const *env; /* NULL: ours */
	const char *cwd; /* NULL: ours */
	int in, out, err; /* 0: /dev/null; else a descriptor of ours (which stays ours) */
	const struct gt_proc_fd *fds; /* all others are closed in the child */
	size_t n_fds;
	bool new_session; /* setsid */
	/*
	 * SIGKILL when our process ends. The kernel ties it to the spawning thread: one that ends earlier
	 * takes the child with it, so the thread that spawns is the thread that waits.
	 */
	bool die_with_parent;
};

struct gt_proc {
	pid_t pid;
	int pidfd; /* -1: ended and waited for */
};

/* Starts it. NOT_FOUND if there is no such program: the child's exec error is known when this returns. */
GT_MUST_USE struct gt_error *gt_proc_spawn(const struct gt_proc_spec *spec, struct gt_proc *out);

/* Waits for its end; kills it (SIGKILL) when the call ends first. '*status' as of waitpid. */
GT_MUST_USE struct gt_error *gt_proc_wait(struct gt_proc *p, const struct gt_call *call,
					  int *status);

/* Kills it and waits for it; does nothing if it has been waited for. */
void gt_proc_kill(struct gt_proc *p);

/*
 * Runs it to its end with 'input' (may be NULL) on stdin, and adds what it prints on stdout and stderr
 * together to 'output', at most 'limit' bytes: more is read and dropped. spec's in and out must be
 * 0; with an err its stderr goes there. '*status' as of waitpid. A grandchild that keeps the output open is not waited for.
 */
GT_MUST_USE struct gt_error *gt_proc_run(const struct gt_proc_spec *spec, const struct gt_call *call,
					 const void *input, size_t input_len, size_t limit,
					 struct gt_buf *output, int *status);

#endif
