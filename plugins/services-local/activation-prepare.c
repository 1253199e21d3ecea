/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prefixes of a mount's type, "format/mkdir/overlay": what is done before there is a mount of the type
 * that is left. "mkfs" and "mkdir" make files, as root, where a client says: only below the daemon's root,
 * where snapshots are, below what the service itself mounts, and below the folders of an option.
 */
#include <config.h>

#include "activations.h"

#include <gantry/buf.h>
#include <gantry/file.h>
#include <mount/format.h>
#include <mount/path.h>
#include <proc/proc.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MKFS "X-containerd.mkfs."
#define MKDIR "X-containerd.mkdir."
#define MKFS_OUTPUT_MAX 4096
#define MKFS_FD 3

struct preparing {
	struct local *l;
	struct gt_call *call;
	const struct activation *a;
};

/* --- where files may be made --------------------------------------------------------------------- */

/* What follows 'root' in 'path'; NULL if it is not below it. */
static const char *below(const char *path, const char *root)
{
	size_t n = strlen(root);

	while (n && root[n - 1] == '/')
		n--;
	if (!n || strncmp(path, root, n) || path[n] != '/')
		return NULL;
	return path + n + strspn(path + n, "/");
}

/* Which of the roots 'path' lies below, as a new string, and the rest of it; NULL: none. */
static char *root_of(struct local *l, const char *path, const char **rest)
{
	const char *last = strrchr(l->init->root, '/');
	gt_autofree char *daemon = gt_xstrndup(l->init->root, last ? (size_t)(last - l->init->root) : 0);
	gt_autofree char *own = gt_strf("%s/mounts", l->init->state);

	if ((*rest = below(path, daemon)))
		return gt_steal(&daemon);
	if ((*rest = below(path, own)))
		return gt_steal(&own);
	for (size_t i = 0; i < l->config->mount_roots.n; i++)
		if ((*rest = below(path, l->config->mount_roots.v[i])))
			return gt_xstrdup(l->config->mount_roots.v[i]);
	return NULL;
}

/* Opens the folder that 'path' is in and finds its last name. */
static struct gt_error *parent_open(struct local *l, const char *path, int *parent, char **name)
{
	const char *rest, *last;
	gt_autofree char *root = root_of(l, path, &rest);
	gt_autofree char *folder = NULL;
	gt_autofd int root_fd = -1;

	if (!root || !*rest)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "%s: lies neither below the daemon's root nor below services-local.mount_roots",
				    path);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "open folder %s", root);
	last = strrchr(rest, '/');
	folder = last ? gt_xstrndup(rest, (size_t)(last - rest)) : gt_xstrdup(".");
	last = last ? last + 1 : rest;
	if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: has no last name", path);
	GT_TRY(gt_error_wrap(gt_path_open_beneath(root_fd, folder, O_RDONLY | O_DIRECTORY, 0, parent),
			     "%s", path));
	*name = gt_xstrdup(last);
	return NULL;
}

/* --- mkdir --------------------------------------------------------------------------------------- */

struct folder {
	char *path;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* The whole of 's', in base 8 or 10, at most 'max'. */
static bool number_parse(const char *s, unsigned base, uint32_t max, uint32_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s >= (char)('0' + base))
			return false;
		v = v * base + (uint64_t)(*s - '0');
		if (v > max)
			return false;
	}
	*out = (uint32_t)v;
	return true;
}

/* PATH[:MODE[:UID:GID]] */
static struct gt_error *folder_parse(const char *option, struct folder *f)
{
	static const char start[] = MKDIR "path=";
	gt_auto(gt_strv) parts = { 0 };
	uint32_t mode = 0700, uid = 0, gid = 0;
	bool good = !strncmp(option, start, strlen(start));

	if (good)
		gt_strv_split(&parts, option + strlen(start), ':');
	good = good && (parts.n == 1 || parts.n == 2 || parts.n == 4) && *parts.v[0];
	if (good && parts.n > 1)
		good = number_parse(parts.v[1], 8, 0777, &mode);
	if (good && parts.n > 2)
		good = number_parse(parts.v[2], 10, UINT32_MAX - 1, &uid) &&
		       number_parse(parts.v[3], 10, UINT32_MAX - 1, &gid);
	if (!good)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "option %s: expected %sPATH[:MODE[:UID:GID]], the mode octal", option,
				    start);
	*f = (struct folder){ gt_xstrdup(parts.v[0]), mode, uid, gid };
	return NULL;
}

static struct gt_error *folder_make(struct local *l, const struct folder *f)
{
	gt_autofree char *name = NULL;
	gt_autofd int parent = -1, fd = -1;

