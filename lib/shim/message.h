/* SPDX-License-Identifier: Apache-2.0 */
/* The SDK's structs as the messages that shims speak, and back. */
#ifndef GANTRY_LIB_SHIM_MESSAGE_H
#define GANTRY_LIB_SHIM_MESSAGE_H

#include <gantry/any.h>
#include <gantry/mount.h>

#include <containerd.types.pb-c.h>
#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <time.h>

/* '*m' borrows from 'a'. */
void gt_shim_any_message(const struct gt_any *a, Google__Protobuf__Any *m);
void gt_shim_any_read(const Google__Protobuf__Any *m, struct gt_any *out);

/* Both 0 where there is no time: absent, or Go's year 1. */
struct timespec gt_shim_time(const Google__Protobuf__Timestamp *t);

/* An array of messages that borrow from 'mounts'; freed by gt_shim_mounts_free(). */
Containerd__Types__Mount **gt_shim_mounts_message(const struct gt_mounts *mounts);
void gt_shim_mounts_free(Containerd__Types__Mount **v);

/* For a string field: never NULL. */
static inline char *gt_shim_string(const char *s)
{
	return (char *)(s ? s : "");
}

#endif
