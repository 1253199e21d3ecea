/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of all forms, and all that an entry can say. */
#include <config.h>

#include "differ.h"

#include "suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static void small_layer(struct gt_buf *t)
{
	TAR_ADD(t, .name = "etc/", .type = '5', .mtime = 1000);
	TAR_ADD(t, .name = "etc/motd", .data = "hello\n", .len = 6, .mtime = 2000);
	tar_end(t);
}

static void forms(struct differ_rig *r)
{
	static const struct {
		const char *type;
		int packing; /* 0 none, 1 gzip, 2 zstd */
		enum gt_class want;
	} cases[] = {
		{ OCI_LAYER, 0, GT_OK },
		{ OCI_LAYER "+gzip", 1, GT_OK },
		{ OCI_LAYER "+zstd", 2, GT_OK },
		{ "application/vnd.docker.image.rootfs.diff.tar", 0, GT_OK },
		{ "application/vnd.docker.image.rootfs.diff.tar.gzip", 1, GT_OK },
		{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", 1, GT_OK },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", 1, GT_OK },
		{ "application/vnd.oci.image.config.v1+json", 0, GT_UNIMPLEMENTED },
		{ OCI_LAYER "+encrypted", 0, GT_UNIMPLEMENTED },
	};
	gt_auto(gt_buf) tar = GT_BUF_INIT;
	gt_autofree char *digest = NULL;

	small_layer(&tar);
	digest = differ_digest(&tar);
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		gt_auto(gt_buf) blob = GT_BUF_INIT;
		gt_autofree char *target = differ_folder(r, "form");
		gt_auto(gt_mounts) m = { 0 };
		gt_auto(gt_diff_result) out = { 0 };
		gt_auto(gt_descriptor) desc = { .media_type = gt_xstrdup(cases[i / 2].type) };
		gt_autoptr(gt_reader) reader = NULL;

		if (cases[i / 2].packing == 0)
			gt_buf_add(&blob, tar.s, tar.len);
		else
			(cases[i / 2].packing == 1 ? tar_gzip : tar_zstd)(&tar, &blob);
		desc.digest = differ_digest(&blob);
		desc.size = blob.len;
		reader = differ_reader(&blob, i % 2);
		differ_bind(&m, target);
		suite_class(gt_differ_apply(r->d, &r->call, &desc, reader, &m, &out),
			    cases[i / 2].want, "apply %s, %s a descriptor", cases[i / 2].type,
			    i % 2 ? "with" : "without");
		if (cases[i / 2].want != GT_OK)
			continue;
		suite_ok(out.digest && !strcmp(out.digest, digest), "the digest is the tar's");
		suite_ok(out.size == (int64_t)tar.len, "the size is the tar's");
		suite_ok(out.media_type && !strcmp(out.media_type, OCI_LAYER),
			 "the media type is the uncompressed layer's");
		suite_ok(differ_content_is(target, "etc/motd", "hello\n"), "the file is there");
	}
}

static void check_entry(const char *root, const char *name, mode_t mode, uid_t uid, gid_t gid,
			time_t mtime)
{
	gt_autofree char *path = gt_strf("%s/%s", root, name);
	struct stat st = { 0 };

	suite_ok(lstat(path, &st) == 0 && st.st_mode == mode, "%s: mode %o (is %o)", name, mode,
		 st.st_mode);
	suite_ok(st.st_uid == uid && st.st_gid == gid, "%s: owner %u:%u", name, uid, gid);
	suite_ok(st.st_mtime == mtime, "%s: modified at %lld (is %lld)", name, (long long)mtime,
		 (long long)st.st_mtime);
}

static void check_xattr(const char *root, const char *name, const char *attr, const char *want,
			size_t len)
{
	gt_autofree char *path = gt_strf("%s/%s", root, name);
	char value[64];

	suite_ok(lgetxattr(path, attr, value, sizeof(value)) == (ssize_t)len &&
			 !memcmp(value, want, len),
		 "%s: attribute %s", name, attr);
}

