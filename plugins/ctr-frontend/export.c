/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "images.h"
#include "lookup.h"

#include <gantry/buf.h>

#include <client/export.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct export {
	struct ctr *c;
	struct gt_export_options o;
	struct gt_image *images;
	size_t n;
	char *partial; /* what is written; NULL: straight to where it belongs */
	int fd;
};

static void left_out(void *arg, const struct gt_image *image, const struct gt_descriptor *m,
		     const struct gt_error *why)
{
	struct ctr *c = arg;

	ctr_log(c, "warning", why, "%s: %s is not here and is left out", image->name,
		m->platform ? m->platform : m->digest);
}

static struct gt_error *find_images(struct export *x, struct gt_services *s)
{
	const struct gt_strv names = ctr_args_from(x->c, 1);

	x->images = gt_xcalloc(names.n, sizeof(*x->images));
	for (size_t i = 0; i < names.n; i++) {
		struct gt_error *e = ctr_find_image(x->c, s, names.v[i], &x->images[i]);

		GT_TRY(gt_error_wrap(e, "unable to resolve image"));
		x->n++;
	}
	return NULL;
}

/* A file comes to its name when it is whole; anything else is written to as it is. */
static struct gt_error *open_out(struct export *x, const char *path)
{
	struct stat st;

	x->fd = STDOUT_FILENO;
	if (!strcmp(path, "-"))
		return NULL;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		x->fd = open(path, O_WRONLY | O_CLOEXEC);
	} else {
		x->partial = gt_strf("%s.partial-%d", path, (int)getpid());
		x->fd = open(x->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	}
	if (x->fd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open %s",
				      x->partial ? x->partial : path);
	return NULL;
}

static struct gt_error *close_out(struct export *x, const char *path, struct gt_error *e)
{
	if (x->fd > STDERR_FILENO && close(x->fd) < 0)
		e = gt_error_first(e, gt_error_errno(GT_UNKNOWN, errno, "write %s", path));
	if (!e && x->partial && rename(x->partial, path) < 0)
		e = gt_error_errno(GT_UNKNOWN, errno, "rename %s to %s", x->partial, path);
	if (e && x->partial)
		unlink(x->partial);
	return e;
}

static struct gt_error *export(struct export *x)
{
	const struct gt_strv *platforms = ctr_list(x->c, "platform");
	struct gt_services *s;
	struct gt_error *e;

	for (size_t i = 0; i < platforms->n; i++)
		GT_TRY(gt_platforms_add(&x->o.platforms, platforms->v[i]));
	if (!platforms->n) {
		gt_platforms_add_host(&x->o.platforms);
		x->o.platforms.strict = true;
	}
	GT_TRY(ctr_services(x->c, &s));
	GT_TRY(find_images(x, s));
	GT_TRY(open_out(x, ctr_arg(x->c, 0)));
	e = gt_image_export(s, &x->c->call, x->images, x->n, x->fd, &x->o);
	return close_out(x, ctr_arg(x->c, 0), e);
}

static struct gt_error *run_export(struct ctr *c)
{
	struct export x = {
		.c = c,
		.o = {
			.all_platforms = ctr_bool(c, "all-platforms"),
			.skip_manifest_json = ctr_bool(c, "skip-manifest-json"),
			.skip_non_distributable = ctr_bool(c, "skip-non-distributable"),
			.left_out = left_out,
			.arg = c,
		},
	};
	struct gt_error *e;

	if (!*ctr_arg(c, 0) || !*ctr_arg(c, 1))
		return ctr_usage_error(
			"please provide both an output filename and an image reference to export");
	e = export(&x);
	for (size_t i = 0; i < x.n; i++)
		gt_image_done(&x.images[i]);
	free(x.images);
	free(x.partial);
	gt_platforms_done(&x.o.platforms);
	return e;
}

static const struct ctr_flag flags[] = {
	{ .name = "skip-manifest-json",
	  .type = CTR_BOOL,
	  .text = "leave out Docker's manifest.json" },
	{ .name = "skip-non-distributable",
	  .type = CTR_BOOL,
	  .text = "leave out layers that are not to be handed on" },
	{ .name = "platform",
	  .type = CTR_LIST,
	  .bits = CTR_COMMAS,
	  .text = "export that platform instead of this machine's; may be given again" },
	{ .name = "all-platforms",
	  .type = CTR_BOOL,
	  .text = "export every platform that is here in full, and say which are not" },
	{ 0 },
};

const struct ctr_command ctr_image_export = {
	.name = "export",
	.text = "export images to an archive",
	.args = "[flags] <out> <image> [<image>, ...]",
	.more = "Writes an OCI layout as tar, which also `docker load` takes, to a file or, for \"-\", to\n"
		"standard output. A file gets its name when it is whole.",
	.flags = (const struct ctr_flag *const[]){ flags, ctr_local_flag, NULL },
	.run = run_export,
};
