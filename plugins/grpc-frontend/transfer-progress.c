/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "transfer.h"

#include <string.h>

#define EVERY_NS 100000000
#define LINES_MAX 1024

void transfer_tell(struct transfer *t, const char *event, const char *name)
{
	TRANSFER(Progress) m = CONTAINERD__TYPES__TRANSFER__PROGRESS__INIT;

	if (!t->progress)
		return;
	m.event = (char *)event;
	m.name = (char *)name;
	/* Nobody has to look at it. */
	gt_error_free(grpc_stream_send(t->progress, &m.base));
}

struct told {
	struct transfer *t;
	struct seen {
		enum gt_progress_state state;
		int64_t done;
		bool is_known;
	} *seen;
};

static const char *event_of(enum gt_progress_state state)
{
	switch (state) {
	case GT_PROGRESS_DONE:
		return "complete";
	case GT_PROGRESS_EXISTS:
		return "already exists";
	default:
		return gt_progress_word(state);
	}
}

static void line_tell(void *arg, size_t i, const struct gt_progress_line *l)
{
	struct told *told = arg;
	struct seen *seen = i < LINES_MAX ? &told->seen[i] : NULL;
	TRANSFER(Progress) m = CONTAINERD__TYPES__TRANSFER__PROGRESS__INIT;

	/* The first line is the transfer as a whole, which is told in words. */
	if (!i || !seen || (seen->is_known && seen->state == l->state && seen->done == l->done))
		return;
	*seen = (struct seen){ l->state, l->done, true };
	m.event = (char *)event_of(l->state);
	m.name = (char *)l->ref;
	m.progress = l->done;
	m.total = l->total;
	gt_error_free(grpc_stream_send(told->t->progress, &m.base));
}

static void *teller(void *arg)
{
	struct transfer *t = arg;
	const struct timespec pause = { .tv_nsec = EVERY_NS };
	struct told told = { .t = t, .seen = gt_xcalloc(LINES_MAX, sizeof(*told.seen)) };
	bool over;

	do {
		over = t->is_over;
		gt_progress_each(t->board, line_tell, &told);
		if (!over)
			nanosleep(&pause, NULL);
	} while (!over);
	free(told.seen);
	return NULL;
}

struct gt_error *transfer_teller_start(struct transfer *t)
{
	int err;

	if (!t->progress)
		return NULL;
	t->board = gt_progress_new();
	err = pthread_create(&t->teller, NULL, teller, t);
	if (!err)
		return NULL;
	gt_progress_free(gt_steal(&t->board));
	return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start a thread");
}

void transfer_teller_stop(struct transfer *t)
{
	if (!t->board)
		return;
	t->is_over = true;
	pthread_join(t->teller, NULL);
	gt_progress_free(gt_steal(&t->board));
}
