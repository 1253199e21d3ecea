/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "gc-graph.h"

#include <string.h>

void graph_done(struct graph *g)
{
	free(g->nodes);
	free(g->edges);
	free(g->table);
	free(g->stack);
	gt_buf_done(&g->keys);
	gt_buf_done(&g->words);
	*g = (struct graph)GRAPH_INIT;
}

static uint64_t hash_of(struct gt_slice key)
{
	const unsigned char *p = key.data;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 29;
}

struct gt_slice graph_key(const struct graph *g, uint32_t node)
{
	const struct graph_node *n = &g->nodes[node];

	return (struct gt_slice){ .data = g->keys.s + n->key, .len = n->key_len };
}

/* Where 'key' stands in the table, or would. */
static size_t slot_of(const struct graph *g, struct gt_slice key)
{
	size_t i = hash_of(key) & (g->table_size - 1);

	for (; g->table[i] != GRAPH_NONE; i = (i + 1) & (g->table_size - 1)) {
		struct gt_slice other = graph_key(g, g->table[i]);

		if (other.len == key.len && !memcmp(other.data, key.data, key.len))
			break;
	}
	return i;
}

static void table_grow(struct graph *g)
{
	free(g->table);
	g->table_size = g->table_size ? 2 * g->table_size : 1024;
	g->table = gt_xmalloc(g->table_size * sizeof(*g->table));
	memset(g->table, 0xff, g->table_size * sizeof(*g->table));
	for (size_t i = 0; i < g->n_nodes; i++)
		g->table[slot_of(g, graph_key(g, (uint32_t)i))] = (uint32_t)i;
}

uint32_t graph_find(const struct graph *g, struct gt_slice key)
{
	return g->table_size ? g->table[slot_of(g, key)] : GRAPH_NONE;
}

uint32_t graph_node(struct graph *g, struct gt_slice key)
{
	size_t slot;

	if (2 * g->n_nodes >= g->table_size)
		table_grow(g);
	slot = slot_of(g, key);
	if (g->table[slot] != GRAPH_NONE)
		return g->table[slot];
	GT_GROW(g->nodes, g->n_nodes, g->alloc_nodes);
	g->nodes[g->n_nodes] = (struct graph_node){
		.key = (uint32_t)g->keys.len,
		.key_len = (uint16_t)key.len,
		.edges = GRAPH_NONE,
	};
	gt_buf_add(&g->keys, key.data, key.len);
	return g->table[slot] = (uint32_t)g->n_nodes++;
}

static uint32_t word_add(struct graph *g, const char *why)
{
	uint32_t at;

	if (!g->wants_words || !why)
		return 0;
	if (!g->words.len)
		gt_buf_addc(&g->words, '\0');
	at = (uint32_t)g->words.len;
	gt_buf_add(&g->words, why, strlen(why) + 1);
	return at;
}

const char *graph_word(const struct graph *g, uint32_t word)
{
	return word ? g->words.s + word : "";
}

void graph_edge(struct graph *g, uint32_t from, uint32_t to, unsigned bits, const char *why)
{
	GT_GROW(g->edges, g->n_edges, g->alloc_edges);
	g->edges[g->n_edges] = (struct graph_edge){
		.to = to,
		.next = g->nodes[from].edges,
		.why = word_add(g, why),
		.bits = (uint8_t)bits,
	};
	g->nodes[from].edges = (uint32_t)g->n_edges++;
}

void graph_root(struct graph *g, uint32_t node, const char *why)
{
	g->nodes[node].bits |= NODE_ROOT;
	if (!g->nodes[node].why_root)
		g->nodes[node].why_root = word_add(g, why);
}

/* Marks a node; puts it on the stack if it, or the way it is used, is new. */
static void use_one(struct graph *g, uint32_t node, bool flat, bool again)
{
	uint8_t bit = flat ? NODE_USED_FLAT : NODE_USED;

	if ((g->nodes[node].bits & (bit | NODE_USED)) && !again)
		return;
	g->nodes[node].bits |= bit;
	GT_GROW(g->stack, g->n_stack, g->alloc_stack);
	g->stack[g->n_stack++] = node;
}

void graph_use(struct graph *g, uint32_t node, bool flat)
{
	use_one(g, node, flat, true);
	while (g->n_stack) {
		const struct graph_node *n = &g->nodes[g->stack[--g->n_stack]];
		bool full = n->bits & NODE_USED;

		for (uint32_t i = n->edges; i != GRAPH_NONE; i = g->edges[i].next) {
			const struct graph_edge *e = &g->edges[i];

			if (full || (e->bits & EDGE_INHERENT))
				use_one(g, e->to, !full || (e->bits & EDGE_FLAT), false);
		}
	}
}

void graph_mark(struct graph *g)
{
	for (size_t i = 0; i < g->n_nodes; i++)
		if (g->nodes[i].bits & NODE_ROOT)
			graph_use(g, (uint32_t)i, false);
}

