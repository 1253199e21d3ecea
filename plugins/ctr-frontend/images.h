/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the group `images` that have a file of their own. */
#ifndef CTR_IMAGES_H
#define CTR_IMAGES_H

#include "app.h"

extern const struct ctr_command ctr_image_convert;
extern const struct ctr_command ctr_image_export;
extern const struct ctr_command ctr_image_import;
extern const struct ctr_command ctr_image_inspect;
extern const struct ctr_command ctr_image_mount;
extern const struct ctr_command ctr_image_prune;
extern const struct ctr_command ctr_image_pull;
extern const struct ctr_command ctr_image_push;
extern const struct ctr_command ctr_image_unmount;

/*
 * --local: containerd's ctr can have the daemon do it. The services here are the same either way, so
 * both values do the same.
 */
extern const struct ctr_flag ctr_local_flag[];

#endif
