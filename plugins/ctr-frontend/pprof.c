/* SPDX-License-Identifier: Apache-2.0 */
/* `pprof`: what a daemon's debug socket says. Go's profiles from containerd, what comes nearest from gantryd. */
#include <config.h>

#include "commands.h"

#include <gantry/file.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX (256 * 1024 * 1024)
#define PATIENCE_NS INT64_C(10000000000) /* besides the time that a profile is to take */

static struct gt_error *debug_connect(const char *path, int *out)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	gt_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(a.sun_path))
		return ctr_usage_error("--debug-socket is longer than %zu bytes", sizeof(a.sun_path) - 1);
	strcpy(a.sun_path, path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return gt_error_errno(GT_UNAVAILABLE, errno,
				      "connect to the debug socket %s (gantryd has one where "
				      "metrics-frontend.debug_address says so)",
				      path);
	*out = gt_steal_fd(&fd);
	return NULL;
}

static struct gt_error *answer_read(const struct gt_call *call, int fd, struct gt_buf *out)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	for (;;) {
		GT_TRY(gt_call_check(call));
		if (poll(&p, 1, gt_call_left(call, 1000)) < 1)
			continue;
		gt_buf_reserve(out, 65536);
		n = read(fd, out->s + out->len, 65536);
		if (n == 0)
			return NULL;
		if (n < 0 && errno != EINTR)
			return gt_error_errno(GT_UNAVAILABLE, errno, "read from the debug socket");
		if (n > 0)
			gt_buf_setlen(out, out->len + (size_t)n);
		if (out->len > ANSWER_MAX)
			return gt_error_new(GT_RESOURCE_EXHAUSTED, "the answer has more than %d bytes",
					    ANSWER_MAX);
	}
}

/* HTTP/1.0: the answer's end is the connection's. */
static struct gt_error *debug_get(const struct gt_call *call, const char *path, const char *what,
				  struct gt_buf *out, size_t *body)
{
	gt_autofree char *request = gt_strf("GET %s HTTP/1.0\r\nHost: debug\r\n\r\n", what);
	gt_autofd int fd = -1;
	const char *end;

	GT_TRY(debug_connect(path, &fd));
	GT_TRY(gt_file_write_all(fd, request, strlen(request), path));
	GT_TRY(answer_read(call, fd, out));
	end = memmem(out->s, out->len, "\r\n\r\n", 4);
	if (!end || strncmp(out->s, "HTTP/1.", 7) != 0)
		return gt_error_new(GT_DATA_LOSS, "what %s answers is no HTTP", path);
	*body = (size_t)(end - out->s) + 4;
	if (strncmp(out->s + strcspn(out->s, " "), " 200", 4) != 0)
		return gt_error_new(GT_UNKNOWN, "http get failed with status: %.*s: %.500s",
				    (int)strcspn(out->s + 9, "\r\n"), out->s + 9, out->s + *body);
	return NULL;
}

static struct gt_error *run_pprof(struct ctr *c)
{
	const char *name = c->command->name;
	bool timed = !strcmp(name, "profile") || !strcmp(name, "trace");
	int64_t seconds = timed ? ctr_duration(c, "seconds") / 1000000000 : 0;
	gt_autofree char *what = NULL;
	gt_auto(gt_buf) answer = GT_BUF_INIT;
	struct gt_call call = c->call;
	size_t body = 0;

	if (!strcmp(name, "goroutines"))
		name = "goroutine";
	what = timed ? gt_strf("/debug/pprof/%s?seconds=%" PRId64 "&debug=%" PRIu64, name, seconds,
			       ctr_uint(c, "debug"))
		     : gt_strf("/debug/pprof/%s?debug=%" PRIu64, name, ctr_uint(c, "debug"));
	if (!call.deadline)
		call.deadline = gt_now() + PATIENCE_NS + seconds * 1000000000;
	GT_TRY(debug_get(&call, ctr_string(c, "debug-socket"), what, &answer, &body));
	fwrite(answer.s + body, 1, answer.len - body, c->out);
	return NULL;
}

#define DEBUG_FLAG(def)                                                                           \
	{ .name = "debug", .type = CTR_UINT, .value = def, .text = "how much of it as text" }

static const struct ctr_flag debug_flags[] = { DEBUG_FLAG("0"), { 0 } };
static const struct ctr_flag stack_flags[] = { DEBUG_FLAG("2"), { 0 } };
static const struct ctr_flag profile_flags[] = {
	{ .name = "seconds", .alias = "s", .type = CTR_DURATION, .value = "30s", .text = "how long it is made" },
	{ 0 },
};
static const struct ctr_flag trace_flags[] = {
	{ .name = "seconds", .alias = "s", .type = CTR_DURATION, .value = "5s", .text = "how long it is made" },
	{ 0 },
};
static const struct ctr_flag socket_flags[] = {
	{ .name = "debug-socket",
	  .alias = "d",
	  .type = CTR_STRING,
	  .value = "/run/containerd/debug.sock",
	  .text = "the daemon's debug socket" },
	{ 0 },
};

#define PROFILE(word, said, flags_, more)                                                         \
	static const struct ctr_command word##_profile = {                                         \
		.name = #word,                                                                     \
		.text = said,                                                                      \
		.flags = (const struct ctr_flag *const[]){ flags_, more, NULL },                   \
		.run = run_pprof,                                                                  \
	}
PROFILE(block, "print where goroutines wait", debug_flags, NULL);
PROFILE(goroutines, "print the goroutines; gantryd's threads", stack_flags, NULL);
PROFILE(heap, "print what memory is used for", debug_flags, NULL);
PROFILE(profile, "print a profile of processor time", debug_flags, profile_flags);
PROFILE(threadcreate, "print what made threads; gantryd's threads", debug_flags, NULL);
PROFILE(trace, "print a trace of the execution", debug_flags, trace_flags);

const struct ctr_command ctr_pprof = {
	.name = "pprof",
	.text = "what a daemon's debug socket tells of its inside",
	.flags = (const struct ctr_flag *const[]){ socket_flags, NULL },
	.commands =
		(const struct ctr_command *const[]){ &block_profile, &goroutines_profile,
						     &heap_profile, &profile_profile,
						     &threadcreate_profile, &trace_profile, NULL },
};
