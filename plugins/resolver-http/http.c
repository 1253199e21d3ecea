/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "http.h"

#include "client-cert.h"
#include "url.h"
#include "watch.h"

#include <curl/curl.h>
#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* curl's buffer for what arrives, and what may wait here for the next read. */
#define ARRIVAL_BYTES (128 * 1024)
#define DEPARTURE_BYTES (512 * 1024)
#define HEAD_MAX (64 * 1024) /* bytes of an answer's headers */
#define LEFTOVER_BYTES (16 * 1024)
#define LEFTOVER_MS 10
#define POLL_MS 1000
#define IDLE_MAX 16

/* An easy handle, and the multi handle that has its connections. */
struct handle {
	CURL *easy;
	CURLM *multi;
	char *site; /* "https://host:port" of its last exchange */
	struct handle *next;
};

struct http_pool {
	pthread_mutex_t lock;
	struct handle *idle; /* the last used first */
};

struct http_exchange {
	struct http_pool *pool;
	struct handle *h;
	struct gt_call *call;
	struct http_ask ask;
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
	int status;
	struct gt_labels head;
	size_t head_bytes;
	bool has_head;
	bool is_over; /* curl has ended it */
	CURLcode result;
	struct gt_error *broken; /* what a callback came upon */
	/* Where a read wants the body, and what came beyond that. */
	char *into;
	size_t want, got;
	struct gt_buf rest;
	size_t rest_off;
	bool is_paused;
	int64_t sent; /* bytes of the source */
	/* Time spent waiting, and what moved in it: see pace_check(). */
	int64_t waited, moved;
};

void http_tls_done(struct http_tls *t)
{
	gt_buf_done(&t->ca);
	for (size_t i = 0; i < t->n_pairs; i++) {
		gt_buf_done(&t->pairs[i].cert);
		gt_buf_done(&t->pairs[i].key);
	}
	free(t->pairs);
}

struct http_pair *http_tls_add(struct http_tls *t)
{
	GT_GROW(t->pairs, t->n_pairs, t->alloc_pairs);
	t->pairs[t->n_pairs] = (struct http_pair){ .cert = GT_BUF_INIT, .key = GT_BUF_INIT };
	return &t->pairs[t->n_pairs++];
}

static void handle_free(struct handle *h)
{
	curl_easy_cleanup(h->easy);
	curl_multi_cleanup(h->multi);
	free(h->site);
	free(h);
}

struct gt_error *http_pool_new(struct http_pool **out)
{
	struct http_pool *p;
	CURLcode rc = curl_global_init(CURL_GLOBAL_DEFAULT);

	if (rc)
		return gt_error_new(GT_INTERNAL, "start libcurl: %s", curl_easy_strerror(rc));
	p = gt_xcalloc(1, sizeof(*p));
	pthread_mutex_init(&p->lock, NULL);
	*out = p;
	return NULL;
}

