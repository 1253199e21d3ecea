/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/unpack.h>

#include <gantry/api-diffs.h>
#include <gantry/api-snapshots.h>
#include <gantry/log.h>

#include <client/defaults.h>
#include <client/lease.h>
#include <client/parallel.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define SNAPSHOT_REF "containerd.io/snapshot.ref"
#define UNCOMPRESSED "containerd.io/uncompressed"
#define JOBS_MAX 64
#define LAYERS_MAX 4096

enum layer_state {
	LAYER_PRESENT, /* its snapshot is there */
	LAYER_WANTED, /* its blob is not known to be there */
	LAYER_READY,
	LAYER_BUSY,
	LAYER_APPLIED,
	LAYER_AGAIN, /* must be applied once those below it are there */
	LAYER_COMMITTED, /* by us */
};

struct layer {
	enum layer_state state;
	char *key; /* of the active snapshot; NULL: none of ours */
};

struct gt_unpack {
	struct gt_services *s;
	const struct gt_call *outer;
	struct gt_lease_scope lease; /* its call goes to everything, with our own cancel */
	struct gt_cancel *cancel;
	const struct gt_image_view *v;
	const struct gt_unpack_options *o;
	char *snapshotter;
	bool rebase;
	struct layer *layers;
	size_t n;
	pthread_mutex_t lock;
	pthread_cond_t change;
	pthread_t *threads;
	unsigned n_threads, max_threads;
	bool stop; /* no further layer is begun */
	bool finished;
	struct gt_error *e; /* the first */
};

static struct gt_call *call_of(struct gt_unpack *u)
{
	return &u->lease.call;
}

/* For what must happen although the call has ended. */
static struct gt_call cleanup_call(struct gt_unpack *u)
{
	struct gt_call call = u->lease.call;

	call.cancel = NULL;
	call.deadline = 0;
	return call;
}

static void remove_snapshot(struct gt_unpack *u, const char *key)
{
	struct gt_call call = cleanup_call(u);
	struct gt_error *e = gt_snapshots_remove(u->s, &call, u->snapshotter, key);

	/* A committed one may have got children by now: then it is somebody's and stays. */
	e = gt_error_unless(gt_error_unless(e, GT_NOT_FOUND), GT_FAILED_PRECONDITION);
	gt_log_warn_take(e, "remove snapshot %s", key);
}

static void layer_labels(const struct gt_unpack *u, size_t i, struct gt_labels *out)
{
	if (u->o->labels)
		gt_labels_copy(out, u->o->labels);
	gt_labels_set(out, SNAPSHOT_REF, u->v->chain_ids.v[i]);
}

/* A layer above others that is applied before they are there. */
static bool is_alone(const struct gt_unpack *u, size_t i)
{
	return u->rebase && i > 0;
}

static const char *parent_of(const struct gt_unpack *u, size_t i)
{
	return i ? u->v->chain_ids.v[i - 1] : "";
}

/*
 * Whether an error may be due to the layers below not being there. What is wrong with the blob
 * itself, or ends the call, will not be better then.
 */
static bool wants_below(const struct gt_error *e)
{
	enum gt_class c = gt_error_class(e);

	return c == GT_FAILED_PRECONDITION || c == GT_UNKNOWN || c == GT_UNIMPLEMENTED;
}

/*
 * Leaves an active snapshot with the layer in it, or none if somebody else has made it meanwhile,
 * or if it has to be applied '*again' on top of its parent.
 */
static struct gt_error *apply_layer(struct gt_unpack *u, size_t i, bool alone, bool *again)
{
	const struct gt_descriptor *desc = &u->v->document.layers.v[i];
	const char *diff_id = u->v->config.diff_ids.v[i];
	gt_autofree char *unique = gt_unique_name();
	gt_autofree char *key = gt_strf("extract-%s %s", unique, u->v->chain_ids.v[i]);
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	gt_auto(gt_descriptor) applied = { 0 };
	struct gt_error *e;

