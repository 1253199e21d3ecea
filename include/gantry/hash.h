/* SPDX-License-Identifier: Apache-2.0 */
/* Digests as OCI writes them, "sha256:" and 64 hex digits; sha384 and sha512 likewise. */
#ifndef GANTRY_HASH_H
#define GANTRY_HASH_H

#include <gantry/call.h>

#include <stddef.h>
#include <stdint.h>

/* Whether this is a well-formed digest, else INVALID_ARGUMENT. */
GT_MUST_USE struct gt_error *gt_digest_check(const char *digest);
/* The part behind the ':' of a well-formed one. */
const char *gt_digest_hex(const char *digest);
/* "sha256:HEX" of bytes, a new string. */
char *gt_digest_of(const void *data, size_t len);
/*
 * Whether bytes have that digest: INVALID_ARGUMENT if it is malformed, FAILED_PRECONDITION, naming
 * both, if they do not.
 */
GT_MUST_USE struct gt_error *gt_digest_verify(const char *digest, const void *data, size_t len);

/* The same of bytes that come piece by piece. */
struct gt_hash;
/* With the algorithm of a digest, of which all but the name before the ':' may be missing. */
GT_MUST_USE struct gt_error *gt_hash_new(const char *digest, struct gt_hash **out);
void gt_hash_free(struct gt_hash *h);
GT_DEFINE_AUTOPTR(gt_hash)
/* Forgets what came. */
void gt_hash_restart(struct gt_hash *h);
void gt_hash_add(struct gt_hash *h, const void *data, size_t len);
/* 'len' bytes of a file. DATA_LOSS if it ends before. 'call', which may be NULL, is asked now and then. */
GT_MUST_USE struct gt_error *gt_hash_add_file(struct gt_hash *h, int fd, int64_t off, int64_t len,
					      const struct gt_call *call);
/* "ALGORITHM:HEX" of what has come so far, a new string; more may come. */
char *gt_hash_digest(const struct gt_hash *h);
/* Whether what has come has that digest: FAILED_PRECONDITION, naming both. */
GT_MUST_USE struct gt_error *gt_hash_check(const struct gt_hash *h, const char *digest);

#endif
