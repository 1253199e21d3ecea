/* SPDX-License-Identifier: Apache-2.0 */
/* The transfer service: the use cases of lib/client, run here and told of over streams. */
#include <config.h>

#include "transfer.h"

#include <client/export.h>
#include <client/image.h>
#include <client/import.h>
#include <gantry/file.h>

#include "containerd.services.transfer.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#include <string.h>

char *transfer_platform(const Containerd__Types__Platform *m)
{
	return gt_strf("%s/%s%s%s", m->os, m->architecture, *m->variant ? "/" : "", m->variant);
}

struct gt_error *transfer_platforms(Containerd__Types__Platform *const *v, size_t n,
				    struct gt_platforms *out)
{
	for (size_t i = 0; i < n; i++) {
		gt_autofree char *s = transfer_platform(v[i]);

		GT_TRY(gt_platforms_add(out, s));
	}
	return NULL;
}

/* --- archives ------------------------------------------------------------------------------ */

static struct gt_error *import_step(void *arg, enum gt_import_step step, const struct gt_image *image)
{
	if (step == GT_IMPORT_DONE)
		transfer_tell(arg, "saved", image->name);
	return NULL;
}

/*
 * The names that images in the archive get, as the client's references say it: without a prefix none of
 * those in the archive, and none that is not below it unless the client says that others may be taken.
 */
static void import_names(const TRANSFER(ImageStore) *to, struct gt_import_options *o)
{
	o->names = GT_IMPORT_NO_NAMES;
	if (*to->name)
		o->index_name = to->name;
	for (size_t i = 0; i < to->n_extra_references; i++) {
		const TRANSFER(ImageReference) *r = to->extra_references[i];

		if (r->is_prefix && !o->base_name) {
			o->base_name = r->name;
			o->names = r->allow_overwrite ? GT_IMPORT_ALL_NAMES : GT_IMPORT_NAMES_BELOW;
		} else if (!r->is_prefix && !o->index_name) {
			o->index_name = r->name;
		}
		o->digests |= r->add_digest;
		o->skip_digest_for_named |= r->skip_named_digest;
	}
}

static struct gt_error *import(struct transfer *t, const TRANSFER(ImageImportStream) *from,
			       const TRANSFER(ImageStore) *to)
{
	struct gt_import_options o = {
		.compress_blobs = from->force_compress,
		.unpack = to->n_unpacks > 0,
		.snapshotter = to->n_unpacks && *to->unpacks[0]->snapshotter ? to->unpacks[0]->snapshotter
									     : NULL,
		.worker = *t->f->config->worker ? t->f->config->worker : NULL,
		.step = import_step,
		.arg = t,
	};
	struct transfer_bytes *bytes;
	struct gt_error *e;
	int fd;

	import_names(to, &o);
	e = transfer_platforms(to->platforms, to->n_platforms, &o.platforms);
	if (!e)
		e = transfer_bytes_in(t, from->stream, &bytes, &fd);
	if (!e) {
		transfer_tell(t, "Importing", "");
		e = gt_image_import(t->f->services, t->call, fd, &o);
		e = transfer_bytes_end(bytes, e);
	}
	if (!e)
		transfer_tell(t, "Completed import", "");
	gt_platforms_done(&o.platforms);
	return e;
}

/* The image that is named, and those of further references: a prefix stands for all below it. */
static struct gt_error *images_find(struct transfer *t, const TRANSFER(ImageStore) *from,
				    struct gt_image **out, size_t *n)
{
	size_t most = 1 + from->n_extra_references;

	*out = gt_xcalloc(most, sizeof(**out));
	*n = 0;
	if (*from->name) {
		GT_TRY(gt_images_get(t->f->services, t->call, from->name, &(*out)[*n]));
		++*n;
	}
	for (size_t i = 0; i < from->n_extra_references; i++) {
		GT_TRY(gt_images_get(t->f->services, t->call, from->extra_references[i]->name,
				     &(*out)[*n]));
		++*n;
	}
	return *n ? NULL : gt_error_new(GT_INVALID_ARGUMENT, "no image to export is named");
}

static struct gt_error *export(struct transfer *t, const TRANSFER(ImageStore) *from,
			       const TRANSFER(ImageExportStream) *to)
{
	struct gt_export_options o = {
		.all_platforms = to->all_platforms,
		.skip_manifest_json = to->skip_compatibility_manifest,
		.skip_non_distributable = to->skip_non_distributable,
	};
	struct transfer_bytes *bytes;
	struct gt_image *images = NULL;
	size_t n = 0;
	struct gt_error *e = images_find(t, from, &images, &n);
	int fd;

	if (!e)
		e = transfer_platforms(to->platforms, to->n_platforms, &o.platforms);
	if (!e && !to->n_platforms)
		gt_platforms_add_host(&o.platforms);
	if (!e)
		e = transfer_bytes_out(t, to->stream, &bytes, &fd);
	if (!e) {
		transfer_tell(t, "Exporting", "");
		e = gt_image_export(t->f->services, t->call, images, n, fd, &o);
		e = transfer_bytes_end(bytes, e);
	}
	if (!e)
		transfer_tell(t, "Completed export", "");
	for (size_t i = 0; i < n; i++)
		gt_image_done(&images[i]);
	free(images);
	gt_platforms_done(&o.platforms);
	return e;
}