	GT_TRY(parent_open(l, f->path, &parent, &name));
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return gt_error_errno(gt_file_class(errno), errno, "make folder %s", f->path);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return gt_error_errno(errno == ENOTDIR || errno == ELOOP ? GT_FAILED_PRECONDITION
									 : gt_file_class(errno),
				      errno, "open folder %s", f->path);
	if (fchown(fd, f->uid, f->gid) < 0 || fchmod(fd, f->mode) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "set owner and mode of folder %s",
				      f->path);
	return NULL;
}

static struct gt_error *mkdir_do(const struct preparing *p, struct gt_mount *m)
{
	gt_auto(gt_strv) left = { 0 };

	for (size_t i = 0; i < m->options.n; i++) {
		const char *o = m->options.v[i];
		struct folder f = { 0 };
		struct gt_error *e;

		if (strncmp(o, MKDIR, strlen(MKDIR))) {
			gt_strv_add(&left, o);
			continue;
		}
		GT_TRY(folder_parse(o, &f));
		e = folder_make(p->l, &f);
		free(f.path);
		GT_TRY(e);
	}
	gt_strv_done(&m->options);
	m->options = left;
	left = (struct gt_strv){ 0 };
	return NULL;
}

/* --- mkfs ---------------------------------------------------------------------------------------- */

struct disk {
	uint64_t size;
	const char *fs;
	const char *uuid;
};

/* As Go's units have it: "512", "64k", "1.5 GiB"; all binary, in either case. */
static bool ram_size_parse(const char *s, uint64_t *out)
{
	static const char units[] = "kmgtp";
	double v = 0, part = 1;
	const char *unit;

	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s); s++)
		v = v * 10 + (*s - '0');
	if (*s == '.')
		for (s++; isdigit((unsigned char)*s); s++)
			v += (*s - '0') * (part /= 10);
	s += *s == ' ';
	unit = *s ? strchr(units, tolower((unsigned char)*s)) : NULL;
	if (unit) {
		for (const char *u = units; u <= unit; u++)
			v *= 1024;
		s++;
		s += tolower((unsigned char)*s) == 'i';
	}
	s += tolower((unsigned char)*s) == 'b';
	if (*s || v < 1 || v >= (double)INT64_MAX)
		return false;
	*out = (uint64_t)v;
	return true;
}

static struct gt_error *disk_option(const char *option, struct disk *d)
{
	const char *key = option + strlen(MKFS), *value = strchr(key, '=');
	size_t n = value ? (size_t)(value - key) : 0;

	if (value)
		value++;
	if (n == 4 && !strncmp(key, "size", n) && ram_size_parse(value, &d->size))
		return NULL;
	if (n == 2 && !strncmp(key, "fs", n)) {
		d->fs = value;
		return NULL;
	}
	if (n == 4 && !strncmp(key, "uuid", n) && *value &&
	    !value[strspn(value, "0123456789abcdefABCDEF-")]) {
		d->uuid = value;
		return NULL;
	}
	return gt_error_new(GT_INVALID_ARGUMENT,
			    "option %s: expected " MKFS "size=, a number of bytes (64MiB), fs=ext2|ext3|ext4|xfs or "
			    "uuid=", option);
}

static struct gt_error *mkfs_run(struct gt_call *call, const char *path, const struct disk *d, int fd)
{
	gt_autofree char *program = gt_strf("mkfs.%s", d->fs);
	gt_autofree char *file = gt_strf("/proc/self/fd/%d", MKFS_FD);
	gt_autofree char *id = NULL;
	const struct gt_proc_fd passed = { .from = fd, .to = MKFS_FD };
	const char *argv[8] = { program, "-q" };
	struct gt_proc_spec spec = { .argv = argv, .fds = &passed, .n_fds = 1, .die_with_parent = true };
	gt_auto(gt_buf) said = GT_BUF_INIT;
	size_t n = 2;
	int status;

	if (d->uuid) {
		bool xfs = !strcmp(d->fs, "xfs");

		id = gt_strf("%s%s", xfs ? "uuid=" : "", d->uuid);
		argv[n++] = xfs ? "-m" : "-U";
		argv[n++] = id;
	}
	argv[n] = file;
	GT_TRY(gt_error_wrap(gt_proc_run(&spec, call, NULL, 0, MKFS_OUTPUT_MAX, &said, &status),
			     "run %s for %s", program, path));
	if (status) {
		size_t end = strcspn(said.s, "\n");

		return gt_error_new(GT_UNKNOWN, "%s for %s ended with status %d%s%.*s", program, path,
				    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
				    end ? ": " : "", (int)end, said.s);
	}
	return NULL;
}

