/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "snapshots.h"

#include <gantry/api-snapshots.h>
#include <gantry/buf.h>

#include <string.h>

struct node {
	char *key, *parent;
};

struct nodes {
	struct node *v; /* sorted by parent, then key */
	size_t n, alloc;
};

static struct gt_error *add(void *arg, const struct gt_snapshot_info *i)
{
	struct nodes *l = arg;

	GT_GROW(l->v, l->n, l->alloc);
	l->v[l->n++] = (struct node){ .key = gt_xstrdup(i->key),
				      .parent = gt_xstrdup(i->parent ? i->parent : "") };
	return NULL;
}

static int by_parent(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	int r = strcmp(x->parent, y->parent);

	return r ? r : strcmp(x->key, y->key);
}

static size_t first_child(const struct nodes *l, const char *parent)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(l->v[mid].parent, parent) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void print(FILE *out, const struct nodes *l, const char *parent, int level)
{
	if ((size_t)level > l->n)
		return; /* a circle, which no snapshotter makes */
	for (size_t i = first_child(l, parent); i < l->n && !strcmp(l->v[i].parent, parent); i++) {
		fprintf(out, "%*s%s %s\n", 2 * level, "", level ? "\\_" : "", l->v[i].key);
		print(out, l, l->v[i].key, level + 1);
	}
}

static struct gt_error *run_tree(struct ctr *c)
{
	struct nodes l = { 0 };
	struct gt_services *s;
	struct gt_error *e;

	GT_TRY(ctr_services(c, &s));
	e = gt_snapshots_list(s, &c->call, ctr_snapshotter(c), NULL, add, &l);
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), by_parent);
	if (!e)
		print(c->out, &l, "", 0);
	for (size_t i = 0; i < l.n; i++) {
		free(l.v[i].key);
		free(l.v[i].parent);
	}
	free(l.v);
	return e;
}

const struct ctr_command ctr_snapshot_tree = {
	.name = "tree",
	.text = "show which snapshot lies on which",
	.run = run_tree,
};
