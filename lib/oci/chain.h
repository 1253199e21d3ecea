/* SPDX-License-Identifier: Apache-2.0 */
/* Chain IDs: the digests by which an image's layers, each with all below it, are known. */
#ifndef GANTRY_LIB_OCI_CHAIN_H
#define GANTRY_LIB_OCI_CHAIN_H

#include <gantry/hash.h>
#include <gantry/strv.h>

/* Adds the chain ID of each layer, lowest first, for these diff IDs (which are well-formed). */
void gt_chain_ids(const struct gt_strv *diff_ids, struct gt_strv *out);

#endif
