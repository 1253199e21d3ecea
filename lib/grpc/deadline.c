/* SPDX-License-Identifier: Apache-2.0 */
/* The calls' deadlines: a heap, for there may be thousands, and one timer for the soonest. */
#include <config.h>

#include <grpc/server-private.h>

static bool sooner(const struct call *a, const struct call *b)
{
	return a->pub.call.deadline < b->pub.call.deadline;
}

static void put(struct gt_grpc_server *s, size_t i, struct call *c)
{
	s->heap[i] = c;
	c->heap = i;
}

static void sift_up(struct gt_grpc_server *s, size_t i, struct call *c)
{
	for (; i > 1 && sooner(c, s->heap[i / 2]); i /= 2)
		put(s, i, s->heap[i / 2]);
	put(s, i, c);
}

static void sift_down(struct gt_grpc_server *s, size_t i, struct call *c)
{
	for (;;) {
		size_t child = 2 * i;

		if (child < s->n_heap && sooner(s->heap[child + 1], s->heap[child]))
			child++;
		if (child > s->n_heap || !sooner(s->heap[child], c))
			break;
		put(s, i, s->heap[child]);
		i = child;
	}
	put(s, i, c);
}

static void timer_set(struct gt_grpc_server *s)
{
	if (!s->n_heap)
		gt_timer_clear(&s->deadline_timer);
	else if (!gt_timer_is_set(&s->deadline_timer) ||
		 s->heap[1]->pub.call.deadline < s->deadline_timer.at)
		gt_loop_at(s->loop, &s->deadline_timer, s->heap[1]->pub.call.deadline);
}

void grpc_deadline_add(struct call *c)
{
	struct gt_grpc_server *s = c->server;

	if (s->n_heap + 2 > s->heap_alloc) {
		s->heap_alloc = s->heap_alloc ? 2 * s->heap_alloc : 64;
		s->heap = gt_xrealloc(s->heap, s->heap_alloc * sizeof(struct call *));
	}
	sift_up(s, ++s->n_heap, c);
	timer_set(s);
}

/* The timer stays: one that finds nothing costs less than setting it for every call. */
void grpc_deadline_remove(struct call *c)
{
	struct gt_grpc_server *s = c->server;
	size_t i = c->heap;
	struct call *last;

	if (!i)
		return;
	c->heap = 0;
	last = s->heap[s->n_heap--];
	if (last == c) {
		if (!s->n_heap)
			free(gt_steal(&s->heap));
		s->heap_alloc = s->heap ? s->heap_alloc : 0;
		return;
	}
	if (i > 1 && sooner(last, s->heap[i / 2]))
		sift_up(s, i, last);
	else
		sift_down(s, i, last);
}

static void deadline_come(struct gt_timer *t)
{
	struct gt_grpc_server *s = gt_container_of(t, struct gt_grpc_server, deadline_timer);
	int64_t now = gt_now();

	while (s->n_heap && s->heap[1]->pub.call.deadline <= now) {
		struct call *c = s->heap[1];

		grpc_deadline_remove(c);
		grpc_call_end_take(c, gt_error_new(GT_DEADLINE_EXCEEDED, "%s",
						   gt_class_text(GT_DEADLINE_EXCEEDED)));
	}
	timer_set(s);
}

void grpc_deadlines_init(struct gt_grpc_server *s)
{
	s->deadline_timer.fn = deadline_come;
}
