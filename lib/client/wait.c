/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/wait.h>

#include <gantry/buf.h>

#include <client/task.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

struct gt_waiter {
	struct gt_call call; /* the service's until it has called back */
	struct gt_cancel *cancel;
	char *id, *exec_id;
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool pending;
	struct gt_error *e;
	struct gt_exit exit;
	int fd;
};

static void ended(void *arg, struct gt_error *e, const struct gt_exit *exit)
{
	struct gt_waiter *w = arg;

	pthread_mutex_lock(&w->lock);
	w->e = e;
	if (exit)
		w->exit = *exit;
	eventfd_write(w->fd, 1);
	w->pending = false;
	pthread_cond_signal(&w->change);
	pthread_mutex_unlock(&w->lock);
}

struct gt_error *gt_waiter_open(struct gt_services *s, const struct gt_call *call, const char *id,
				const char *exec_id, struct gt_waiter **out)
{
	gt_autoptr(gt_waiter) w = gt_xcalloc(1, sizeof(*w));
	struct gt_error *e;

	w->call = *call;
	w->cancel = gt_cancel_new();
	w->call.cancel = w->cancel;
	w->call.deadline = 0;
	w->id = gt_xstrdup(id);
	w->exec_id = gt_xstrdup(exec_id);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->change, NULL);
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make event descriptor");
	w->pending = true;
	e = gt_tasks_wait(s, &w->call, w->id, w->exec_id, ended, w);
	if (e) {
		w->pending = false;
		return e;
	}
	*out = gt_steal(&w);
	return NULL;
}

int gt_waiter_fd(const struct gt_waiter *w)
{
	return w->fd;
}

struct gt_error *gt_waiter_result(struct gt_waiter *w, struct gt_exit *out)
{
	pthread_mutex_lock(&w->lock);
	while (w->pending)
		pthread_cond_wait(&w->change, &w->lock);
	pthread_mutex_unlock(&w->lock);
	if (w->e)
		return gt_steal(&w->e);
	*out = w->exit;
	return NULL;
}

void gt_waiter_free(struct gt_waiter *w)
{
	if (!w)
		return;
	gt_cancel_set(w->cancel);
	pthread_mutex_lock(&w->lock);
	while (w->pending)
		pthread_cond_wait(&w->change, &w->lock);
	pthread_mutex_unlock(&w->lock);
	pthread_cond_destroy(&w->change);
	pthread_mutex_destroy(&w->lock);
	gt_error_free(w->e);
	gt_cancel_free(w->cancel);
	if (w->fd >= 0)
		close(w->fd);
	free(w->id);
	free(w->exec_id);
	free(w);
}

struct gt_error *gt_task_wait(struct gt_services *s, struct gt_call *call, const char *id,
			      const char *exec_id, struct gt_exit *out)
{
	gt_autoptr(gt_waiter) w = NULL;

	GT_TRY(gt_waiter_open(s, call, id, exec_id, &w));
	for (;;) {
		struct pollfd p[2] = {
			{ .fd = gt_waiter_fd(w), .events = POLLIN },
			{ .fd = call->cancel ? gt_cancel_fd(call->cancel) : -1, .events = POLLIN },
		};
		/* Not for ever at once: a deadline may be further away than poll can count. */
		int n = poll(p, 2, gt_call_left(call, 1000000));

		if (n < 0 && errno != EINTR)
			return gt_error_errno(GT_UNKNOWN, errno, "wait for task %s", id);
		if (n > 0 && p[0].revents)
			return gt_waiter_result(w, out);
		GT_TRY(gt_call_check(call));
	}
}
