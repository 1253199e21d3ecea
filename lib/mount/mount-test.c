/* SPDX-License-Identifier: Apache-2.0 */
/* Everything happens in a mount namespace of each test's own, so that nothing can leak. */
#include <config.h>

#include "mount.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

static char *top, *target;
static int top_fd;

static void ok(struct gt_error *e)
{
	ck_assert_msg(!e, "%s", gt_error_text(e));
}

static void fails(struct gt_error *e, enum gt_class want, const char *text)
{
	ck_assert_msg(gt_error_class(e) == want && strstr(gt_error_text(e), text),
		      "%s, not %s with \"%s\": %s", gt_class_name(gt_error_class(e)),
		      gt_class_name(want), text, gt_error_text(e));
	gt_error_free(e);
}

static void make_dir(const char *name)
{
	ck_assert_msg(mkdirat(top_fd, name, 0755) == 0, "mkdir %s: %s", name, strerror(errno));
}

static void make_file(const char *name)
{
	ok(gt_file_write(top_fd, name, "x", 1, 0644, false));
}

static bool exists(const char *name)
{
	return faccessat(top_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static unsigned long flags_at(const char *path)
{
	struct statvfs st;

	ck_assert_int_eq(statvfs(path, &st), 0);
	return st.f_flag;
}

static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	/* A file system of the test's own, whatever TMPDIR is. It goes with the namespace. */
	top = gt_strf("%s/gantry-mount.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(top));
	ck_assert_int_eq(mount("tmpfs", top, "tmpfs", 0, NULL), 0);
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	target = gt_strf("%s/target", top);
	make_dir("target");
}

static void teardown(void)
{
	gt_error_free(gt_mount_unmount_all(target, GT_UNMOUNT_LAZY));
	close(top_fd);
	umount2(top, MNT_DETACH);
	ck_assert_int_eq(rmdir(top), 0);
	free(target);
	free(top);
}

static struct gt_mount *add(struct gt_mounts *m, const char *type, const char *source,
			    const char *options)
{
	struct gt_mount *one = gt_mounts_add(m, type, source, "");

	gt_strv_split(&one->options, options, ' ');
	return one;
}

static struct gt_error *mount_simple(const char *type, const char *source, const char *options)
{
	gt_auto(gt_mounts) m = { 0 };

	add(&m, type, source, options);
	return gt_mount_all(&m, target);
}

START_TEST(test_bind_flags)
{
	gt_autofree char *source = gt_strf("%s/source", top);

	make_dir("source");
	make_file("source/file");
	ok(mount_simple("bind", source, "rbind rw"));
	ck_assert(exists("target/file"));
	make_file("target/new");
	ok(gt_mount_unmount(target, 0));
	ck_assert(!exists("target/file"));

	ok(mount_simple("bind", source, "rbind ro nosuid"));
	ck_assert_int_eq(flags_at(target) & (ST_RDONLY | ST_NOSUID), ST_RDONLY | ST_NOSUID);
	ck_assert_int_eq(flags_at(source) & (ST_RDONLY | ST_NOSUID), 0);
	ok(mount_simple("", "", "remount bind rw nodev"));
	ck_assert_int_eq(flags_at(target) & (ST_RDONLY | ST_NODEV), ST_NODEV);
	ok(gt_mount_unmount_all(target, 0));

	/* The flags of the source's mount stay where nobody says otherwise. */
	ck_assert_int_eq(mount("tmpfs", source, "tmpfs", MS_NODEV | MS_NOEXEC, NULL), 0);
	ok(mount_simple("bind", source, "bind ro exec"));
	ck_assert_int_eq(flags_at(target) & (ST_RDONLY | ST_NODEV | ST_NOEXEC),
			 ST_RDONLY | ST_NODEV);
}
END_TEST

START_TEST(test_data_and_words)
{
	ok(mount_simple("tmpfs", "tmpfs", "noexec size=64k defaults mode=0700 rw"));
	struct stat st;

	ck_assert_int_eq(stat(target, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	ck_assert(flags_at(target) & ST_NOEXEC);
	fails(mount_simple("tmpfs", "tmpfs", "private"), GT_INVALID_ARGUMENT, "private");
	fails(mount_simple("tmpfs", "tmpfs", "X-containerd.mkdir.path=/x"), GT_INVALID_ARGUMENT,
	      "internal mount option \"X-containerd.mkdir.path=/x\" was not consumed by the mount "
	      "manager");
	fails(mount_simple("bind", top, "rbind uidmap=0:1000:1"), GT_UNIMPLEMENTED, "uidmap");
	fails(mount_simple("nosuchfs", "none", ""), GT_FAILED_PRECONDITION, "nosuchfs");
	fails(mount_simple("bind", "/nonexistent/source", "rbind"), GT_NOT_FOUND, "source");
}
END_TEST

START_TEST(test_data_too_long)
{
	gt_auto(gt_mounts) m = { 0 };
	gt_auto(gt_buf) b = GT_BUF_INIT;

	for (int i = 0; i < 5000; i++)
		gt_buf_addc(&b, 'x');
	add(&m, "tmpfs", "tmpfs", b.s);
	fails(gt_mount_all(&m, target), GT_INVALID_ARGUMENT, "mount options is too long");
}
END_TEST

START_TEST(test_failure_undoes)
{
	gt_auto(gt_mounts) m = { 0 };

	add(&m, "tmpfs", "tmpfs", "");
	add(&m, "tmpfs", "tmpfs", "");
	add(&m, "nosuchfs", "none", "");
	make_file("target/marker");
	fails(gt_mount_all(&m, target), GT_FAILED_PRECONDITION, "nosuchfs");
	ck_assert(exists("target/marker"));
	fails(gt_mount_all(&m, "relative"), GT_INVALID_ARGUMENT, "relative");
}
END_TEST

/* A mount's own target is resolved inside of what is mounted before it, links included. */
START_TEST(test_target_below)
{
	gt_auto(gt_mounts) m = { 0 };
	gt_autofree char *source = gt_strf("%s/source", top);
	struct gt_mount *second;

	make_dir("source");
	make_dir("source/sub");
	make_dir("victim");
	ck_assert_int_eq(symlinkat("../../../sub", top_fd, "source/link"), 0);
	ck_assert_int_eq(symlinkat("../victim", top_fd, "source/out"), 0);
	add(&m, "bind", source, "rbind");
	second = gt_mounts_add(&m, "tmpfs", "tmpfs", "/link");
	ok(gt_mount_all(&m, target));
	make_file("target/sub/file");
	ck_assert(!exists("source/sub/file"));
	ok(gt_mount_unmount_all(target, 0));
	ck_assert(!exists("target/sub"));

	free(second->target);
	second->target = gt_xstrdup("out");
	fails(gt_mount_all(&m, target), GT_NOT_FOUND, "out");
	ck_assert(!exists("target/sub"));
}
END_TEST

/* 100 layers with long paths: far more than a page. */
START_TEST(test_overlay_of_many_layers)
{
	enum { LAYERS = 100 };
	gt_auto(gt_mounts) m = { 0 };
	gt_auto(gt_buf) lower = GT_BUF_INIT;
	gt_autofree char *cwd = getcwd(NULL, 0), *after = NULL;
	struct gt_mount *one = gt_mounts_add(&m, "overlay", "overlay", "");

	make_dir("a-folder-whose-name-is-rather-long-to-fill-the-page-soon");
	make_dir("upper");
	make_dir("work");
	gt_buf_adds(&lower, "lowerdir=");
	for (int i = LAYERS; i-- > 0;) {
		gt_autofree char *dir =
			gt_strf("a-folder-whose-name-is-rather-long-to-fill-the-page-soon/%d", i);
		gt_autofree char *file = gt_strf("%s/file-%d", dir, i);

		make_dir(dir);
		make_file(file);
		gt_buf_addf(&lower, "%s%s/%s", i == LAYERS - 1 ? "" : ":", top, dir);
	}
	ck_assert_uint_gt(lower.len, 8192);
	gt_strv_add(&one->options, lower.s);
	gt_strv_addf(&one->options, "upperdir=%s/upper", top);
	gt_strv_addf(&one->options, "workdir=%s/work", top);
	ok(gt_mount_all(&m, target));
	ck_assert(exists("target/file-0"));
	ck_assert(exists("target/file-99"));
	after = getcwd(NULL, 0);
	ck_assert_str_eq(cwd, after);
	ck_assert_int_eq(waitpid(-1, NULL, __WALL | WNOHANG), -1);
	ok(gt_mount_unmount_all(target, 0));
}
END_TEST

START_TEST(test_loop)
{
	gt_autofree char *image = gt_strf("%s/image", top);
	gt_autofree char *mkfs = gt_strf("mkfs.ext4 -q -F %s 1M >/dev/null 2>&1", image);

	if (access("/dev/loop-control", R_OK | W_OK) < 0 || system(mkfs) != 0)
		return; /* no loop devices, or no mkfs, on this machine */
	ok(mount_simple("ext4", image, "loop ro direct-io"));
	ck_assert(exists("target/lost+found"));
	ck_assert(flags_at(target) & ST_RDONLY);
	ok(gt_mount_unmount(target, 0));
	ok(mount_simple("ext4", image, "loop"));
	make_file("target/file");
	ok(gt_mount_unmount(target, 0));
	ck_assert(!exists("target/file"));
	fails(mount_simple("ext4", "/nonexistent", "loop"), GT_NOT_FOUND, "/nonexistent");
}
END_TEST

START_TEST(test_unmount_all)
{
	gt_autofree char *odd = gt_strf("%s/odd name\\\n\ttab", target);
	gt_autofree char *neighbour = gt_strf("%s-neighbour", target);

	ok(gt_mount_unmount_all(target, 0));
	ok(gt_mount_unmount_all("/nonexistent/folder", 0));
	for (int i = 0; i < 3; i++)
		ok(mount_simple("tmpfs", "tmpfs", ""));
	ck_assert_int_eq(mkdir(odd, 0755), 0);
	ck_assert_int_eq(mount("tmpfs", odd, "tmpfs", 0, NULL), 0);
	make_dir("target-neighbour");
	ck_assert_int_eq(mount("tmpfs", neighbour, "tmpfs", 0, NULL), 0);
	make_file("target-neighbour/file");
	ok(gt_mount_unmount_all(target, 0));
	ck_assert_int_lt(access(odd, F_OK), 0);
	ck_assert(exists("target-neighbour/file"));

	/* Below a folder that is no mount itself. */
	ck_assert_int_eq(mkdir(odd, 0755), 0);
	ck_assert_int_eq(mount("tmpfs", odd, "tmpfs", 0, NULL), 0);
	ok(gt_mount_unmount_all(target, 0));
	ck_assert_int_eq(rmdir(odd), 0);
}
END_TEST

START_TEST(test_busy)
{
	gt_autofree char *file = gt_strf("%s/file", target);
	gt_autofd int fd = -1;
	pid_t pid;

	ok(mount_simple("tmpfs", "tmpfs", ""));
	fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	fails(gt_mount_unmount(target, 0), GT_FAILED_PRECONDITION, target);
	ck_assert(exists("target/file"));

	/* Busy for a moment only: waited for. */
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
		_exit(0);
	}
	close(gt_steal_fd(&fd));
	ok(gt_mount_unmount(target, 0));
	waitpid(pid, NULL, 0);

	ok(mount_simple("tmpfs", "tmpfs", ""));
	fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ok(gt_mount_unmount_all(target, GT_UNMOUNT_DETACH));
	ck_assert(!exists("target/file"));
	ck_assert_int_eq(write(fd, "x", 1), 1);
}
END_TEST

START_TEST(test_lazy)
{
	gt_autofree char *file = gt_strf("%s/file", target);
	gt_autofd int fd = -1;

	ok(mount_simple("tmpfs", "tmpfs", ""));
	fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ok(gt_mount_unmount_all(target, GT_UNMOUNT_LAZY));
	ck_assert(!exists("target/file"));
}
END_TEST

/*
 * The helper program of a FUSE type gets what mount(8) would give it, and its words reach the
 * error.
 */
START_TEST(test_fuse_helper)
{
	static const char script[] = "#!/bin/sh\necho \"$@\" >\"$2/args\"\n"
				     "[ \"$1\" = good ] || { echo no such thing; exit 3; }\n";
	gt_autofree char *path = gt_strf("%s:%s", top, getenv("PATH"));
	gt_autofree char *want = gt_strf("good %s -o allow_other -o ro -t thing\n", target);
	gt_auto(gt_buf) args = GT_BUF_INIT;

	ok(gt_file_write(top_fd, "mount.fuse3", script, sizeof(script) - 1, 0755, false));
	setenv("PATH", path, 1);
	ok(mount_simple("fuse3.thing", "good", "allow_other ro"));
	ok(gt_file_read(top_fd, "target/args", 1000, &args));
	ck_assert_str_eq(args.s, want);
	fails(mount_simple("fuse3.thing", "bad", ""), GT_UNKNOWN,
	      "mount.fuse3 ended with status 3: no such thing");
	setenv("PATH", "/nonexistent", 1);
	fails(mount_simple("fuse.thing", "good", ""), GT_FAILED_PRECONDITION, "mount.fuse");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mount");
	TCase *t = tcase_create("mount");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	if (geteuid() == 0) {
		tcase_add_test(t, test_bind_flags);
		tcase_add_test(t, test_data_and_words);
		tcase_add_test(t, test_data_too_long);
		tcase_add_test(t, test_failure_undoes);
		tcase_add_test(t, test_target_below);
		tcase_add_test(t, test_overlay_of_many_layers);
		tcase_add_test(t, test_loop);
		tcase_add_test(t, test_unmount_all);
		tcase_add_test(t, test_busy);
		tcase_add_test(t, test_lazy);
		tcase_add_test(t, test_fuse_helper);
	}
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
