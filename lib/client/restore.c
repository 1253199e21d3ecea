/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checkpoint comes from anywhere. The new container is made as any other of its image: of the document
 * in the checkpoint only what an image could say as well is taken over (arguments, environment, folder,
 * user by number, terminal), and none of its labels, mounts, devices, capabilities, hooks, namespaces or
 * runtime options.
 */
#include <config.h>

#include <client/checkpoint.h>

#include <gantry/api-diffs.h>
#include <gantry/api-images.h>
#include <gantry/api-snapshots.h>
#include <gantry/log.h>
#include <oci/document.h>
#include <oci/json.h>
#include <oci/spec.h>
#include <wire/values.h>

#include <client/checkpoint-private.h>
#include <client/image.h>
#include <client/lease.h>
#include <inttypes.h>
#include <string.h>

struct restoring {
	struct gt_services *s;
	struct gt_call *call;
	const struct gt_restore_options *o;
	struct gt_index index;
	json_t *spec;
};

static const struct gt_descriptor *find(const struct restoring *r, const char *type)
{
	for (size_t i = 0; i < r->index.manifests.n; i++) {
		const struct gt_descriptor *d = &r->index.manifests.v[i];

		if (d->media_type && !strncmp(d->media_type, type, strlen(type)))
			return d;
	}
	return NULL;
}

static struct gt_error *read_index(struct restoring *r)
{
	gt_auto(gt_image) image = { 0 };

	GT_TRY(gt_images_get(r->s, r->call, r->o->image, &image));
	return gt_error_wrap(gt_image_read_index(r->s, r->call, &image.target, &r->index),
			     "checkpoint %s", r->o->image);
}

static struct gt_error *read_spec(struct restoring *r)
{
	const struct gt_descriptor *d = find(r, GT_CHECKPOINT_TYPE "config.v1+proto");
	gt_autowire ProtobufCMessage *m = NULL;
	const Google__Protobuf__Any *any;
	gt_autofree char *bytes = NULL;
	size_t len;

	if (!d)
		return gt_error_new(GT_INVALID_ARGUMENT, "checkpoint %s has no runtime document",
				    r->o->image);
	GT_TRY(gt_image_read(r->s, r->call, d, &bytes, &len));
	GT_TRY(gt_wire_unpack(&google__protobuf__any__descriptor, bytes, len, &m));
	any = (const Google__Protobuf__Any *)m;
	return gt_json_parse("runtime document of a checkpoint", any->value.data, any->value.len,
			     GT_SPEC_MAX, GT_DOCUMENT_DEPTH, &r->spec);
}

static void strings_copy(const json_t *list, struct gt_strv *out)
{
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)list, i, v) {
		if (json_is_string(v))
			gt_strv_add(out, json_string_value(v));
	}
}

/* By number, so that nothing is looked up; out of range is for the parser of users to refuse. */
static char *user_of(const json_t *process)
{
	const json_t *user = json_object_get(process, "user");

	return gt_strf("%" JSON_INTEGER_FORMAT ":%" JSON_INTEGER_FORMAT,
		       json_integer_value(json_object_get(user, "uid")),
		       json_integer_value(json_object_get(user, "gid")));
}

static struct gt_error *make_container(struct restoring *r, struct gt_container *record)
{
	const char *image = gt_labels_get(&r->index.annotations, GT_CHECKPOINT_IMAGE);
	const json_t *process = json_object_get(r->spec, "process");
	gt_autofree char *user = user_of(process);
	struct gt_container_options o = { .id = r->o->id, .image = image, .user = user };
	struct gt_error *e;

	if (!image)
		return gt_error_new(GT_INVALID_ARGUMENT, "checkpoint %s names no image", r->o->image);
	strings_copy(json_object_get(process, "args"), &o.args);
	strings_copy(json_object_get(process, "env"), &o.env);
	o.cwd = json_string_value(json_object_get(process, "cwd"));
	o.tty = json_is_true(json_object_get(process, "terminal"));
	e = gt_error_wrap(gt_container_new(r->s, r->call, &o, record), "restore %s", r->o->image);
	gt_strv_done(&o.args);
	gt_strv_done(&o.env);
	return e;
}

static struct gt_error *apply_rw(struct restoring *r, const struct gt_container *record)
{
	const struct gt_descriptor *d = find(r, "application/vnd.oci.image.layer.");
	gt_auto(gt_descriptor) applied = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };

	if (!d)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "checkpoint %s does not hold what was written", r->o->image);
	GT_TRY(gt_snapshots_mounts(r->s, r->call, record->snapshotter, record->snapshot_key,
				   &mounts));
	return gt_error_wrap(gt_diffs_apply(r->s, r->call, d, &mounts, &applied),
			     "apply what was written");
}

static struct gt_error *start(struct restoring *r, const struct gt_task_options *given,
			      uint32_t *status)
{
	struct gt_task_options t = *given;
	const json_t *process = json_object_get(r->spec, "process");

	t.id = r->o->id;
	t.terminal = json_is_true(json_object_get(process, "terminal"));
	if (r->o->live) {
		t.checkpoint = find(r, GT_CHECKPOINT_CRIU);
		if (!t.checkpoint)
			return gt_error_new(GT_INVALID_ARGUMENT, "checkpoint %s holds no processes",
					    r->o->image);
	}
	return gt_task_run(r->s, r->call, &t, status);
}

static struct gt_error *restore(struct restoring *r, const struct gt_task_options *t,
				uint32_t *status)
{
	gt_auto(gt_container) record = { 0 };
	struct gt_call cleanup = *r->call;
	struct gt_error *e;

	GT_TRY(read_index(r));
	GT_TRY(read_spec(r));
	GT_TRY(make_container(r, &record));
	e = r->o->rw ? apply_rw(r, &record) : NULL;
	if (!e)
		e = start(r, t, status);
	if (!e)
		return NULL;
	cleanup.cancel = NULL;
	cleanup.deadline = 0;
	gt_log_warn_take(gt_container_delete(r->s, &cleanup, r->o->id, false), "delete container %s",
			 r->o->id);
	return e;
}

struct gt_error *gt_restore(struct gt_services *s, struct gt_call *call,
			    const struct gt_restore_options *o, const struct gt_task_options *t,
			    uint32_t *status)
{
	struct restoring r = { .s = s, .call = call, .o = o };
	struct gt_error *e = restore(&r, t, status);

	json_decref(r.spec);
	gt_index_done(&r.index);
	return e;
}
