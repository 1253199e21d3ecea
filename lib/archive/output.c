/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/output.h>

#include <archive/digest.h>

#include <isa-l/igzip_lib.h>
#include <string.h>
#include <zstd.h>

#define OUT_SIZE (128 * 1024)
#define GZIP_LEVEL 3 /* of ISA-L: between zlib's 1 and 4 in size, several times faster */
#define ZSTD_LEVEL 3

struct layer_output {
	enum layer_compression compression;
	EVP_MD_CTX *md;
	int64_t size;
	struct isal_zstream gzip;
	uint8_t *gzip_level;
	ZSTD_CCtx *zstd;
	uint8_t *out;
	size_t len; /* in 'out' */
	struct gt_buf frame;
};

static void send(struct layer_output *o)
{
	size_t begin;

	gt_buf_reserve(&o->frame, 0);
	gt_buf_setlen(&o->frame, 0);
	begin = gt_frame_begin(&o->frame, GT_FRAME_DATA);
	gt_buf_add(&o->frame, o->out, o->len);
	gt_frame_end(&o->frame, begin);
	if (o->len)
		layer_say(&o->frame);
	o->len = 0;
}

static struct gt_error *write_plain(struct layer_output *o, const uint8_t *p, size_t len)
{
	while (len) {
		size_t n = len < OUT_SIZE - o->len ? len : OUT_SIZE - o->len;

		memcpy(o->out + o->len, p, n);
		o->len += n;
		p += n;
		len -= n;
		if (o->len == OUT_SIZE)
			send(o);
	}
	return NULL;
}

static struct gt_error *write_gzip(struct layer_output *o, const uint8_t *p, size_t len, bool end)
{
	o->gzip.next_in = (uint8_t *)p;
	o->gzip.avail_in = len;
	o->gzip.end_of_stream = end;
	do {
		o->gzip.next_out = o->out + o->len;
		o->gzip.avail_out = OUT_SIZE - o->len;
		if (isal_deflate(&o->gzip) != COMP_OK)
			return gt_error_new(GT_INTERNAL, "compress with gzip");
		o->len = OUT_SIZE - o->gzip.avail_out;
		if (o->len == OUT_SIZE)
			send(o);
	} while (o->gzip.avail_in || (end && o->gzip.internal_state.state != ZSTATE_END));
	return NULL;
}

static struct gt_error *write_zstd(struct layer_output *o, const uint8_t *p, size_t len, bool end)
{
	ZSTD_inBuffer in = { p, len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { o->out, OUT_SIZE, o->len };

		left = ZSTD_compressStream2(o->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return gt_error_new(GT_INTERNAL, "compress with zstd: %s",
					    ZSTD_getErrorName(left));
		o->len = out.pos;
		if (o->len == OUT_SIZE)
			send(o);
	} while (in.pos < in.size || (end && left));
	return NULL;
}

struct gt_error *layer_output_open(enum layer_compression compression, struct layer_output **out)
{
	gt_autoptr(layer_output) o = gt_xcalloc(1, sizeof(*o));

	o->compression = compression;
	o->out = gt_xmalloc(OUT_SIZE);
	gt_buf_init(&o->frame);
	GT_TRY(layer_digest_new(&o->md));
	isal_deflate_init(&o->gzip);
	if (compression == LAYER_GZIP) {
		o->gzip_level = gt_xmalloc(ISAL_DEF_LVL3_DEFAULT);
		o->gzip.level = GZIP_LEVEL;
		o->gzip.level_buf = o->gzip_level;
		o->gzip.level_buf_size = ISAL_DEF_LVL3_DEFAULT;
		o->gzip.gzip_flag = IGZIP_GZIP;
		o->gzip.flush = NO_FLUSH;
	} else if (compression == LAYER_ZSTD) {
		o->zstd = ZSTD_createCCtx();
		if (!o->zstd ||
		    ZSTD_isError(ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_compressionLevel,
							ZSTD_LEVEL)) ||
		    ZSTD_isError(ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_checksumFlag, 1)))
			return gt_error_new(GT_RESOURCE_EXHAUSTED, "set up zstd");
	}
	*out = gt_steal(&o);
	return NULL;
}

struct gt_error *layer_output_write(struct layer_output *o, const void *data, size_t len)
{
	o->size += len;
	GT_TRY(layer_digest_add(o->md, data, len));
	switch (o->compression) {
	case LAYER_GZIP:
		return len ? write_gzip(o, data, len, false) : NULL;
	case LAYER_ZSTD:
		return len ? write_zstd(o, data, len, false) : NULL;
	default:
		return write_plain(o, data, len);
	}
}

struct gt_error *layer_output_end(struct layer_output *o, struct layer_done *done)
{
	if (o->compression == LAYER_GZIP)
		GT_TRY(write_gzip(o, NULL, 0, true));
	else if (o->compression == LAYER_ZSTD)
		GT_TRY(write_zstd(o, NULL, 0, true));
	send(o);
	done->size = o->size;
	return layer_digest_end(o->md, &done->digest);
}

void layer_output_free(struct layer_output *o)
{
	if (!o)
		return;
	EVP_MD_CTX_free(o->md);
	ZSTD_freeCCtx(o->zstd);
	free(o->gzip_level);
	free(o->out);
	gt_buf_done(&o->frame);
	free(o);
}
