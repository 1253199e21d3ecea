/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <wire/arena.h>

#include <gantry/buf.h>

#include <stdalign.h>

#define BLOCK_SIZE 2048

struct gt_arena_block {
	struct gt_arena_block *next;
	size_t used;
	size_t size;
	alignas(max_align_t) unsigned char bytes[];
};

void *gt_arena_alloc(struct gt_arena *a, size_t size)
{
	struct gt_arena_block *b = a->blocks;
	void *p;

	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (!b || b->size - b->used < size) {
		size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		b = gt_xcalloc(1, sizeof(*b) + room);
		b->size = room;
		b->next = a->blocks;
		a->blocks = b;
	}
	p = b->bytes + b->used;
	b->used += size;
	return p;
}

void *gt_arena_message(struct gt_arena *a, const ProtobufCMessageDescriptor *type)
{
	void *m = gt_arena_alloc(a, type->sizeof_message);

	protobuf_c_message_init(type, m);
	return m;
}

void gt_arena_done(struct gt_arena *a)
{
	while (a->blocks) {
		struct gt_arena_block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
}
