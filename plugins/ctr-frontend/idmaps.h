/* SPDX-License-Identifier: Apache-2.0 */
/* `--uidmap` and `--gidmap`. */
#ifndef CTR_IDMAPS_H
#define CTR_IDMAPS_H

#include <gantry/strv.h>

#include <client/container.h>

/* Each "CONTAINER:HOST:LENGTH" of 'list' as a new array; the error's words are containerd's. */
GT_MUST_USE struct gt_error *ctr_idmaps_parse(const struct gt_strv *list, struct gt_idmap **out);

#endif
