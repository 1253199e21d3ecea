/* SPDX-License-Identifier: Apache-2.0 */
/* The worker against hostile layers: whatever is in one, nothing outside the target changes. */
#include <config.h>

#include <archive/job.h>

#include <archive/tar-bytes.h>
#include <archive/tree-text.h>
#include <gantry/file.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/* A folder with the target in it and, beside it, what must stay as it is. */
static char *all, *base, *target, *outside;

/* Runs in the process that no failing test ends. */
static void setup_all(void)
{
	const char *tmp = getenv("TMPDIR");

	all = gt_strf("%s/gantry-layer.XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(all));
}

static void teardown_all(void)
{
	gt_error_free(gt_file_remove_tree(AT_FDCWD, all));
	free(all);
}

static void setup(void)
{
	gt_autofree char *secret = NULL;

	base = gt_strf("%s/XXXXXX", all);
	ck_assert_ptr_nonnull(mkdtemp(base));
	target = gt_strf("%s/target", base);
	outside = gt_strf("%s/outside", base);
	ck_assert_int_eq(mkdir(target, 0755), 0);
	ck_assert_int_eq(mkdir(outside, 0755), 0);
	secret = gt_strf("%s/secret", outside);
	gt_error_free(gt_file_write(AT_FDCWD, secret, "secret", 6, 0600, false));
}

static void teardown(void)
{
	gt_error_free(gt_file_remove_tree(AT_FDCWD, base));
	free(base);
	free(target);
	free(outside);
}

static int memory_file(const struct gt_buf *b)
{
	int fd = memfd_create("layer", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	gt_error_free(gt_file_write_all(fd, b->s, b->len, "memory"));
	return fd;
}

static void start(struct gt_layer_job *j, const struct gt_buf *blob, const char *options)
{
	gt_autofree char *worker = gt_strf("%s/gantry-layer", getenv("abs_top_builddir"));
	gt_autofd int file = memory_file(blob);
	gt_autofd int dir = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fds[] = { file, dir };
	struct gt_strv args = { 0 };
	struct gt_error *e;

	gt_strv_add(&args, "apply");
	gt_strv_split(&args, options, ' ');
	e = gt_layer_job_start(j, worker, &args, fds, 2);
	gt_strv_done(&args);
	ck_assert_msg(!e, "%s", gt_error_text(e));
}

static struct gt_error *finish(struct gt_layer_job *j)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_layer_frame f = { 0 };
	struct gt_error *e;

	do
		e = gt_layer_job_next(j, &call, &f);
	while (!e && f.type != GT_FRAME_DONE);
	gt_layer_job_done(j);
	return e;
}

static struct gt_error *apply(const struct gt_buf *blob, const char *options)
{
	struct gt_layer_job j;

	start(&j, blob, options);
	return finish(&j);
}

/* Applies it (after its end marker) in both kinds of target, and checks all that is outside. */
static void expect(struct gt_buf *tar, enum gt_class want)
{
	static const char *const kinds[] = { "", "overlay=1", "thread=1" };
	gt_auto(gt_buf) before = GT_BUF_INIT;
	const unsigned flags = TREE_TEXT_FOLDER_TIMES | TREE_TEXT_CHANGE_TIMES | TREE_TEXT_ROOT;

	tar_end(tar);
	tree_text(outside, flags, &before);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		gt_auto(gt_buf) after = GT_BUF_INIT;
		struct gt_error *e = apply(tar, kinds[i]);

		ck_assert_msg(gt_error_class(e) == want, "'%s': %s: %s", kinds[i],
			      gt_class_name(gt_error_class(e)), gt_error_text(e));
		gt_error_free(e);
		tree_text(outside, flags, &after);
		ck_assert_str_eq(before.s, after.s);
		gt_error_free(gt_file_remove_tree(AT_FDCWD, target));
		ck_assert_int_eq(mkdir(target, 0755), 0);
	}
}

START_TEST(names_that_leave)
{
	static const char *const names[] = { "../outside/x",	"a/../../outside/x", "..",
					     "./../outside/secret", "/../outside/x",
					     "../outside/.wh.secret", "../outside/.wh..wh..opq" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		gt_auto(gt_buf) t = GT_BUF_INIT;

		TAR_ADD(&t, .name = "before", .data = "x", .len = 1);
		TAR_ADD(&t, .name = names[i], .mode = 0777, .data = "x", .len = 1);
		expect(&t, GT_INVALID_ARGUMENT);
	}
}
END_TEST

