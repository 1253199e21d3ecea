/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/reader.h>

#include <errno.h>
#include <iconv.h>
#include <langinfo.h>

/*
 * libarchive converts names from UTF-8 to the locale's characters. The locale is C, so that names stay
 * the bytes they are (in a UTF-8 locale they would be normalised). glibc's first conversion opens a
 * configuration file, which must not be one of the target's.
 */
void layer_reader_prepare(void)
{
	iconv_t cd = iconv_open(nl_langinfo(CODESET), "UTF-8");

	if (cd != (iconv_t)-1)
		iconv_close(cd);
}

static la_ssize_t read_input(struct archive *a, void *arg, const void **data)
{
	struct layer_reader *r = arg;
	size_t len;

	r->error = layer_input_next(r->in, data, &len);
	if (!r->error)
		return len;
	archive_set_error(a, EIO, "input ended in an error");
	return -1;
}

static la_int64_t skip_input(struct archive *a, void *arg, la_int64_t n)
{
	struct layer_reader *r = arg;
	int64_t size, left;

	(void)a;
	if (!layer_input_is_plain_file(r->in, &size))
		return 0;
	left = size - layer_input_produced(r->in);
	if (n > left) /* reading there gives libarchive the end of it */
		n = left > 0 ? left : 0;
	layer_input_skip(r->in, n);
	return n;
}

static struct gt_error *reader_error(struct layer_reader *r, const char *what)
{
	const char *text = archive_error_string(r->a);
	enum gt_class cls = GT_INVALID_ARGUMENT;

	if (r->error) {
		struct gt_error *e = r->error;

		r->error = NULL;
		return gt_error_wrap(e, "%s", what);
	}
	if (archive_errno(r->a) == ENOMEM)
		cls = GT_RESOURCE_EXHAUSTED;
	return gt_error_new(cls, "%s: %s", what, text ? text : "broken archive");
}

struct gt_error *layer_reader_open(struct layer_reader *r, struct layer_input *in, bool can_skip)
{
	*r = (struct layer_reader){ .a = archive_read_new(), .in = in };
	if (!r->a)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "set up libarchive");
	archive_read_support_filter_none(r->a);
	archive_read_support_format_tar(r->a);
	archive_read_support_format_empty(r->a);
	archive_read_set_read_callback(r->a, read_input);
	if (can_skip)
		archive_read_set_skip_callback(r->a, skip_input);
	archive_read_set_callback_data(r->a, r);
	if (archive_read_open1(r->a) != ARCHIVE_OK)
		return reader_error(r, "open archive");
	return NULL;
}

struct gt_error *layer_reader_next(struct layer_reader *r, struct archive_entry **out)
{
	int result;

	do
		result = archive_read_next_header(r->a, out);
	while (result == ARCHIVE_RETRY);
	/* A warning is a name that is not ASCII: it is there as it was. */
	if (result == ARCHIVE_OK || result == ARCHIVE_WARN)
		return NULL;
	*out = NULL;
	return result == ARCHIVE_EOF ? NULL : reader_error(r, "read entry");
}

struct gt_error *layer_reader_data(struct layer_reader *r, const void **data, size_t *len,
				   int64_t *off)
{
	la_int64_t at;
	int result;

	do
		result = archive_read_data_block(r->a, data, len, &at);
	while (result == ARCHIVE_RETRY);
	*off = at;
	if (result == ARCHIVE_EOF)
		*len = 0;
	else if (result < ARCHIVE_WARN)
		return reader_error(r, "read content");
	return NULL;
}

void layer_reader_done(struct layer_reader *r)
{
	if (r->a)
		archive_read_free(r->a);
	gt_error_free(r->error);
	r->a = NULL;
	r->error = NULL;
}
