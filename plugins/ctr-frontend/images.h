/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the group `images` that have a file of their own. */
#ifndef CTR_IMAGES_H
#define CTR_IMAGES_H

#include "app.h"

extern const struct ctr_command ctr_image_import;

#endif
