/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <journal/format.h>

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char magic[8] = "gtjrnl1\n";

/* By half bytes: records are short, and a table of 64 bytes costs no start-up. */
static uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	const uint8_t *p = data;

	crc = ~crc;
	while (len--) {
		crc ^= *p++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

void journal_head_pack(const struct journal_head *h, uint8_t out[JOURNAL_HEAD])
{
	memset(out, 0, JOURNAL_HEAD);
	memcpy(out, magic, sizeof(magic));
	put64(out + 16, h->first);
	put64(out + 24, h->limit);
	put64(out + 32, h->end);
	put64(out + 40, h->last);
	put32(out + 8, crc32c(0, out + 16, JOURNAL_HEAD - 16));
}

bool journal_head_unpack(const uint8_t in[JOURNAL_HEAD], struct journal_head *h)
{
	if (memcmp(in, magic, sizeof(magic)) || get32(in + 8) != crc32c(0, in + 16, JOURNAL_HEAD - 16))
		return false;
	h->first = get64(in + 16);
	h->limit = get64(in + 24);
	h->end = get64(in + 32);
	h->last = get64(in + 40);
	return h->first && h->last >= h->first - 1 && h->end >= JOURNAL_HEAD && h->end < INT64_MAX;
}

/* All of 'len', or false. */
static bool read_at(int fd, void *out, size_t len, off_t at)
{
	char *p = out;

	while (len) {
		ssize_t n = pread(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

bool journal_head_read(int fd, struct journal_head *h)
{
	uint8_t bytes[JOURNAL_HEAD];

	return read_at(fd, bytes, sizeof(bytes), 0) && journal_head_unpack(bytes, h);
}

void journal_record_pack(uint64_t seq, const void *data, size_t len, struct gt_buf *out)
{
	uint8_t *p = (uint8_t *)gt_buf_reserve(out, JOURNAL_RECORD_HEAD + len);

	put32(p, (uint32_t)len);
	put64(p + 8, seq);
	if (len)
		memcpy(p + JOURNAL_RECORD_HEAD, data, len);
	put32(p + 4, crc32c(0, p + 8, 8 + len));
	gt_buf_setlen(out, out->len + JOURNAL_RECORD_HEAD + len);
}

bool journal_record_read(int fd, off_t at, uint64_t *seq, struct gt_buf *data, off_t *end)
{
	gt_auto(gt_buf) own = GT_BUF_INIT;
	uint8_t head[JOURNAL_RECORD_HEAD];
	struct gt_buf *b = data ? data : &own;
	uint32_t len;

	if (!read_at(fd, head, sizeof(head), at))
		return false;
	len = get32(head);
	if (len > GT_JOURNAL_RECORD_MAX)
		return false;
	gt_buf_setlen(b, 0);
	if (!read_at(fd, gt_buf_reserve(b, len), len, at + JOURNAL_RECORD_HEAD))
		return false;
	gt_buf_setlen(b, len);
	if (get32(head + 4) != crc32c(crc32c(0, head + 8, 8), b->s, len))
		return false;
	*seq = get64(head + 8);
	*end = at + JOURNAL_RECORD_HEAD + len;
	return true;
}

void journal_scan(int fd, struct journal_head *h)
{
	uint64_t seq;
	off_t end;

	while (journal_record_read(fd, (off_t)h->end, &seq, NULL, &end) && seq == h->last + 1) {
		h->end = (uint64_t)end;
		h->last = seq;
	}
}
