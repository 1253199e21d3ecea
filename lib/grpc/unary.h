/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The common form of a method: a function that fills a reply from a request, and returns an error or
 * NULL. What the reply borrows from is kept until it is packed:
 *
 *	static struct gt_error *images_get(struct gt_grpc_unary *u)
 *	{
 *		const GetImageRequest *r = u->request;
 *		GetImageResponse *m = u->reply;
 *		struct gt_image *image = gt_grpc_keep(u, sizeof(*image), image_done);
 *
 *		GT_TRY(gt_images_get(s, u->call, r->name, image));
 *		m->image = gt_wire_image(&u->arena, image);
 *		return NULL;
 *	}
 */
#ifndef GANTRY_LIB_GRPC_UNARY_H
#define GANTRY_LIB_GRPC_UNARY_H

#include <grpc/server.h>
#include <wire/arena.h>

struct gt_grpc_kept;

struct gt_grpc_unary {
	struct gt_call *call;
	void *arg; /* the service's */
	const void *request;
	void *reply; /* all fields at their defaults, in the arena */
	struct gt_arena arena;
	/* Fields that are packed already, behind the reply's own: a list costs its bytes once. */
	struct gt_buf rest;
	struct gt_grpc_kept *kept;
};

/* For the 'handle' of a method that has 'unary'. */
void gt_grpc_unary(struct gt_grpc_call *c, const ProtobufCMessage *request);

/* A zeroed object that 'done' (NULL: nothing) is called for after the answer is packed. */
void *gt_grpc_keep(struct gt_grpc_unary *u, size_t size, void (*done)(void *));

/* Adds an element to the repeated field 'number' of the reply. RESOURCE_EXHAUSTED if that is too long. */
GT_MUST_USE struct gt_error *gt_grpc_unary_add(struct gt_grpc_unary *u, unsigned number,
					       const ProtobufCMessage *m);

/* A row of a service's table. */
#define GT_GRPC_UNARY(name_, request_, response_, fn_, flags_)                                    \
	{ .name = name_, .request = &request_, .response = &response_, .flags = flags_,            \
	  .handle = gt_grpc_unary, .unary = fn_ }

#endif
