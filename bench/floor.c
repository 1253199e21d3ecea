/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor under small calls: one thread that answers each request of h2load with the same frames and looks
 * at nothing but stream numbers. What a call takes here is the client's and the kernel's, not a server's.
 * floor SOCKET
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* SETTINGS, their acknowledgement, and a window for all that a client may send. */
static const unsigned char settings[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0,
					  0, 0, 0, 4, 1, 0, 0, 0, 0,
					  0, 0, 4, 8, 0, 0, 0, 0, 0, 0x3f, 0, 0, 0 };
/* HEADERS (:status 200, content-type), DATA with an empty message, trailers (grpc-status 0). */
static unsigned char answer[] = "\0\0\x2e\1\4____\x88\0\14content-type\20application/grpc"
				"\0\0\5\0\0____\0\0\0\0\0"
				"\0\0\17\1\5____\0\13grpc-status\0010";

static void stream_set(unsigned char *frame, const unsigned char *id)
{
	memcpy(frame + 5, id, 4);
}

/* The frames that have come whole; how many bytes they are. */
static size_t answer_all(int fd, const unsigned char *in, size_t len)
{
	const size_t head = 9 + 32, data = 9 + 5;
	size_t at = 0;

	answer[2] = 32;
	while (len - at >= 9) {
		const unsigned char *f = in + at;
		size_t n = (size_t)f[0] << 16 | f[1] << 8 | f[2];

		if (len - at < 9 + n)
			break;
		at += 9 + n;
		if (f[3] != 0 || !(f[4] & 1)) /* DATA with END_STREAM */
			continue;
		stream_set(answer, f + 5);
		stream_set(answer + head, f + 5);
		stream_set(answer + head + data, f + 5);
		if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
			break;
	}
	return at;
}

int main(int argc, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0), ep = epoll_create1(0), fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(sa.sun_path))
		return 2;
	strcpy(sa.sun_path, argv[1]);
	unlink(argv[1]);
	if (bind(s, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(s, 8) < 0)
		return 1;
	while ((fd = accept(s, NULL, NULL)) >= 0) { /* one client at a time */
		struct epoll_event ev = { .events = EPOLLIN };
		unsigned char in[65536];
		size_t len = 0, used;
		ssize_t n;

		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
		send(fd, settings, sizeof(settings), MSG_NOSIGNAL);
		while (epoll_wait(ep, &ev, 1, -1) > 0 && (n = recv(fd, in + len, sizeof(in) - len, 0)) > 0) {
			len += (size_t)n;
			used = len >= 24 && !memcmp(in, "PRI ", 4) ? 24 : 0;
			used += answer_all(fd, in + used, len - used);
			memmove(in, in + used, len - used);
			len -= used;
		}
		close(fd);
	}
	return 0;
}
