/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "progress.h"

#include "format.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRAME_NS 100000000
#define BAR 38 /* between the two '|' */
#define GREEN "\x1b[32m"
#define RESET "\x1b[0m"

const struct ctr_flag ctr_progress_flag[] = {
	{ .name = "quiet", .alias = "q", .type = CTR_BOOL, .text = "show no progress" },
	{ 0 },
};

/* What is remembered of a line between frames. */
struct seen {
	int64_t since; /* when it began to move; 0: it has not */
	bool told; /* off a terminal: how it ended is printed */
};

struct ctr_progress {
	struct ctr *c;
	struct gt_progress *board;
	bool terminal;
	int64_t begin;
	pthread_t thread;
	pthread_mutex_t lock; /* of 'stop' */
	pthread_cond_t change;
	bool stop, running;
	struct seen *seen;
	size_t n_seen;
	size_t drawn; /* lines of the last frame */
	/* of the frame being made */
	struct gt_buf frame;
	size_t lines;
	int ref_width, word_width;
	int64_t moved;
};

static bool is_end(enum gt_progress_state s)
{
	return s == GT_PROGRESS_RESOLVED || s == GT_PROGRESS_DONE || s == GT_PROGRESS_EXISTS;
}

static struct seen *seen_of(struct ctr_progress *p, size_t i)
{
	if (i >= p->n_seen) {
		p->seen = gt_xrealloc(p->seen, (i + 1) * sizeof(*p->seen));
		memset(p->seen + p->n_seen, 0, (i + 1 - p->n_seen) * sizeof(*p->seen));
		p->n_seen = i + 1;
	}
	return &p->seen[i];
}

static void measure(void *arg, size_t i, const struct gt_progress_line *l)
{
	struct ctr_progress *p = arg;
	struct seen *s = seen_of(p, i);
	int ref = strlen(l->ref) + 1, word = strlen(gt_progress_word(l->state));

	if (!s->since && l->moved)
		s->since = gt_now() - FRAME_NS;
	if (ref > p->ref_width)
		p->ref_width = ref;
	if (word > p->word_width)
		p->word_width = word;
	p->moved += l->moved;
}

static void add_bar(struct gt_buf *b, const struct gt_progress_line *l)
{
	int n = l->total > 0 ? (int)((double)l->done / l->total * BAR) : 0;

	if (is_end(l->state) || n > BAR)
		n = BAR;
	gt_buf_adds(b, "|" GREEN);
	for (int i = 0; i < n; i++)
		gt_buf_addc(b, '+');
	gt_buf_adds(b, RESET);
	for (int i = n; i < BAR; i++)
		gt_buf_addc(b, '-');
	gt_buf_addc(b, '|');
}

static void add_rate(struct gt_buf *b, int64_t bytes, int64_t ns)
{
	gt_autofree char *rate = ctr_size_binary(ns > 0 ? (double)bytes * 1e9 / ns : 0);

	gt_buf_addf(b, "%s/s", rate);
}

static void draw_line(void *arg, size_t i, const struct gt_progress_line *l)
{
	struct ctr_progress *p = arg;
	struct gt_buf *b = &p->frame;
	int pad = p->ref_width - (int)strlen(l->ref);

	gt_buf_addf(b, "%s:%*s%-*s ", l->ref, pad, "", p->word_width, gt_progress_word(l->state));
	add_bar(b, l);
	if (l->state == GT_PROGRESS_DOWNLOADING || l->state == GT_PROGRESS_UPLOADING) {
		gt_autofree char *have = ctr_size_binary(l->done);
		gt_autofree char *total = ctr_size_binary(l->total);

		gt_buf_addf(b, " %8s/%s ", have, total);
		if (p->seen[i].since)
			add_rate(b, l->moved, gt_now() - p->seen[i].since);
	}
	gt_buf_addc(b, '\n');
	p->lines++;
}

static void add_sum(struct ctr_progress *p)
{
	gt_autofree char *total = ctr_size_binary(p->moved);
	int64_t ns = gt_now() - p->begin;

	gt_buf_addf(&p->frame, "elapsed: %.1f s  total: %s (", ns / 1e9, total);
	add_rate(&p->frame, p->moved, ns);
	gt_buf_adds(&p->frame, ")\n");
	p->lines++;
}

static void start_frame(struct ctr_progress *p)
{
	gt_buf_reserve(&p->frame, 0);
	gt_buf_setlen(&p->frame, 0);
	p->lines = 0;
	p->moved = 0;
	p->ref_width = p->word_width = 0;
	gt_progress_each(p->board, measure, p);
}

/* Over the frame before, line by line. */
static void draw(struct ctr_progress *p)
{
	start_frame(p);
	gt_progress_each(p->board, draw_line, p);
	add_sum(p);
	for (size_t i = 0; i < p->drawn; i++)
		fputs("\x1b[1A\x1b[2K\r", p->c->out);
	fwrite(p->frame.s, 1, p->frame.len, p->c->out);
	fflush(p->c->out);
	p->drawn = p->lines;
}

static void tell_line(void *arg, size_t i, const struct gt_progress_line *l)
{
	struct ctr_progress *p = arg;

	if (!is_end(l->state) || p->seen[i].told)
		return;
	p->seen[i].told = true;
	gt_buf_addf(&p->frame, "%s: %s", l->ref, gt_progress_word(l->state));
	if (l->total) {
		gt_autofree char *total = ctr_size_binary(l->total);

		gt_buf_addf(&p->frame, " %s", total);
	}
	gt_buf_addc(&p->frame, '\n');
}

static void tell(struct ctr_progress *p, bool sum)
{
	start_frame(p);
	gt_progress_each(p->board, tell_line, p);
	if (sum)
		add_sum(p);
	fwrite(p->frame.s, 1, p->frame.len, p->c->out);
	fflush(p->c->out);
}

static void *show(void *arg)
{
	struct ctr_progress *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		struct timespec until;

		if (p->terminal)
			draw(p);
		else
			tell(p, false);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += FRAME_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		pthread_cond_timedwait(&p->change, &p->lock, &until);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct gt_error *ctr_progress_begin(struct ctr *c, struct ctr_progress **out)
{
	struct ctr_progress *p;
	sigset_t all, before;
	int err;

	*out = NULL;
	if (ctr_bool(c, "quiet"))
		return NULL;
	p = gt_xcalloc(1, sizeof(*p));
	p->c = c;
	p->board = gt_progress_new();
	p->terminal = isatty(fileno(c->out));
	p->begin = gt_now();
	gt_buf_init(&p->frame);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->change, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&p->thread, NULL, show, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		ctr_progress_free(p);
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start thread");
	}
	p->running = true;
	*out = p;
	return NULL;
}

struct gt_progress *ctr_progress_board(struct ctr_progress *p)
{
	return p ? p->board : NULL;
}

void ctr_progress_end(struct ctr_progress *p, bool sum)
{
	if (!p || !p->running)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->change);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	p->running = false;
	if (p->terminal)
		draw(p);
	else
		tell(p, sum);
}

void ctr_progress_free(struct ctr_progress *p)
{
	if (!p)
		return;
	ctr_progress_end(p, false);
	gt_progress_free(p->board);
	gt_buf_done(&p->frame);
	free(p->seen);
	pthread_cond_destroy(&p->change);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
