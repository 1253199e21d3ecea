/* SPDX-License-Identifier: Apache-2.0 */
/* SOURCE_DATE_EPOCH, by which reproducible-builds.org dates what is made. */
#ifndef CTR_EPOCH_H
#define CTR_EPOCH_H

#include "app.h"

/* Has the command's call carry it if it is set; 'out' outlives the call's use. */
GT_MUST_USE struct gt_error *ctr_read_epoch(struct ctr *c, struct timespec *out);

#endif
