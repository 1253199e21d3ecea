/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshots service as a snapshotter. It is asked in the namespace that a key begins with, "NS/SEQ/KEY":
 * snapshotters that look into a containerd's content by themselves need to know it.
 */
#include <config.h>

#include "core/proxy.h"

#include "core/config.h"

#include <gantry/api-namespaces.h>
#include <gantry/api-snapshots.h>
#include <gantry/buf.h>

#include <string.h>

struct snapshotter {
	struct gt_snapshotter base;
	struct proxy p;
};

static struct proxy *proxy_of(struct gt_snapshotter *s)
{
	return &((struct snapshotter *)s)->p;
}

/* The namespace of a key, as a new string; NULL if it is not of the form that the services hand down. */
static char *key_namespace(const char *key)
{
	const char *slash = strchr(key, '/');
	size_t digits = slash ? strspn(slash + 1, "0123456789") : 0;

	if (!digits || slash == key || slash[1 + digits] != '/')
		return NULL;
	return gt_xstrndup(key, (size_t)(slash - key));
}

/* A question about 'key'. */
#define ASK(s, call, key, far_call, expr)                                                         \
	({                                                                                         \
		struct proxy *p = proxy_of(s);                                                     \
		const char *there = p->entry->far_id;                                              \
		gt_autofree char *ns = key_namespace(key);                                         \
		PROXY_CALL(p, call, ns ? ns : (call)->ns, p->timeout, far_call, expr);             \
	})

static struct gt_error *snapshotter_open(const struct gt_init *init, struct gt_snapshotter **out)
{
	struct snapshotter *s = gt_xcalloc(1, sizeof(*s));
	struct gt_error *e = proxy_init(init, &s->p);

	if (e)
		free(s);
	else
		*out = &s->base;
	return e;
}

static void snapshotter_close(struct gt_snapshotter *s)
{
	if (!s)
		return;
	proxy_done(proxy_of(s));
	free(s);
}

static void labels_there(struct gt_labels *out, const struct gt_labels *labels)
{
	if (labels)
		gt_labels_copy(out, labels);
	gt_labels_set(out, GT_PROXY_LABEL, "gantry");
}

static struct gt_error *stat_one(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				 struct gt_snapshot_info *out)
{
	GT_TRY(ASK(s, call, key, far, gt_snapshots_stat(p->far, &far, there, key, out)));
	gt_labels_unset(&out->labels, GT_PROXY_LABEL);
	return NULL;
}

static struct gt_error *prepare(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				const char *parent, const struct gt_labels *labels,
				struct gt_mounts *out)
{
	gt_auto(gt_labels) all = { 0 };

	labels_there(&all, labels);
	return ASK(s, call, key, far,
		   gt_snapshots_prepare(p->far, &far, there, key, parent, &all, out));
}

static struct gt_error *view(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			     const char *parent, const struct gt_labels *labels,
			     struct gt_mounts *out)
{
	gt_auto(gt_labels) all = { 0 };

	labels_there(&all, labels);
	return ASK(s, call, key, far, gt_snapshots_view(p->far, &far, there, key, parent, &all, out));
}

static struct gt_error *mounts(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			       struct gt_mounts *out)
{
	return ASK(s, call, key, far, gt_snapshots_mounts(p->far, &far, there, key, out));
}

/* One that does not know of another parent would silently leave it out. */
static struct gt_error *commit(struct gt_snapshotter *s, struct gt_call *call, const char *name,
			       const char *key, const struct gt_commit_options *o)
{
	gt_auto(gt_labels) all = { 0 };
	struct gt_commit_options there_options = { .size = sizeof(there_options), .labels = &all };

	if (o && o->parent && *o->parent)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "snapshot %s: a proxy plugin gives no parent at commit", key);
	labels_there(&all, o ? o->labels : NULL);
	return ASK(s, call, key, far,
		   gt_snapshots_commit(p->far, &far, there, name, key, &there_options));
}