	layer_labels(u, i, &labels);
	if (alone)
		gt_labels_set(&labels, GT_LABEL_ALONE, "true");
	e = gt_snapshots_prepare(u->s, call_of(u), u->snapshotter, key,
				 alone ? "" : parent_of(u, i), &labels, &mounts);
	if (gt_error_class(e) == GT_ALREADY_EXISTS) {
		gt_error_free(e);
		return NULL;
	}
	GT_TRY(gt_error_wrap(e, "prepare extraction snapshot"));
	u->layers[i].key = gt_steal(&key); /* ours alone while the layer is busy */
	e = gt_diffs_apply(u->s, call_of(u), desc, &mounts, &applied);
	if (alone && wants_below(e)) {
		gt_log_debug("layer %s needs those below it: %s", desc->digest, gt_error_text(e));
		gt_error_free(e);
		remove_snapshot(u, u->layers[i].key);
		free(gt_steal(&u->layers[i].key));
		*again = true;
		return NULL;
	}
	GT_TRY(e);
	if (!applied.digest || strcmp(applied.digest, diff_id))
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "layer %s: wrong diff id calculated on extraction: %s, expected %s",
				    desc->digest, applied.digest ? applied.digest : "none",
				    diff_id);
	return NULL;
}

static void set_state(struct gt_unpack *u, size_t i, enum layer_state state)
{
	pthread_mutex_lock(&u->lock);
	u->layers[i].state = state;
	pthread_mutex_unlock(&u->lock);
}

/* 'rebase': it was applied alone, and one sync was made for all of those. */
static struct gt_error *commit_layer(struct gt_unpack *u, size_t i, bool rebase)
{
	struct layer *l = &u->layers[i];
	gt_auto(gt_labels) labels = { 0 };
	struct gt_commit_options o = { .size = sizeof(o), .labels = &labels };
	struct gt_error *e;

	if (!l->key) { /* somebody else's */
		set_state(u, i, LAYER_PRESENT);
		return NULL;
	}
	layer_labels(u, i, &labels);
	if (rebase) {
		o.parent = i ? parent_of(u, i) : NULL;
		o.synced = true;
	}
	e = gt_snapshots_commit(u->s, call_of(u), u->snapshotter, u->v->chain_ids.v[i], l->key, &o);
	if (gt_error_class(e) == GT_ALREADY_EXISTS) {
		gt_error_free(e);
		remove_snapshot(u, l->key);
		set_state(u, i, LAYER_PRESENT);
	} else {
		GT_TRY(gt_error_wrap(e, "commit snapshot %s", u->v->chain_ids.v[i]));
		set_state(u, i, LAYER_COMMITTED);
	}
	free(gt_steal(&l->key));
	return NULL;
}

/*
 * The next layer to apply, u->n if there is none now. Where they go in any order the largest comes
 * first, so that no processor is left with the longest at the end.
 */
static size_t next_layer(const struct gt_unpack *u)
{
	size_t best = u->n;

	for (size_t i = 0; i < u->n; i++) {
		if (!u->rebase && u->layers[i].state < LAYER_APPLIED &&
		    u->layers[i].state != LAYER_PRESENT)
			return u->layers[i].state == LAYER_READY ? i : u->n;
		if (u->layers[i].state == LAYER_READY &&
		    (best == u->n ||
		     u->v->document.layers.v[i].size > u->v->document.layers.v[best].size))
			best = i;
	}
	return best;
}

static bool all_applied(const struct gt_unpack *u)
{
	for (size_t i = 0; i < u->n; i++) {
		if (u->layers[i].state != LAYER_PRESENT && u->layers[i].state < LAYER_APPLIED)
			return false;
	}
	return true;
}

static void fail_take(struct gt_unpack *u, struct gt_error *e)
{
	u->stop = true;
	gt_cancel_set(u->cancel);
	/* What the others say once they are cancelled is not why. */
	u->e = gt_error_first(u->e, e);
}

