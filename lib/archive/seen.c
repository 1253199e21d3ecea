/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/seen.h>

#include <gantry/buf.h>

uint64_t layer_seen_hash(uint64_t folder, const char *name, size_t len)
{
	uint64_t h = folder ^ 0x2f;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	h ^= h >> 32;
	return h ? h : 1;
}

static void insert(struct layer_seen *s, uint64_t hash)
{
	size_t i = hash & (s->size - 1);

	while (s->slots[i] && s->slots[i] != hash)
		i = (i + 1) & (s->size - 1);
	s->n += !s->slots[i];
	s->slots[i] = hash;
}

void layer_seen_add(struct layer_seen *s, uint64_t hash)
{
	if (2 * (s->n + 1) > s->size) {
		struct layer_seen old = *s;

		*s = (struct layer_seen){ .size = old.size ? 2 * old.size : 4096 };
		s->slots = gt_xcalloc(s->size, sizeof(*s->slots));
		for (size_t i = 0; i < old.size; i++)
			if (old.slots[i])
				insert(s, old.slots[i]);
		layer_seen_done(&old);
	}
	insert(s, hash);
}

bool layer_seen_has(const struct layer_seen *s, uint64_t hash)
{
	size_t i = hash & (s->size - 1);

	if (!s->size)
		return false;
	while (s->slots[i] && s->slots[i] != hash)
		i = (i + 1) & (s->size - 1);
	return s->slots[i] == hash;
}

void layer_seen_done(struct layer_seen *s)
{
	free(s->slots);
	s->slots = NULL;
	s->n = s->size = 0;
}
