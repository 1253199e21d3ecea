/* SPDX-License-Identifier: Apache-2.0 */
/* Kind metadata: what <gantry/metadata.h> says, in one process and one thread. */
#include <config.h>

#include "metadata.h"

#include <gantry/buf.h>

#include <string.h>

struct gt_slice slice(const char *s)
{
	return (struct gt_slice){ .data = s, .len = strlen(s) };
}

struct one {
	const char *key;
	const void *value;
	size_t len;
	char *out;
};

static struct gt_error *put_one(struct gt_txn *t, void *arg)
{
	const struct one *o = arg;

	return gt_txn_put(t, slice(o->key), (struct gt_slice){ o->value, o->len });
}

static struct gt_error *remove_one(struct gt_txn *t, void *arg)
{
	return gt_txn_remove(t, slice(((const struct one *)arg)->key));
}

static struct gt_error *get_one(struct gt_txn *t, void *arg)
{
	struct one *o = arg;
	struct gt_slice v;

	GT_TRY(gt_txn_get(t, slice(o->key), &v));
	free(o->out);
	o->out = gt_xstrndup(v.data, v.len);
	return NULL;
}

struct gt_error *metadata_put(struct gt_metadata *m, const char *key, const void *value, size_t len)
{
	struct gt_call call = GT_CALL_INIT;
	struct one o = { .key = key, .value = value, .len = len };

	return gt_metadata_update(m, &call, put_one, &o);
}

struct gt_error *metadata_remove(struct gt_metadata *m, const char *key)
{
	struct gt_call call = GT_CALL_INIT;
	struct one o = { .key = key };

	return gt_metadata_update(m, &call, remove_one, &o);
}

struct gt_error *metadata_get(struct gt_metadata *m, const char *key, char **out)
{
	struct gt_call call = GT_CALL_INIT;
	struct one o = { .key = key };

	GT_TRY(gt_metadata_view(m, &call, get_one, &o));
	*out = o.out;
	return NULL;
}

static struct gt_error *clear_prefix(struct gt_txn *t, void *arg)
{
	struct gt_slice key, value;
	struct gt_error *e;

	while (!(e = gt_txn_seek(t, slice(arg), slice(""), &key, &value))) {
		gt_autofree char *copy = gt_xmemdup(key.data, key.len);

		GT_TRY(gt_txn_remove(t, (struct gt_slice){ copy, key.len }));
	}
	return gt_error_unless(e, GT_NOT_FOUND);
}

struct gt_error *metadata_clear(struct gt_metadata *m, const char *prefix)
{
	struct gt_call call = GT_CALL_INIT;

	return gt_metadata_update(m, &call, clear_prefix, (void *)prefix);
}

static void test_basics(struct gt_metadata *m)
{
	gt_autofree char *v = NULL, *w = NULL, *x = NULL;

	suite_class(metadata_get(m, "a", &v), GT_NOT_FOUND, "get: unknown key");
	suite_class(metadata_remove(m, "a"), GT_NOT_FOUND, "remove: unknown key");
	suite_class(metadata_put(m, "a", "one", 3), GT_OK, "put");
	suite_class(metadata_get(m, "a", &v), GT_OK, "get");
	suite_ok(v && !strcmp(v, "one"), "the value is there");
	suite_class(metadata_put(m, "a", "another", 7), GT_OK, "put over it");
	suite_class(metadata_get(m, "a", &w), GT_OK, "get");
	suite_ok(w && !strcmp(w, "another"), "the value is the new one");
	suite_class(metadata_put(m, "a", "", 0), GT_OK, "put nothing");
	suite_class(metadata_get(m, "a", &x), GT_OK, "get");
	suite_ok(x && !*x, "the value is empty");
	suite_class(metadata_remove(m, "a"), GT_OK, "remove");
	suite_class(metadata_get(m, "a", &x), GT_NOT_FOUND, "it is gone");
}

static struct gt_error *limits(struct gt_txn *t, void *arg)
{
	gt_autofree char *key = gt_xcalloc(1, GT_METADATA_KEY_MAX + 1), *value = arg;
	struct gt_slice k = { key, GT_METADATA_KEY_MAX }, v;

