/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/bundle.h>

#include <mount/mount.h>

#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define SPEC_MAX (8 << 20)

const char *const gt_bundle_group_keys[] = { "io.containerd.runc.v2.group",
					     "io.kubernetes.cri.sandbox-id", NULL };

void gt_bundles_init(struct gt_bundles *all, const char *base_state, const char *base_root,
		     const char *folder)
{
	if (!folder)
		folder = GT_BUNDLES_FOLDER;
	all->state = gt_strf("%s/%s", base_state, folder);
	all->root = gt_strf("%s/%s", base_root, folder);
}

void gt_bundles_done(struct gt_bundles *all)
{
	free(all->state);
	free(all->root);
	*all = (struct gt_bundles){ 0 };
}

void gt_bundle_done(struct gt_bundle *b)
{
	free(b->ns);
	free(b->id);
	free(b->path);
	free(b->work);
	if (b->fd >= 0)
		close(b->fd);
	*b = (struct gt_bundle)GT_BUNDLE_INIT;
}

void gt_bundle_name(const struct gt_bundles *all, const char *ns, const char *id,
		    struct gt_bundle *b)
{
	*b = (struct gt_bundle){
		.ns = gt_xstrdup(ns),
		.id = gt_xstrdup(id),
		.path = gt_strf("%s/%s/%s", all->state, ns, id),
		.work = gt_strf("%s/%s/%s", all->root, ns, id),
		.fd = -1,
	};
}

static struct gt_error *open_folder(const char *path, int *fd)
{
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : GT_UNKNOWN, errno,
				      "open bundle %s", path);
	return NULL;
}

/*
 * A folder that others must be able to pass, and nothing more, whatever the umask and whatever has become
 * of its mode since.
 */
static struct gt_error *make_passable(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		GT_TRY(gt_file_mkdirs(path, 0711));
		if (lstat(path, &st) < 0)
			return gt_error_errno(gt_file_class(errno), errno, "look at %s", path);
	}
	if (!S_ISDIR(st.st_mode))
		return gt_error_new(GT_FAILED_PRECONDITION, "%s is no folder", path);
	if ((st.st_mode & 07777) != 0711 && chmod(path, 0711) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "set the mode of %s", path);
	return NULL;
}

static struct gt_error *make_parents(const struct gt_bundles *all, const char *ns)
{
	gt_autofree char *folder = gt_strf("%s/%s", all->state, ns);

	GT_TRY(make_passable(all->state));
	return make_passable(folder);
}

/*
 * With a user namespace root of the container is somebody else here, who must pass the bundle to reach
 * the root file system: the bundle becomes his group's.
 */
static struct gt_error *let_container_root_in(int fd, const struct gt_any *spec)
{
	json_t *doc, *map;
	json_int_t gid = 0;
	size_t i;

	if (!memmem(spec->data, spec->len, "\"gidMappings\"", strlen("\"gidMappings\"")))
		return NULL;
	doc = json_loadb(spec->data, spec->len, 0, NULL);
	json_array_foreach(json_object_get(json_object_get(doc, "linux"), "gidMappings"), i, map)
		if (json_integer_value(json_object_get(map, "containerID")) == 0)
			gid = json_integer_value(json_object_get(map, "hostID"));
	json_decref(doc);
	if (gid <= 0)
		return NULL;
	if (gid >= UINT32_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "host id %" JSON_INTEGER_FORMAT
				    " in gidMappings", gid);
	if (fchown(fd, -1, gid) < 0 || fchmod(fd, 0710) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "give the bundle to group %u",
				      (unsigned)gid);
	return NULL;
}

static struct gt_error *write_file(int dirfd, const char *name, mode_t mode, const void *data,
				   size_t len)
{
	gt_autofd int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "create %s", name);
	return gt_file_write_all(fd, data, len, name);
}

