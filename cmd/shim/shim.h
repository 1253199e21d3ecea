/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a serving shim share: one thread, one loop, its containers. */
#ifndef GANTRY_SHIM_SHIM_H
#define GANTRY_SHIM_SHIM_H

#include <ttrpc/loop.h>
#include <ttrpc/server.h>

#include <sys/types.h>
#include <time.h>

struct child;
struct container;
struct events;
struct io;
struct linger;
struct parting;
struct sandbox;
struct sealed;

/* An exit that was reaped before it was known whose it is. */
struct early_exit {
	pid_t pid;
	int status;
	struct timespec at;
};

struct shim {
	const char *ns;
	const char *id;
	struct gt_loop *loop;
	struct gt_ttrpc_server *server;
	struct events *events;
	struct container *containers;
	struct child *children; /* programs of ours: runtimes and loggers */
	struct linger *lingers; /* output that nobody has come to read yet */
	size_t n_lingers;
	struct parting *partings; /* root file systems on their way out */
	struct sandbox *sandbox; /* that the shim was started for; NULL: none */
	struct sealed *sealed; /* the runtime program, for a moment */
	struct gt_watch signals;
	/* While a runtime starts a process whose pid is not known yet, strangers' exits are kept. */
	size_t n_unknown;
	struct early_exit *early;
	size_t n_early;
	size_t early_alloc;
	struct gt_watch oom; /* inotify, cgroup v2; made when first needed */
	bool stopping;
};

#endif
