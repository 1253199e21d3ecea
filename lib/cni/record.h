/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of an attachment until it is undone. Within lib/cni. */
#ifndef GANTRY_LIB_CNI_RECORD_H
#define GANTRY_LIB_CNI_RECORD_H

#include <cni/cni.h>

struct gt_cni_record {
	json_t *doc; /* owns what the rest points to */
	struct gt_cni_network *network;
	struct gt_cni_attachment attachment;
	const json_t *result; /* of ADD; NULL: it did not get that far */
};

/* On disk when this returns. 'result' NULL: none yet, and then ALREADY_EXISTS if there is one. */
GT_MUST_USE struct gt_error *gt_cni_record_write(const struct gt_cni *cni,
						 const struct gt_cni_network *n,
						 const struct gt_cni_attachment *a,
						 const json_t *result);
/* NOT_FOUND; DATA_LOSS for one that cannot be read. */
GT_MUST_USE struct gt_error *gt_cni_record_read(const struct gt_cni *cni, const char *container_id,
						const char *ifname, struct gt_cni_record *out);
void gt_cni_record_done(struct gt_cni_record *r);
/* Fine if it is not there. */
GT_MUST_USE struct gt_error *gt_cni_record_remove(const struct gt_cni *cni, const char *container_id,
						  const char *ifname);

#endif
