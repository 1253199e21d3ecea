/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests: the services over the real drivers, with roots of their own below a folder. */
#ifndef SERVICES_LOCAL_HOST_TEST_H
#define SERVICES_LOCAL_HOST_TEST_H

#include <gantry/mount.h>
#include <gantry/services.h>

struct bench {
	char *dir; /* root and state are in it */
	struct gt_config *config;
	struct gt_host *host;
	struct gt_services *s;
	struct gt_snapshotter *driver; /* to look behind the service */
	struct gt_content *content;
	struct gt_call call; /* namespace "default" */
};

/* A new folder. */
char *bench_folder(void);
/*
 * Opens the services over 'dir', as a process of its own would. 'more': lines of configuration. The
 * second form has another snapshotter than the native one; false: it does not work here.
 */
void bench_open(struct bench *b, const char *dir, const char *more);
bool bench_open_with(struct bench *b, const char *dir, const char *module, const char *id,
		     const char *more);
void bench_close(struct bench *b);
void bench_folder_remove(char *dir);

/* Where a file of what is mounted can be had without mounting it; the upper layer's. */
char *bench_file(const struct gt_mounts *mounts, const char *name);

/*
 * To be called in a forked process: what it would write to the file that Check reads the test's course
 * from goes to standard error, so that a process that is killed half-way does not garble it. A check that
 * fails ends the process with a status that is not 0, and its text is in the log.
 */
void bench_forked(void);

/* Fails the test if 'e' is one. */
void ok(struct gt_error *e);
/* Fails the test unless 'e' is of that class and its text has 'text' in it. */
void fails(struct gt_error *e, enum gt_class cls, const char *text);

#endif
