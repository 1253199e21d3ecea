/* SPDX-License-Identifier: Apache-2.0 */
/* Layers made of differences: applied to the lower tree, they give the upper one. */
#include <config.h>

#include "differ.h"

#include "suite.h"

#include <mount/mount.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>

static void lower_layer(struct differ_rig *r, const char *path)
{
	gt_auto(gt_mounts) m = { 0 };
	gt_auto(gt_buf) t = GT_BUF_INIT;

	differ_bind(&m, path);
	for (int i = 0; i < 20; i++) {
		gt_autofree char *name = gt_strf("same/d%d/f%d", i % 3, i);

		TAR_ADD(&t, .name = name, .data = name, .len = strlen(name), .mtime = 1000 + i);
	}
	TAR_ADD(&t, .name = "grown", .data = "1", .len = 1, .mtime = 10);
	TAR_ADD(&t, .name = "edited", .data = "aaaa", .len = 4, .mtime = 10);
	TAR_ADD(&t, .name = "chmod", .data = "c", .len = 1, .mtime = 10);
	TAR_ADD(&t, .name = "deleted/in/side", .data = "x", .len = 1, .mtime = 10);
	TAR_ADD(&t, .name = "link", .type = '2', .link = "aa", .mtime = 10);
	TAR_ADD(&t, .name = "file-to-dir", .mtime = 10);
	TAR_ADD(&t, .name = "dir-to-file/x", .mtime = 10);
	TAR_ADD(&t, .name = "h1", .data = "hard", .len = 4, .mtime = 10);
	TAR_ADD(&t, .name = "h2", .type = '1', .link = "h1");
	TAR_ADD(&t, .name = "dirmode", .type = '5', .mode = 0755);
	differ_expect(r, &t, &m, GT_OK, "the lower tree");
}

static void changes(struct gt_buf *t)
{
	gt_auto(gt_buf) longer = GT_BUF_INIT;

	for (int i = 0; i < 30; i++)
		gt_buf_adds(&longer, "a-long-name/");
	gt_buf_adds(&longer, "end-e\xcc\x81");
	TAR_ADD(t, .name = "grown", .data = "12345", .len = 5, .mtime = 20);
	TAR_ADD(t, .name = "edited", .data = "bbbb", .len = 4, .mtime = 10); /* same second */
	TAR_ADD(t, .name = "chmod", .data = "c", .len = 1, .mode = 04711, .mtime = 10);
	TAR_ADD(t, .name = ".wh.deleted");
	TAR_ADD(t, .name = "link", .type = '2', .link = "bb", .mtime = 10);
	TAR_ADD(t, .name = "file-to-dir", .type = '5');
	TAR_ADD(t, .name = "file-to-dir/new", .data = "n", .len = 1, .mtime = 5);
	TAR_ADD(t, .name = "dir-to-file", .data = "d", .len = 1, .mtime = 5);
	TAR_ADD(t, .name = "h1", .data = "HARD", .len = 4, .mtime = 30);
	TAR_ADD(t, .name = "h2", .type = '1', .link = "h1");
	TAR_ADD(t, .name = "same/d1/added", .data = "+", .len = 1, .uid = 70000, .mtime = 5);
	TAR_ADD(t, .name = "same/d2/.wh.f5");
	TAR_ADD(t, .name = "dev", .type = '3', .major = 1, .minor = 3, .mode = 0666, .mtime = 5);
	TAR_ADD(t, .name = "fifo", .type = '6', .mtime = 5);
	TAR_ADD(t, .name = "dirmode", .type = '5', .mode = 01777);
	TAR_ADD(t, .name = longer.s, .data = "l", .len = 1, .mtime = 5);
}

static struct gt_error *make(struct differ_rig *r, const struct gt_mounts *lower,
			     const struct gt_mounts *upper, const char *type, struct gt_buf *blob,
			     struct gt_diff_result *out)
{
	struct gt_diff_options o = { .size = sizeof(o), .media_type = type };
	gt_autoptr(gt_writer) w = differ_writer(blob, SIZE_MAX);

	return gt_differ_diff(r->d, &r->call, lower, upper, &o, w, out);
}

