/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conformance suites: one function a kind, in <kind>.c, run against an instance of any plugin of
 * the kind. A suite may leave things behind only below 'dir', prints TAP through the functions here,
 * and knows nothing of the plugin but its contract.
 */
#ifndef GANTRY_PLUGIN_TEST_SUITE_H
#define GANTRY_PLUGIN_TEST_SUITE_H

#include <gantry/plugin.h>

#include <stdbool.h>

/* One TAP line; returns 'ok'. */
bool suite_ok(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Passes if 'e' is of class 'want' (GT_OK: no error); takes 'e' and shows its text if it fails. */
bool suite_class(struct gt_error *e, enum gt_class want, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void suite_skip(const char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* 'dir': an empty folder of the suite's own. */
void suite_content(struct gt_content *c, const char *dir);
void suite_snapshotter(struct gt_snapshotter *s, const char *dir);
void suite_differ(struct gt_differ *d, const char *dir);
void suite_metadata(struct gt_metadata *m, const char *dir);
void suite_runtime(struct gt_runtime *r, const char *dir);

#endif
