/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/call.h>

#include <gantry/buf.h>

#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define IDENTIFIER_MAX 76

/* The descriptor is made when somebody asks for it: most calls end before anybody does. */
struct gt_cancel {
	atomic_bool set;
	atomic_int fd;
};

struct gt_cancel *gt_cancel_new(void)
{
	struct gt_cancel *c = gt_xcalloc(1, sizeof(*c));

	atomic_init(&c->fd, -1);
	return c;
}

void gt_cancel_set(struct gt_cancel *c)
{
	int saved = errno, fd;

	atomic_store(&c->set, true);
	fd = atomic_load(&c->fd);
	if (fd >= 0)
		eventfd_write(fd, 1);
	errno = saved;
}

bool gt_cancel_is_set(const struct gt_cancel *c)
{
	return c && atomic_load(&c->set);
}

int gt_cancel_fd(const struct gt_cancel *shared)
{
	struct gt_cancel *c = (struct gt_cancel *)(uintptr_t)shared;
	int fd = atomic_load(&c->fd), none = -1;

	if (fd >= 0)
		return fd;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd >= 0 && !atomic_compare_exchange_strong(&c->fd, &none, fd)) {
		close(fd);
		return none;
	}
	/* Who has set it meanwhile has either seen the descriptor or is seen here. */
	if (fd >= 0 && atomic_load(&c->set))
		eventfd_write(fd, 1);
	return fd;
}

void gt_cancel_free(struct gt_cancel *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

int64_t gt_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

struct gt_error *gt_call_check(const struct gt_call *call)
{
	if (gt_cancel_is_set(call->cancel))
		return gt_error_new(GT_CANCELED, "call canceled");
	if (call->deadline && gt_now() >= call->deadline)
		return gt_error_new(GT_DEADLINE_EXCEEDED, "call took longer than its deadline");
	return NULL;
}

int gt_call_left(const struct gt_call *call, int most)
{
	int64_t left;

	if (!call->deadline)
		return most;
	left = (call->deadline - gt_now() + 999999) / 1000000;
	if (left < 0)
		return 0;
	return left > most ? most : (int)left;
}

struct gt_error *gt_identifier_check(const char *what, const char *id)
{
	size_t len = strlen(id);
	bool separator = true; /* as if one stood in front: the first must be alphanumeric */

	if (len > IDENTIFIER_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "%s \"%.76s...\" is longer than %d characters", what, id,
				    IDENTIFIER_MAX);
	for (const char *p = id; *p; p++) {
		if (isascii(*p) && isalnum((unsigned char)*p)) {
			separator = false;
		} else if (!separator && strchr("._-", *p)) {
			separator = true;
		} else {
			separator = true;
			break;
		}
	}
	if (separator) {
		struct gt_buf b = GT_BUF_INIT;
		struct gt_error *e;

		gt_buf_addq(&b, id);
		e = gt_error_new(GT_INVALID_ARGUMENT,
				 "%s %s must be letters and digits, joined by single '.', '_' or '-'",
				 what, b.s);
		gt_buf_done(&b);
		return e;
	}
	return NULL;
}

struct gt_error *gt_call_namespace(const struct gt_call *call)
{
	if (!call->ns || !*call->ns)
		return gt_error_new(GT_FAILED_PRECONDITION, "namespace is required");
	return gt_identifier_check("namespace", call->ns);
}
