/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "gc-scan.h"

#include "blobs.h"
#include "leases.h"
#include "snapshots.h"

#include <gantry/api-images.h>
#include <gantry/api-leases.h>
#include <gantry/quantity.h>
#include <proc/identity.h>
#include <wire/objects.h>

#include <ctype.h>
#include <string.h>

#define GC "containerd.io/gc."

void scan_done(struct scan *s)
{
	for (size_t i = 0; i < s->n_conditions; i++)
		free(s->conditions[i].why);
	free(s->conditions);
	free(s->used);
	graph_done(&s->graph);
	*s = (struct scan)SCAN_INIT;
}

static bool number(const char **p, int digits, int *out)
{
	*out = 0;
	for (; digits--; ++*p) {
		if (!isdigit((unsigned char)**p))
			return false;
		*out = *out * 10 + (**p - '0');
	}
	return true;
}

static bool zone(const char *p, long *out)
{
	int hours, minutes, sign = *p == '-' ? -1 : 1;

	*out = 0;
	if ((*p == 'Z' || *p == 'z') && !p[1])
		return true;
	if ((*p != '+' && *p != '-') || !number((++p, &p), 2, &hours) || *p++ != ':' ||
	    !number(&p, 2, &minutes) || *p || hours > 23 || minutes > 59)
		return false;
	*out = sign * (hours * 3600L + minutes * 60L);
	return true;
}

bool scan_time_parse(const char *text, struct timespec *out)
{
	struct tm tm = { 0 };
	const char *p = text;
	long unit = 100000000, nsec = 0, offset;

	if (!number(&p, 4, &tm.tm_year) || *p++ != '-' || !number(&p, 2, &tm.tm_mon) ||
	    *p++ != '-' || !number(&p, 2, &tm.tm_mday) || *p++ != 'T' ||
	    !number(&p, 2, &tm.tm_hour) || *p++ != ':' || !number(&p, 2, &tm.tm_min) ||
	    *p++ != ':' || !number(&p, 2, &tm.tm_sec))
		return false;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59)
		return false;
	if (*p == '.' && !isdigit((unsigned char)p[1]))
		return false;
	if (*p == '.')
		for (p++; isdigit((unsigned char)*p); p++, unit /= 10)
			nsec += (*p - '0') * unit;
	if (!zone(p, &offset))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	out->tv_sec = timegm(&tm) - offset;
	out->tv_nsec = nsec;
	return true;
}

bool scan_maker_is_gone(const struct gt_labels *labels)
{
	const char *maker = gt_labels_get(labels, GT_LABEL_MAKER);

	return maker && gt_process_is_gone(maker);
}

static bool maker_is_alive(const struct gt_labels *labels)
{
	const char *maker = gt_labels_get(labels, GT_LABEL_MAKER);

	return maker && gt_process_is_alive(maker);
}

