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

static char *digest512_of(bool is384, const void *data, size_t len)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	unsigned char md[SHA512_DIGEST_LENGTH];
	SHA512_CTX ctx;

	if (is384) {
		SHA384_Init(&ctx);
		SHA384_Update(&ctx, data, len);
		SHA384_Final(md, &ctx);
	} else {
		SHA512_Init(&ctx);
		SHA512_Update(&ctx, data, len);
		SHA512_Final(md, &ctx);
	}
	gt_buf_adds(&out, is384 ? "sha384:" : "sha512:");
	add_hex(&out, md, is384 ? SHA384_DIGEST_LENGTH : SHA512_DIGEST_LENGTH);
	return gt_buf_detach(&out);
}

struct gt_error *gt_digest_verify(const char *digest, const void *data, size_t len)
{
	gt_autofree char *have = NULL;

	GT_TRY(gt_digest_check(digest));
	if (!strncmp(digest, "sha256:", 7))
		have = gt_digest_of(data, len);
	else
		have = digest512_of(!strncmp(digest, "sha384:", 7), data, len);
	if (!strcmp(have, digest))
		return NULL;
	return gt_error_new(GT_FAILED_PRECONDITION, "digest %s, expected %s", have, digest);
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
