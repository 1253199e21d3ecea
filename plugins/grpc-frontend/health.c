/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's health protocol: whoever gets an answer knows that the daemon serves. */
#include <config.h>

#include "frontend.h"

#include "grpc.health.v1.pb-c.h"

#include <string.h>

#define V1(name) Grpc__Health__V1__##name
#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

static bool is_served(const char *service)
{
#define X(table, name) || !strcmp(service, name)
	return !*service GRPC_SERVICES(X);
#undef X
}

static struct gt_error *check(struct gt_grpc_unary *u)
{
	const V1(HealthCheckRequest) *r = u->request;
	V1(HealthCheckResponse) *m = u->reply;

	if (!is_served(r->service))
		return gt_error_new(GT_NOT_FOUND, "unknown service");
	m->status = SERVING;
	return NULL;
}

static struct gt_error *list(struct gt_grpc_unary *u)
{
	V1(HealthListResponse__StatusesEntry) entry =
		GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__STATUSES_ENTRY__INIT;
	V1(HealthCheckResponse) status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	status.status = SERVING;
	entry.key = (char *)"";
	entry.value = &status;
	return gt_grpc_unary_add(u, 1, &entry.base);
}

static void watch_gone(struct gt_grpc_call *c)
{
	gt_grpc_answer_error_take(c, NULL);
}

/* Says it once; it does not change as long as there is somebody who could say so. */
static void watch(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	const V1(HealthCheckRequest) *r = (const void *)request;
	V1(HealthCheckResponse) m = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	m.status = is_served(r->service) ? SERVING : UNKNOWN;
	c->gone = watch_gone;
	gt_grpc_send(c, &m.base);
}

const struct gt_grpc_method grpc_health[] = {
	GT_GRPC_UNARY("Check", grpc__health__v1__health_check_request__descriptor,
		      grpc__health__v1__health_check_response__descriptor, check, GT_GRPC_QUICK),
	GT_GRPC_UNARY("List", grpc__health__v1__health_list_request__descriptor,
		      grpc__health__v1__health_list_response__descriptor, list, GT_GRPC_QUICK),
	{ .name = "Watch",
	  .request = &grpc__health__v1__health_check_request__descriptor,
	  .response = &grpc__health__v1__health_check_response__descriptor,
	  .flags = GT_GRPC_SERVER_STREAM,
	  .handle = watch },
	{ 0 }
};
