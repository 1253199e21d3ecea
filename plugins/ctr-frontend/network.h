/* SPDX-License-Identifier: Apache-2.0 */
/* `--cni`: what commands do about a container's network. */
#ifndef CTR_NETWORK_H
#define CTR_NETWORK_H

#include "app.h"

#include <gantry/api-containers.h>

/* The extension of records whose containers are in a network; containerd's, as its ctr writes it. */
void ctr_network_extension(struct gt_extension *out);
void ctr_network_extension_done(struct gt_extension *x);
bool ctr_network_wanted(const struct gt_container *record);

/* Before anything is made: whether there is a network to be in. */
GT_MUST_USE struct gt_error *ctr_network_check(const struct ctr *c);
/* Between create and start. */
GT_MUST_USE struct gt_error *ctr_network_up(const struct ctr *c, const char *id, uint32_t pid);
bool ctr_network_is_up(const struct ctr *c, const char *id);
/*
 * Before a task or container is deleted that does not run; also for those in no network. 'force':
 * with a warning in the place of an error.
 */
GT_MUST_USE struct gt_error *ctr_network_down(const struct ctr *c, const char *id, bool force);
/* The same once a task that this process started is over; not for one that goes on without us. */
GT_MUST_USE struct gt_error *ctr_network_after(const struct ctr *c, struct gt_services *s,
					       const char *id);

#endif