START_TEST(absolute_names_stay_inside)
{
	gt_autofree char *name = gt_strf("%s/secret", outside);
	gt_autofree char *inside = gt_strf("%s%s/secret", target, outside);
	gt_auto(gt_buf) t = GT_BUF_INIT;
	struct stat st;
	struct gt_error *e;

	TAR_ADD(&t, .name = name, .mode = 0777, .data = "changed", .len = 7);
	tar_end(&t);
	e = apply(&t, "");
	ck_assert_msg(!e, "%s", gt_error_text(e));
	ck_assert_int_eq(stat(inside, &st), 0);
	gt_error_free(gt_file_remove_tree(AT_FDCWD, target));
	ck_assert_int_eq(mkdir(target, 0755), 0);
	gt_buf_setlen(&t, t.len - 1024);
	expect(&t, GT_OK);
}
END_TEST

/* Through a link to outside: it leads to the same path inside the target. */
START_TEST(links_then_entries_through_them)
{
	gt_autofree char *up = gt_strf("../../../../../../../..%s", outside);
	const char *const links[] = { outside, up, "../outside" };

	for (size_t i = 0; i < 3; i++) {
		static const char types[] = "05263";
		gt_auto(gt_buf) t = GT_BUF_INIT;

		TAR_ADD(&t, .name = "out", .type = '2', .link = links[i]);
		TAR_ADD(&t, .name = "out/secret", .mode = 0777, .data = "x", .len = 1);
		TAR_ADD(&t, .name = "out/.wh.secret");
		TAR_ADD(&t, .name = "out/.wh..wh..opq");
		for (size_t k = 0; types[k]; k++) {
			gt_autofree char *name = gt_strf("out/%zu", k);

			TAR_ADD(&t, .name = name, .type = types[k], .mode = 0777, .link = "x",
				.uid = 5, .gid = 6, .major = 1, .minor = 3);
		}
		TAR_ADD(&t, .name = "out/", .type = '5', .mode = 0777, .uid = 7);
		expect(&t, GT_OK);
	}
}
END_TEST

START_TEST(metadata_through_links)
{
	gt_autofree char *secret = gt_strf("%s/secret", outside);
	const char *pax[] = { "SCHILY.xattr.user.evil=1", NULL };
	gt_auto(gt_buf) t = GT_BUF_INIT;

	TAR_ADD(&t, .name = "l", .type = '2', .link = secret);
	/* Takes the link's place, never goes through it. */
	TAR_ADD(&t, .name = "l", .mode = 04777, .uid = 99, .data = "x", .len = 1, .pax = pax);
	TAR_ADD(&t, .name = "d", .type = '2', .link = outside);
	TAR_ADD(&t, .name = "d", .type = '5', .mode = 01777, .uid = 99, .mtime = 5, .pax = pax);
	TAR_ADD(&t, .name = "h", .type = '2', .link = secret);
	TAR_ADD(&t, .name = "hh", .type = '1', .link = "h", .mode = 0777, .uid = 99);
	TAR_ADD(&t, .name = "hh", .mode = 0777, .uid = 99, .data = "y", .len = 1);
	TAR_ADD(&t, .name = "x", .type = '2', .link = secret, .uid = 99, .mode = 0777);
	expect(&t, GT_OK);
}
END_TEST

START_TEST(hard_links_to_outside)
{
	gt_autofree char *secret = gt_strf("%s/secret", outside);
	gt_auto(gt_buf) a = GT_BUF_INIT, b = GT_BUF_INIT, c = GT_BUF_INIT, d = GT_BUF_INIT;

	TAR_ADD(&a, .name = "h", .type = '1', .link = "../outside/secret");
	expect(&a, GT_INVALID_ARGUMENT);
	TAR_ADD(&b, .name = "h", .type = '1', .link = secret);
	expect(&b, GT_INVALID_ARGUMENT);
	TAR_ADD(&c, .name = "out", .type = '2', .link = outside);
	TAR_ADD(&c, .name = "h", .type = '1', .link = "out/secret");
	expect(&c, GT_INVALID_ARGUMENT);
	TAR_ADD(&d, .name = "d", .type = '5');
	TAR_ADD(&d, .name = "h", .type = '1', .link = "d");
	expect(&d, GT_INVALID_ARGUMENT);
}
END_TEST

