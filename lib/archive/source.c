/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/source.h>

#include <archive/job.h>
#include <archive/name.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SIZE (INT64_C(1) << 40)
#define MAX_ENTRIES 1000000

struct gt_archive_source {
	struct gt_layer_job job;
	int fd; /* the caller's */
	int64_t file_size; /* -1: no regular file */
	struct gt_archive_entry entry;
	char *name, *link;
	int64_t done; /* bytes of the entry that were read, or came and were dropped */
	struct gt_layer_frame frame; /* data that came and are not yet read */
	bool end;
};

struct gt_error *gt_archive_source_open(const struct gt_archive_source_options *o, int fd,
					struct gt_archive_source **out)
{
	gt_autoptr(gt_archive_source) s = gt_xcalloc(1, sizeof(*s));
	struct gt_strv args = { 0 };
	struct gt_error *e;
	struct stat st;

	s->job = (struct gt_layer_job){ .proc = { .pidfd = -1 }, .result = -1, .in = GT_BUF_INIT,
					.feed_fd = -1 };
	if (fstat(fd, &st) < 0)
		return gt_error_errno(GT_INVALID_ARGUMENT, errno, "look at the archive");
	s->fd = fd;
	s->file_size = S_ISREG(st.st_mode) ? st.st_size : -1;
	gt_strv_add(&args, "list");
	gt_strv_addf(&args, "max-size=%lld", (long long)(o->max_size ? o->max_size : MAX_SIZE));
	gt_strv_addf(&args, "max-entries=%lld",
		     (long long)(o->max_entries ? o->max_entries : MAX_ENTRIES));
	e = gt_layer_job_start(&s->job, o->worker, &args, &fd, 1);
	gt_strv_done(&args);
	GT_TRY(e);
	*out = gt_steal(&s);
	return NULL;
}

static struct gt_error *unexpected(void)
{
	return gt_error_new(GT_INTERNAL, "layer worker sent something unexpected");
}

/* The worker has said that it is clean; it has also read foreign bytes. */
static bool is_clean(const char *name)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = layer_name_clean(name, &b);

	return !e && !strcmp(b.s, name);
}

static struct gt_error *take_entry(struct gt_archive_source *s)
{
	struct gt_frame_body *b = &s->frame.body;
	struct gt_archive_entry *n = &s->entry;

	free(s->name);
	free(s->link);
	n->type = gt_frame_get_number(b);
	n->size = gt_frame_get_number(b);
	n->offset = gt_frame_get_number(b);
	n->name = s->name = gt_frame_get_string(b);
	n->link = s->link = gt_frame_get_string(b);
	s->done = 0;
	if (b->broken || n->type > GT_ARCHIVE_OTHER || n->size < 0 || n->offset < -1 ||
	    (n->size && n->type != GT_ARCHIVE_FILE) || !is_clean(n->name) ||
	    (n->type == GT_ARCHIVE_HARDLINK && !is_clean(n->link)))
		return unexpected();
	if (n->offset >= 0 && (n->offset > s->file_size || n->size > s->file_size - n->offset))
		return unexpected();
	b->left = 0;
	return NULL;
}

/* Makes sure that data of the current entry are in the frame, if it has any left. */
static struct gt_error *need_data(struct gt_archive_source *s, const struct gt_call *call)
{
	while (!s->frame.body.left && s->done < s->entry.size) {
		GT_TRY(gt_layer_job_next(&s->job, call, &s->frame));
		if (s->frame.type != GT_FRAME_DATA ||
		    s->frame.body.left > (uint64_t)(s->entry.size - s->done))
			return unexpected();
	}
	return NULL;
}

static struct gt_error *skip_rest(struct gt_archive_source *s, const struct gt_call *call)
{
	while (s->entry.offset < 0 && s->done < s->entry.size) {
		GT_TRY(need_data(s, call));
		s->done += s->frame.body.left;
		s->frame.body.left = 0;
	}
	return NULL;
}

struct gt_error *gt_archive_source_next(struct gt_archive_source *s, const struct gt_call *call,
					const struct gt_archive_entry **out)
{
	if (!s->end) {
		GT_TRY(skip_rest(s, call));
		GT_TRY(gt_layer_job_next(&s->job, call, &s->frame));
		s->end = s->frame.type == GT_FRAME_DONE;
	}
	*out = NULL;
	if (s->end) {
		s->entry = (struct gt_archive_entry){ .name = "", .link = "" };
		return NULL;
	}
	if (s->frame.type != GT_FRAME_ENTRY)
		return unexpected();
	GT_TRY(take_entry(s));
	*out = &s->entry;
	return NULL;
}

static struct gt_error *read_file(struct gt_archive_source *s, void *buf, size_t len, size_t *n)
{
	ssize_t r;

	do
		r = pread(s->fd, buf, len, s->entry.offset + s->done);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "read %s", s->name);
	if (r == 0 && len)
		return gt_error_new(GT_INVALID_ARGUMENT, "read %s: the archive has been cut",
				    s->name);
	s->done += r;
	*n = r;
	return NULL;
}

struct gt_error *gt_archive_source_read(struct gt_archive_source *s, const struct gt_call *call,
					void *buf, size_t len, size_t *n)
{
	int64_t left = s->entry.size - s->done;

	if ((int64_t)len > left)
		len = left;
	if (!len) {
		*n = 0;
		return NULL;
	}
	GT_TRY(gt_call_check(call));
	if (s->entry.offset >= 0)
		return read_file(s, buf, len, n);
	GT_TRY(need_data(s, call));
	if (len > s->frame.body.left)
		len = s->frame.body.left;
	memcpy(buf, s->frame.body.p, len);
	s->frame.body.p += len;
	s->frame.body.left -= len;
	s->done += len;
	*n = len;
	return NULL;
}

struct gt_error *gt_archive_source_read_all(struct gt_archive_source *s, const struct gt_call *call,
					    size_t limit, struct gt_buf *out)
{
	const size_t part = 65536;
	size_t n;

	if ((uint64_t)(s->entry.size - s->done) > limit)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "%s claims %lld bytes, the limit is %zu",
				    s->name ? s->name : "entry", (long long)s->entry.size, limit);
	do {
		GT_TRY(gt_archive_source_read(s, call, gt_buf_reserve(out, part), part, &n));
		gt_buf_setlen(out, out->len + n);
	} while (n);
	return NULL;
}

void gt_archive_source_free(struct gt_archive_source *s)
{
	if (!s)
		return;
	gt_layer_job_done(&s->job);
	free(s->name);
	free(s->link);
	free(s);
}
