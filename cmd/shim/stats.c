/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "stats.h"

#include "task.h"

#include <gantry/file.h>

#include <io.containerd.cgroups.v1.pb-c.h>
#include <io.containerd.cgroups.v2.pb-c.h>

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define FILE_MAX 65536

bool stats_text(const char *dir, const char *name, struct gt_buf *out)
{
	gt_autofree char *path = gt_strf("%s/%s", dir, name);
	gt_autoptr(gt_error) e = gt_file_read(AT_FDCWD, path, FILE_MAX, out);

	return !e;
}

bool stats_parse(const char *s, uint64_t *out)
{
	uint64_t n = 0;

	if (!strncmp(s, "max", 3)) {
		*out = UINT64_MAX;
		return true;
	}
	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *s - '0', &n))
			n = UINT64_MAX;
	*out = n;
	return true;
}

bool stats_number(const char *dir, const char *name, uint64_t *out)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	return stats_text(dir, name, &text) && stats_parse(text.s, out);
}

bool stats_keys(const char *dir, const char *name, const struct stats_key *keys, void *out)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	char *line, *rest;

	if (!stats_text(dir, name, &text))
		return false;
	for (line = strtok_r(text.s, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *space = strchr(line, ' ');

		if (!space)
			continue;
		*space = '\0';
		for (const struct stats_key *k = keys; k->name; k++)
			if (!strcmp(k->name, line))
				stats_parse(space + 1, (uint64_t *)(void *)((char *)out + k->offset));
	}
	return true;
}

void stats_hugetlb_sizes(const char *dir, const char *suffix, struct gt_strv *out)
{
	static const char prefix[] = "hugetlb.";
	DIR *d = opendir(dir);
	struct dirent *ent;

	while (d && (ent = readdir(d))) {
		size_t len = strlen(ent->d_name), n = strlen(suffix), p = sizeof(prefix) - 1;
		const char *end = len > n + p ? ent->d_name + len - n : NULL;

		if (!end || strncmp(ent->d_name, prefix, p) != 0 || strcmp(end, suffix) != 0 ||
		    memchr(ent->d_name + p, '.', end - ent->d_name - p))
			continue;
		gt_strv_add_take(out, gt_xstrndup(ent->d_name + p, end - ent->d_name - p));
	}
	if (d)
		closedir(d);
}

void stats_pack(const ProtobufCMessage *m, struct stats *out)
{
	out->type = m->descriptor->name;
	out->len = protobuf_c_message_get_packed_size(m);
	out->data = gt_xmalloc(out->len);
	protobuf_c_message_pack(m, out->data);
}

bool stats_of(const struct container *c, struct stats *out)
{
	if (!c->cgroup.list)
		return false;
	if (c->cgroup.unified)
		stats_v2(&c->cgroup, out);
	else
		stats_v1(&c->cgroup, out);
	return true;
}

static void number_add(uint64_t *sum, uint64_t n)
{
	if (__builtin_add_overflow(*sum, n, sum))
		*sum = UINT64_MAX; /* as "max" is */
}

void stats_add(ProtobufCMessage *sum, const ProtobufCMessage *m)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		void *to = (char *)sum + f->offset;
		const void *from = (const char *)m + f->offset;

		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			continue;
		if (f->type == PROTOBUF_C_TYPE_UINT64) {
			number_add(to, *(const uint64_t *)from);
		} else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
			const ProtobufCMessage *part = *(ProtobufCMessage *const *)from;
			ProtobufCMessage **whole = to;

			if (part && !*whole)
				*whole = protobuf_c_message_unpack(part->descriptor, NULL, 0, NULL);
			if (part && *whole)
				stats_add(*whole, part);
		}
	}
}

void stats_sum(const struct shim *shim, struct stats *out)
{
	ProtobufCMessage *sum = NULL;

	for (const struct container *c = shim->containers; c; c = c->next) {
		const ProtobufCMessageDescriptor *type =
			c->cgroup.unified ? &io__containerd__cgroups__v2__metrics__descriptor
					  : &io__containerd__cgroups__v1__metrics__descriptor;
		struct stats s = { 0 };
		ProtobufCMessage *m;

		if (!stats_of(c, &s))
			continue;
		m = protobuf_c_message_unpack(type, NULL, s.len, s.data);
		free(s.data);
		if (!sum)
			sum = protobuf_c_message_unpack(type, NULL, 0, NULL);
		if (m && sum && sum->descriptor == type)
			stats_add(sum, m);
		if (m)
			protobuf_c_message_free_unpacked(m, NULL);
	}
	if (!sum)
		return;
	stats_pack(sum, out);
	protobuf_c_message_free_unpacked(sum, NULL);
}

void task_stats(struct container *c, struct gt_ttrpc_call *call)
{
	Containerd__Task__V2__StatsResponse m = CONTAINERD__TASK__V2__STATS_RESPONSE__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct stats s = { 0 };

	if (!stats_of(c, &s)) {
		gt_ttrpc_answer_error_take(call, gt_error_new(GT_NOT_FOUND, "cgroup does not exist"));
		return;
	}
	any.type_url = (char *)s.type;
	any.value = (ProtobufCBinaryData){ .len = s.len, .data = s.data };
	m.stats = &any;
	gt_ttrpc_answer(call, &m.base);
	free(s.data);
}
