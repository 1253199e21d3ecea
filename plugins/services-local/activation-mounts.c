/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an activation's folder holds: mount points and links to loop devices, named by their numbers. So what
 * a process left that died in the middle can be undone without knowing what it did.
 */
#include <config.h>

#include "activations.h"

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/log.h>
#include <mount/format.h>
#include <mount/loop.h>
#include <mount/mount.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT "format/"
#define LOOP "loop"

static char *folder_of(struct local *l, const struct activation *a)
{
	return gt_strf("%s/mounts/%" PRIu64, l->init->state, a->seq);
}

bool activation_is_there(struct local *l, const struct activation *a)
{
	gt_autofree char *folder = folder_of(l, a);

	return access(folder, F_OK) == 0;
}

static bool is_formatted(const char *type)
{
	return !strncmp(type, FORMAT, strlen(FORMAT));
}

static const char *base_type(const char *type)
{
	return is_formatted(type) ? type + strlen(FORMAT) : type;
}

struct gt_error *activation_plan(const char *name, const struct gt_mounts *mounts, bool temporary,
				 size_t *n)
{
	bool needed = temporary;

	*n = temporary ? mounts->n : 0;
	for (size_t i = 0; i < mounts->n; i++) {
		const char *type = mounts->v[i].type;

		if (!strncmp(type, "mkfs/", 5) || !strncmp(type, "mkdir/", 6))
			return gt_error_new(GT_UNIMPLEMENTED, "mount \"%s\": type %s is not made here",
					    name, type);
		needed |= is_formatted(type) || !strcmp(base_type(type), LOOP);
		if (is_formatted(type) && *n < i)
			*n = i;
		if (!strcmp(base_type(type), LOOP) && *n < i + 1)
			*n = i + 1;
	}
	if (!needed)
		return gt_error_new(GT_UNIMPLEMENTED,
				    "mount \"%s\": nothing in it needs the mounts service", name);
	return NULL;
}

/* --- making ---------------------------------------------------------------------------------- */

static struct gt_error *format_text(const struct activation *a, const char *text, char **out)
{
	struct gt_mount_made *made = gt_xcalloc(a->info.n_active + 1, sizeof(*made));
	gt_auto(gt_buf) b = GT_BUF_INIT;
	struct gt_error *e;

	for (size_t i = 0; i < a->info.n_active; i++) {
		made[i].mount = &a->info.active[i].mount;
		made[i].point = a->info.active[i].point;
	}
	e = gt_mount_format(text, made, a->info.n_active, &b);
	free(made);
	if (!e)
		*out = gt_buf_detach(&b);
	return e;
}

/* Adds 'm' to 'out', filled in if it is a form. */
static struct gt_error *mount_fill(const struct activation *a, const struct gt_mount *m,
				   struct gt_mounts *out)
{
	gt_autofree char *source = NULL, *target = NULL;
	struct gt_mount *to;

	if (is_formatted(m->type)) {
		GT_TRY(format_text(a, m->source, &source));
		GT_TRY(format_text(a, m->target, &target));
	}
	to = gt_mounts_add(out, base_type(m->type), source ? source : m->source,
			   target ? target : m->target);
	for (size_t i = 0; i < m->options.n; i++) {
		gt_autofree char *option = NULL;

		if (is_formatted(m->type))
			GT_TRY(format_text(a, m->options.v[i], &option));
		gt_strv_add(&to->options, option ? option : m->options.v[i]);
	}
	return NULL;
}

/* The link tells who undoes it which device to detach. */
static struct gt_error *loop_make(const struct gt_mount *m, const char *place, char **point)
{
	bool read_only = gt_strv_has(&m->options, "ro");
	gt_autofree char *device = NULL;
	struct gt_error *e;

	GT_TRY(mount_loop_keep(m->source, read_only, &device));
	if (symlink(device, place) < 0) {
		e = gt_error_errno(GT_UNKNOWN, errno, "make %s", place);
		return gt_error_first(e, mount_loop_detach(device));
	}
	*point = gt_steal(&device);
	return NULL;
}

