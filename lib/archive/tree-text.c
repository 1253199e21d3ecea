/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/tree-text.h>

#include <gantry/strv.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static uint64_t hash_bytes(uint64_t h, const void *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const unsigned char *)data)[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void add_content(const char *path, struct gt_buf *out)
{
	gt_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	char block[65536];
	ssize_t n;

	while (fd >= 0 && (n = read(fd, block, sizeof(block))) > 0)
		h = hash_bytes(h, block, n);
	gt_buf_addf(out, " %016llx", (unsigned long long)h);
}

static void add_xattrs(const char *path, struct gt_buf *out)
{
	char names[4096], value[4096];
	ssize_t n = llistxattr(path, names, sizeof(names));
	struct gt_strv list = { 0 };

	for (ssize_t i = 0; i < n; i += strlen(names + i) + 1)
		if (!strstr(names + i, ".overlay."))
			gt_strv_add(&list, names + i);
	gt_strv_sort(&list);
	for (size_t i = 0; i < list.n; i++) {
		ssize_t len = lgetxattr(path, list.v[i], value, sizeof(value));

		gt_buf_addf(out, " %s=%zd:%llx", list.v[i], len,
			    (unsigned long long)hash_bytes(0, value, len > 0 ? len : 0));
	}
	gt_strv_done(&list);
}

static void add_line(const char *path, const char *name, unsigned flags, const struct stat *st,
		     struct gt_buf *out)
{
	char target[PATH_MAX];
	ssize_t n;

	gt_buf_addf(out, "%s %o %u:%u", name, st->st_mode, st->st_uid, st->st_gid);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		gt_buf_addf(out, " dev %llx", (unsigned long long)st->st_rdev);
	if (!S_ISDIR(st->st_mode) || flags & TREE_TEXT_FOLDER_TIMES)
		gt_buf_addf(out, " @%lld.%09ld", (long long)st->st_mtim.tv_sec,
			    st->st_mtim.tv_nsec);
	if (flags & TREE_TEXT_CHANGE_TIMES)
		gt_buf_addf(out, " changed %lld.%09ld", (long long)st->st_ctim.tv_sec,
			    st->st_ctim.tv_nsec);
	if (!S_ISDIR(st->st_mode))
		gt_buf_addf(out, " size %lld links %u", (long long)st->st_size,
			    (unsigned)st->st_nlink);
	if (S_ISREG(st->st_mode)) {
		add_content(path, out);
	} else if (S_ISLNK(st->st_mode)) {
		n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		gt_buf_addf(out, " -> %s", target);
	}
	add_xattrs(path, out);
	gt_buf_addc(out, '\n');
}

static void walk(const char *root, const char *below, unsigned flags, struct gt_buf *out)
{
	gt_autofree char *folder = gt_strf("%s/%s", root, below);
	struct gt_strv names = { 0 };
	DIR *d = opendir(folder);
	struct dirent *ent;

	while (d && (ent = readdir(d)))
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
			gt_strv_add(&names, ent->d_name);
	if (d)
		closedir(d);
	gt_strv_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		gt_autofree char *name = gt_strf("%s%s%s", below, *below ? "/" : "", names.v[i]);
		gt_autofree char *path = gt_strf("%s/%s", root, name);
		struct stat st;

		if (lstat(path, &st) < 0)
			continue;
		add_line(path, name, flags, &st, out);
		if (S_ISDIR(st.st_mode))
			walk(root, name, flags, out);
	}
	gt_strv_done(&names);
}

void tree_text(const char *path, unsigned flags, struct gt_buf *out)
{
	struct stat st;

	if (flags & TREE_TEXT_ROOT && lstat(path, &st) == 0)
		add_line(path, ".", flags, &st, out);
	walk(path, "", flags, out);
}
