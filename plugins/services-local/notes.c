/* SPDX-License-Identifier: Apache-2.0 */
/* Notes of blobs: "m NS DIGEST", beside the record of the blob and gone with it. */
#include <config.h>

#include "blobs.h"

#include <string.h>

#define NOTES_BATCH 1024 /* stored in one transaction */

struct noting {
	const struct gt_call *call;
	const struct gt_strv *digests, *notes;
	size_t from, end;
};

static struct gt_error *note_key(struct gt_buf *key, const struct gt_call *call, const char *digest)
{
	gt_auto(record) blob = RECORD_INIT;

	GT_TRY(record_name(&blob, &blob_kind, call, NULL, digest)); /* that there is a namespace */
	return key_set(key, KEY_NOTE, call->ns, digest, NULL);
}

struct finding {
	struct gt_buf key;
	char *text;
};

static struct gt_error *find(struct gt_txn *t, void *arg)
{
	struct finding *f = arg;
	struct gt_slice value;

	GT_TRY(gt_txn_get(t, key_slice(&f->key), &value));
	f->text = gt_xstrndup(value.data, value.len);
	return NULL;
}

struct gt_error *blob_note(struct gt_services *s, struct gt_call *call, const char *digest,
			   char **out)
{
	struct finding f = { .key = GT_BUF_INIT };
	struct gt_error *e = note_key(&f.key, call, digest);

	if (!e)
		e = local_view(local_of(s), call, find, &f);
	gt_buf_done(&f.key);
	if (!e)
		*out = f.text;
	return e;
}

static struct gt_error *store_one(struct gt_txn *t, const struct gt_call *call, const char *digest,
				  const char *note)
{
	gt_auto(record) blob = RECORD_INIT;
	gt_auto(gt_buf) key = GT_BUF_INIT;
	bool there;

	GT_TRY(record_name(&blob, &blob_kind, call, NULL, digest));
	GT_TRY(record_exists(t, &blob, &there));
	if (!there)
		return NULL;
	GT_TRY(note_key(&key, call, digest));
	return gt_txn_put(t, key_slice(&key),
			  (struct gt_slice){ .data = note, .len = strlen(note) });
}

static struct gt_error *store(struct gt_txn *t, void *arg)
{
	const struct noting *n = arg;

	for (size_t i = n->from; i < n->end; i++)
		GT_TRY(store_one(t, n->call, n->digests->v[i], n->notes->v[i]));
	return NULL;
}

struct gt_error *blob_set_notes(struct gt_services *s, struct gt_call *call,
				const struct gt_strv *digests, const struct gt_strv *notes)
{
	struct noting n = { .call = call, .digests = digests, .notes = notes };

	for (; n.from < digests->n; n.from = n.end) {
		n.end = digests->n - n.from > NOTES_BATCH ? n.from + NOTES_BATCH : digests->n;
		GT_TRY(local_update(local_of(s), call, store, &n));
	}
	return NULL;
}

struct gt_error *note_drop(struct gt_txn *t, const char *ns, const char *digest)
{
	gt_auto(gt_buf) key = GT_BUF_INIT;

	GT_TRY(key_set(&key, KEY_NOTE, ns, digest, NULL));
	return gt_error_unless(gt_txn_remove(t, key_slice(&key)), GT_NOT_FOUND);
}
