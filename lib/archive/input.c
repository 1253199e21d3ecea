/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/input.h>

#include <archive/decode.h>
#include <archive/digest.h>
#include <gantry/buf.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define IN_SIZE (128 * 1024)
#define BLOCK_SIZE (512 * 1024)
#define N_BLOCKS 6 /* with a thread; one without */

struct block {
	uint8_t *data;
	size_t len;
};

struct layer_input {
	struct layer_input_options o;
	struct layer_decoder *decoder; /* NULL: not compressed */
	EVP_MD_CTX *md;
	bool regular;
	int64_t file_size;
	int64_t pos; /* in the blob */
	int64_t produced;
	bool whole; /* what came so far may be all */
	bool in_end, end;
	uint8_t *in;
	size_t in_off, in_len;
	uint8_t *arena;
	struct block blocks[N_BLOCKS];

	bool threaded;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned filled, taken; /* counts of blocks, ever */
	bool stop, ended;
	struct gt_error *error; /* of the thread */
};

static struct gt_error *read_some(struct layer_input *in, void *to, size_t len, size_t *n)
{
	ssize_t r;

	do
		r = in->regular ? pread(in->o.fd, to, len, in->pos) : read(in->o.fd, to, len);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "read the blob");
	in->pos += r;
	in->in_end = r == 0;
	*n = r;
	return NULL;
}

static struct gt_error *check_limits(struct layer_input *in, int64_t produced)
{
	const int64_t grace = 64 << 20; /* a small layer of zeros is no bomb */

	if (in->o.max_size && produced > in->o.max_size)
		return gt_error_new(GT_RESOURCE_EXHAUSTED,
				    "it holds more than %lld bytes uncompressed, the limit",
				    (long long)in->o.max_size);
	if (in->o.max_ratio && produced > grace && produced / in->o.max_ratio > in->pos)
		return gt_error_new(GT_RESOURCE_EXHAUSTED,
				    "it grows to more than %lld times its size, the limit",
				    (long long)in->o.max_ratio);
	return NULL;
}

/* Bytes as they are: those that were read to tell the compression, then straight from the blob. */
static struct gt_error *fill_plain(struct layer_input *in, struct block *b)
{
	while (b->len < BLOCK_SIZE && !in->end) {
		size_t n = in->in_len;

		if (n) {
			memcpy(b->data + b->len, in->in + in->in_off, n);
			in->in_len = 0;
		} else {
			GT_TRY(read_some(in, b->data + b->len, BLOCK_SIZE - b->len, &n));
			in->end = n == 0;
			if (!in->regular && n) { /* a pipe: hand on what is there */
				b->len += n;
				return NULL;
			}
		}
		b->len += n;
	}
	return NULL;
}

static struct gt_error *fill_decoded(struct layer_input *in, struct block *b)
{
	while (b->len < BLOCK_SIZE && !in->end) {
		struct layer_decode_span span;
		size_t before;

		if (!in->in_len && !in->in_end) {
			in->in_off = 0;
			GT_TRY(read_some(in, in->in, IN_SIZE, &in->in_len));
		}
		span = (struct layer_decode_span){ in->in + in->in_off, in->in_len,
						   b->data + b->len, BLOCK_SIZE - b->len };
		before = span.out_len;
		GT_TRY(in->decoder->ops->step(in->decoder, &span, &in->whole));
		b->len += before - span.out_len;
		if (in->in_end && before == span.out_len && span.in_len == in->in_len) {
			if (!in->whole)
				return gt_error_new(GT_INVALID_ARGUMENT, "it is truncated");
			in->end = true;
		}
		in->in_off += in->in_len - span.in_len;
		in->in_len = span.in_len;
	}
	return NULL;
}

static struct gt_error *fill(struct layer_input *in, struct block *b)
{
	b->len = 0;
	if (in->end)
		return NULL;
	GT_TRY(in->decoder ? fill_decoded(in, b) : fill_plain(in, b));
	in->produced += b->len;
	GT_TRY(check_limits(in, in->produced));
	return in->md ? layer_digest_add(in->md, b->data, b->len) : NULL;
}

struct gt_error *layer_input_open(const struct layer_input_options *o, struct layer_input **out)
{
	gt_autoptr(layer_input) in = gt_xcalloc(1, sizeof(*in));
	struct stat st;

