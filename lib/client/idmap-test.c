/* SPDX-License-Identifier: Apache-2.0 */
/* Moving a tree to other owners: needs root. */
#include <config.h>

#include <client/idmap.h>

#include <gantry/buf.h>
#include <gantry/file.h>

#include <check.h>
#include <endian.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static char top[64];
static int fd = -1;

static void set_up(void)
{
	strcpy(top, "/tmp/gantry-idmap.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
}

static void tear_down(void)
{
	close(fd);
	gt_error_free(gt_file_remove_tree(AT_FDCWD, top));
}

static void file(const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	int f = openat(fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_int_ge(f, 0);
	ck_assert_int_eq(fchown(f, uid, gid), 0);
	ck_assert_int_eq(fchmod(f, mode), 0);
	close(f);
}

static void ck_file(const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	ck_assert_int_eq(fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert_uint_eq(st.st_mode & 07777, mode);
	ck_assert_uint_eq(st.st_uid, uid);
	ck_assert_uint_eq(st.st_gid, gid);
}

START_TEST(owners)
{
	gt_autofree char *outside = gt_strf("%s-outside", top);
	struct stat st;

	file("a", 0644, 0, 0);
	file("setuid", 04755, 5, 6);
	ck_assert_int_eq(linkat(fd, "setuid", fd, "again", 0), 0);
	ck_assert_int_eq(mkdirat(fd, "d", 0750), 0);
	file("d/x", 02711, 1000, 100);
	ck_assert_int_eq(mkdir(outside, 0700), 0);
	ck_assert_int_eq(symlinkat(outside, fd, "d/link"), 0);
	ck_assert_int_eq(mkfifoat(fd, "d/fifo", 0600), 0);
	ck_assert_ptr_null(gt_idmaps_shift(fd, 100000, 200000));
	ck_file("a", 0644, 100000, 200000);
	ck_file("setuid", 04755, 100005, 200006);
	ck_file("again", 04755, 100005, 200006);
	ck_file("d", 0750, 100000, 200000);
	ck_file("d/x", 02711, 101000, 200100);
	ck_file("d/link", 0777, 100000, 200000);
	ck_file("d/fifo", 0600, 100000, 200000);
	ck_file(".", 0700, 100000, 200000);
	ck_assert_int_eq(stat(outside, &st), 0);
	ck_assert_uint_eq(st.st_uid, 0);
	rmdir(outside);
}
END_TEST

START_TEST(file_capabilities)
{
	struct vfs_ns_cap_data caps = {
		.magic_etc = htole32(VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE),
		.data[0].permitted = htole32(1u << CAP_NET_RAW),
	};
	gt_autofree char *path = gt_strf("%s/ping", top);

	file("ping", 0755, 0, 0);
	if (setxattr(path, "security.capability", &caps, XATTR_CAPS_SZ_2, 0) < 0)
		return; /* a file system that keeps none */
	ck_assert_ptr_null(gt_idmaps_shift(fd, 100000, 100000));
	memset(&caps, 0, sizeof(caps));
	ck_assert_int_eq(getxattr(path, "security.capability", &caps, sizeof(caps)),
			 XATTR_CAPS_SZ_3);
	ck_assert_uint_eq(le32toh(caps.rootid), 100000);
	ck_assert_uint_eq(le32toh(caps.magic_etc), VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE);
	ck_assert_uint_eq(le32toh(caps.data[0].permitted), 1u << CAP_NET_RAW);
}
END_TEST

START_TEST(out_of_range)
{
	struct gt_error *e;

	file("a", 0644, 4294967290u, 0);
	e = gt_idmaps_shift(fd, 100000, 100000);
	ck_assert_int_eq(gt_error_class(e), GT_OUT_OF_RANGE);
	gt_error_free(e);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("idmap");
	TCase *t = tcase_create("idmap");
	SRunner *r;
	int failed;

	if (geteuid())
		return 77;
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, owners);
	tcase_add_test(t, file_capabilities);
	tcase_add_test(t, out_of_range);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
