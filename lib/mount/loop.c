/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "loop.h"

#include <gantry/buf.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define ATTEMPTS 100

struct gt_error *mount_loop_attach(const char *source, bool read_only, bool direct_io,
				   const char *name, char **device, int *fd)
{
	int mode = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
	gt_autofd int file = open(source, mode | O_NONBLOCK | O_NOCTTY);
	gt_autofd int control = -1;
	struct loop_config c = {
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | (direct_io ? LO_FLAGS_DIRECT_IO : 0) |
				 (read_only ? LO_FLAGS_READ_ONLY : 0),
	};

	if (file < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : GT_UNKNOWN, errno,
				      "open %s for a loop device", source);
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return gt_error_errno(GT_FAILED_PRECONDITION, errno, "open /dev/loop-control");
	c.fd = file;
	strncat((char *)c.info.lo_file_name, name ? name : source, LO_NAME_SIZE - 1);
	/* Somebody else may take the free device first: EBUSY, ask again. */
	for (int i = 0; i < ATTEMPTS; i++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);
		gt_autofree char *path = NULL;
		gt_autofd int loop = -1;

		if (n < 0)
			return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno,
					      "get a free loop device");
		path = gt_strf("/dev/loop%d", n);
		loop = open(path, mode);
		if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &c) == 0) {
			*device = gt_steal(&path);
			*fd = gt_steal_fd(&loop);
			return NULL;
		}
		/* A device that was just made has no node for a moment. */
		if (loop < 0 ? errno != ENOENT && errno != ENXIO : errno != EBUSY)
			return gt_error_errno(GT_UNKNOWN, errno, "attach %s to %s", source, path);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	return gt_error_new(GT_RESOURCE_EXHAUSTED, "no loop device for %s in %d attempts", source,
			    ATTEMPTS);
}

struct gt_error *mount_loop_keep(int fd, const char *device)
{
	struct loop_info64 info;

	if (ioctl(fd, LOOP_GET_STATUS64, &info) == 0) {
		info.lo_flags &= ~(uint32_t)LO_FLAGS_AUTOCLEAR;
		if (ioctl(fd, LOOP_SET_STATUS64, &info) == 0)
			return NULL;
	}
	return gt_error_errno(GT_UNKNOWN, errno, "keep %s attached", device);
}

struct gt_error *mount_loop_detach(const char *device, const char *name)
{
	gt_autofd int fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct loop_info64 info;

	if (fd < 0)
		return errno == ENOENT || errno == ENXIO
			       ? NULL
			       : gt_error_errno(GT_UNKNOWN, errno, "open %s", device);
	if (ioctl(fd, LOOP_GET_STATUS64, &info) == 0) {
		if (strncmp((const char *)info.lo_file_name, name, LO_NAME_SIZE - 1))
			return NULL;
		if (ioctl(fd, LOOP_CLR_FD, 0) == 0)
			return NULL;
	}
	if (errno == ENXIO)
		return NULL;
	return gt_error_errno(errno == EBUSY ? GT_FAILED_PRECONDITION : GT_UNKNOWN, errno, "detach %s",
			      device);
}
