/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/cgroup.h>

#include <shim/process.h>

#include <gantry/file.h>
#include <gantry/strv.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEPTH_MAX 32
#define PROCS_MAX (4 << 20)

/* "a-b.slice:prefix:name" -> "/a.slice/a-b.slice/prefix-name.scope", as systemd lays them out. */
static char *from_systemd(const char *path)
{
	gt_auto(gt_strv) parts = { 0 };
	gt_auto(gt_buf) out = GT_BUF_INIT;
	const char *slice;

	gt_strv_split(&parts, path, ':');
	if (parts.n != 3)
		return gt_xstrdup("");
	slice = *parts.v[0] ? parts.v[0] : "system.slice";
	for (const char *dash = strchr(slice, '-'); dash; dash = strchr(dash + 1, '-'))
		gt_buf_addf(&out, "/%.*s.slice", (int)(dash - slice), slice);
	gt_buf_addf(&out, "/%s/", slice);
	if (*parts.v[1])
		gt_buf_addf(&out, "%s-", parts.v[1]);
	gt_buf_addf(&out, "%s.scope", parts.v[2]);
	return gt_buf_detach(&out);
}

/* Whether we are in that group or below it ourselves. */
static bool is_ours(const char *path)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_auto(gt_strv) lines = { 0 };
	gt_autoptr(gt_error) e = gt_file_read(AT_FDCWD, "/proc/self/cgroup", 65536, &b);
	size_t len = strlen(path);

	gt_strv_split(&lines, b.s, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *colon = strchr(lines.v[i], ':');
		const char *at = colon ? strchr(colon + 1, ':') : NULL;

		if (at && !strncmp(at + 1, path, len) && (!at[1 + len] || at[1 + len] == '/'))
			return true;
	}
	return e != NULL;
}

static bool is_own_group(const char *path)
{
	return path[0] == '/' && path[1] && path[1] != '/' && !strstr(path, "/../") &&
	       !(strlen(path) >= 3 && !strcmp(path + strlen(path) - 3, "/..")) && !is_ours(path);
}

/* The group's folder in each hierarchy that is mounted and has it. */
static void find_folders(const char *path, struct gt_strv *out)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	char line[4096];
	struct mntent m;

	if (!f)
		return;
	while (getmntent_r(f, &m, line, sizeof(line))) {
		gt_autofree char *folder = NULL;

		if (strcmp(m.mnt_type, "cgroup") && strcmp(m.mnt_type, "cgroup2"))
			continue;
		folder = gt_strf("%s%s", m.mnt_dir, path);
		if (access(folder, F_OK) == 0 && !gt_strv_has(out, folder))
			gt_strv_add(out, folder);
	}
	endmntent(f);
}

static bool write_word(const char *folder, const char *name, const char *word)
{
	gt_autofree char *path = gt_strf("%s/%s", folder, name);
	gt_autofd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, word, strlen(word)) > 0;
}

/* Adds the group and those below it, parents first. */
static void add_tree(const char *folder, int depth, struct gt_strv *out)
{
	DIR *d = opendir(folder);
	struct dirent *ent;

	if (!d)
		return;
	gt_strv_add(out, folder);
	while (depth < DEPTH_MAX && (ent = readdir(d))) {
		gt_autofree char *sub = NULL;

		if (ent->d_type != DT_DIR || *ent->d_name == '.')
			continue;
		sub = gt_strf("%s/%s", folder, ent->d_name);
		add_tree(sub, depth + 1, out);
	}
	closedir(d);
}

static bool is_member(int pid, const char *path)
{
	gt_autofree char *file = gt_strf("/proc/%d/cgroup", pid);
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(AT_FDCWD, file, 65536, &b);

	for (const char *at = b.s; !e && (at = strstr(at, path)); at++)
		if (at[strlen(path)] == '\n' || at[strlen(path)] == '/')
			return true;
	return false;
}

static void add_members(const char *folder, const char *path, struct gt_pidfds *out)
{
	gt_autofree char *file = gt_strf("%s/cgroup.procs", folder);
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_auto(gt_strv) lines = { 0 };

	gt_error_free(gt_file_read(AT_FDCWD, file, PROCS_MAX, &b)); /* it may have gone meanwhile */
	gt_strv_split(&lines, b.s, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		int pid = 0;

		for (const char *p = lines.v[i]; *p >= '0' && *p <= '9' && pid < 100000000; p++)
			pid = pid * 10 + (*p - '0');
		if (gt_pidfds_add(out, pid) && !is_member(pid, path))
			gt_pidfds_drop(out);
	}
}

/* One round over all that is there now; '*any' tells whether something was. */
static struct gt_error *kill_round(const struct gt_strv *folders, const char *path, int64_t deadline,
				   bool *any)
{
	gt_auto(gt_pidfds) found = { 0 };
	gt_auto(gt_strv) tree = { 0 };

	for (size_t i = 0; i < folders->n; i++)
		add_tree(folders->v[i], 0, &tree);
	for (size_t i = 0; i < tree.n; i++) /* v1: nothing forks away meanwhile */
		write_word(tree.v[i], "freezer.state", "FROZEN");
	for (size_t i = 0; i < tree.n; i++) {
		write_word(tree.v[i], "cgroup.kill", "1");
		add_members(tree.v[i], path, &found);
	}
	*any = found.n > 0;
	gt_pidfds_kill(&found);
	for (size_t i = 0; i < tree.n; i++) { /* a signal waits as long as the group is frozen */
		write_word(tree.v[i], "freezer.state", "THAWED");
		write_word(tree.v[i], "cgroup.freeze", "0");
	}
	return gt_pidfds_wait(&found, deadline);
}

static bool remove_trees(const struct gt_strv *folders)
{
	gt_auto(gt_strv) tree = { 0 };
	bool all = true;

	for (size_t i = 0; i < folders->n; i++)
		add_tree(folders->v[i], 0, &tree);
	for (size_t i = tree.n; i-- > 0;)
		all = (rmdir(tree.v[i]) == 0 || errno == ENOENT) && all;
	return all;
}

struct gt_error *gt_cgroup_end(const char *path, int64_t deadline)
{
	gt_autofree char *plain = strchr(path, ':') ? from_systemd(path) : gt_xstrdup(path);
	gt_auto(gt_strv) folders = { 0 };
	struct timespec pause = { .tv_nsec = 1000000 };
	size_t len = strlen(plain);
	bool any = true;

	while (len > 1 && plain[len - 1] == '/')
		plain[--len] = '\0';
	if (!is_own_group(plain))
		return NULL;
	find_folders(plain, &folders);
	if (!folders.n)
		return NULL;
	for (;;) {
		while (any && gt_now() < deadline)
			GT_TRY(gt_error_wrap(kill_round(&folders, plain, deadline, &any),
					     "end cgroup %s", plain));
		/* A group stays busy for a moment after the last in it has ended. */
		if (remove_trees(&folders))
			return NULL;
		if (gt_now() >= deadline)
			return gt_error_new(GT_DEADLINE_EXCEEDED, "cgroup %s stays busy", plain);
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 50000000)
			pause.tv_nsec *= 2;
		any = true; /* somebody may have joined */
	}
}