void http_pool_free(struct http_pool *p)
{
	if (!p)
		return;
	while (p->idle) {
		struct handle *h = p->idle;

		p->idle = h->next;
		handle_free(h);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
	curl_global_cleanup();
}

static struct handle *pool_take(struct http_pool *p, const char *url)
{
	gt_autofree char *site = url_site(url);
	struct handle *h = NULL;

	pthread_mutex_lock(&p->lock);
	for (struct handle **at = &p->idle; *at; at = &(*at)->next) {
		if (!strcmp((*at)->site, site)) {
			h = *at;
			*at = h->next;
			break;
		}
	}
	pthread_mutex_unlock(&p->lock);
	if (!h) {
		h = gt_xcalloc(1, sizeof(*h));
		h->easy = curl_easy_init();
		h->multi = curl_multi_init();
		if (!h->easy || !h->multi)
			abort(); /* memory */
	}
	free(h->site);
	h->site = gt_steal(&site);
	return h;
}

static void pool_give(struct http_pool *p, struct handle *h)
{
	struct handle *oldest = NULL;
	size_t n = 0;

	curl_easy_reset(h->easy);
	pthread_mutex_lock(&p->lock);
	h->next = p->idle;
	p->idle = h;
	for (struct handle **at = &p->idle; *at; at = &(*at)->next) {
		if (++n > IDLE_MAX) {
			oldest = *at;
			*at = NULL;
			break;
		}
	}
	pthread_mutex_unlock(&p->lock);
	if (oldest)
		handle_free(oldest);
}

/* --- what curl calls ------------------------------------------------------ */

/* Ends the exchange with an error of our own; takes 'e'. */
static size_t callback_fail_take(struct http_exchange *x, struct gt_error *e)
{
	if (x->broken)
		gt_error_free(e);
	else
		x->broken = e;
	return 0;
}

static void head_add(struct http_exchange *x, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	gt_autofree char *name = NULL;
	gt_autofree char *value = NULL;
	const char *end = line + len, *v;
	const char *had;

	if (!colon || colon == line)
		return;
	name = gt_xstrndup(line, colon - line);
	for (char *p = name; *p; p++)
		*p = tolower((unsigned char)*p);
	for (v = colon + 1; v < end && (*v == ' ' || *v == '\t'); v++)
		;
	while (end > v && isspace((unsigned char)end[-1]))
		end--;
	value = gt_xstrndup(v, end - v);
	had = gt_labels_get(&x->head, name);
	if (had) { /* the same as one with a comma, says RFC 9110 */
		char *both = gt_strf("%s, %s", had, value);

		free(value);
		value = both;
	}
	gt_labels_set(&x->head, name, value);
}

static size_t on_head(char *line, size_t size, size_t n, void *arg)
{
	struct http_exchange *x = arg;
	size_t len = size * n;

	x->head_bytes += len;
	x->moved += len;
	if (x->head_bytes > HEAD_MAX)
		return callback_fail_take(x, gt_error_new(GT_FAILED_PRECONDITION,
							  "answer with more than %d bytes of headers",
							  HEAD_MAX));
	if (x->has_head) /* a trailer */
		return len;
	if (len > 5 && !strncmp(line, "HTTP/", 5)) {
		gt_labels_done(&x->head);
		return len;
	}
	if (len <= 2 && (!len || *line == '\r' || *line == '\n')) {
		long status = 0;

		curl_easy_getinfo(x->h->easy, CURLINFO_RESPONSE_CODE, &status);
		x->status = (int)status;
		x->has_head = status >= 200;
		return len;
	}
	head_add(x, line, len);
	return len;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_exchange *x = arg;
	size_t len = size * n;
	size_t fits = len < x->want - x->got ? len : x->want - x->got;

	if (x->rest.len - x->rest_off >= ARRIVAL_BYTES) {
		x->is_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	x->moved += len;
	if (x->rest.len)
		fits = 0;
	if (fits)
		memcpy(x->into + x->got, data, fits);
	x->got += fits;
	if (fits < len)
		gt_buf_add(&x->rest, data + fits, len - fits);
	return len;
}

static size_t on_source(char *into, size_t size, size_t n, void *arg)
{
	struct http_exchange *x = arg;
	int64_t left = x->ask.source_len - x->sent;
	size_t len = size * n, got;
	struct gt_error *e;

	if ((int64_t)len > left)
		len = left;
	if (!len)
		return 0;
	e = gt_reader_pread(x->ask.source, into, len, x->ask.source_off + x->sent, &got);
	if (!e && !got)
		e = gt_error_new(GT_DATA_LOSS, "content ends %" PRId64 " bytes early", left);
	if (e) {
		callback_fail_take(x, gt_error_wrap(e, "read what is to be sent"));
		return CURL_READFUNC_ABORT;
	}
	x->sent += got;
	x->moved += got;
	if (x->ask.sent)
		x->ask.sent(x->ask.sent_arg, x->sent);
	return got;
}

/* A connection that was kept turned out to be dead: curl begins the body again on a new one. */
static int on_source_seek(void *arg, curl_off_t offset, int origin)
{
	struct http_exchange *x = arg;

	if (origin != SEEK_SET || offset < 0 || offset > x->ask.source_len)
		return CURL_SEEKFUNC_FAIL;
	x->sent = offset;
	return CURL_SEEKFUNC_OK;
}

/* --- running it ----------------------------------------------------------- */

static int milliseconds(int64_t ns)
{
	return ns > INT64_C(1000000) * 86400000 ? 86400000 : (int)((ns + 999999) / 1000000);
}

static void blob_set(CURL *easy, CURLoption option, const struct gt_buf *b)
{
	struct curl_blob blob = { .data = b->s, .len = b->len, .flags = CURL_BLOB_NOCOPY };

	curl_easy_setopt(easy, option, &blob);
}

static void tls_set(CURL *easy, const struct http_ask *a)
{
	bool skip = a->tls && a->tls->skip_verify;

	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, skip ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, skip ? 0L : 2L);
	if (!a->tls)
		return;
	if (a->tls->ca.len)
		blob_set(easy, CURLOPT_CAINFO_BLOB, &a->tls->ca);
	if (!a->tls->n_pairs || a->skip_client_cert)
		return;
	blob_set(easy, CURLOPT_SSLCERT_BLOB, &a->tls->pairs[0].cert);
	blob_set(easy, CURLOPT_SSLKEY_BLOB,
		 a->tls->pairs[0].key.len ? &a->tls->pairs[0].key : &a->tls->pairs[0].cert);
	if (a->tls->n_pairs > 1) {
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, client_cert_choose);
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, (void *)a->tls);
	}
}