START_TEST(bad_whiteouts)
{
	static const char *const names[] = { ".wh.", "d/.wh.", ".wh..", ".wh...", "d/.wh..",
					     "d/.wh..." };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		gt_auto(gt_buf) t = GT_BUF_INIT;

		TAR_ADD(&t, .name = "d", .type = '5');
		TAR_ADD(&t, .name = names[i]);
		expect(&t, GT_INVALID_ARGUMENT);
	}
}
END_TEST

START_TEST(devices_in_the_way)
{
	gt_auto(gt_buf) a = GT_BUF_INIT, b = GT_BUF_INIT;

	TAR_ADD(&a, .name = "dev", .type = '3', .major = 1, .minor = 5);
	TAR_ADD(&a, .name = "dev/x", .data = "x", .len = 1);
	expect(&a, GT_INVALID_ARGUMENT);
	TAR_ADD(&b, .name = "f", .type = '6');
	TAR_ADD(&b, .name = "f", .data = "not into the FIFO", .len = 17);
	TAR_ADD(&b, .name = "dir", .type = '5');
	TAR_ADD(&b, .name = "dir", .type = '3', .major = 1, .minor = 5);
	TAR_ADD(&b, .name = "dir", .type = '5');
	TAR_ADD(&b, .name = "dir/x", .data = "x", .len = 1);
	expect(&b, GT_OK);
}
END_TEST

START_TEST(owners_out_of_range)
{
	static const int64_t bad[] = { 4294967295, 4294967296, -1, INT64_C(1) << 40 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		gt_auto(gt_buf) t = GT_BUF_INIT;

		TAR_ADD(&t, .name = "f", .uid = bad[i]);
		expect(&t, GT_INVALID_ARGUMENT);
	}
}
END_TEST

START_TEST(long_and_deep_names)
{
	gt_auto(gt_buf) deep = GT_BUF_INIT, a = GT_BUF_INIT, b = GT_BUF_INIT, c = GT_BUF_INIT;
	gt_autofree char *wide = gt_xmalloc(301);

	memset(wide, 'w', 300);
	wide[300] = '\0';
	TAR_ADD(&a, .name = wide, .data = "x", .len = 1);
	expect(&a, GT_INVALID_ARGUMENT);
	for (int i = 0; i < 2100; i++)
		gt_buf_adds(&deep, "d/");
	TAR_ADD(&b, .name = deep.s, .type = '5');
	expect(&b, GT_INVALID_ARGUMENT);
	gt_buf_setlen(&deep, 800);
	TAR_ADD(&c, .name = deep.s, .type = '5');
	expect(&c, GT_OK);
}
END_TEST

START_TEST(sizes_that_lie)
{
	gt_auto(gt_buf) a = GT_BUF_INIT, b = GT_BUF_INIT;
	struct gt_error *e;

	TAR_ADD(&a, .name = "f", .data = "x", .len = 1, .size = INT64_C(100) << 30);
	expect(&a, GT_INVALID_ARGUMENT);
	TAR_ADD(&b, .name = "f", .data = "x", .len = 1, .size = INT64_C(100) << 30);
	e = apply(&b, "max-size=1000000");
	ck_assert_int_eq(gt_error_class(e), GT_RESOURCE_EXHAUSTED);
	gt_error_free(e);
}
END_TEST

/* 1 GiB of zeros in few bytes: 32 files, each of 32 members of 1 MiB. */
static void make_bomb(struct gt_buf *blob, void (*pack)(const struct gt_buf *, struct gt_buf *))
{
	gt_auto(gt_buf) zeros = GT_BUF_INIT, packed = GT_BUF_INIT;

	memset(gt_buf_reserve(&zeros, 1 << 20), 0, 1 << 20);
	gt_buf_setlen(&zeros, 1 << 20);
	pack(&zeros, &packed);
	for (int i = 0; i < 32; i++) {
		gt_auto(gt_buf) head = GT_BUF_INIT;
		gt_autofree char *name = gt_strf("bomb%d", i);

		TAR_ADD(&head, .name = name, .size = 32 << 20);
		pack(&head, blob);
		for (int k = 0; k < 32; k++)
			gt_buf_add(blob, packed.s, packed.len);
	}
}

