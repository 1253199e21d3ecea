/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conformance suite of the kind resolver: against a registry that GANTRY_TEST_REGISTRY names, as the
 * beginning of a reference ("localhost:5000/suite"), where it may push into two new repositories.
 */
#include <config.h>

#include "suite.h"

#include <gantry/buf.h>
#include <gantry/resolver.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BLOB_SIZE (3 * 1024 * 1024 + 17)
#define THREADS 8
#define LAYER "application/vnd.oci.image.layer.v1.tar+gzip"
#define MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define CONFIG "application/vnd.oci.image.config.v1+json"

struct resolver_rig {
	struct gt_resolver *r;
	struct gt_call call;
	char *ref; /* "HOST/repository:t" */
	char *other; /* another repository, likewise */
	char *repository; /* the first one, without its host */
	struct gt_buf blob;
	struct gt_descriptor layer, config, manifest;
};

struct memory {
	struct gt_reader base;
	const struct gt_buf *b;
};

static struct gt_error *memory_pread(struct gt_reader *reader, void *buf, size_t len, int64_t off,
				     size_t *out)
{
	const struct gt_buf *b = ((struct memory *)reader)->b;
	size_t left = (size_t)off < b->len ? b->len - off : 0;

	*out = len < left ? len : left;
	if (*out)
		memcpy(buf, b->s + off, *out);
	return NULL;
}

static int64_t memory_length(struct gt_reader *reader)
{
	return ((struct memory *)reader)->b->len;
}

static void memory_close(struct gt_reader *reader)
{
	(void)reader;
}

static char *digest_of(const struct gt_buf *b)
{
	return gt_digest_of(b->s, b->len);
}

static struct gt_descriptor describe(const struct gt_buf *b, const char *type)
{
	return (struct gt_descriptor){ .media_type = gt_xstrdup(type), .digest = digest_of(b),
				       .size = b->len };
}

static struct gt_error *push(struct resolver_rig *g, const char *ref, const struct gt_descriptor *d,
			     const struct gt_buf *bytes, const struct gt_push_options *p,
			     enum gt_push_end *end)
{
	static const struct gt_reader_ops ops = { .size = sizeof(ops), .pread = memory_pread,
						  .length = memory_length, .close = memory_close };
	struct memory m = { .base.ops = &ops, .b = bytes };

	return gt_resolver_push(g->r, &g->call, ref, d, &m.base, NULL, p, end);
}

static void on_progress(void *arg, int64_t done)
{
	*(int64_t *)arg = done;
}

static void pushes(struct resolver_rig *g)
{
	struct gt_push_options p = GT_PUSH_OPTIONS_INIT;
	struct gt_strv from = { 0 };
	struct gt_descriptor wrong = g->layer;
	gt_auto(gt_buf) other = GT_BUF_INIT;
	enum gt_push_end end = 0;
	int64_t sent = -1;

	p.progress = on_progress;
	p.progress_arg = &sent;
	suite_class(push(g, g->ref, &g->layer, &g->blob, &p, &end), GT_OK, "a blob is pushed");
	suite_ok(end == GT_PUSH_SENT, "it was sent");
	suite_ok(sent == BLOB_SIZE, "progress ends with its size");
	suite_class(push(g, g->ref, &g->layer, &g->blob, NULL, &end), GT_OK, "pushed again");
	suite_ok(end == GT_PUSH_EXISTED, "it existed");
	gt_strv_add(&from, g->repository);
	p.from = &from;
	suite_class(push(g, g->other, &g->layer, &g->blob, &p, &end), GT_OK, "into another repository");
	suite_ok(end == GT_PUSH_MOUNTED || end == GT_PUSH_SENT, "it was mounted, or sent where that is not done");
	gt_strv_done(&from);
	/* other bytes of the same length than the descriptor says */
	gt_buf_add(&other, g->blob.s, g->blob.len);
	other.s[7] ^= 1;
	wrong.digest = digest_of(&other);
	other.s[7] ^= 3;
	suite_class(push(g, g->ref, &wrong, &other, NULL, NULL), GT_FAILED_PRECONDITION,
		    "bytes that their descriptor does not describe");
	free(wrong.digest);
	gt_buf_setlen(&other, 100);
	suite_class(push(g, g->ref, &g->layer, &other, NULL, NULL), GT_FAILED_PRECONDITION,
		    "nor has the length of");
}

/* An image of the one layer, its configuration and manifest. */
static void image_push(struct resolver_rig *g)
{
	gt_auto(gt_buf) config = GT_BUF_INIT;
	gt_auto(gt_buf) manifest = GT_BUF_INIT;
	enum gt_push_end end = 0;

	gt_buf_adds(&config, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},"
			     "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}");
	g->config = describe(&config, CONFIG);
	gt_buf_addf(&manifest,
		    "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST "\",\"config\":{\"mediaType\":\"" CONFIG
		    "\",\"digest\":\"%s\",\"size\":%d},\"layers\":[{\"mediaType\":\"" LAYER
		    "\",\"digest\":\"%s\",\"size\":%d}]}",
		    g->config.digest, (int)config.len, g->layer.digest, BLOB_SIZE);
	g->manifest = describe(&manifest, MANIFEST);
	suite_class(push(g, g->ref, &g->config, &config, NULL, NULL), GT_OK, "a configuration is pushed");
	suite_class(push(g, g->ref, &g->manifest, &manifest, NULL, &end), GT_OK, "a manifest is pushed");
	suite_ok(end == GT_PUSH_SENT, "it was sent");
	suite_class(push(g, g->ref, &g->manifest, &manifest, NULL, &end), GT_OK, "pushed again");
	suite_ok(end == GT_PUSH_EXISTED, "the tag stood for it");
}

