/* SPDX-License-Identifier: Apache-2.0 */
/* Kind snapshotter: mounts a snapshot shows, and what a child sees of its parents. */
#include <config.h>

#include "snapshotter.h"

#include <gantry/buf.h>
#include <gantry/file.h>
#include <mount/mount.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define CHAIN 128

static struct gt_call call = GT_CALL_INIT;

bool snapshot_can_mount(const char *dir)
{
	gt_autofree char *target = gt_strf("%s/may-mount", dir);
	bool may;

	if (mkdir(target, 0700) < 0 && errno != EEXIST)
		return false;
	may = mount("none", target, "tmpfs", 0, NULL) == 0;
	if (may)
		umount2(target, MNT_DETACH);
	rmdir(target);
	return may;
}

struct gt_error *snapshot_mount(const struct gt_mounts *m, const char *dir,
				struct snapshot_view *out)
{
	static atomic_uint sequence;
	gt_autofree char *target = gt_strf("%s/m-%u", dir, atomic_fetch_add(&sequence, 1));

	*out = (struct snapshot_view){ .fd = -1 };
	GT_TRY(gt_file_mkdirs(target, 0700));
	GT_TRY(gt_mount_all(m, target));
	out->fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	out->target = gt_steal(&target);
	return NULL;
}

void snapshot_unmount(struct snapshot_view *v)
{
	if (v->fd >= 0)
		close(v->fd);
	if (v->target) {
		suite_class(gt_mount_unmount_all(v->target, 0), GT_OK, "unmount");
		rmdir(v->target);
	}
	free(v->target);
	*v = (struct snapshot_view){ .fd = -1 };
}

struct gt_error *snapshot_prepare(struct gt_snapshotter *s, const char *dir, const char *key,
				  const char *parent, struct snapshot_view *out)
{
	gt_auto(gt_mounts) m = { 0 };

	*out = (struct snapshot_view){ .fd = -1 };
	GT_TRY(gt_snapshotter_prepare(s, &call, key, parent, NULL, &m));
	return snapshot_mount(&m, dir, out);
}

struct gt_error *snapshot_look(struct gt_snapshotter *s, const char *dir, const char *key,
			       const char *parent, struct snapshot_view *out)
{
	gt_auto(gt_mounts) m = { 0 };

	*out = (struct snapshot_view){ .fd = -1 };
	GT_TRY(gt_snapshotter_view(s, &call, key, parent, NULL, &m));
	return snapshot_mount(&m, dir, out);
}

struct gt_error *snapshot_commit(struct gt_snapshotter *s, struct snapshot_view *v,
				 const char *name, const char *key)
{
	snapshot_unmount(v);
	return gt_snapshotter_commit(s, &call, name, key, NULL);
}

struct gt_error *snapshot_layer(struct gt_snapshotter *s, const char *name, const char *parent)
{
	gt_autofree char *key = gt_strf("%.430s-active", name);
	gt_auto(gt_mounts) m = { 0 };

	GT_TRY(gt_snapshotter_prepare(s, &call, key, parent, NULL, &m));
	return gt_snapshotter_commit(s, &call, name, key, NULL);
}

static struct gt_error *note_key(void *arg, const struct gt_snapshot_info *i)
{
	gt_strv_add(arg, i->key);
	return NULL;
}

struct gt_error *snapshot_remove_all(struct gt_snapshotter *s)
{
	bool progress = true;

	while (progress) {
		gt_auto(gt_strv) keys = { 0 };
		struct gt_error *e = NULL;

		progress = false;
		GT_TRY(gt_snapshotter_walk(s, &call, note_key, &keys));
		if (!keys.n)
			return NULL;
		for (size_t i = 0; i < keys.n; i++) {
			gt_error_free(e);
			e = gt_snapshotter_remove(s, &call, keys.v[i]);
			progress |= !e;
			if (e && gt_error_class(e) != GT_FAILED_PRECONDITION)
				return e;
		}
		if (!progress)
			return e;
		gt_error_free(e);
	}
	return NULL;
}

