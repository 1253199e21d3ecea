/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "sites.h"

#include <gantry/buf.h>
#include <gantry/call.h>

#include <pthread.h>
#include <string.h>

#define SITES_MAX 256 /* the oldest is forgotten */
#define REMEMBER_NS (INT64_C(30) * 1000000000)

struct site {
	char *name;
	int64_t plain_until, down_until; /* 0: it is not */
};

struct sites {
	pthread_mutex_t lock;
	struct site *v;
	size_t n, alloc;
};

struct sites *sites_new(void)
{
	struct sites *s = gt_xcalloc(1, sizeof(*s));

	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void sites_free(struct sites *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].name);
	free(s->v);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct site *find(struct sites *s, const char *name, bool make)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!strcmp(s->v[i].name, name))
			return &s->v[i];
	}
	if (!make)
		return NULL;
	if (s->n == SITES_MAX) {
		free(s->v[0].name);
		memmove(s->v, s->v + 1, --s->n * sizeof(*s->v));
	}
	GT_GROW(s->v, s->n, s->alloc);
	s->v[s->n] = (struct site){ .name = gt_xstrdup(name) };
	return &s->v[s->n++];
}

void sites_set_plain(struct sites *s, const char *site)
{
	pthread_mutex_lock(&s->lock);
	find(s, site, true)->plain_until = gt_now() + 10 * REMEMBER_NS;
	pthread_mutex_unlock(&s->lock);
}

bool sites_is_plain(struct sites *s, const char *site)
{
	const struct site *at;
	bool is;

	pthread_mutex_lock(&s->lock);
	at = find(s, site, false);
	is = at && at->plain_until > gt_now();
	pthread_mutex_unlock(&s->lock);
	return is;
}

void sites_set_down(struct sites *s, const char *site, bool is_down)
{
	struct site *at;

	pthread_mutex_lock(&s->lock);
	at = find(s, site, is_down);
	if (at)
		at->down_until = is_down ? gt_now() + REMEMBER_NS : 0;
	pthread_mutex_unlock(&s->lock);
}

bool sites_is_down(struct sites *s, const char *site)
{
	const struct site *at;
	bool is;

	pthread_mutex_lock(&s->lock);
	at = find(s, site, false);
	is = at && at->down_until > gt_now();
	pthread_mutex_unlock(&s->lock);
	return is;
}
