/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/progress.h>

#include <gantry/buf.h>

#include <pthread.h>
#include <string.h>

struct gt_progress {
	pthread_mutex_t lock;
	struct gt_progress_line *lines;
	size_t n, alloc;
};

const char *gt_progress_word(enum gt_progress_state state)
{
	static const char *const words[] = {
#define X(NAME, word) [GT_PROGRESS_##NAME] = word,
		GT_PROGRESS_STATES(X)
#undef X
	};

	return words[state];
}

struct gt_progress *gt_progress_new(void)
{
	struct gt_progress *p = gt_xcalloc(1, sizeof(*p));

	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void gt_progress_free(struct gt_progress *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		free((char *)p->lines[i].ref);
	free(p->lines);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

size_t gt_progress_line(struct gt_progress *p, const char *ref, int64_t total)
{
	size_t i = 0;

	if (!p)
		return 0;
	pthread_mutex_lock(&p->lock);
	while (i < p->n && strcmp(p->lines[i].ref, ref))
		i++;
	if (i == p->n) {
		GT_GROW(p->lines, p->n, p->alloc);
		p->lines[p->n++] = (struct gt_progress_line){
			.ref = gt_xstrdup(ref), .state = GT_PROGRESS_WAITING, .total = total
		};
	}
	pthread_mutex_unlock(&p->lock);
	return i;
}

void gt_progress_state(struct gt_progress *p, size_t line, enum gt_progress_state state)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->lines[line].state = state;
	pthread_mutex_unlock(&p->lock);
}

void gt_progress_done(struct gt_progress *p, size_t line, int64_t done, bool moved)
{
	struct gt_progress_line *l;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	l = &p->lines[line];
	if (moved && done > l->done)
		l->moved += done - l->done;
	l->done = done;
	pthread_mutex_unlock(&p->lock);
}

void gt_progress_each(struct gt_progress *p,
		      void (*fn)(void *arg, size_t i, const struct gt_progress_line *l), void *arg)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n; i++)
		fn(arg, i, &p->lines[i]);
	pthread_mutex_unlock(&p->lock);
}
