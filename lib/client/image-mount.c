/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/image-mount.h>

#include <gantry/api-leases.h>
#include <gantry/api-snapshots.h>
#include <gantry/buf.h>
#include <gantry/log.h>

#include <client/defaults.h>
#include <client/image.h>
#include <client/lease.h>
#include <client/unpack.h>
#include <mount/mount.h>

/* What was made, for who has to undo it. */
struct mounting {
	struct gt_services *s;
	struct gt_call call; /* with the lease */
	const struct gt_image_mount_options *o;
	char *snapshotter;
	bool lease, snapshot;
};

static struct gt_error *make_lease(struct mounting *m)
{
	gt_autofree char *expire = gt_rfc3339_in(m->o->expire);
	gt_autofree char *key = gt_strf("containerd.io/gc.ref.snapshot.%s", m->snapshotter);
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_lease) lease = { 0 };
	struct gt_error *e;

	gt_labels_set(&labels, "containerd.io/gc.expire", expire);
	gt_labels_set(&labels, key, m->o->target);
	e = gt_leases_create(m->s, &m->call, m->o->target, &labels, &lease);
	m->lease = !e;
	m->call.lease = m->o->target;
	return gt_error_unless(e, GT_ALREADY_EXISTS);
}

static struct gt_error *make_snapshot(struct mounting *m, const char *parent, struct gt_mounts *out)
{
	const struct gt_image_mount_options *o = m->o;
	struct gt_error *e;

	e = (o->writable ? gt_snapshots_prepare : gt_snapshots_view)(
		m->s, &m->call, m->snapshotter, o->target, parent, o->labels, out);
	m->snapshot = !e;
	if (gt_error_class(e) != GT_ALREADY_EXISTS)
		return e;
	gt_error_free(e);
	return gt_snapshots_mounts(m->s, &m->call, m->snapshotter, o->target, out);
}

static struct gt_error *course(struct mounting *m, const struct gt_image *image)
{
	struct gt_unpack_options unpack = { .snapshotter = m->snapshotter };
	gt_auto(gt_image_view) v = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	const char *chain;

	GT_TRY(make_lease(m));
	GT_TRY(gt_image_resolve(m->s, &m->call, &image->target, &m->o->platforms, &v));
	GT_TRY(gt_error_wrap(gt_image_unpack(m->s, &m->call, &v, &unpack), "unpack image %s",
			     image->name));
	chain = gt_image_view_chain_id(&v);
	if (m->o->chain)
		m->o->chain(m->o->arg, chain);
	GT_TRY(make_snapshot(m, chain, &mounts));
	return gt_error_wrap(gt_mount_all(&mounts, m->o->target), "mount image %s", image->name);
}

static void undo(struct mounting *m)
{
	struct gt_call call = m->call;
	struct gt_error *e = NULL;

	call.cancel = NULL;
	call.deadline = 0;
	call.lease = NULL;
	if (m->snapshot)
		e = gt_snapshots_remove(m->s, &call, m->snapshotter, m->o->target);
	gt_log_warn_take(e, "remove snapshot %s", m->o->target);
	e = m->lease ? gt_leases_remove(m->s, &call, m->o->target, false) : NULL;
	gt_log_warn_take(e, "remove lease %s", m->o->target);
}

struct gt_error *gt_image_mount(struct gt_services *s, struct gt_call *call,
				const struct gt_image *image,
				const struct gt_image_mount_options *o)
{
	struct mounting m = { .s = s, .call = *call, .o = o };
	struct gt_error *e = gt_default_snapshotter(s, call, o->snapshotter, &m.snapshotter);

	if (!e)
		e = course(&m, image);
	if (e)
		undo(&m);
	free(m.snapshotter);
	return e;
}

struct gt_error *gt_image_unmount(struct gt_services *s, struct gt_call *call, const char *target,
				  const char *snapshotter, bool remove)
{
	struct gt_error *e;

	GT_TRY(gt_mount_unmount_all(target, 0));
	if (!remove)
		return NULL;
	e = gt_error_unless(gt_leases_remove(s, call, target, false), GT_NOT_FOUND);
	GT_TRY(gt_error_wrap(e, "delete lease %s", target));
	e = gt_error_unless(gt_snapshots_remove(s, call, snapshotter, target), GT_NOT_FOUND);
	return gt_error_wrap(e, "remove snapshot %s", target);
}
