/* SPDX-License-Identifier: Apache-2.0 */
/* The archive's entries, and their bytes. */
#include <config.h>

#include <client/import-private.h>

#include <gantry/api-blobs.h>

#include <errno.h>
#include <string.h>

#define ENTRIES_MAX 200000
#define NAME_BYTES_MAX (16 * 1024 * 1024)
#define LAYOUT_MAX 65536
#define LINKS_MAX 8

static struct gt_error *entry_add(struct import *m, const struct gt_archive_entry *e,
				  struct import_entry **out)
{
	struct import_entry *fresh;

	m->name_bytes += strlen(e->name) + strlen(e->link);
	if (m->n_entries >= ENTRIES_MAX || m->name_bytes > NAME_BYTES_MAX)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "image archive has too many entries");
	GT_GROW(m->entries, m->n_entries, m->alloc_entries);
	fresh = &m->entries[m->n_entries];
	*fresh = (struct import_entry){
		.name = gt_xstrdup(e->name),
		.order = m->n_entries,
		.size = e->size,
		.offset = e->offset,
	};
	m->n_entries++;
	*out = fresh;
	return NULL;
}

/* "a/b/../c" beside the folder of 'name', clean; NULL if it leaves the root or is absolute. */
static char *link_target(const char *name, const char *link)
{
	gt_auto(gt_strv) parts = { 0 };
	gt_auto(gt_strv) clean = { 0 };
	gt_auto(gt_buf) out = GT_BUF_INIT;
	const char *slash = strrchr(name, '/');
	gt_autofree char *whole = NULL;

	if (*link == '/')
		return NULL;
	whole = slash ? gt_strf("%.*s/%s", (int)(slash - name), name, link) : gt_xstrdup(link);
	gt_strv_split(&parts, whole, '/');
	for (size_t i = 0; i < parts.n; i++) {
		if (!*parts.v[i] || !strcmp(parts.v[i], "."))
			continue;
		if (strcmp(parts.v[i], "..")) {
			gt_strv_add(&clean, parts.v[i]);
			continue;
		}
		if (!clean.n)
			return NULL;
		free(clean.v[--clean.n]);
		clean.v[clean.n] = NULL;
	}
	for (size_t i = 0; i < clean.n; i++)
		gt_buf_addf(&out, "%s%s", i ? "/" : "", clean.v[i]);
	return gt_buf_detach(&out);
}

/* "sha256:HEX" for "blobs/sha256/HEX"; NULL for another name. */
static char *digest_of_name(const char *name)
{
	gt_auto(gt_strv) parts = { 0 };
	gt_autofree char *digest = NULL;
	struct gt_error *e;

	if (strncmp(name, "blobs/", 6))
		return NULL;
	gt_strv_split(&parts, name, '/');
	if (parts.n != 3)
		return NULL;
	digest = gt_strf("%s:%s", parts.v[1], parts.v[2]);
	e = gt_digest_check(digest);
	if (!e)
		return gt_steal(&digest);
	gt_error_free(e);
	return NULL;
}

/* What a Docker archive holds besides, and nothing refers to. */
static bool is_ballast(const char *name)
{
	const char *slash = strrchr(name, '/');

	return !strcmp(name, "repositories") || (slash && !strcmp(slash, "/VERSION")) ||
	       (slash && !strcmp(slash, "/json"));
}

static struct gt_error *document_read(struct import *m, struct gt_archive_source *src, size_t limit,
				      struct gt_buf *out)
{
	gt_buf_setlen(out, 0);
	return gt_archive_source_read_all(src, m->call, limit, out);
}

static struct gt_error *file_take(struct import *m, struct gt_archive_source *src,
				  const struct gt_archive_entry *e)
{
	gt_autofree char *digest = NULL;
	struct import_entry *entry;

	if (!strcmp(e->name, "oci-layout")) {
		gt_auto(gt_buf) text = GT_BUF_INIT;

		GT_TRY(document_read(m, src, LAYOUT_MAX, &text));
		GT_TRY(gt_oci_layout_parse(text.s, text.len));
		m->is_oci = true;
		return NULL;
	}
	if (!strcmp(e->name, "index.json")) {
		m->has_index = true;
		return document_read(m, src, GT_DOCUMENT_MAX, &m->index);
	}
	if (!strcmp(e->name, "manifest.json")) {
		m->has_docker = true;
		return document_read(m, src, GT_DOCUMENT_MAX, &m->docker);
	}
	digest = digest_of_name(e->name);
	if (!digest && (m->is_oci || is_ballast(e->name)))
		return NULL;
	GT_TRY(entry_add(m, e, &entry));
	if (e->offset >= 0)
		return NULL;
	/* It comes by only once, so it is kept before anybody knows whether it is wanted. */
	return gt_import_stream_store(m, src, e, digest, &entry->digest);
}