START_TEST(bombs_stop_at_the_limit)
{
	static const char *const options[] = { "max-size=67108864", "max-ratio=100",
					       "max-size=67108864 thread=1" };
	gt_auto(gt_buf) blob = GT_BUF_INIT;
	int64_t total = 0;
	struct gt_error *e;

	make_bomb(&blob, _i % 2 ? tar_zstd : tar_gzip);
	e = apply(&blob, options[_i / 2]);
	ck_assert_msg(gt_error_class(e) == GT_RESOURCE_EXHAUSTED, "%s", gt_error_text(e));
	gt_error_free(e);
	for (int i = 0; i < 32; i++) {
		gt_autofree char *path = gt_strf("%s/bomb%d", target, i);
		struct stat st;

		if (stat(path, &st) == 0)
			total += st.st_size;
	}
	ck_assert_int_ge(total, 32 << 20);
	ck_assert_int_le(total, 70 << 20);
}
END_TEST

START_TEST(too_many_entries)
{
	gt_auto(gt_buf) t = GT_BUF_INIT;
	struct gt_error *e;

	for (int i = 0; i < 11; i++) {
		gt_autofree char *name = gt_strf("%d", i);

		TAR_ADD(&t, .name = name);
	}
	tar_end(&t);
	e = apply(&t, "max-entries=11");
	ck_assert_msg(!e, "%s", gt_error_text(e));
	e = apply(&t, "max-entries=10");
	ck_assert_int_eq(gt_error_class(e), GT_RESOURCE_EXHAUSTED);
	gt_error_free(e);
}
END_TEST

static void expect_stream(const struct gt_buf *blob, enum gt_class want, const char *what)
{
	struct gt_error *e = apply(blob, "");

	ck_assert_msg(gt_error_class(e) == want, "%s: %s: %s", what,
		      gt_class_name(gt_error_class(e)), gt_error_text(e));
	gt_error_free(e);
}

START_TEST(streams_cut_and_joined)
{
	void (*pack)(const struct gt_buf *, struct gt_buf *) = _i ? tar_zstd : tar_gzip;
	gt_auto(gt_buf) t = GT_BUF_INIT, a = GT_BUF_INIT, b = GT_BUF_INIT, whole = GT_BUF_INIT;
	gt_auto(gt_buf) first = GT_BUF_INIT, second = GT_BUF_INIT;
	gt_autofree char *data = gt_xmalloc(300000);
	size_t len;

	for (size_t i = 0; i < 300000; i++)
		data[i] = (char)(i * i >> 7);
	TAR_ADD(&t, .name = "f", .data = data, .len = 300000);
	tar_end(&t);
	pack(&t, &whole);
	expect_stream(&whole, GT_OK, "whole");
	len = whole.len;
	/* Cut anywhere, it is an error: also where only the checksum is missing. */
	for (size_t cut = 1; cut < len; cut += cut < 20 || len - cut < 20 ? 1 : len / 7) {
		gt_auto(gt_buf) part = GT_BUF_INIT;

		gt_buf_add(&part, whole.s, len - cut);
		expect_stream(&part, GT_INVALID_ARGUMENT, "cut");
	}
	gt_buf_add(&first, t.s, 1000);
	gt_buf_add(&second, t.s + 1000, t.len - 1000);
	pack(&first, &a);
	pack(&second, &a);
	expect_stream(&a, GT_OK, "two members");
	gt_buf_adds(&whole, "garbage");
	expect_stream(&whole, GT_INVALID_ARGUMENT, "garbage at its end");
	gt_buf_setlen(&whole, len);
	whole.s[len / 2] ^= 0x55;
	expect_stream(&whole, GT_INVALID_ARGUMENT, "a wrong byte");
	gt_buf_add(&b, "", 0);
	expect_stream(&b, GT_OK, "nothing");
}
END_TEST

/* gzip headers with all their optional parts, and members of every length around the buffers'. */
START_TEST(many_members)
{
	gt_auto(gt_buf) t = GT_BUF_INIT, blob = GT_BUF_INIT;
	gt_autofree char *data = gt_xcalloc(1, 3000000);
	uint32_t r = 1;
	size_t off = 0;

	for (size_t i = 0; i < 3000000; i++) {
		r = r * 1664525 + 1013904223;
		data[i] = r >> 24;
	}
	TAR_ADD(&t, .name = "f", .data = data, .len = 3000000);
	tar_end(&t);
	for (size_t n = 1; off < t.len; n += 97) {
		gt_auto(gt_buf) part = GT_BUF_INIT;

		n = n < t.len - off ? n : t.len - off;
		gt_buf_add(&part, t.s + off, n);
		tar_gzip(&part, &blob);
		off += n;
	}
	expect_stream(&blob, GT_OK, "many members");
}
END_TEST