	memset(key, 'k', GT_METADATA_KEY_MAX + 1);
	suite_class(gt_txn_put(t, k, slice("longest")), GT_OK, "put: the longest key");
	suite_class(gt_txn_get(t, k, &v), GT_OK, "get: the longest key");
	suite_ok(v.len == 7, "its value is there");
	suite_class(gt_txn_seek(t, slice(""), k, &k, &v), GT_OK, "seek: the longest key");
	suite_class(gt_txn_remove(t, (struct gt_slice){ key, GT_METADATA_KEY_MAX }), GT_OK,
		    "remove: the longest key");
	k = (struct gt_slice){ key, GT_METADATA_KEY_MAX + 1 };
	suite_class(gt_txn_put(t, k, slice("")), GT_INVALID_ARGUMENT, "put: a key that is too long");
	suite_class(gt_txn_put(t, slice(""), slice("")), GT_INVALID_ARGUMENT, "put: no key");
	value = gt_xcalloc(1, (64 << 20) + 1);
	suite_class(gt_txn_put(t, slice("huge"), (struct gt_slice){ value, (64 << 20) + 1 }),
		    GT_INVALID_ARGUMENT, "put: a value that is too long");
	return NULL;
}

static void test_limits(struct gt_metadata *m)
{
	const size_t sizes[] = { 1, 2000, 4096, 5000, 1 << 20, 8 << 20 };
	struct gt_call call = GT_CALL_INIT;
	gt_autofree char *big = gt_xmalloc(8 << 20);

	suite_class(gt_metadata_update(m, &call, limits, NULL), GT_OK, "an update at the limits");
	memset(big, 'v', 8 << 20);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		gt_autofree char *v = NULL;

		suite_class(metadata_put(m, "big", big, sizes[i]), GT_OK, "put %zu bytes", sizes[i]);
		suite_class(metadata_get(m, "big", &v), GT_OK, "get");
		suite_ok(v && strlen(v) == sizes[i] && v[sizes[i] - 1] == 'v',
			 "all %zu bytes are there", sizes[i]);
	}
	suite_class(metadata_remove(m, "big"), GT_OK, "remove");
}

static struct gt_error *change_and_fail(struct gt_txn *t, void *arg)
{
	(void)arg;
	GT_TRY(gt_txn_put(t, slice("undo/new"), slice("x")));
	GT_TRY(gt_txn_put(t, slice("undo/old"), slice("changed")));
	GT_TRY(gt_txn_remove(t, slice("undo/gone")));
	return gt_error_new(GT_ABORTED, "the function's own words");
}

static void test_undo(struct gt_metadata *m)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autofree char *v = NULL, *w = NULL, *none = NULL;
	struct gt_error *e;

	suite_class(metadata_put(m, "undo/old", "old", 3), GT_OK, "put");
	suite_class(metadata_put(m, "undo/gone", "here", 4), GT_OK, "put");
	e = gt_metadata_update(m, &call, change_and_fail, NULL);
	suite_ok(strstr(gt_error_text(e), "the function's own words"), "the function's text returns");
	suite_class(e, GT_ABORTED, "the function's error returns");
	suite_class(metadata_get(m, "undo/new", &none), GT_NOT_FOUND, "what it put is not there");
	suite_class(metadata_get(m, "undo/old", &v), GT_OK, "get");
	suite_ok(v && !strcmp(v, "old"), "what it changed is as it was");
	suite_class(metadata_get(m, "undo/gone", &w), GT_OK, "what it removed is there");
	suite_class(metadata_clear(m, "undo/"), GT_OK, "clear");
}

static struct gt_error *change_in_view(struct gt_txn *t, void *arg)
{
	gt_autoptr(gt_error) put = gt_txn_put(t, slice("view"), slice("x"));
	gt_autoptr(gt_error) removed = gt_txn_remove(t, slice("view/there"));

	(void)arg;
	suite_ok(put && removed, "a view changes nothing");
	return gt_error_new(GT_ABORTED, "from a view");
}

static void test_view(struct gt_metadata *m)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autofree char *none = NULL, *there = NULL;

	suite_class(metadata_put(m, "view/there", "x", 1), GT_OK, "put");
	suite_class(gt_metadata_view(m, &call, change_in_view, NULL), GT_ABORTED,
		    "the error of a view's function returns");
	suite_class(metadata_get(m, "view", &none), GT_NOT_FOUND, "nothing was put");
	suite_class(metadata_get(m, "view/there", &there), GT_OK, "nothing was removed");
	suite_class(metadata_remove(m, "view/there"), GT_OK, "remove");
}

