/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single blobs from a registry into the content service: resumed where an earlier attempt stopped,
 * shared with who is fetching the same, verified. Within lib/client.
 */
#ifndef GANTRY_LIB_CLIENT_FETCH_H
#define GANTRY_LIB_CLIENT_FETCH_H

#include <gantry/api-blobs.h>
#include <gantry/resolver.h>

#include <client/progress.h>
#include <oci/reference.h>
#include <pthread.h>

struct gt_fetch {
	struct gt_services *s;
	struct gt_resolver *resolver;
	const struct gt_registry_options *registry;
	const char *ref;
	struct gt_progress *progress;
	char *source_key, *source; /* the label that says where a blob is from; NULL: none */
	pthread_mutex_t lock;
	struct gt_strv begun; /* ingests that are not committed */
};

void gt_fetch_init(struct gt_fetch *f, const char *ref);
void gt_fetch_done(struct gt_fetch *f);
/* Drops the ingests that were begun and not ended, unless somebody else goes on with them. */
void gt_fetch_undo(struct gt_fetch *f, const struct gt_call *call);

/* "layer-sha256:..", as containerd names the ingest of a blob; a new string. */
char *gt_fetch_ref(const struct gt_descriptor *d);

/*
 * Has the blob in the content service, with 'labels' (may be NULL) besides what it has. An ingest
 * that somebody else writes is waited for; one that is left from earlier is gone on with.
 * FAILED_PRECONDITION for bytes that are not what 'd' says: then nothing of them stays.
 */
GT_MUST_USE struct gt_error *gt_fetch_blob(struct gt_fetch *f, struct gt_call *call,
					   const struct gt_descriptor *d,
					   const struct gt_labels *labels);

/*
 * A document, at most GT_DOCUMENT_MAX bytes, from the content service or else from the registry. It
 * is verified and handed to 'check', which says with what labels it is to be kept or refuses it; only
 * then it is stored. '*out' gets its bytes.
 */
GT_MUST_USE struct gt_error *
gt_fetch_document(struct gt_fetch *f, struct gt_call *call, const struct gt_descriptor *d,
		  struct gt_error *(*check)(void *arg, const struct gt_descriptor *d,
					    const char *text, size_t len, struct gt_labels *labels),
		  void *arg);

#endif
