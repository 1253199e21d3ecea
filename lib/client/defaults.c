/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/defaults.h>

#include <gantry/api-namespaces.h>
#include <gantry/buf.h>

static struct gt_error *pick(struct gt_services *s, struct gt_call *call, const char *asked,
			     const char *label, enum gt_kind kind, const char *last, char **out)
{
	gt_auto(gt_labels) labels = { 0 };
	const char *v = asked;

	if (!v || !*v) {
		GT_TRY(gt_namespaces_get(s, call, call->ns, &labels));
		v = gt_labels_get(&labels, label);
	}
	if (!v || !*v)
		v = gt_need_default(s->init, kind);
	*out = gt_xstrdup(v && *v ? v : last);
	return NULL;
}

struct gt_error *gt_default_snapshotter(struct gt_services *s, struct gt_call *call,
					const char *asked, char **out)
{
	return pick(s, call, asked, "containerd.io/defaults/snapshotter", GT_SNAPSHOTTER,
		    "overlayfs", out);
}

struct gt_error *gt_default_runtime(struct gt_services *s, struct gt_call *call, const char *asked,
				    char **out)
{
	return pick(s, call, asked, "containerd.io/defaults/runtime", GT_RUNTIME, GT_RUNTIME_RUNC,
		    out);
}
