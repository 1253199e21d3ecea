/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image or a checkpoint as somebody made it: an index and the documents that it names are stored, looked
 * through, and restored from. An input is a byte (how many documents, up to 7), documents with a length of
 * two bytes before each, and the index, where $N and #N stand for digest and size of document N.
 */
#include <config.h>

#include "fuzz/fuzz.h"
#include "fuzz/host.h"

#include <client/checkpoint.h>
#include <client/image.h>
#include <gantry/api-blobs.h>
#include <gantry/api-images.h>
#include <gantry/hash.h>

#include <ctype.h>
#include <string.h>

#define DOCUMENTS 7
#define CONFIG "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"A=b\"]}," \
	       "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"

static struct fuzz_host rig = { .name = "checkpoint" };
static struct gt_services *services;

/* --- what is stored ----------------------------------------------------------------------- */

static struct gt_error *blob_write(struct gt_call *call, const char *digest, const void *data,
				   size_t len)
{
	const struct gt_descriptor d = { .digest = (char *)digest, .size = (int64_t)len };
	gt_autoptr(gt_writer) w = NULL;

	GT_TRY(gt_blobs_writer(services, call, digest, &d, &w));
	GT_TRY(gt_writer_write(w, data, len));
	return gt_blobs_commit(services, call, w, (int64_t)len, digest, NULL, NULL);
}

static char *blob_put(struct gt_call *call, const void *data, size_t len)
{
	char *digest = gt_digest_of(data, len);

	if (len)
		fuzz_must(gt_error_unless(blob_write(call, digest, data, len), GT_ALREADY_EXISTS));
	return digest;
}

static void image_put(struct gt_call *call, const char *name, const char *type, const void *data,
		      size_t len, struct gt_image *out)
{
	*out = (struct gt_image){
		.name = gt_xstrdup(name),
		.target = { .media_type = gt_xstrdup(type),
			    .digest = blob_put(call, data, len),
			    .size = (int64_t)len },
	};
	gt_error_free(gt_images_remove(services, call, name, false));
	fuzz_must(gt_images_create(services, call, out, NULL));
}

/* What a checkpoint may name: an image without layers. */
static void base_make(struct gt_call *call)
{
	gt_autofree char *config = blob_put(call, CONFIG, strlen(CONFIG));
	gt_autofree char *text = gt_strf(
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		"\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
		"\"digest\":\"%s\",\"size\":%zu},\"layers\":[]}",
		config, strlen(CONFIG));
	gt_auto(gt_image) base = { 0 };

	image_put(call, "base", "application/vnd.oci.image.manifest.v1+json", text, strlen(text),
		  &base);
}

/* --- an input ----------------------------------------------------------------------------- */

struct document {
	const uint8_t *data;
	size_t len;
	char *digest;
};

static size_t documents_read(struct gt_call *call, const uint8_t **p, const uint8_t *end,
			     struct document out[DOCUMENTS])
{
	size_t n = *p < end ? *(*p)++ % (DOCUMENTS + 1) : 0, i;

	for (i = 0; i < n && end - *p >= 2; i++) {
		out[i].len = (size_t)((*p)[0] << 8 | (*p)[1]);
		*p += 2;
		if (out[i].len > (size_t)(end - *p))
			out[i].len = (size_t)(end - *p);
		out[i].data = *p;
		out[i].digest = blob_put(call, *p, out[i].len);
		*p += out[i].len;
	}
	return i;
}

static void index_write(const uint8_t *p, const uint8_t *end, const struct document *d, size_t n,
			struct gt_buf *out)
{
	for (; p < end; p++) {
		size_t i = end - p > 1 && isdigit(p[1]) ? (size_t)(p[1] - '0') : n;

		if (i >= n || (*p != '$' && *p != '#')) {
			gt_buf_addc(out, (char)*p);
			continue;
		}
		if (*p == '$')
			gt_buf_adds(out, d[i].digest);
		else
			gt_buf_addf(out, "%zu", d[i].len);
		p++;
	}
}

static void look(struct gt_call *call, const struct gt_image *image)
{
	struct gt_platforms any = { 0 };
	struct gt_image_view view = { 0 };
	struct gt_image_status status = { 0 };
	gt_auto(gt_strv) names = { 0 };
	int64_t size;
	bool all;
	struct gt_error *e = gt_image_resolve(services, call, &image->target, &any, &view);

	if (!e)
		gt_image_view_done(&view);
	gt_error_free(e);
	e = gt_image_check(services, call, &image->target, &any, &status);
	if (!e)
		gt_image_status_done(&status);
	gt_error_free(e);
	gt_error_free(gt_image_platforms(services, call, &image->target, &names, &all));
	gt_error_free(gt_image_size(services, call, &image->target, &any, &size));
}

static void restore(struct gt_call *call, const char *image)
{
	const struct gt_restore_options o = { .id = "c", .image = image };
	const struct gt_task_options t = { .detach = true, .null_io = true };
	uint32_t status;

	/* There is no runtime: it ends when the container is made, and goes again. */
	gt_error_free(gt_restore(services, call, &o, &t, &status));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_host_open(&rig);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data, *end = data + size;
	struct document documents[DOCUMENTS] = { 0 };
	struct gt_call call = GT_CALL_INIT;
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_auto(gt_image) image = { 0 };
	size_t n;

	call.ns = "default";
	if (fuzz_host_next(&rig)) {
		services = fuzz_host_plugin(&rig, GT_SERVICES);
		base_make(&call);
	}
	n = documents_read(&call, &p, end, documents);
	index_write(p, end, documents, n, &text);
	if (text.len) {
		image_put(&call, "checkpoint", "application/vnd.oci.image.index.v1+json", text.s,
			  text.len, &image);
		look(&call, &image);
		restore(&call, "checkpoint");
	}
	for (size_t i = 0; i < n; i++)
		free(documents[i].digest);
	return 0;
}
