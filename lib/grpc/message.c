/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <grpc/message.h>

#include <endian.h>
#include <stdatomic.h>
#include <string.h>

/* Of a message that is said to be long only so much is reserved before it comes. */
#define FIRST_ALLOC (64 * 1024)
#define TIMEOUT_DIGITS 8

struct gt_grpc_bytes *gt_grpc_bytes_new(size_t len)
{
	uint32_t length = htobe32((uint32_t)len);
	struct gt_grpc_bytes *b = gt_xmalloc(sizeof(*b) + GT_GRPC_PREFIX + len);

	atomic_init(&b->refs, 1);
	b->len = GT_GRPC_PREFIX + len;
	b->data[0] = 0;
	memcpy(b->data + 1, &length, sizeof(length));
	return b;
}

struct gt_grpc_bytes *gt_grpc_bytes_pack(const ProtobufCMessage *m, size_t *len)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	struct gt_grpc_bytes *b;

	if (len)
		*len = n;
	if (n > GT_GRPC_MESSAGE_MAX)
		return NULL;
	b = gt_grpc_bytes_new(n);
	protobuf_c_message_pack(m, b->data + GT_GRPC_PREFIX);
	return b;
}

size_t gt_grpc_varint_write(unsigned char *out, uint64_t n)
{
	size_t i = 0;

	for (; n >= 0x80; n >>= 7)
		out[i++] = (unsigned char)(n | 0x80);
	out[i++] = (unsigned char)n;
	return i;
}

void gt_grpc_field_add(struct gt_buf *out, unsigned number, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	unsigned char *p = (unsigned char *)gt_buf_reserve(out, 11 + n);
	size_t at = 0;

	p[at++] = (unsigned char)(number << 3 | 2);
	at += gt_grpc_varint_write(p + at, n);
	at += protobuf_c_message_pack(m, p + at);
	gt_buf_setlen(out, out->len + at);
}

struct gt_grpc_bytes *gt_grpc_bytes_ref(struct gt_grpc_bytes *b)
{
	atomic_fetch_add(&b->refs, 1);
	return b;
}

void gt_grpc_bytes_unref(struct gt_grpc_bytes *b)
{
	if (b && atomic_fetch_sub(&b->refs, 1) == 1)
		free(b);
}

void gt_grpc_deframer_done(struct gt_grpc_deframer *d)
{
	free(d->data);
	*d = (struct gt_grpc_deframer){ 0 };
}

bool gt_grpc_deframer_is_between(const struct gt_grpc_deframer *d)
{
	return !d->have;
}

static struct gt_error *prefix_read(struct gt_grpc_deframer *d)
{
	uint32_t length;

	memcpy(&length, d->prefix + 1, sizeof(length));
	d->length = be32toh(length);
	if (d->prefix[0])
		return gt_error_new(GT_UNIMPLEMENTED,
				    "grpc: compressed message, but no grpc-encoding is served");
	if (d->length > GT_GRPC_MESSAGE_MAX)
		return gt_error_new(GT_RESOURCE_EXHAUSTED,
				    "grpc: received message larger than max (%u vs. %d)", d->length,
				    GT_GRPC_MESSAGE_MAX);
	d->alloc = d->length < FIRST_ALLOC ? d->length : FIRST_ALLOC;
	d->data = gt_xmalloc(d->alloc + 1);
	d->fill = 0;
	return NULL;
}

static void body_add(struct gt_grpc_deframer *d, const unsigned char **p, size_t *n)
{
	size_t take = d->length - d->fill;

	if (take > *n)
		take = *n;
	if (d->fill + take > d->alloc) {
		/* Whoever sends a part of it may have room for four times that. */
		d->alloc = (d->fill + take) * 4 < d->length ? (d->fill + take) * 4 : d->length;
		d->data = gt_xrealloc(d->data, d->alloc + 1);
	}
	memcpy(d->data + d->fill, *p, take);
	d->fill += take;
	*p += take;
	*n -= take;
}

struct gt_error *gt_grpc_deframe(struct gt_grpc_deframer *d, const unsigned char **p, size_t *n,
				 unsigned char **message, size_t *len)
{
	*message = NULL;
	while (*n && d->have < GT_GRPC_PREFIX) {
		d->prefix[d->have++] = *(*p)++;
		--*n;
		if (d->have == GT_GRPC_PREFIX)
			GT_TRY(prefix_read(d));
	}
	if (d->have < GT_GRPC_PREFIX)
		return NULL;
	body_add(d, p, n);
	if (d->fill < d->length)
		return NULL;
	*message = gt_steal(&d->data);
	*len = d->length;
	*d = (struct gt_grpc_deframer){ 0 };
	return NULL;
}

bool gt_grpc_timeout_parse(const char *s, size_t len, int64_t *ns)
{
	static const struct {
		char unit;
		int64_t ns;
	} units[] = {
		{ 'H', INT64_C(3600000000000) }, { 'M', INT64_C(60000000000) },
		{ 'S', INT64_C(1000000000) },	 { 'm', INT64_C(1000000) },
		{ 'u', INT64_C(1000) },		 { 'n', INT64_C(1) },
	};
	int64_t n = 0;

	if (len < 2 || len > TIMEOUT_DIGITS + 1)
		return false;
	for (size_t i = 0; i + 1 < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = n * 10 + (s[i] - '0');
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == s[len - 1]) {
			if (__builtin_mul_overflow(n, units[i].ns, ns))
				*ns = INT64_MAX;
			return true;
		}
	return false;
}

void gt_grpc_timeout_print(int64_t ns, struct gt_buf *out)
{
	static const struct {
		char unit;
		int64_t ns;
	} units[] = { { 'n', 1 }, { 'u', 1000 }, { 'm', 1000000 }, { 'S', 1000000000 } };

	if (ns < 0)
		ns = 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t n = ns / units[i].ns + (ns % units[i].ns != 0);

		if (n < 100000000) {
			gt_buf_addf(out, "%lld%c", (long long)n, units[i].unit);
			return;
		}
	}
	gt_buf_addf(out, "%lldH", (long long)(ns / INT64_C(3600000000000)) + 1);
}

void gt_grpc_percent_encode(const char *s, struct gt_buf *out)
{
	const char *start = s;

	/* HTTP drops a field that begins or ends with a space. */
	for (; *s; s++)
		if (*s >= ' ' && *s <= '~' && *s != '%' && (*s != ' ' || (s != start && s[1])))
			gt_buf_addc(out, *s);
		else
			gt_buf_addf(out, "%%%02X", (unsigned char)*s);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void gt_grpc_percent_decode(const char *s, size_t len, struct gt_buf *out)
{
	for (size_t i = 0; i < len; i++) {
		int hi = s[i] == '%' && i + 2 < len + 0 ? hex_digit(s[i + 1]) : -1;
		int lo = hi >= 0 ? hex_digit(s[i + 2]) : -1;

		/* what is not encoded right stands for itself */
		gt_buf_addc(out, lo >= 0 ? (char)(hi * 16 + lo) : s[i]);
		if (lo >= 0)
			i += 2;
	}
}
