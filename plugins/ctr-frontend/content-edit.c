/* SPDX-License-Identifier: Apache-2.0 */
/* `ctr content edit`: a blob through the user's editor, and what that left as another blob. */
#include <config.h>

#include "commands.h"
#include "lookup.h"

#include <gantry/api-blobs.h>
#include <gantry/buf.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define CHUNK (256 * 1024)

extern char **environ;

static struct gt_error *copy_out(struct ctr *c, struct gt_reader *r, int fd)
{
	gt_autofree char *chunk = gt_xmalloc(CHUNK);
	size_t n;

	for (int64_t at = 0;; at += (int64_t)n) {
		GT_TRY(gt_call_check(&c->call));
		GT_TRY(gt_reader_pread(r, chunk, CHUNK, at, &n));
		if (!n)
			return NULL;
		GT_TRY(gt_file_write_all(fd, chunk, n, "the file to edit"));
	}
}

/* By a shell, for the setting may have arguments in it. The file's name has nothing special in it. */
static struct gt_error *run_editor(const char *editor, const char *path)
{
	gt_autofree char *line = gt_strf("%s %s", editor, path);
	char *const argv[] = { (char *)"sh", (char *)"-c", line, NULL };
	int status, err;
	pid_t pid;

	err = posix_spawnp(&pid, "sh", NULL, NULL, argv, environ);
	if (err)
		return gt_error_errno(GT_UNKNOWN, err, "run %s", line);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return gt_error_errno(GT_UNKNOWN, errno, "wait for %s", line);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	if (WIFSIGNALED(status))
		return gt_error_new(GT_UNKNOWN, "%s: signal %d", line, WTERMSIG(status));
	return gt_error_new(GT_UNKNOWN, "%s: exit status %d", line, WEXITSTATUS(status));
}

static struct gt_error *store(struct ctr *c, struct gt_services *s, const char *old,
			      const char *path, char **digest)
{
	gt_autofree char *ref = gt_strf("edit-%s", old);
	gt_autoptr(gt_writer) w = NULL;
	/* Anew: many an editor writes to another file and renames it. */
	gt_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "read %s", path);
	if (!S_ISREG(st.st_mode))
		return gt_error_new(GT_UNKNOWN, "%s is no file any more", path);
	GT_TRY(gt_blobs_writer(s, &c->call, ref, NULL, &w));
	GT_TRY(gt_writer_truncate(w, 0)); /* of an earlier try */
	GT_TRY(gt_writer_write_from(w, &c->call, fd, 0, st.st_size));
	return gt_blobs_commit(s, &c->call, w, 0, NULL, NULL, digest);
}

static struct gt_error *edit(struct ctr *c, const char *digest, const char *path, int file)
{
	gt_autofd int fd = file;
	gt_autoptr(gt_reader) r = NULL;
	gt_autofree char *made = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_hint_content(c, s, gt_blobs_reader(s, &c->call, digest, &r), digest));
	GT_TRY(copy_out(c, r, fd));
	close(gt_steal_fd(&fd));
	GT_TRY(run_editor(ctr_string(c, "editor"), path));
	GT_TRY(store(c, s, digest, path, &made));
	fprintf(c->out, "%s\n", made);
	return NULL;
}

static struct gt_error *run_edit(struct ctr *c)
{
	const char *digest = ctr_arg(c, 0), *tmp = getenv("TMPDIR");
	gt_autofree char *path = NULL;
	struct gt_error *e;
	int fd;

	if (*ctr_string(c, "validate"))
		return ctr_usage_error("validating the edit result not supported");
	GT_TRY(gt_digest_check(digest));
	if (!*ctr_string(c, "editor"))
		return ctr_usage_error("editor is required");
	/* A name that a shell takes as it is. */
	if (!tmp || *tmp != '/' || strspn(tmp, "/._-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					       "0123456789") != strlen(tmp))
		tmp = "/tmp";
	path = gt_strf("%s/edit-XXXXXX", tmp);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "make %s", path);
	e = edit(c, digest, path, fd);
	unlink(path);
	return e;
}

static const struct ctr_flag edit_flags[] = {
	{ .name = "validate", .type = CTR_STRING, .text = "validate the result (not supported)" },
	{ .name = "editor",
	  .type = CTR_STRING,
	  .text = "program that changes a file, by a shell",
	  .env = "EDITOR" },
	{ 0 },
};

const struct ctr_command ctr_content_edit = {
	.name = "edit",
	.text = "edit a blob and store what comes of it; prints the new digest",
	.args = "[flags] <digest>",
	.flags = (const struct ctr_flag *const[]){ edit_flags, NULL },
	.run = run_edit,
};
