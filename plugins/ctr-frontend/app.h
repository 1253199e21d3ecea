/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line as a tree of tables. What a command is called, which flags and arguments it takes
 * and what the help and the manual say about it all stand in its struct ctr_command.
 */
#ifndef CTR_APP_H
#define CTR_APP_H

#include "flags.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/services.h>

#include <stdio.h>

struct ctr;

/* The plugin's options. */
struct ctr_config {
	char *worker;
	char *cni_conf_dir;
	struct gt_strv cni_bin_dirs;
	struct gt_strv cdi_dirs;
	int64_t cni_timeout; /* nanoseconds */
};

enum ctr_command_bits {
	CTR_FLAGS_FIRST = 1, /* the first argument that is no flag ends the flags */
	CTR_COLLECTS = 2, /* it deletes: collects garbage after success, if that is due */
};

struct ctr_command {
	const char *name;
	const char *aliases; /* "del, remove, rm"; NULL: none */
	const char *text; /* one line */
	const char *args; /* for the help: "[flags] CONTAINER"; NULL: "[arguments...]" */
	const char *more; /* further lines of help; NULL: none */
	const struct ctr_flag *const *flags; /* tables, ended by NULL; NULL: none */
	const struct ctr_command *const *commands; /* a group's, ended by NULL; NULL: no group */
	struct gt_error *(*run)(struct ctr *c);
	unsigned bits;
};

/* A run of the program: handed to the command that was asked for. */
struct ctr {
	const struct gt_init *init;
	struct gt_services *opened; /* use ctr_services() */
	struct gt_call call; /* namespace, deadline and cancellation from the global flags */
	const struct ctr_command *command;
	const struct ctr_level *level; /* its flags and arguments */
	const char *path; /* "ctr images list" */
	FILE *out, *err;
	int status; /* of the program; for a process's own */
	char *hint; /* added to the text of the error that ends the command; NULL: none */
};

extern const struct ctr_command ctr_root; /* all commands, and the global flags */
extern const struct ctr_flag ctr_help_flag[];
extern const struct ctr_flag ctr_json_flag[]; /* of every listing */

/* Runs the command line and says how the program ends. 'call' is where cancellation comes from. */
int ctr_main(const struct gt_init *init, const struct gt_call *call, FILE *out, FILE *err, int argc,
	     char *const *argv);

/* The services, opened when the first command needs them. */
GT_MUST_USE struct gt_error *ctr_services(struct ctr *c, struct gt_services **out);

size_t ctr_n_args(const struct ctr *c);
const char *ctr_arg(const struct ctr *c, size_t i); /* "" where there are not so many */
/* The arguments from the i-th on, as list that borrows. */
struct gt_strv ctr_args_from(const struct ctr *c, size_t i);

bool ctr_bool(const struct ctr *c, const char *flag);
const char *ctr_string(const struct ctr *c, const char *flag); /* never NULL */
int64_t ctr_int(const struct ctr *c, const char *flag);
uint64_t ctr_uint(const struct ctr *c, const char *flag);
double ctr_float(const struct ctr *c, const char *flag);
int64_t ctr_duration(const struct ctr *c, const char *flag);
const struct gt_strv *ctr_list(const struct ctr *c, const char *flag);
/* Whether it was given, be it with its default's value. */
bool ctr_is_set(const struct ctr *c, const char *flag, enum ctr_flag_type type);

/* Prints the help of the running command; what some commands do where arguments are missing. */
struct gt_error *ctr_show_help(struct ctr *c);

/* Where FIFOs go: --fifo-dir, else a folder of the configuration's state. A new string. */
char *ctr_fifo_dir(const struct ctr *c);

/* What is wrong with the command line: printed as it is, without the words of an error class. */
#define ctr_usage_error(...) gt_error_new(GT_UNKNOWN, __VA_ARGS__)

/*
 * Log lines as containerd's ctr writes them. The error, which may be NULL, is not taken.
 */
void ctr_log(struct ctr *c, const char *level, const struct gt_error *e, const char *fmt, ...)
	GT_PRINTF(4, 5);

/* The whole text of an error as the user sees it: with its class's words, where they are missing. */
void ctr_error_text(const struct gt_error *e, struct gt_buf *out);

/*
 * For commands with several targets, which go on after an error: logs 'e', keeps the first in '*kept'
 * and takes it. Returns whether there was one.
 */
bool ctr_keep_error(struct ctr *c, struct gt_error **kept, struct gt_error *e, const char *fmt, ...)
	GT_PRINTF(4, 5);

#endif
