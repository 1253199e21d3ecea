/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers and their processes. Calls about one process that need the runtime program run one after
 * the other; calls about others go on meanwhile.
 */
#ifndef GANTRY_SHIM_CONTAINER_H
#define GANTRY_SHIM_CONTAINER_H

#include "cgroup.h"
#include "console.h"
#include "io.h"
#include "oom.h"
#include "runtime.h"
#include "shim.h"

#include <containerd.task.v2.pb-c.h>

enum process_state { PROCESS_CREATED, PROCESS_RUNNING, PROCESS_STOPPED };

struct process;

/* A call that waits for its turn. */
struct turn {
	struct turn *next;
	struct process *process;
	struct gt_ttrpc_call *call;
	void (*run)(struct process *p, struct gt_ttrpc_call *call);
};

/* A call that waits for the process to end. */
struct waiter {
	struct waiter *next;
	struct waiter **link;
	struct gt_ttrpc_call *call;
};

struct process {
	struct container *container;
	struct process *next; /* of the container's execs */
	char *exec_id; /* "": init */
	enum process_state state;
	pid_t pid; /* 0: not known yet */
	uint32_t exit_status;
	struct timespec exited_at; /* both 0: it has not */
	char *in, *out, *err;
	bool terminal;
	struct io io;
	void *spec; /* exec: the process document, until it is started */
	size_t spec_len;
	bool busy; /* an operation is under way */
	struct turn *turns;
	bool *gone; /* to be set when it is freed; NULL: nobody asks */
	bool starting; /* its end is not told before its start */
	bool ended; /* reaped, but not told yet: */
	int wait_status;
	struct waiter *waiters;
};

struct container {
	struct shim *shim;
	struct container *next;
	struct container **link;
	char *id;
	char *bundle;
	char *rootfs; /* where mounts of ours are; NULL: none */
	struct runtime runtime;
	struct process init;
	struct process *execs;
	size_t n_active; /* execs that run or are being started */
	bool created; /* until then nobody else sees it */
	bool private_pids;
	bool paused, pausing;
	struct cgroup cgroup;
	struct oom oom;
	char *checkpoint; /* to be restored from by Start; NULL: no */
	size_t n_kills; /* under way: they take no turn */
	/* Called once nothing but init's own operation is under way; it deletes the container. */
	void (*idle)(struct container *c);
	void *idle_arg;
	struct gt_timer exit_hold; /* init's end waits for the execs' no longer than this */
};

struct container *container_find(struct shim *shim, const char *id);
/* Adds it to the shim. */
struct container *container_new(struct shim *shim, const char *id, const char *bundle);
/* Its first process runs: notes its cgroup, and watches that for a lack of memory. */
void container_cgroup_find(struct container *c);
/* An operation is over: calls c->idle if it was the last. The container may be gone after this. */
void container_look(struct container *c);
/* Undoes its mounts and frees it with all of its processes. */
void container_free(struct container *c);
/* Frees it and leaves what runs and what is mounted as it is: for a shim that ends. */
void container_forget(struct container *c);

/* An empty exec_id is init. NULL if there is none of that name. */
struct process *process_find(struct container *c, const char *exec_id);
void process_init(struct process *p, struct container *c, const char *exec_id);
/* Frees an exec, or what init holds. */
void process_done(struct process *p);

/* Runs 'run' when nothing else is under way with the process; the call may end before that. */
void process_turn(struct process *p, struct gt_ttrpc_call *call,
		  void (*run)(struct process *p, struct gt_ttrpc_call *call));
/* The operation that had the turn is over; the process may be gone after this. */
void process_leave(struct process *p);

/* A child that is no program of ours has ended. */
void process_reaped(struct shim *shim, pid_t pid, int status, const struct timespec *at);
/* Its pid is known now: takes an exit that was reaped before. */
void process_known(struct process *p);
/* The start has been told, or has failed: so can be the end. */
void process_started(struct process *p);
/* It never ran and never will. */
void process_never_ran(struct process *p);
/* An exec that counted as active does not any more: init's end may have waited for it. */
void process_exec_over(struct container *c);

uint32_t exit_status_of(int wait_status);

#endif