static void method_set(struct http_exchange *x)
{
	const struct http_ask *a = &x->ask;
	CURL *easy = x->h->easy;

	if (!strcmp(a->method, "HEAD")) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (a->source) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)a->source_len);
		curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)DEPARTURE_BYTES);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_source);
		curl_easy_setopt(easy, CURLOPT_READDATA, x);
		curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_source_seek);
		curl_easy_setopt(easy, CURLOPT_SEEKDATA, x);
	} else if (a->body || strcmp(a->method, "GET") != 0) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)a->body_len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, a->body ? a->body : "");
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, a->method);
}

static void headers_set(struct http_exchange *x)
{
	bool has_type = false;

	for (size_t i = 0; x->ask.headers && i < x->ask.headers->n; i++) {
		const char *h = x->ask.headers->v[i];

		has_type |= !strncasecmp(h, "Content-Type:", 13);
		x->headers = curl_slist_append(x->headers, h);
	}
	/* curl's own ideas: to wait for "100 Continue", and that every body is a form */
	x->headers = curl_slist_append(x->headers, "Expect:");
	if (!has_type)
		x->headers = curl_slist_append(x->headers, "Content-Type:");
	curl_easy_setopt(x->h->easy, CURLOPT_HTTPHEADER, x->headers);
}

static void handle_set(struct http_exchange *x)
{
	const struct http_ask *a = &x->ask;
	CURL *easy = x->h->easy;

	curl_easy_setopt(easy, CURLOPT_URL, a->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a name server that hangs holds nobody up */
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 a->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)ARRIVAL_BYTES);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)milliseconds(a->limits.connect));
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, a->agent);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
	if (url_is_loopback(a->url)) /* no proxy stands between us and ourselves */
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	if (a->watch && (a->watch->dump || a->watch->trace)) {
		curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
		curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, watch_curl);
		curl_easy_setopt(easy, CURLOPT_DEBUGDATA, (void *)a->watch);
	}
	tls_set(easy, a);
	method_set(x);
	headers_set(x);
}

/* What curl says, without what could be a secret: its texts hold no more than a host's name. */
static const char *curl_text(const struct http_exchange *x)
{
	return *x->error ? x->error : curl_easy_strerror(x->result);
}

static struct gt_error *result_error(const struct http_exchange *x, enum http_failure *why)
{
	const char *text = curl_text(x);
	curl_off_t connected = 0;