/* Keys with NULs and high bytes, in the order that they must come in. */
static const struct gt_slice ordered[] = {
	{ "s\0", 2 }, { "s\0\0", 3 }, { "s\0a", 3 }, { "s\1", 2 }, { "s/a", 3 },    { "s/a/b", 5 },
	{ "s/aa", 4 }, { "s/b", 3 },   { "sA", 2 },   { "sa", 2 },  { "s\x7f", 2 }, { "s\x80", 2 },
	{ "s\xff", 2 }, { "s\xff\xff", 3 },
};
#define N_ORDERED (sizeof(ordered) / sizeof(*ordered))

static struct gt_error *put_ordered(struct gt_txn *t, void *arg)
{
	(void)arg;
	GT_TRY(gt_txn_put(t, slice("r"), slice("before")));
	GT_TRY(gt_txn_put(t, slice("t"), slice("behind")));
	for (size_t i = 0; i < N_ORDERED; i++) { /* in some other order */
		const struct gt_slice k = ordered[i * 5 % N_ORDERED];

		GT_TRY(gt_txn_put(t, k, k));
	}
	return NULL;
}

struct scan {
	size_t n;
	bool wrong;
};

static struct gt_error *scan_next(void *arg, struct gt_slice key, struct gt_slice value)
{
	struct scan *s = arg;

	if (s->n >= N_ORDERED || key.len != ordered[s->n].len ||
	    memcmp(key.data, ordered[s->n].data, key.len) || value.len != key.len ||
	    memcmp(value.data, key.data, key.len))
		s->wrong = true;
	s->n++;
	return NULL;
}

static struct gt_error *scan_stop(void *arg, struct gt_slice key, struct gt_slice value)
{
	(void)key;
	(void)value;
	++*(int *)arg;
	return gt_error_new(GT_ABORTED, "enough");
}

static bool is_at(struct gt_txn *t, const char *prefix, struct gt_slice from, const char *want,
		  size_t want_len)
{
	struct gt_slice k = { 0 }, v;
	gt_autoptr(gt_error) e = gt_txn_seek(t, slice(prefix), from, &k, &v);

	if (!want)
		return gt_error_class(e) == GT_NOT_FOUND;
	return !e && k.len == want_len && !memcmp(k.data, want, want_len);
}

static struct gt_error *look_around(struct gt_txn *t, void *arg)
{
	struct scan s = { 0 };
	int times = 0;

	(void)arg;
	suite_class(gt_txn_scan(t, slice("s"), scan_next, &s), GT_OK, "scan a prefix");
	suite_ok(s.n == N_ORDERED && !s.wrong, "all its keys come, bytewise, with their values");
	suite_class(gt_txn_scan(t, slice("s"), scan_stop, &times), GT_ABORTED,
		    "scan returns the function's error");
	suite_ok(times == 1, "and ends there");
	suite_ok(is_at(t, "s/", slice(""), "s/a", 3), "seek: the first of a prefix");
	suite_ok(is_at(t, "s/a", slice("s/a"), "s/a", 3), "seek: a key that is there");
	suite_ok(is_at(t, "s/a", (struct gt_slice){ "s/a\0", 4 }, "s/a/b", 5),
		 "seek: just behind a key");
	suite_ok(is_at(t, "s/a", (struct gt_slice){ "s/aa\0", 5 }, NULL, 0),
		 "seek: the end of a prefix");
	suite_ok(is_at(t, "s", slice("a"), "s\0", 2), "seek: from before the prefix");
	suite_ok(is_at(t, "s/", slice("s/a"), "s/a", 3), "seek: back again");
	suite_ok(is_at(t, "s/c", slice(""), NULL, 0), "seek: a prefix of nothing");
	suite_ok(is_at(t, "", slice("sz"), "s\x7f", 2), "seek: no prefix");
	suite_ok(is_at(t, "s", slice("u"), NULL, 0), "seek: from behind the prefix");
	suite_ok(is_at(t, "zzz", slice(""), NULL, 0), "seek: behind all keys");
	return NULL;
}

