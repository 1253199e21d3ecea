/* SPDX-License-Identifier: Apache-2.0 */
/* Where the output of detached processes is kept: below the configuration's root, in a folder a container. */
#ifndef SERVICES_LOCAL_LOGS_H
#define SERVICES_LOCAL_LOGS_H

#include "local.h"

GT_MUST_USE struct gt_error *logs_uri(struct gt_services *s, struct gt_call *call, const char *id,
				      const char *exec_id, char **out);
/* What is there of a container; trouble is logged. */
void logs_remove(struct local *l, const char *ns, const char *id);

#endif
