/* SPDX-License-Identifier: Apache-2.0 */
/* Names as people write them, and what to say when they name nothing. */
#ifndef CTR_LOOKUP_H
#define CTR_LOOKUP_H

#include "app.h"

#include <gantry/api-containers.h>
#include <gantry/api-images.h>
#include <gantry/api-tasks.h>

/*
 * The image of that name, else of its full form by Docker's rules ("nginx" is
 * "docker.io/library/nginx:latest"). The caller gt_image_done()s '*out'.
 */
GT_MUST_USE struct gt_error *ctr_find_image(struct ctr *c, struct gt_services *s, const char *name,
					    struct gt_image *out);
GT_MUST_USE struct gt_error *ctr_find_container(struct ctr *c, struct gt_services *s,
						const char *id, struct gt_container *out);
/* The container's task as it stands; NOT_FOUND "no running task found: ..". */
GT_MUST_USE struct gt_error *ctr_find_task(struct ctr *c, struct gt_services *s, const char *id,
					   struct gt_task_state *out);

/*
 * What a runtime has refused without a class of its own: it has come through a service in containerd, which
 * adds the word. Takes 'e'.
 */
GT_MUST_USE struct gt_error *ctr_service_error(struct gt_error *e);

/*
 * If 'e' is NOT_FOUND, has the error's line end in the namespaces in which 'exists' finds it. Returns
 * 'e'. Looks only when there is such an error.
 */
GT_MUST_USE struct gt_error *
ctr_hint_namespaces(struct ctr *c, struct gt_services *s, struct gt_error *e, const char *name,
		    struct gt_error *(*exists)(struct ctr *c, struct gt_services *s,
					       struct gt_call *call, const char *name));

/* The same for a digest of the content service. */
GT_MUST_USE struct gt_error *ctr_hint_content(struct ctr *c, struct gt_services *s,
					      struct gt_error *e, const char *digest);

#endif
