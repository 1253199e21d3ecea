/* SPDX-License-Identifier: Apache-2.0 */
/* What other services ask of leases, within a transaction. */
#ifndef SERVICES_LOCAL_LEASES_H
#define SERVICES_LOCAL_LEASES_H

#include "records.h"

/* Lists 'id' with the call's lease, if it has one. NOT_FOUND if there is no such lease. */
GT_MUST_USE struct gt_error *lease_note(struct gt_txn *t, const struct gt_call *call,
					const char *type, const char *id);
/* Takes it off again; fine if it is not listed. */
GT_MUST_USE struct gt_error *lease_forget(struct gt_txn *t, const struct gt_call *call,
					  const char *type, const char *id);
/* Whether the call's lease lists it already; true where the call has none. */
GT_MUST_USE struct gt_error *lease_has(struct gt_txn *t, const struct gt_call *call,
				       const char *type, const char *id, bool *out);
extern const struct record_kind lease_kind; /* struct gt_lease */

#endif
