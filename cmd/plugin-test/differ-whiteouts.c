/* SPDX-License-Identifier: Apache-2.0 */
/* Deletions, in a merged folder and in an overlay; and what must not happen. */
#include <config.h>

#include "differ.h"

#include "suite.h"

#include <gantry/file.h>
#include <mount/mount.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* a/one, a/two, a/sub/deep, b/file, gone, dir-to-file/x, file-to-dir */
static void base_layer(struct differ_rig *r, const char *path)
{
	gt_auto(gt_mounts) m = { 0 };
	gt_auto(gt_buf) t = GT_BUF_INIT;

	differ_bind(&m, path);
	TAR_ADD(&t, .name = "a", .type = '5', .mode = 0710, .uid = 11, .gid = 12, .mtime = 100);
	TAR_ADD(&t, .name = "a/one", .data = "1", .len = 1);
	TAR_ADD(&t, .name = "a/two", .data = "2", .len = 1);
	TAR_ADD(&t, .name = "a/sub/deep", .data = "d", .len = 1);
	TAR_ADD(&t, .name = "b/file", .data = "b", .len = 1);
	TAR_ADD(&t, .name = "gone", .data = "g", .len = 1);
	TAR_ADD(&t, .name = "dir-to-file/x", .data = "x", .len = 1);
	TAR_ADD(&t, .name = "file-to-dir", .data = "f", .len = 1);
	TAR_ADD(&t, .name = ".wh.not-there");
	differ_expect(r, &t, &m, GT_OK, "the base layer");
}

static void deletions(struct gt_buf *t)
{
	TAR_ADD(t, .name = ".wh.gone");
	TAR_ADD(t, .name = ".wh.never-was");
	TAR_ADD(t, .name = "a/new", .data = "n", .len = 1);
	TAR_ADD(t, .name = "a/sub/kept", .data = "k", .len = 1);
	TAR_ADD(t, .name = "a/.wh..wh..opq");
	TAR_ADD(t, .name = "a/after", .data = "a", .len = 1);
	TAR_ADD(t, .name = ".wh.b");
	TAR_ADD(t, .name = "b/again", .data = "B", .len = 1);
	TAR_ADD(t, .name = "own", .data = "o", .len = 1);
	TAR_ADD(t, .name = ".wh.own");
	TAR_ADD(t, .name = "dir-to-file", .data = "f", .len = 1);
	TAR_ADD(t, .name = "file-to-dir", .type = '5');
	TAR_ADD(t, .name = "file-to-dir/in", .data = "i", .len = 1);
	TAR_ADD(t, .name = "a/.wh..wh.odd");
}

static void check_result(const char *root)
{
	suite_ok(differ_is(root, "gone", 0), "a file that was deleted is gone");
	suite_ok(differ_is(root, "a/one", 0) && differ_is(root, "a/sub/deep", 0),
		 "an opaque folder shows nothing from below");
	suite_ok(differ_is(root, "a/new", S_IFREG) && differ_is(root, "a/sub/kept", S_IFREG) &&
			 differ_is(root, "a/after", S_IFREG),
		 "an opaque folder shows what its own layer has, before or after");
	suite_ok(differ_is(root, "b/file", 0), "a folder that was deleted is empty when it is back");
	suite_ok(differ_content_is(root, "b/again", "B"), "but for what is new in it");
	suite_ok(differ_content_is(root, "own", "o"), "a whiteout spares its own layer's file");
	suite_ok(differ_content_is(root, "dir-to-file", "f"), "a file takes a folder's place");
	suite_ok(differ_content_is(root, "file-to-dir/in", "i"), "a folder takes a file's place");
}

static void merged(struct differ_rig *r)
{
	gt_autofree char *target = differ_folder(r, "merged");
	gt_auto(gt_mounts) m = { 0 };
	gt_auto(gt_buf) t = GT_BUF_INIT;

	base_layer(r, target);
	deletions(&t);
	differ_bind(&m, target);
	differ_expect(r, &t, &m, GT_OK, "whiteouts in a merged folder");
	check_result(target);
}

static void overlay(struct differ_rig *r)
{
	gt_autofree char *lower = differ_folder(r, "lower"), *upper = differ_folder(r, "upper");
	gt_autofree char *view = differ_folder(r, "view");
	gt_auto(gt_mounts) m = { 0 };
	gt_auto(gt_buf) t = GT_BUF_INIT;
	struct gt_error *e;
	gt_autofree char *parent = gt_strf("%s/a", upper);
	struct stat st = { 0 };

	base_layer(r, lower);
	deletions(&t);
	differ_overlay(&m, upper, lower);
	differ_expect(r, &t, &m, GT_OK, "whiteouts on an overlay");
	suite_ok(stat(parent, &st) == 0 && st.st_mode == (S_IFDIR | 0710) && st.st_uid == 11 &&
			 st.st_gid == 12,
		 "a parent that the layer left out is as it is below");
	e = gt_mount_all(&m, view);
	if (e) {
		suite_skip(gt_error_text(e), "what the overlay shows");
		gt_error_free(e);
		return;
	}
	check_result(view);
	gt_error_free(gt_mount_unmount_all(view, GT_UNMOUNT_LAZY));
}

