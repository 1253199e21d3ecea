/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owners that clean up when they go out of scope, declared where they are born. A value leaves its
 * owner by gt_steal(). Built on gcc's and clang's cleanup attribute.
 */
#ifndef GANTRY_CLEANUP_H
#define GANTRY_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

/* Calls <type>_done(&variable) at the end of the scope: gt_auto(gt_buf) b = GT_BUF_INIT; */
#define gt_auto(type) struct type __attribute__((cleanup(type##_done), unused))

/* Calls <type>_free(pointer) at the end of the scope: gt_autoptr(gt_error) e = NULL; */
#define gt_autoptr(type) struct type *__attribute__((cleanup(type##_freep), unused))

/* Declares what gt_autoptr(type) needs: a <type>_free() that takes NULL must exist. */
#define GT_DEFINE_AUTOPTR(type)                                                                   \
	static inline void type##_freep(struct type **p)                                           \
	{                                                                                          \
		type##_free(*p);                                                                   \
	}

static inline void gt_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void gt_cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define gt_autofree __attribute__((cleanup(gt_cleanup_free)))
#define gt_autofd __attribute__((cleanup(gt_cleanup_fd)))

/* Hands over what a pointer owns and leaves NULL behind. */
#define gt_steal(pp)                                                                              \
	({                                                                                         \
		__typeof__(pp) gt_steal_pp = (pp);                                                 \
		__typeof__(*gt_steal_pp) gt_steal_v = *gt_steal_pp;                                \
		*gt_steal_pp = NULL;                                                               \
		gt_steal_v;                                                                        \
	})

/* The same for a file descriptor; leaves -1 behind. */
static inline int gt_steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

#endif