static void metadata(struct differ_rig *r, bool overlay)
{
	static const char *const user[] = { "SCHILY.xattr.user.color=blue", "mtime=1500.25", NULL };
	static const char *const big_owner[] = { "uid=3000000000", "gid=3000000001", NULL };
	gt_autofree char *target = differ_folder(r, "meta"), *lower = differ_folder(r, "lower");
	gt_auto(gt_mounts) m = { 0 };
	gt_auto(gt_buf) t = GT_BUF_INIT;
	gt_autofree char *fine = gt_strf("%s/d/file", target);
	struct stat st, st2;

	TAR_ADD(&t, .name = "./", .type = '5', .mode = 0700);
	TAR_ADD(&t, .name = "d", .type = '5', .mode = 01777, .uid = 3, .gid = 4, .mtime = 111);
	TAR_ADD(&t, .name = "d/file", .mode = 0640, .uid = 1, .gid = 2, .data = "x", .len = 1,
		.pax = user);
	TAR_ADD(&t, .name = "d/suid", .mode = 06755, .uid = 5, .gid = 6, .mtime = 222, .data = "s",
		.len = 1);
	TAR_ADD(&t, .name = "d/hard", .type = '1', .link = "d/file");
	TAR_ADD(&t, .name = "d/link", .type = '2', .link = "/no/where", .mode = 0777, .uid = 7,
		.gid = 8, .mtime = 333);
	TAR_ADD(&t, .name = "d/null", .type = '3', .mode = 0666, .major = 1, .minor = 3,
		.mtime = 444);
	TAR_ADD(&t, .name = "d/block", .type = '4', .mode = 0600, .major = 7, .minor = 200);
	TAR_ADD(&t, .name = "d/fifo", .type = '6', .mode = 0622, .mtime = 555);
	TAR_ADD(&t, .name = "sg", .type = '5', .mode = 02770, .gid = 9, .mtime = 666);
	TAR_ADD(&t, .name = "sg/in", .mode = 0600, .mtime = 777);
	TAR_ADD(&t, .name = "sg/dir", .type = '5', .mode = 0750, .mtime = 888);
	TAR_ADD(&t, .name = "much", .pax = big_owner, .mtime = 1);
	TAR_ADD(&t, .name = "before-1970", .mtime = -5);
	TAR_ADD(&t, .name = "missing/parents/f", .mtime = 999);
	TAR_ADD(&t, .name = "nf\xc3\xa9-nfde\xcc\x81-bad\xff", .mtime = 1);
	TAR_ADD(&t, .name = "d", .type = '5', .mode = 01777, .uid = 3, .gid = 4, .mtime = 112);
	TAR_ADD(&t, .name = "d/late", .mtime = 1);
	if (overlay)
		differ_overlay(&m, target, lower);
	else
		differ_bind(&m, target);
	if (!differ_expect(r, &t, &m, GT_OK, overlay ? "a layer of all types, on an overlay"
						     : "a layer of all types, on a folder"))
		return;
	check_entry(target, "d", S_IFDIR | 01777, 3, 4, 112);
	check_entry(target, "d/file", S_IFREG | 0640, 1, 2, 1500);
	suite_ok(stat(fine, &st) == 0 && st.st_mtim.tv_nsec == 250000000, "parts of a second");
	check_xattr(target, "d/file", "user.color", "blue", 4);
	check_entry(target, "d/suid", S_IFREG | 06755, 5, 6, 222);
	check_entry(target, "d/link", S_IFLNK | 0777, 7, 8, 333);
	check_entry(target, "d/null", S_IFCHR | 0666, 0, 0, 444);
	check_entry(target, "d/fifo", S_IFIFO | 0622, 0, 0, 555);
	check_entry(target, "sg", S_IFDIR | 02770, 0, 9, 666);
	check_entry(target, "sg/in", S_IFREG | 0600, 0, 0, 777);
	check_entry(target, "sg/dir", S_IFDIR | 0750, 0, 0, 888);
	check_entry(target, "much", S_IFREG | 0644, 3000000000, 3000000001, 1);
	check_entry(target, "before-1970", S_IFREG | 0644, 0, 0, 0);
	check_entry(target, "missing/parents/f", S_IFREG | 0644, 0, 0, 999);
	suite_ok(differ_is(target, "nf\xc3\xa9-nfde\xcc\x81-bad\xff", S_IFREG),
		 "a name is the bytes it was");
	{
		gt_autofree char *hard = gt_strf("%s/d/hard", target);
		gt_autofree char *block = gt_strf("%s/d/block", target);
		gt_autofree char *made = gt_strf("%s/missing", target);

		suite_ok(stat(hard, &st2) == 0 && st.st_ino == st2.st_ino, "hard link");
		suite_ok(lstat(block, &st) == 0 && S_ISBLK(st.st_mode) &&
				 st.st_rdev == makedev(7, 200),
			 "block device");
		suite_ok(lstat(made, &st) == 0 && st.st_mode == (S_IFDIR | 0755),
			 "missing parents are 0755");
		suite_ok(stat(target, &st) == 0 && st.st_mode == (S_IFDIR | 0755),
			 "the root is left alone");
	}
}

