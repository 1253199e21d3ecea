/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proxy plugins: the services of another process, seen as a driver. For each kind there is an ops table
 * whose ops ask the services behind them; which module speaks to that process, and how, the configuration
 * says. The far side may not be there yet, go and come again, or hang: every call has a deadline, and what
 * hangs is asked no more once enough calls wait for it. Internal to the core.
 */
#ifndef GANTRY_CORE_PROXY_H
#define GANTRY_CORE_PROXY_H

#include "core/slot.h"

#include <gantry/call.h>
#include <gantry/services.h>

#include <pthread.h>

/* Namespace of what belongs to none. */
#define GT_PROXY_NAMESPACE "gantry"

/*
 * A far side that is a whole containerd collects its garbage: what is made there for us is a root of
 * that, and ours to remove. What asks for labels does not see this one.
 */
#define GT_PROXY_LABEL "containerd.io/gc.root"

struct proxy {
	const struct gt_config_proxy *entry;
	struct gt_services *far;
	int64_t timeout, layer_timeout;
	pthread_mutex_t lock;
	unsigned waiting; /* calls */
	int64_t answered_at; /* when there was last an answer, or nobody waited for one */
};

struct gt_error *proxy_init(const struct gt_init *init, struct proxy *p);
void proxy_done(struct proxy *p);

/*
 * Makes the call 'out' for the far side of one that was made here: in 'ns', with a deadline at most
 * 'most' nanoseconds away (0: the caller's). UNAVAILABLE where others wait in vain already. What it
 * returned is given to proxy_end_take().
 */
GT_MUST_USE struct gt_error *proxy_begin(struct proxy *p, const struct gt_call *call, const char *ns,
					 int64_t most, struct gt_call *out);
/* Takes the error of the call and gives it the name of the proxy plugin. */
GT_MUST_USE struct gt_error *proxy_end_take(struct proxy *p, const struct gt_call *call,
					    struct gt_error *e);

/*
 * PROXY_CALL(p, call, ns, timeout, c, gt_blobs_remove(p->far, &c, digest)): returns from the function if
 * the call cannot be made, else is its result.
 */
#define PROXY_CALL(p, call, ns, most, name, expr)                                                 \
	({                                                                                         \
		struct gt_call name;                                                               \
		struct gt_error *proxy_e = proxy_begin(p, call, ns, most, &name);                  \
		proxy_e ? proxy_e : proxy_end_take(p, call, expr);                                 \
	})

/* The ops of a kind, and a line that says what they are; NULL for a kind that has no proxies. */
const void *proxy_ops(enum gt_kind kind, const char **doc);

/* UNAVAILABLE if the far side of an open proxy plugin does not answer at the moment. May take a second. */
GT_MUST_USE struct gt_error *proxy_probe(struct gt_services *far, const struct gt_config_proxy *entry);

/* The ops, one file each. */
extern const struct gt_content_ops proxy_content;
extern const struct gt_differ_ops proxy_differ;
extern const struct gt_sandboxer_ops proxy_sandboxer;
extern const struct gt_snapshotter_ops proxy_snapshotter;

#endif
