/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/socket.h>

#include <gantry/buf.h>
#include <gantry/hash.h>
#include <gantry/strv.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
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

char *gt_shim_socket_path(const char *dir, const char *grpc_address, const char *ns, const char *name)
{
	gt_autofree char *joined = join_clean((const char *const[]){ grpc_address, ns, name }, 3);
	gt_autofree char *digest = gt_digest_of(joined, strlen(joined));

	return gt_strf("%s/%s", dir, gt_digest_hex(digest));
}

bool gt_shim_socket_address(const char *path, int folder, struct sockaddr_un *out)
{
	gt_autofree char *shorter = NULL;

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(out->sun_path) - 1) {
		shorter = gt_strf("/proc/self/fd/%d%s", folder, strrchr(path, '/'));
		path = shorter;
	}
	if (strlen(path) >= sizeof(out->sun_path) - 1)
		return false;
	memcpy(out->sun_path, path, strlen(path) + 1);
	return true;
}

bool gt_shim_socket_answers(const struct sockaddr_un *addr)
{
	gt_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* Without a descriptor to ask with, nothing is known; a backlog that is full is an answer too. */
	return fd < 0 || connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
	       errno == EAGAIN;
}

void gt_shim_socket_lock(int folder)
{
	for (int i = 0; i < LOCK_TRIES && flock(folder, LOCK_EX | LOCK_NB) < 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

void gt_shim_socket_release(const char *address)
{
	const char *path = !strncmp(address, "unix://", 7) ? address + 7 : "";
	const char *slash = strrchr(path, '/');
	gt_autofree char *dir = gt_xstrndup(path, slash ? slash - path : 0);
	gt_autofd int folder = -1;
	struct sockaddr_un addr;
	struct stat st;

	if (path[0] != '/' || lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || !gt_shim_socket_address(path, folder, &addr))
		return;
	gt_shim_socket_lock(folder);
	if (!gt_shim_socket_answers(&addr))
		unlink(path);
}