/* A second entry of the same name takes the first one's place, whatever both are. */
static void replacing(struct differ_rig *r)
{
	static const char types[] = { '0', '2', '3', '5', '6' };

	for (size_t i = 0; i < 25; i++) {
		gt_autofree char *target = differ_folder(r, "types");
		gt_auto(gt_mounts) m = { 0 };
		gt_auto(gt_buf) first = GT_BUF_INIT, second = GT_BUF_INIT;
		gt_autofree char *what = gt_strf("type %c where type %c was", types[i / 5],
						 types[i % 5]);
		static const mode_t modes[] = { S_IFREG, S_IFLNK, S_IFCHR, S_IFDIR, S_IFIFO };

		differ_bind(&m, target);
		TAR_ADD(&first, .name = "x", .type = types[i % 5], .link = "a", .major = 1,
			.minor = 3);
		if (types[i % 5] == '5')
			TAR_ADD(&first, .name = "x/in/side");
		differ_expect(r, &first, &m, GT_OK, "the first");
		TAR_ADD(&second, .name = "x", .type = types[i / 5], .link = "a", .major = 1,
			.minor = 3, .mode = 0755);
		differ_expect(r, &second, &m, GT_OK, what);
		suite_ok(differ_is(target, "x", modes[i / 5]), "%s: it is there", what);
		suite_ok(differ_is(target, "x/in/side", types[i / 5] == '5' && types[i % 5] == '5'
								? S_IFREG
								: 0),
			 "%s: a folder's content stays only below a folder", what);
	}
}

/* GNU.sparse 1.0: the map stands before the data. 5 bytes at 1 MiB, of 3 MiB in all. */
static void sparse(struct differ_rig *r)
{
	static const char *const pax[] = { "GNU.sparse.major=1", "GNU.sparse.minor=0",
					   "GNU.sparse.name=holes", "GNU.sparse.realsize=3145728",
					   NULL };
	gt_autofree char *target = differ_folder(r, "sparse");
	gt_autofree char *path = gt_strf("%s/holes", target);
	gt_auto(gt_mounts) m = { 0 };
	gt_auto(gt_buf) t = GT_BUF_INIT;
	char data[517] = "1\n1048576\n5\n";
	char all[6] = "";
	struct stat st = { 0 };
	int fd;

	memcpy(data + 512, "DATA!", 5);
	TAR_ADD(&t, .name = "GNUSparseFile.0/holes", .data = data, .len = 517, .pax = pax);
	TAR_ADD(&t, .name = "after", .data = "ok", .len = 2);
	differ_bind(&m, target);
	differ_expect(r, &t, &m, GT_OK, "a sparse file");
	suite_ok(stat(path, &st) == 0 && st.st_size == 3145728, "it has its size");
	suite_ok(st.st_blocks < 2048, "it has its holes");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	suite_ok(pread(fd, all, 5, 1048576) == 5 && !strcmp(all, "DATA!"), "it has its data");
	close(fd);
	suite_ok(differ_content_is(target, "after", "ok"), "what follows is right, too");
}

