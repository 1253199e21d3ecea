/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conformance suites: one function a kind, in <kind>.c, run against an instance of any plugin of
 * the kind. A suite may leave things behind only below 'dir', prints TAP through the functions here,
 * and knows nothing of the plugin but its contract.
 *
 * The runner is root's in a mount namespace of its own where it may be: mounts that a suite makes
 * and loses end with it.
 */
#ifndef GANTRY_PLUGIN_TEST_SUITE_H
#define GANTRY_PLUGIN_TEST_SUITE_H

#include <gantry/plugin.h>

#include <stdbool.h>
#include <sys/types.h>

/* One TAP line; returns 'ok'. */
bool suite_ok(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Passes if 'e' is of class 'want' (GT_OK: no error); takes 'e' and shows its text if it fails. */
bool suite_class(struct gt_error *e, enum gt_class want, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void suite_skip(const char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line for who reads the output; no test. */
void suite_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* How many lines were "not ok" so far. */
unsigned suite_failed(void);

/* 'dir': an empty folder of the suite's own. */
void suite_content(struct gt_content *c, const char *dir);
void suite_snapshotter(struct gt_snapshotter *s, const char *dir);
void suite_differ(struct gt_differ *d, const char *dir);
void suite_metadata(struct gt_metadata *m, const char *dir);
void suite_runtime(struct gt_runtime *r, const char *dir);
void suite_resolver(struct gt_resolver *r, const char *dir);
void suite_sandboxer(struct gt_sandboxer *s, const char *dir);

/* Whether the declaration in FILE is what the loader may rely on. False: it must not be opened. */
bool suite_declaration(const char *file);

/*
 * Another process of this program that opens the same plugin with the same options. It calls
 * suite_<kind>_child() with 'name' and 'arg', whose result is its exit status (0: good; below 100).
 */
struct suite_child {
	const char *name;
	const char *arg; /* NULL: "" */
	const char *root; /* whose roots it opens; NULL: those of the instance under test */
	const char *tmpfs; /* size of a tmpfs that it alone sees on 'root', "8m"; NULL: none */
	bool fast; /* open with fast durability */
	/* Set by suite_child_start. */
	pid_t pid;
	int ready; /* the child's suite_child_ready() sends bytes here; closed when it ends */
};
#define SUITE_CHILD_SKIP 99 /* exit status: what it needs is not to be had here (no mount) */

bool suite_child_start(struct suite_child *c);
/* Waits until the child calls suite_child_ready(); false if it ended first or after 'seconds'. */
bool suite_child_wait_ready(struct suite_child *c, int seconds);
/* Waits for its end (kills it after 'seconds') and returns its exit status, or 128 + signal. */
int suite_child_end(struct suite_child *c, int seconds);
/* SIGKILL, and waits for its end. */
void suite_child_kill(struct suite_child *c);
/* In the child. */
void suite_child_ready(void);

int suite_content_child(struct gt_content *c, const char *name, const char *arg);
int suite_metadata_child(struct gt_metadata *m, const char *name, const char *arg);
int suite_snapshotter_child(struct gt_snapshotter *s, const char *name, const char *arg);
int suite_runtime_child(struct gt_runtime *r, const char *name, const char *arg);
int suite_sandboxer_child(struct gt_sandboxer *s, const char *name, const char *arg);

#endif