static bool is_before(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

static bool is_set(struct timespec t)
{
	return t.tv_sec || t.tv_nsec;
}

/* Whether 'at' has passed; remembers the first one that has not. */
static bool has_expired(struct scan *s, struct timespec at)
{
	if (is_before(at, s->now))
		return true;
	if (!is_set(s->expires) || is_before(at, s->expires))
		s->expires = at;
	return false;
}

/* By a label; one that is no time counts as none. */
static bool label_expired(struct scan *s, const struct gt_labels *labels)
{
	const char *text = gt_labels_get(labels, GC "expire");
	struct timespec at;

	return text && scan_time_parse(text, &at) && has_expired(s, at);
}

/* A node of the namespace of 'like', a key. */
static uint32_t node_of(struct scan *s, struct gt_slice like, char kind, const char *scope,
			size_t scope_len, const char *name)
{
	const char *ns = (const char *)like.data + 2;
	size_t ns_len = strnlen(ns, like.len - 2);
	gt_auto(gt_buf) k = GT_BUF_INIT;

	gt_buf_addc(&k, kind);
	gt_buf_addc(&k, '\0');
	gt_buf_add(&k, ns, ns_len);
	if (scope) {
		gt_buf_addc(&k, '\0');
		gt_buf_add(&k, scope, scope_len);
	}
	gt_buf_addc(&k, '\0');
	gt_buf_adds(&k, name);
	if (k.len > KEY_MAX) /* no record can be called so */
		gt_buf_setlen(&k, KEY_MAX);
	return graph_node(&s->graph, key_slice(&k));
}

/* What stands behind "KEY" in a label, which may be named behind '.' or '/'. */
static bool label_is(const char *label, const char *key)
{
	size_t n = strlen(key);

	return !strncmp(label, key, n) && (!label[n] || label[n] == '.' || label[n] == '/');
}

/* The node that a label of 'like' names by 'prefix' and its value; GRAPH_NONE: none. */
static uint32_t label_node(struct scan *s, struct gt_slice like, const char *prefix,
			   const struct gt_label *l)
{
	static const struct {
		const char *word;
		char kind;
	} kinds[] = {
		{ "content", KEY_BLOB }, { "image", KEY_IMAGE }, { "container", KEY_CONTAINER }
	};
	const char *rest = l->key + strlen(prefix);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (label_is(rest, kinds[i].word))
			return node_of(s, like, kinds[i].kind, NULL, 0, l->value);
	if (strncmp(rest, "snapshot.", 9))
		return GRAPH_NONE;
	rest += 9;
	return node_of(s, like, KEY_SNAPSHOT, rest, strcspn(rest, "/"), l->value);
}

static void add_condition(struct scan *s, uint32_t from, uint32_t snapshot, const char *text,
			  size_t len, const char *why)
{
	gt_autofree char *one = gt_xstrndup(text, len);
	int64_t age;

	if (strncmp(one, "usedat", 6) || (one[6] != '<' && one[6] != '>') || one[7] == '=')
		return; /* other names and operators are for later versions */
	if (!gt_duration_parse(one + 7, &age))
		return;
	GT_GROW(s->conditions, s->n_conditions, s->alloc_conditions);
	s->conditions[s->n_conditions++] = (struct scan_condition){
		.from = from,
		.snapshot = snapshot,
		.older = one[6] == '>',
		.age = age,
		.why = gt_xstrdup(why),
	};
}

/* "containerd.io/gc.cond.snapshot.SN[/NAME]" = "COND[,COND...]|KEY", any of them. */
static void conditions_read(struct scan *s, uint32_t from, struct gt_slice like,
			    const struct gt_label *l)
{
	const char *sn = l->key + strlen(GC "cond.snapshot"), *bar = strchr(l->value, '|');
	uint32_t snapshot;

	sn += strspn(sn, "./");
	if (!bar)
		return;
	snapshot = node_of(s, like, KEY_SNAPSHOT, sn, strcspn(sn, "/"), bar + 1);
	for (const char *p = l->value; p < bar;) {
		size_t n = strcspn(p, ",|");

		add_condition(s, from, snapshot, p, n, l->key);
		p += n + (p[n] == ',');
	}
}

static void used_read(struct scan *s, uint32_t snapshot, const char *text)
{
	struct timespec at;

	if (!scan_time_parse(text, &at))
		return;
	GT_GROW(s->used, s->n_used, s->alloc_used);
	s->used[s->n_used++] = (struct scan_used){ .snapshot = snapshot, .at = at };
}

static bool condition_holds(const struct scan *s, const struct scan_condition *c,
			    const struct scan_used *u)
{
	int64_t age = (s->now.tv_sec - u->at.tv_sec) * INT64_C(1000000000) +
		      (s->now.tv_nsec - u->at.tv_nsec);

	if (u->snapshot != c->snapshot)
		return false;
	return c->older ? age > c->age : age < c->age;
}

/* Conditions that hold become references. They are few: there is no need for an index. */
static void conditions_judge(struct scan *s)
{
	for (; s->done_conditions < s->n_conditions; s->done_conditions++) {
		const struct scan_condition *c = &s->conditions[s->done_conditions];

		for (size_t i = 0; i < s->n_used; i++)
			if (condition_holds(s, c, &s->used[i]))
				graph_edge(&s->graph, c->from, c->snapshot, 0, c->why);
	}
}

/* What labels say of a record. */
static void labels_read(struct scan *s, uint32_t node, struct gt_slice key,
			const struct gt_labels *labels)
{
	for (size_t i = 0; i < labels->n; i++) {
		const struct gt_label *l = &labels->v[i];
		uint32_t other;

		if (strncmp(l->key, GC, strlen(GC)))
			continue;
		if (!strncmp(l->key, GC "ref.", strlen(GC "ref."))) {
			other = label_node(s, key, GC "ref.", l);
			if (other != GRAPH_NONE)
				graph_edge(&s->graph, node, other, 0, l->key);
		} else if (!strncmp(l->key, GC "bref.", strlen(GC "bref."))) {
			other = label_node(s, key, GC "bref.", l);
			if (other != GRAPH_NONE)
				graph_edge(&s->graph, other, node, 0, l->key);
		} else if (label_is(l->key, GC "cond.snapshot")) {
			conditions_read(s, node, key, l);
		} else if (!strcmp(l->key, GC "cond.value-usedat")) {
			used_read(s, node, l->value);
		}
	}
}

static void root_by_label(struct scan *s, uint32_t node, const struct gt_labels *labels)
{
	if (gt_labels_get(labels, GC "root"))
		graph_root(&s->graph, node, "label " GC "root");
}

static void read_lease(struct scan *s, uint32_t node, const Gantry__Records__Lease *m)
{
	gt_auto(gt_labels) labels = { 0 };

	if (!m->lease)
		return;
	gt_wire_labels_get(&m->lease->base, "labels", &labels);
	if (!label_expired(s, &labels) && !(s->hurry && scan_maker_is_gone(&labels)))
		graph_root(&s->graph, node, "a lease that has not expired");
	/* Resources are read behind all leases: they look there whether it is flat. */
	if (gt_labels_get(&labels, GC "flat"))
		s->graph.nodes[node].bits |= NODE_FLAT_LEASE;
}

static void read_image(struct scan *s, uint32_t node, struct gt_slice key,
		       const Gantry__Records__Image *m)
{
	gt_auto(gt_labels) labels = { 0 };

	if (!m->image)
		return;
	gt_wire_labels_get(&m->image->base, "labels", &labels);
	if (!label_expired(s, &labels))
		graph_root(&s->graph, node, "an image");
	if (m->image->target)
		graph_edge(&s->graph, node,
			   node_of(s, key, KEY_BLOB, NULL, 0, m->image->target->digest),
			   EDGE_INHERENT, "target");
	labels_read(s, node, key, &labels);
}

static void read_container(struct scan *s, uint32_t node, struct gt_slice key,
			   const Gantry__Records__Container *m)
{
	const Containerd__Services__Containers__V1__Container *c = m->container;
	gt_auto(gt_labels) labels = { 0 };

	if (!c)
		return;
	graph_root(&s->graph, node, "a container");
	if (*c->snapshotter)
		graph_edge(&s->graph, node,
			   node_of(s, key, KEY_SNAPSHOT, c->snapshotter, strlen(c->snapshotter),
				   c->snapshot_key),
			   0, "root file system");
	gt_wire_labels_get(&c->base, "labels", &labels);
	labels_read(s, node, key, &labels);
}

static void read_sandbox(struct scan *s, uint32_t node, struct gt_slice key,
			 const Gantry__Records__Sandbox *m)
{
	gt_auto(gt_labels) labels = { 0 };

	if (!m->sandbox)
		return;
	graph_root(&s->graph, node, "a sandbox");
	gt_wire_labels_get(&m->sandbox->base, "labels", &labels);
	labels_read(s, node, key, &labels);
}

static void read_blob(struct scan *s, uint32_t node, struct gt_slice key,
		      const Gantry__Records__Blob *m)
{
	gt_auto(gt_labels) labels = { 0 };

	if (!m->info)
		return;
	gt_wire_labels_get(&m->info->base, "labels", &labels);
	root_by_label(s, node, &labels);
	labels_read(s, node, key, &labels);
}

static void read_ingest(struct scan *s, uint32_t node, struct gt_slice key,
			const Gantry__Records__Ingest *m)
{
	struct timespec expires = gt_wire_time_get(m->expire_at);

	if (is_set(expires) && !s->hurry && !has_expired(s, expires))
		graph_root(&s->graph, node, "an ingest that has not expired");
	if (*m->expected)
		graph_edge(&s->graph, node, node_of(s, key, KEY_BLOB, NULL, 0, m->expected), 0,
			   "expected");
}

static void read_snapshot(struct scan *s, uint32_t node, struct gt_slice key,
			  const Gantry__Records__Snapshot *m)
{
	const char *sn = (const char *)key.data + 2;
	gt_auto(gt_labels) labels = { 0 };

	if (!m->info)
		return;
	sn += strlen(sn) + 1; /* keys that are too short do not come here */
	if (*m->info->parent)
		graph_edge(&s->graph, node,
			   node_of(s, key, KEY_SNAPSHOT, sn, strlen(sn), m->info->parent),
			   EDGE_INHERENT, "parent");
	gt_wire_labels_get(&m->info->base, "labels", &labels);
	root_by_label(s, node, &labels);
	if (maker_is_alive(&labels))
		graph_root(&s->graph, node, "in the making");
	labels_read(s, node, key, &labels);
}

static const ProtobufCMessageDescriptor *type_of(char kind)
{
	switch (kind) {
	case KEY_LEASE:
		return &gantry__records__lease__descriptor;
	case KEY_IMAGE:
		return &gantry__records__image__descriptor;
	case KEY_CONTAINER:
		return &gantry__records__container__descriptor;
	case KEY_SANDBOX:
		return &gantry__records__sandbox__descriptor;
	case KEY_BLOB:
		return &gantry__records__blob__descriptor;
	case KEY_INGEST:
		return &gantry__records__ingest__descriptor;
	case KEY_SNAPSHOT:
		return &gantry__records__snapshot__descriptor;
	}
	return NULL;
}

/* How many parts a key of that kind has at least, each behind a NUL. */
static bool key_is_whole(struct gt_slice key)
{
	size_t want = *(const char *)key.data == KEY_SNAPSHOT ? 3 : 2, have = 0;

	for (size_t i = 0; i < key.len; i++)
		have += !((const char *)key.data)[i];
	return have >= want;
}

static struct gt_error *read_record(struct scan *s, struct gt_slice key, struct gt_slice value)
{
	gt_autowire ProtobufCMessage *m = NULL;
	char kind = *(const char *)key.data;
	uint32_t node;

	if (!key_is_whole(key))
		return NULL;
	GT_TRY(gt_error_wrap(gt_error_reclass(gt_wire_unpack(type_of(kind), value.data, value.len,
							     &m),
					      GT_DATA_LOSS),
			     "record of kind '%c'", kind));
	node = graph_node(&s->graph, key);
	s->graph.nodes[node].bits |= NODE_PRESENT;
	switch (kind) {
	case KEY_LEASE:
		read_lease(s, node, (Gantry__Records__Lease *)m);
		break;
	case KEY_IMAGE:
		read_image(s, node, key, (Gantry__Records__Image *)m);
		break;
	case KEY_CONTAINER:
		read_container(s, node, key, (Gantry__Records__Container *)m);
		break;
	case KEY_SANDBOX:
		read_sandbox(s, node, key, (Gantry__Records__Sandbox *)m);
		break;
	case KEY_BLOB:
		read_blob(s, node, key, (Gantry__Records__Blob *)m);
		break;
	case KEY_INGEST:
		read_ingest(s, node, key, (Gantry__Records__Ingest *)m);
		break;
	case KEY_SNAPSHOT:
		read_snapshot(s, node, key, (Gantry__Records__Snapshot *)m);
		break;
	}
	return NULL;
}

/* "r NS LEASE TYPE ID" as the nodes of the lease and of what it lists; GRAPH_NONE where it is broken. */
static uint32_t read_resource(struct scan *s, struct gt_slice key, uint32_t *lease)
{
	gt_autofree char *copy = gt_xmalloc(key.len + 1);
	const char *parts[5];
	size_t n = 0;

	memcpy(copy, key.data, key.len);
	copy[key.len] = '\0';
	for (size_t at = 0; at <= key.len && n < 5; at += strlen(copy + at) + 1)
		parts[n++] = copy + at;
	if (n < 5)
		return GRAPH_NONE;
	*lease = node_of(s, key, KEY_LEASE, NULL, 0, parts[2]);
	if (!strcmp(parts[3], "content"))
		return node_of(s, key, KEY_BLOB, NULL, 0, parts[4]);
	if (!strcmp(parts[3], "ingests"))
		return node_of(s, key, KEY_INGEST, NULL, 0, parts[4]);
	if (!strcmp(parts[3], "images"))
		return node_of(s, key, KEY_IMAGE, NULL, 0, parts[4]);
	if (!strncmp(parts[3], "snapshots/", 10))
		return node_of(s, key, KEY_SNAPSHOT, parts[3] + 10, strlen(parts[3] + 10), parts[4]);
	return GRAPH_NONE;
}

static struct gt_error *scan_record(void *arg, struct gt_slice key, struct gt_slice value)
{
	return read_record(arg, key, value);
}

static struct gt_error *scan_resource(void *arg, struct gt_slice key, struct gt_slice value)
{
	struct scan *s = arg;
	uint32_t lease, node = read_resource(s, key, &lease);

	(void)value;
	if (node != GRAPH_NONE)
		graph_edge(&s->graph, lease, node,
			   s->graph.nodes[lease].bits & NODE_FLAT_LEASE ? EDGE_FLAT : 0, "listed");
	return NULL;
}

struct gt_error *scan_all(struct gt_txn *t, struct scan *s, const char *ns)
{
	static const char kinds[] = { KEY_LEASE,   KEY_IMAGE, KEY_CONTAINER, KEY_SANDBOX,
				      KEY_BLOB, KEY_INGEST, KEY_SNAPSHOT };
	gt_auto(gt_buf) prefix = GT_BUF_INIT;

	for (size_t i = 0; i < sizeof(kinds); i++) {
		if (ns)
			key_set_prefix(&prefix, kinds[i], ns, NULL);
		else
			key_set_prefix(&prefix, kinds[i], NULL);
		GT_TRY(gt_txn_scan(t, key_slice(&prefix), scan_record, s));
	}
	if (ns)
		key_set_prefix(&prefix, KEY_RESOURCE, ns, NULL);
	else
		key_set_prefix(&prefix, KEY_RESOURCE, NULL);
	GT_TRY(gt_txn_scan(t, key_slice(&prefix), scan_resource, s));
	conditions_judge(s);
	return NULL;
}

struct gt_error *scan_noted(void *arg, struct gt_txn *t, struct gt_slice key)
{
	struct scan *s = arg;
	char kind = key.len ? *(const char *)key.data : '\0';
	struct gt_slice value;
	struct gt_error *e;
	uint32_t node, lease;

	if (kind == KEY_RESOURCE) {
		node = read_resource(s, key, &lease);
		if (node != GRAPH_NONE)
			graph_use(&s->graph, node, false);
		return NULL;
	}
	if (!type_of(kind))
		return NULL;
	e = gt_txn_get(t, key, &value);
	if (e)
		return gt_error_unless(e, GT_NOT_FOUND);
	GT_TRY(read_record(s, key, value));
	conditions_judge(s);
	node = graph_find(&s->graph, key);
	if (node != GRAPH_NONE)
		graph_use(&s->graph, node, false);
	return NULL;
}