static int by_name(const void *a, const void *b)
{
	const struct import_entry *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	if (c)
		return c;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void entry_done(struct import_entry *e)
{
	free(e->name);
	free(e->link);
	free(e->digest);
}

/* Sorts, and keeps the last of those with one name, as whoever extracts the archive would. */
static void entries_sort(struct import *m)
{
	size_t n = 0;

	if (!m->n_entries)
		return;
	qsort(m->entries, m->n_entries, sizeof(*m->entries), by_name);
	for (size_t i = 0; i < m->n_entries; i++) {
		if (i + 1 < m->n_entries && !strcmp(m->entries[i].name, m->entries[i + 1].name))
			entry_done(&m->entries[i]);
		else
			m->entries[n++] = m->entries[i];
	}
	m->n_entries = n;
}

struct gt_error *gt_import_scan(struct import *m)
{
	struct gt_archive_source_options o = { .worker = m->o->worker };
	gt_autoptr(gt_archive_source) src = NULL;

	GT_TRY(gt_archive_source_open(&o, m->fd, &src));
	for (;;) {
		const struct gt_archive_entry *e;
		struct import_entry *entry;

		GT_TRY(gt_archive_source_next(src, m->call, &e));
		if (!e)
			break;
		switch (e->type) {
		case GT_ARCHIVE_FILE:
			GT_TRY(gt_error_wrap(file_take(m, src, e), "archive entry %s", e->name));
			break;
		case GT_ARCHIVE_SYMLINK:
		case GT_ARCHIVE_HARDLINK:
			GT_TRY(entry_add(m, e, &entry));
			entry->link = e->type == GT_ARCHIVE_HARDLINK ?
					      gt_xstrdup(e->link) :
					      link_target(e->name, e->link);
			if (!entry->link)
				return gt_error_new(GT_INVALID_ARGUMENT,
						    "archive entry %s: link leaves the archive",
						    entry->name);
			break;
		default: /* folders and device nodes hold nothing */
			break;
		}
	}
	entries_sort(m);
	if (!m->has_index && !m->has_docker)
		return gt_error_new(GT_INVALID_ARGUMENT, "archive holds no image: it has neither "
							 "index.json nor manifest.json");
	return NULL;
}

static const struct import_entry *lookup(struct import *m, const char *name)
{
	struct import_entry key = { .name = (char *)name };
	size_t lo = 0, hi = m->n_entries;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(key.name, m->entries[mid].name);

		if (!c)
			return &m->entries[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

struct gt_error *gt_import_find(struct import *m, const char *name, const struct import_entry **out)
{
	const struct import_entry *e = lookup(m, name);

	for (int i = 0; e && e->link && i < LINKS_MAX; i++)
		e = lookup(m, e->link);
	if (!e || e->link)
		return gt_error_new(GT_NOT_FOUND, "%s is not in the archive", name);
	*out = e;
	return NULL;
}

const struct import_entry *gt_import_find_blob(struct import *m, const char *digest)
{
	const char *colon = strchr(digest, ':');
	gt_autofree char *name = gt_strf("blobs/%.*s/%s", (int)(colon - digest), digest, colon + 1);
	const struct import_entry *e = lookup(m, name);

	return e && !e->link ? e : NULL;
}

/* 'len' bytes from the start; fewer only where the entry is shorter. */
static struct gt_error *head_read(struct import *m, const struct import_entry *e, size_t len,
				  struct gt_buf *out)
{
	gt_autoptr(gt_reader) r = NULL;
	size_t have = 0;
	char *p;

	if ((int64_t)len > e->size)
		len = e->size;
	if (e->offset < 0) {
		if (!e->digest)
			return gt_error_new(GT_INTERNAL, "%s was not kept", e->name);
		GT_TRY(gt_blobs_reader(m->s, m->call, e->digest, &r));
	}
	p = gt_buf_reserve(out, len);
	while (have < len) {
		size_t n = 0;

		if (r) {
			GT_TRY(gt_reader_pread(r, p + have, len - have, have, &n));
		} else {
			ssize_t got = pread(m->fd, p + have, len - have, e->offset + have);

			if (got < 0 && errno == EINTR)
				continue;
			if (got < 0)
				return gt_error_errno(GT_UNKNOWN, errno, "read archive");
			n = got;
		}
		if (!n)
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: the archive was cut short",
					    e->name);
		have += n;
	}
	gt_buf_setlen(out, out->len + have);
	return NULL;
}

struct gt_error *gt_import_entry_read(struct import *m, const struct import_entry *e,
				      struct gt_buf *out)
{
	if (e->size > GT_DOCUMENT_MAX)
		return gt_error_new(GT_RESOURCE_EXHAUSTED,
				    "%s: %lld bytes are too many for a document", e->name,
				    (long long)e->size);
	return head_read(m, e, e->size, out);
}

struct gt_error *gt_import_entry_sniff(struct import *m, const struct import_entry *e,
				       const char **media_type)
{
	gt_auto(gt_buf) head = GT_BUF_INIT;

	GT_TRY(head_read(m, e, 4, &head));
	if (head.len >= 3 && !memcmp(head.s, "\x1f\x8b\x08", 3))
		*media_type = GT_TYPE_DOCKER_LAYER_GZIP;
	else if (head.len >= 4 && !memcmp(head.s, "\x28\xb5\x2f\xfd", 4))
		*media_type = GT_TYPE_DOCKER_LAYER_ZSTD;
	else
		*media_type = GT_TYPE_DOCKER_LAYER;
	return NULL;
}
