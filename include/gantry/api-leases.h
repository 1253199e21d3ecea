/* SPDX-License-Identifier: Apache-2.0 */
/* The leases service: what an unexpired lease lists is not collected. */
#ifndef GANTRY_API_LEASES_H
#define GANTRY_API_LEASES_H

#include <gantry/services.h>

#include <time.h>

/*
 * Label of a lease that a program made for itself, for as long as it runs: the process's name by
 * <proc/identity.h>. Once that is gone a clean-up need not wait until the lease expires. On an active
 * snapshot: kept as long as that process runs, until something refers to it.
 */
#define GT_LABEL_MAKER "gantry.io/maker"

struct gt_lease {
	char *id;
	struct timespec created_at;
	struct gt_labels labels; /* containerd.io/gc.expire: RFC 3339 */
};
void gt_lease_done(struct gt_lease *l);

/* 'type' is "content", "ingests", "images" or "snapshots/SNAPSHOTTER". */
struct gt_leases_ops {
	size_t size;
	/* ALREADY_EXISTS. 'id' NULL or "": one is made up; else any text up to 255 bytes. The caller gt_lease_done()s '*out'. */
	struct gt_error *(*create)(struct gt_services *s, struct gt_call *call, const char *id,
				   const struct gt_labels *labels, struct gt_lease *out);
	struct gt_error *(*remove)(struct gt_services *s, struct gt_call *call, const char *id,
				   bool sync);
	struct gt_error *(*list)(struct gt_services *s, struct gt_call *call,
				 const struct gt_strv *filters,
				 struct gt_error *(*fn)(void *arg, const struct gt_lease *l),
				 void *arg);
	struct gt_error *(*add)(struct gt_services *s, struct gt_call *call, const char *lease,
				const char *type, const char *id);
	struct gt_error *(*drop)(struct gt_services *s, struct gt_call *call, const char *lease,
				 const char *type, const char *id);
	struct gt_error *(*resources)(struct gt_services *s, struct gt_call *call,
				      const char *lease,
				      struct gt_error *(*fn)(void *arg, const char *type,
							     const char *id),
				      void *arg);
};

GT_MUST_USE struct gt_error *gt_leases_create(struct gt_services *s, struct gt_call *call,
					      const char *id, const struct gt_labels *labels,
					      struct gt_lease *out);
GT_MUST_USE struct gt_error *gt_leases_remove(struct gt_services *s, struct gt_call *call,
					      const char *id, bool sync);
GT_MUST_USE struct gt_error *gt_leases_list(struct gt_services *s, struct gt_call *call,
					    const struct gt_strv *filters,
					    struct gt_error *(*fn)(void *, const struct gt_lease *),
					    void *arg);
GT_MUST_USE struct gt_error *gt_leases_add(struct gt_services *s, struct gt_call *call,
					   const char *lease, const char *type, const char *id);
GT_MUST_USE struct gt_error *gt_leases_drop(struct gt_services *s, struct gt_call *call,
					    const char *lease, const char *type, const char *id);
GT_MUST_USE struct gt_error *gt_leases_resources(struct gt_services *s, struct gt_call *call,
						 const char *lease,
						 struct gt_error *(*fn)(void *, const char *,
									const char *),
						 void *arg);

#endif
