/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-introspection.h>

#include "core/op.h"

struct gt_error *gt_introspection_plugins(struct gt_services *s, struct gt_call *call,
					  const struct gt_strv *filters,
					  struct gt_error *(*fn)(void *, const struct gt_plugin_info *),
					  void *arg)
{
	GT_TRY(gt_op_check(s->ops->introspection && s->ops->introspection->plugins, s->init,
			 "introspection.plugins"));
	return s->ops->introspection->plugins(s, call, filters, fn, arg);
}

struct gt_error *gt_introspection_server(struct gt_services *s, struct gt_call *call,
					 struct gt_server_info *out)
{
	GT_TRY(gt_op_check(s->ops->introspection && s->ops->introspection->server, s->init,
			 "introspection.server"));
	return s->ops->introspection->server(s, call, out);
}

struct gt_error *gt_introspection_extra(struct gt_services *s, struct gt_call *call, const char *type,
					const char *id, const struct gt_any *question,
					struct gt_any *out)
{
	GT_TRY(gt_op_check(s->ops->introspection && s->ops->introspection->extra, s->init,
			 "introspection.extra"));
	return s->ops->introspection->extra(s, call, type, id, question, out);
}