static void *work(void *arg)
{
	struct gt_unpack *u = arg;

	pthread_mutex_lock(&u->lock);
	while (!u->stop && !all_applied(u)) {
		size_t i = next_layer(u);
		struct gt_error *e = NULL;
		bool again = false;

		if (i == u->n) {
			pthread_cond_wait(&u->change, &u->lock);
			continue;
		}
		u->layers[i].state = LAYER_BUSY;
		pthread_mutex_unlock(&u->lock);
		if (u->o->fetch)
			e = u->o->fetch(u->o->arg, call_of(u), i);
		if (!e)
			e = apply_layer(u, i, is_alone(u, i), &again);
		if (!e && !u->rebase)
			e = commit_layer(u, i, false);
		pthread_mutex_lock(&u->lock);
		if (e)
			fail_take(u, e);
		else if (u->layers[i].state == LAYER_BUSY)
			u->layers[i].state = again ? LAYER_AGAIN : LAYER_APPLIED;
		pthread_cond_broadcast(&u->change);
	}
	pthread_mutex_unlock(&u->lock);
	return NULL;
}

/* Signals are for the threads that the program made for them. */
static struct gt_error *thread_start(struct gt_unpack *u)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&u->threads[u->n_threads], NULL, work, u);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start thread");
	u->n_threads++;
	return NULL;
}

/* Layers up to the topmost whose snapshot is there need nothing. */
static struct gt_error *find_present(struct gt_unpack *u)
{
	size_t i = u->n;

	while (i > 0) {
		gt_auto(gt_snapshot_info) info = { 0 };
		struct gt_error *e = gt_snapshots_stat(u->s, call_of(u), u->snapshotter,
						       u->v->chain_ids.v[i - 1], &info);

		if (!e)
			break;
		if (gt_error_class(e) != GT_NOT_FOUND)
			return e;
		gt_error_free(e);
		u->layers[--i].state = LAYER_WANTED;
	}
	return NULL;
}

struct gt_error *gt_unpack_open(struct gt_services *s, struct gt_call *call,
				const struct gt_image_view *v, const struct gt_unpack_options *o,
				struct gt_unpack **out)
{
	gt_autoptr(gt_unpack) u = NULL;
	size_t wanted = 0;

	if (v->chain_ids.n > LAYERS_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "image has %zu layers, more than %d",
				    v->chain_ids.n, LAYERS_MAX);
	u = gt_xcalloc(1, sizeof(*u));
	u->s = s;
	u->outer = call;
	u->v = v;
	u->o = o;
	u->n = v->chain_ids.n;
	u->layers = gt_xcalloc(u->n + 1, sizeof(*u->layers));
	u->lease.call = *call;
	u->cancel = gt_cancel_new();
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->change, NULL);
	GT_TRY(gt_default_snapshotter(s, call, o->snapshotter, &u->snapshotter));
	GT_TRY(find_present(u));
	for (size_t i = 0; i < u->n; i++)
		wanted += u->layers[i].state == LAYER_WANTED;
	if (wanted) {
		GT_TRY(gt_snapshots_can_rebase(s, call, u->snapshotter, &u->rebase));
		GT_TRY(gt_lease_scope_open(s, call, &u->lease));
		u->lease.call.cancel = u->cancel;
		u->max_threads = u->rebase ? (o->jobs ? o->jobs : gt_processors()) : 1;
		if (u->max_threads > wanted)
			u->max_threads = wanted;
		if (u->max_threads > JOBS_MAX)
			u->max_threads = JOBS_MAX;
		u->threads = gt_xcalloc(u->max_threads, sizeof(*u->threads));
	}
	*out = gt_steal(&u);
	return NULL;
}

bool gt_unpack_wants(const struct gt_unpack *u, size_t i)
{
	return i < u->n && u->layers[i].state != LAYER_PRESENT;
}

void gt_unpack_ready(struct gt_unpack *u, size_t i)
{
	pthread_mutex_lock(&u->lock);
	if (i < u->n && u->layers[i].state == LAYER_WANTED) {
		u->layers[i].state = LAYER_READY;
		if (u->n_threads < u->max_threads) {
			struct gt_error *e = thread_start(u);

			/* One thread will do where there can be no more. */
			if (e && !u->n_threads)
				fail_take(u, e);
			else
				gt_error_free(e);
		}
		pthread_cond_broadcast(&u->change);
	}
	pthread_mutex_unlock(&u->lock);
}

static void join(struct gt_unpack *u)
{
	for (unsigned i = 0; i < u->n_threads; i++)
		pthread_join(u->threads[i], NULL);
	u->n_threads = 0;
}