struct flipper {
	atomic_bool stop;
	unsigned long flips;
};

/* Exchanges the folder for a link to outside, again and again. */
static void *flip(void *arg)
{
	gt_autofree char *folder = gt_strf("%s/d", target);
	gt_autofree char *link = gt_strf("%s/other", target);
	struct flipper *f = arg;

	while (!atomic_load(&f->stop))
		f->flips += renameat2(AT_FDCWD, folder, AT_FDCWD, link, RENAME_EXCHANGE) == 0;
	return NULL;
}

START_TEST(folder_flips_to_a_link)
{
	const unsigned flags = TREE_TEXT_FOLDER_TIMES | TREE_TEXT_CHANGE_TIMES | TREE_TEXT_ROOT;
	gt_auto(gt_buf) t = GT_BUF_INIT, before = GT_BUF_INIT, after = GT_BUF_INIT;
	gt_autofree char *folder = gt_strf("%s/d", target), *link = gt_strf("%s/other", target);
	struct flipper f = { 0 };
	int64_t until;
	pthread_t thread;

	ck_assert_int_eq(mkdir(folder, 0755), 0);
	ck_assert_int_eq(symlink(outside, link), 0);
	for (int i = 0; i < 300; i++) {
		/* Two folders in turn, so that it is entered anew. */
		TAR_ADD(&t, .name = "d", .type = '5', .mode = 0777, .mtime = 7);
		TAR_ADD(&t, .name = "d/secret", .mode = 0666, .data = "x", .len = 1);
		TAR_ADD(&t, .name = "d/sub/secret", .mode = 0666, .data = "x", .len = 1);
		TAR_ADD(&t, .name = "d/.wh.secret");
		TAR_ADD(&t, .name = "d/.wh.sub");
	}
	tar_end(&t);
	tree_text(outside, flags, &before);
	pthread_create(&thread, NULL, flip, &f);
	until = gt_now() + INT64_C(1500000000);
	while (gt_now() < until) /* either may happen; that it ends is what counts */
		gt_error_free(apply(&t, ""));
	atomic_store(&f.stop, true);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(f.flips, 100);
	tree_text(outside, flags, &after);
	ck_assert_str_eq(before.s, after.s);
}
END_TEST

/* The whiteout of a folder that came with this layer, and a folder where a whiteout was. */
START_TEST(overlay_conversions)
{
	gt_auto(gt_buf) t = GT_BUF_INIT;
	gt_autofree char *gone = gt_strf("%s/d/gone", target), *d = gt_strf("%s/d", target);
	gt_autofree char *again = gt_strf("%s/again", target), *own = gt_strf("%s/own", target);
	gt_autofree char *faked = gt_strf("%s/faked", target);
	const char *fake[] = { "SCHILY.xattr.trusted.overlay.redirect=/etc", NULL };
	struct stat st;
	char value[8];
	struct gt_error *e;

	TAR_ADD(&t, .name = "d", .type = '5');
	TAR_ADD(&t, .name = "d/.wh..wh..opq");
	TAR_ADD(&t, .name = "d/.wh.gone", .uid = 3, .gid = 4);
	TAR_ADD(&t, .name = ".wh.again");
	TAR_ADD(&t, .name = "again", .type = '5');
	TAR_ADD(&t, .name = "own", .type = '5');
	TAR_ADD(&t, .name = "own/kept", .data = "x", .len = 1);
	TAR_ADD(&t, .name = ".wh.own");
	TAR_ADD(&t, .name = "faked", .type = '5', .pax = fake);
	tar_end(&t);
	e = apply(&t, "overlay=1");
	ck_assert_msg(!e, "%s", gt_error_text(e));
	ck_assert_int_eq(lstat(gone, &st), 0);
	ck_assert(S_ISCHR(st.st_mode) && st.st_rdev == 0 && st.st_uid == 3 && st.st_gid == 4);
	ck_assert_int_eq(getxattr(d, "trusted.overlay.opaque", value, sizeof(value)), 1);
	ck_assert_int_eq(value[0], 'y');
	ck_assert_int_eq(getxattr(again, "trusted.overlay.opaque", value, sizeof(value)), 1);
	ck_assert_int_eq(getxattr(own, "trusted.overlay.opaque", value, sizeof(value)), 1);
	ck_assert_int_eq(getxattr(faked, "trusted.overlay.redirect", value, sizeof(value)), -1);
}
END_TEST

