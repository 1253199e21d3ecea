/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a module: finds the file, checks that nobody but root could have put it there, dlopens it,
 * and checks its declaration. Runs no code of the plugin.
 */
#ifndef GANTRY_CORE_LOADER_H
#define GANTRY_CORE_LOADER_H

#include <gantry/plugin.h>

struct gt_module {
	char *name; /* the file's, without ".so" */
	char *file; /* its path; NULL if it was not found */
	/* The declaration in the host's sizes; tables are copies, strings the module's. */
	struct gt_plugin plugin;
	struct gt_need *needs;
	struct gt_option *options;
	void *ops; /* the host's copy */
};

/* 'path' are the folders to search. On error '*out' is set all the same where the file was found. */
GT_MUST_USE struct gt_error *gt_module_load(const struct gt_strv *path, const char *name,
					    struct gt_module **out);
/* The same for one file; its name is the file's without ".so". */
GT_MUST_USE struct gt_error *gt_module_load_file(const char *file, struct gt_module **out);
void gt_module_free(struct gt_module *m);

/* Adds the names of all modules in the folders, each once, sorted. */
void gt_module_list(const struct gt_strv *path, struct gt_strv *out);

/* Ends libltdl, and unloads what it loaded (not under sanitizers: reports would lose their names). */
void gt_loader_end(void);

#endif
