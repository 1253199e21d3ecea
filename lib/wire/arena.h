/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for messages that are built to be packed and then dropped as a whole. Strings and bytes in
 * them are borrowed from the structs that they were made from.
 */
#ifndef GANTRY_LIB_WIRE_ARENA_H
#define GANTRY_LIB_WIRE_ARENA_H

#include <gantry/cleanup.h>

#include <protobuf-c/protobuf-c.h>

struct gt_arena_block;

struct gt_arena { /* all zero: empty */
	struct gt_arena_block *blocks;
};

/* Zeroed and aligned for anything. */
void *gt_arena_alloc(struct gt_arena *a, size_t size);
/* A message of that type with all fields at their defaults. */
void *gt_arena_message(struct gt_arena *a, const ProtobufCMessageDescriptor *type);
void gt_arena_done(struct gt_arena *a);

#endif
