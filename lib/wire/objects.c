/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <wire/objects.h>

#include <stdlib.h>

Containerd__Services__Images__V1__Image *gt_wire_image(struct gt_arena *a, const struct gt_image *i)
{
	Containerd__Services__Images__V1__Image *m =
		gt_arena_message(a, &containerd__services__images__v1__image__descriptor);

	m->name = gt_wire_string(i->name);
	gt_wire_labels(a, &m->base, "labels", &i->labels);
	m->target = gt_wire_descriptor(a, &i->target);
	m->created_at = gt_wire_time(a, &i->created_at);
	m->updated_at = gt_wire_time(a, &i->updated_at);
	return m;
}

void gt_wire_image_get(const Containerd__Services__Images__V1__Image *m, struct gt_image *out)
{
	out->name = gt_xstrdup(m->name);
	gt_wire_labels_get(&m->base, "labels", &out->labels);
	gt_wire_descriptor_get(m->target, &out->target);
	out->created_at = gt_wire_time_get(m->created_at);
	out->updated_at = gt_wire_time_get(m->updated_at);
}

Containerd__Services__Containers__V1__Container *gt_wire_container(struct gt_arena *a,
								   const struct gt_container *c)
{
	Containerd__Services__Containers__V1__Container *m =
		gt_arena_message(a, &containerd__services__containers__v1__container__descriptor);

	m->id = gt_wire_string(c->id);
	gt_wire_labels(a, &m->base, "labels", &c->labels);
	m->image = gt_wire_string(c->image);
	m->runtime = gt_arena_message(
		a, &containerd__services__containers__v1__container__runtime__descriptor);
	m->runtime->name = gt_wire_string(c->runtime);
	m->runtime->options = gt_wire_any(a, &c->runtime_options);
	m->spec = gt_wire_any(a, &c->spec);
	m->snapshotter = gt_wire_string(c->snapshotter);
	m->snapshot_key = gt_wire_string(c->snapshot_key);
	m->created_at = gt_wire_time(a, &c->created_at);
	m->updated_at = gt_wire_time(a, &c->updated_at);
	gt_wire_extensions(a, &m->base, "extensions", c->extensions, c->n_extensions);
	m->sandbox = gt_wire_string(c->sandbox);
	return m;
}

void gt_wire_container_get(const Containerd__Services__Containers__V1__Container *m,
			   struct gt_container *out)
{
	out->id = gt_xstrdup(m->id);
	gt_wire_labels_get(&m->base, "labels", &out->labels);
	out->image = gt_xstrdup(m->image);
	out->runtime = gt_xstrdup(m->runtime ? m->runtime->name : "");
	gt_wire_any_get(m->runtime ? m->runtime->options : NULL, &out->runtime_options);
	gt_wire_any_get(m->spec, &out->spec);
	out->snapshotter = gt_xstrdup(m->snapshotter);
	out->snapshot_key = gt_xstrdup(m->snapshot_key);
	out->created_at = gt_wire_time_get(m->created_at);
	out->updated_at = gt_wire_time_get(m->updated_at);
	gt_wire_extensions_get(&m->base, "extensions", &out->extensions, &out->n_extensions);
	out->sandbox = gt_xstrdup(m->sandbox);
}

Containerd__Types__Sandbox *gt_wire_sandbox(struct gt_arena *a, const struct gt_sandbox *b)
{
	Containerd__Types__Sandbox *m = gt_arena_message(a, &containerd__types__sandbox__descriptor);

	m->sandbox_id = gt_wire_string(b->id);
	m->runtime = gt_arena_message(a, &containerd__types__sandbox__runtime__descriptor);
	m->runtime->name = gt_wire_string(b->runtime);
	m->runtime->options = gt_wire_any(a, &b->runtime_options);
	m->spec = gt_wire_any(a, &b->spec);
	gt_wire_labels(a, &m->base, "labels", &b->labels);
	m->created_at = gt_wire_time(a, &b->created_at);
	m->updated_at = gt_wire_time(a, &b->updated_at);
	gt_wire_extensions(a, &m->base, "extensions", b->extensions, b->n_extensions);
	m->sandboxer = gt_wire_string(b->sandboxer);
	return m;
}

void gt_wire_sandbox_get(const Containerd__Types__Sandbox *m, struct gt_sandbox *out)
{
	out->id = gt_xstrdup(m->sandbox_id);
	out->runtime = gt_xstrdup(m->runtime ? m->runtime->name : "");
	gt_wire_any_get(m->runtime ? m->runtime->options : NULL, &out->runtime_options);
	gt_wire_any_get(m->spec, &out->spec);
	gt_wire_labels_get(&m->base, "labels", &out->labels);
	out->created_at = gt_wire_time_get(m->created_at);
	out->updated_at = gt_wire_time_get(m->updated_at);
	gt_wire_extensions_get(&m->base, "extensions", &out->extensions, &out->n_extensions);
	out->sandboxer = gt_xstrdup(m->sandboxer);
}

static Containerd__Types__ActiveMount *active_mount(struct gt_arena *a,
						    const struct gt_active_mount *x)
{
	Containerd__Types__ActiveMount *m =
		gt_arena_message(a, &containerd__types__active_mount__descriptor);
	const struct gt_mounts one = { .v = (struct gt_mount *)&x->mount, .n = 1 };
	size_t n;

	m->mount = *gt_wire_mounts(a, &one, &n);
	m->mounted_at = gt_wire_time(a, &x->mounted_at);
	m->mount_point = gt_wire_string(x->point);
	gt_wire_labels(a, &m->base, "data", &x->data);
	return m;
}