/* Seeks see what the same transaction has just changed, also beside the place of the last one. */
static struct gt_error *change_around(struct gt_txn *t, void *arg)
{
	(void)arg;
	suite_ok(is_at(t, "s/", slice("s/a"), "s/a", 3), "seek in an update");
	GT_TRY(gt_txn_put(t, slice("s/a.new"), slice("x")));
	suite_ok(is_at(t, "s/", (struct gt_slice){ "s/a\0", 4 }, "s/a.new", 7),
		 "seek: a key put behind the last one");
	GT_TRY(gt_txn_remove(t, slice("s/a/b")));
	suite_ok(is_at(t, "s/", (struct gt_slice){ "s/a.new\0", 8 }, "s/aa", 4),
		 "seek: over a key that was removed");
	GT_TRY(gt_txn_remove(t, slice("s/aa")));
	suite_ok(is_at(t, "s/", (struct gt_slice){ "s/aa\0", 5 }, "s/b", 3),
		 "seek: behind a key that was removed");
	return gt_error_new(GT_ABORTED, "undo it");
}

static void test_order(struct gt_metadata *m)
{
	struct gt_call call = GT_CALL_INIT;

	suite_class(gt_metadata_update(m, &call, put_ordered, NULL), GT_OK, "put many keys");
	suite_class(gt_metadata_view(m, &call, look_around, NULL), GT_OK, "a view of them");
	suite_class(gt_metadata_update(m, &call, change_around, NULL), GT_ABORTED,
		    "an update of them");
	suite_class(gt_metadata_view(m, &call, look_around, NULL), GT_OK, "the view is the same");
	suite_class(metadata_clear(m, ""), GT_OK, "clear");
}

static struct gt_error *grow(struct gt_txn *t, void *arg)
{
	gt_autofree char *value = gt_xcalloc(1, 100000);

	*(int *)arg = 0; /* it may run again */
	for (int i = 0; i < 80; i++) {
		gt_autofree char *key = gt_strf("grow/%d", i);

		GT_TRY(gt_txn_put(t, slice(key), (struct gt_slice){ value, 100000 }));
		++*(int *)arg;
	}
	return NULL;
}

static struct gt_error *count_one(void *arg, struct gt_slice key, struct gt_slice value)
{
	(void)key;
	*(int *)arg += value.len == 100000;
	return NULL;
}

static struct gt_error *count_grown(struct gt_txn *t, void *arg)
{
	*(int *)arg = 0;
	return gt_txn_scan(t, slice("grow/"), count_one, arg);
}

static void test_growth(struct gt_metadata *m)
{
	struct gt_call call = GT_CALL_INIT;
	int n = 0;

	suite_class(gt_metadata_update(m, &call, grow, &n), GT_OK, "8 MB in one update");
	suite_ok(n == 80, "its function's last run was whole");
	suite_class(gt_metadata_view(m, &call, count_grown, &n), GT_OK, "scan it");
	suite_ok(n == 80, "all of it is there");
	suite_class(metadata_clear(m, "grow/"), GT_OK, "clear");
}

static void test_ended_calls(struct gt_metadata *m)
{
	struct gt_cancel *cancel = gt_cancel_new();
	struct gt_call call = GT_CALL_INIT;
	struct one o = { .key = "ended", .value = "x", .len = 1 };
	gt_autofree char *v = NULL;

	call.deadline = gt_now() - 1;
	suite_class(gt_metadata_update(m, &call, put_one, &o), GT_DEADLINE_EXCEEDED,
		    "update: the deadline is over");
	call.deadline = 0;
	call.cancel = cancel;
	gt_cancel_set(cancel);
	suite_class(gt_metadata_update(m, &call, put_one, &o), GT_CANCELED, "update: cancelled");
	suite_class(metadata_get(m, "ended", &v), GT_NOT_FOUND, "nothing was put");
	gt_cancel_free(cancel);
}

void suite_metadata(struct gt_metadata *m, const char *dir)
{
	test_basics(m);
	test_limits(m);
	test_undo(m);
	test_view(m);
	test_order(m);
	test_growth(m);
	test_ended_calls(m);
	metadata_many(m, dir);
}
