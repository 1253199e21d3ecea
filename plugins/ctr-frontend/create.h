/* SPDX-License-Identifier: Apache-2.0 */
/* The flags that `run` and `containers create` share, as options of lib/client. */
#ifndef CTR_CREATE_H
#define CTR_CREATE_H

#include "app.h"

#include <gantry/api-images.h>
#include <gantry/buf.h>

#include <client/container.h>

struct ctr_creation {
	struct gt_container_options options;
	/* what the options point to */
	struct gt_image image;
	struct gt_buf spec, env, seccomp, blockio;
	struct gt_idmap *uidmaps, *gidmaps;
	struct gt_namespace_path *namespaces;
	struct gt_strv namespace_words;
	char *rootfs, *hook;
};

/* Whether image (or folder) and id are there; 'cls' is the class of the error if not. */
GT_MUST_USE struct gt_error *ctr_creation_arguments(const struct ctr *c, enum gt_class cls);

/* Fills 'out' from the command line and the files that it names, and finds the image. */
GT_MUST_USE struct gt_error *ctr_creation_read(struct ctr *c, struct gt_services *s,
					       struct ctr_creation *out);
void ctr_creation_done(struct ctr_creation *o);

/* Writes a pid as `--pid-file` has it; nothing for "". */
GT_MUST_USE struct gt_error *ctr_write_pid(const char *path, uint32_t pid);

#endif