/* A worker that dies says nothing; who waits for it learns that, and why. */
START_TEST(death_is_reported)
{
	struct gt_layer_job j;
	struct gt_error *e;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	{
		gt_autofree char *worker = gt_strf("%s/gantry-layer", getenv("abs_top_builddir"));
		gt_autofd int dir = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int fds[] = { ends[0], dir };
		struct gt_strv args = { 0 };

		gt_strv_add(&args, "apply");
		e = gt_layer_job_start(&j, worker, &args, fds, 2);
		gt_strv_done(&args);
		ck_assert_msg(!e, "%s", gt_error_text(e));
	}
	kill(j.proc.pid, SIGKILL);
	e = finish(&j);
	ck_assert_int_eq(gt_error_class(e), GT_INTERNAL);
	ck_assert_ptr_nonnull(strstr(gt_error_text(e), "killed by signal 9"));
	gt_error_free(e);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* What it runs with: its root is the target, few capabilities, a filter, no new privileges. */
START_TEST(it_is_confined)
{
	gt_auto(gt_buf) status = GT_BUF_INIT;
	gt_autofree char *worker = gt_strf("%s/gantry-layer", getenv("abs_top_builddir"));
	gt_autofd int dir = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	gt_autofree char *path = NULL, *root = NULL;
	struct gt_strv args = { 0 };
	struct gt_layer_job j;
	char link[4096] = "";
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	gt_strv_add(&args, "apply");
	gt_error_free(gt_layer_job_start(&j, worker, &args, (int[]){ ends[0], dir }, 2));
	gt_strv_done(&args);
	path = gt_strf("/proc/%d/status", (int)j.proc.pid);
	root = gt_strf("/proc/%d/root", (int)j.proc.pid);
	/* It reads the first bytes of the blob, then locks itself in, then reads on. */
	ck_assert_int_eq(write(ends[1], "0123456789", 10), 10);
	for (int i = 0; i < 500 && !strstr(status.s, "Seccomp:\t2"); i++) {
		usleep(10000);
		gt_buf_setlen(&status, 0);
		gt_error_free(gt_file_read(AT_FDCWD, path, 65536, &status));
	}
#if !defined(GT_SANITIZED)
	ck_assert_msg(strstr(status.s, "Seccomp:\t2") != NULL, "%s", status.s);
#endif
	ck_assert_ptr_nonnull(strstr(status.s, "NoNewPrivs:\t1"));
	ck_assert_ptr_nonnull(strstr(status.s, "CapEff:\t000000008820001b"));
	ck_assert_int_gt(readlink(root, link, sizeof(link) - 1), 0);
	ck_assert_str_eq(link, target);
	gt_layer_job_done(&j);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("layer");
	TCase *tc = tcase_create("layer");
	SRunner *r;
	int failed;

	if (geteuid() != 0) {
		puts("1..0 # SKIP needs root");
		return 0;
	}
	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, setup_all, teardown_all);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, names_that_leave);
	tcase_add_test(tc, absolute_names_stay_inside);
	tcase_add_test(tc, links_then_entries_through_them);
	tcase_add_test(tc, metadata_through_links);
	tcase_add_test(tc, hard_links_to_outside);
	tcase_add_test(tc, bad_whiteouts);
	tcase_add_test(tc, devices_in_the_way);
	tcase_add_test(tc, owners_out_of_range);
	tcase_add_test(tc, long_and_deep_names);
	tcase_add_test(tc, sizes_that_lie);
	tcase_add_loop_test(tc, bombs_stop_at_the_limit, 0, 6);
	tcase_add_test(tc, too_many_entries);
	tcase_add_loop_test(tc, streams_cut_and_joined, 0, 2);
	tcase_add_test(tc, many_members);
	tcase_add_test(tc, folder_flips_to_a_link);
	tcase_add_test(tc, overlay_conversions);
	tcase_add_test(tc, death_is_reported);
	tcase_add_test(tc, it_is_confined);
	suite_add_tcase(suite, tc);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
