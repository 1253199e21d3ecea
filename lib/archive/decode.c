/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/decode.h>

#include <gantry/buf.h>

#include <isa-l/igzip_lib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

/*
 * gzip. A blob may hold several members, one after the other. ISA-L takes each; a header that it does
 * not support goes to zlib, which then keeps the rest of the stream.
 */
struct gzip {
	struct layer_decoder base;
	struct inflate_state state;
	bool began; /* a member */
	uint8_t head[512]; /* of the member, for zlib, while ISA-L has put nothing out */
	size_t head_len;
	struct layer_decoder *fallback;
};

static const char *isal_text(int r)
{
	switch (r) {
	case ISAL_INVALID_BLOCK:
	case ISAL_INVALID_SYMBOL:
	case ISAL_INVALID_LOOKBACK:
		return "its compressed data are broken";
	case ISAL_INVALID_WRAPPER:
		return "bytes that are no gzip header";
	case ISAL_INCORRECT_CHECKSUM:
		return "checksum mismatch";
	default:
		return "not understood";
	}
}

/* Gives zlib the member from its start. */
static struct gt_error *gzip_fall_back(struct gzip *g, struct layer_decode_span *span, bool *whole)
{
	struct layer_decode_span head = { g->head, g->head_len, span->out, span->out_len };

	GT_TRY(layer_decoder_zlib(&g->fallback));
	GT_TRY(g->fallback->ops->step(g->fallback, &head, whole));
	span->out = head.out;
	span->out_len = head.out_len;
	return g->fallback->ops->step(g->fallback, span, whole);
}

static struct gt_error *gzip_step(struct layer_decoder *d, struct layer_decode_span *span,
				  bool *whole)
{
	struct gzip *g = (struct gzip *)d;

	if (g->fallback)
		return g->fallback->ops->step(g->fallback, span, whole);
	while (span->out_len) {
		const uint8_t *in = span->in;
		int r;

		if (!g->began) {
			if (!span->in_len)
				break;
			isal_inflate_reset(&g->state);
			g->state.crc_flag = ISAL_GZIP;
			g->state.total_out = 0;
			g->began = true;
			g->head_len = 0;
		}
		g->state.next_in = (uint8_t *)span->in;
		g->state.avail_in = span->in_len;
		g->state.next_out = span->out;
		g->state.avail_out = span->out_len;
		r = isal_inflate(&g->state);
		if (r == ISAL_UNSUPPORTED_METHOD && g->head_len < sizeof(g->head))
			return gzip_fall_back(g, span, whole);
		if (r < 0 || r == ISAL_NEED_DICT)
			return gt_error_new(GT_INVALID_ARGUMENT, "gzip: %s", isal_text(r));
		if (g->head_len < sizeof(g->head)) {
			size_t n = g->state.next_in - in, room = sizeof(g->head) - g->head_len;

			memcpy(g->head + g->head_len, in, n < room ? n : room);
			g->head_len += n < room ? n : room;
		}
		span->in = g->state.next_in;
		span->in_len = g->state.avail_in;
		span->out = g->state.next_out;
		span->out_len = g->state.avail_out;
		if (g->state.block_state == ISAL_BLOCK_FINISH)
			g->began = false;
		else if (!span->in_len)
			break;
	}
	*whole = !g->began;
	return NULL;
}

static void gzip_free(struct layer_decoder *d)
{
	struct gzip *g = (struct gzip *)d;

	if (g->fallback)
		g->fallback->ops->free(g->fallback);
	free(g);
}

struct gt_error *layer_decoder_gzip(struct layer_decoder **out)
{
	static const struct layer_decoder_ops ops = { gzip_step, gzip_free };
	struct gzip *g = gt_xcalloc(1, sizeof(*g));

	g->base.ops = &ops;
	isal_inflate_init(&g->state);
	*out = &g->base;
	return NULL;
}

struct zlib {
	struct layer_decoder base;
	z_stream z;
	bool began;
};

