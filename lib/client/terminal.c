/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/terminal.h>

#include <gantry/buf.h>

#include <errno.h>
#include <sys/ioctl.h>
#include <termios.h>

struct gt_terminal {
	int fd;
	struct termios before;
};

struct gt_error *gt_terminal_open(int fd, struct gt_terminal **out)
{
	struct gt_terminal *t;
	struct termios raw;

	if (fd < 0 || tcgetattr(fd, &raw) < 0)
		return gt_error_new(GT_INVALID_ARGUMENT, "provided file is not a console");
	t = gt_xcalloc(1, sizeof(*t));
	t->fd = fd;
	t->before = raw;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw) < 0) {
		struct gt_error *e = gt_error_errno(GT_UNKNOWN, errno, "set terminal raw");

		free(t);
		return e;
	}
	*out = t;
	return NULL;
}

void gt_terminal_size(const struct gt_terminal *t, uint32_t *width, uint32_t *height)
{
	struct winsize ws = { 0 };

	ioctl(t->fd, TIOCGWINSZ, &ws);
	*width = ws.ws_col;
	*height = ws.ws_row;
}

void gt_terminal_free(struct gt_terminal *t)
{
	if (!t)
		return;
	tcsetattr(t->fd, TCSANOW, &t->before);
	free(t);
}
