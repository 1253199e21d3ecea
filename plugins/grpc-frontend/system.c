/* SPDX-License-Identifier: Apache-2.0 */
/* Gantry's own service: the store as a whole, and where detached output goes. */
#include <config.h>

#include "frontend.h"

#include <gantry/api-system.h>
#include <gantry/api-tasks.h>
#include <gantry/buf.h>

#include "gantry.services.system.v1.pb-c.h"

#include <string.h>

#define V1(name) Gantry__Services__System__V1__##name
#define INIT(name) GANTRY__SERVICES__SYSTEM__V1__##name##__INIT

static struct gt_error *collect(struct gt_grpc_unary *u)
{
	const V1(CollectRequest) *r = u->request;
	V1(CollectResponse) *m = u->reply;
	struct gt_collected went = { 0 };
	unsigned bits = (r->if_due ? GT_COLLECT_IF_DUE : 0) | (r->search ? GT_COLLECT_SEARCH : 0) |
			(r->hurry ? GT_COLLECT_HURRY : 0) | (r->measure ? GT_COLLECT_MEASURE : 0);

	GT_TRY(gt_system_collect(SERVICES(u), u->call, bits, &went));
	m->ran = went.ran;
	m->images = went.images;
	m->leases = went.leases;
	m->ingests = went.ingests;
	m->blobs = went.blobs;
	m->snapshots = went.snapshots;
	m->orphans = went.orphans;
	m->freed = went.freed;
	m->took = went.took;
	m->longest = went.longest;
	return NULL;
}

static struct gt_error *space_add(void *arg, const struct gt_space *s)
{
	V1(Space) m = INIT(SPACE);

	m.type = gt_wire_string(s->type);
	m.namespace_ = gt_wire_string(s->ns);
	m.owner = gt_wire_string(s->owner);
	m.count = s->count;
	m.size = s->size;
	return grpc_batch_add(arg, &m.base);
}

static void usage(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	struct grpc_batch b = { .call = c, .buf = GT_BUF_INIT, .most = 100 };

	(void)request;
	grpc_batch_end_take(&b, gt_system_usage(SERVICES(c), &c->call, space_add, &b));
}

static struct gt_error *step_add(void *arg, const struct gt_kept *k)
{
	V1(Step) m = INIT(STEP);

	m.chain = k->chain;
	m.from = gt_wire_string(k->from);
	m.why = gt_wire_string(k->why);
	m.to = gt_wire_string(k->to);
	m.is_root = !k->to;
	return gt_grpc_unary_add(arg, 1, &m.base);
}

static struct gt_error *explain(struct gt_grpc_unary *u)
{
	const V1(ExplainRequest) *r = u->request;
	V1(ExplainResponse) *m = u->reply;
	bool kept = false;

	GT_TRY(gt_system_explain(SERVICES(u), u->call, r->ref, step_add, u, &kept));
	m->kept = kept;
	return NULL;
}

static struct gt_error *log_place(struct gt_grpc_unary *u)
{
	const V1(LogPlaceRequest) *r = u->request;
	V1(LogPlaceResponse) *m = u->reply;
	gt_autofree char *uri = NULL;

	GT_TRY(gt_tasks_log_uri(SERVICES(u), u->call, r->container_id, r->exec_id, &uri));
	m->uri = strcpy(gt_arena_alloc(&u->arena, strlen(uri) + 1), uri);
	return NULL;
}

#define TYPE(name) gantry__services__system__v1__##name##__descriptor
const struct gt_grpc_method grpc_system[] = {
	GT_GRPC_UNARY("Collect", TYPE(collect_request), TYPE(collect_response), collect, 0),
	GT_GRPC_UNARY("Explain", TYPE(explain_request), TYPE(explain_response), explain, 0),
	GT_GRPC_UNARY("LogPlace", TYPE(log_place_request), TYPE(log_place_response), log_place, 0),
	{ .name = "Usage",
	  .request = &TYPE(usage_request),
	  .response = &TYPE(usage_response),
	  .flags = GT_GRPC_SERVER_STREAM,
	  .handle = usage },
	{ 0 }
};