static struct gt_error *zlib_step(struct layer_decoder *d, struct layer_decode_span *span,
				  bool *whole)
{
	struct zlib *s = (struct zlib *)d;

	while (span->out_len && span->in_len) {
		uInt in = span->in_len < 1 << 30 ? span->in_len : 1 << 30;
		uInt out = span->out_len < 1 << 30 ? span->out_len : 1 << 30;
		int r;

		if (!s->began)
			inflateReset(&s->z);
		s->began = true;
		s->z.next_in = (Bytef *)span->in;
		s->z.avail_in = in;
		s->z.next_out = span->out;
		s->z.avail_out = out;
		r = inflate(&s->z, Z_NO_FLUSH);
		span->in += in - s->z.avail_in;
		span->in_len -= in - s->z.avail_in;
		span->out += out - s->z.avail_out;
		span->out_len -= out - s->z.avail_out;
		if (r == Z_STREAM_END)
			s->began = false;
		else if (r != Z_OK && r != Z_BUF_ERROR)
			return gt_error_new(GT_INVALID_ARGUMENT, "gzip: %s",
					    s->z.msg ? s->z.msg : "broken stream");
	}
	*whole = !s->began;
	return NULL;
}

static void zlib_free(struct layer_decoder *d)
{
	inflateEnd(&((struct zlib *)d)->z);
	free(d);
}

struct gt_error *layer_decoder_zlib(struct layer_decoder **out)
{
	static const struct layer_decoder_ops ops = { zlib_step, zlib_free };
	struct zlib *s = gt_xcalloc(1, sizeof(*s));

	s->base.ops = &ops;
	if (inflateInit2(&s->z, 16 + MAX_WBITS) != Z_OK) {
		free(s);
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "set up zlib");
	}
	*out = &s->base;
	return NULL;
}

struct zstd {
	struct layer_decoder base;
	ZSTD_DCtx *ctx;
	bool inside; /* a frame */
};

static struct gt_error *zstd_step(struct layer_decoder *d, struct layer_decode_span *span,
				  bool *whole)
{
	struct zstd *s = (struct zstd *)d;

	while (span->out_len) {
		ZSTD_inBuffer in = { span->in, span->in_len, 0 };
		ZSTD_outBuffer out = { span->out, span->out_len, 0 };
		size_t r;

		if (!span->in_len && !s->inside)
			break;
		r = ZSTD_decompressStream(s->ctx, &out, &in);
		if (ZSTD_isError(r)) {
			ZSTD_ErrorCode code = ZSTD_getErrorCode(r);
			enum gt_class cls = GT_INVALID_ARGUMENT;

			if (code == ZSTD_error_frameParameter_windowTooLarge ||
			    code == ZSTD_error_memory_allocation)
				cls = GT_RESOURCE_EXHAUSTED;
			return gt_error_new(cls, "zstd: %s", ZSTD_getErrorName(r));
		}
		span->in += in.pos;
		span->in_len -= in.pos;
		span->out += out.pos;
		span->out_len -= out.pos;
		s->inside = r != 0;
		if (!in.pos && !out.pos)
			break;
	}
	*whole = !s->inside;
	return NULL;
}

static void zstd_free(struct layer_decoder *d)
{
	ZSTD_freeDCtx(((struct zstd *)d)->ctx);
	free(d);
}

struct gt_error *layer_decoder_zstd(int64_t max_window, struct layer_decoder **out)
{
	static const struct layer_decoder_ops ops = { zstd_step, zstd_free };
	struct zstd *s = gt_xcalloc(1, sizeof(*s));
	int log = 10;

	while (log < 30 && INT64_C(2) << log <= max_window)
		log++;
	s->base.ops = &ops;
	s->ctx = ZSTD_createDCtx();
	if (!s->ctx || ZSTD_isError(ZSTD_DCtx_setParameter(s->ctx, ZSTD_d_windowLogMax, log))) {
		zstd_free(&s->base);
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "set up zstd");
	}
	*out = &s->base;
	return NULL;
}

struct gt_error *layer_decoder_new(const uint8_t *m, size_t len, int64_t max_window,
				   struct layer_decoder **out)
{
	*out = NULL;
	if (len >= 3 && m[0] == 0x1f && m[1] == 0x8b && m[2] == 8)
		return layer_decoder_gzip(out);
	if (len >= 4 && (!memcmp(m, "\x28\xb5\x2f\xfd", 4) ||
			 ((m[0] & 0xf0) == 0x50 && !memcmp(m + 1, "\x2a\x4d\x18", 3))))
		return layer_decoder_zstd(max_window, out);
	return NULL;
}
