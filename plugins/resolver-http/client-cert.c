/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several certificates a client shows: one whose authority the server says it knows. */
#include <config.h>

#include "client-cert.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

/* A certificate with its chain and key, as OpenSSL has them. */
struct shown {
	X509 *leaf;
	STACK_OF(X509) *chain;
	EVP_PKEY *key;
};

static void shown_done(struct shown *s)
{
	X509_free(s->leaf);
	sk_X509_pop_free(s->chain, X509_free);
	EVP_PKEY_free(s->key);
}

static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return 0; /* nobody is asked on a terminal */
}

static bool shown_read(const struct http_pair *p, struct shown *s)
{
	const struct gt_buf *key = p->key.len ? &p->key : &p->cert;
	BIO *in = BIO_new_mem_buf(p->cert.s, (int)p->cert.len);
	X509 *next;

	s->chain = sk_X509_new_null();
	s->leaf = PEM_read_bio_X509(in, NULL, no_passphrase, NULL);
	while (s->leaf && (next = PEM_read_bio_X509(in, NULL, no_passphrase, NULL)))
		sk_X509_push(s->chain, next);
	BIO_free(in);
	in = BIO_new_mem_buf(key->s, (int)key->len);
	s->key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
	BIO_free(in);
	ERR_clear_error(); /* the end of the file is one */
	return s->leaf && s->key;
}

static bool is_wanted(const STACK_OF(X509_NAME) *authorities, const X509 *cert)
{
	for (int i = 0; i < sk_X509_NAME_num(authorities); i++) {
		if (!X509_NAME_cmp(sk_X509_NAME_value(authorities, i), X509_get_issuer_name(cert)))
			return true;
	}
	return false;
}

/* Called when the server asks for a certificate; 1: go on, with it or without. */
static int choose(SSL *ssl, void *arg)
{
	const struct http_tls *t = arg;
	const STACK_OF(X509_NAME) *authorities = SSL_get0_peer_CA_list(ssl);

	for (size_t i = 0; i < t->n_pairs; i++) {
		struct shown s = { 0 };
		bool fits = shown_read(&t->pairs[i], &s);
		bool is_last = i + 1 == t->n_pairs;

		if (fits && sk_X509_NAME_num(authorities) > 0 && !is_wanted(authorities, s.leaf)) {
			fits = is_last; /* it may know better what it takes */
			for (int k = 0; k < sk_X509_num(s.chain); k++)
				fits |= is_wanted(authorities, sk_X509_value(s.chain, k));
		}
		if (fits)
			fits = SSL_use_cert_and_key(ssl, s.leaf, s.key, s.chain, 1) == 1;
		shown_done(&s);
		if (fits)
			break;
	}
	return 1;
}

CURLcode client_cert_choose(CURL *easy, void *ssl_ctx, void *tls)
{
	(void)easy;
	SSL_CTX_set_cert_cb(ssl_ctx, choose, tls);
	return CURLE_OK;
}
