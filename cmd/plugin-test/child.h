/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_PLUGIN_TEST_CHILD_H
#define GANTRY_PLUGIN_TEST_CHILD_H

#include <gantry/plugin.h>

#include <stdbool.h>

/* What the runner was started with, for it to start more of itself. Borrowed for good. */
struct runner {
	const char *file;
	const struct gt_strv *options;
	const char *root; /* the host's roots lie below it */
	bool fast;
	const char *proxy; /* NULL: none */
};

/* Called once, before the first suite_child_start(). */
void child_runner(const struct runner *r);

/* In a child that is to see a tmpfs of 'size' on 'root': mounts it, for this process alone. */
GT_MUST_USE struct gt_error *child_mount(const char *root, const char *size);

#endif
