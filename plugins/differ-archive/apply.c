/* SPDX-License-Identifier: Apache-2.0 */
/* A layer blob into the folder that mounts show. */
#include <config.h>

#include "archive.h"

#include <gantry/buf.h>
#include <gantry/log.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

/* What the worker is asked for, and what belongs to it. */
struct apply {
	struct archive_differ *d;
	struct gt_strv args;
	int *fds; /* GT_LAYER_BLOB and following */
	size_t n_fds;
	struct archive_target target;
	struct gt_layer_blob blob;
};

/* Media types by containerd's rule: '*raw' is one that says it is not compressed. */
static struct gt_error *check_media_type(const char *type, bool *raw)
{
	static const char *const packed[] = {
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.foreign.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
	};
	static const char *const oci[] = {
		ARCHIVE_LAYER,
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
	};

	*raw = false;
	for (size_t i = 0; i < sizeof(packed) / sizeof(*packed); i++)
		if (!strcmp(type, packed[i]))
			return NULL;
	for (size_t i = 0; i < sizeof(oci) / sizeof(*oci); i++) {
		size_t n = strlen(oci[i]);

		if (strncmp(type, oci[i], n))
			continue;
		*raw = !type[n];
		if (*raw || !strcmp(type + n, "+gzip") || !strcmp(type + n, "+zstd"))
			return NULL;
	}
	return gt_error_new(GT_UNIMPLEMENTED,
			    "layer of media type %s (tar can be unpacked: plain, gzip or zstd)", type);
}

static void add_fd(struct apply *a, int fd)
{
	a->fds = gt_xrealloc(a->fds, (a->n_fds + 1) * sizeof(*a->fds));
	a->fds[a->n_fds++] = fd;
}

/* Straight into the upper folder; those below only lend their attributes to parents left out. */
static struct gt_error *target_overlay(struct apply *a, const struct archive_overlay *o)
{
	GT_TRY(archive_target_open(o->upper, &a->target));
	add_fd(a, a->target.fd);
	gt_strv_add(&a->args, "overlay=1");
	gt_strv_addf(&a->args, "userxattr=%d", o->userxattr);
	for (size_t i = 0; i < o->lower.n; i++) {
		int fd = open(o->lower.v[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return gt_error_errno(GT_FAILED_PRECONDITION, errno, "open lower layer %s",
					      o->lower.v[i]);
		add_fd(a, fd);
	}
	gt_strv_addf(&a->args, "below=%zu", o->lower.n);
	gt_strv_addf(&a->args, "alone=%d", !o->lower.n);
	return NULL;
}

static struct gt_error *find_target(struct apply *a, const struct gt_mounts *m)
{
	bool userns = archive_in_userns();
	const char *bind = archive_bind_source(m, true);
	struct archive_overlay o;
	struct gt_error *e;

	gt_strv_addf(&a->args, "userns=%d", userns);
	if (archive_overlay_get(m, &o)) {
		bool direct = o.upper && o.plain && !userns;

		e = direct ? target_overlay(a, &o) : NULL;
		archive_overlay_done(&o);
		if (e || direct)
			return e;
	} else if (bind) {
		GT_TRY(archive_target_open(bind, &a->target));
		add_fd(a, a->target.fd);
		return NULL;
	}
	GT_TRY(archive_target_mount(a->d->base.init, m, &a->target));
	add_fd(a, a->target.fd);
	return NULL;
}

static struct gt_error *run(struct apply *a, struct gt_call *call, struct gt_layer_result *out)
{
	struct gt_layer_job j;
	struct gt_layer_frame f;
	struct gt_error *e;

	GT_TRY(gt_layer_job_start_blob(&j, a->d->config->worker, &a->args, &a->blob, a->fds,
				       a->n_fds));
	while (!(e = gt_layer_job_next(&j, call, &f)) && f.type != GT_FRAME_DONE) {
		gt_autofree char *text = gt_frame_get_string(&f.body);

		if (f.type == GT_FRAME_WARNING)
			gt_log_warn("apply layer: %s", text);
	}
	if (!e)
		e = gt_layer_job_result(&f, out);
	gt_layer_job_done(&j);
	return e;
}

static void add_options(struct apply *a, bool raw)
{
	const struct archive_config *c = a->d->config;
	cpu_set_t cpus;
	bool idle = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 &&
		    CPU_COUNT(&cpus) > atomic_load(&a->d->applies);

	gt_strv_add(&a->args, "apply");
	gt_strv_addf(&a->args, "raw=%d", raw);
	gt_strv_addf(&a->args, "max-size=%llu", (unsigned long long)c->max_layer_size);
	gt_strv_addf(&a->args, "max-entries=%lld", (long long)c->max_entries);
	gt_strv_addf(&a->args, "max-ratio=%lld", (long long)c->max_ratio);
	gt_strv_addf(&a->args, "max-window=%llu", (unsigned long long)c->zstd_window);
	gt_strv_addf(&a->args, "writeback=%d", a->d->base.init->durability == GT_DURABILITY_FULL);
	gt_strv_addf(&a->args, "thread=%d", c->read_ahead && idle);
}

static void apply_done(struct apply *a)
{
	for (size_t i = 2; i < a->n_fds; i++) /* the blob's and the target's have their owners */
		close(a->fds[i]);
	free(a->fds);
	gt_strv_done(&a->args);
	archive_target_done(&a->target);
}

struct gt_error *archive_apply(struct gt_differ *d, struct gt_call *call,
			       const struct gt_descriptor *desc, struct gt_reader *blob,
			       const struct gt_mounts *mounts, struct gt_diff_result *out)
{
	struct apply a = { .d = (struct archive_differ *)d, .blob = { .reader = blob },
			   .target = ARCHIVE_TARGET_INIT };
	struct gt_layer_result r = { 0 };
	struct gt_error *e;
	bool raw;

	GT_TRY(check_media_type(desc->media_type, &raw));
	atomic_fetch_add(&a.d->applies, 1);
	add_options(&a, raw);
	add_fd(&a, -1);
	e = find_target(&a, mounts);
	if (!e)
		e = run(&a, call, &r);
	apply_done(&a);
	atomic_fetch_sub(&a.d->applies, 1);
	if (e)
		return gt_error_wrap(e, "apply layer %s", desc->digest ? desc->digest : "");
	*out = (struct gt_diff_result){ .media_type = gt_xstrdup(ARCHIVE_LAYER),
					.digest = gt_steal(&r.digest),
					.size = r.size };
	gt_layer_result_done(&r);
	return NULL;
}
