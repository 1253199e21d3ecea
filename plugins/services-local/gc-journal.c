/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "gc-journal.h"

#include <wire/values.h>

#include "records.pb-c.h"

/* Notes that nobody has read: a collection that died must not fill the disk with them. */
#define JOURNAL_MAX 262144
/* Notes deleted in one transaction. */
#define END_BATCH 1024

static void key_of(struct gt_buf *k, const char *what)
{
	key_set_prefix(k, KEY_COLLECTION, NULL);
	gt_buf_adds(k, what);
}

static void entry_key(struct gt_buf *k, uint64_t n)
{
	key_set_prefix(k, KEY_COLLECTION, "j", NULL);
	key_add_number(k, n);
}

static struct gt_error *message_put(struct gt_txn *t, const struct gt_buf *key,
				    const ProtobufCMessage *m)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	gt_wire_pack(m, &b);
	return gt_txn_put(t, key_slice(key), key_slice(&b));
}

/* '*out' is NULL where there is none; the caller gt_wire_free()s it. */
static struct gt_error *message_get(struct gt_txn *t, const char *what,
				    const ProtobufCMessageDescriptor *type, ProtobufCMessage **out)
{
	gt_auto(gt_buf) key = GT_BUF_INIT;
	struct gt_slice value;
	struct gt_error *e;

	*out = NULL;
	key_of(&key, what);
	e = gt_txn_get(t, key_slice(&key), &value);
	if (e)
		return gt_error_unless(e, GT_NOT_FOUND);
	return gt_error_reclass(gt_wire_unpack(type, value.data, value.len, out), GT_DATA_LOSS);
}

static struct gt_error *collecting_get(struct gt_txn *t, Gantry__Records__Collecting *out,
				       bool *found)
{
	gt_autowire ProtobufCMessage *m = NULL;

	GT_TRY(message_get(t, "r", &gantry__records__collecting__descriptor, &m));
	*found = m != NULL;
	gantry__records__collecting__init(out);
	if (m) {
		out->next = ((Gantry__Records__Collecting *)m)->next;
		out->first = ((Gantry__Records__Collecting *)m)->first;
	}
	return NULL;
}

static struct gt_error *collecting_put(struct gt_txn *t, const Gantry__Records__Collecting *c)
{
	gt_auto(gt_buf) key = GT_BUF_INIT;

	key_of(&key, "r");
	return message_put(t, &key, &c->base);
}

struct gt_error *journal_note(struct gt_txn *t, struct gt_slice noted)
{
	Gantry__Records__Noted entry = GANTRY__RECORDS__NOTED__INIT;
	Gantry__Records__Collecting c;
	gt_auto(gt_buf) key = GT_BUF_INIT;
	bool found;

	GT_TRY(collecting_get(t, &c, &found));
	if (!found || c.next - c.first >= JOURNAL_MAX)
		return NULL;
	entry_key(&key, c.next);
	entry.key.data = (uint8_t *)noted.data;
	entry.key.len = noted.len;
	GT_TRY(message_put(t, &key, &entry.base));
	c.next++;
	return collecting_put(t, &c);
}

struct gt_error *journal_dirty(struct gt_txn *t, bool search)
{
	Gantry__Records__Dirty d = GANTRY__RECORDS__DIRTY__INIT;
	gt_auto(gt_buf) key = GT_BUF_INIT;
	struct gt_slice value;
	struct gt_error *e;

	key_of(&key, "d");
	e = search ? NULL : gt_txn_get(t, key_slice(&key), &value);
	if (!search && !e)
		return NULL;
	GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
	d.search = search;
	return message_put(t, &key, &d.base);
}

struct gt_error *journal_is_dirty(struct gt_txn *t, bool *out)
{
	gt_autowire ProtobufCMessage *m = NULL;

	GT_TRY(message_get(t, "d", &gantry__records__dirty__descriptor, &m));
	*out = m != NULL;
	return NULL;
}

struct gt_error *journal_begin(struct gt_txn *t, void *arg)
{
	struct journal *j = arg;
	gt_autowire ProtobufCMessage *dirty = NULL;
	gt_auto(gt_buf) key = GT_BUF_INIT;
	Gantry__Records__Collecting c;

	GT_TRY(collecting_get(t, &c, &j->left_over));
	GT_TRY(message_get(t, "d", &gantry__records__dirty__descriptor, &dirty));
	j->search = dirty && ((Gantry__Records__Dirty *)dirty)->search;
	c.next++; /* changes something in any case */
	c.first = j->next = c.next;
	if (dirty) {
		key_of(&key, "d");
		GT_TRY(gt_txn_remove(t, key_slice(&key)));
	}
	return collecting_put(t, &c);
}

