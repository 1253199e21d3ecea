/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/kind.h"

#include <gantry/api-activations.h>
#include <gantry/api-blobs.h>
#include <gantry/api-containers.h>
#include <gantry/api-controllers.h>
#include <gantry/api-diffs.h>
#include <gantry/api-images.h>
#include <gantry/api-introspection.h>
#include <gantry/api-leases.h>
#include <gantry/api-namespaces.h>
#include <gantry/api-sandboxes.h>
#include <gantry/api-snapshots.h>
#include <gantry/api-stream.h>
#include <gantry/api-system.h>
#include <gantry/api-tasks.h>
#include <gantry/buf.h>
#include <gantry/content.h>
#include <gantry/differ.h>
#include <gantry/frontend.h>
#include <gantry/metadata.h>
#include <gantry/resolver.h>
#include <gantry/runtime.h>
#include <gantry/sandboxer.h>
#include <gantry/services.h>
#include <gantry/snapshotter.h>

#include <string.h>

#define OP(kind, member) { #member, offsetof(struct gt_##kind##_ops, member) }

static const struct gt_required_op content_required[] = {
	OP(content, open),   OP(content, close),  OP(content, info),   OP(content, reader),
	OP(content, writer), OP(content, remove), OP(content, walk),   OP(content, status),
	OP(content, abort),  OP(content, walk_ingests), { 0 }
};
static const struct gt_required_op snapshotter_required[] = {
	OP(snapshotter, open),	 OP(snapshotter, close), OP(snapshotter, stat),
	OP(snapshotter, prepare), OP(snapshotter, view),  OP(snapshotter, mounts),
	OP(snapshotter, commit), OP(snapshotter, remove), OP(snapshotter, walk), { 0 }
};
static const struct gt_required_op differ_required[] = {
	OP(differ, open), OP(differ, close), OP(differ, apply), { 0 }
};
static const struct gt_required_op metadata_required[] = {
	OP(metadata, open), OP(metadata, close), OP(metadata, update), OP(metadata, view),
	OP(metadata, get),  OP(metadata, put),	 OP(metadata, remove), OP(metadata, seek), { 0 }
};
static const struct gt_required_op runtime_required[] = {
	OP(runtime, open),  OP(runtime, close), OP(runtime, create), OP(runtime, start),
	OP(runtime, remove), OP(runtime, state), OP(runtime, kill),   OP(runtime, wait),
	OP(runtime, walk), { 0 }
};
static const struct gt_required_op services_required[] = {
	OP(services, open), OP(services, close), { 0 }
};
static const struct gt_required_op frontend_required[] = {
	OP(frontend, open), OP(frontend, close), OP(frontend, run), { 0 }
};
static const struct gt_required_op resolver_required[] = {
	OP(resolver, open), OP(resolver, close), OP(resolver, resolve), OP(resolver, fetch), { 0 }
};
static const struct gt_required_op sandboxer_required[] = {
	OP(sandboxer, open), OP(sandboxer, close), OP(sandboxer, create), OP(sandboxer, start),
	OP(sandboxer, stop), OP(sandboxer, wait),  OP(sandboxer, status), OP(sandboxer, shutdown),
	{ 0 }
};

const struct gt_kind_facts *gt_kind_facts(enum gt_kind kind)
{
	static const struct gt_kind_facts facts[GT_KIND_COUNT] = {
#define X(NAME, name_, key_, type_)                                                               \
	[GT_##NAME] = { .name = #name_, .key = key_, .type = type_,                                \
			.ops_size = sizeof(struct gt_##name_##_ops), .required = name_##_required },
		GT_KINDS(X)
#undef X
	};

	return kind > GT_KIND_NONE && kind < GT_KIND_COUNT ? &facts[kind] : NULL;
}

const char *gt_kind_name(enum gt_kind kind)
{
	const struct gt_kind_facts *f = gt_kind_facts(kind);

	return f ? f->name : "unknown kind";
}

const char *gt_kind_type(enum gt_kind kind)
{
	const struct gt_kind_facts *f = gt_kind_facts(kind);

	return f ? f->type : "";
}

/* Each ops struct begins with its size, as its owner was compiled. */
static void *sized_copy(const void *ops, size_t host_size)
{
	size_t size = *(const size_t *)ops;
	void *copy = gt_xcalloc(1, host_size);

	memcpy(copy, ops, size < host_size ? size : host_size);
	*(size_t *)copy = host_size;
	return copy;
}

void *gt_kind_copy_ops(enum gt_kind kind, const void *ops)
{
	void *copy = sized_copy(ops, gt_kind_facts(kind)->ops_size);

	if (kind == GT_SERVICES) {
		struct gt_services_ops *s = copy;

#define X(name)                                                                                   \
	if (s->name)                                                                               \
		s->name = sized_copy(s->name, sizeof(*s->name));
		GT_SERVICE_TABLES(X)
#undef X
	}
	return copy;
}

void gt_kind_free_ops(enum gt_kind kind, void *ops)
{
	if (ops && kind == GT_SERVICES) {
		struct gt_services_ops *s = ops;

#define X(name) free((void *)s->name);
		GT_SERVICE_TABLES(X)
#undef X
	}
	free(ops);
}

struct gt_error *gt_kind_open(enum gt_kind kind, const void *ops, const struct gt_init *init,
			      void **out)
{
	switch (kind) {
#define X(NAME, name, key, type)                                                                  \
	case GT_##NAME: {                                                                          \
		struct gt_##name *instance = NULL;                                                 \
                                                                                                   \
		GT_TRY(((const struct gt_##name##_ops *)ops)->open(init, &instance));              \
		instance->ops = ops;                                                               \
		instance->init = init;                                                             \
		*out = instance;                                                                   \
		return NULL;                                                                       \
	}
		GT_KINDS(X)
#undef X
	default:
		return gt_error_new(GT_INTERNAL, "open an instance of kind %d", kind);
	}
}

void gt_kind_close(enum gt_kind kind, const void *ops, void *instance)
{
	switch (kind) {
#define X(NAME, name, key, type)                                                                  \
	case GT_##NAME:                                                                            \
		((const struct gt_##name##_ops *)ops)->close(instance);                            \
		break;
		GT_KINDS(X)
#undef X
	default:
		break;
	}
}
