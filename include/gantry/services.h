/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind `services`: the whole API as one set of tables, one per service; <gantry/api-*.h> has each
 * table's contract. services-local composes drivers, services-remote is a client of another daemon,
 * and nobody in front can tell which one it has.
 *
 * All ops take a call with a namespace unless their header says otherwise, and answer
 * FAILED_PRECONDITION without one. They may block and may be called from any thread. Lists come by
 * callback, in the order of keys; the callback may call other ops, and ends the listing by an error,
 * which is returned. Filters are containerd's (several strings: any of them matches).
 */
#ifndef GANTRY_SERVICES_H
#define GANTRY_SERVICES_H

#include <gantry/call.h>
#include <gantry/plugin.h>

/* X(table, name of its ops struct) */
#define GT_SERVICE_TABLES(X)                                                                      \
	X(namespaces)                                                                              \
	X(blobs)                                                                                   \
	X(images)                                                                                  \
	X(snapshots)                                                                               \
	X(diffs)                                                                                   \
	X(leases)                                                                                  \
	X(containers)                                                                              \
	X(tasks)                                                                                   \
	X(sandboxes)                                                                               \
	X(introspection)                                                                           \
	X(stream)                                                                                  \
	X(system)                                                                                  \
	X(controllers)                                                                             \
	X(activations)

#define X(name) struct gt_##name##_ops;
GT_SERVICE_TABLES(X)
#undef X

struct gt_services {
	GT_INSTANCE_MEMBERS(services)
};

struct gt_services_ops {
	size_t size;
	/* Required. '*out' is freed by close. */
	struct gt_error *(*open)(const struct gt_init *init, struct gt_services **out);
	/* Required. */
	void (*close)(struct gt_services *s);
	/* Optional, each; absent: every op of that service is UNIMPLEMENTED. */
#define X(name) const struct gt_##name##_ops *name;
	GT_SERVICE_TABLES(X)
#undef X
	/* New members go here, at the end. */
};

#endif
