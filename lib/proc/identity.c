/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <proc/identity.h>

#include <gantry/file.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BOOT_LEN 37 /* of the boot id, with the slash behind it */

/* Field 22 of /proc/PID/stat, behind the name, which may have anything in it. */
static bool start_of(int64_t pid, char **out)
{
	gt_autofree char *path = gt_strf("/proc/%" PRId64 "/stat", pid);
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *p;
	ssize_t n;

	n = fd < 0 ? -1 : read(fd, gt_buf_reserve(&b, 4096), 4096);
	if (n <= 0)
		return false;
	gt_buf_setlen(&b, (size_t)n);
	p = strrchr(b.s, ')');
	for (int field = 2; p && field < 22; field++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return false;
	*out = gt_xstrndup(p, strspn(p, "0123456789"));
	return true;
}

/* "BOOT/PIDNS/", which is the same for all processes that can see each other. */
static char *place(void)
{
	gt_autofd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char boot[37] = "";
	struct stat st;

	if (fd < 0 || read(fd, boot, 36) != 36 || stat("/proc/self/ns/pid", &st) < 0)
		return NULL;
	return gt_strf("%s/%" PRIuMAX "/", boot, (uintmax_t)st.st_ino);
}

char *gt_process_identity(void)
{
	gt_autofree char *here = place(), *start = NULL;

	if (!here || !start_of(getpid(), &start))
		return NULL;
	return gt_strf("%s%d/%s", here, (int)getpid(), start);
}

enum fate { FATE_UNKNOWN, FATE_ALIVE, FATE_GONE };

static enum fate fate_of(const char *identity)
{
	gt_autofree char *here = place(), *start = NULL;
	int64_t pid = 0;
	const char *p;

	if (!here || strlen(identity) < BOOT_LEN)
		return FATE_UNKNOWN;
	if (strncmp(identity, here, BOOT_LEN)) /* the machine was started anew */
		return FATE_GONE;
	if (strncmp(identity, here, strlen(here)))
		return FATE_UNKNOWN;
	for (p = identity + strlen(here); *p >= '0' && *p <= '9' && pid < INT32_MAX; p++)
		pid = pid * 10 + (*p - '0');
	if (*p != '/' || pid <= 0)
		return FATE_UNKNOWN;
	return start_of(pid, &start) && !strcmp(start, p + 1) ? FATE_ALIVE : FATE_GONE;
}

bool gt_process_is_gone(const char *identity)
{
	return fate_of(identity) == FATE_GONE;
}

bool gt_process_is_alive(const char *identity)
{
	return fate_of(identity) == FATE_ALIVE;
}
