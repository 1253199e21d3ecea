/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread of the store that hashes what another one writes meanwhile: a client that sends a block and waits
 * for its answer waits for the longer of the two, not for both. There is one; whoever finds it at work does
 * both by itself.
 */
#include <config.h>

#include "local.h"

#include <limits.h>
#include <signal.h>

#define STACK_SIZE (64 * 1024)

static void *hasher_run(void *arg)
{
	struct hasher *h = arg;

	pthread_mutex_lock(&h->lock);
	for (;;) {
		while (!h->len && !h->end)
			pthread_cond_wait(&h->given, &h->lock);
		if (h->end)
			break;
		pthread_mutex_unlock(&h->lock);
		gt_hash_add(h->hash, h->data, h->len);
		pthread_mutex_lock(&h->lock);
		h->len = 0;
		pthread_cond_signal(&h->done);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* With the lock held. Where no thread is to be had, there is none. */
static bool hasher_start(struct hasher *h)
{
	sigset_t all, old;
	pthread_attr_t a;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, STACK_SIZE > PTHREAD_STACK_MIN ? STACK_SIZE : PTHREAD_STACK_MIN);
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	h->is_running = pthread_create(&h->thread, &a, hasher_run, h) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&a);
	return h->is_running;
}

void hasher_init(struct hasher *h)
{
	*h = (struct hasher){ 0 };
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->given, NULL);
	pthread_cond_init(&h->done, NULL);
}

bool hasher_give(struct hasher *h, struct gt_hash *hash, const void *data, size_t len)
{
	bool taken;

	pthread_mutex_lock(&h->lock);
	taken = !h->is_taken && (h->is_running || hasher_start(h));
	if (taken) {
		h->is_taken = true;
		h->hash = hash;
		h->data = data;
		h->len = len;
		pthread_cond_signal(&h->given);
	}
	pthread_mutex_unlock(&h->lock);
	return taken;
}

void hasher_wait(struct hasher *h)
{
	pthread_mutex_lock(&h->lock);
	while (h->len)
		pthread_cond_wait(&h->done, &h->lock);
	h->is_taken = false;
	pthread_mutex_unlock(&h->lock);
}

void hasher_end(struct hasher *h)
{
	pthread_mutex_lock(&h->lock);
	h->end = true;
	pthread_cond_signal(&h->given);
	pthread_mutex_unlock(&h->lock);
	if (h->is_running)
		pthread_join(h->thread, NULL);
	pthread_cond_destroy(&h->done);
	pthread_cond_destroy(&h->given);
	pthread_mutex_destroy(&h->lock);
}