void snapshot_expect(const struct snapshot_view *v, const char *path, const char *text)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(v->fd, path, 4 << 20, &b);

	if (text)
		suite_ok(!e && !strcmp(b.s, text), "%s holds what was written", path);
	else
		suite_ok(gt_error_class(e) == GT_NOT_FOUND, "%s is not there", path);
}

void snapshot_write(const struct snapshot_view *v, const char *path, const char *text)
{
	gt_autofd int fd = openat(v->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		suite_ok(false, "create %s: %s", path, strerror(errno));
	else
		suite_class(gt_file_write_all(fd, text, strlen(text), path), GT_OK, "write %s",
			    path);
}

static void make_folder(const struct snapshot_view *v, const char *path)
{
	suite_ok(mkdirat(v->fd, path, 0755) == 0, "make folder %s", path);
}

static void test_chain_of_three(struct gt_snapshotter *s, const char *dir)
{
	struct snapshot_view v, w;

	suite_class(snapshot_prepare(s, dir, "a", "", &v), GT_OK, "prepare and mount");
	snapshot_write(&v, "foo", "foo\n");
	make_folder(&v, "dir");
	snapshot_write(&v, "dir/below", "below\n");
	suite_class(snapshot_commit(s, &v, "one", "a"), GT_OK, "commit");
	suite_class(snapshot_prepare(s, dir, "a", "one", &v), GT_OK, "prepare a child and mount");
	snapshot_expect(&v, "foo", "foo\n");
	snapshot_write(&v, "bar", "bar\n");
	snapshot_write(&v, "foo", "foo, changed\n");
	suite_class(snapshot_look(s, dir, "v", "one", &w), GT_OK, "view of the parent");
	snapshot_expect(&w, "foo", "foo\n");
	snapshot_expect(&w, "bar", NULL);
	suite_ok(openat(w.fd, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 && errno == EROFS,
		 "a view is read-only");
	suite_ok(unlinkat(w.fd, "foo", 0) < 0 && errno == EROFS, "nothing in it can be deleted");
	snapshot_unmount(&w);
	suite_class(snapshot_commit(s, &v, "two", "a"), GT_OK, "commit the child");
	suite_class(snapshot_look(s, dir, "w", "two", &v), GT_OK, "view of two layers");
	snapshot_expect(&v, "foo", "foo, changed\n");
	snapshot_expect(&v, "bar", "bar\n");
	snapshot_expect(&v, "dir/below", "below\n");
	suite_ok(openat(v.fd, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 && errno == EROFS,
		 "it is read-only");
	snapshot_unmount(&v);
	suite_class(snapshot_look(s, dir, "nothing", "", &v), GT_OK, "view without a parent");
	suite_ok(openat(v.fd, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 && errno == EROFS,
		 "it is read-only");
	snapshot_unmount(&v);
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
}

static void test_deletions(struct gt_snapshotter *s, const char *dir)
{
	struct snapshot_view v;

	suite_class(snapshot_prepare(s, dir, "a", "", &v), GT_OK, "prepare and mount");
	snapshot_write(&v, "gone", "1");
	snapshot_write(&v, "back", "1");
	snapshot_write(&v, "file-to-folder", "1");
	make_folder(&v, "folder-to-file");
	snapshot_write(&v, "folder-to-file/x", "1");
	make_folder(&v, "opaque");
	snapshot_write(&v, "opaque/old", "1");
	make_folder(&v, "gone-folder");
	snapshot_write(&v, "gone-folder/x", "1");
	suite_class(snapshot_commit(s, &v, "one", "a"), GT_OK, "commit");
	suite_class(snapshot_prepare(s, dir, "a", "one", &v), GT_OK, "prepare a child and mount");
	suite_ok(!unlinkat(v.fd, "gone", 0) && !unlinkat(v.fd, "back", 0) &&
			 !unlinkat(v.fd, "file-to-folder", 0) &&
			 !unlinkat(v.fd, "folder-to-file/x", 0) &&
			 !unlinkat(v.fd, "folder-to-file", AT_REMOVEDIR) &&
			 !unlinkat(v.fd, "opaque/old", 0) &&
			 !unlinkat(v.fd, "opaque", AT_REMOVEDIR) &&
			 !unlinkat(v.fd, "gone-folder/x", 0) &&
			 !unlinkat(v.fd, "gone-folder", AT_REMOVEDIR),
		 "delete files and folders of the parent");
	make_folder(&v, "file-to-folder");
	snapshot_write(&v, "file-to-folder/x", "2");
	snapshot_write(&v, "folder-to-file", "2");
	make_folder(&v, "opaque");
	snapshot_write(&v, "opaque/new", "2");
	suite_class(snapshot_commit(s, &v, "two", "a"), GT_OK, "commit");
	suite_class(snapshot_prepare(s, dir, "a", "two", &v), GT_OK, "prepare a third");
	snapshot_write(&v, "back", "3");
	suite_class(snapshot_commit(s, &v, "three", "a"), GT_OK, "commit");
	suite_class(snapshot_look(s, dir, "v", "three", &v), GT_OK, "view of all three");
	snapshot_expect(&v, "gone", NULL);
	snapshot_expect(&v, "gone-folder/x", NULL);
	suite_ok(faccessat(v.fd, "gone-folder", F_OK, 0) < 0, "a deleted folder is not there");
	snapshot_expect(&v, "back", "3");
	snapshot_expect(&v, "file-to-folder/x", "2");
	snapshot_expect(&v, "folder-to-file", "2");
	snapshot_expect(&v, "opaque/old", NULL);
	snapshot_expect(&v, "opaque/new", "2");
	snapshot_unmount(&v);
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
}

static void test_moves(struct gt_snapshotter *s, const char *dir)
{
	struct snapshot_view v;
	struct stat a, b;

	suite_class(snapshot_prepare(s, dir, "a", "", &v), GT_OK, "prepare and mount");
	make_folder(&v, "dir");
	snapshot_write(&v, "dir/file", "file");
	snapshot_write(&v, "one", "two names");
	suite_ok(!linkat(v.fd, "one", v.fd, "dir/two", 0), "hard link");
	suite_class(snapshot_commit(s, &v, "one", "a"), GT_OK, "commit");
	suite_class(snapshot_prepare(s, dir, "a", "one", &v), GT_OK, "prepare a child and mount");
	suite_ok(!fstatat(v.fd, "one", &a, 0) && !fstatat(v.fd, "dir/two", &b, 0) &&
			 a.st_nlink == 2 && b.st_nlink == 2 && a.st_size == b.st_size,
		 "a file with two names has two in the child");
	suite_ok(!renameat(v.fd, "dir/file", v.fd, "moved"), "rename a file of the parent");
	make_folder(&v, "new");
	snapshot_write(&v, "new/x", "x");
	suite_ok(!renameat(v.fd, "new", v.fd, "renamed"), "rename a new folder");
	suite_class(snapshot_commit(s, &v, "two", "a"), GT_OK, "commit");
	suite_class(snapshot_look(s, dir, "v", "two", &v), GT_OK, "view");
	snapshot_expect(&v, "dir/file", NULL);
	snapshot_expect(&v, "moved", "file");
	snapshot_expect(&v, "new/x", NULL);
	snapshot_expect(&v, "renamed/x", "x");
	snapshot_expect(&v, "dir/two", "two names");
	snapshot_unmount(&v);
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
}

static const struct timespec old_times[] = { { 1000000000, 5 }, { 1000000001, 123456789 } };

static void make_attributes(const struct snapshot_view *v)
{
	gt_autofd int fd = -1;

	snapshot_write(v, "owned", "x");
	suite_ok(!fchownat(v->fd, "owned", 1234, 5678, 0) && !fchmodat(v->fd, "owned", 04751, 0),
		 "set owner and mode");
	fd = openat(v->fd, "owned", O_RDONLY | O_CLOEXEC);
	suite_ok(!fsetxattr(fd, "user.colour", "green", 5, 0) || errno == ENOTSUP,
		 "set an attribute");
	suite_ok(!symlinkat("/etc/../no where", v->fd, "link") &&
			 !fchownat(v->fd, "link", 1, 2, AT_SYMLINK_NOFOLLOW),
		 "make a symbolic link");
	suite_ok(!mkfifoat(v->fd, "fifo", 0640), "make a fifo");
	suite_ok(!mknodat(v->fd, "null", S_IFCHR | 0666, makedev(1, 3)) || errno == EPERM,
		 "make a device");
	make_folder(v, "sticky");
	suite_ok(!fchmodat(v->fd, "sticky", 01777, 0), "make a folder sticky");
	close(gt_steal_fd(&fd));
	fd = openat(v->fd, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	suite_ok(pwrite(fd, "start", 5, 0) == 5 && pwrite(fd, "end", 3, 64 << 20) == 3,
		 "make a sparse file");
	suite_ok(!utimensat(v->fd, "owned", old_times, 0) &&
			 !utimensat(v->fd, "link", old_times, AT_SYMLINK_NOFOLLOW) &&
			 !utimensat(v->fd, "sticky", old_times, 0),
		 "set times");
}

static bool is_old(const struct snapshot_view *v, const char *path)
{
	struct stat st;

	return !fstatat(v->fd, path, &st, AT_SYMLINK_NOFOLLOW) &&
	       st.st_mtim.tv_sec == old_times[1].tv_sec &&
	       st.st_mtim.tv_nsec == old_times[1].tv_nsec;
}

static void expect_attributes(const struct snapshot_view *v)
{
	gt_autofd int fd = openat(v->fd, "owned", O_RDONLY | O_CLOEXEC);
	char text[32] = "";
	struct stat st;

	suite_ok(!fstat(fd, &st) && st.st_uid == 1234 && st.st_gid == 5678 &&
			 (st.st_mode & 07777) == 04751,
		 "owner and mode are kept");
	if (fgetxattr(fd, "user.colour", text, sizeof(text)) >= 0 || errno == ENODATA)
		suite_ok(!strcmp(text, "green"), "the attribute is kept");
	else
		suite_skip("the file system has none", "the attribute is kept");
	close(gt_steal_fd(&fd));
	suite_ok(readlinkat(v->fd, "link", text, sizeof(text)) == 16 &&
			 !strncmp(text, "/etc/../no where", 16),
		 "the link is kept");
	suite_ok(!fstatat(v->fd, "link", &st, AT_SYMLINK_NOFOLLOW) && st.st_uid == 1 &&
			 st.st_gid == 2,
		 "its owner too");
	suite_ok(!fstatat(v->fd, "fifo", &st, 0) && S_ISFIFO(st.st_mode), "the fifo is kept");
	suite_ok(fstatat(v->fd, "null", &st, 0) ||
			 (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)),
		 "the device is kept");
	suite_ok(!fstatat(v->fd, "sticky", &st, 0) && (st.st_mode & 07777) == 01777,
		 "the folder's mode is kept");
	suite_ok(is_old(v, "owned") && is_old(v, "link") && is_old(v, "sticky"),
		 "the times are kept");
	fd = openat(v->fd, "sparse", O_RDONLY | O_CLOEXEC);
	suite_ok(!fstat(fd, &st) && st.st_size == (64 << 20) + 3 && st.st_blocks < 2048 &&
			 pread(fd, text, 3, 64 << 20) == 3 && !memcmp(text, "end", 3) &&
			 pread(fd, text, 1, 1 << 20) == 1 && text[0] == 0,
		 "the sparse file is whole, and sparse");
}

static void test_attributes(struct gt_snapshotter *s, const char *dir)
{
	struct snapshot_view v;

	if (geteuid() != 0) {
		suite_skip("not root", "attributes");
		return;
	}
	suite_class(snapshot_prepare(s, dir, "a", "", &v), GT_OK, "prepare and mount");
	make_attributes(&v);
	suite_class(snapshot_commit(s, &v, "one", "a"), GT_OK, "commit");
	suite_class(snapshot_layer(s, "two", "one"), GT_OK, "a layer on it");
	suite_class(snapshot_prepare(s, dir, "a", "two", &v), GT_OK, "prepare a child and mount");
	expect_attributes(&v);
	snapshot_unmount(&v);
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
}

/* The root's owner goes from parent to child. */
static void test_owner_of_root(struct gt_snapshotter *s, const char *dir)
{
	struct snapshot_view v;
	struct stat st;

	if (geteuid() != 0)
		return;
	suite_class(snapshot_prepare(s, dir, "a", "", &v), GT_OK, "prepare and mount");
	suite_ok(!fstat(v.fd, &st) && (st.st_mode & 07777) == 0755, "the root's mode is 0755");
	suite_ok(!fchown(v.fd, 4321, 8765), "give the root an owner");
	suite_class(snapshot_commit(s, &v, "one", "a"), GT_OK, "commit");
	suite_class(snapshot_prepare(s, dir, "a", "one", &v), GT_OK, "prepare a child and mount");
	suite_ok(!fstat(v.fd, &st) && st.st_uid == 4321 && st.st_gid == 8765,
		 "the child's root has that owner");
	snapshot_unmount(&v);
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
}

static void test_deep_chain(struct gt_snapshotter *s, const char *dir)
{
	gt_autofree char *parent = gt_xstrdup("");
	struct snapshot_view v;
	unsigned bad = 0;

	for (int i = 0; i < CHAIN; i++) {
		gt_autofree char *name = gt_strf("layer-%d", i);
		gt_autofree char *file = gt_strf("file-%d", i);
		gt_autoptr(gt_error) e = snapshot_prepare(s, dir, "a", parent, &v);
		gt_autofd int fd = -1;

		if (e) {
			suite_note("layer %d: %s", i, gt_error_text(e));
			bad++;
			break;
		}
		fd = openat(v.fd, file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		bad += fd < 0;
		close(v.fd);
		bad += umount2(v.target, 0) != 0 && umount2(v.target, MNT_DETACH) != 0;
		rmdir(v.target);
		free(v.target);
		e = gt_snapshotter_commit(s, &call, name, "a", NULL);
		bad += e != NULL;
		free(parent);
		parent = gt_steal(&name);
	}
	suite_ok(!bad, "make a chain of %d layers", CHAIN);
	suite_class(snapshot_look(s, dir, "v", parent, &v), GT_OK, "view of it");
	for (int i = 0; v.fd >= 0 && i < CHAIN; i++) {
		gt_autofree char *file = gt_strf("file-%d", i);

		bad += faccessat(v.fd, file, F_OK, 0) != 0;
	}
	suite_ok(!bad, "the file of each layer is there");
	snapshot_unmount(&v);
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
}

/* Layers that were filled at the same time, and got their parents afterwards. */
static void test_rebased(struct gt_snapshotter *s, const char *dir)
{
	struct gt_commit_options o = { .size = sizeof(o), .synced = true };
	struct snapshot_view a, b;

	if (!gt_snapshotter_can_rebase(s))
		return;
	suite_class(snapshot_prepare(s, dir, "a", "", &a), GT_OK, "prepare one");
	suite_class(snapshot_prepare(s, dir, "b", "", &b), GT_OK, "prepare another");
	snapshot_write(&b, "both", "upper");
	snapshot_write(&b, "upper", "upper");
	snapshot_write(&a, "both", "lower");
	snapshot_write(&a, "lower", "lower");
	snapshot_unmount(&a);
	snapshot_unmount(&b);
	suite_class(gt_snapshotter_sync(s, &call), GT_OK, "sync both");
	suite_class(gt_snapshotter_commit(s, &call, "one", "a", &o), GT_OK, "commit the first");
	o.parent = "one";
	suite_class(gt_snapshotter_commit(s, &call, "two", "b", &o), GT_OK,
		    "commit the second on it");
	suite_class(snapshot_look(s, dir, "v", "two", &a), GT_OK, "view");
	snapshot_expect(&a, "both", "upper");
	snapshot_expect(&a, "upper", "upper");
	snapshot_expect(&a, "lower", "lower");
	snapshot_unmount(&a);
	suite_class(snapshot_remove_all(s), GT_OK, "remove all");
}

void snapshotter_layers(struct gt_snapshotter *s, const char *dir)
{
	test_chain_of_three(s, dir);
	test_deletions(s, dir);
	test_moves(s, dir);
	test_attributes(s, dir);
	test_owner_of_root(s, dir);
	test_rebased(s, dir);
	test_deep_chain(s, dir);
}