	in->o = *o;
	pthread_mutex_init(&in->lock, NULL);
	pthread_cond_init(&in->changed, NULL);
	if (fstat(o->fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "look at the blob");
	in->regular = S_ISREG(st.st_mode);
	in->file_size = in->regular ? st.st_size : -1;
	if (in->regular)
		posix_fadvise(o->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (o->digest)
		GT_TRY(layer_digest_new(&in->md));
	in->in = gt_xmalloc(IN_SIZE);
	while (in->in_len < LAYER_DECODE_MAGIC && !in->in_end) {
		size_t n;

		GT_TRY(read_some(in, in->in + in->in_len, IN_SIZE - in->in_len, &n));
		in->in_len += n;
	}
	if (!o->raw)
		GT_TRY(layer_decoder_new(in->in, in->in_len, o->max_window, &in->decoder));
	in->arena = mmap(NULL, N_BLOCKS * BLOCK_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (in->arena == MAP_FAILED) {
		in->arena = NULL;
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "map buffers");
	}
	for (int i = 0; i < N_BLOCKS; i++)
		in->blocks[i].data = in->arena + (size_t)i * BLOCK_SIZE;
	*out = gt_steal(&in);
	return NULL;
}

static void *run_ahead(void *arg)
{
	struct layer_input *in = arg;
	bool stop = false;

	while (!stop) {
		struct block *b = &in->blocks[in->filled % N_BLOCKS];
		struct gt_error *e = fill(in, b);

		pthread_mutex_lock(&in->lock);
		in->error = e;
		in->ended = e || !b->len;
		if (!in->ended)
			in->filled++;
		pthread_cond_broadcast(&in->changed);
		/* One stays free: the reader still holds the last it took. */
		while (!in->stop && !in->ended && in->filled - in->taken >= N_BLOCKS - 1)
			pthread_cond_wait(&in->changed, &in->lock);
		stop = in->stop || in->ended;
		pthread_mutex_unlock(&in->lock);
	}
	return NULL;
}

struct gt_error *layer_input_start_thread(struct layer_input *in)
{
	int r = pthread_create(&in->thread, NULL, run_ahead, in);

	if (r)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, r, "start a thread");
	in->threaded = true;
	return NULL;
}

/* A pipe may give an empty block before its end; only the end is one for the caller. */
static struct gt_error *next_here(struct layer_input *in, const void **data, size_t *len)
{
	struct block *b = &in->blocks[0];

	GT_TRY(fill(in, b));
	*data = b->data;
	*len = b->len;
	return NULL;
}

struct gt_error *layer_input_next(struct layer_input *in, const void **data, size_t *len)
{
	struct gt_error *e = NULL;

	if (!in->threaded)
		return next_here(in, data, len);
	pthread_mutex_lock(&in->lock);
	while (in->filled == in->taken && !in->ended)
		pthread_cond_wait(&in->changed, &in->lock);
	if (in->filled != in->taken) {
		struct block *b = &in->blocks[in->taken % N_BLOCKS];

		*data = b->data;
		*len = b->len;
		in->taken++;
		pthread_cond_broadcast(&in->changed);
	} else {
		e = gt_steal(&in->error);
		*len = 0;
	}
	pthread_mutex_unlock(&in->lock);
	return e;
}

struct gt_error *layer_input_drain(struct layer_input *in)
{
	const void *data;
	size_t len;

	do
		GT_TRY(layer_input_next(in, &data, &len));
	while (len);
	return NULL;
}

bool layer_input_is_plain_file(const struct layer_input *in, int64_t *size)
{
	*size = in->file_size;
	return in->regular && !in->decoder;
}

void layer_input_skip(struct layer_input *in, int64_t n)
{
	/* What stands in 'in' was read ahead of 'pos'. */
	in->pos += n - (int64_t)in->in_len;
	in->in_len = 0;
	in->produced += n;
}

int64_t layer_input_consumed(const struct layer_input *in)
{
	return in->pos;
}

int64_t layer_input_produced(const struct layer_input *in)
{
	return in->produced;
}

struct gt_error *layer_input_digest(struct layer_input *in, char **out)
{
	return layer_digest_end(in->md, out);
}

void layer_input_free(struct layer_input *in)
{
	if (!in)
		return;
	if (in->threaded) {
		pthread_mutex_lock(&in->lock);
		in->stop = true;
		pthread_cond_broadcast(&in->changed);
		pthread_mutex_unlock(&in->lock);
		pthread_join(in->thread, NULL);
	}
	pthread_mutex_destroy(&in->lock);
	pthread_cond_destroy(&in->changed);
	gt_error_free(in->error);
	if (in->decoder)
		in->decoder->ops->free(in->decoder);
	EVP_MD_CTX_free(in->md);
	if (in->arena)
		munmap(in->arena, N_BLOCKS * BLOCK_SIZE);
	free(in->in);
	free(in);
}
