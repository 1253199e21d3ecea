/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stdio of one process: what it is given, what the shim holds so that a client which goes away is
 * not felt inside, and what the shim carries itself.
 *
 * A process whose output is a FIFO gets that FIFO if nothing can outlive it that would keep it open
 * (the first process of a PID namespace); everything else writes into a pipe that a stream empties.
 */
#ifndef GANTRY_SHIM_IO_H
#define GANTRY_SHIM_IO_H

#include "logger.h"
#include "stream.h"

#include <sys/ioctl.h>

struct io_spec {
	const char *in, *out, *err; /* never NULL; "": none */
	bool terminal;
	bool direct; /* nothing outlives the process */
	uint32_t uid, gid; /* owner of pipes */
	const char *id; /* of the container, for a logger */
};

struct io_output {
	struct stream stream;
	int to; /* terminal: where the stream will write, until it starts; else -1 */
	int hold_read; /* a reader that never reads: no SIGPIPE when the client goes; -1: none */
	int hold_write; /* where nobody has opened it to read yet: what is in it stays; -1: none */
};

struct io {
	struct shim *shim;
	bool terminal;
	int child[3]; /* for the process; -1: /dev/null */
	struct io_output out[2];
	char *in_path; /* stdin's FIFO, until it is opened; NULL: none */
	int in_hold; /* a writer on it until CloseIO; -1: none */
	int in_to; /* the pipe that is the process's stdin, until the stream starts; -1: none */
	bool in_closed; /* CloseIO came before that */
	struct stream in;
	int master; /* the terminal, for its size; -1: none */
	struct winsize size; /* asked for last; 0: never */
	struct logger *logger;
	struct gt_outlog *log; /* both outputs', in bounded files; NULL: none */
	void (*ready)(void *arg, struct gt_error *e);
	void *ready_arg;
	void (*drained)(void *arg); /* NULL: nobody waits */
	void *drained_arg;
	struct gt_timer timer;
	int64_t drain_until;
	bool over; /* the process has ended */
	struct gt_timer late; /* looks whether a reader has come at last */
	int64_t late_step;
};

void io_init(struct io *io, struct shim *shim);
/*
 * Opens it all. 'ready' is called once, maybe before this returns: with NULL when the process can be
 * started, else with an error (which it takes) and nothing open.
 */
void io_open(struct io *io, const struct io_spec *spec,
	     void (*ready)(void *arg, struct gt_error *e), void *arg);
/* The process has what is its own: closes our copies. */
void io_started(struct io *io);
/* Starts the output of a terminal; takes 'master'. */
GT_MUST_USE struct gt_error *io_console_take(struct io *io, int master);
/*
 * Opens stdin, as late as Start: a client whose input ends before its Create has returned would not know
 * yet that it has to call CloseIO.
 */
GT_MUST_USE struct gt_error *io_stdin_begin(struct io *io);
GT_MUST_USE struct gt_error *io_resize(struct io *io, uint32_t width, uint32_t height);
void io_close_stdin(struct io *io);
/*
 * The process has ended: closes its input, and its output where that is at its end, so that who reads a
 * FIFO comes to the end of it. Delete may come later, or wait for just that.
 */
void io_over(struct io *io);
/*
 * After io_over: calls 'drained' when its output has been carried to the end, or cannot be in
 * time, and a logger is gone; maybe before this returns. No io_close before that.
 */
void io_drain(struct io *io, void (*drained)(void *arg), void *arg);
/* Closes everything, and stops a logger. Fine to call again. */
void io_close(struct io *io);

#endif
