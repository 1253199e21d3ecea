/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/blob.h>

#include <gantry/buf.h>

#include <errno.h>
#include <sys/socket.h>

#define FEED_SIZE (64 * 1024)
#define MAX_SIZE (INT64_C(1) << 40)
#define MAX_RATIO 1100 /* deflate cannot do more than 1032 */

/* Gives the worker more of a blob that has no descriptor, as far as its socket takes it. */
static struct gt_error *feed(void *arg, int fd, bool *end)
{
	struct gt_layer_blob *b = arg;
	gt_autofree char *buf = gt_xmalloc(FEED_SIZE);
	size_t len;
	ssize_t n;

	GT_TRY(gt_reader_pread(b->reader, buf, FEED_SIZE, b->fed, &len));
	*end = len == 0;
	if (*end)
		return NULL;
	n = send(fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		b->fed += n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EPIPE)
		return gt_error_errno(GT_UNKNOWN, errno, "feed the layer worker");
	return NULL;
}

struct gt_error *gt_layer_job_start_blob(struct gt_layer_job *j, const char *worker,
					 const struct gt_strv *args, struct gt_layer_blob *blob,
					 int *fds, size_t n_fds)
{
	gt_autofd int near = -1, far = -1;
	int ends[2];

	fds[0] = gt_reader_fd(blob->reader);
	if (fds[0] >= 0)
		return gt_layer_job_start(j, worker, args, fds, n_fds);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make a socket");
	near = ends[0];
	far = ends[1];
	fds[0] = far;
	GT_TRY(gt_layer_job_start(j, worker, args, fds, n_fds));
	j->feed_fd = gt_steal_fd(&near);
	j->feed = feed;
	j->feed_arg = blob;
	return NULL;
}

static struct gt_error *receive(struct gt_layer_job *j, const struct gt_call *call,
				struct gt_writer *w, struct gt_layer_result *out)
{
	struct gt_layer_frame f;

	for (;;) {
		GT_TRY(gt_layer_job_next(j, call, &f));
		if (f.type == GT_FRAME_DATA)
			GT_TRY(gt_writer_write(w, f.body.p, f.body.left));
		else if (f.type != GT_FRAME_WARNING)
			return gt_layer_job_result(&f, out);
	}
}

struct gt_error *gt_layer_recode(const char *worker, const struct gt_call *call,
				 struct gt_reader *reader, enum gt_layer_compression compression,
				 int64_t max_size, struct gt_writer *w, struct gt_layer_result *out)
{
	struct gt_layer_blob blob = { .reader = reader };
	struct gt_strv args = { 0 };
	struct gt_layer_job j;
	struct gt_error *e;
	int fd = -1;

	gt_strv_add(&args, "recode");
	gt_strv_addf(&args, "compression=%d", compression);
	gt_strv_addf(&args, "max-size=%lld", (long long)(max_size ? max_size : MAX_SIZE));
	gt_strv_addf(&args, "max-ratio=%d", MAX_RATIO);
	e = gt_layer_job_start_blob(&j, worker, &args, &blob, &fd, 1);
	gt_strv_done(&args);
	if (!e)
		e = receive(&j, call, w, out);
	gt_layer_job_done(&j);
	return e;
}
