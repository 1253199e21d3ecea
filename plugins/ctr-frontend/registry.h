/* SPDX-License-Identifier: Apache-2.0 */
/* The flags that say how a registry is reached. */
#ifndef CTR_REGISTRY_H
#define CTR_REGISTRY_H

#include "app.h"

#include <gantry/resolver.h>

extern const struct ctr_flag ctr_registry_flags[];

struct ctr_registry {
	struct gt_resolver *resolver;
	struct gt_registry_options options;
	char *user, *password; /* what the options point to */
	struct ctr *c;
};

/* Asks for a password where --user has none. Must not move until ctr_registry_done(). */
GT_MUST_USE struct gt_error *ctr_registry_read(struct ctr *c, struct ctr_registry *out);
void ctr_registry_done(struct ctr_registry *r);

/*
 * The whole reference that an argument stands for: as Docker reads it ("nginx" is
 * "docker.io/library/nginx:latest"), or as it is where Docker would refuse it and containerd takes
 * it. A new string.
 */
GT_MUST_USE struct gt_error *ctr_full_reference(const char *arg, char **out);

#endif
