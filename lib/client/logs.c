/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/logs.h>

#include <gantry/buf.h>

#include <client/wait.h>

#include <errno.h>
#include <poll.h>

/* Whoever ended may have left children that still print: they get that much silence. */
#define SILENCE_MS 300

struct reading {
	struct gt_services *s;
	struct gt_call *call;
	const struct gt_logs_options *o;
	struct gt_outlog_reader *reader;
	struct gt_waiter *waiter; /* NULL: nothing runs */
	int fd; /* readable when there is more */
	uint64_t skip; /* lines before those that are wanted */
};

static bool is_wanted(const struct gt_logs_options *o, const struct gt_outlog_entry *e)
{
	return e->at.tv_sec > o->since.tv_sec ||
	       (e->at.tv_sec == o->since.tv_sec && e->at.tv_nsec >= o->since.tv_nsec);
}

/* Where the output of a process goes that runs now; an empty string where nothing is known. */
static char *place_now(struct gt_services *s, struct gt_call *call, const struct gt_logs_options *o)
{
	gt_auto(gt_task_state) t = { 0 };
	gt_autoptr(gt_error) none = gt_tasks_get(s, call, o->id, o->exec_id, &t);

	return none || !t.out ? gt_xstrdup("") : gt_steal(&t.out);
}

static struct gt_error *path_find(struct gt_services *s, struct gt_call *call,
				  const struct gt_logs_options *o, char **path)
{
	gt_autofree char *now = place_now(s, call, o);
	gt_autofree char *uri = NULL;
	gt_auto(gt_outlog_place) p = { 0 };

	if (gt_outlog_is_uri(now))
		uri = gt_steal(&now);
	else
		GT_TRY(gt_tasks_log_uri(s, call, o->id, o->exec_id, &uri));
	GT_TRY(gt_outlog_uri_parse(uri, &p));
	if (now && *now && access(p.path, F_OK) < 0)
		return gt_error_new(GT_FAILED_PRECONDITION, "the output of %s goes to %s", o->id, now);
	*path = gt_steal(&p.path);
	return NULL;
}

/* How many lines stand before the last 'tail'. */
static struct gt_error *count(const char *path, const struct gt_logs_options *o, uint64_t *skip)
{
	gt_autoptr(gt_outlog_reader) r = NULL;
	struct gt_outlog_entry e;
	bool open = false; /* what came last ends in no newline */
	uint64_t n = 0;

	*skip = 0;
	if (o->tail < 0)
		return NULL;
	GT_TRY(gt_outlog_reader_new(path, &r));
	while (gt_outlog_next(r, &e)) {
		if (!is_wanted(o, &e))
			continue;
		n += e.ends_line;
		open = !e.ends_line;
	}
	n += open;
	*skip = n > (uint64_t)o->tail ? n - (uint64_t)o->tail : 0;
	return NULL;
}

/* All that there is now. */
static struct gt_error *read_on(struct reading *r)
{
	struct gt_outlog_entry e;

	while (gt_outlog_next(r->reader, &e)) {
		GT_TRY(gt_call_check(r->call));
		if (!is_wanted(r->o, &e))
			continue;
		if (r->skip)
			r->skip -= e.ends_line;
		else
			r->o->fn(r->o->arg, &e);
	}
	return NULL;
}

static struct gt_error *follow(struct reading *r)
{
	bool ended = !r->waiter;

	for (;;) {
		struct pollfd p[3] = {
			{ .fd = r->fd, .events = POLLIN },
			{ .fd = ended ? -1 : gt_waiter_fd(r->waiter), .events = POLLIN },
			{ .fd = r->call->cancel ? gt_cancel_fd(r->call->cancel) : -1,
			  .events = POLLIN },
		};
		int n;

		GT_TRY(read_on(r));
		n = poll(p, 3, gt_call_left(r->call, ended ? SILENCE_MS : 1000000));
		if (n < 0 && errno != EINTR)
			return gt_error_errno(GT_UNKNOWN, errno, "wait for output of %s", r->o->id);
		GT_TRY(gt_call_check(r->call));
		if (n == 0 && ended)
			return NULL;
		ended = ended || p[1].revents;
	}
}

static struct gt_error *read_and_follow(struct reading *r)
{
	struct gt_error *e;

	if (!r->o->follow)
		return read_on(r);
	GT_TRY(gt_outlog_watch(r->reader, &r->fd));
	e = gt_waiter_open(r->s, r->call, r->o->id, r->o->exec_id, &r->waiter);
	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		return read_on(r);
	}
	return e ? e : follow(r);
}

struct gt_error *gt_logs_read(struct gt_services *s, struct gt_call *call,
			      const struct gt_logs_options *o)
{
	struct reading r = { .s = s, .call = call, .o = o };
	gt_autofree char *path = NULL;
	struct gt_error *e;

	GT_TRY(path_find(s, call, o, &path));
	GT_TRY(count(path, o, &r.skip));
	GT_TRY(gt_outlog_reader_new(path, &r.reader));
	e = read_and_follow(&r);
	gt_waiter_free(r.waiter);
	gt_outlog_reader_free(r.reader);
	return e;
}
