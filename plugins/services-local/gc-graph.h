/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What refers to what, in memory. A node is a record, named by its key; edges follow containerd's rules
 * (core/metadata/gc.go there, conventions.md of ours). Marking goes from the roots along the edges.
 *
 * A flat lease keeps what it lists, and of that only what it could not be without (a snapshot's
 * parents, the blob an image stands for), not what labels name: so a node may be in use in a flat way
 * first and fully later.
 */
#ifndef SERVICES_LOCAL_GC_GRAPH_H
#define SERVICES_LOCAL_GC_GRAPH_H

#include "keys.h"

#include <stdbool.h>

#define GRAPH_NONE UINT32_MAX

enum graph_node_bits {
	NODE_PRESENT = 1, /* there is such a record */
	NODE_ROOT = 2,
	NODE_USED = 4,
	NODE_USED_FLAT = 8,
	NODE_FLAT_LEASE = 16,
};

enum graph_edge_bits {
	EDGE_INHERENT = 1, /* also of a node that is in use in a flat way */
	EDGE_FLAT = 2, /* what it leads to is in use in a flat way only */
};

struct graph_node {
	uint32_t key; /* where it begins in the graph's keys */
	uint16_t key_len;
	uint8_t bits;
	uint32_t edges; /* the last one added, or GRAPH_NONE */
	uint32_t why_root; /* into 'words'; 0: not said */
};

struct graph_edge {
	uint32_t to;
	uint32_t next; /* of the same node */
	uint32_t why; /* into 'words'; 0: not said */
	uint8_t bits;
};

struct graph {
	struct graph_node *nodes;
	size_t n_nodes, alloc_nodes;
	struct graph_edge *edges;
	size_t n_edges, alloc_edges;
	struct gt_buf keys;
	struct gt_buf words; /* reasons, each ended by a NUL, where they are wanted */
	bool wants_words;
	uint32_t *table; /* nodes by hash, GRAPH_NONE: free */
	size_t table_size;
	uint32_t *stack;
	size_t n_stack, alloc_stack;
};
#define GRAPH_INIT { .keys = GT_BUF_INIT, .words = GT_BUF_INIT }
void graph_done(struct graph *g);

/* The node of that name, new or not; numbers stay, pointers to nodes do not. */
uint32_t graph_node(struct graph *g, struct gt_slice key);
/* GRAPH_NONE where there is none. */
uint32_t graph_find(const struct graph *g, struct gt_slice key);
struct gt_slice graph_key(const struct graph *g, uint32_t node);
/* 'why' may be NULL; it is copied where reasons are wanted. */
void graph_edge(struct graph *g, uint32_t from, uint32_t to, unsigned bits, const char *why);
void graph_root(struct graph *g, uint32_t node, const char *why);
const char *graph_word(const struct graph *g, uint32_t word); /* "" where there is none */

/* Marks what a node keeps, and itself, even if it is marked already: it may have new edges. */
void graph_use(struct graph *g, uint32_t node, bool flat);
/* Marks all from the roots. */
void graph_mark(struct graph *g);
static inline bool graph_is_used(const struct graph *g, uint32_t node)
{
	return g->nodes[node].bits & (NODE_USED | NODE_USED_FLAT);
}

/*
 * For each node the root that keeps it: its number, GRAPH_NONE for none, GRAPH_SEVERAL. A new array.
 */
#define GRAPH_SEVERAL (UINT32_MAX - 1)
uint32_t *graph_owners(struct graph *g);

/*
 * A shortest chain from each root that keeps 'node', at most 'most' of them: edges[0] leaves the root.
 */
struct graph_chain {
	uint32_t root;
	uint32_t *edges;
	size_t n;
};
size_t graph_chains(const struct graph *g, uint32_t node, size_t most, struct graph_chain *out);

#endif
