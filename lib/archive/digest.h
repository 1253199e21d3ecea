/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of a stream, as OCI writes it. For the worker only. */
#ifndef GANTRY_LIB_ARCHIVE_DIGEST_H
#define GANTRY_LIB_ARCHIVE_DIGEST_H

#include <gantry/error.h>

#include <openssl/evp.h>

GT_MUST_USE struct gt_error *layer_digest_new(EVP_MD_CTX **out);
GT_MUST_USE struct gt_error *layer_digest_add(EVP_MD_CTX *md, const void *data, size_t len);
/* "sha256:..." as a new string. Once. */
GT_MUST_USE struct gt_error *layer_digest_end(EVP_MD_CTX *md, char **out);

#endif
