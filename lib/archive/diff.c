/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's mode "diff": walks two trees side by side, in the order of their names. */
#include <config.h>

#include <archive/diff.h>

#include <archive/confine.h>
#include <archive/reader.h>
#include <archive/tree.h>
#include <gantry/strv.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#define MEMORY (256 << 20)
#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static struct gt_error *walk(struct diff *d, struct diff_level *l);

static struct gt_error *add_names(int dir, struct gt_strv *names)
{
	gt_autofd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *s = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *ent;
	int err;

	if (!s)
		return gt_error_errno(layer_tree_class(errno), errno, "open folder");
	gt_steal_fd(&fd);
	errno = 0;
	while ((ent = readdir(s)))
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
			gt_strv_add(names, ent->d_name);
	err = errno;
	closedir(s);
	return err ? gt_error_errno(GT_UNKNOWN, err, "read folder") : NULL;
}

/*
 * What overlayfs keeps of a folder may be elsewhere, too: then the guide does not hold all names, and
 * both trees are compared whole.
 */
static bool guide_is_partial(int fd)
{
	static const char *const marks[] = { "trusted.overlay.opaque", "trusted.overlay.redirect",
					     "user.overlay.opaque", "user.overlay.redirect" };

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (fgetxattr(fd, marks[i], NULL, 0) >= 0)
			return true;
	return false;
}

static struct gt_error *stat_at(int dir, const char *name, struct stat *st, bool *there)
{
	*there = dir >= 0 && fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0;
	if (dir >= 0 && !*there && errno != ENOENT)
		return gt_error_errno(layer_tree_class(errno), errno, "look at %s", name);
	return NULL;
}

static struct gt_error *go_down(struct diff *d, struct diff_level *l, const char *name,
				const struct stat *st, bool lower_too, bool written)
{
	struct diff_level sub = { .up = l, .lower = -1, .guide = -1, .st = *st,
				  .path_len = d->path.len, .written = written };
	struct gt_error *e = NULL;

	sub.upper = openat(l->upper, name, OPEN_FOLDER);
	if (sub.upper < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "open folder");
	if (lower_too) {
		sub.lower = openat(l->lower, name, OPEN_FOLDER);
		if (sub.lower < 0)
			e = gt_error_errno(layer_tree_class(errno), errno, "open lower folder");
	}
	if (l->guide >= 0) /* none there: a folder that was moved; all of it is looked at */
		sub.guide = openat(l->guide, name, OPEN_FOLDER);
	if (sub.guide >= 0 && guide_is_partial(sub.guide)) {
		close(sub.guide);
		sub.guide = -1;
	}
	if (!e)
		e = walk(d, &sub);
	close(sub.upper);
	if (sub.lower >= 0)
		close(sub.lower);
	if (sub.guide >= 0)
		close(sub.guide);
	return e;
}

static struct gt_error *visit(struct diff *d, struct diff_level *l, const char *name)
{
	struct stat lower, upper;
	bool in_lower, in_upper, same = false, both_folders;

	GT_TRY(stat_at(l->lower, name, &lower, &in_lower));
	GT_TRY(stat_at(l->upper, name, &upper, &in_upper));
	if (!in_upper)
		return in_lower ? diff_write_whiteout(d, l, name) : NULL;
	if (S_ISSOCK(upper.st_mode))
		return NULL;
	if (!strncmp(name, ".wh.", 4)) {
		gt_autofree char *text = gt_strf("%s: left out: a layer cannot hold this name",
						 d->path.s);

		layer_say_warning(NULL, text);
		return NULL;
	}
	both_folders = in_lower && S_ISDIR(lower.st_mode) && S_ISDIR(upper.st_mode);
	if (in_lower)
		GT_TRY(diff_compare(d, l, name, &lower, &upper, &same));
	if (!same)
		GT_TRY(diff_write(d, l, name, &upper));
	else if (upper.st_nlink > 1 && !S_ISDIR(upper.st_mode))
		GT_TRY(diff_leave_out(d, &upper));
	if (S_ISDIR(upper.st_mode))
		return go_down(d, l, name, &upper, both_folders, !same);
	return NULL;
}

