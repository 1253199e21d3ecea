/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tree.h"

#include <gantry/buf.h>

#include <errno.h>

/*
 * Inode numbers seen so far that have more than one name: an open hash table; 0 is an empty slot.
 */
struct seen {
	ino_t *slots;
	size_t n, size; /* size: a power of two, or 0 */
};

struct count {
	const struct gt_call *call;
	struct gt_usage total;
	struct seen links;
};

static size_t slot_of(const struct seen *s, ino_t ino)
{
	size_t i = (size_t)(((uint64_t)ino * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (s->size - 1);

	while (s->slots[i] && s->slots[i] != ino)
		i = (i + 1) & (s->size - 1);
	return i;
}

static void seen_grow(struct seen *s)
{
	struct seen larger = { .n = s->n, .size = s->size ? 2 * s->size : 256 };

	larger.slots = gt_xcalloc(larger.size, sizeof(*larger.slots));
	for (size_t i = 0; i < s->size; i++)
		if (s->slots[i])
			larger.slots[slot_of(&larger, s->slots[i])] = s->slots[i];
	free(s->slots);
	*s = larger;
}

/* Whether it was there already. */
static bool seen_before(struct seen *s, ino_t ino)
{
	size_t i;

	if (2 * s->n >= s->size)
		seen_grow(s);
	i = slot_of(s, ino);
	if (s->slots[i])
		return true;
	s->slots[i] = ino;
	s->n++;
	return false;
}

static void add(struct count *c, const struct stat *st)
{
	c->total.inodes++;
	c->total.size += (int64_t)st->st_blocks * 512;
}

static struct gt_error *count_file(void *arg, int dirfd, const char *name, const struct stat *st)
{
	struct count *c = arg;

	(void)dirfd;
	(void)name;
	if (st->st_nlink < 2 || !seen_before(&c->links, st->st_ino))
		add(c, st);
	return NULL;
}

static struct gt_error *count_folder(void *arg, int fd, const char *name, const struct stat *st)
{
	struct count *c = arg;

	(void)fd;
	(void)name;
	add(c, st);
	return gt_call_check(c->call);
}

struct gt_error *gt_tree_usage(int fd, const struct gt_call *call, struct gt_usage *out)
{
	static const struct gt_tree_visitor visitor = { .file = count_file, .enter = count_folder };
	struct count c = { .call = call };
	struct gt_error *e;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "stat the top of a tree");
	add(&c, &st);
	e = gt_tree_walk(fd, &visitor, &c);
	free(c.links.slots);
	if (!e)
		*out = c.total;
	return e;
}