static void resolves_to(struct resolver_rig *g, const char *ref, const char *what)
{
	struct gt_resolved r = { 0 };

	if (!suite_class(gt_resolver_resolve(g->r, &g->call, ref, NULL, &r), GT_OK, "%s resolves", what))
		return;
	suite_ok(!strcmp(r.desc.digest, g->manifest.digest) && r.desc.size == g->manifest.size &&
			 !strcmp(r.desc.media_type, MANIFEST) && !strcmp(r.name, ref) && r.host,
		 "%s: digest, size, media type, name, host", what);
	gt_resolved_done(&r);
}

static void resolves(struct resolver_rig *g)
{
	gt_autofree char *by_digest = gt_strf("%.*s@%s", (int)(strlen(g->ref) - 2), g->ref,
					      g->manifest.digest);
	gt_autofree char *both = gt_strf("%s@%s", g->ref, g->manifest.digest);
	gt_autofree char *missing = gt_strf("%s-missing", g->ref);
	gt_autofree char *no_object = gt_xstrndup(g->ref, strlen(g->ref) - 2);
	gt_autofree char *nobody = gt_strf("%.*s-nobody:t", (int)(strlen(g->ref) - 2), g->ref);
	struct gt_registry_options old = GT_REGISTRY_OPTIONS_INIT;
	struct gt_resolved r = { 0 };

	resolves_to(g, g->ref, "a tag");
	resolves_to(g, by_digest, "a digest");
	resolves_to(g, both, "a tag with a digest");
	suite_class(gt_resolver_resolve(g->r, &g->call, missing, NULL, &r), GT_NOT_FOUND, "another tag");
	suite_class(gt_resolver_resolve(g->r, &g->call, nobody, NULL, &r), GT_NOT_FOUND,
		    "another repository");
	suite_class(gt_resolver_resolve(g->r, &g->call, no_object, NULL, &r), GT_INVALID_ARGUMENT,
		    "neither tag nor digest");
	suite_class(gt_resolver_resolve(g->r, &g->call, "no host", NULL, &r), GT_INVALID_ARGUMENT,
		    "no reference");
	suite_class(gt_resolver_resolve(g->r, &g->call, "h.example/../x:t", NULL, &r), GT_INVALID_ARGUMENT,
		    "a reference that climbs");
	old.size = offsetof(struct gt_registry_options, headers);
	if (suite_class(gt_resolver_resolve(g->r, &g->call, g->ref, &old, &r), GT_OK, "options of an older caller"))
		gt_resolved_done(&r);
}

static struct gt_reader *open_reader(struct resolver_rig *g, const struct gt_descriptor *d)
{
	struct gt_reader *reader = NULL;

	suite_class(gt_resolver_fetch(g->r, &g->call, g->ref, d, NULL, &reader), GT_OK, "a reader opens");
	return reader;
}

/* Reads from 'off' to the end in blocks of 'block' and compares. */
static struct gt_error *compare(struct gt_reader *reader, const struct gt_buf *with, int64_t off,
				size_t block, bool *same)
{
	gt_autofree char *buf = gt_xmalloc(block);
	size_t n = 1;

	*same = true;
	while (n) {
		GT_TRY(gt_reader_pread(reader, buf, block, off, &n));
		if (off + n > with->len || memcmp(buf, with->s + off, n) != 0)
			*same = false;
		off += n;
	}
	*same &= (size_t)off == with->len;
	return NULL;
}

static void reads(struct resolver_rig *g)
{
	static const struct {
		int64_t off;
		size_t block;
	} cases[] = { { 0, 1 << 20 }, { 0, 4093 }, { BLOB_SIZE / 2, 65536 }, { BLOB_SIZE - 1, 10 },
		      { BLOB_SIZE, 10 }, { 1, BLOB_SIZE } };
	gt_autoptr(gt_reader) reader = open_reader(g, &g->layer);
	struct gt_descriptor unknown = g->layer;
	char byte;
	size_t n;

	if (!reader)
		return;
	suite_ok(gt_reader_length(reader) == BLOB_SIZE, "its length is the descriptor's");
	/* one reader, now here, now there */
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool same = false;

		suite_class(compare(reader, &g->blob, cases[i].off, cases[i].block, &same), GT_OK,
			    "from %jd in blocks of %zu", (intmax_t)cases[i].off, cases[i].block);
		suite_ok(same, "the bytes are right");
	}
	suite_class(gt_reader_pread(reader, &byte, 1, 5, &n), GT_OK, "a byte, and no more");
	suite_ok(n == 1 && byte == g->blob.s[5], "it is right; the rest is left");
	unknown.size = -1;
	gt_reader_free(gt_steal(&reader));
	reader = open_reader(g, &unknown);
	if (reader) {
		bool same = false;

		suite_class(compare(reader, &g->blob, 0, 50000, &same), GT_OK, "a size that nobody knows");
		suite_ok(same && gt_reader_length(reader) == BLOB_SIZE, "is known at the end");
	}
}

