/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

/*
 * libcrypto's plain functions instead of EVP: the first EVP digest of a process loads the
 * providers, which costs more than all that a command like `ctr run` hashes.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <oci/digest.h>

#include <gantry/content.h>

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>

#define CHUNK (256 * 1024)

static void add_hex(struct gt_buf *out, const unsigned char *md, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		gt_buf_addc(out, digits[md[i] >> 4]);
		gt_buf_addc(out, digits[md[i] & 15]);
	}
}

char *gt_digest_of(const void *data, size_t len)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	unsigned char md[SHA256_DIGEST_LENGTH];
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, data, len);
	SHA256_Final(md, &ctx);
	gt_buf_adds(&out, "sha256:");
	add_hex(&out, md, sizeof(md));
	return gt_buf_detach(&out);
}

struct gt_error *gt_digest_of_file(int fd, int64_t off, int64_t len, const struct gt_call *call,
				   char **out)
{
	gt_autofree char *buf = gt_xmalloc(CHUNK);
	gt_auto(gt_buf) text = GT_BUF_INIT;
	unsigned char md[SHA256_DIGEST_LENGTH];
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	while (len > 0) {
		ssize_t n = pread(fd, buf, len < CHUNK ? len : CHUNK, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read to digest");
		if (n == 0)
			return gt_error_new(GT_OUT_OF_RANGE, "file ends before it should");
		SHA256_Update(&ctx, buf, n);
		off += n;
		len -= n;
		GT_TRY(gt_call_check(call));
	}
	SHA256_Final(md, &ctx);
	gt_buf_adds(&text, "sha256:");
	add_hex(&text, md, sizeof(md));
	*out = gt_buf_detach(&text);
	return NULL;
}

struct gt_hash {
	char *digest; /* expected */
	size_t len; /* of its bytes */
	SHA256_CTX sha256;
	SHA512_CTX sha512; /* also SHA-384's */
};

struct gt_error *gt_hash_new(const char *digest, struct gt_hash **out)
{
	struct gt_hash *h;

	GT_TRY(gt_digest_check(digest));
	h = gt_xcalloc(1, sizeof(*h));
	h->digest = gt_xstrdup(digest);
	h->len = strlen(gt_digest_hex(digest)) / 2;
	if (h->len == SHA256_DIGEST_LENGTH)
		SHA256_Init(&h->sha256);
	else if (h->len == SHA384_DIGEST_LENGTH)
		SHA384_Init(&h->sha512);
	else
		SHA512_Init(&h->sha512);
	*out = h;
	return NULL;
}

void gt_hash_add(struct gt_hash *h, const void *data, size_t len)
{
	if (h->len == SHA256_DIGEST_LENGTH)
		SHA256_Update(&h->sha256, data, len);
	else
		SHA512_Update(&h->sha512, data, len);
}

struct gt_error *gt_hash_check(struct gt_hash *h)
{
	unsigned char md[SHA512_DIGEST_LENGTH];
	gt_auto(gt_buf) have = GT_BUF_INIT;

	if (h->len == SHA256_DIGEST_LENGTH)
		SHA256_Final(md, &h->sha256);
	else
		SHA512_Final(md, &h->sha512);
	gt_buf_add(&have, h->digest, gt_digest_hex(h->digest) - h->digest);
	add_hex(&have, md, h->len);
	if (!strcmp(have.s, h->digest))
		return NULL;
	return gt_error_new(GT_FAILED_PRECONDITION, "digest %s, expected %s", have.s, h->digest);
}

void gt_hash_free(struct gt_hash *h)
{
	if (!h)
		return;
	free(h->digest);
	free(h);
}

struct gt_error *gt_digest_verify(const char *digest, const void *data, size_t len)
{
	gt_autoptr(gt_hash) h = NULL;

	GT_TRY(gt_hash_new(digest, &h));
	gt_hash_add(h, data, len);
	return gt_hash_check(h);
}

const char *gt_digest_hex(const char *digest)
{
	const char *colon = strchr(digest, ':');

	return colon ? colon + 1 : digest;
}

void gt_chain_ids(const struct gt_strv *diff_ids, struct gt_strv *out)
{
	const char *below = NULL;

	for (size_t i = 0; i < diff_ids->n; i++) {
		if (!below) {
			gt_strv_add(out, diff_ids->v[i]);
		} else {
			gt_autofree char *text = gt_strf("%s %s", below, diff_ids->v[i]);

			gt_strv_add_take(out, gt_digest_of(text, strlen(text)));
		}
		below = out->v[out->n - 1];
	}
}
