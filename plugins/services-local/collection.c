/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "collection.h"

#include "activations.h"
#include "records.h"

#include <gantry/log.h>

#include <string.h>

#define LOCK "collection"
#define HOUR 3600
#define SHORT_NS 100000000 /* one that takes less is not worth to be saved */

static struct gt_error *mark(struct gt_txn *t, void *arg)
{
	struct collection *c = arg;

	GT_TRY(scan_all(t, &c->scan, NULL));
	graph_mark(&c->scan.graph);
	return NULL;
}

static struct gt_error *end_notes(struct collection *c)
{
	struct gt_call call = GT_CALL_INIT; /* also when the collection's has ended */
	struct journal_end end;

	do
		GT_TRY(local_update(c->l, &call, journal_end, &end));
	while (end.more);
	return NULL;
}

static struct gt_error *remember(struct gt_txn *t, void *arg)
{
	const struct collection *c = arg;
	struct collected last;

	GT_TRY(collected_get(t, &last));
	last.at = c->scan.now;
	last.took = c->out->took;
	last.expires = c->scan.expires;
	if (c->search)
		last.searched_at = c->scan.now;
	GT_TRY(collected_put(t, &last));
	return c->missed ? journal_dirty(t, true) : NULL;
}

static struct gt_error *not_done(struct gt_txn *t, void *arg)
{
	const struct collection *c = arg;

	return journal_dirty(t, c->search);
}

static struct gt_error *run(struct collection *c)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_error *e = local_view(c->l, c->call, mark, c);

	if (!e)
		e = sweep(c);
	if (!e)
		e = activations_collect(c->l, c->call);
	if (!e && c->search)
		e = search_drivers(c);
	if (e)
		gt_log_warn_take(local_update(c->l, &call, not_done, c), "collection");
	e = gt_error_first(e, end_notes(c));
	return e;
}

struct due {
	struct timespec now;
	bool due, search;
};

static struct gt_error *due_look(struct gt_txn *t, void *arg)
{
	struct due *d = arg;
	struct collected last;
	int64_t age, rest;
	bool dirty;

	GT_TRY(journal_is_dirty(t, &dirty));
	GT_TRY(collected_get(t, &last));
	age = d->now.tv_sec - last.at.tv_sec;
	if (last.expires.tv_sec && last.expires.tv_sec <= d->now.tv_sec)
		dirty = true;
	d->search = d->now.tv_sec - last.searched_at.tv_sec >= HOUR;
	if (last.at.tv_sec && age >= HOUR)
		dirty = true;
	/* As containerd's scheduler: the store is left alone for 98 % of the time. */
	rest = last.took > SHORT_NS ? last.took * 49 / 1000000000 : 0;
	d->due = dirty && (age < 0 || age >= rest);
	return NULL;
}

/* Whether there is something to do now; '*fd' is the lock then. */
static struct gt_error *begin_if_due(struct collection *c, int *fd)
{
	struct due d = { .now = c->scan.now };

	GT_TRY(local_view(c->l, c->call, due_look, &d));
	c->search = d.search;
	return d.due ? local_lock_try(c->l, LOCK, fd) : NULL;
}

static struct gt_error *begin(struct collection *c, int *fd)
{
	if (c->bits & GT_COLLECT_IF_DUE)
		GT_TRY(begin_if_due(c, fd));
	else
		GT_TRY(local_lock_alone(c->l, c->call, LOCK, fd));
	if (*fd < 0)
		return NULL;
	GT_TRY(local_update(c->l, c->call, journal_begin, &c->journal));
	c->search |= (c->bits & GT_COLLECT_SEARCH) || c->journal.left_over || c->journal.search;
	return NULL;
}

static void collection_done(struct collection *c)
{
	scan_done(&c->scan);
	free(c->victims);
}

struct gt_error *collect(struct local *l, struct gt_call *call, unsigned bits,
			 struct gt_collected *out)
{
	gt_auto(collection) c = {
		.l = l,
		.call = call,
		.bits = bits,
		.scan = SCAN_INIT,
		.out = out,
	};
	struct gt_call last = GT_CALL_INIT;
	int64_t start = gt_now();
	gt_autofd int lock = -1;
	struct gt_error *e;

	*out = (struct gt_collected){ 0 };
	c.scan.now = local_time();
	c.scan.hurry = bits & GT_COLLECT_HURRY;
	GT_TRY(begin(&c, &lock));
	if (lock < 0)
		return NULL;
	out->ran = true;
	e = run(&c);
	out->took = gt_now() - start;
	/* Who asked for it in passing does not hear that there was no time for all of it. */
	if ((bits & GT_COLLECT_IF_DUE) && (gt_error_class(e) == GT_DEADLINE_EXCEEDED ||
					   gt_error_class(e) == GT_ABORTED)) {
		gt_error_free(e);
		return NULL;
	}
	GT_TRY(gt_error_wrap(e, "garbage collection"));
	return local_update(l, &last, remember, &c);
}

static struct gt_error *system_collect(struct gt_services *s, struct gt_call *call, unsigned bits,
				       struct gt_collected *out)
{
	return collect(local_of(s), call, bits, out);
}

size_t key_split(struct gt_slice key, char **copy, const char *parts[KEY_PARTS])
{
	size_t n = 0;

	*copy = gt_xmalloc(key.len + 1);
	memcpy(*copy, key.data, key.len);
	(*copy)[key.len] = '\0';
	for (size_t at = 0; at <= key.len && n < KEY_PARTS; at += strlen(*copy + at) + 1)
		parts[n++] = *copy + at;
	return n;
}

const struct gt_system_ops local_system = {
	.size = sizeof(local_system),
	.collect = system_collect,
	.usage = space_usage,
	.explain = kept_explain,
	.schedule = schedule_begin,
};
