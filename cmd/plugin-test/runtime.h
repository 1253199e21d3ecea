/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the suite for runtimes share: a root file system, and tasks made in it. */
#ifndef GANTRY_PLUGIN_TEST_RUNTIME_H
#define GANTRY_PLUGIN_TEST_RUNTIME_H

#include "suite.h"

#include <gantry/buf.h>
#include <gantry/runtime.h>

#include <pthread.h>

struct rig {
	struct gt_runtime *r;
	const char *dir;
	char *rootfs; /* busybox and empty folders */
	char *cgroup; /* parent of the tasks' control groups: "/gantry-suite-PID" */
	struct gt_call call; /* namespace "suite", no deadline */
};

/* False (with a skip) where no container can run. */
bool rig_make(struct rig *g, struct gt_runtime *r, const char *dir);
void rig_done(struct rig *g);

/* A task and the ends of its FIFOs that are ours. */
struct task {
	struct rig *g;
	char id[32];
	char *in_path, *out_path, *err_path;
	int in, out, err; /* -1: none */
	struct gt_buf stdout_text, stderr_text;
	uint32_t pid;
};

enum task_flags { TASK_IO = 1, TASK_STDIN = 2, TASK_TERMINAL = 4 };

/* The arguments end with NULL. */
struct gt_error *task_create(struct rig *g, struct task *t, const char *id, unsigned flags,
			     const char *arg, ...) __attribute__((sentinel));
struct gt_error *task_create_spec(struct rig *g, struct task *t, const char *id, unsigned flags,
				  const char *spec);
/* Creates and starts `sh -c script`. */
struct gt_error *task_run(struct rig *g, struct task *t, const char *id, unsigned flags,
			  const char *script);
/* An OCI document for it; an extra mount may be added, as JSON that ends in a comma. */
char *task_spec(struct rig *g, const char *id, bool terminal, const char *extra_mount,
		const char *const *args);
struct gt_error *task_exec(struct task *t, const char *exec_id, const char *script);
/* Takes what stands in the FIFOs, without waiting. */
void task_read(struct task *t);
/* Reads until stdout has 'text', for some seconds. */
bool task_expect(struct task *t, const char *text);
/* Closes the FIFOs. */
void task_done(struct task *t);

enum gt_task_status task_status(struct task *t, const char *exec_id);
struct gt_error *task_state(struct task *t, const char *exec_id, struct gt_task_state *out);
struct gt_error *task_remove(struct task *t, struct gt_exit *out);
struct gt_error *task_kill(struct task *t, const char *exec_id, uint32_t signal);

/* A wait that is under way. Must be ended by waited_end() before it goes out of scope. */
struct waited {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned calls;
	struct gt_error *error;
	struct gt_exit exit;
};
struct gt_error *waited_start(struct waited *w, struct task *t, const char *exec_id,
			      struct gt_cancel *cancel);
/* False if it has not ended after that time. */
bool waited_for(struct waited *w, int seconds);
/* Waits, and frees; the error or NULL with '*exit'. DEADLINE_EXCEEDED (and a leak) if it never ends. */
struct gt_error *waited_end(struct waited *w, int seconds, struct gt_exit *exit);
/* Start, wait, end in one. */
struct gt_error *task_wait(struct task *t, const char *exec_id, int seconds, struct gt_exit *exit);

/* How many tasks walk shows in the namespace; -1 on an error. */
int count_tasks(struct rig *g);
/* What else must be as it was: mounts, processes and folders of the control groups. As text. */
char *rig_traces(struct rig *g);
/* Compares with what was; passes if all has gone within some seconds. */
void rig_clean(struct rig *g, const char *before, const char *what);

/* Takes an error; whether it is one, of a class that runtimes may choose. */
bool is_refused(struct gt_error *e);

/* The parts. */
void suite_runtime_exec(struct rig *g);
void suite_runtime_refusals(struct rig *g);
void suite_runtime_faults(struct rig *g);

#endif