/* The layer applied to another copy of the lower tree must give what 'upper' holds. */
static void check_round_trip(struct differ_rig *r, const struct gt_buf *blob, const char *type,
			     const struct gt_diff_result *made, const char *upper)
{
	gt_autofree char *copy = differ_folder(r, "copy");
	gt_auto(gt_buf) want = GT_BUF_INIT, got = GT_BUF_INIT;
	gt_auto(gt_diff_result) out = { 0 };
	gt_auto(gt_mounts) m = { 0 };

	lower_layer(r, copy);
	differ_bind(&m, copy);
	suite_class(differ_apply(r, type, blob, &m, &out), GT_OK, "the difference applies");
	suite_ok(out.digest && made->digest && !strcmp(out.digest, made->digest) &&
			 (!made->size || out.size == made->size),
		 "digest and size are those that were told");
	tree_text(upper, 0, &want);
	tree_text(copy, 0, &got);
	if (!suite_ok(!strcmp(want.s, got.s), "it gives the upper tree (%s)", type))
		suite_note("wanted:\n%s\ngot:\n%s", want.s, got.s);
}

/* What no layer made here can bring: a capability, and a socket, which a layer cannot hold. */
static void add_by_hand(const char *upper)
{
	static const char capability[20] = { 1, 0, 0, 2, 0, 4 };
	gt_autofree char *file = gt_strf("%s/file-to-dir/new", upper);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	gt_autofd int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setxattr(file, "security.capability", capability, sizeof(capability), 0);
	if ((size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s/socket", upper) <
	    sizeof(a.sun_path))
		bind(s, (struct sockaddr *)&a, sizeof(a));
}

static void remove_socket(const char *upper)
{
	gt_autofree char *path = gt_strf("%s/socket", upper);

	unlink(path);
}

static void check_types(struct differ_rig *r, const struct gt_mounts *l, const struct gt_mounts *u,
			const char *shown)
{
	static const char *const types[] = { OCI_LAYER, OCI_LAYER "+gzip", OCI_LAYER "+zstd" };

	for (size_t i = 0; i < 3; i++) {
		gt_auto(gt_diff_result) made = { 0 };
		gt_auto(gt_buf) blob = GT_BUF_INIT;

		if (!suite_class(make(r, l, u, types[i], &blob, &made), GT_OK, "a difference as %s",
				 types[i]))
			continue;
		suite_ok(made.media_type && !strcmp(made.media_type, OCI_LAYER),
			 "its media type is the uncompressed layer's");
		check_round_trip(r, &blob, types[i], &made, shown);
	}
}

static void of_folders(struct differ_rig *r)
{
	gt_autofree char *lower = differ_folder(r, "lower"), *upper = differ_folder(r, "upper");
	gt_auto(gt_mounts) l = { 0 }, u = { 0 };
	gt_auto(gt_buf) t = GT_BUF_INIT, again = GT_BUF_INIT, once = GT_BUF_INIT;
	gt_auto(gt_diff_result) a = { 0 }, b = { 0 };

	lower_layer(r, lower);
	lower_layer(r, upper);
	differ_bind(&l, lower);
	differ_bind(&u, upper);
	changes(&t);
	differ_expect(r, &t, &u, GT_OK, "the upper tree");
	add_by_hand(upper);
	suite_class(make(r, &l, &u, NULL, &once, &a), GT_OK, "a difference of the usual type");
	suite_ok(once.len > 2 && !memcmp(once.s, "\x1f\x8b", 2), "it is compressed with gzip");
	suite_class(make(r, &l, &u, NULL, &again, &b), GT_OK, "the same once more");
	suite_ok(a.digest && b.digest && !strcmp(a.digest, b.digest), "it is the same layer");
	remove_socket(upper);
	check_types(r, &l, &u, upper);
}

static void of_an_overlay(struct differ_rig *r)
{
	gt_autofree char *lower = differ_folder(r, "lower"), *upper = differ_folder(r, "upper");
	gt_autofree char *view = differ_folder(r, "view");
	gt_auto(gt_mounts) l = { 0 }, u = { 0 };
	gt_auto(gt_buf) t = GT_BUF_INIT;
	struct gt_error *e;

	lower_layer(r, lower);
	differ_bind(&l, lower);
	differ_overlay(&u, upper, lower);
	changes(&t);
	differ_expect(r, &t, &u, GT_OK, "the upper tree of an overlay");
	e = gt_mount_all(&u, view);
	if (e) {
		suite_skip(gt_error_text(e), "differences of overlays");
		gt_error_free(e);
		return;
	}
	/* While it is in use, as a container's is. */
	check_types(r, &l, &u, view);
	gt_error_free(gt_mount_unmount_all(view, GT_UNMOUNT_LAZY));
}

/* Nothing differs: an archive without an entry. No lower at all: everything differs. */
static void of_nothing(struct differ_rig *r)
{
	gt_autofree char *lower = differ_folder(r, "lower"), *target = differ_folder(r, "target");
	gt_auto(gt_mounts) l = { 0 }, none = { 0 }, m = { 0 };
	gt_auto(gt_buf) blob = GT_BUF_INIT, whole = GT_BUF_INIT, want = GT_BUF_INIT,
			got = GT_BUF_INIT;
	gt_auto(gt_diff_result) a = { 0 }, b = { 0 }, c = { 0 };

	lower_layer(r, lower);
	differ_bind(&l, lower);
	suite_class(make(r, &l, &l, OCI_LAYER, &blob, &a), GT_OK, "a difference of nothing");
	suite_ok(blob.len == 1024, "it has no entry (%zu bytes)", blob.len);
	suite_class(make(r, &none, &l, OCI_LAYER, &whole, &b), GT_OK, "a difference from nothing");
	differ_bind(&m, target);
	suite_class(differ_apply(r, OCI_LAYER, &whole, &m, &c), GT_OK, "it applies");
	tree_text(lower, 0, &want);
	tree_text(target, 0, &got);
	suite_ok(!strcmp(want.s, got.s), "it gives the whole tree");
}

static void refusals(struct differ_rig *r)
{
	gt_autofree char *lower = differ_folder(r, "lower"), *upper = differ_folder(r, "upper");
	gt_auto(gt_mounts) l = { 0 }, u = { 0 };
	gt_auto(gt_buf) blob = GT_BUF_INIT, t = GT_BUF_INIT;
	gt_auto(gt_diff_result) out = { 0 };
	gt_autoptr(gt_writer) w = differ_writer(&blob, 100000);
	gt_autofree char *data = gt_xcalloc(1, 1 << 20);
	struct gt_diff_options o = { .size = sizeof(o), .media_type = OCI_LAYER };

	differ_bind(&l, lower);
	differ_bind(&u, upper);
	suite_class(make(r, &l, &u, "application/x-tar", &blob, &out), GT_UNIMPLEMENTED,
		    "a difference of a type unknown");
	TAR_ADD(&t, .name = "big", .data = data, .len = 1 << 20);
	differ_expect(r, &t, &u, GT_OK, "a large file");
	suite_class(gt_differ_diff(r->d, &r->call, &l, &u, &o, w, &out), GT_RESOURCE_EXHAUSTED,
		    "a writer's error ends the difference");
}

/* Times later than the epoch that was given are cut to it. */
static void epochs(struct differ_rig *r)
{
	gt_autofree char *upper = differ_folder(r, "upper"), *target = differ_folder(r, "target");
	gt_autofree char *old = gt_strf("%s/old", target), *young = gt_strf("%s/young", target);
	gt_auto(gt_mounts) none = { 0 }, u = { 0 }, m = { 0 };
	gt_auto(gt_buf) t = GT_BUF_INIT, blob = GT_BUF_INIT;
	gt_auto(gt_diff_result) a = { 0 }, b = { 0 };
	gt_autoptr(gt_writer) w = differ_writer(&blob, SIZE_MAX);
	struct timespec epoch = { .tv_sec = 5000 };
	struct gt_diff_options o = { .size = sizeof(o), .media_type = OCI_LAYER,
				     .source_date_epoch = &epoch };
	struct stat st = { 0 };

	differ_bind(&u, upper);
	TAR_ADD(&t, .name = "old", .mtime = 4000);
	TAR_ADD(&t, .name = "young", .mtime = 6000);
	differ_expect(r, &t, &u, GT_OK, "an old and a young file");
	suite_class(gt_differ_diff(r->d, &r->call, &none, &u, &o, w, &a), GT_OK,
		    "a difference with an epoch");
	differ_bind(&m, target);
	suite_class(differ_apply(r, OCI_LAYER, &blob, &m, &b), GT_OK, "it applies");
	suite_ok(stat(old, &st) == 0 && st.st_mtime == 4000, "older times stay");
	suite_ok(stat(young, &st) == 0 && st.st_mtime == 5000, "younger ones are cut");
}

void differ_suite_diff(struct differ_rig *r)
{
	gt_auto(gt_mounts) none = { 0 };
	gt_auto(gt_buf) blob = GT_BUF_INIT;
	gt_auto(gt_diff_result) out = { 0 };
	struct gt_error *e = make(r, &none, &none, "application/x-none", &blob, &out);
	bool absent = gt_error_class(e) == GT_UNIMPLEMENTED && !r->d->ops->diff;

	gt_error_free(e);
	if (absent) {
		suite_skip("the plugin makes no layers", "differences");
		return;
	}
	of_folders(r);
	of_an_overlay(r);
	of_nothing(r);
	refusals(r);
	epochs(r);
}
