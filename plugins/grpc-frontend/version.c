/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-introspection.h>

#include "containerd.services.version.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

static struct gt_error *version(struct gt_grpc_unary *u)
{
	Containerd__Services__Version__V1__VersionResponse *m = u->reply;

	m->version = (char *)gt_version();
	m->revision = (char *)gt_revision();
	return NULL;
}

const struct gt_grpc_method grpc_version[] = {
	GT_GRPC_UNARY("Version", google__protobuf__empty__descriptor,
		      containerd__services__version__v1__version_response__descriptor, version,
		      GT_GRPC_QUICK),
	{ 0 }
};
