/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "cgroup.h"

#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#define ROOT "/sys/fs/cgroup"
#define LIST_MAX 65536
#define PROCS_MAX (16 * 1024 * 1024)
#define DEPTH_MAX 32

static bool is_unified(void)
{
	struct statfs st;

	return statfs(ROOT, &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC;
}

struct gt_error *cgroup_of(pid_t pid, struct cgroup *out)
{
	gt_autofree char *path = gt_strf("/proc/%d/cgroup", (int)pid);
	gt_auto(gt_buf) text = GT_BUF_INIT;

	GT_TRY(gt_file_read(AT_FDCWD, path, LIST_MAX, &text));
	out->unified = is_unified();
	out->list = gt_xstrdup(text.s); /* no larger than need be: it stays */
	return NULL;
}

void cgroup_done(struct cgroup *g)
{
	free(g->list);
	*g = (struct cgroup){ 0 };
}

/* Whether 'name' is one of the words between commas in the 'len' bytes at 'list'. */
static bool has_word(const char *list, size_t len, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list, *end = list + len; p < end;) {
		size_t word = strcspn(p, ",:\n");

		if (word == n && !memcmp(p, name, n))
			return true;
		p += word + 1;
	}
	return false;
}

char *cgroup_path(const struct cgroup *g, const char *controller)
{
	const char *line = g->list, *next;

	for (; line && *line; line = next) {
		const char *end = strchrnul(line, '\n');
		const char *names = strchr(line, ':');
		const char *path = names ? strchr(names + 1, ':') : NULL;

		next = *end ? end + 1 : end;
		if (!path || path >= end)
			continue;
		names++;
		if (g->unified && path == names)
			return gt_strf("%s%.*s", ROOT, (int)(end - path - 1), path + 1);
		if (!g->unified && path > names && has_word(names, path - names, controller))
			return gt_strf("%s/%s%.*s", ROOT, controller, (int)(end - path - 1),
				       path + 1);
	}
	return NULL;
}

struct pids {
	pid_t *v;
	size_t n, alloc, max;
};

static void procs_add(int dir, struct pids *out)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	pid_t pid = 0;

	/* A cgroup that is being removed has no processes any more. */
	gt_error_free(gt_file_read(dir, "cgroup.procs", PROCS_MAX, &text));
	for (const char *p = text.s; *p && out->n < out->max; p++) {
		if (*p >= '0' && *p <= '9') {
			pid = pid * 10 + (*p - '0');
		} else if (pid) {
			GT_GROW(out->v, out->n, out->alloc);
			out->v[out->n++] = pid;
			pid = 0;
		}
	}
}

static void tree_add_take(int fd, struct pids *out, int depth)
{
	DIR *d = fdopendir(fd);
	struct dirent *ent;

	if (!d) {
		close(fd);
		return;
	}
	procs_add(fd, out);
	while (depth < DEPTH_MAX && (ent = readdir(d))) {
		int sub;

		if (ent->d_type != DT_DIR || ent->d_name[0] == '.')
			continue;
		sub = openat(fd, ent->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (sub >= 0)
			tree_add_take(sub, out, depth + 1);
	}
	closedir(d);
}

size_t cgroup_pids(const struct cgroup *g, pid_t **pids, size_t max)
{
	static const char *const controllers[] = { "devices", "memory", "pids", "freezer", "cpu" };
	struct pids out = { .max = max };

	for (size_t i = 0; i < sizeof(controllers) / sizeof(*controllers); i++) {
		gt_autofree char *path = cgroup_path(g, controllers[i]);
		int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

		if (fd < 0)
			continue;
		tree_add_take(fd, &out, 0);
		break;
	}
	*pids = out.v;
	return out.n;
}

static struct gt_error *join_one(const char *dir, pid_t pid)
{
	gt_autofree char *path = gt_strf("%s/cgroup.procs", dir);
	gt_autofree char *text = gt_strf("%d", (int)pid);
	gt_autofd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : GT_UNKNOWN, errno, "open %s",
				      path);
	return gt_file_write_all(fd, text, strlen(text), path);
}

struct gt_error *cgroup_join(const char *path, pid_t pid)
{
	struct dirent *ent;
	bool joined = false;
	DIR *d;

	if (is_unified()) {
		gt_autofree char *dir = gt_strf("%s%s", ROOT, path);

		return join_one(dir, pid);
	}
	d = opendir(ROOT);
	if (!d)
		return gt_error_errno(GT_UNKNOWN, errno, "read folder %s", ROOT);
	while ((ent = readdir(d))) {
		gt_autofree char *dir = gt_strf("%s/%s%s", ROOT, ent->d_name, path);
		struct gt_error *e = ent->d_name[0] == '.' ? NULL : join_one(dir, pid);

		joined = joined || (!e && ent->d_name[0] != '.');
		gt_error_free(e);
	}
	closedir(d);
	return joined ? NULL : gt_error_new(GT_NOT_FOUND, "no controller has a cgroup %s", path);
}
