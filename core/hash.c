/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

/*
 * libcrypto's plain functions instead of EVP, from its static library: loading libcrypto.so and its
 * providers would cost each command more than all that one like `ctr run` hashes.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <gantry/hash.h>

#include <gantry/buf.h>

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>

#define BLOCK (256 * 1024) /* read and hashed while still in the second-level cache */

struct algorithm {
	const char *name;
	size_t len; /* of its digests, in bytes */
};

static const struct algorithm algorithms[] = {
	{ "sha256", SHA256_DIGEST_LENGTH },
	{ "sha384", SHA384_DIGEST_LENGTH },
	{ "sha512", SHA512_DIGEST_LENGTH },
};

struct gt_hash {
	const struct algorithm *alg;
	union {
		SHA256_CTX sha256;
		SHA512_CTX sha512; /* also SHA-384's */
	};
};

/* NULL if it begins with the name of none. */
static const struct algorithm *algorithm_of(const char *digest)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		size_t n = strlen(algorithms[i].name);

		if (!strncmp(digest, algorithms[i].name, n) && (!digest[n] || digest[n] == ':'))
			return &algorithms[i];
	}
	return NULL;
}

struct gt_error *gt_digest_check(const char *digest)
{
	const struct algorithm *alg = digest ? algorithm_of(digest) : NULL;
	const char *hex = alg ? gt_digest_hex(digest) : "";

	if (alg && strlen(hex) == 2 * alg->len && strspn(hex, "0123456789abcdef") == 2 * alg->len)
		return NULL;
	return gt_error_new(GT_INVALID_ARGUMENT, "\"%.200s\" is no digest such as sha256:HEX",
			    digest ? digest : "");
}

const char *gt_digest_hex(const char *digest)
{
	const char *colon = strchr(digest, ':');

	return colon ? colon + 1 : digest;
}

static void start(struct gt_hash *h, const struct algorithm *alg)
{
	h->alg = alg;
	if (alg->len == SHA256_DIGEST_LENGTH)
		SHA256_Init(&h->sha256);
	else if (alg->len == SHA384_DIGEST_LENGTH)
		SHA384_Init(&h->sha512);
	else
		SHA512_Init(&h->sha512);
}

struct gt_error *gt_hash_new(const char *digest, struct gt_hash **out)
{
	const struct algorithm *alg = algorithm_of(digest);
	struct gt_hash *h;

	if (!alg || digest[strlen(alg->name)])
		GT_TRY(gt_digest_check(digest));
	h = gt_xcalloc(1, sizeof(*h));
	start(h, alg);
	*out = h;
	return NULL;
}

void gt_hash_free(struct gt_hash *h)
{
	free(h);
}

void gt_hash_restart(struct gt_hash *h)
{
	start(h, h->alg);
}

void gt_hash_add(struct gt_hash *h, const void *data, size_t len)
{
	if (h->alg->len == SHA256_DIGEST_LENGTH)
		SHA256_Update(&h->sha256, data, len);
	else
		SHA512_Update(&h->sha512, data, len);
}

struct gt_error *gt_hash_add_file(struct gt_hash *h, int fd, int64_t off, int64_t len,
				  const struct gt_call *call)
{
	gt_autofree char *block = gt_xmalloc(BLOCK);
	int64_t end = off + len;

	while (off < end) {
		ssize_t n = pread(fd, block, end - off < BLOCK ? end - off : BLOCK, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read to digest");
		if (n == 0)
			return gt_error_new(GT_DATA_LOSS, "the file ends at %lld, not at %lld",
					    (long long)off, (long long)end);
		gt_hash_add(h, block, n);
		off += n;
		if (call)
			GT_TRY(gt_call_check(call));
	}
	return NULL;
}

char *gt_hash_digest(const struct gt_hash *h)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char md[SHA512_DIGEST_LENGTH];
	gt_auto(gt_buf) out = GT_BUF_INIT;
	struct gt_hash end = *h;

	if (h->alg->len == SHA256_DIGEST_LENGTH)
		SHA256_Final(md, &end.sha256);
	else
		SHA512_Final(md, &end.sha512);
	gt_buf_addf(&out, "%s:", h->alg->name);
	for (size_t i = 0; i < h->alg->len; i++) {
		gt_buf_addc(&out, digits[md[i] >> 4]);
		gt_buf_addc(&out, digits[md[i] & 15]);
	}
	return gt_buf_detach(&out);
}

struct gt_error *gt_hash_check(const struct gt_hash *h, const char *digest)
{
	gt_autofree char *have = gt_hash_digest(h);

	if (!strcmp(have, digest))
		return NULL;
	return gt_error_new(GT_FAILED_PRECONDITION, "digest %s, expected %s", have, digest);
}

char *gt_digest_of(const void *data, size_t len)
{
	struct gt_hash h;

	start(&h, algorithms);
	gt_hash_add(&h, data, len);
	return gt_hash_digest(&h);
}

struct gt_error *gt_digest_verify(const char *digest, const void *data, size_t len)
{
	gt_autoptr(gt_hash) h = NULL;

	GT_TRY(gt_digest_check(digest));
	GT_TRY(gt_hash_new(digest, &h));
	gt_hash_add(h, data, len);
	return gt_hash_check(h, digest);
}
