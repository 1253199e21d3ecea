/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SDK's plain values as containerd's messages, and back. gt_wire_x() makes a message in an arena,
 * which borrows from the value; gt_wire_x_get() makes a value that owns what it holds.
 */
#ifndef GANTRY_LIB_WIRE_VALUES_H
#define GANTRY_LIB_WIRE_VALUES_H

#include <wire/arena.h>

#include <gantry/any.h>
#include <gantry/api-containers.h>
#include <gantry/buf.h>
#include <gantry/descriptor.h>
#include <gantry/mount.h>

#include "containerd.types.pb-c.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/field_mask.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

#include <time.h>

/* Adds the message's bytes to 'out'. */
void gt_wire_pack(const ProtobufCMessage *m, struct gt_buf *out);
/* INVALID_ARGUMENT for bytes that are no such message. The caller gt_wire_free()s '*out'. */
GT_MUST_USE struct gt_error *gt_wire_unpack(const ProtobufCMessageDescriptor *type,
					    const void *data, size_t len, ProtobufCMessage **out);
void gt_wire_free(ProtobufCMessage *m);

/* A message that gt_wire_unpack() made, freed at the end of the scope. */
static inline void gt_wire_freep(ProtobufCMessage **m)
{
	gt_wire_free(*m);
}
#define gt_autowire __attribute__((cleanup(gt_wire_freep)))

/* A string for a message, which cannot hold NULL. */
char *gt_wire_string(const char *s);

/* A time that is not set (both 0) is Go's on the wire: the year 1. Read, that and none are not set. */
Google__Protobuf__Timestamp *gt_wire_time(struct gt_arena *a, const struct timespec *t);
struct timespec gt_wire_time_get(const Google__Protobuf__Timestamp *t);

/* NULL for no value at all. */
Google__Protobuf__Any *gt_wire_any(struct gt_arena *a, const struct gt_any *any);
/* '*out' must be empty. */
void gt_wire_any_get(const Google__Protobuf__Any *m, struct gt_any *out);

/* A message as an Any under its bare name, as containerd writes it. */
void gt_wire_any_pack(const ProtobufCMessage *m, struct gt_any *out);
/* INVALID_ARGUMENT if 'any' is not of that type or broken. The caller gt_wire_free()s '*out'. */
GT_MUST_USE struct gt_error *gt_wire_any_unpack(const struct gt_any *any,
						const ProtobufCMessageDescriptor *type,
						ProtobufCMessage **out);

/* Sets the field 'name', a map of strings, of 'm'; aborts if 'm' has no such field. */
void gt_wire_labels(struct gt_arena *a, ProtobufCMessage *m, const char *name,
		    const struct gt_labels *l);
/* Adds what the map holds to 'out'. */
void gt_wire_labels_get(const ProtobufCMessage *m, const char *name, struct gt_labels *out);

/* The same for a map of Anys; '*v' is an array of '*n', sorted by name. */
void gt_wire_extensions(struct gt_arena *a, ProtobufCMessage *m, const char *name,
			const struct gt_extension *v, size_t n);
void gt_wire_extensions_get(const ProtobufCMessage *m, const char *name, struct gt_extension **v,
			    size_t *n);

/* urls, platform and artifact type have no place in containerd's message. '*out' must be empty. */
Containerd__Types__Descriptor *gt_wire_descriptor(struct gt_arena *a,
						  const struct gt_descriptor *d);
void gt_wire_descriptor_get(const Containerd__Types__Descriptor *m, struct gt_descriptor *out);

Containerd__Types__Mount **gt_wire_mounts(struct gt_arena *a, const struct gt_mounts *mounts,
					  size_t *n);
void gt_wire_mounts_get(Containerd__Types__Mount *const *v, size_t n, struct gt_mounts *out);

/* "linux/arm64/v8" as a message, and back as a new string: "" for none. */
Containerd__Types__Platform *gt_wire_platform(struct gt_arena *a, const char *platform);
char *gt_wire_platform_get(const Containerd__Types__Platform *m);

/* NULL for none. */
Google__Protobuf__FieldMask *gt_wire_mask(struct gt_arena *a, const struct gt_strv *mask);
void gt_wire_mask_get(const Google__Protobuf__FieldMask *m, struct gt_strv *out);

#endif
