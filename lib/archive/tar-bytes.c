/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/tar-bytes.h>

#include <stdio.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define BLOCK 512

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};

/* Octal where it fits, else the base-256 that GNU tar brought. */
static void put_number(char *field, size_t width, int64_t v)
{
	if (v >= 0 && v < INT64_C(1) << (3 * (width - 1))) {
		char text[32];

		snprintf(text, sizeof(text), "%0*llo", (int)width - 1, (unsigned long long)v);
		memcpy(field, text, width);
		return;
	}
	for (size_t i = 0; i < width; i++)
		field[width - 1 - i] = i < 8 ? (char)((uint64_t)v >> (8 * i)) : v < 0 ? -1 : 0;
	field[0] |= (char)0x80;
}

static void pad(struct gt_buf *b)
{
	while (b->len % BLOCK)
		gt_buf_addc(b, '\0');
}

static void add_header(struct gt_buf *b, const struct tar_entry *e, int64_t size)
{
	mode_t mode = e->mode ? e->mode : e->type == '5' ? 0755 : 0644;
	struct header h = { .type = e->type ? e->type : '0' };
	unsigned sum = 0;

	memcpy(h.name, e->name, strnlen(e->name, sizeof(h.name)));
	if (e->link)
		memcpy(h.link, e->link, strnlen(e->link, sizeof(h.link)));
	put_number(h.mode, sizeof(h.mode), mode);
	put_number(h.uid, sizeof(h.uid), e->uid);
	put_number(h.gid, sizeof(h.gid), e->gid);
	put_number(h.size, sizeof(h.size), size);
	put_number(h.mtime, sizeof(h.mtime), e->mtime);
	put_number(h.major, sizeof(h.major), e->major);
	put_number(h.minor, sizeof(h.minor), e->minor);
	memcpy(h.magic, "ustar", 6);
	memcpy(h.version, "00", 2);
	memset(h.sum, ' ', sizeof(h.sum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += ((unsigned char *)&h)[i];
	put_number(h.sum, 7, sum);
	gt_buf_add(b, &h, sizeof(h));
}

/* "LENGTH key=value\n", where LENGTH counts itself. */
static void add_record(struct gt_buf *b, const char *key_value)
{
	size_t rest = strlen(key_value) + 2, len = rest + 1, before = 0;

	while (len != before) {
		before = len;
		len = rest + (size_t)snprintf(NULL, 0, "%zu", before);
	}
	gt_buf_addf(b, "%zu %s\n", len, key_value);
}

static void add_pax(struct gt_buf *b, const struct tar_entry *e)
{
	gt_auto(gt_buf) records = GT_BUF_INIT;

	if (strlen(e->name) > 100) {
		gt_autofree char *s = gt_strf("path=%s", e->name);

		add_record(&records, s);
	}
	for (size_t i = 0; e->pax && e->pax[i]; i++)
		add_record(&records, e->pax[i]);
	if (!records.len)
		return;
	add_header(b, &(struct tar_entry){ .name = "pax", .type = 'x' }, records.len);
	gt_buf_add(b, records.s, records.len);
	pad(b);
}

void tar_add(struct gt_buf *b, const struct tar_entry *e)
{
	add_pax(b, e);
	add_header(b, e, e->size ? e->size : (int64_t)e->len);
	if (e->data)
		gt_buf_add(b, e->data, e->len);
	pad(b);
}

void tar_end(struct gt_buf *b)
{
	static const char zeros[2 * BLOCK];

	gt_buf_add(b, zeros, sizeof(zeros));
}

void tar_gzip(const struct gt_buf *in, struct gt_buf *out)
{
	z_stream z = { 0 };
	size_t room;

	if (deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	room = deflateBound(&z, in->len) + 64;
	z.next_in = (Bytef *)in->s;
	z.avail_in = in->len;
	z.next_out = (Bytef *)gt_buf_reserve(out, room);
	z.avail_out = room;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	gt_buf_setlen(out, out->len + z.total_out);
	deflateEnd(&z);
}

void tar_zstd(const struct gt_buf *in, struct gt_buf *out)
{
	size_t room = ZSTD_compressBound(in->len);
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	size_t n;

	ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(ctx, gt_buf_reserve(out, room), room, in->s, in->len);
	if (ZSTD_isError(n))
		abort();
	gt_buf_setlen(out, out->len + n);
	ZSTD_freeCCtx(ctx);
}