static struct gt_error *walk_names(struct diff *d, struct diff_level *l, const struct gt_strv *names)
{
	size_t len = l->path_len;

	for (size_t i = 0; i < names->n; i++) {
		struct gt_error *e;

		if (i && !strcmp(names->v[i], names->v[i - 1]))
			continue;
		gt_buf_setlen(&d->path, len);
		if (len)
			gt_buf_addc(&d->path, '/');
		gt_buf_adds(&d->path, names->v[i]);
		e = visit(d, l, names->v[i]);
		if (e)
			return gt_error_wrap(e, "%s", names->v[i]);
	}
	gt_buf_setlen(&d->path, len);
	return NULL;
}

static struct gt_error *walk(struct diff *d, struct diff_level *l)
{
	struct gt_strv names = { 0 };
	struct gt_error *e;

	if (l->guide >= 0) {
		e = add_names(l->guide, &names);
	} else {
		e = add_names(l->upper, &names);
		if (!e && l->lower >= 0)
			e = add_names(l->lower, &names);
	}
	gt_strv_sort(&names);
	if (!e)
		e = walk_names(d, l, &names);
	gt_strv_done(&names);
	return e;
}

static la_ssize_t write_output(struct archive *a, void *arg, const void *data, size_t len)
{
	struct diff *d = arg;

	d->error = layer_output_write(d->out, data, len);
	if (!d->error)
		return len;
	archive_set_error(a, EIO, "output ended in an error");
	return -1;
}

static struct gt_error *open_archive(struct diff *d)
{
	d->a = archive_write_new();
	d->entry = archive_entry_new();
	if (!d->a || !d->entry)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "set up libarchive");
	archive_write_set_format_pax_restricted(d->a);
	archive_write_set_options(d->a, "xattrheader=SCHILY");
	archive_write_set_bytes_per_block(d->a, DIFF_BLOCK);
	archive_write_set_bytes_in_last_block(d->a, 1);
	if (archive_write_open(d->a, d, NULL, write_output, NULL) != ARCHIVE_OK)
		return gt_error_new(GT_INTERNAL, "open archive: %s", archive_error_string(d->a));
	return NULL;
}

static struct gt_error *run(struct diff *d, struct layer_done *done)
{
	struct diff_level root = { .lower = -1, .upper = GT_LAYER_ROOT, .guide = -1,
				   .written = true };

	GT_TRY(open_archive(d));
	if (d->o->lower)
		root.lower = GT_LAYER_LOWER;
	if (d->o->guided && !guide_is_partial(GT_LAYER_GUIDE))
		root.guide = GT_LAYER_GUIDE;
	GT_TRY(walk(d, &root));
	if (archive_write_close(d->a) != ARCHIVE_OK)
		return d->error ? gt_steal(&d->error)
				: gt_error_new(GT_INTERNAL, "end archive: %s",
					       archive_error_string(d->a));
	return layer_output_end(d->out, done);
}

struct gt_error *layer_diff(const struct layer_job_options *o, struct layer_done *done)
{
	gt_autoptr(layer_output) out = NULL;
	struct diff d = { .o = o, .path = GT_BUF_INIT };
	struct gt_error *e;

	layer_reader_prepare();
	GT_TRY(layer_confine_root(GT_LAYER_ROOT));
	GT_TRY(layer_confine_privileges(LAYER_WALKS, MEMORY));
	GT_TRY(layer_output_open(o->compression, &out));
	GT_TRY(layer_confine_calls(LAYER_WALKS));
	d.out = out;
	d.block = gt_xmalloc(DIFF_BLOCK);
	d.block2 = gt_xmalloc(DIFF_BLOCK);
	gt_buf_reserve(&d.path, 0);
	e = run(&d, done);
	if (e && d.a) /* closing would write on */
		archive_write_fail(d.a);
	archive_write_free(d.a);
	archive_entry_free(d.entry);
	gt_error_free(d.error);
	diff_inodes_done(&d);
	gt_buf_done(&d.path);
	free(d.block);
	free(d.block2);
	return e;
}
