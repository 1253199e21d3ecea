/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/job.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>

#define READ_SIZE (256 * 1024)
#define WORKER GT_LIBEXECDIR "/gantry-layer"

void gt_layer_result_done(struct gt_layer_result *r)
{
	free(r->digest);
	r->digest = NULL;
}

struct gt_error *gt_layer_job_start(struct gt_layer_job *j, const char *worker,
				    const struct gt_strv *args, const int *fds, size_t n_fds)
{
	gt_autofree struct gt_proc_fd *map = gt_xcalloc(n_fds + 1, sizeof(*map));
	static const char *const no_env[] = { NULL };
	struct gt_proc_spec spec = { .env = no_env, .fds = map, .die_with_parent = true };
	gt_autofd int near = -1, far = -1;
	struct gt_strv argv = { 0 };
	struct gt_error *e;
	int ends[2];

	*j = (struct gt_layer_job){ .proc = { .pidfd = -1 }, .result = -1, .in = GT_BUF_INIT,
				    .feed_fd = -1 };
	if (pipe2(ends, O_CLOEXEC) < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make a pipe");
	near = ends[0];
	far = ends[1];
	if (fcntl(near, F_SETFL, O_NONBLOCK) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "set up a pipe");
	fcntl(far, F_SETPIPE_SZ, 1 << 20); /* fewer turns; without it, it is as it was */
	map[spec.n_fds++] = (struct gt_proc_fd){ far, GT_LAYER_RESULT };
	for (size_t i = 0; i < n_fds; i++)
		if (fds[i] >= 0)
			map[spec.n_fds++] = (struct gt_proc_fd){ fds[i], GT_LAYER_BLOB + i };
	gt_strv_add(&argv, worker && *worker ? worker : WORKER);
	gt_strv_addv(&argv, args);
	spec.argv = (const char *const *)argv.v;
	e = gt_proc_spawn(&spec, &j->proc);
	gt_strv_done(&argv);
	GT_TRY(gt_error_wrap(e, "start the layer worker"));
	j->result = gt_steal_fd(&near);
	return NULL;
}

static void stop_feeding(struct gt_layer_job *j)
{
	close(j->feed_fd);
	j->feed_fd = -1;
}

static struct gt_error *wait_for_input(struct gt_layer_job *j, const struct gt_call *call)
{
	struct pollfd fds[3] = {
		{ .fd = j->result, .events = POLLIN },
		{ .fd = j->feed_fd, .events = POLLOUT },
		{ .fd = call->cancel ? gt_cancel_fd(call->cancel) : -1, .events = POLLIN },
	};
	bool end = false;

	GT_TRY(gt_call_check(call));
	if (poll(fds, 3, gt_call_left(call, 1000)) < 0 && errno != EINTR)
		return gt_error_errno(GT_UNKNOWN, errno, "wait for the layer worker");
	if (fds[1].revents & (POLLERR | POLLHUP)) { /* it has read enough, and says why */
		stop_feeding(j);
	} else if (fds[1].revents) {
		GT_TRY(j->feed(j->feed_arg, j->feed_fd, &end));
		if (end)
			stop_feeding(j);
	}
	return gt_call_check(call);
}

/* It went without a last word. */
static struct gt_error *death(struct gt_layer_job *j, const struct gt_call *call)
{
	int status;

	GT_TRY(gt_proc_wait(&j->proc, call, &status));
	if (WIFSIGNALED(status))
		return gt_error_new(GT_INTERNAL, "layer worker was killed by signal %d (%s)",
				    WTERMSIG(status), strsignal(WTERMSIG(status)));
	return gt_error_new(GT_INTERNAL, "layer worker ended with status %d and no result",
			    WEXITSTATUS(status));
}

/* Makes 'n' bytes from 'used' on be there. */
static struct gt_error *need(struct gt_layer_job *j, const struct gt_call *call, size_t n)
{
	while (j->in.len - j->used < n) {
		ssize_t r;

		if (j->used) {
			memmove(j->in.s, j->in.s + j->used, j->in.len - j->used);
			gt_buf_setlen(&j->in, j->in.len - j->used);
			j->used = 0;
		}
		r = read(j->result, gt_buf_reserve(&j->in, READ_SIZE), READ_SIZE);
		if (r > 0)
			gt_buf_setlen(&j->in, j->in.len + r);
		else if (r == 0)
			return death(j, call);
		else if (errno == EAGAIN)
			GT_TRY(wait_for_input(j, call));
		else if (errno != EINTR)
			return gt_error_errno(GT_UNKNOWN, errno, "read from the layer worker");
	}
	return NULL;
}

static struct gt_error *broken(void)
{
	return gt_error_new(GT_INTERNAL, "layer worker sent a broken answer");
}

static struct gt_error *worker_error(struct gt_frame_body *b)
{
	int64_t cls = gt_frame_get_number(b);
	gt_autofree char *text = gt_frame_get_string(b);

	if (b->broken || cls <= GT_OK || cls > GT_UNAUTHENTICATED)
		return broken();
	return gt_error_new(cls, "%s", text);
}

struct gt_error *gt_layer_job_next(struct gt_layer_job *j, const struct gt_call *call,
				   struct gt_layer_frame *out)
{
	uint32_t len;

	if (j->ended)
		return gt_error_new(GT_INTERNAL, "layer worker has ended");
	GT_TRY(need(j, call, GT_FRAME_HEAD));
	len = gt_frame_length((const unsigned char *)j->in.s + j->used);
	if (len > GT_FRAME_MAX)
		return broken();
	GT_TRY(need(j, call, GT_FRAME_HEAD + len));
	out->type = (unsigned char)j->in.s[j->used];
	out->body = (struct gt_frame_body){ j->in.s + j->used + GT_FRAME_HEAD, len, false };
	j->used += GT_FRAME_HEAD + len;
	j->ended = out->type == GT_FRAME_DONE || out->type == GT_FRAME_ERROR;
	return out->type == GT_FRAME_ERROR ? worker_error(&out->body) : NULL;
}

struct gt_error *gt_layer_job_result(struct gt_layer_frame *f, struct gt_layer_result *out)
{
	struct gt_layer_result r = { 0 };

	r.size = gt_frame_get_number(&f->body);
	r.consumed = gt_frame_get_number(&f->body);
	r.entries = gt_frame_get_number(&f->body);
	r.digest = gt_frame_get_string(&f->body);
	if (f->type != GT_FRAME_DONE || f->body.broken || r.size < 0) {
		gt_layer_result_done(&r);
		return broken();
	}
	*out = r;
	return NULL;
}

void gt_layer_job_done(struct gt_layer_job *j)
{
	if (j->feed_fd >= 0)
		stop_feeding(j);
	if (j->result >= 0)
		close(j->result);
	j->result = -1;
	gt_proc_kill(&j->proc);
	gt_buf_done(&j->in);
}
