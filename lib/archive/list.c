/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's mode "list": what a foreign archive holds, entry by entry, for who imports it. */
#include <config.h>

#include <archive/confine.h>
#include <archive/layer.h>
#include <archive/name.h>
#include <archive/reader.h>
#include <archive/source.h>

#define MEMORY (64 << 20)
#define CHUNK (64 * 1024)

struct list {
	const struct layer_job_options *o;
	struct layer_input *in;
	struct layer_reader r;
	struct gt_buf frame, name, link;
	int64_t file_size;
	bool plain; /* content can be had from the file itself */
	int64_t given; /* bytes of content, holes included */
};

static enum gt_archive_type entry_type(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry))
		return GT_ARCHIVE_HARDLINK;
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return GT_ARCHIVE_FILE;
	case AE_IFDIR:
		return GT_ARCHIVE_DIR;
	case AE_IFLNK:
		return GT_ARCHIVE_SYMLINK;
	default:
		return GT_ARCHIVE_OTHER;
	}
}

static void say_data(struct list *l, const void *data, size_t len)
{
	size_t begin;

	gt_buf_setlen(&l->frame, 0);
	begin = gt_frame_begin(&l->frame, GT_FRAME_DATA);
	gt_buf_add(&l->frame, data, len);
	gt_frame_end(&l->frame, begin);
	layer_say(&l->frame);
}

/* 'n' bytes of content: those at 'data', or zeros of a hole. */
static struct gt_error *give(struct list *l, const char *data, int64_t n)
{
	static const char zeros[CHUNK];

	if (l->o->max_size && n > l->o->max_size - l->given)
		return gt_error_new(GT_RESOURCE_EXHAUSTED,
				    "its files hold more than %lld bytes, the limit",
				    (long long)l->o->max_size);
	l->given += n;
	while (n) {
		size_t part = n < CHUNK ? n : CHUNK;

		say_data(l, data ? data : zeros, part);
		if (data)
			data += part;
		n -= part;
	}
	return NULL;
}

static struct gt_error *give_content(struct list *l, int64_t size)
{
	int64_t pos = 0;

	for (;;) {
		const void *data;
		int64_t off;
		size_t len;

		GT_TRY(layer_reader_data(&l->r, &data, &len, &off));
		if (!len)
			return give(l, NULL, size - pos);
		if (off < pos || off > size || len > (uint64_t)(size - off))
			return gt_error_new(GT_INVALID_ARGUMENT, "content beyond its size");
		GT_TRY(give(l, NULL, off - pos));
		GT_TRY(give(l, data, len));
		pos = off + len;
	}
}

static void say_entry(struct list *l, enum gt_archive_type type, int64_t size, int64_t offset)
{
	size_t begin;

	gt_buf_reserve(&l->frame, 0);
	gt_buf_setlen(&l->frame, 0);
	begin = gt_frame_begin(&l->frame, GT_FRAME_ENTRY);
	gt_frame_number(&l->frame, type);
	gt_frame_number(&l->frame, size);
	gt_frame_number(&l->frame, offset);
	gt_frame_string(&l->frame, l->name.s);
	gt_frame_string(&l->frame, l->link.s);
	gt_frame_end(&l->frame, begin);
	layer_say(&l->frame);
}

static struct gt_error *list_entry(struct list *l, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry), *link;
	enum gt_archive_type type = entry_type(entry);
	int64_t size = type == GT_ARCHIVE_FILE ? archive_entry_size(entry) : 0, offset = -1;

	GT_TRY(layer_name_clean(name ? name : "", &l->name));
	gt_buf_reserve(&l->link, 0);
	gt_buf_setlen(&l->link, 0);
	if (type == GT_ARCHIVE_HARDLINK)
		GT_TRY(gt_error_wrap(layer_name_clean(archive_entry_hardlink(entry), &l->link),
				     "hard link %s", l->name.s));
	link = archive_entry_symlink(entry);
	if (type == GT_ARCHIVE_SYMLINK && link) {
		gt_autofree char *start = gt_xstrndup(link, 4096);

		gt_buf_adds(&l->link, start);
	}
	if (size < 0)
		return gt_error_new(GT_INVALID_ARGUMENT, "entry %s has a negative size", l->name.s);
	if (l->plain && type == GT_ARCHIVE_FILE && !archive_entry_sparse_count(entry)) {
		offset = archive_filter_bytes(l->r.a, 0);
		if (offset > l->file_size || size > l->file_size - offset)
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "entry %s claims %lld bytes, the archive ends before",
					    l->name.s, (long long)size);
	}
	say_entry(l, type, size, offset);
	if (type == GT_ARCHIVE_FILE && offset < 0)
		return gt_error_wrap(give_content(l, size), "entry %s", l->name.s);
	return NULL;
}

static struct gt_error *list_entries(struct list *l, int64_t *entries)
{
	for (;;) {
		struct archive_entry *entry;

		GT_TRY(layer_reader_next(&l->r, &entry));
		if (!entry)
			break;
		if (++*entries > l->o->max_entries && l->o->max_entries)
			return gt_error_new(GT_RESOURCE_EXHAUSTED,
					    "it has more than %lld entries, the limit",
					    (long long)l->o->max_entries);
		GT_TRY(list_entry(l, entry));
	}
	/* What follows the archive's end in a file is nobody's; a stream is read out. */
	return l->plain ? NULL : layer_input_drain(l->in);
}

struct gt_error *layer_list_input(const struct layer_job_options *o, struct layer_input *in,
				  struct layer_done *out)
{
	struct list l = {
		.o = o, .in = in, .frame = GT_BUF_INIT, .name = GT_BUF_INIT, .link = GT_BUF_INIT
	};
	struct gt_error *e;

	l.plain = layer_input_is_plain_file(in, &l.file_size);
	e = layer_reader_open(&l.r, in, l.plain);
	if (!e)
		e = list_entries(&l, &out->entries);
	layer_reader_done(&l.r);
	gt_buf_done(&l.frame);
	gt_buf_done(&l.name);
	gt_buf_done(&l.link);
	out->size = layer_input_produced(in);
	out->consumed = layer_input_consumed(in);
	return e;
}

struct gt_error *layer_list(const struct layer_job_options *o, struct layer_done *out)
{
	struct layer_input_options io = {
		.fd = GT_LAYER_BLOB,
		.raw = o->raw,
		.max_size = o->max_size,
		.max_ratio = o->max_ratio,
		.max_window = o->max_window,
	};
	gt_autoptr(layer_input) in = NULL;

	layer_reader_prepare();
	GT_TRY(layer_confine_privileges(LAYER_READS, MEMORY + o->max_window));
	GT_TRY(layer_input_open(&io, &in));
	GT_TRY(layer_confine_calls(LAYER_READS));
	return layer_list_input(o, in, out);
}
