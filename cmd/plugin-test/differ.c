/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite of the kind differ: its rig. */
#include <config.h>

#include "differ.h"

#include "suite.h"

#include <gantry/file.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

char *differ_folder(struct differ_rig *r, const char *name)
{
	char *path = gt_strf("%s/%u-%s", r->dir, r->n++, name);

	mkdir(path, 0755);
	chmod(path, 0755);
	return path;
}

void differ_bind(struct gt_mounts *m, const char *path)
{
	struct gt_mount *v = gt_mounts_add(m, "bind", path, "");

	gt_strv_add(&v->options, "rw");
	gt_strv_add(&v->options, "rbind");
}

void differ_overlay(struct gt_mounts *m, const char *upper, const char *lower)
{
	struct gt_mount *v = gt_mounts_add(m, "overlay", "overlay", "");
	gt_autofree char *work = gt_strf("%s.work", upper);

	mkdir(work, 0755);
	gt_strv_add(&v->options, "index=off");
	gt_strv_addf(&v->options, "workdir=%s", work);
	gt_strv_addf(&v->options, "upperdir=%s", upper);
	gt_strv_addf(&v->options, "lowerdir=%s", lower);
}

struct memory_reader {
	struct gt_reader base;
	const struct gt_buf *b;
	int fd;
};

static struct gt_error *memory_pread(struct gt_reader *reader, void *buf, size_t len, int64_t off,
				     size_t *out)
{
	const struct gt_buf *b = ((struct memory_reader *)reader)->b;

	if (off < 0 || (uint64_t)off >= b->len)
		len = 0;
	else if (len > b->len - off)
		len = b->len - off;
	if (len)
		memcpy(buf, b->s + off, len);
	*out = len;
	return NULL;
}

static int64_t memory_length(struct gt_reader *reader)
{
	return ((struct memory_reader *)reader)->b->len;
}

static int memory_fd(struct gt_reader *reader)
{
	return ((struct memory_reader *)reader)->fd;
}

static void memory_close(struct gt_reader *reader)
{
	struct memory_reader *m = (struct memory_reader *)reader;

	if (m->fd >= 0)
		close(m->fd);
	free(m);
}

struct gt_reader *differ_reader(const struct gt_buf *b, bool as_file)
{
	static const struct gt_reader_ops ops = {
		.size = sizeof(ops), .pread = memory_pread, .length = memory_length,
		.close = memory_close, .fd = memory_fd,
	};
	struct memory_reader *m = gt_xcalloc(1, sizeof(*m));

	*m = (struct memory_reader){ .base.ops = &ops, .b = b, .fd = -1 };
	if (as_file) {
		m->fd = memfd_create("layer", MFD_CLOEXEC);
		gt_error_free(gt_file_write_all(m->fd, b->s, b->len, "memory file"));
	}
	return &m->base;
}

struct memory_writer {
	struct gt_writer base;
	struct gt_buf *to;
	size_t room;
};

static struct gt_error *memory_write(struct gt_writer *writer, const void *buf, size_t len)
{
	struct memory_writer *w = (struct memory_writer *)writer;

	if (len > w->room)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "the suite's writer is full");
	w->room -= len;
	gt_buf_add(w->to, buf, len);
	return NULL;
}

static void memory_writer_close(struct gt_writer *writer)
{
	free(writer);
}

struct gt_writer *differ_writer(struct gt_buf *to, size_t room)
{
	static const struct gt_writer_ops ops = { .size = sizeof(ops), .write = memory_write,
						  .close = memory_writer_close };
	struct memory_writer *w = gt_xcalloc(1, sizeof(*w));

	*w = (struct memory_writer){ .base.ops = &ops, .to = to, .room = room };
	return &w->base;
}

char *differ_digest(const struct gt_buf *b)
{
	return gt_digest_of(b->s, b->len);
}

struct gt_error *differ_apply(struct differ_rig *r, const char *media_type,
			      const struct gt_buf *blob, const struct gt_mounts *m,
			      struct gt_diff_result *out)
{
	gt_autoptr(gt_reader) reader = differ_reader(blob, true);
	gt_auto(gt_descriptor) desc = { .media_type = gt_xstrdup(media_type),
					.digest = differ_digest(blob), .size = blob->len };

	return gt_differ_apply(r->d, &r->call, &desc, reader, m, out);
}

bool differ_expect(struct differ_rig *r, struct gt_buf *tar, const struct gt_mounts *m,
		   enum gt_class want, const char *what)
{
	gt_auto(gt_diff_result) out = { 0 };

	tar_end(tar);
	return suite_class(differ_apply(r, OCI_LAYER, tar, m, &out), want, "%s", what);
}

bool differ_is(const char *root, const char *name, mode_t type)
{
	gt_autofree char *path = gt_strf("%s/%s", root, name);
	struct stat st;

	if (lstat(path, &st) < 0)
		return type == 0;
	return (st.st_mode & S_IFMT) == type;
}

bool differ_content_is(const char *root, const char *name, const char *want)
{
	gt_autofree char *path = gt_strf("%s/%s", root, name);
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(AT_FDCWD, path, 1 << 20, &b);

	return !e && !strcmp(b.s, want);
}

void suite_differ(struct gt_differ *d, const char *dir)
{
	struct differ_rig r = { .d = d, .dir = dir, .call = GT_CALL_INIT };

	if (geteuid() != 0) {
		suite_skip("owners and devices need root", "layers");
		return;
	}
	differ_suite_apply(&r);
	differ_suite_whiteouts(&r);
	differ_suite_hostile(&r);
	differ_suite_diff(&r);
}