	*why = HTTP_BROKEN;
	switch (x->result) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		*why = HTTP_NO_CONNECTION;
		return gt_error_new(GT_UNAVAILABLE, "%s", text);
	case CURLE_OPERATION_TIMEDOUT: /* the only time-out that curl keeps for us */
		curl_easy_getinfo(x->h->easy, CURLINFO_CONNECT_TIME_T, &connected);
		*why = connected ? HTTP_NO_TLS : HTTP_NO_CONNECTION;
		return gt_error_new(GT_UNAVAILABLE, "no connection within %d ms",
				    milliseconds(x->ask.limits.connect));
	case CURLE_SSL_CONNECT_ERROR:
		*why = HTTP_NO_TLS;
		return gt_error_new(GT_UNAVAILABLE,
				    "TLS handshake: %s (a registry that speaks plain http? "
				    "--plain-http, or http:// in hosts.toml)", text);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		*why = HTTP_FINAL;
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "its certificate does not fit: %s (name its authority by --tlscacert or "
				    "`ca` in hosts.toml)", text);
	case CURLE_SSL_CACERT_BADFILE:
		*why = HTTP_FINAL;
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "nothing to check its certificate by: %s (install ca-certificates, or name "
				    "its authority by --tlscacert or `ca` in hosts.toml)", text);
	case CURLE_SSL_CERTPROBLEM:
		*why = HTTP_FINAL;
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "the client's certificate or its key (--tlscert, --tlskey, or `client` in "
				    "hosts.toml): %s", text);
	case CURLE_PARTIAL_FILE:
		return gt_error_new(GT_DATA_LOSS, "the body ended early");
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP 0.9, that is */
	case CURLE_WEIRD_SERVER_REPLY:
		return gt_error_new(GT_UNAVAILABLE, "the connection brings something that is no HTTP");
	case CURLE_URL_MALFORMAT:
		*why = HTTP_FINAL;
		return gt_error_new(GT_INVALID_ARGUMENT, "no URL that can be asked");
	default:
		return gt_error_new(GT_UNAVAILABLE, "the connection broke: %s", text);
	}
}

static void messages_take(struct http_exchange *x)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(x->h->multi, &left))) {
		if (m->msg != CURLMSG_DONE)
			continue;
		x->is_over = true;
		x->result = m->data.result;
	}
}

/*
 * A far side that hangs, or drips a byte now and then, ends here. Only the time that we waited counts:
 * a caller that takes its time between two reads is not the server's fault.
 */
static struct gt_error *pace_check(struct http_exchange *x, int64_t waited)
{
	bool is_answer_due = !x->has_head && (!x->ask.source || x->sent == x->ask.source_len);
	const struct http_limits *l = &x->ask.limits;

	x->waited += waited;
	if (is_answer_due) {
		if (x->waited < l->connect + l->response)
			return NULL;
		return gt_error_new(GT_UNAVAILABLE, "no answer within %d ms", milliseconds(x->waited));
	}
	if (x->waited < l->slow)
		return NULL;
	if (x->moved < l->slow_bytes)
		return gt_error_new(GT_UNAVAILABLE, "only %" PRId64 " bytes moved in %d ms", x->moved,
				    milliseconds(x->waited));
	x->waited = x->moved = 0;
	return NULL;
}

static struct gt_error *wait_step(struct http_exchange *x)
{
	struct curl_waitfd cancel = { .events = CURL_WAIT_POLLIN };
	int64_t before = gt_now();
	bool can_cancel = x->call->cancel;

	if (can_cancel)
		cancel.fd = gt_cancel_fd(x->call->cancel);
	curl_multi_poll(x->h->multi, &cancel, can_cancel, gt_call_left(x->call, POLL_MS), NULL);
	GT_TRY(gt_call_check(x->call));
	return pace_check(x, gt_now() - before);
}

/* Moves what can be moved, then waits if nothing came of it. */
static struct gt_error *step(struct http_exchange *x, bool (*is_enough)(const struct http_exchange *),
			     enum http_failure *why)
{
	int running;

	while (!is_enough(x)) {
		struct gt_error *e = NULL;

		curl_multi_perform(x->h->multi, &running);
		messages_take(x);
		if (x->broken) {
			*why = HTTP_FINAL;
			return gt_steal(&x->broken);
		}
		if (is_enough(x))
			return NULL;
		if (x->is_over)
			return x->result ? result_error(x, why) : NULL;
		e = wait_step(x);
		if (e) {
			/* the call's own end is nothing to try again */
			*why = gt_error_class(e) == GT_UNAVAILABLE ? HTTP_BROKEN : HTTP_FINAL;
			return e;
		}
	}
	return NULL;
}

static bool has_head(const struct http_exchange *x)
{
	return x->has_head;
}

static bool has_bytes(const struct http_exchange *x)
{
	return x->got || x->rest.len;
}

struct gt_error *http_begin(struct http_pool *p, struct gt_call *call, const struct http_ask *a,
			    struct http_exchange **out, enum http_failure *why)
{
	http_autoend x = gt_xcalloc(1, sizeof(*x));