/* It gets its name when it is whole: who finds it need not ask what became of who made it. */
static struct gt_error *disk_make(struct gt_call *call, int parent, const char *name, const char *path,
				  const struct disk *d)
{
	gt_autofd int fd = openat(parent, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0640);
	gt_autofree char *link = NULL;

	if (fd < 0 || ftruncate(fd, (off_t)d->size) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "make file %s", path);
	GT_TRY(mkfs_run(call, path, d, fd));
	if (fsync(fd) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "write file %s", path);
	link = gt_strf("/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, link, parent, name, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
		return gt_error_errno(gt_file_class(errno), errno, "name file %s", path);
	return NULL;
}

static struct gt_error *mkfs_do(const struct preparing *p, struct gt_mount *m)
{
	static const char *const known[] = { "ext2", "ext3", "ext4", "xfs" };
	struct disk d = { .fs = "ext4" };
	gt_autofree char *name = NULL;
	gt_auto(gt_strv) mine = { 0 }, left = { 0 };
	gt_autofd int parent = -1;
	bool good = false;
	struct stat st;

	for (size_t i = 0; i < m->options.n; i++) {
		bool is_mine = !strncmp(m->options.v[i], MKFS, strlen(MKFS));

		gt_strv_add(is_mine ? &mine : &left, m->options.v[i]);
	}
	for (size_t i = 0; i < mine.n; i++)
		GT_TRY(disk_option(mine.v[i], &d));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		good |= !strcmp(d.fs, known[i]);
	if (!good || !d.size)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s" MKFS "%s", m->source,
				    good ? "needs option " : "expected one of ext2, ext3, ext4 and xfs in ",
				    good ? "size" : "fs");
	GT_TRY(parent_open(p->l, m->source, &parent, &name));
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return gt_error_errno(gt_file_class(errno), errno, "look at %s", m->source);
		GT_TRY(disk_make(p->call, parent, name, m->source, &d));
	} else if (!S_ISREG(st.st_mode)) {
		return gt_error_new(GT_FAILED_PRECONDITION, "%s is there and no regular file", m->source);
	}
	gt_strv_done(&m->options);
	m->options = left;
	left = (struct gt_strv){ 0 };
	return NULL;
}

/* --- format -------------------------------------------------------------------------------------- */

static struct gt_error *format_text(const struct activation *a, char **text)
{
	struct gt_mount_made *made = gt_xcalloc(a->info.n_active + 1, sizeof(*made));
	gt_auto(gt_buf) b = GT_BUF_INIT;
	struct gt_error *e;

	for (size_t i = 0; i < a->info.n_active; i++) {
		made[i].mount = &a->info.active[i].mount;
		made[i].point = a->info.active[i].point;
	}
	e = gt_mount_format(*text, made, a->info.n_active, &b);
	free(made);
	GT_TRY(e);
	free(*text);
	*text = gt_buf_detach(&b);
	return NULL;
}

static struct gt_error *format_do(const struct preparing *p, struct gt_mount *m)
{
	GT_TRY(format_text(p->a, &m->source));
	GT_TRY(format_text(p->a, &m->target));
	for (size_t i = 0; i < m->options.n; i++)
		GT_TRY(format_text(p->a, &m->options.v[i]));
	return NULL;
}

/* --- all of them --------------------------------------------------------------------------------- */

static const struct prefix {
	const char *name;
	struct gt_error *(*run)(const struct preparing *p, struct gt_mount *m);
} prefixes[] = {
	{ "format/", format_do },
	{ "mkfs/", mkfs_do },
	{ "mkdir/", mkdir_do },
};

static const struct prefix *prefix_cut(const char **type)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t n = strlen(prefixes[i].name);

		if (!strncmp(*type, prefixes[i].name, n)) {
			*type += n;
			return &prefixes[i];
		}
	}
	return NULL;
}

const char *activation_type(const char *type)
{
	while (prefix_cut(&type))
		;
	return type;
}

struct gt_error *activation_prepare(struct local *l, struct gt_call *call, const struct activation *a,
				    const struct gt_mount *m, struct gt_mounts *out)
{
	const struct preparing p = { l, call, a };
	const char *type = m->type;
	struct gt_mount *to = gt_mounts_add(out, activation_type(type), m->source, m->target);
	const struct prefix *prefix;

	gt_strv_addv(&to->options, &m->options);
	while ((prefix = prefix_cut(&type)))
		GT_TRY(prefix->run(&p, to));
	return NULL;
}
