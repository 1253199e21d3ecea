/* SPDX-License-Identifier: Apache-2.0 */
/* Root and state, and the lock that tells a daemon's root from one that anybody may open. */
#include <config.h>

#include "core/config.h"
#include "core/host.h"
#include "core/slot.h"

#include <gantry/call.h>
#include <gantry/file.h>
#include <gantry/frontend.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#define ADDRESS_MAX 4096
#define RETRY_NS 20000000
#define LOCKS_MAX (4 * 1024 * 1024) /* bytes of /proc/locks */
#define HOLDERS_MAX 8

struct gt_error *gt_folder_make(const char *path, mode_t mode)
{
	struct stat st;

	GT_TRY(gt_file_mkdirs(path, mode));
	if (lstat(path, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "stat %s", path);
	if (!S_ISDIR(st.st_mode))
		return gt_error_new(GT_FAILED_PRECONDITION, "%s is no folder", path);
	/* Whatever the umask was when it was made, or whoever touched it since. */
	if ((st.st_mode & 07777) != mode && chmod(path, mode) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "set mode %04o of %s", mode, path);
	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "write to folder %s", path);
	return NULL;
}

/* The address of the daemon that holds the lock, as it stands there; "" if it is not known yet. */
static void holder_read(int fd, struct gt_buf *out)
{
	ssize_t n;

	gt_buf_reserve(out, ADDRESS_MAX);
	n = pread(fd, out->s, ADDRESS_MAX, 0);
	gt_buf_setlen(out, n > 0 ? (size_t)n : 0);
	gt_buf_setlen(out, strcspn(out->s, "\n"));
}

static void holder_name(const char *pid, struct gt_buf *out)
{
	gt_autofree char *path = gt_strf("/proc/%s/comm", pid);
	gt_auto(gt_buf) comm = GT_BUF_INIT;
	struct gt_error *e = gt_file_read(AT_FDCWD, path, 256, &comm);

	gt_buf_setlen(&comm, strcspn(comm.s, "\n"));
	gt_buf_addf(out, "%s%s (process %s)", out->len ? ", " : "", e || !comm.len ? "a program" : comm.s,
		    pid);
	gt_error_free(e);
}

