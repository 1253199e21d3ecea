/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "transfer.h"

#include <client/image.h>
#include <client/pull.h>
#include <client/push.h>
#include <gantry/resolver.h>

#include <string.h>

/* How long a client may think about a password. */
#define AUTH_NS (INT64_C(60) * 1000000000)

struct registry {
	struct gt_resolver *resolver;
	struct gt_registry_options o;
	struct gt_labels headers;
	char *user, *secret;
};

static void registry_done(struct registry *r)
{
	gt_labels_done(&r->headers);
	free(r->user);
	if (r->secret)
		explicit_bzero(r->secret, strlen(r->secret));
	free(r->secret);
}

static void credentials_use(struct registry *r, const TRANSFER(AuthResponse) *m)
{
	r->user = gt_xstrdup(m->username);
	r->secret = gt_xstrdup(m->secret);
	switch (m->authtype) {
	case CONTAINERD__TYPES__TRANSFER__AUTH_TYPE__CREDENTIALS:
		r->o.user = r->user;
		r->o.password = r->secret;
		break;
	case CONTAINERD__TYPES__TRANSFER__AUTH_TYPE__REFRESH:
		r->o.user = *r->user ? r->user : NULL;
		r->o.identity_token = r->secret;
		break;
	case CONTAINERD__TYPES__TRANSFER__AUTH_TYPE__HEADER:
		gt_labels_set(&r->headers, "Authorization", r->secret);
		break;
	default:
		break;
	}
}

/* Asks the client once, for the reference's own host: that is whom credentials of a call are for. */
static struct gt_error *credentials_ask(struct transfer *t, const char *stream, const char *ref,
					struct registry *r)
{
	TRANSFER(AuthRequest) q = CONTAINERD__TYPES__TRANSFER__AUTH_REQUEST__INIT;
	gt_autofree char *host = gt_xstrndup(ref, strcspn(ref, "/"));
	struct gt_call call = *t->call;
	gt_auto(gt_any) any = { 0 };
	ProtobufCMessage *m = NULL;
	struct stream *s;
	struct gt_error *e;

	GT_TRY(grpc_stream_take(t->f->streams, t->call->ns, stream, &s));
	q.host = host;
	q.reference = (char *)ref;
	if (!call.deadline || call.deadline > gt_now() + AUTH_NS)
		call.deadline = gt_now() + AUTH_NS;
	e = grpc_stream_send(s, &q.base);
	if (!e)
		e = grpc_stream_recv(s, &call, &any);
	if (!e && any.type_url)
		e = gt_wire_any_unpack(&any, &containerd__types__transfer__auth_response__descriptor, &m);
	if (!e && m)
		credentials_use(r, (const void *)m);
	gt_wire_free(m);
	if (any.data)
		explicit_bzero(any.data, any.len);
	grpc_stream_end(s);
	return gt_error_wrap(e, "credentials for %s", host);
}

static struct gt_error *registry_get(struct transfer *t, const TRANSFER(OCIRegistry) *m,
				     struct registry *r)
{
	const TRANSFER(RegistryResolver) *q = m->resolver;

	*r = (struct registry){ .o = GT_REGISTRY_OPTIONS_INIT };
	GT_TRY(gt_need_resolver(t->f->init, NULL, &r->resolver));
	if (!q)
		return NULL;
	gt_wire_labels_get(&q->base, "headers", &r->headers);
	if (*q->host_dir)
		r->o.hosts_dir = q->host_dir;
	r->o.plain_http = !strcmp(q->default_scheme, "http");
	r->o.http_dump = q->http_debug != CONTAINERD__TYPES__TRANSFER__HTTPDEBUG__DISABLED;
	if (*q->auth_stream)
		GT_TRY(credentials_ask(t, q->auth_stream, m->reference, r));
	r->o.headers = r->headers.n ? &r->headers : NULL;
	return NULL;
}

struct gt_error *transfer_pull(struct transfer *t, const TRANSFER(OCIRegistry) *from,
			       const TRANSFER(ImageStore) *to)
{
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_strv) platforms = { 0 };
	gt_auto(gt_image) image = { 0 };
	struct registry r;
	struct gt_pull_options o = { 0 };
	struct gt_error *e = registry_get(t, from, &r);

	gt_wire_labels_get(&to->base, "labels", &labels);
	for (size_t i = 0; i < to->n_platforms; i++)
		gt_strv_add_take(&platforms, transfer_platform(to->platforms[i]));
	for (size_t i = 0; i < to->n_unpacks; i++)
		if (to->unpacks[i]->platform && !to->n_platforms)
			gt_strv_add_take(&platforms, transfer_platform(to->unpacks[i]->platform));
	o.resolver = r.resolver;
	o.registry = &r.o;
	o.platforms = platforms;
	o.metadata = to->all_metadata ? GT_PULL_ALL_METADATA : GT_PULL_WANTED;
	o.unpack = to->n_unpacks > 0;
	o.snapshotter = o.unpack && *to->unpacks[0]->snapshotter ? to->unpacks[0]->snapshotter : NULL;
	o.labels = labels.n ? &labels : NULL;
	if (!e) {
		gt_autofree char *text = gt_strf("Resolving from %s", from->reference);

		transfer_tell(t, text, "");
		e = transfer_teller_start(t);
	}
	o.progress = t->board;
	if (!e)
		e = gt_image_pull(t->f->services, t->call, from->reference, &o, &image);
	transfer_teller_stop(t);
	/* Where it is wanted under another name than it has there. */
	if (!e && *to->name && strcmp(to->name, image.name) != 0) {
		gt_auto(gt_image) named = { 0 };

		gt_image_copy(&named, &image);
		free(named.name);
		named.name = gt_xstrdup(to->name);
		e = gt_image_set(t->f->services, t->call, &named, NULL, NULL);
		if (!e)
			e = gt_images_remove(t->f->services, t->call, image.name, false);
	}
	if (!e) {
		gt_autofree char *text = gt_strf("Completed pull from %s", from->reference);

		transfer_tell(t, text, "");
	}
	registry_done(&r);
	return e;
}

struct gt_error *transfer_push(struct transfer *t, const TRANSFER(ImageStore) *from,
			       const TRANSFER(OCIRegistry) *to)
{
	gt_auto(gt_image) image = { 0 };
	gt_auto(gt_platforms) platforms = { 0 };
	struct gt_push_image_options o = { 0 };
	struct registry r;
	gt_autofree char *text = gt_strf("Pushing to %s", to->reference),
			 *done = gt_strf("Completed push to %s", to->reference);
	struct gt_error *e = registry_get(t, to, &r);

	if (!e)
		e = gt_images_get(t->f->services, t->call, from->name, &image);
	if (!e)
		e = transfer_platforms(from->platforms, from->n_platforms, &platforms);
	if (!e)
		e = transfer_teller_start(t);
	o.resolver = r.resolver;
	o.registry = &r.o;
	o.platforms = platforms;
	o.progress = t->board;
	if (!e) {
		transfer_tell(t, text, "");
		e = gt_image_push(t->f->services, t->call, to->reference, &image.target, &o);
	}
	transfer_teller_stop(t);
	if (!e)
		transfer_tell(t, done, "");
	registry_done(&r);
	return e;
}