static void reads_wrong(struct resolver_rig *g)
{
	struct gt_descriptor d = g->layer;
	gt_autofree char *missing = gt_xstrdup(g->layer.digest);
	bool same;

	for (int i = -1; i <= 1; i += 2) {
		gt_autoptr(gt_reader) reader = NULL;

		d.size = BLOB_SIZE + i;
		reader = open_reader(g, &d);
		if (reader)
			suite_class(compare(reader, &g->blob, 0, 1 << 16, &same), GT_FAILED_PRECONDITION,
				    "a descriptor of %d byte too %s", 1, i < 0 ? "few" : "many");
	}
	d.size = BLOB_SIZE;
	missing[10] = missing[10] == '0' ? '1' : '0';
	d.digest = missing;
	{
		gt_autoptr(gt_reader) reader = open_reader(g, &d);

		if (reader)
			suite_class(compare(reader, &g->blob, 0, 1 << 16, &same), GT_NOT_FOUND,
				    "content that is not there");
	}
}

struct job {
	struct resolver_rig *g;
	pthread_t thread;
	bool good;
};

static void *job_main(void *arg)
{
	struct job *j = arg;

	for (int i = 0; i < 3; i++) {
		struct gt_reader *reader = NULL;
		struct gt_error *e = gt_resolver_fetch(j->g->r, &j->g->call, j->g->ref, &j->g->layer, NULL,
						       &reader);
		bool same = false;

		if (!e)
			e = compare(reader, &j->g->blob, 0, 1 << 17, &same);
		j->good = !e && same;
		gt_error_free(e);
		gt_reader_free(reader);
		if (!j->good)
			break;
	}
	return NULL;
}

static void many(struct resolver_rig *g)
{
	struct job jobs[THREADS];
	bool good = true;

	for (int i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){ .g = g };
		pthread_create(&jobs[i].thread, NULL, job_main, &jobs[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(jobs[i].thread, NULL);
		good &= jobs[i].good;
	}
	suite_ok(good, "%d threads read at once", THREADS);
}

static void ended_calls(struct resolver_rig *g)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_reader) reader = NULL;
	struct gt_resolved r = { 0 };
	char buf[4096];
	size_t n;

	call.cancel = gt_cancel_new();
	suite_class(gt_resolver_fetch(g->r, &call, g->ref, &g->layer, NULL, &reader), GT_OK, "a reader opens");
	if (reader) {
		gt_cancel_set(call.cancel);
		suite_class(gt_reader_pread(reader, buf, sizeof(buf), 0, &n), GT_CANCELED,
			    "it ends with its call");
		gt_reader_free(gt_steal(&reader));
	}
	suite_class(gt_resolver_resolve(g->r, &call, g->ref, NULL, &r), GT_CANCELED, "a call that has ended");
	gt_cancel_free(call.cancel);
	call.cancel = NULL;
	call.deadline = gt_now() - 1;
	suite_class(gt_resolver_resolve(g->r, &call, g->ref, NULL, &r), GT_DEADLINE_EXCEEDED,
		    "a call that is too late");
}

void suite_resolver(struct gt_resolver *r, const char *dir)
{
	const char *at = getenv("GANTRY_TEST_REGISTRY");
	struct resolver_rig g = { .r = r, .call = GT_CALL_INIT, .blob = GT_BUF_INIT };
	uint64_t seed = (uint64_t)time(NULL) << 16 ^ (uint64_t)getpid();

	(void)dir;
	if (!at || !strchr(at, '/')) {
		suite_skip("GANTRY_TEST_REGISTRY names no registry (HOST/PATH)", "registry");
		return;
	}
	g.ref = gt_strf("%s/a%jx:t", at, (uintmax_t)seed);
	g.other = gt_strf("%s/b%jx:t", at, (uintmax_t)seed);
	g.repository = gt_xstrndup(strchr(g.ref, '/') + 1, strlen(strchr(g.ref, '/')) - 3);
	for (size_t i = 0; i < BLOB_SIZE; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
		gt_buf_addc(&g.blob, (char)(seed >> 56));
	}
	g.layer = describe(&g.blob, LAYER);
	pushes(&g);
	image_push(&g);
	resolves(&g);
	reads(&g);
	reads_wrong(&g);
	many(&g);
	ended_calls(&g);
	gt_descriptor_done(&g.layer);
	gt_descriptor_done(&g.config);
	gt_descriptor_done(&g.manifest);
	gt_buf_done(&g.blob);
	free(g.ref);
	free(g.other);
	free(g.repository);
}
