/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <proc/grace.h>

#include <gantry/buf.h>
#include <gantry/cleanup.h>
#include <gantry/file.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"
#define LIST_MAX 65536
/* Of the first namespace of control groups (PROC_CGROUP_INIT_INO), where paths are what they seem. */
#define FIRST_NAMESPACE 0xEFFFFFFBu
#define ROOT_GROUP 1 /* the inode of a hierarchy's root */

static bool has_inode(const char *path, ino_t inode)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_ino == inode;
}

/*
 * "4:memory:/a/b" -> the group's folder, or NULL. Only where it is certain to be the group we are in: to
 * write to another would move us there.
 */
static char *group_folder(const char *line, size_t len)
{
	const char *end = line + len, *names = memchr(line, ':', len);
	const char *path = names ? memchr(names + 1, ':', end - names - 1) : NULL;
	gt_autofree char *root = NULL;

	if (!path || path[1] != '/')
		return NULL;
	names++;
	if (path - names > 5 && !memcmp(names, "name=", 5))
		names += 5;
	root = gt_strf(ROOT "%s%.*s", path > names ? "/" : "", (int)(path - names), names);
	if (!has_inode(root, ROOT_GROUP))
		return NULL;
	return gt_strf("%s%.*s", root, (int)(end - path - 1), path + 1);
}

static bool move_to_itself(const char *folder)
{
	gt_autofree char *procs = gt_strf("%s/cgroup.procs", folder);
	gt_autofd int fd = open(procs, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	/* The kernel waits before it looks whether there is anything to do, or forbidden. */
	return fd >= 0 && (write(fd, "0", 1) == 1 || true);
}

static void ask(void)
{
	gt_auto(gt_buf) list = GT_BUF_INIT;
	bool done = false;

	if (!has_inode("/proc/self/ns/cgroup", FIRST_NAMESPACE))
		return;
	gt_error_free(gt_file_read(AT_FDCWD, "/proc/self/cgroup", LIST_MAX, &list));
	for (const char *line = list.s; *line && !done;) {
		size_t len = strcspn(line, "\n");
		gt_autofree char *folder = group_folder(line, len);

		done = folder && move_to_itself(folder);
		line += len + (line[len] == '\n');
	}
}

static void *wait_for_it(void *arg)
{
	struct gt_grace *g = arg;

	ask();
	g->over = true;
	return NULL;
}

void gt_grace_begin(struct gt_grace *g)
{
	sigset_t all, before;

	g->over = false;
	/* The thread takes no signal from those who wait for it. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	g->runs = pthread_create(&g->thread, NULL, wait_for_it, g) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void gt_grace_done(struct gt_grace *g)
{
	if (g->runs)
		pthread_join(g->thread, NULL);
	g->runs = false;
}
