/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors are objects. A function that can fail returns a struct gt_error *, and NULL is success; the
 * caller owns the object and must look at it. An error has one of gRPC's classes, a message and a
 * chain of causes. The message says what was tried and on what, without "failed to" and without a
 * full stop; the chain prints as "outer: inner: strerror".
 */
#ifndef GANTRY_ERROR_H
#define GANTRY_ERROR_H

#include <gantry/cleanup.h>

#include <stdarg.h>

/* X(NAME, gRPC's number, containerd's words for it) */
#define GT_ERROR_CLASSES(X)                                                                       \
	X(CANCELED, 1, "context canceled")                                                         \
	X(UNKNOWN, 2, "unknown")                                                                   \
	X(INVALID_ARGUMENT, 3, "invalid argument")                                                 \
	X(DEADLINE_EXCEEDED, 4, "context deadline exceeded")                                       \
	X(NOT_FOUND, 5, "not found")                                                               \
	X(ALREADY_EXISTS, 6, "already exists")                                                     \
	X(PERMISSION_DENIED, 7, "permission denied")                                               \
	X(RESOURCE_EXHAUSTED, 8, "resource exhausted")                                             \
	X(FAILED_PRECONDITION, 9, "failed precondition")                                           \
	X(ABORTED, 10, "aborted")                                                                  \
	X(OUT_OF_RANGE, 11, "out of range")                                                        \
	X(UNIMPLEMENTED, 12, "not implemented")                                                    \
	X(INTERNAL, 13, "internal")                                                                \
	X(UNAVAILABLE, 14, "unavailable")                                                          \
	X(DATA_LOSS, 15, "data loss")                                                              \
	X(UNAUTHENTICATED, 16, "unauthenticated")

enum gt_class {
	GT_OK = 0,
#define X(name, number, text) GT_##name = number,
	GT_ERROR_CLASSES(X)
#undef X
};

struct gt_error;

#define GT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define GT_MUST_USE __attribute__((warn_unused_result))

/* A new error. Never returns NULL: running out of memory for it aborts. */
GT_MUST_USE struct gt_error *gt_error_new(enum gt_class cls, const char *fmt, ...) GT_PRINTF(2, 3);

/* A new error whose cause is strerror(err). 'cls' is the caller's choice: errno never picks it. */
GT_MUST_USE struct gt_error *gt_error_errno(enum gt_class cls, int err, const char *fmt, ...)
	GT_PRINTF(3, 4);

/* Puts a message in front of 'e', which it takes; the class stays. NULL stays NULL. */
GT_MUST_USE struct gt_error *gt_error_wrap(struct gt_error *e, const char *fmt, ...)
	GT_PRINTF(2, 3);

/* The same with another class, for who knows better than the one below. NULL stays NULL. */
GT_MUST_USE struct gt_error *gt_error_reclass(struct gt_error *e, enum gt_class cls);

/* Keeps the first of two errors: takes both, frees 'second' if 'first' is set. */
GT_MUST_USE struct gt_error *gt_error_first(struct gt_error *first, struct gt_error *second);

/* The class of 'e'; GT_OK for NULL. */
enum gt_class gt_error_class(const struct gt_error *e);

/* The whole chain as one line. Belongs to 'e' and lives as long. "" for NULL. */
const char *gt_error_text(const struct gt_error *e);

/* "NOT_FOUND" and the like; "OK" for 0, "UNKNOWN" for a number that is no class. */
const char *gt_class_name(enum gt_class cls);

/* containerd's words for a class, as its messages end in them: "not found". */
const char *gt_class_text(enum gt_class cls);

/* Frees the chain. NULL is fine. */
void gt_error_free(struct gt_error *e);
GT_DEFINE_AUTOPTR(gt_error)

/* Frees 'e' if its class is 'cls' and returns NULL; returns any other error as it is. */
GT_MUST_USE static inline struct gt_error *gt_error_unless(struct gt_error *e, enum gt_class cls)
{
	if (gt_error_class(e) != cls)
		return e;
	gt_error_free(e);
	return NULL;
}

/* Returns from the calling function if 'expr' is an error. The only macro here that returns. */
#define GT_TRY(expr)                                                                              \
	do {                                                                                       \
		struct gt_error *gt_try_e = (expr);                                                \
		if (gt_try_e)                                                                      \
			return gt_try_e;                                                           \
	} while (0)

#endif
