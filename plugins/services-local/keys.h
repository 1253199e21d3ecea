/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of records: a letter for the kind, then the parts, each behind a NUL, so that what belongs
 * together sorts together and a listing is one range:
 *
 *	n NS			namespace
 *	i NS NAME		image
 *	c NS ID			container
 *	p NS ID			sandbox
 *	b NS DIGEST		blob
 *	o NS DIGEST		note of a blob
 *	g NS REF		ingest
 *	s NS SNAPSHOTTER KEY	snapshot
 *	h NS SNAPSHOTTER P C	child: numbers of parent and child, 8 bytes each, big endian
 *	l NS ID			lease
 *	r NS LEASE TYPE ID	what a lease lists
 *	m NS NAME		mounts of the mounts service
 *	z WHAT			the garbage collection's own: see gc-journal.h
 */
#ifndef SERVICES_LOCAL_KEYS_H
#define SERVICES_LOCAL_KEYS_H

#include <gantry/buf.h>
#include <gantry/metadata.h>

#define KEY_NAMESPACE 'n'
#define KEY_IMAGE 'i'
#define KEY_CONTAINER 'c'
#define KEY_SANDBOX 'p'
#define KEY_BLOB 'b'
#define KEY_NOTE 'o'
#define KEY_INGEST 'g'
#define KEY_SNAPSHOT 's'
#define KEY_CHILD 'h'
#define KEY_LEASE 'l'
#define KEY_RESOURCE 'r'
#define KEY_ACTIVATION 'm'
#define KEY_COLLECTION 'z'

/* A scan asks from one byte behind a key. */
#define KEY_MAX (GT_METADATA_KEY_MAX - 1)

/* Sets 'k' to a key of the parts (strings, ended by NULL). INVALID_ARGUMENT if the last is too long. */
GT_MUST_USE struct gt_error *key_set(struct gt_buf *k, int kind, ...)
	__attribute__((sentinel));
/* Sets 'k' to what all keys that begin with these parts, and have more, begin with. */
void key_set_prefix(struct gt_buf *k, int kind, ...) __attribute__((sentinel));
/* Adds a number to a prefix. */
void key_add_number(struct gt_buf *k, uint64_t n);

static inline struct gt_slice key_slice(const struct gt_buf *k)
{
	return (struct gt_slice){ .data = k->s, .len = k->len };
}

#endif
