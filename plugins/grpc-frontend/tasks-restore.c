/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/file.h>

#include <client/checkpoint.h>

#include <errno.h>
#include <fcntl.h>

struct gt_error *grpc_checkpoint_unpack(struct frontend *f, struct gt_call *call,
					const Containerd__Types__Descriptor *d, char **folder)
{
	gt_autofree char *dir = gt_strf("%s/checkpoint.XXXXXX", f->init->state);
	gt_auto(gt_descriptor) desc = { 0 };
	struct gt_error *e;

	GT_TRY(gt_file_mkdirs(f->init->state, 0700));
	if (!mkdtemp(dir))
		return gt_error_errno(gt_file_class(errno), errno, "make folder %s", dir);
	gt_wire_descriptor_get(d, &desc);
	e = gt_checkpoint_unpack(f->services, call, &desc, dir);
	if (e) {
		gt_error_free(gt_file_remove_tree(AT_FDCWD, dir));
		return gt_error_wrap(e, "unpack checkpoint %s", d->digest);
	}
	*folder = gt_steal(&dir);
	return NULL;
}
