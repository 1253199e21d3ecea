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
#include <mount/loop.h>
#include <mount/mount.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

struct gt_error *activation_plan(const char *name, const struct gt_mounts *mounts, bool temporary,
				 size_t *n)
{
	bool needed = temporary;

	*n = temporary ? mounts->n : 0;
	for (size_t i = 0; i < mounts->n; i++) {
		const char *type = activation_type(mounts->v[i].type);
		bool prepared = type != mounts->v[i].type, loop = !strcmp(type, LOOP);

		needed |= prepared || loop;
		/* One is prepared when those before it are made. */
		if (prepared && *n < i)
			*n = i;
		if (loop && *n < i + 1)
			*n = i + 1;
	}
	if (!needed)
		return gt_error_new(GT_UNIMPLEMENTED,
				    "mount \"%s\": nothing in it needs the mounts service", name);
	return NULL;
}

/* --- making ---------------------------------------------------------------------------------- */

/* What a loop device is for, "gantry SEQ/NUMBER": whoever finds its path in a link knows whether it is that. */
static char *loop_name(const char *place)
{
	const char *s = strrchr(place, '/');

	while (s > place && s[-1] != '/')
		s--;
	return gt_strf("gantry %s", s);
}

/*
 * The link tells who undoes it which device to detach. Until the link is there the device goes with our
 * descriptor, whatever becomes of us.
 */
static struct gt_error *loop_make(const struct gt_mount *m, const char *place, char **point)
{
	bool read_only = gt_strv_has(&m->options, "ro");
	gt_autofree char *device = NULL, *name = loop_name(place);
	gt_autofd int fd = -1;

	GT_TRY(mount_loop_attach(m->source, read_only, gt_strv_has(&m->options, "direct-io"), name,
				 &device, &fd));
	if (symlink(device, place) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "make %s", place);
	GT_TRY(mount_loop_keep(fd, device));
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

static struct gt_error *active_add(struct local *l, struct gt_call *call, struct activation *a,
				   const char *folder, const struct gt_mount *m)
{
	gt_autofree char *place = gt_strf("%s/%03zu", folder, a->info.n_active);
	struct gt_mounts one = { 0 };
	char *point = NULL;
	struct gt_error *e = activation_prepare(l, call, a, m, &one);

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

static struct gt_error *make(struct local *l, struct gt_call *call, const char *folder,
			     const struct gt_mounts *mounts, size_t n, bool temporary,
			     struct activation *a)
{
	GT_TRY(gt_file_mkdirs(folder, 0700));
	a->info.active = gt_xcalloc(n + 1, sizeof(*a->info.active));
	for (size_t i = 0; i < n; i++) {
		GT_TRY(gt_call_check(call));
		GT_TRY(active_add(l, call, a, folder, &mounts->v[i]));
	}
	for (size_t i = n; i < mounts->n; i++)
		GT_TRY(gt_error_wrap(activation_prepare(l, call, a, &mounts->v[i],
							  &a->info.system),
				     "mount \"%s\": number %zu", a->info.name, i));
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
	struct gt_error *e = make(l, call, folder, mounts, n, temporary, a);

	if (e)
		gt_log_warn_take(activation_unmake(l, a), "mount \"%s\"", a->info.name);
	return e;
}

/* --- undoing --------------------------------------------------------------------------------- */

/* Never goes into what is mounted: a point that is still one is no empty folder. */
static struct gt_error *place_unmake(const char *place)
{
	gt_autofree char *name = loop_name(place);
	char device[PATH_MAX];
	ssize_t n = readlink(place, device, sizeof(device) - 1);

	if (n < 0) {
		GT_TRY(gt_mount_unmount_all(place, 0));
		if (rmdir(place) < 0 && errno != ENOENT)
			return gt_error_errno(GT_FAILED_PRECONDITION, errno, "delete %s", place);
		return NULL;
	}
	device[n] = '\0';
	GT_TRY(mount_loop_detach(device, name));
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