/* Waits for the workers, and hands on the end of the caller's call. */
static void wait_applied(struct gt_unpack *u)
{
	pthread_mutex_lock(&u->lock);
	while (!u->stop && !all_applied(u)) {
		struct timespec until;
		struct gt_error *e = gt_call_check(u->outer);

		if (e) {
			fail_take(u, e);
			break;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		pthread_cond_timedwait(&u->change, &u->lock, &until);
	}
	pthread_cond_broadcast(&u->change);
	pthread_mutex_unlock(&u->lock);
	join(u);
}

static struct gt_error *set_label(struct gt_unpack *u, const char *digest, const char *key,
				  const char *value)
{
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_strv) mask = { 0 };

	gt_labels_set(&labels, key, value);
	gt_strv_addf(&mask, "labels.%s", key);
	return gt_blobs_update(u->s, call_of(u), digest, &labels, &mask, NULL);
}

static struct gt_error *label_blobs(struct gt_unpack *u)
{
	gt_autofree char *key = gt_strf("containerd.io/gc.ref.snapshot.%s", u->snapshotter);

	for (size_t i = 0; i < u->n; i++) {
		/* The blob may be gone: an image can be unpacked and its layers be discarded. */
		if (u->layers[i].state == LAYER_COMMITTED)
			GT_TRY(gt_error_unless(set_label(u, u->v->document.layers.v[i].digest,
							 UNCOMPRESSED, u->v->config.diff_ids.v[i]),
					       GT_NOT_FOUND));
	}
	if (!u->n)
		return NULL;
	return set_label(u, u->v->document.config.digest, key, gt_image_view_chain_id(u->v));
}

struct gt_error *gt_unpack_finish(struct gt_unpack *u)
{
	bool any = false;

	wait_applied(u);
	if (u->e)
		return gt_steal(&u->e);
	for (size_t i = 0; i < u->n; i++)
		any |= u->layers[i].state == LAYER_APPLIED && u->layers[i].key;
	if (any)
		GT_TRY(gt_snapshots_sync(u->s, call_of(u), u->snapshotter));
	for (size_t i = 0; i < u->n; i++) {
		bool again = u->layers[i].state == LAYER_AGAIN;

		if (again)
			GT_TRY(apply_layer(u, i, false, &(bool){ false }));
		if (again || u->layers[i].state == LAYER_APPLIED)
			GT_TRY(commit_layer(u, i, !again));
	}
	GT_TRY(label_blobs(u));
	u->finished = true;
	gt_lease_scope_done(&u->lease);
	return NULL;
}

void gt_unpack_undo(struct gt_unpack *u)
{
	for (size_t i = u->n; i-- > 0;) {
		if (u->layers[i].state == LAYER_COMMITTED)
			remove_snapshot(u, u->v->chain_ids.v[i]);
	}
}

void gt_unpack_free(struct gt_unpack *u)
{
	if (!u)
		return;
	pthread_mutex_lock(&u->lock);
	u->stop = true;
	gt_cancel_set(u->cancel);
	pthread_cond_broadcast(&u->change);
	pthread_mutex_unlock(&u->lock);
	join(u);
	for (size_t i = 0; i < u->n; i++) {
		if (u->layers[i].key)
			remove_snapshot(u, u->layers[i].key);
		free(u->layers[i].key);
	}
	if (!u->finished && !u->o->keep_partial)
		gt_unpack_undo(u);
	gt_lease_scope_done(&u->lease);
	gt_cancel_free(u->cancel);
	gt_error_free(u->e);
	pthread_cond_destroy(&u->change);
	pthread_mutex_destroy(&u->lock);
	free(u->threads);
	free(u->layers);
	free(u->snapshotter);
	free(u);
}

struct gt_error *gt_image_unpack(struct gt_services *s, struct gt_call *call,
				 const struct gt_image_view *v, const struct gt_unpack_options *o)
{
	gt_autoptr(gt_unpack) u = NULL;

	GT_TRY(gt_unpack_open(s, call, v, o, &u));
	for (size_t i = 0; i < u->n; i++)
		gt_unpack_ready(u, i);
	return gt_unpack_finish(u);
}
