/* SPDX-License-Identifier: Apache-2.0 */
/* The difference between what two sets of mounts show, as a layer blob. */
#include <config.h>

#include "archive.h"

#include <gantry/buf.h>
#include <gantry/log.h>

#include <fcntl.h>
#include <string.h>

/* Both sides, open; the order of GT_LAYER_BLOB and following. */
struct sides {
	struct archive_target lower, upper, guide;
};

static struct gt_error *choose_compression(const char *type, int *out)
{
	static const char *const names[] = { ARCHIVE_LAYER, ARCHIVE_LAYER "+gzip",
					     ARCHIVE_LAYER "+zstd" };

	for (int i = 0; i < 3; i++) {
		if (!strcmp(type, names[i])) {
			*out = i;
			return NULL;
		}
	}
	return gt_error_new(GT_UNIMPLEMENTED, "unsupported diff media type: %s", type);
}

static void add_escaped(struct gt_buf *b, const char *path)
{
	for (; *path; path++) {
		if (*path == ':' || *path == '\\')
			gt_buf_addc(b, '\\');
		gt_buf_addc(b, *path);
	}
}

/*
 * Mounts an overlay so that it only shows: the upper folder becomes the topmost of the lower ones. It
 * may be in use by a container, and a work folder has but one user.
 */
static struct gt_error *mount_overlay(const struct gt_init *init, const struct archive_overlay *o,
				      const struct gt_mounts *m, struct archive_target *out)
{
	gt_auto(gt_mounts) view = { 0 };
	gt_auto(gt_buf) lower = GT_BUF_INIT;
	struct gt_mount *v = gt_mounts_add(&view, "overlay", m->v->source, "");

	gt_buf_adds(&lower, "lowerdir=");
	add_escaped(&lower, o->upper);
	for (size_t i = 0; i < o->lower.n; i++) {
		gt_buf_addc(&lower, ':');
		add_escaped(&lower, o->lower.v[i]);
	}
	for (size_t i = 0; i < m->v->options.n; i++) {
		const char *option = m->v->options.v[i];

		if (strncmp(option, "upperdir=", 9) && strncmp(option, "workdir=", 8) &&
		    strncmp(option, "lowerdir=", 9) && strcmp(option, "rw") &&
		    strcmp(option, "ro") && strcmp(option, "volatile"))
			gt_strv_add(&v->options, option);
	}
	gt_strv_add(&v->options, "ro");
	gt_strv_add(&v->options, lower.s);
	return archive_target_mount(init, &view, out);
}

static struct gt_error *open_side(const struct gt_init *init, const struct gt_mounts *m,
				  const struct archive_overlay *o, struct archive_target *out)
{
	const char *bind = archive_bind_source(m, false);

	if (bind)
		return archive_target_open(bind, out);
	if (o && o->upper)
		return mount_overlay(init, o, m, out);
	return archive_target_mount(init, m, out);
}

/* Whether 'lower' shows just what lies below the upper folder of 'o'. */
static bool lower_is_below(const struct gt_mounts *lower, const struct archive_overlay *o)
{
	const char *bind = archive_bind_source(lower, false);
	struct archive_overlay l;
	bool same;

	if (bind)
		return o->lower.n == 1 && !strcmp(bind, o->lower.v[0]);
	if (!archive_overlay_get(lower, &l))
		return false;
	same = !l.upper && l.plain && l.lower.n == o->lower.n;
	for (size_t i = 0; same && i < l.lower.n; i++)
		same = !strcmp(l.lower.v[i], o->lower.v[i]);
	archive_overlay_done(&l);
	return same;
}

static struct gt_error *open_sides(const struct gt_init *init, const struct gt_mounts *lower,
				   const struct gt_mounts *upper, struct sides *s)
{
	struct archive_overlay o;
	bool overlay = archive_overlay_get(upper, &o);
	struct gt_error *e = NULL;

	if (lower->n)
		e = open_side(init, lower, NULL, &s->lower);
	if (!e)
		e = open_side(init, upper, overlay ? &o : NULL, &s->upper);
	/* The upper folder has the names of all that can differ: the rest need not be looked at. */
	if (!e && overlay && o.upper && o.plain && lower_is_below(lower, &o))
		e = archive_target_open(o.upper, &s->guide);
	if (overlay)
		archive_overlay_done(&o);
	return e;
}

static struct gt_error *receive(struct gt_layer_job *j, struct gt_call *call, struct gt_writer *w,
				struct gt_layer_result *out)
{
	struct gt_layer_frame f;

	for (;;) {
		GT_TRY(gt_layer_job_next(j, call, &f));
		if (f.type == GT_FRAME_DATA) {
			GT_TRY(gt_writer_write(w, f.body.p, f.body.left));
		} else if (f.type == GT_FRAME_WARNING) {
			gt_autofree char *text = gt_frame_get_string(&f.body);

			gt_log_warn("make layer: %s", text);
		} else {
			return gt_layer_job_result(&f, out);
		}
	}
}

static struct gt_error *run(const struct archive_differ *d, struct gt_call *call,
			    const struct sides *s, int compression, const struct timespec *epoch,
			    struct gt_writer *w, struct gt_layer_result *out)
{
	int fds[] = { -1, s->upper.fd, s->lower.fd, s->guide.fd };
	struct gt_strv args = { 0 };
	struct gt_layer_job j;
	struct gt_error *e;

	gt_strv_add(&args, "diff");
	gt_strv_addf(&args, "compression=%d", compression);
	gt_strv_addf(&args, "lower=%d", s->lower.fd >= 0);
	gt_strv_addf(&args, "guided=%d", s->guide.fd >= 0);
	if (epoch && epoch->tv_sec >= 0)
		gt_strv_addf(&args, "epoch=%lld", (long long)epoch->tv_sec);
	e = gt_layer_job_start(&j, d->config->worker, &args, fds, sizeof(fds) / sizeof(*fds));
	gt_strv_done(&args);
	if (!e)
		e = receive(&j, call, w, out);
	gt_layer_job_done(&j);
	return e;
}

struct gt_error *archive_diff(struct gt_differ *differ, struct gt_call *call,
			      const struct gt_mounts *lower, const struct gt_mounts *upper,
			      const struct gt_diff_options *o, struct gt_writer *w,
			      struct gt_diff_result *out)
{
	struct archive_differ *d = (struct archive_differ *)differ;
	const char *type = o && o->media_type && *o->media_type ? o->media_type
								: ARCHIVE_LAYER "+gzip";
	struct sides s = { ARCHIVE_TARGET_INIT, ARCHIVE_TARGET_INIT, ARCHIVE_TARGET_INIT };
	struct gt_layer_result r = { 0 };
	struct gt_error *e;
	int compression = 0;

	GT_TRY(choose_compression(type, &compression));
	e = open_sides(differ->init, lower, upper, &s);
	if (!e)
		e = run(d, call, &s, compression, o ? o->source_date_epoch : NULL, w, &r);
	archive_target_done(&s.guide);
	archive_target_done(&s.upper);
	archive_target_done(&s.lower);
	if (e)
		return gt_error_wrap(e, "make layer");
	*out = (struct gt_diff_result){ .media_type = gt_xstrdup(ARCHIVE_LAYER),
					.digest = gt_steal(&r.digest),
					.size = r.size };
	gt_layer_result_done(&r);
	return NULL;
}
