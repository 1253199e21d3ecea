/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "lookup.h"

#include <gantry/api-blobs.h>
#include <gantry/api-namespaces.h>
#include <gantry/buf.h>

#include <oci/reference.h>

#include <string.h>

#define NAMESPACES_MAX 256 /* more are not searched */

static struct gt_error *add_namespace(void *arg, const char *name, const struct gt_labels *labels)
{
	struct gt_strv *l = arg;

	(void)labels;
	if (l->n < NAMESPACES_MAX)
		gt_strv_add(l, name);
	return NULL;
}

struct gt_error *ctr_hint_namespaces(struct ctr *c, struct gt_services *s, struct gt_error *e,
				     const char *name,
				     struct gt_error *(*exists)(struct ctr *c, struct gt_services *s,
								struct gt_call *call,
								const char *name))
{
	gt_auto(gt_strv) all = { 0 };
	gt_auto(gt_buf) hint = GT_BUF_INIT;
	struct gt_call call = c->call;
	int n = 0;

	if (gt_error_class(e) != GT_NOT_FOUND || c->hint)
		return e;
	gt_error_free(gt_namespaces_list(s, &call, add_namespace, &all));
	for (size_t i = 0; i < all.n; i++) {
		struct gt_error *miss;

		if (c->call.ns && !strcmp(all.v[i], c->call.ns))
			continue;
		call.ns = all.v[i];
		miss = exists(c, s, &call, name);
		if (!miss)
			gt_buf_addf(&hint, "%s\"%s\"", n++ ? ", " : "", all.v[i]);
		gt_error_free(miss);
	}
	if (n)
		c->hint = gt_strf(" (found in namespace%s %s)", n > 1 ? "s" : "", hint.s);
	return e;
}

/* Literally, then in full. */
static struct gt_error *get_image(struct gt_services *s, struct gt_call *call, const char *name,
				  struct gt_image *out)
{
	struct gt_error *e = gt_images_get(s, call, name, out);
	gt_autofree char *full = NULL;
	struct gt_error *bad;

	if (gt_error_class(e) != GT_NOT_FOUND)
		return e;
	bad = gt_reference_normalise(name, &full);
	if (!bad && strcmp(full, name)) {
		bad = gt_images_get(s, call, full, out);
		if (gt_error_class(bad) != GT_NOT_FOUND) {
			gt_error_free(e);
			return bad;
		}
	}
	gt_error_free(bad);
	return e;
}

static struct gt_error *image_exists(struct ctr *c, struct gt_services *s, struct gt_call *call,
				     const char *name)
{
	struct gt_image found = { 0 };

	(void)c;
	GT_TRY(get_image(s, call, name, &found));
	gt_image_done(&found);
	return NULL;
}

struct gt_error *ctr_find_image(struct ctr *c, struct gt_services *s, const char *name,
				struct gt_image *out)
{
	return ctr_hint_namespaces(c, s, get_image(s, &c->call, name, out), name, image_exists);
}

static struct gt_error *container_exists(struct ctr *c, struct gt_services *s,
					 struct gt_call *call, const char *id)
{
	struct gt_container found = { 0 };

	(void)c;
	GT_TRY(gt_containers_get(s, call, id, &found));
	gt_container_done(&found);
	return NULL;
}

struct gt_error *ctr_find_container(struct ctr *c, struct gt_services *s, const char *id,
				    struct gt_container *out)
{
	if (!*id) /* no id at all; as containerd's looks for it */
		return gt_error_new(GT_NOT_FOUND, "container \"\" in namespace \"%s\"",
				    c->call.ns ? c->call.ns : "");
	return ctr_hint_namespaces(c, s, gt_containers_get(s, &c->call, id, out), id,
				   container_exists);
}

struct gt_error *ctr_find_task(struct ctr *c, struct gt_services *s, const char *id,
			       struct gt_task_state *out)
{
	gt_auto(gt_container) record = { 0 };
	struct gt_error *e;

	GT_TRY(ctr_find_container(c, s, id, &record));
	e = gt_tasks_get(s, &c->call, id, "", out);
	if (gt_error_class(e) == GT_NOT_FOUND)
		e = gt_error_wrap(e, "no running task found");
	return e;
}

static struct gt_error *content_exists(struct ctr *c, struct gt_services *s, struct gt_call *call,
				       const char *digest)
{
	struct gt_blob found = { 0 };

	(void)c;
	GT_TRY(gt_blobs_info(s, call, digest, &found));
	gt_blob_done(&found);
	return NULL;
}

struct gt_error *ctr_hint_content(struct ctr *c, struct gt_services *s, struct gt_error *e,
				  const char *digest)
{
	return ctr_hint_namespaces(c, s, e, digest, content_exists);
}

struct gt_error *ctr_service_error(struct gt_error *e)
{
	static const char *const refusals[] = { "cannot exec ", "cannot pause ", "cannot resume ",
						"cannot start ", "cannot checkpoint ",
						"unknown error after kill" };
	const char *text = gt_error_text(e);
	struct gt_error *more;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		if (gt_error_class(e) != GT_UNKNOWN || strncmp(text, refusals[i], strlen(refusals[i])))
			continue;
		more = gt_error_new(GT_UNKNOWN, "%s: %s", text, gt_class_text(GT_UNKNOWN));
		gt_error_free(e);
		return more;
	}
	return e;
}