struct at_once {
	struct differ_rig *r;
	const struct gt_buf *blob;
	char *target;
	struct gt_error *e;
};

static void *apply_one(void *arg)
{
	struct at_once *a = arg;
	gt_auto(gt_mounts) m = { 0 };
	gt_auto(gt_diff_result) out = { 0 };

	differ_bind(&m, a->target);
	a->e = differ_apply(a->r, OCI_LAYER "+gzip", a->blob, &m, &out);
	return NULL;
}

static void at_once(struct differ_rig *r)
{
	gt_auto(gt_buf) t = GT_BUF_INIT, blob = GT_BUF_INIT;
	struct at_once a[4];
	pthread_t threads[4];

	for (int i = 0; i < 300; i++) {
		gt_autofree char *name = gt_strf("d%d/f%d", i % 7, i);

		TAR_ADD(&t, .name = name, .data = name, .len = strlen(name));
	}
	tar_end(&t);
	tar_gzip(&t, &blob);
	for (int i = 0; i < 4; i++) {
		a[i] = (struct at_once){ .r = r, .blob = &blob,
					 .target = differ_folder(r, "at-once") };
		pthread_create(&threads[i], NULL, apply_one, &a[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		suite_class(a[i].e, GT_OK, "layer %d of four at once", i);
		suite_ok(differ_content_is(a[i].target, "d5/f299", "d5/f299"), "it is whole");
		free(a[i].target);
	}
}

/* A blob that never ends: only the call's end ends it. */
static struct gt_error *endless_pread(struct gt_reader *reader, void *buf, size_t len, int64_t off,
				      size_t *out)
{
	(void)reader;
	(void)off;
	memset(buf, 0, len);
	*out = len;
	return NULL;
}

static int64_t endless_length(struct gt_reader *reader)
{
	(void)reader;
	return INT64_MAX;
}

static void endless_close(struct gt_reader *reader)
{
	(void)reader;
}

static void *cancel_soon(void *arg)
{
	usleep(200000);
	gt_cancel_set(arg);
	return NULL;
}

static void ends_of_calls(struct differ_rig *r)
{
	static const struct gt_reader_ops ops = { .size = sizeof(ops), .pread = endless_pread,
						  .length = endless_length,
						  .close = endless_close };
	const struct gt_buf nothing = GT_BUF_INIT;
	struct gt_reader reader = { .ops = &ops };
	gt_autofree char *target = differ_folder(r, "endless");
	gt_auto(gt_mounts) m = { 0 };
	gt_auto(gt_diff_result) out = { 0 };
	gt_auto(gt_descriptor) desc = { .media_type = gt_xstrdup(OCI_LAYER),
					.digest = differ_digest(&nothing) };
	struct gt_call call = GT_CALL_INIT;
	pthread_t t;

	differ_bind(&m, target);
	call.deadline = gt_now() + 200000000;
	suite_class(gt_differ_apply(r->d, &call, &desc, &reader, &m, &out), GT_DEADLINE_EXCEEDED,
		    "a layer that does not end meets the deadline");
	call.deadline = 0;
	call.cancel = gt_cancel_new();
	pthread_create(&t, NULL, cancel_soon, call.cancel);
	suite_class(gt_differ_apply(r->d, &call, &desc, &reader, &m, &out), GT_CANCELED,
		    "a layer that does not end is cancelled");
	pthread_join(t, NULL);
	gt_cancel_free(call.cancel);
}

void differ_suite_apply(struct differ_rig *r)
{
	forms(r);
	metadata(r, false);
	metadata(r, true);
	replacing(r);
	sparse(r);
	at_once(r);
	ends_of_calls(r);
}
