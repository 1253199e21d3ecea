/* SPDX-License-Identifier: Apache-2.0 */
/* A container's figures, read from its cgroup's files; what a kernel does not have is left out. */
#ifndef GANTRY_SHIM_STATS_H
#define GANTRY_SHIM_STATS_H

#include "cgroup.h"

#include <gantry/buf.h>
#include <gantry/strv.h>

#include <protobuf-c/protobuf-c.h>

struct stats {
	const char *type; /* full name of the message */
	uint8_t *data;
	size_t len;
};

void stats_v1(const struct cgroup *g, struct stats *out);
void stats_v2(const struct cgroup *g, struct stats *out);

struct container;
struct shim;

/* False if the container has no cgroup. */
bool stats_of(const struct container *c, struct stats *out);
/* What the figures of all containers are together, without lists; no type where there are none. */
void stats_sum(const struct shim *shim, struct stats *out);
/* Adds each number of 'm' to that of 'sum', a message of the same type. */
void stats_add(ProtobufCMessage *sum, const ProtobufCMessage *m);

/* Sets 'out' to the message. */
void stats_pack(const ProtobufCMessage *m, struct stats *out);

/* One small file; false if it cannot be read. */
bool stats_text(const char *dir, const char *name, struct gt_buf *out);
/* A number at the beginning of 's'; "max" is the largest. */
bool stats_parse(const char *s, uint64_t *out);
/* A file that holds one number. */
bool stats_number(const char *dir, const char *name, uint64_t *out);

/* Lines "name number" go to the uint64_t at 'offset' in a struct. */
struct stats_key {
	const char *name; /* NULL ends the list */
	size_t offset;
};
bool stats_keys(const char *dir, const char *name, const struct stats_key *keys, void *out);

/* The page sizes for which "hugetlb.SIZE<suffix>" exists. */
void stats_hugetlb_sizes(const char *dir, const char *suffix, struct gt_strv *out);

#endif