/* Adds the programs that have the lock, as the kernel lists them: "12: FLOCK  ADVISORY  READ 345 08:01:678 0 EOF". */
static void holders_name(int fd, struct gt_buf *out)
{
	gt_auto(gt_buf) locks = GT_BUF_INIT;
	gt_autofree char *file = NULL;
	char *save = NULL;
	int found = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	file = gt_strf("%02x:%02x:%" PRIu64, major(st.st_dev), minor(st.st_dev), (uint64_t)st.st_ino);
	gt_error_free(gt_file_read(AT_FDCWD, "/proc/locks", LOCKS_MAX, &locks));
	for (char *line = strtok_r(locks.s, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		gt_auto(gt_strv) words = { 0 };
		char *more = NULL;

		for (char *w = strtok_r(line, " ", &more); w; w = strtok_r(NULL, " ", &more))
			gt_strv_add(&words, w);
		if (words.n < 6 || strcmp(words.v[1], "FLOCK") || strcmp(words.v[5], file))
			continue;
		if (found++ < HOLDERS_MAX)
			holder_name(words.v[4], out);
	}
	if (found > HOLDERS_MAX)
		gt_buf_addf(out, " and %d more", found - HOLDERS_MAX);
}

static struct gt_error *lock_open(struct gt_host *h)
{
	const struct gt_settings *set = gt_config_settings(h->config);
	gt_autofree char *lock = gt_strf("%s/lock", set->root);

	GT_TRY(gt_error_wrap(gt_folder_make(set->root, 0700), "root"));
	GT_TRY(gt_error_wrap(gt_folder_make(set->state, 0711), "state"));
	h->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (h->lock_fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "open %s", lock);
	return NULL;
}

static void lock_close(struct gt_host *h)
{
	close(h->lock_fd);
	h->lock_fd = -1;
}

struct gt_error *gt_folders_prepare(struct gt_host *h)
{
	gt_auto(gt_buf) holder = GT_BUF_INIT;

	if (h->lock_fd >= 0)
		return NULL;
	GT_TRY(lock_open(h));
	if (flock(h->lock_fd, LOCK_SH | LOCK_NB) == 0)
		return NULL;
	holder_read(h->lock_fd, &holder);
	lock_close(h);
	return gt_error_new(GT_UNAVAILABLE, "root %s is held by a daemon%s%s",
			    gt_config_settings(h->config)->root, holder.len ? " at " : "", holder.s);
}

struct gt_error *gt_host_hold(struct gt_host *h, int timeout)
{
	const char *root = gt_config_settings(h->config)->root;
	const struct timespec pause = { .tv_nsec = RETRY_NS };
	int64_t until = gt_now() + timeout * INT64_C(1000000);
	gt_auto(gt_buf) holder = GT_BUF_INIT, programs = GT_BUF_INIT;

	GT_TRY(lock_open(h));
	while (flock(h->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (gt_now() < until && (errno == EWOULDBLOCK || errno == EINTR)) {
			nanosleep(&pause, NULL);
			continue;
		}
		/* What stands there may be a dead daemon's: shared, it is programs that hold the lock. */
		holders_name(h->lock_fd, &programs);
		if (flock(h->lock_fd, LOCK_SH | LOCK_NB) < 0)
			holder_read(h->lock_fd, &holder);
		lock_close(h);
		if (holder.len)
			return gt_error_new(GT_UNAVAILABLE, "root %s is held by a daemon at %s", root,
					    holder.s);
		return gt_error_new(GT_UNAVAILABLE,
				    "root %s is in use by %s, which a daemon cannot share it with: it can start "
				    "when they have ended", root,
				    programs.len ? programs.s : "other programs");
	}
	if (ftruncate(h->lock_fd, 0) < 0) /* what a daemon before left there */
		return gt_error_errno(gt_file_class(errno), errno, "empty the lock of %s", root);
	h->is_daemon = true;
	return NULL;
}

struct gt_error *gt_root_daemon(const struct gt_config *config, int timeout, char **address)
{
	const char *root = gt_config_settings(config)->root;
	const struct timespec pause = { .tv_nsec = RETRY_NS };
	int64_t until = gt_now() + timeout * INT64_C(1000000);
	gt_autofree char *lock = gt_strf("%s/lock", root);
	gt_autofd int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	gt_auto(gt_buf) holder = GT_BUF_INIT;

	*address = NULL;
	/* A daemon that has the lock and no address there is about to serve. */
	while (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0) {
		holder_read(fd, &holder);
		if (holder.len) {
			*address = gt_buf_detach(&holder);
			return NULL;
		}
		if (gt_now() >= until)
			return gt_error_new(GT_UNAVAILABLE,
					    "root %s is held by a daemon that does not serve yet", root);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

void gt_host_set_hooks(struct gt_host *h, const struct gt_host_hooks *hooks)
{
	h->hooks = *hooks;
}

struct gt_error *gt_frontend_announce(const struct gt_init *init, const char *address)
{
	struct gt_host *h = init->host;
	gt_autofree char *line = gt_strf("%s\n", address ? address : "");
	ssize_t len = (ssize_t)strlen(line);

	if (address && h->is_daemon && (pwrite(h->lock_fd, line, len, 0) != len || ftruncate(h->lock_fd, len) < 0))
		return gt_error_errno(gt_file_class(errno), errno, "write %s to the root's lock",
				      address);
	if (h->hooks.ready)
		h->hooks.ready(h->hooks.arg);
	return NULL;
}

int64_t gt_frontend_alive_every(const struct gt_init *init)
{
	return init->host->hooks.alive_every;
}

void gt_frontend_alive(const struct gt_init *init)
{
	if (init->host->hooks.alive)
		init->host->hooks.alive(init->host->hooks.arg);
}
