/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "leftover.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define ROOT "/sys/fs/cgroup"
#define PROCS_MAX (1024 * 1024)
#define TRIES 50 /* of 10 ms, for the kernel to bury the dead */

/* Returns whether anything was there to be killed. */
static bool procs_kill(int dir)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	char *line, *rest;
	bool any = false;

	gt_error_free(gt_file_read(dir, "cgroup.procs", PROCS_MAX, &text));
	for (line = strtok_r(text.s, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		int pid = atoi(line);

		if (pid > 1 && pid != getpid()) {
			any = true;
			kill(pid, SIGKILL);
		}
	}
	return any;
}

/* Thaws it first, for a frozen process does not die. */
static void thaw(int dir)
{
	const char *const files[][2] = { { "freezer.state", "THAWED" }, { "cgroup.freeze", "0" } };

	for (size_t i = 0; i < 2; i++) {
		gt_autofd int fd = openat(dir, files[i][0], O_WRONLY | O_CLOEXEC);

		if (fd >= 0 && write(fd, files[i][1], strlen(files[i][1])) < 0)
			continue;
	}
}

static void tree_end(int parent, const char *name, int depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd >= 0 && depth < 32 ? fdopendir(fd) : NULL;
	struct dirent *ent;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((ent = readdir(d)))
		if (ent->d_type == DT_DIR && ent->d_name[0] != '.')
			tree_end(fd, ent->d_name, depth + 1);
	for (int i = 0; i < TRIES; i++) {
		thaw(fd);
		if (!procs_kill(fd) &&
		    (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno != EBUSY))
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	closedir(d);
}

void leftover_end(const char *path, const char *id)
{
	gt_autofree char *unified = gt_strf("%s%s", ROOT, path);
	const char *slash = strrchr(path, '/');
	DIR *d;
	struct dirent *ent;

	/* "/" or a cgroup of others is none of ours; systemd's "slice:prefix:name" ends by itself. */
	if (path[0] != '/' || slash == path || strcmp(slash + 1, id) != 0 || strstr(path, ".."))
		return;
	tree_end(AT_FDCWD, unified, 0);
	d = opendir(ROOT);
	while (d && (ent = readdir(d))) {
		gt_autofree char *dir = gt_strf("%s/%s%s", ROOT, ent->d_name, path);

		if (ent->d_name[0] != '.')
			tree_end(AT_FDCWD, dir, 0);
	}
	if (d)
		closedir(d);
}