	*why = HTTP_FINAL;
	x->pool = p;
	x->call = call;
	x->ask = *a;
	gt_buf_init(&x->rest);
	x->h = pool_take(p, a->url);
	handle_set(x);
	curl_multi_add_handle(x->h->multi, x->h->easy);
	GT_TRY(step(x, has_head, why));
	if (!x->has_head) {
		*why = HTTP_BROKEN;
		return gt_error_new(GT_UNAVAILABLE, "the connection ended before the answer");
	}
	x->waited = x->moved = 0;
	*out = gt_steal(&x);
	return NULL;
}

int http_status(const struct http_exchange *x)
{
	return x->status;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
	return gt_labels_get(&x->head, name);
}

/* Digits at '*s', which moves behind them; -1 if there are none, or too many. */
static int64_t number_take(const char **s)
{
	size_t n = strspn(*s, "0123456789");
	int64_t v = n && n <= 18 ? strtoll(*s, NULL, 10) : -1;

	*s += n;
	return v;
}

int64_t http_length(const struct http_exchange *x)
{
	const char *s = http_header(x, "content-length");
	int64_t v = s ? number_take(&s) : -1;

	return s && !*s ? v : -1;
}

bool http_content_range(const struct http_exchange *x, int64_t *first, int64_t *total)
{
	const char *s = http_header(x, "content-range");
	int64_t last;

	if (!s || strncasecmp(s, "bytes ", 6) != 0)
		return false;
	s += 6;
	*first = number_take(&s);
	if (*first < 0 || *s++ != '-')
		return false;
	last = number_take(&s);
	if (last < *first || *s++ != '/')
		return false;
	*total = -1;
	if (!strcmp(s, "*"))
		return true;
	*total = number_take(&s);
	return *total > last && !*s;
}

/* What came before anybody asked for it. */
static size_t rest_take(struct http_exchange *x, char *buf, size_t len)
{
	size_t have = x->rest.len - x->rest_off;
	size_t n = len < have ? len : have;

	memcpy(buf, x->rest.s + x->rest_off, n);
	x->rest_off += n;
	if (x->rest_off == x->rest.len) {
		gt_buf_setlen(&x->rest, 0);
		x->rest_off = 0;
	}
	return n;
}

struct gt_error *http_read(struct http_exchange *x, void *buf, size_t len, size_t *out,
			   enum http_failure *why)
{
	struct gt_error *e;

	*out = 0;
	if (!len)
		return NULL;
	if (!x->rest.len) {
		x->into = buf;
		x->want = len;
		x->got = 0;
		if (x->is_paused) {
			x->is_paused = false;
			curl_easy_pause(x->h->easy, CURLPAUSE_CONT);
		}
		e = step(x, has_bytes, why);
		*out = x->got;
		x->into = NULL;
		x->want = x->got = 0;
		if (e && !*out && !x->rest.len)
			return e;
		gt_error_free(e); /* comes again at the next read, when what has arrived is used up */
	}
	if (*out < len && x->rest.len)
		*out += rest_take(x, (char *)buf + *out, len - *out);
	return NULL;
}

struct gt_error *http_read_all(struct http_exchange *x, size_t limit, struct gt_buf *out, bool *more,
			       enum http_failure *why)
{
	char block[16 * 1024];
	size_t n;

	*more = false;
	for (;;) {
		GT_TRY(http_read(x, block, sizeof(block), &n, why));
		if (!n)
			return NULL;
		if (n > limit) {
			gt_buf_add(out, block, limit);
			*more = true;
			return NULL;
		}
		gt_buf_add(out, block, n);
		limit -= n;
	}
}

/* A little that is still to come is worth reading: the connection lives on. */
static void leftover_read(struct http_exchange *x)
{
	int running;

	if (!x->has_head || http_length(x) < 0 || http_length(x) > LEFTOVER_BYTES)
		return;
	for (int i = 0; i < 3 && !x->is_over; i++) {
		curl_multi_perform(x->h->multi, &running);
		messages_take(x);
		if (!x->is_over)
			curl_multi_poll(x->h->multi, NULL, 0, LEFTOVER_MS, NULL);
	}
}

void http_end(struct http_exchange *x)
{
	if (!x)
		return;
	leftover_read(x);
	/* Removing it before its end closes the connection. */
	curl_multi_remove_handle(x->h->multi, x->h->easy);
	pool_give(x->pool, x->h);
	curl_slist_free_all(x->headers);
	gt_labels_done(&x->head);
	gt_buf_done(&x->rest);
	gt_error_free(x->broken);
	free(x);
}
