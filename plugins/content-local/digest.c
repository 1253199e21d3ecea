/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

/*
 * libcrypto's plain functions instead of EVP, linked into the plugin: loading libcrypto.so and its
 * providers would cost each command milliseconds, also those that hash nothing.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "local.h"

#include <errno.h>
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

void digest_start(struct digest *d, enum digest_alg alg)
{
	d->alg = alg;
	switch (alg) {
	case DIGEST_SHA384:
		SHA384_Init(&d->sha512);
		break;
	case DIGEST_SHA512:
		SHA512_Init(&d->sha512);
		break;
	default:
		SHA256_Init(&d->sha256);
	}
}

void digest_update(struct digest *d, const void *data, size_t len)
{
	if (d->alg == DIGEST_SHA256)
		SHA256_Update(&d->sha256, data, len);
	else
		SHA512_Update(&d->sha512, data, len);
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

struct gt_error *digest_feed_file(struct digest *d, int fd, int64_t from, int64_t len,
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
		digest_update(d, block, n);
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

char *digest_text(const struct digest *d, const char *alg)
{
	struct digest copy = *d;
	unsigned char bytes[SHA512_DIGEST_LENGTH];
	struct gt_buf b = GT_BUF_INIT;
	size_t n = SHA256_DIGEST_LENGTH;

	if (d->alg == DIGEST_SHA256) {
		SHA256_Final(bytes, &copy.sha256);
	} else {
		n = d->alg == DIGEST_SHA384 ? SHA384_DIGEST_LENGTH : SHA512_DIGEST_LENGTH;
		SHA512_Final(bytes, &copy.sha512);
	}
	gt_buf_addf(&b, "%s:", alg);
	add_hex(&b, bytes, n);
	return gt_buf_detach(&b);
}

char *digest_of_string(const char *text)
{
	struct digest d;
	gt_autofree char *full = NULL;

	digest_start(&d, DIGEST_SHA256);
	digest_update(&d, text, strlen(text));
	full = digest_text(&d, "sha256");
	return gt_xstrdup(strchr(full, ':') + 1);
}
