/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "criu.h"

#include <gantry/buf.h>

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TAIL 16384
#define LINES_MAX 4
#define LINE_SHOWN 300

static bool tail_read(const char *path, struct gt_buf *out)
{
	gt_autofd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	n = pread(fd, gt_buf_reserve(out, TAIL), TAIL, st.st_size > TAIL ? st.st_size - TAIL : 0);
	if (n > 0)
		gt_buf_setlen(out, (size_t)n);
	return n > 0;
}

/* "(00.012345) Error (criu/file.c:12): what" without the time. */
static void line_add(struct gt_buf *out, const char *line, size_t len)
{
	const char *error = memmem(line, len, "Error ", 6);

	if (!error)
		return;
	len -= (size_t)(error - line);
	if (len > LINE_SHOWN)
		len = LINE_SHOWN;
	if (out->len)
		gt_buf_adds(out, "; ");
	for (size_t i = 0; i < len; i++)
		gt_buf_addc(out, iscntrl((unsigned char)error[i]) ? ' ' : error[i]);
}

/* The last lines that name an error. */
static void words_find(const struct gt_buf *log, struct gt_buf *out)
{
	const char *lines[LINES_MAX];
	size_t n = 0;

	for (const char *p = log->s; p < log->s + log->len; p = strchrnul(p, '\n') + 1) {
		if (!memmem(p, strcspn(p, "\n"), "Error ", 6))
			continue;
		lines[n++ % LINES_MAX] = p;
	}
	for (size_t i = n > LINES_MAX ? n - LINES_MAX : 0; i < n; i++)
		line_add(out, lines[i % LINES_MAX], strcspn(lines[i % LINES_MAX], "\n"));
}

struct gt_error *criu_error_take(const struct container *c, struct gt_error *e, const char *name)
{
	const char *given = c->runtime.options.criu_work_path;
	gt_autofree char *path = *given ? gt_strf("%s/%s", given, name) :
					  gt_strf("%s/work/criu-work/%s", c->bundle, name);
	gt_auto(gt_buf) log = GT_BUF_INIT, words = GT_BUF_INIT;
	gt_autofree char *text = NULL;
	struct gt_error *more;

	if (!e || !tail_read(path, &log))
		return e;
	words_find(&log, &words);
	if (!words.len)
		return e;
	text = gt_xstrdup(gt_error_text(e));
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	more = gt_error_new(gt_error_class(e), "%s: CRIU says: %s", text, words.s);
	gt_error_free(e);
	return more;
}
