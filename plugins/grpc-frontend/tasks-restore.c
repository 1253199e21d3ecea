/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-diffs.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>

struct gt_error *grpc_checkpoint_unpack(struct frontend *f, struct gt_call *call,
					const Containerd__Types__Descriptor *d, char **folder)
{
	gt_autofree char *dir = gt_strf("%s/checkpoint.XXXXXX", f->init->state);
	gt_auto(gt_descriptor) desc = { 0 }, applied = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	struct gt_mount *m;
	struct gt_error *e;

	GT_TRY(gt_file_mkdirs(f->init->state, 0700));
	if (!mkdtemp(dir))
		return gt_error_errno(gt_file_class(errno), errno, "make folder %s", dir);
	m = gt_mounts_add(&mounts, "bind", dir, "");
	gt_strv_add(&m->options, "rbind");
	gt_strv_add(&m->options, "rw");
	gt_wire_descriptor_get(d, &desc);
	/* A checkpoint's archive is one of files, whatever its media type says. */
	free(desc.media_type);
	desc.media_type = gt_xstrdup("application/vnd.oci.image.layer.v1.tar");
	e = gt_diffs_apply(f->services, call, &desc, &mounts, &applied);
	if (e) {
		gt_error_free(gt_file_remove_tree(AT_FDCWD, dir));
		return gt_error_wrap(e, "unpack checkpoint %s", d->digest);
	}
	*folder = gt_steal(&dir);
	return NULL;
}
