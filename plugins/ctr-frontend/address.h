/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTR_ADDRESS_H
#define CTR_ADDRESS_H

#include "app.h"

/*
 * The services that the command works on: those of this process, or where --address names a socket the
 * daemon's behind it. UNAVAILABLE if nobody answers there.
 */
GT_MUST_USE struct gt_error *ctr_address_services(struct ctr *c, struct gt_services **out);

#endif
