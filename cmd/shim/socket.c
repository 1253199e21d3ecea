/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED /* the plain functions link without the rest of the library */
#include <config.h>

#include "socket.h"

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/strv.h>

#include <openssl/sha.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define LOCK_TRIES 2000 /* a millisecond each */

/* Joins and cleans as Go's filepath.Join: no empty part, no ".", ".." takes one away. */
static char *join_clean(const char *const *parts, size_t n)
{
	struct gt_strv out = { 0 };
	gt_auto(gt_buf) b = GT_BUF_INIT;
	bool absolute = false, first = true;

	for (size_t i = 0; i < n; i++) {
		struct gt_strv words = { 0 };

		if (!*parts[i])
			continue;
		if (first)
			absolute = parts[i][0] == '/';
		first = false;
		gt_strv_split(&words, parts[i], '/');
		for (size_t k = 0; k < words.n; k++) {
			const char *w = words.v[k];

			if (!*w || !strcmp(w, "."))
				continue;
			if (strcmp(w, "..") != 0 || (!absolute && (!out.n || !strcmp(out.v[out.n - 1],
										       ".."))))
				gt_strv_add(&out, w);
			else if (out.n)
				free(out.v[--out.n]);
		}
		gt_strv_done(&words);
	}
	for (size_t i = 0; i < out.n; i++)
		gt_buf_addf(&b, "%s%s", i || absolute ? "/" : "", out.v[i]);
	if (!b.len && !first)
		gt_buf_addc(&b, absolute ? '/' : '.');
	gt_strv_done(&out);
	return gt_buf_detach(&b);
}

char *socket_path(const char *dir, const char *grpc_address, const char *ns, const char *name)
{
	gt_autofree char *joined = join_clean((const char *const[]){ grpc_address, ns, name }, 3);
	unsigned char digest[SHA256_DIGEST_LENGTH];
	gt_auto(gt_buf) b = GT_BUF_INIT;
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, joined, strlen(joined));
	SHA256_Final(digest, &ctx);
	gt_buf_addf(&b, "%s/", dir);
	for (size_t i = 0; i < sizeof(digest); i++)
		gt_buf_addf(&b, "%02x", digest[i]);
	return gt_buf_detach(&b);
}

static bool answers(const struct sockaddr_un *addr)
{
	gt_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* A backlog that is full is an answer too. */
	return fd >= 0 && (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
			   errno == EAGAIN);
}

/* One who claims at a time; one who was stopped in the middle does not hold up the others for ever. */
static void lock_folder(int fd)
{
	for (int i = 0; i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static struct gt_error *bind_listen(const struct sockaddr_un *addr, int *out)
{
	gt_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "create a socket");
	/* Before bind: so that it is never open to anybody else. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ||
	    chmod(addr->sun_path, 0600) < 0 || listen(fd, SOCKET_BACKLOG) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "listen at %s", addr->sun_path);
	*out = gt_steal_fd(&fd);
	return NULL;
}

void socket_release(const char *address)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = !strncmp(address, "unix://", 7) ? address + 7 : "";
	const char *slash = strrchr(path, '/');
	gt_autofree char *dir = gt_xstrndup(path, slash ? slash - path : 0);
	gt_autofd int dirfd = -1;
	struct stat st;

	if (path[0] != '/' || strlen(path) >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return;
	lock_folder(dirfd);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && !answers(&addr))
		unlink(path);
}

struct gt_error *socket_claim(const char *path, int *fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	gt_autofree char *dir = gt_xstrndup(path, strrchr(path, '/') - path);
	gt_autofree char *shorter = NULL;
	gt_autofd int dirfd = -1;

	GT_TRY(gt_file_mkdirs(dir, 0700));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open folder %s", dir);
	/* What does not fit into an address is reached through its folder; our clients do the same. */
	if (strlen(path) >= sizeof(addr.sun_path) - 1) {
		shorter = gt_strf("/proc/self/fd/%d%s", dirfd, strrchr(path, '/'));
		path = shorter;
	}
	if (strlen(path) >= sizeof(addr.sun_path) - 1)
		return gt_error_new(GT_INVALID_ARGUMENT, "socket name %s is too long", path);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	lock_folder(dirfd);
	if (access(path, F_OK) == 0) {
		if (answers(&addr)) {
			*fd = -1;
			return NULL;
		}
		unlink(path);
	}
	return bind_listen(&addr, fd);
}
