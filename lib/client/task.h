/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a container's processes from a command line: stdio by FIFOs, terminal, signals, exit
 * status.
 *
 * FIFOs lie in a folder of their own, as containerd's clients have it, and go away with the
 * process. The output of a process that is left running in the background goes to a log, never to a
 * FIFO that nobody reads, unless that is asked for; its stdin is a FIFO, so that somebody can attach.
 */
#ifndef GANTRY_LIB_CLIENT_TASK_H
#define GANTRY_LIB_CLIENT_TASK_H

#include <gantry/api-tasks.h>

#include <client/container.h>

/*
 * Takes over the signals of this process: all that can be are blocked and queued from now on, so
 * open it in the main thread before any other thread is made. Free restores the mask.
 */
struct gt_signals;
GT_MUST_USE struct gt_error *gt_signals_open(struct gt_signals **out);
void gt_signals_free(struct gt_signals *g);
GT_DEFINE_AUTOPTR(gt_signals)

struct gt_task_options {
	const char *id; /* required: the container */
	const char *fifo_dir; /* FIFOs go to folders below it; made (0700) if it is not there */
	bool terminal; /* 'in' and 'out' are the user's terminal */
	bool detach; /* returns when it has started, and leaves it */
	bool null_io;
	bool fifos; /* with detach: stdio by FIFOs all the same, which stay for who wants to use them */
	const char *log_uri; /* "file:///abs", "binary:///abs?args"; NULL: none */
	/*
	 * Descriptors that stay the caller's; -1: none. Not used with detach, null_io or log_uri.
	 */
	int in, out, err;
	struct gt_signals *signals; /* forwarded to the process unless terminal; NULL: none are */
	/* Of the task alone, beside the container's runtime options. */
	bool no_pivot;
	const struct gt_descriptor *checkpoint; /* CRIU's files, as an archive; NULL: none */
	/*
	 * Called with init's pid between create and start; an error ends the task. NULL: nothing.
	 */
	struct gt_error *(*created)(void *arg, uint32_t pid);
	void *arg;
};

/*
 * Creates and starts the task. Unless 'detach' it copies stdio, forwards signals, waits for the
 * end, deletes the task, and '*status' is how it ended. An error before the start leaves no task.
 * If the call is cancelled while it runs, the task is left running and CANCELED is the answer.
 */
GT_MUST_USE struct gt_error *gt_task_run(struct gt_services *s, struct gt_call *call,
					 const struct gt_task_options *o, uint32_t *status);

/*
 * Connects the user's descriptors of 'o' to a task that another has started and left: its FIFOs, or where
 * its output goes to a log what comes there. Then as gt_task_run() does from the start on: the task is
 * deleted when it has ended. 'terminal' is the task's own; of 'o' the descriptors, 'id' and 'signals' are
 * looked at. The end of the user's input does not end the task's.
 */
GT_MUST_USE struct gt_error *gt_task_attach(struct gt_services *s, struct gt_call *call,
					    const struct gt_task_options *o, uint32_t *status);

struct gt_exec_options {
	const char *exec_id; /* required */
	struct gt_strv args; /* required */
	const char *cwd;
	const char *user; /* resolved with the files of the container's root file system */
	struct gt_strv env;
};

/*
 * The same for a further process in a running task; 't' is as above, with nothing of the task's
 * alone.
 */
GT_MUST_USE struct gt_error *gt_task_exec(struct gt_services *s, struct gt_call *call,
					  const struct gt_task_options *t,
					  const struct gt_exec_options *e, uint32_t *status);

/*
 * gt_container_new(), gt_task_run(), and with 'remove' (not together with detach) the deletion of
 * the container whatever happened. 't->id' and 't->terminal' are taken from 'c'.
 */
GT_MUST_USE struct gt_error *gt_container_run(struct gt_services *s, struct gt_call *call,
					      const struct gt_container_options *c,
					      const struct gt_task_options *t, bool remove,
					      uint32_t *status);

/*
 * Deletes a task or one exec of it. 'force' kills it first and waits for its end (5 s, then it is
 * purged, as it is at once if its shim does not answer); else FAILED_PRECONDITION "task must be stopped before deletion: running".
 */
GT_MUST_USE struct gt_error *gt_task_delete(struct gt_services *s, struct gt_call *call,
					    const char *id, const char *exec_id, bool force,
					    struct gt_exit *out);

/* Removes FIFOs that were left to others, once the process has been deleted. */
void gt_task_forget_stdio(const struct gt_task_state *t);
/* Removes the FIFOs below that folder that clients who were killed have left, and nobody has open. */
void gt_task_sweep_stdio(const char *fifo_dir);

/* Waits for the end of a process, at most until the call ends. */
GT_MUST_USE struct gt_error *gt_task_wait(struct gt_services *s, struct gt_call *call,
					  const char *id, const char *exec_id, struct gt_exit *out);

#endif
