/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/tar-write.h>

#include <stdio.h>
#include <string.h>

#define SIZE_MAX_USTAR (INT64_C(1) << 33)

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};

static const char zeros[2 * GT_TAR_BLOCK];

/* All digits but the last byte, which stays NUL. */
static void put_octal(char *field, size_t width, uint64_t v)
{
	for (size_t i = width - 1; i-- > 0; v >>= 3)
		field[i] = '0' + (v & 7);
}

/* Splits at a '/' so that both parts fit; false if there is none. */
static bool put_name(struct header *h, const char *name)
{
	size_t len = strlen(name);
	size_t cut = len > sizeof(h->prefix) + 1 ? sizeof(h->prefix) + 1 : len;

	if (len <= sizeof(h->name)) {
		memcpy(h->name, name, len);
		return true;
	}
	while (cut > 1) {
		cut--;
		if (name[cut] != '/' || len - cut - 1 > sizeof(h->name) || !name[cut + 1])
			continue;
		memcpy(h->prefix, name, cut);
		memcpy(h->name, name + cut + 1, len - cut - 1);
		return true;
	}
	memcpy(h->name, name, sizeof(h->name));
	return false;
}

static void add_header(struct gt_buf *out, const char *name, char type, mode_t mode, int64_t size)
{
	struct header h = { .type = type };
	unsigned sum = 0;

	put_name(&h, name);
	put_octal(h.mode, sizeof(h.mode), mode);
	put_octal(h.uid, sizeof(h.uid), 0);
	put_octal(h.gid, sizeof(h.gid), 0);
	put_octal(h.size, sizeof(h.size), size < SIZE_MAX_USTAR ? size : 0);
	put_octal(h.mtime, sizeof(h.mtime), 0);
	put_octal(h.major, sizeof(h.major), 0);
	put_octal(h.minor, sizeof(h.minor), 0);
	memcpy(h.magic, "ustar", sizeof(h.magic));
	memcpy(h.version, "00", sizeof(h.version));
	memset(h.sum, ' ', sizeof(h.sum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += ((const unsigned char *)&h)[i];
	put_octal(h.sum, 7, sum);
	h.sum[6] = '\0';
	gt_buf_add(out, &h, sizeof(h));
}

/* "LENGTH key=value\n", where LENGTH counts itself. */
static void add_record(struct gt_buf *out, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, len = rest + 1, before = 0;

	while (len != before) {
		before = len;
		len = rest + (size_t)snprintf(NULL, 0, "%zu", before);
	}
	gt_buf_addf(out, "%zu %s=%s\n", len, key, value);
}

/* What ustar cannot say. */
static void add_pax(struct gt_buf *out, const char *name, int64_t size)
{
	gt_auto(gt_buf) records = GT_BUF_INIT;
	struct header probe = { 0 };

	if (!put_name(&probe, name))
		add_record(&records, "path", name);
	if (size >= SIZE_MAX_USTAR) {
		gt_autofree char *text = gt_strf("%lld", (long long)size);

		add_record(&records, "size", text);
	}
	if (!records.len)
		return;
	add_header(out, "PaxHeaders.0/entry", 'x', 0, records.len);
	gt_buf_add(out, records.s, records.len);
	gt_buf_add(out, zeros, gt_tar_padding(records.len));
}

void gt_tar_header(struct gt_buf *out, const char *name, mode_t mode, int64_t size)
{
	size_t len = strlen(name);

	add_pax(out, name, size);
	add_header(out, name, len && name[len - 1] == '/' ? '5' : '0', mode, size);
}

size_t gt_tar_padding(int64_t size)
{
	return (GT_TAR_BLOCK - size % GT_TAR_BLOCK) % GT_TAR_BLOCK;
}

void gt_tar_end(struct gt_buf *out)
{
	gt_buf_add(out, zeros, sizeof(zeros));
}
