/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "local.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define BLOCK (256 * 1024) /* read and hashed while still in the second-level cache */

void digest_init(struct local_store *s)
{
	static const struct {
		const char *name;
		size_t hex;
	} known[DIGEST_ALG_COUNT] = {
		[DIGEST_SHA256] = { "sha256", 64 },
		[DIGEST_SHA384] = { "sha384", 96 },
		[DIGEST_SHA512] = { "sha512", 128 },
	};

	for (size_t i = 0; i < DIGEST_ALG_COUNT; i++) {
		s->algs[i].name = known[i].name;
		s->algs[i].hex = known[i].hex;
	}
}

void digest_done(struct local_store *s)
{
	for (size_t i = 0; i < DIGEST_ALG_COUNT; i++)
		EVP_MD_free(s->algs[i].md);
}

struct gt_error *digest_md(struct local_store *s, enum digest_alg alg, const EVP_MD **out)
{
	static const char *const names[DIGEST_ALG_COUNT] = {
		[DIGEST_SHA256] = "SHA2-256",
		[DIGEST_SHA384] = "SHA2-384",
		[DIGEST_SHA512] = "SHA2-512",
	};
	EVP_MD *md = atomic_load(&s->algs[alg].md), *none = NULL;

	if (!md) {
		md = EVP_MD_fetch(NULL, names[alg], NULL);
		if (!md)
			return gt_error_new(GT_INTERNAL, "libcrypto has no %s", names[alg]);
		if (!atomic_compare_exchange_strong(&s->algs[alg].md, &none, md)) {
			EVP_MD_free(md); /* another thread was first */
			md = none;
		}
	}
	*out = md;
	return NULL;
}

enum digest_alg digest_alg_of(const struct local_store *s, const char *digest)
{
	for (int i = 0; i < DIGEST_ALG_COUNT; i++) {
		size_t len = strlen(s->algs[i].name);

		if (!strncmp(digest, s->algs[i].name, len) && digest[len] == ':')
			return i;
	}
	return DIGEST_SHA256;
}

struct gt_error *digest_feed_file(EVP_MD_CTX *ctx, int fd, int64_t from, int64_t len,
				  const struct gt_call *call)
{
	gt_autofree char *block = gt_xmalloc(BLOCK);
	int64_t end = from + len;

	while (from < end) {
		size_t want = end - from < BLOCK ? (size_t)(end - from) : BLOCK;
		ssize_t n = pread(fd, block, want, from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read what is stored so far");
		if (n == 0)
			return gt_error_new(GT_DATA_LOSS, "the file ends at %lld, not at %lld",
					    (long long)from, (long long)end);
		if (!EVP_DigestUpdate(ctx, block, n))
			return gt_error_new(GT_INTERNAL, "libcrypto: update the digest");
		from += n;
		if (call)
			GT_TRY(gt_call_check(call));
	}
	return NULL;
}

static void add_hex(struct gt_buf *b, const unsigned char *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		gt_buf_addc(b, digits[bytes[i] >> 4]);
		gt_buf_addc(b, digits[bytes[i] & 15]);
	}
}

struct gt_error *digest_text(const EVP_MD_CTX *ctx, const char *alg, char **out)
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	bool ok = copy && EVP_MD_CTX_copy_ex(copy, ctx) && EVP_DigestFinal_ex(copy, bytes, &n);
	struct gt_buf b = GT_BUF_INIT;

	EVP_MD_CTX_free(copy);
	if (!ok)
		return gt_error_new(GT_INTERNAL, "libcrypto: finish the digest");
	gt_buf_addf(&b, "%s:", alg);
	add_hex(&b, bytes, n);
	*out = gt_buf_detach(&b);
	return NULL;
}

struct gt_error *digest_of_string(struct local_store *s, const char *text, char **out)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	struct gt_buf b = GT_BUF_INIT;
	const EVP_MD *md;
	unsigned n = 0;

	GT_TRY(digest_md(s, DIGEST_SHA256, &md));
	if (!EVP_Digest(text, strlen(text), bytes, &n, md, NULL))
		return gt_error_new(GT_INTERNAL, "libcrypto: digest of a ref");
	add_hex(&b, bytes, n);
	*out = gt_buf_detach(&b);
	return NULL;
}