/* Whose a node is, by whether it is used flat and fully: both have owners of their own. */
struct owning {
	uint32_t *full, *flat;
};

static bool own(uint32_t *owners, uint32_t node, uint32_t owner)
{
	if (owners[node] == owner || owners[node] == GRAPH_SEVERAL)
		return false;
	owners[node] = owners[node] == GRAPH_NONE ? owner : GRAPH_SEVERAL;
	return true;
}

static void own_one(struct graph *g, const struct owning *o, uint32_t node, uint32_t owner,
		    bool flat)
{
	if (!own(flat ? o->flat : o->full, node, owner))
		return;
	GT_GROW(g->stack, g->n_stack, g->alloc_stack);
	g->stack[g->n_stack++] = node;
}

static void own_from(struct graph *g, const struct owning *o)
{
	while (g->n_stack) {
		uint32_t node = g->stack[--g->n_stack];

		for (uint32_t i = g->nodes[node].edges; i != GRAPH_NONE; i = g->edges[i].next) {
			const struct graph_edge *e = &g->edges[i];

			if (o->full[node] != GRAPH_NONE)
				own_one(g, o, e->to, o->full[node], e->bits & EDGE_FLAT);
			if (o->flat[node] != GRAPH_NONE && (e->bits & EDGE_INHERENT))
				own_one(g, o, e->to, o->flat[node], true);
		}
	}
}

uint32_t *graph_owners(struct graph *g)
{
	size_t bytes = (g->n_nodes + 1) * sizeof(uint32_t);
	struct owning o = { .full = gt_xmalloc(bytes), .flat = gt_xmalloc(bytes) };

	memset(o.full, 0xff, bytes);
	memset(o.flat, 0xff, bytes);
	for (size_t i = 0; i < g->n_nodes; i++) {
		if (!(g->nodes[i].bits & NODE_ROOT))
			continue;
		own_one(g, &o, (uint32_t)i, (uint32_t)i, false);
		own_from(g, &o);
	}
	for (size_t i = 0; i < g->n_nodes; i++)
		if (o.flat[i] != GRAPH_NONE)
			own(o.full, (uint32_t)i, o.flat[i]);
	free(o.flat);
	return o.full;
}

/* Breadth first from one root; a state is a node and whether it is used flat. */
struct search {
	const struct graph *g;
	uint32_t *came_by; /* edge that led to a state */
	uint32_t *from; /* state that it leaves */
	uint32_t *queue;
	size_t head, tail;
};

static void reach(struct search *s, uint32_t state, uint32_t edge, uint32_t from)
{
	if (s->from[state] != GRAPH_NONE)
		return;
	s->from[state] = from;
	s->came_by[state] = edge;
	s->queue[s->tail++] = state;
}

static void search_run(struct search *s, uint32_t root)
{
	while (s->tail) /* only what the last one touched: there may be many roots */
		s->from[s->queue[--s->tail]] = GRAPH_NONE;
	s->head = 0;
	reach(s, 2 * root, GRAPH_NONE, 2 * root);
	while (s->head < s->tail) {
		uint32_t state = s->queue[s->head++];
		bool flat = state & 1;

		for (uint32_t i = s->g->nodes[state / 2].edges; i != GRAPH_NONE;
		     i = s->g->edges[i].next) {
			const struct graph_edge *e = &s->g->edges[i];

			if (!flat || (e->bits & EDGE_INHERENT))
				reach(s, 2 * e->to + (flat || (e->bits & EDGE_FLAT)), i, state);
		}
	}
}

static void chain_build(const struct search *s, uint32_t root, uint32_t state,
			struct graph_chain *out)
{
	uint32_t at = state;

	*out = (struct graph_chain){ .root = root };
	for (; s->from[at] != at; at = s->from[at])
		out->n++;
	out->edges = gt_xcalloc(out->n + 1, sizeof(*out->edges));
	for (size_t i = out->n; i--; state = s->from[state])
		out->edges[i] = s->came_by[state];
}

size_t graph_chains(const struct graph *g, uint32_t node, size_t most, struct graph_chain *out)
{
	size_t bytes = (2 * g->n_nodes + 2) * sizeof(uint32_t), n = 0;
	struct search s = {
		.g = g,
		.came_by = gt_xmalloc(bytes),
		.from = gt_xmalloc(bytes),
		.queue = gt_xmalloc(bytes),
	};

	memset(s.from, 0xff, bytes);
	for (size_t i = 0; i < g->n_nodes && n < most; i++) {
		uint32_t state = 2 * node;

		if (!(g->nodes[i].bits & NODE_ROOT))
			continue;
		search_run(&s, (uint32_t)i);
		if (s.from[state] == GRAPH_NONE)
			state++;
		if (s.from[state] != GRAPH_NONE)
			chain_build(&s, (uint32_t)i, state, &out[n++]);
	}
	free(s.came_by);
	free(s.from);
	free(s.queue);
	return n;
}
