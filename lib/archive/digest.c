/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/digest.h>

#include <gantry/buf.h>

struct gt_error *layer_digest_new(EVP_MD_CTX **out)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL)) {
		EVP_MD_CTX_free(md);
		return gt_error_new(GT_INTERNAL, "set up SHA-256");
	}
	*out = md;
	return NULL;
}

struct gt_error *layer_digest_add(EVP_MD_CTX *md, const void *data, size_t len)
{
	if (!EVP_DigestUpdate(md, data, len))
		return gt_error_new(GT_INTERNAL, "hash the layer");
	return NULL;
}

struct gt_error *layer_digest_end(EVP_MD_CTX *md, char **out)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char value[EVP_MAX_MD_SIZE];
	gt_auto(gt_buf) b = GT_BUF_INIT;
	unsigned n;

	if (!EVP_DigestFinal_ex(md, value, &n))
		return gt_error_new(GT_INTERNAL, "hash the layer");
	gt_buf_adds(&b, "sha256:");
	for (unsigned i = 0; i < n; i++) {
		gt_buf_addc(&b, hex[value[i] >> 4]);
		gt_buf_addc(&b, hex[value[i] & 15]);
	}
	*out = gt_buf_detach(&b);
	return NULL;
}
