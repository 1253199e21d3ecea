/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/buf.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

char gt_buf_empty[1];

static void out_of_memory(void)
{
	static const char text[] = "gantry: out of memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		abort();
	abort();
}

void *gt_xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *gt_xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *gt_xrealloc(void *old, size_t n)
{
	void *p = realloc(old, n ? n : 1);

	if (!p)
		out_of_memory();
	return p;
}

char *gt_xstrdup(const char *s)
{
	return s ? gt_xmemdup(s, strlen(s) + 1) : NULL;
}

char *gt_xstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = gt_xmalloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

void *gt_xmemdup(const void *data, size_t n)
{
	void *p = gt_xmalloc(n);

	if (n)
		memcpy(p, data, n);
	return p;
}

void gt_buf_init(struct gt_buf *b)
{
	*b = (struct gt_buf)GT_BUF_INIT;
}

void gt_buf_done(struct gt_buf *b)
{
	if (b->alloc)
		free(b->s);
	gt_buf_init(b);
}

char *gt_buf_reserve(struct gt_buf *b, size_t extra)
{
	size_t need;

	if (__builtin_add_overflow(b->len, extra, &need) || __builtin_add_overflow(need, 1, &need))
		out_of_memory();
	if (need > b->alloc) {
		size_t alloc = b->alloc ? b->alloc : 64;

		while (alloc < need)
			alloc = alloc > need / 2 ? need : alloc * 2;
		if (b->alloc && alloc < b->alloc + b->alloc / 2)
			alloc = b->alloc + b->alloc / 2;
		b->s = gt_xrealloc(b->alloc ? b->s : NULL, alloc);
		b->alloc = alloc;
		b->s[b->len] = '\0';
	}
	return b->s + b->len;
}

void gt_buf_setlen(struct gt_buf *b, size_t len)
{
	assert(len < b->alloc || (len == 0 && !b->alloc));
	b->len = len;
	if (b->alloc)
		b->s[len] = '\0';
}

void gt_buf_add(struct gt_buf *b, const void *data, size_t len)
{
	if (!len)
		return;
	memcpy(gt_buf_reserve(b, len), data, len);
	gt_buf_setlen(b, b->len + len);
}

void gt_buf_adds(struct gt_buf *b, const char *s)
{
	gt_buf_add(b, s, strlen(s));
}

void gt_buf_addc(struct gt_buf *b, char c)
{
	gt_buf_add(b, &c, 1);
}

void gt_buf_addv(struct gt_buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	assert(n >= 0);
	gt_buf_reserve(b, n);
	vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
	gt_buf_setlen(b, b->len + n);
	va_end(again);
}

void gt_buf_addf(struct gt_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	gt_buf_addv(b, fmt, ap);
	va_end(ap);
}

void gt_buf_addq(struct gt_buf *b, const char *s)
{
	gt_buf_addc(b, '"');
	for (; *s; s++) {
		unsigned char c = *s;

		if (c == '"' || c == '\\')
			gt_buf_addf(b, "\\%c", c);
		else if (c == '\n')
			gt_buf_adds(b, "\\n");
		else if (c == '\t')
			gt_buf_adds(b, "\\t");
		else if (c == '\r')
			gt_buf_adds(b, "\\r");
		else if (c < 0x20 || c == 0x7f)
			gt_buf_addf(b, "\\x%02x", c);
		else
			gt_buf_addc(b, c);
	}
	gt_buf_addc(b, '"');
}

char *gt_buf_detach(struct gt_buf *b)
{
	char *s;

	gt_buf_reserve(b, 0);
	s = b->s;
	gt_buf_init(b);
	return s;
}

char *gt_strf(const char *fmt, ...)
{
	struct gt_buf b = GT_BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	gt_buf_addv(&b, fmt, ap);
	va_end(ap);
	return gt_buf_detach(&b);
}
