/* SPDX-License-Identifier: Apache-2.0 */
/* Gantry's own service, which no other daemon has. */
#include <config.h>

#include "remote.h"

#include <gantry/api-introspection.h>
#include <gantry/api-system.h>
#include <gantry/buf.h>

#include "gantry.services.system.v1.pb-c.h"

#define V1(name) Gantry__Services__System__V1__##name
#define INIT(name) GANTRY__SERVICES__SYSTEM__V1__##name##__INIT
#define TYPE(name) gantry__services__system__v1__##name##__descriptor
#define SERVICE "gantry.services.system.v1.System"

METHOD(collect_method, SERVICE, "Collect", TYPE(collect_response));
METHOD(usage_method, SERVICE, "Usage", TYPE(usage_response));
METHOD(explain_method, SERVICE, "Explain", TYPE(explain_response));
METHOD(log_place_method, SERVICE, "LogPlace", TYPE(log_place_response));

struct gt_error *remote_gantry_only_take(struct gt_services *s, const struct gt_call *call,
					 struct gt_error *e, const char *what)
{
	gt_auto(gt_server_info) i = { 0 };
	struct gt_call plain = *call;
	struct gt_error *unknown;

	if (gt_error_class(e) != GT_UNIMPLEMENTED)
		return e;
	gt_error_free(e);
	unknown = gt_introspection_server(s, &plain, &i);
	if (unknown)
		return unknown;
	return gt_error_new(GT_UNIMPLEMENTED, "this daemon is containerd %s, which cannot %s: only gantryd can",
			    i.version, what);
}

static struct gt_error *collect(struct gt_services *s, struct gt_call *call, unsigned bits,
				struct gt_collected *out)
{
	V1(CollectRequest) q = INIT(COLLECT_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(CollectResponse) *r;

	*out = (struct gt_collected){ 0 };
	if (bits & GT_COLLECT_IF_DUE) /* a daemon knows by itself when it is */
		return NULL;
	q.search = bits & GT_COLLECT_SEARCH;
	q.hurry = bits & GT_COLLECT_HURRY;
	q.measure = bits & GT_COLLECT_MEASURE;
	GT_TRY(remote_gantry_only_take(s, call,
				       gt_grpc_call(remote_client(s), call, &collect_method, &q.base,
						    &m),
				       "collect garbage when it is asked to"));
	r = (const void *)m;
	*out = (struct gt_collected){
		.ran = r->ran,
		.images = r->images,
		.leases = r->leases,
		.ingests = r->ingests,
		.blobs = r->blobs,
		.snapshots = r->snapshots,
		.orphans = r->orphans,
		.freed = r->freed,
		.took = r->took,
		.longest = r->longest,
	};
	return NULL;
}

struct spaces {
	struct gt_error *(*fn)(void *arg, const struct gt_space *u);
	void *arg;
};

static struct gt_error *spaces_get(void *arg, const ProtobufCMessage *message)
{
	const V1(UsageResponse) *m = (const void *)message;
	const struct spaces *l = arg;

	for (size_t i = 0; i < m->n_spaces; i++) {
		const V1(Space) *s = m->spaces[i];
		const struct gt_space u = {
			.type = s->type,
			.ns = s->namespace_,
			.owner = s->owner,
			.count = s->count,
			.size = s->size,
		};

		GT_TRY(l->fn(l->arg, &u));
	}
	return NULL;
}

static struct gt_error *usage(struct gt_services *s, struct gt_call *call,
			      struct gt_error *(*fn)(void *arg, const struct gt_space *u), void *arg)
{
	V1(UsageRequest) q = INIT(USAGE_REQUEST);
	struct spaces l = { fn, arg };

	return remote_gantry_only_take(s, call,
				       remote_each(s, call, &usage_method, &q.base, spaces_get, &l),
				       "tell what takes its space");
}

static struct gt_error *explain(struct gt_services *s, struct gt_call *call, const char *ref,
				struct gt_error *(*fn)(void *arg, const struct gt_kept *k), void *arg,
				bool *kept)
{
	V1(ExplainRequest) q = INIT(EXPLAIN_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(ExplainResponse) *r;

	q.ref = gt_wire_string(ref);
	GT_TRY(remote_gantry_only_take(s, call,
				       gt_grpc_call(remote_client(s), call, &explain_method, &q.base,
						    &m),
				       "tell what keeps a thing"));
	r = (const void *)m;
	for (size_t i = 0; i < r->n_steps; i++) {
		const V1(Step) *step = r->steps[i];
		const struct gt_kept k = {
			.chain = (size_t)step->chain,
			.from = step->from,
			.why = step->why,
			.to = step->is_root ? NULL : step->to,
		};

		GT_TRY(fn(arg, &k));
	}
	*kept = r->kept;
	return NULL;
}

struct gt_error *remote_log_uri(struct gt_services *s, struct gt_call *call, const char *id,
				const char *exec_id, char **out)
{
	V1(LogPlaceRequest) q = INIT(LOG_PLACE_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;

	q.container_id = gt_wire_string(id);
	q.exec_id = gt_wire_string(exec_id);
	GT_TRY(remote_gantry_only_take(s, call,
				       gt_grpc_call(remote_client(s), call, &log_place_method,
						    &q.base, &m),
				       "keep a detached process's output"));
	*out = gt_xstrdup(((const V1(LogPlaceResponse) *)m)->uri);
	return NULL;
}

const struct gt_system_ops remote_system = {
	.size = sizeof(remote_system),
	.collect = collect,
	.usage = usage,
	.explain = explain,
};
