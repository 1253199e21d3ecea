/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: what CRIU writes goes into a folder, the folder into a blob. It is made as a layer is, over
 * an empty folder, and so in a worker of its own.
 */
#include <config.h>

#include "tasks.h"

#include <gantry/api-blobs.h>
#include <gantry/api-containers.h>
#include <gantry/api-diffs.h>
#include <gantry/file.h>
#include <gantry/log.h>
#include <wire/values.h>

#include "containerd.events.pb-c.h"
#include "containerd.runc.v1.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define OPTIONS "containerd.runc.v1.CheckpointOptions"
#define CRIU_TAR "application/vnd.containerd.container.criu.checkpoint.criu.tar"
#define CONFIG "application/vnd.containerd.container.checkpoint.config.v1+proto"
#define PLAIN_TAR "application/vnd.oci.image.layer.v1.tar"

/* Whether the caller has said where the files shall be, and wants no blob of them. */
static struct gt_error *given_path(const struct gt_any *options, char **path)
{
	gt_autowire ProtobufCMessage *m = NULL;

	*path = NULL;
	if (!options || !options->type_url)
		return NULL;
	GT_TRY(gt_wire_any_unpack(options, &containerd__runc__v1__checkpoint_options__descriptor,
				  &m));
	if (*((Containerd__Runc__V1__CheckpointOptions *)m)->image_path)
		*path = gt_xstrdup(((Containerd__Runc__V1__CheckpointOptions *)m)->image_path);
	return NULL;
}

/* Two folders in a new one: what CRIU is to fill, and nothing to compare it with. */
static struct gt_error *folders_make(struct local *l, char **dir, char **image, char **empty)
{
	gt_autofree char *template = gt_strf("%s/checkpoint.XXXXXX", l->init->root);

	GT_TRY(gt_file_mkdirs(l->init->root, 0700));
	if (!mkdtemp(template))
		return gt_error_errno(gt_file_class(errno), errno, "make folder %s", template);
	*image = gt_strf("%s/image", template);
	*empty = gt_strf("%s/empty", template);
	*dir = gt_steal(&template);
	if (mkdir(*image, 0700) < 0 || mkdir(*empty, 0700) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "make folders in %s", *dir);
	return NULL;
}

static void bind_add(struct gt_mounts *m, const char *folder)
{
	struct gt_mount *mount = gt_mounts_add(m, "bind", folder, "");

	gt_strv_add(&mount->options, "rbind");
	gt_strv_add(&mount->options, "ro");
}

static struct gt_error *folder_store(struct gt_services *s, struct gt_call *call, const char *image,
				     const char *empty, struct gt_descriptor *out)
{
	gt_auto(gt_mounts) lower = { 0 };
	gt_auto(gt_mounts) upper = { 0 };
	const struct gt_diff_options o = { .size = sizeof(o), .media_type = PLAIN_TAR };

	bind_add(&lower, empty);
	bind_add(&upper, image);
	GT_TRY(gt_diffs_diff(s, call, &lower, &upper, &o, NULL, NULL, out));
	free(out->media_type);
	out->media_type = gt_xstrdup(CRIU_TAR);
	return NULL;
}

static struct gt_error *blob_put(struct gt_services *s, struct gt_call *call, const char *ref,
				 const void *bytes, size_t len, char **digest)
{
	gt_autoptr(gt_writer) w = NULL;

	GT_TRY(gt_blobs_writer(s, call, ref, NULL, &w));
	GT_TRY(gt_writer_write(w, bytes, len));
	GT_TRY(gt_writer_digest(w, digest));
	return gt_error_unless(gt_blobs_commit(s, call, w, (int64_t)len, *digest, NULL, NULL),
			       GT_ALREADY_EXISTS);
}

static struct gt_error *spec_store(struct gt_services *s, struct gt_call *call, const char *id,
				   struct gt_descriptor *out)
{
	gt_auto(gt_container) c = { 0 };
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_buf) bytes = GT_BUF_INIT;
	gt_autofree char *ref = gt_strf("checkpoint-config-%s-%lu", id,
					(unsigned long)local_sequence(local_of(s)));
	gt_auto(gt_descriptor) d = { .media_type = gt_xstrdup(CONFIG) };

	GT_TRY(gt_containers_get(s, call, id, &c));
	gt_wire_pack(&gt_wire_any(&a, &c.spec)->base, &bytes);
	GT_TRY(blob_put(s, call, ref, bytes.s, bytes.len, &d.digest));
	d.size = (int64_t)bytes.len;
	*out = d;
	d = (struct gt_descriptor){ 0 };
	return NULL;
}

static struct gt_error *store(struct gt_services *s, struct gt_call *call, const char *id,
			      const char *image, const char *empty, struct gt_descriptor **out,
			      size_t *n)
{
	struct gt_descriptor *d = gt_xcalloc(2, sizeof(*d));
	struct gt_error *e = folder_store(s, call, image, empty, &d[0]);

	if (!e)
		e = spec_store(s, call, id, &d[1]);
	if (e) {
		gt_descriptor_done(&d[0]);
		free(d);
		return e;
	}
	*out = d;
	*n = 2;
	return NULL;
}

static void tell(struct gt_services *s, struct gt_call *call, const char *id, const char *what)
{
	Containerd__Events__TaskCheckpointed event = CONTAINERD__EVENTS__TASK_CHECKPOINTED__INIT;

	event.container_id = (char *)id;
	event.checkpoint = (char *)what;
	local_publish(local_of(s), call->ns, "/tasks/checkpointed", &event.base);
}

struct gt_error *tasks_checkpoint(struct gt_services *s, struct gt_call *call, const char *id,
				  const char *parent, const struct gt_any *options,
				  struct gt_descriptor **out, size_t *n)
{
	gt_autofree char *given = NULL, *dir = NULL, *image = NULL, *empty = NULL;
	struct gt_runtime *r;
	struct gt_error *e;

	(void)parent; /* containerd's service does not look at it either */
	*out = NULL;
	*n = 0;
	GT_TRY(given_path(options, &given));
	GT_TRY(tasks_runtime_of(s, call, id, &r));
	if (given) {
		GT_TRY(gt_runtime_checkpoint(r, call, id, given, options));
		tell(s, call, id, given);
		return NULL;
	}
	e = folders_make(local_of(s), &dir, &image, &empty);
	if (!e)
		e = gt_runtime_checkpoint(r, call, id, image, options);
	if (!e)
		e = store(s, call, id, image, empty, out, n);
	if (dir)
		gt_log_warn_take(gt_file_remove_tree(AT_FDCWD, dir), "remove %s", dir);
	if (!e)
		tell(s, call, id, (*out)[0].digest);
	return e;
}