static struct gt_error *entry_get(struct gt_txn *t, uint64_t n, ProtobufCMessage **out)
{
	gt_auto(gt_buf) key = GT_BUF_INIT;
	struct gt_slice value;

	entry_key(&key, n);
	GT_TRY(gt_error_reclass(gt_txn_get(t, key_slice(&key), &value), GT_DATA_LOSS));
	return gt_error_reclass(gt_wire_unpack(&gantry__records__noted__descriptor, value.data,
					       value.len, out),
				GT_DATA_LOSS);
}

struct gt_error *journal_read(struct gt_txn *t, uint64_t *next, size_t most,
			      struct gt_error *(*fn)(void *arg, struct gt_txn *t,
						     struct gt_slice key),
			      void *arg, bool *behind)
{
	Gantry__Records__Collecting c;
	bool found;

	GT_TRY(collecting_get(t, &c, &found));
	if (!found || c.first > *next)
		return gt_error_new(GT_ABORTED, "another collection has begun");
	if (c.next - c.first >= JOURNAL_MAX)
		return gt_error_new(GT_ABORTED, "too much is written while it is under way");
	for (; *next < c.next && most; most--, ++*next) {
		gt_autowire ProtobufCMessage *m = NULL;
		const Gantry__Records__Noted *entry;

		GT_TRY(entry_get(t, *next, &m));
		entry = (const Gantry__Records__Noted *)m;
		GT_TRY(fn(arg, t,
			  (struct gt_slice){ .data = entry->key.data, .len = entry->key.len }));
	}
	*behind = *next < c.next;
	return NULL;
}

struct gt_error *journal_forget(struct gt_txn *t, uint64_t next, size_t most)
{
	Gantry__Records__Collecting c;
	bool found;

	GT_TRY(collecting_get(t, &c, &found));
	if (!found || c.first >= next || !most)
		return NULL;
	for (; c.first < next && most; most--, c.first++) {
		gt_auto(gt_buf) key = GT_BUF_INIT;

		entry_key(&key, c.first);
		GT_TRY(gt_error_unless(gt_txn_remove(t, key_slice(&key)), GT_NOT_FOUND));
	}
	return collecting_put(t, &c);
}

struct gt_error *journal_end(struct gt_txn *t, void *arg)
{
	struct journal_end *end = arg;
	gt_auto(gt_buf) prefix = GT_BUF_INIT;
	gt_auto(gt_buf) running = GT_BUF_INIT;

	key_set_prefix(&prefix, KEY_COLLECTION, "j", NULL);
	end->more = false;
	for (int i = 0; i < END_BATCH; i++) {
		gt_auto(gt_buf) copy = GT_BUF_INIT;
		struct gt_slice key, value;
		struct gt_error *e =
			gt_txn_seek(t, key_slice(&prefix), key_slice(&prefix), &key, &value);

		if (gt_error_class(e) == GT_NOT_FOUND) {
			gt_error_free(e);
			key_of(&running, "r");
			return gt_error_unless(gt_txn_remove(t, key_slice(&running)), GT_NOT_FOUND);
		}
		GT_TRY(e);
		gt_buf_add(&copy, key.data, key.len);
		GT_TRY(gt_txn_remove(t, key_slice(&copy)));
	}
	end->more = true;
	return NULL;
}

struct gt_error *collected_get(struct gt_txn *t, struct collected *out)
{
	gt_autowire ProtobufCMessage *m = NULL;
	const Gantry__Records__Collected *c;

	*out = (struct collected){ 0 };
	GT_TRY(message_get(t, "s", &gantry__records__collected__descriptor, &m));
	if (!m)
		return NULL;
	c = (const Gantry__Records__Collected *)m;
	out->at = gt_wire_time_get(c->at);
	out->took = c->took;
	out->expires = gt_wire_time_get(c->expires);
	out->searched_at = gt_wire_time_get(c->searched_at);
	return NULL;
}

struct gt_error *collected_put(struct gt_txn *t, const struct collected *c)
{
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_buf) key = GT_BUF_INIT;
	Gantry__Records__Collected *m = gt_arena_message(&a, &gantry__records__collected__descriptor);

	m->at = gt_wire_time(&a, &c->at);
	m->took = c->took;
	m->expires = gt_wire_time(&a, &c->expires);
	m->searched_at = gt_wire_time(&a, &c->searched_at);
	key_of(&key, "s");
	return message_put(t, &key, &m->base);
}