Containerd__Types__ActivationInfo *gt_wire_activation(struct gt_arena *a,
						      const struct gt_activation *x)
{
	Containerd__Types__ActivationInfo *m =
		gt_arena_message(a, &containerd__types__activation_info__descriptor);

	m->name = gt_wire_string(x->name);
	m->active = gt_arena_alloc(a, (x->n_active + 1) * sizeof(*m->active));
	for (size_t i = 0; i < x->n_active; i++)
		m->active[m->n_active++] = active_mount(a, &x->active[i]);
	m->system = gt_wire_mounts(a, &x->system, &m->n_system);
	gt_wire_labels(a, &m->base, "labels", &x->labels);
	return m;
}

void gt_wire_activation_get(const Containerd__Types__ActivationInfo *m, struct gt_activation *out)
{
	out->name = gt_xstrdup(m->name);
	out->active = gt_xcalloc(m->n_active + 1, sizeof(*out->active));
	for (size_t i = 0; i < m->n_active; i++) {
		const Containerd__Types__ActiveMount *from = m->active[i];
		struct gt_active_mount *to = &out->active[out->n_active++];
		struct gt_mounts one = { 0 };

		if (from->mount) {
			gt_wire_mounts_get(&from->mount, 1, &one);
			to->mount = *one.v;
			free(one.v);
		}
		to->mounted_at = gt_wire_time_get(from->mounted_at);
		to->point = gt_xstrdup(from->mount_point);
		gt_wire_labels_get(&from->base, "data", &to->data);
	}
	gt_wire_mounts_get(m->system, m->n_system, &out->system);
	gt_wire_labels_get(&m->base, "labels", &out->labels);
}

Containerd__Services__Snapshots__V1__Info *gt_wire_snapshot(struct gt_arena *a,
							    const struct gt_snapshot_info *i)
{
	Containerd__Services__Snapshots__V1__Info *m =
		gt_arena_message(a, &containerd__services__snapshots__v1__info__descriptor);

	m->name = gt_wire_string(i->key);
	m->parent = gt_wire_string(i->parent);
	m->kind = (Containerd__Services__Snapshots__V1__Kind)i->kind; /* the same numbers */
	m->created_at = gt_wire_time(a, &i->created_at);
	m->updated_at = gt_wire_time(a, &i->updated_at);
	gt_wire_labels(a, &m->base, "labels", &i->labels);
	return m;
}

void gt_wire_snapshot_get(const Containerd__Services__Snapshots__V1__Info *m,
			  struct gt_snapshot_info *out)
{
	out->key = gt_xstrdup(m->name);
	out->parent = gt_xstrdup(m->parent);
	out->kind = (enum gt_snapshot_kind)m->kind;
	out->created_at = gt_wire_time_get(m->created_at);
	out->updated_at = gt_wire_time_get(m->updated_at);
	gt_wire_labels_get(&m->base, "labels", &out->labels);
}

Containerd__Services__Content__V1__Info *gt_wire_blob(struct gt_arena *a, const struct gt_blob *b)
{
	Containerd__Services__Content__V1__Info *m =
		gt_arena_message(a, &containerd__services__content__v1__info__descriptor);

	m->digest = gt_wire_string(b->info.digest);
	m->size = b->info.size;
	m->created_at = gt_wire_time(a, &b->info.created_at);
	m->updated_at = gt_wire_time(a, &b->info.updated_at);
	gt_wire_labels(a, &m->base, "labels", &b->labels);
	return m;
}

void gt_wire_blob_get(const Containerd__Services__Content__V1__Info *m, struct gt_blob *out)
{
	out->info.digest = gt_xstrdup(m->digest);
	out->info.size = m->size;
	out->info.created_at = gt_wire_time_get(m->created_at);
	out->info.updated_at = gt_wire_time_get(m->updated_at);
	gt_wire_labels_get(&m->base, "labels", &out->labels);
}

Containerd__Services__Content__V1__Status *gt_wire_ingest(struct gt_arena *a,
							  const struct gt_ingest_info *i)
{
	Containerd__Services__Content__V1__Status *m =
		gt_arena_message(a, &containerd__services__content__v1__status__descriptor);

	m->ref = gt_wire_string(i->ref);
	m->offset = i->offset;
	m->total = i->total;
	m->expected = gt_wire_string(i->expected);
	m->started_at = gt_wire_time(a, &i->started_at);
	m->updated_at = gt_wire_time(a, &i->updated_at);
	return m;
}

void gt_wire_ingest_get(const Containerd__Services__Content__V1__Status *m,
			struct gt_ingest_info *out)
{
	out->ref = gt_xstrdup(m->ref);
	out->offset = m->offset;
	out->total = m->total;
	out->expected = *m->expected ? gt_xstrdup(m->expected) : NULL;
	out->started_at = gt_wire_time_get(m->started_at);
	out->updated_at = gt_wire_time_get(m->updated_at);
}

Containerd__Services__Leases__V1__Lease *gt_wire_lease(struct gt_arena *a, const struct gt_lease *l)
{
	Containerd__Services__Leases__V1__Lease *m =
		gt_arena_message(a, &containerd__services__leases__v1__lease__descriptor);

	m->id = gt_wire_string(l->id);
	m->created_at = gt_wire_time(a, &l->created_at);
	gt_wire_labels(a, &m->base, "labels", &l->labels);
	return m;
}

void gt_wire_lease_get(const Containerd__Services__Leases__V1__Lease *m, struct gt_lease *out)
{
	out->id = gt_xstrdup(m->id);
	out->created_at = gt_wire_time_get(m->created_at);
	gt_wire_labels_get(&m->base, "labels", &out->labels);
}
