/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/frame.h>

#include <assert.h>
#include <endian.h>
#include <string.h>

size_t gt_frame_begin(struct gt_buf *b, enum gt_frame_type type)
{
	size_t begin = b->len;

	gt_buf_addc(b, (char)type);
	gt_buf_add(b, "\0\0\0\0", 4);
	return begin;
}

void gt_frame_end(struct gt_buf *b, size_t begin)
{
	uint32_t len = htole32(b->len - begin - GT_FRAME_HEAD);

	assert(b->len - begin - GT_FRAME_HEAD <= GT_FRAME_MAX);
	memcpy(b->s + begin + 1, &len, sizeof(len));
}

void gt_frame_number(struct gt_buf *b, int64_t v)
{
	uint64_t le = htole64((uint64_t)v);

	gt_buf_add(b, &le, sizeof(le));
}

void gt_frame_string(struct gt_buf *b, const char *s)
{
	uint32_t len = strlen(s), le = htole32(len);

	gt_buf_add(b, &le, sizeof(le));
	gt_buf_add(b, s, len);
}

static bool take(struct gt_frame_body *b, void *to, size_t n)
{
	if (b->broken || b->left < n) {
		b->broken = true;
		return false;
	}
	memcpy(to, b->p, n);
	b->p += n;
	b->left -= n;
	return true;
}

int64_t gt_frame_get_number(struct gt_frame_body *b)
{
	uint64_t v;

	return take(b, &v, sizeof(v)) ? (int64_t)le64toh(v) : 0;
}

char *gt_frame_get_string(struct gt_frame_body *b)
{
	uint32_t len;
	char *s;

	if (!take(b, &len, sizeof(len)) || b->left < le32toh(len)) {
		b->broken = true;
		return gt_xstrdup("");
	}
	len = le32toh(len);
	if (memchr(b->p, '\0', len))
		b->broken = true;
	s = gt_xstrndup(b->p, len);
	b->p += len;
	b->left -= len;
	return s;
}

uint32_t gt_frame_length(const unsigned char head[GT_FRAME_HEAD])
{
	uint32_t len;

	memcpy(&len, head + 1, sizeof(len));
	return le32toh(len);
}