static struct gt_error *remove_one(struct gt_snapshotter *s, struct gt_call *call, const char *key)
{
	return ASK(s, call, key, far, gt_snapshots_remove(p->far, &far, there, key));
}

struct walk {
	const char *ns; /* in which keys must lie to be ours; NULL: all are */
	struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i);
	void *arg;
};

static struct gt_error *walked(void *arg, const struct gt_snapshot_info *i)
{
	const struct walk *w = arg;
	gt_autofree char *ns = w->ns ? key_namespace(i->key) : NULL;
	struct gt_snapshot_info shown = *i;
	struct gt_error *e;

	if (w->ns && (!ns || strcmp(ns, w->ns)))
		return NULL;
	shown.labels = (struct gt_labels){ 0 };
	gt_labels_copy(&shown.labels, &i->labels);
	gt_labels_unset(&shown.labels, GT_PROXY_LABEL);
	e = w->fn(w->arg, &shown);
	gt_labels_done(&shown.labels);
	return e;
}

static struct gt_error *walk_one(struct gt_snapshotter *s, struct gt_call *call, const char *ns,
				 struct walk *w)
{
	struct proxy *p = proxy_of(s);

	w->ns = *p->entry->ns ? NULL : ns;
	return PROXY_CALL(p, call, ns, p->timeout, far,
			  gt_snapshots_list(p->far, &far, p->entry->far_id, NULL, walked, w));
}

static struct gt_error *namespace_add(void *arg, const char *name, const struct gt_labels *labels)
{
	(void)labels;
	gt_strv_add(arg, name);
	return NULL;
}

/* In namespaces of the caller there are those of all: of each those that are ours by their keys. */
static struct gt_error *walk(struct gt_snapshotter *s, struct gt_call *call,
			     struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i),
			     void *arg)
{
	struct proxy *p = proxy_of(s);
	struct walk w = { .fn = fn, .arg = arg };
	gt_auto(gt_strv) names = { 0 };
	struct gt_error *e;

	if (*p->entry->ns)
		return walk_one(s, call, p->entry->ns, &w);
	e = PROXY_CALL(p, call, NULL, p->timeout, far,
		       gt_namespaces_list(p->far, &far, namespace_add, &names));
	if (gt_error_class(e) == GT_UNIMPLEMENTED) { /* then it does not part them either */
		gt_error_free(e);
		return PROXY_CALL(p, call, call->ns, p->timeout, far,
				  gt_snapshots_list(p->far, &far, p->entry->far_id, NULL, walked, &w));
	}
	for (size_t i = 0; !e && i < names.n; i++)
		e = walk_one(s, call, names.v[i], &w);
	return e;
}

static struct gt_error *update(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			       const struct gt_labels *labels)
{
	gt_auto(gt_labels) all = { 0 };
	gt_auto(gt_strv) mask = { 0 };

	labels_there(&all, labels);
	gt_strv_add(&mask, "labels");
	return ASK(s, call, key, far,
		   gt_snapshots_update(p->far, &far, there, key, &all, &mask, NULL));
}

static struct gt_error *usage(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			      struct gt_usage *out)
{
	return ASK(s, call, key, far, gt_snapshots_usage(p->far, &far, there, key, out));
}

/* One that has no such call has nothing to clean up. */
static struct gt_error *cleanup(struct gt_snapshotter *s, struct gt_call *call)
{
	struct proxy *p = proxy_of(s);

	return gt_error_unless(PROXY_CALL(p, call, call->ns, p->layer_timeout, far,
					  gt_snapshots_cleanup(p->far, &far, p->entry->far_id)),
			       GT_UNIMPLEMENTED);
}

const struct gt_snapshotter_ops proxy_snapshotter = {
	.size = sizeof(proxy_snapshotter),
	.open = snapshotter_open,
	.close = snapshotter_close,
	.stat = stat_one,
	.prepare = prepare,
	.view = view,
	.mounts = mounts,
	.commit = commit,
	.remove = remove_one,
	.walk = walk,
	.update = update,
	.usage = usage,
	.cleanup = cleanup,
};