static void through_mounts(struct differ_rig *r)
{
	gt_autofree char *lower = differ_folder(r, "lower"), *upper = differ_folder(r, "upper");
	gt_auto(gt_mounts) m = { 0 };
	gt_auto(gt_buf) t = GT_BUF_INIT;
	struct gt_error *e;
	gt_auto(gt_diff_result) out = { 0 };

	base_layer(r, lower);
	differ_overlay(&m, upper, lower);
	/* Below a target of its own it is no overlay mount to write beside. */
	free(m.v->target);
	m.v->target = gt_xstrdup("/");
	TAR_ADD(&t, .name = ".wh.gone");
	TAR_ADD(&t, .name = "b/file", .data = "new", .len = 3);
	tar_end(&t);
	e = differ_apply(r, OCI_LAYER, &t, &m, &out);
	suite_class(e, GT_OK, "a layer through a mount");
	suite_ok(differ_is(upper, "gone", S_IFCHR) && differ_content_is(upper, "b/file", "new"),
		 "it arrives in the overlay's upper folder");
}

void differ_suite_whiteouts(struct differ_rig *r)
{
	merged(r);
	overlay(r);
	through_mounts(r);
}

void differ_suite_hostile(struct differ_rig *r)
{
	const unsigned flags = TREE_TEXT_FOLDER_TIMES | TREE_TEXT_CHANGE_TIMES | TREE_TEXT_ROOT;
	gt_autofree char *outside = differ_folder(r, "outside");
	const char *name = strrchr(outside, '/') + 1;
	gt_autofree char *up = gt_strf("../%s", name), *up_secret = gt_strf("../%s/secret", name);
	gt_autofree char *up_whiteout = gt_strf("../%s/.wh.secret", name);
	gt_autofree char *secret = gt_strf("%s/secret", outside);
	const struct {
		const char *what;
		enum gt_class want;
		struct tar_entry entries[4];
	} cases[] = {
		{ "a name with ..", GT_INVALID_ARGUMENT, { { .name = up_secret } } },
		{ "a whiteout with ..", GT_INVALID_ARGUMENT, { { .name = up_whiteout } } },
		{ "a hard link with ..", GT_INVALID_ARGUMENT,
		  { { .name = "h", .type = '1', .link = up_secret } } },
		{ "a hard link to an absolute name", GT_INVALID_ARGUMENT,
		  { { .name = "h", .type = '1', .link = secret } } },
		{ "an absolute name", GT_OK, { { .name = secret, .mode = 0777 } } },
		{ "an entry through a link", GT_OK,
		  { { .name = "l", .type = '2', .link = outside },
		    { .name = "l/secret", .mode = 0777 },
		    { .name = "l/.wh.secret" } } },
		{ "an entry through a relative link", GT_OK,
		  { { .name = "l", .type = '2', .link = up }, { .name = "l/new" } } },
		{ "mode and owner through a link", GT_OK,
		  { { .name = "l", .type = '2', .link = secret, .uid = 9 },
		    { .name = "l", .mode = 0777, .uid = 9 } } },
		{ "a folder where a link was", GT_OK,
		  { { .name = "l", .type = '2', .link = outside },
		    { .name = "l", .type = '5', .mode = 0777, .uid = 9 },
		    { .name = "l/in" } } },
		{ "a device named like a folder", GT_INVALID_ARGUMENT,
		  { { .name = "d", .type = '3', .major = 1, .minor = 3 }, { .name = "d/f" } } },
		{ "a whiteout of ..", GT_INVALID_ARGUMENT, { { .name = "d/.wh..." } } },
		{ "a whiteout of nothing", GT_INVALID_ARGUMENT, { { .name = "d/.wh." } } },
		{ "a size that lies", GT_INVALID_ARGUMENT,
		  { { .name = "f", .size = INT64_C(1) << 40 } } },
	};
	gt_auto(gt_buf) before = GT_BUF_INIT;

	gt_error_free(gt_file_write(AT_FDCWD, secret, "secret", 6, 0600, false));
	tree_text(outside, flags, &before);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		gt_autofree char *target = differ_folder(r, "hostile");
		gt_auto(gt_buf) t = GT_BUF_INIT, after = GT_BUF_INIT;
		gt_auto(gt_mounts) m = { 0 };

		for (size_t k = 0; k < 4 && cases[i].entries[k].name; k++)
			tar_add(&t, &cases[i].entries[k]);
		differ_bind(&m, target);
		if (i == sizeof(cases) / sizeof(*cases) - 1) { /* beyond the limit, or cut */
			gt_auto(gt_diff_result) out = { 0 };
			struct gt_error *e = differ_apply(r, OCI_LAYER, &t, &m, &out);

			suite_ok(e != NULL, "%s: %s", cases[i].what, gt_error_text(e));
			gt_error_free(e);
		} else {
			differ_expect(r, &t, &m, cases[i].want, cases[i].what);
		}
		tree_text(outside, flags, &after);
		suite_ok(!strcmp(before.s, after.s), "%s: nothing outside has changed",
			 cases[i].what);
	}
}