static struct gt_error *one_make(const struct gt_mounts *one, const char *place, char **point)
{
	if (!strcmp(one->v->type, LOOP))
		return loop_make(one->v, place, point);
	if (mkdir(place, 0700) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "make %s", place);
	GT_TRY(gt_mount_all(one, place));
	*point = gt_xstrdup(place);
	return NULL;
}

static struct gt_error *active_add(struct activation *a, const char *folder, const struct gt_mount *m)
{
	gt_autofree char *place = gt_strf("%s/%03zu", folder, a->info.n_active);
	struct gt_mounts one = { 0 };
	char *point = NULL;
	struct gt_error *e = mount_fill(a, m, &one);

	if (!e)
		e = one_make(&one, place, &point);
	if (e) {
		gt_mounts_done(&one);
		return gt_error_wrap(e, "mount \"%s\": number %zu", a->info.name, a->info.n_active);
	}
	a->info.active[a->info.n_active++] = (struct gt_active_mount){
		.mount = *one.v,
		.mounted_at = local_time(),
		.point = point,
	};
	free(one.v);
	return NULL;
}

static struct gt_error *make(struct gt_call *call, const char *folder, const struct gt_mounts *mounts,
			     size_t n, bool temporary, struct activation *a)
{
	GT_TRY(gt_file_mkdirs(folder, 0700));
	a->info.active = gt_xcalloc(n + 1, sizeof(*a->info.active));
	for (size_t i = 0; i < n; i++) {
		GT_TRY(gt_call_check(call));
		GT_TRY(active_add(a, folder, &mounts->v[i]));
	}
	for (size_t i = n; i < mounts->n; i++)
		GT_TRY(mount_fill(a, &mounts->v[i], &a->info.system));
	if (temporary && n) {
		struct gt_mount *bind = gt_mounts_add(&a->info.system, "bind",
						      a->info.active[n - 1].point, "");

		gt_strv_add(&bind->options, "rbind");
	}
	return NULL;
}

struct gt_error *activation_make(struct local *l, struct gt_call *call, const struct gt_mounts *mounts,
				 size_t n, bool temporary, struct activation *a)
{
	gt_autofree char *folder = folder_of(l, a);
	struct gt_error *e = make(call, folder, mounts, n, temporary, a);

	if (e)
		gt_log_warn_take(activation_unmake(l, a), "mount \"%s\"", a->info.name);
	return e;
}

/* --- undoing --------------------------------------------------------------------------------- */

/* Never goes into what is mounted: a point that is still one is no empty folder. */
static struct gt_error *place_unmake(const char *place)
{
	char device[PATH_MAX];
	ssize_t n = readlink(place, device, sizeof(device) - 1);

	if (n < 0) {
		GT_TRY(gt_mount_unmount_all(place, 0));
		if (rmdir(place) < 0 && errno != ENOENT)
			return gt_error_errno(GT_FAILED_PRECONDITION, errno, "delete %s", place);
		return NULL;
	}
	device[n] = '\0';
	GT_TRY(mount_loop_detach(device));
	if (unlink(place) < 0 && errno != ENOENT)
		return gt_error_errno(GT_UNKNOWN, errno, "delete %s", place);
	return NULL;
}

static struct gt_error *places_list(const char *folder, struct gt_strv *out)
{
	DIR *d = opendir(folder);
	struct dirent *ent;

	if (!d)
		return errno == ENOENT ? NULL : gt_error_errno(GT_UNKNOWN, errno, "open %s", folder);
	while ((ent = readdir(d)))
		if (ent->d_name[0] != '.')
			gt_strv_add(out, ent->d_name);
	closedir(d);
	gt_strv_sort(out);
	return NULL;
}

struct gt_error *activation_unmake(struct local *l, const struct activation *a)
{
	gt_autofree char *folder = folder_of(l, a);
	gt_auto(gt_strv) names = { 0 };

	GT_TRY(places_list(folder, &names));
	for (size_t i = names.n; i-- > 0;) {
		gt_autofree char *place = gt_strf("%s/%s", folder, names.v[i]);

		GT_TRY(place_unmake(place));
	}
	if (rmdir(folder) < 0 && errno != ENOENT)
		return gt_error_errno(GT_UNKNOWN, errno, "delete %s", folder);
	return NULL;
}
