/* SPDX-License-Identifier: Apache-2.0 */
/* What other services ask of namespaces, within a transaction. */
#ifndef SERVICES_LOCAL_NAMESPACES_H
#define SERVICES_LOCAL_NAMESPACES_H

#include "records.h"

/* Makes the namespace's record where it has none: whatever is made in it makes it. */
GT_MUST_USE struct gt_error *namespace_touch(struct gt_txn *t, const char *ns);
/* The value of a label of a namespace as a new string; NULL where it, or the namespace, is not there. */
GT_MUST_USE struct gt_error *namespace_label(struct local *l, struct gt_call *call, const char *ns,
					     const char *key, char **out);
/* Adds the names of all namespaces to 'out'; 'shareable': of those alone that share their content. */
GT_MUST_USE struct gt_error *namespace_names(struct gt_txn *t, bool shareable,
					     struct gt_strv *out);

#endif