static struct gt_error *fill(const struct gt_bundle *b, const struct gt_any *spec,
			     const char *program)
{
	if (spec) {
		GT_TRY(let_container_root_in(b->fd, spec));
		GT_TRY(write_file(b->fd, "config.json", 0644, spec->data, spec->len));
	}
	GT_TRY(write_file(b->fd, "shim-binary-path", 0600, program, strlen(program)));
	if (mkdirat(b->fd, "rootfs", 0711) < 0 || fchmodat(b->fd, "rootfs", 0711, 0) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "make folder rootfs");
	if (symlinkat(b->work, b->fd, "work") < 0)
		return gt_error_errno(gt_file_class(errno), errno, "make link work");
	if (mkfifoat(b->fd, "log", 0700) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "make FIFO log");
	return NULL;
}

/* A fresh hidden folder of ours: one that a tidier had before us is left to it. */
static struct gt_error *make_hidden(const struct gt_bundles *all, struct gt_bundle *b, char **path)
{
	for (int i = 0; i < 100; i++) {
		gt_autofree char *tmp = gt_strf("%s/%s/.new-%s-XXXXXX", all->state, b->ns, b->id);

		if (!mkdtemp(tmp))
			return gt_error_errno(gt_file_class(errno), errno, "make folder %s", tmp);
		b->fd = open(tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (b->fd >= 0 && flock(b->fd, LOCK_EX | LOCK_NB) == 0) {
			b->locked = true;
			*path = gt_steal(&tmp);
			return NULL;
		}
		if (b->fd >= 0)
			close(gt_steal_fd(&b->fd));
	}
	return gt_error_new(GT_ABORTED, "no folder stays ours in %s/%s", all->state, b->ns);
}

struct gt_error *gt_bundle_make(const struct gt_bundles *all, const char *ns, const char *id,
				const struct gt_any *spec, const char *program,
				struct gt_bundle *out)
{
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	gt_autofree char *tmp = NULL;
	struct gt_error *e;

	gt_bundle_name(all, ns, id, &b);
	GT_TRY(make_parents(all, ns));
	if (access(b.path, F_OK) == 0)
		return gt_error_new(GT_ALREADY_EXISTS, "task %s", id);
	GT_TRY(make_hidden(all, &b, &tmp));
	e = fill(&b, spec, program);
	if (!e && renameat2(AT_FDCWD, tmp, AT_FDCWD, b.path, RENAME_NOREPLACE) < 0)
		e = errno == EEXIST ? gt_error_new(GT_ALREADY_EXISTS, "task %s", id)
				    : gt_error_errno(gt_file_class(errno), errno, "rename %s", tmp);
	if (e) {
		gt_error_free(gt_file_remove_tree(AT_FDCWD, tmp));
		if (gt_error_class(e) == GT_ALREADY_EXISTS)
			return e;
		return gt_error_wrap(e, "make bundle %s", b.path);
	}
	*out = b;
	b = (struct gt_bundle)GT_BUNDLE_INIT;
	return NULL;
}

struct gt_error *gt_bundle_open(const struct gt_bundles *all, const char *ns, const char *id,
				struct gt_bundle *out)
{
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	struct gt_error *e;

	gt_bundle_name(all, ns, id, &b);
	e = open_folder(b.path, &b.fd);
	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		return gt_error_new(GT_NOT_FOUND, "task %s not found", id);
	}
	GT_TRY(e);
	*out = b;
	b = (struct gt_bundle)GT_BUNDLE_INIT;
	return NULL;
}

