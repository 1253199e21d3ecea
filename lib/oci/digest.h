/* SPDX-License-Identifier: Apache-2.0 */
/* Digests as OCI writes them, "sha256:" and 64 hex digits. */
#ifndef GANTRY_LIB_OCI_DIGEST_H
#define GANTRY_LIB_OCI_DIGEST_H

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/strv.h>

/* "sha256:HEX" of bytes, as a new string. */
char *gt_digest_of(const void *data, size_t len);

/*
 * Whether bytes have that digest: FAILED_PRECONDITION, naming both, if they do not;
 * INVALID_ARGUMENT for a malformed digest or an algorithm other than sha256, sha384 and sha512.
 */
GT_MUST_USE struct gt_error *gt_digest_verify(const char *digest, const void *data, size_t len);

/* The same of 'len' bytes of a file. OUT_OF_RANGE if it ends before. */
GT_MUST_USE struct gt_error *gt_digest_of_file(int fd, int64_t off, int64_t len,
					       const struct gt_call *call, char **out);

/*
 * The same piece by piece. 'digest' says the algorithm and what must come out: INVALID_ARGUMENT as
 * above from new; FAILED_PRECONDITION from check, which ends it.
 */
struct gt_hash;
GT_MUST_USE struct gt_error *gt_hash_new(const char *digest, struct gt_hash **out);
void gt_hash_add(struct gt_hash *h, const void *data, size_t len);
GT_MUST_USE struct gt_error *gt_hash_check(struct gt_hash *h);
void gt_hash_free(struct gt_hash *h);
GT_DEFINE_AUTOPTR(gt_hash)

/* The part behind the ':'. 'digest' has passed gt_digest_check(). */
const char *gt_digest_hex(const char *digest);

/* Adds the chain ID of each layer, lowest first, for these diff IDs (which are well-formed). */
void gt_chain_ids(const struct gt_strv *diff_ids, struct gt_strv *out);

#endif
