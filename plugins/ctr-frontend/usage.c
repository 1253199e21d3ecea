/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "usage.h"

#include <io.containerd.cgroups.v1.pb-c.h>
#include <io.containerd.cgroups.v2.pb-c.h>

#include <strings.h>

#define NO_LIMIT (UINT64_C(1) << 60) /* what the kernel calls a limit that nobody has set is more */

static void read_v1(const Io__Containerd__Cgroups__V1__Metrics *m, struct ctr_usage *out)
{
	if (m->cpu && m->cpu->usage)
		out->cpu_ns = m->cpu->usage->total;
	if (m->memory && m->memory->usage) {
		out->memory = m->memory->usage->usage;
		out->memory_limit = m->memory->usage->limit;
	}
	if (m->pids)
		out->pids = m->pids->current;
	for (size_t i = 0; m->blkio && i < m->blkio->n_io_service_bytes_recursive; i++) {
		const Io__Containerd__Cgroups__V1__BlkIOEntry *e =
			m->blkio->io_service_bytes_recursive[i];

		if (!strcasecmp(e->op, "read"))
			out->read += e->value;
		else if (!strcasecmp(e->op, "write"))
			out->written += e->value;
	}
}

static void read_v2(const Io__Containerd__Cgroups__V2__Metrics *m, struct ctr_usage *out)
{
	if (m->cpu)
		out->cpu_ns = m->cpu->usage_usec * 1000;
	if (m->memory) {
		out->memory = m->memory->usage;
		out->memory_limit = m->memory->usage_limit;
	}
	if (m->pids)
		out->pids = m->pids->current;
	for (size_t i = 0; m->io && i < m->io->n_usage; i++) {
		out->read += m->io->usage[i]->rbytes;
		out->written += m->io->usage[i]->wbytes;
	}
}

struct gt_error *ctr_usage_read(const struct gt_any *metrics, struct ctr_usage *out)
{
	bool v1 = gt_any_is(metrics, "io.containerd.cgroups.v1.Metrics");
	const ProtobufCMessageDescriptor *type =
		v1 ? &io__containerd__cgroups__v1__metrics__descriptor :
		     &io__containerd__cgroups__v2__metrics__descriptor;
	ProtobufCMessage *m;

	*out = (struct ctr_usage){ 0 };
	if (!v1 && !gt_any_is(metrics, "io.containerd.cgroups.v2.Metrics"))
		return gt_error_new(GT_UNKNOWN, "cannot convert metric data to cgroups.Metrics");
	m = protobuf_c_message_unpack(type, NULL, metrics->len, metrics->data);
	if (!m)
		return gt_error_new(GT_DATA_LOSS, "metrics are no %s", type->name);
	if (v1)
		read_v1((const Io__Containerd__Cgroups__V1__Metrics *)m, out);
	else
		read_v2((const Io__Containerd__Cgroups__V2__Metrics *)m, out);
	protobuf_c_message_free_unpacked(m, NULL);
	if (out->memory_limit >= NO_LIMIT)
		out->memory_limit = 0;
	return NULL;
}