static bool is_in_place(const struct gt_bundle *b)
{
	struct stat here, there;

	return fstat(b->fd, &here) == 0 && lstat(b->path, &there) == 0 &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

struct gt_error *gt_bundle_lock(struct gt_bundle *b, const struct gt_call *call, int timeout)
{
	int64_t end = gt_now() + timeout * INT64_C(1000000);
	struct timespec pause = { .tv_nsec = 500000 };

	while (flock(b->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return gt_error_errno(GT_UNKNOWN, errno, "lock bundle %s", b->path);
		GT_TRY(gt_call_check(call));
		if (gt_now() >= end)
			return gt_error_new(GT_UNAVAILABLE,
					    "task %s is being created or deleted", b->id);
		nanosleep(&pause, NULL); /* no lock tells its end to who also watches the clock */
		if (pause.tv_nsec < 20000000)
			pause.tv_nsec *= 2;
	}
	b->locked = true;
	if (is_in_place(b))
		return NULL;
	return gt_error_new(GT_NOT_FOUND, "task %s not found", b->id);
}

struct gt_error *gt_bundle_open_locked(const struct gt_bundles *all, const char *id,
				       const struct gt_call *call, int timeout,
				       struct gt_bundle *out)
{
	for (;;) {
		gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
		struct gt_error *e;

		GT_TRY(gt_bundle_open(all, call->ns, id, &b));
		e = gt_bundle_lock(&b, call, timeout);
		if (gt_error_class(e) == GT_NOT_FOUND) { /* perhaps there is a new one by now */
			gt_error_free(e);
			continue;
		}
		GT_TRY(e);
		*out = b;
		b = (struct gt_bundle)GT_BUNDLE_INIT;
		return NULL;
	}
}

struct gt_error *gt_bundle_work(const struct gt_bundle *b)
{
	return gt_file_mkdirs(b->work, 0711);
}

/* The kernel refuses to delete a folder that something is mounted on. */
static struct gt_error *remove_rootfs(const struct gt_bundle *b)
{
	gt_autofree char *rootfs = NULL;

	if (unlinkat(b->fd, "rootfs", AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTDIR ||
	    errno == ENOTEMPTY)
		return NULL;
	rootfs = gt_strf("%s/rootfs", b->path);
	GT_TRY(gt_mount_unmount_all(rootfs, GT_UNMOUNT_DETACH));
	if (unlinkat(b->fd, "rootfs", AT_REMOVEDIR) < 0 && errno != ENOTEMPTY)
		return gt_error_errno(gt_file_class(errno), errno, "delete folder %s", rootfs);
	return NULL;
}

struct gt_error *gt_bundle_remove(struct gt_bundle *b)
{
	gt_autofree char *old = NULL;
	struct stat st;

	GT_TRY(gt_error_wrap(remove_rootfs(b), "delete bundle %s", b->path));
	if (fstat(b->fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "stat bundle %s", b->path);
	old = gt_strf("%.*s.old-%s-%llu", (int)(strrchr(b->path, '/') - b->path + 1), b->path,
		      b->id, (unsigned long long)st.st_ino);
	if (rename(b->path, old) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "rename bundle %s", b->path);
	return gt_error_first(gt_file_remove_tree(AT_FDCWD, old),
			      gt_file_remove_tree(AT_FDCWD, b->work));
}

struct gt_error *gt_bundle_spec(const struct gt_bundle *b, struct gt_buf *out)
{
	return gt_error_wrap(gt_file_read(b->fd, "config.json", SPEC_MAX, out), "bundle %s",
			     b->path);
}

struct gt_error *gt_bundle_program(const struct gt_bundle *b, char **path)
{
	gt_auto(gt_buf) s = GT_BUF_INIT;

	GT_TRY(gt_error_wrap(gt_file_read(b->fd, "shim-binary-path", 4096, &s), "bundle %s",
			     b->path));
	if (s.s[0] != '/' || strlen(s.s) != s.len)
		return gt_error_new(GT_DATA_LOSS, "bundle %s: shim-binary-path is no path", b->path);
	*path = gt_buf_detach(&s);
	return NULL;
}

struct gt_error *gt_bundle_attach(const struct gt_bundle *b, const char *sandbox)
{
	return gt_error_wrap(write_file(b->fd, "sandbox", 0600, sandbox, strlen(sandbox)),
			     "bundle %s", b->path);
}

bool gt_bundle_is_attached(const struct gt_bundle *b)
{
	return faccessat(b->fd, "sandbox", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool gt_bundle_is_grouped(const struct gt_bundle *b)
{
	gt_auto(gt_buf) spec = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_bundle_spec(b, &spec);

	for (const char *const *key = gt_bundle_group_keys; *key && !e; key++)
		if (memmem(spec.s, spec.len, *key, strlen(*key)))
			return true;
	return false;
}
