/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/parallel.h>

#include <gantry/buf.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#define JOBS_MAX 64
#define LOOK_NS 50000000 /* how often the caller's call is looked at */

struct gt_parallel {
	struct gt_parallel_options o;
	const struct gt_call *outer;
	struct gt_call call; /* the outer one with a cancel of our own */
	pthread_mutex_t lock;
	pthread_cond_t change;
	pthread_t threads[JOBS_MAX];
	unsigned n_threads;
	size_t next; /* to begin */
	bool *done, *told;
	size_t n_told;
	bool stop;
	struct gt_error *e; /* the first */
};

unsigned gt_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return CPU_COUNT(&set);
}

/* What the others say once they are cancelled is not why. */
static void fail_take(struct gt_parallel *p, struct gt_error *e)
{
	p->stop = true;
	gt_cancel_set(p->call.cancel);
	p->e = gt_error_first(p->e, e);
}

static void *work(void *arg)
{
	struct gt_parallel *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && p->next < p->o.n) {
		size_t i = p->next++;
		struct gt_call call = p->call;
		struct gt_error *e;

		pthread_mutex_unlock(&p->lock);
		e = p->o.each(p->o.arg, &call, i);
		pthread_mutex_lock(&p->lock);
		if (e)
			fail_take(p, e);
		else
			p->done[i] = true;
		pthread_cond_broadcast(&p->change);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Signals are for the threads that the program made for them. */
static struct gt_error *thread_start(struct gt_parallel *p)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&p->threads[p->n_threads], NULL, work, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start thread");
	p->n_threads++;
	return NULL;
}

struct gt_error *gt_parallel_begin(const struct gt_call *call, const struct gt_parallel_options *o,
				   struct gt_parallel **out)
{
	struct gt_parallel *p = gt_xcalloc(1, sizeof(*p));
	size_t jobs = o->jobs ? o->jobs : 1;

	p->o = *o;
	p->outer = call;
	p->call = *call;
	p->call.cancel = gt_cancel_new();
	p->done = gt_xcalloc(o->n + 1, sizeof(*p->done));
	p->told = gt_xcalloc(o->n + 1, sizeof(*p->told));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->change, NULL);
	if (jobs > o->n)
		jobs = o->n;
	if (jobs > JOBS_MAX)
		jobs = JOBS_MAX;
	while (p->n_threads < jobs) {
		struct gt_error *e = thread_start(p);

		if (e && !p->n_threads) {
			gt_parallel_free(p);
			return e;
		}
		if (e) { /* fewer will do */
			gt_error_free(e);
			break;
		}
	}
	*out = p;
	return NULL;
}

/* Waits for a change a little, and hands on the end of the caller's call. With the lock held. */
static void look(struct gt_parallel *p)
{
	struct gt_error *e = gt_call_check(p->outer);
	struct timespec until;

	if (e) {
		fail_take(p, e);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&p->change, &p->lock, &until);
}

static void join(struct gt_parallel *p)
{
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	p->n_threads = 0;
}

/* The error that stopped it, once all threads have ended. Takes the lock's place. */
static struct gt_error *stopped(struct gt_parallel *p)
{
	pthread_mutex_unlock(&p->lock);
	join(p);
	return p->e ? gt_steal(&p->e) : gt_error_new(GT_CANCELED, "stopped");
}

struct gt_error *gt_parallel_wait(struct gt_parallel *p, size_t i)
{
	pthread_mutex_lock(&p->lock);
	while (!p->stop && !p->done[i])
		look(p);
	if (p->stop)
		return stopped(p);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct gt_error *gt_parallel_next(struct gt_parallel *p, size_t *out)
{
	size_t i = p->o.n;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && p->n_told < p->o.n) {
		for (i = 0; i < p->o.n && (!p->done[i] || p->told[i]); i++)
			;
		if (i < p->o.n)
			break;
		look(p);
	}
	if (p->stop)
		return stopped(p);
	if (i < p->o.n) {
		p->told[i] = true;
		p->n_told++;
	}
	pthread_mutex_unlock(&p->lock);
	*out = i;
	return NULL;
}

bool gt_parallel_is_done(struct gt_parallel *p)
{
	size_t i = 0;

	pthread_mutex_lock(&p->lock);
	while (i < p->o.n && p->done[i])
		i++;
	pthread_mutex_unlock(&p->lock);
	return i == p->o.n;
}

struct gt_error *gt_parallel_finish(struct gt_parallel *p)
{
	for (size_t i = 0; i < p->o.n; i++)
		GT_TRY(gt_parallel_wait(p, i));
	return NULL;
}

void gt_parallel_free(struct gt_parallel *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	gt_cancel_set(p->call.cancel);
	pthread_mutex_unlock(&p->lock);
	join(p);
	gt_error_free(p->e);
	gt_cancel_free(p->call.cancel);
	pthread_cond_destroy(&p->change);
	pthread_mutex_destroy(&p->lock);
	free(p->done);
	free(p->told);
	free(p);
}

struct gt_error *gt_parallel(const struct gt_call *call, const struct gt_parallel_options *o)
{
	gt_autoptr(gt_parallel) p = NULL;

	GT_TRY(gt_parallel_begin(call, o, &p));
	return gt_parallel_finish(p);
}
