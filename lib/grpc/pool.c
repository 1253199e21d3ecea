/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <grpc/pool.h>

#include <gantry/buf.h>

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#define IDLE_SECONDS 5
#define STACK_SIZE (1024 * 1024)

struct gt_pool {
	pthread_mutex_t lock;
	pthread_cond_t work; /* something to do, or the end */
	pthread_cond_t gone; /* a thread has ended */
	struct gt_job *first;
	struct gt_job **last;
	size_t queued;
	size_t threads, idle, max;
	bool is_used; /* since the heap was given back */
	bool end;
};

void gt_pool_free(struct gt_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->end = true;
	pthread_cond_broadcast(&p->work);
	while (p->threads)
		pthread_cond_wait(&p->gone, &p->lock);
	pthread_mutex_unlock(&p->lock);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->gone);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* The next job, waited for; NULL: the thread is to end. */
static struct gt_job *job_take(struct gt_pool *p)
{
	struct gt_job *j;

	while (!p->first && !p->end) {
		struct timespec until;
		int err;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += IDLE_SECONDS;
		p->idle++;
		err = p->threads > 1 || p->is_used ? pthread_cond_timedwait(&p->work, &p->lock, &until)
						   : pthread_cond_wait(&p->work, &p->lock);
		p->idle--;
		if (!err || p->first)
			continue;
		if (p->threads > 1)
			return NULL;
		p->is_used = false;
		pthread_mutex_unlock(&p->lock);
		malloc_trim(0);
		pthread_mutex_lock(&p->lock);
	}
	j = p->first;
	if (!j)
		return NULL;
	p->first = j->next;
	if (!p->first)
		p->last = &p->first;
	p->queued--;
	p->is_used = true;
	return j;
}

static void *pool_thread(void *arg)
{
	struct gt_pool *p = arg;
	struct gt_job *j;

	pthread_mutex_lock(&p->lock);
	while ((j = job_take(p))) {
		pthread_mutex_unlock(&p->lock);
		j->run(j);
		pthread_mutex_lock(&p->lock);
	}
	p->threads--;
	pthread_cond_broadcast(&p->gone);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* With the lock held. */
static int thread_start(struct gt_pool *p)
{
	pthread_attr_t a;
	sigset_t all, old;
	pthread_t t;
	int err;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, STACK_SIZE);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&t, &a, pool_thread, p);
	if (!err)
		p->threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&a);
	return err;
}

struct gt_error *gt_pool_new(size_t max, struct gt_pool **out)
{
	struct gt_pool *p = gt_xcalloc(1, sizeof(*p));
	pthread_condattr_t a;
	int err;

	p->last = &p->first;
	p->max = max;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&p->work, &a);
	pthread_condattr_destroy(&a);
	pthread_cond_init(&p->gone, NULL);
	pthread_mutex_lock(&p->lock);
	err = thread_start(p);
	pthread_mutex_unlock(&p->lock);
	if (err) {
		gt_pool_free(p);
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start a thread");
	}
	*out = p;
	return NULL;
}

void gt_pool_submit(struct gt_pool *p, struct gt_job *j)
{
	j->next = NULL;
	pthread_mutex_lock(&p->lock);
	*p->last = j;
	p->last = &j->next;
	p->queued++;
	/* Where no more threads are to be had, those that there are do it. */
	if (p->queued > p->idle && p->threads < p->max)
		thread_start(p);
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}
