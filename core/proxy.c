/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/proxy.h"

#include "core/config.h"

#include <gantry/api-introspection.h>
#include <gantry/buf.h>
#include <gantry/content.h>
#include <gantry/differ.h>
#include <gantry/sandboxer.h>
#include <gantry/snapshotter.h>

#include <inttypes.h>

#define SECOND INT64_C(1000000000)
/* So many calls may wait for a far side that has answered nothing for so long. */
#define STUCK_CALLS 16
#define STUCK_TIME (5 * SECOND)
#define PROBE_TIME SECOND

const void *proxy_ops(enum gt_kind kind, const char **doc)
{
	switch (kind) {
	case GT_CONTENT:
		*doc = "A content store behind a socket.";
		return &proxy_content;
	case GT_DIFFER:
		*doc = "A differ behind a socket.";
		return &proxy_differ;
	case GT_SANDBOXER:
		*doc = "A sandbox controller behind a socket.";
		return &proxy_sandboxer;
	case GT_SNAPSHOTTER:
		*doc = "A snapshotter behind a socket.";
		return &proxy_snapshotter;
	default:
		return NULL;
	}
}

struct gt_error *proxy_init(const struct gt_init *init, struct proxy *p)
{
	const struct slot *s = gt_slot_of(init);
	const struct gt_settings *set = gt_config_settings(s->host->config);

	p->entry = s->proxy;
	p->far = s->far->instance;
	p->timeout = set->proxies.timeout;
	p->layer_timeout = set->proxies.layer_timeout;
	pthread_mutex_init(&p->lock, NULL);
	return NULL;
}

void proxy_done(struct proxy *p)
{
	pthread_mutex_destroy(&p->lock);
}

static bool is_stuck(const struct proxy *p)
{
	return p->waiting >= STUCK_CALLS && gt_now() - p->answered_at > STUCK_TIME;
}

struct gt_error *proxy_begin(struct proxy *p, const struct gt_call *call, const char *ns, int64_t most,
			     struct gt_call *out)
{
	bool stuck;

	*out = *call;
	out->size = sizeof(*out);
	out->ns = *p->entry->ns ? p->entry->ns : ns ? ns : GT_PROXY_NAMESPACE;
	out->lease = NULL; /* one of ours, of which nobody knows there */
	if (most) {
		int64_t end = gt_now() + most;

		if (!out->deadline || out->deadline > end)
			out->deadline = end;
	}
	pthread_mutex_lock(&p->lock);
	if (!p->waiting)
		p->answered_at = gt_now();
	stuck = is_stuck(p);
	if (!stuck)
		p->waiting++;
	pthread_mutex_unlock(&p->lock);
	if (!stuck)
		return NULL;
	return gt_error_new(GT_UNAVAILABLE,
			    "proxy plugin %s at %s: has answered none of %d calls for %" PRId64
			    " seconds, and is asked no more until it does",
			    p->entry->name, p->entry->address, STUCK_CALLS, STUCK_TIME / SECOND);
}

/* An error that means that the far side was not reached, or did not answer. */
static bool is_silence(enum gt_class cls)
{
	return cls == GT_UNAVAILABLE || cls == GT_DEADLINE_EXCEEDED || cls == GT_CANCELED;
}

struct gt_error *proxy_end_take(struct proxy *p, const struct gt_call *call, struct gt_error *e)
{
	enum gt_class cls = gt_error_class(e);

	pthread_mutex_lock(&p->lock);
	p->waiting--;
	if (!is_silence(cls))
		p->answered_at = gt_now();
	pthread_mutex_unlock(&p->lock);
	if (!is_silence(cls))
		return e;
	if (cls == GT_DEADLINE_EXCEEDED) {
		struct gt_error *own = gt_call_check(call);

		if (!own) /* not the caller's time is over, but our patience */
			e = gt_error_reclass(e, GT_UNAVAILABLE);
		gt_error_free(own);
	}
	return gt_error_wrap(e, "proxy plugin %s at %s", p->entry->name, p->entry->address);
}

struct gt_error *proxy_probe(struct gt_services *far, const struct gt_config_proxy *entry)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_server_info info = { 0 };
	struct gt_error *e;

	call.deadline = gt_now() + PROBE_TIME;
	e = gt_introspection_server(far, &call, &info);
	gt_server_info_done(&info);
	/* Whatever else it says: it is there. */
	if (!e || !is_silence(gt_error_class(e))) {
		gt_error_free(e);
		return NULL;
	}
	return gt_error_wrap(gt_error_reclass(e, GT_UNAVAILABLE), "%s", entry->address);
}