static struct gt_error *tag(struct transfer *t, const TRANSFER(ImageStore) *from,
			    const TRANSFER(ImageStore) *to)
{
	gt_auto(gt_image) image = { 0 };

	GT_TRY(gt_images_get(t->f->services, t->call, from->name, &image));
	free(image.name);
	image.name = gt_xstrdup(to->name);
	return gt_image_set(t->f->services, t->call, &image, NULL, NULL);
}

/* Bytes come back as they came: clients measure their streams by it. */
static struct gt_error *echo(struct transfer *t, const TRANSFER(ImageImportStream) *from,
			     const TRANSFER(ImageExportStream) *to)
{
	gt_autofree char *data = gt_xmalloc(65536);
	struct transfer_bytes *in, *out;
	struct gt_error *e;
	int from_fd, to_fd;
	ssize_t n;

	GT_TRY(transfer_bytes_in(t, from->stream, &in, &from_fd));
	e = transfer_bytes_out(t, to->stream, &out, &to_fd);
	if (e)
		return transfer_bytes_end(in, e);
	while (!e && (n = read(from_fd, data, 65536)) > 0)
		e = gt_file_write_all(to_fd, data, (size_t)n, "a pipe");
	e = transfer_bytes_end(out, e);
	return transfer_bytes_end(in, e);
}

/* --- what goes where --------------------------------------------------------------------------- */

enum end { REGISTRY, STORE, IMPORT, EXPORT, N_ENDS };

static const ProtobufCMessageDescriptor *const ends[N_ENDS] = {
	[REGISTRY] = &containerd__types__transfer__ociregistry__descriptor,
	[STORE] = &containerd__types__transfer__image_store__descriptor,
	[IMPORT] = &containerd__types__transfer__image_import_stream__descriptor,
	[EXPORT] = &containerd__types__transfer__image_export_stream__descriptor,
};

static struct gt_error *end_read(const Google__Protobuf__Any *m, const char *what, int *kind,
				 ProtobufCMessage **out)
{
	gt_auto(gt_any) any = { 0 };

	GT_TRY(grpc_required(m, what));
	gt_wire_any_get(m, &any);
	for (*kind = 0; *kind < N_ENDS; ++*kind)
		if (gt_any_is(&any, ends[*kind]->name))
			return gt_wire_any_unpack(&any, ends[*kind], out);
	return gt_error_new(GT_UNIMPLEMENTED, "unable to transfer: %s %s", what, m->type_url);
}

static struct gt_error *run(struct transfer *t, int from_kind, const void *from, int to_kind,
			    const void *to)
{
	switch (from_kind * N_ENDS + to_kind) {
	case REGISTRY * N_ENDS + STORE:
		return transfer_pull(t, from, to);
	case STORE * N_ENDS + REGISTRY:
		return transfer_push(t, from, to);
	case STORE * N_ENDS + EXPORT:
		return export(t, from, to);
	case IMPORT * N_ENDS + STORE:
		return import(t, from, to);
	case STORE * N_ENDS + STORE:
		return tag(t, from, to);
	case IMPORT * N_ENDS + EXPORT:
		return echo(t, from, to);
	default:
		return gt_error_new(GT_UNIMPLEMENTED, "unable to transfer from %s to %s",
				    ends[from_kind]->name, ends[to_kind]->name);
	}
}

static struct gt_error *transfer(struct gt_grpc_unary *u)
{
	const Containerd__Services__Transfer__V1__TransferRequest *r = u->request;
	struct transfer t = { .f = u->arg, .call = u->call };
	gt_autowire ProtobufCMessage *from = NULL, *to = NULL;
	int from_kind, to_kind;
	struct gt_error *e;

	GT_TRY(gt_call_namespace(u->call));
	GT_TRY(end_read(r->source, "source", &from_kind, &from));
	GT_TRY(end_read(r->destination, "destination", &to_kind, &to));
	if (r->options && *r->options->progress_stream)
		GT_TRY(grpc_stream_take(t.f->streams, u->call->ns, r->options->progress_stream,
					&t.progress));
	e = run(&t, from_kind, from, to_kind, to);
	grpc_stream_end(t.progress);
	return e;
}

const struct gt_grpc_method grpc_transfer[] = {
	GT_GRPC_UNARY("Transfer", containerd__services__transfer__v1__transfer_request__descriptor,
		      google__protobuf__empty__descriptor, transfer, 0),
	{ 0 }
};
