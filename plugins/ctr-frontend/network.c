/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "network.h"

#include <gantry/api-tasks.h>

#include <client/network.h>
#include <jansson.h>

#include <string.h>

#define EXTENSION "ctr.cni-containerd.metadata"
#define FORCED_TIMEOUT 3000000000LL /* of a plugin where the container goes anyway */
#define EXTENSION_TYPE "github.com/containerd/containerd/cmd/ctr/commands/NetworkMetaData"

void ctr_network_extension(struct gt_extension *out)
{
	static const char value[] = "{\"EnableCni\":true}";

	*out = (struct gt_extension){ .name = gt_xstrdup(EXTENSION) };
	gt_any_set(&out->value, EXTENSION_TYPE, value, sizeof(value) - 1);
}

void ctr_network_extension_done(struct gt_extension *x)
{
	free(x->name);
	gt_any_done(&x->value);
}

bool ctr_network_wanted(const struct gt_container *record)
{
	const struct gt_any *a = gt_container_extension(record, EXTENSION);
	json_t *doc = a && a->len ? json_loadb((const char *)a->data, a->len, 0, NULL) : NULL;
	bool wanted = json_is_true(json_object_get(doc, "EnableCni"));

	json_decref(doc);
	return wanted;
}

/* Records and files lie in this plugin's folders. */
struct settings {
	struct gt_network network;
	char *records, *handles;
};

static void settings_init(const struct ctr *c, struct settings *s)
{
	const struct ctr_config *config = c->init->config;

	s->records = gt_strf("%s/cni", c->init->root);
	s->handles = gt_strf("%s/netns", c->init->state);
	s->network = (struct gt_network){
		.conf_dir = config->cni_conf_dir,
		.plugin_dirs = config->cni_bin_dirs, /* borrowed */
		.timeout = config->cni_timeout,
		.records = s->records,
		.handles = s->handles,
	};
}

static void settings_done(struct settings *s)
{
	free(s->records);
	free(s->handles);
}

struct gt_error *ctr_network_check(const struct ctr *c)
{
	struct settings s;
	struct gt_error *e;

	settings_init(c, &s);
	e = gt_network_check(&s.network);
	settings_done(&s);
	/* containerd's words, which do not end in a class's */
	return gt_error_class(e) == GT_NOT_FOUND ? gt_error_reclass(e, GT_UNKNOWN) : e;
}

struct gt_error *ctr_network_up(const struct ctr *c, const char *id, uint32_t pid)
{
	struct settings s;
	struct gt_error *e;

	settings_init(c, &s);
	e = gt_network_up(&s.network, &c->call, id, (pid_t)pid);
	settings_done(&s);
	return e;
}

bool ctr_network_is_up(const struct ctr *c, const char *id)
{
	struct settings s;
	bool is_up;

	settings_init(c, &s);
	is_up = gt_network_is_up(&s.network, &c->call, id);
	settings_done(&s);
	return is_up;
}

struct gt_error *ctr_network_down(const struct ctr *c, const char *id, bool force)
{
	struct gt_call call = c->call;
	struct settings s;
	struct gt_error *e;

	/* It is cleaning up: an interrupt ends what comes before. */
	call.cancel = NULL;
	settings_init(c, &s);
	if (force && s.network.timeout > FORCED_TIMEOUT)
		s.network.timeout = FORCED_TIMEOUT;
	e = gt_network_down(&s.network, &call, id, force);
	settings_done(&s);
	return e;
}

struct gt_error *ctr_network_after(const struct ctr *c, struct gt_services *s, const char *id)
{
	gt_auto(gt_task_state) task = { 0 };
	struct gt_call call = c->call;
	struct gt_error *e;

	call.cancel = NULL;
	call.deadline = 0;
	e = gt_tasks_get(s, &call, id, "", &task);
	if (gt_error_class(e) != GT_NOT_FOUND) {
		gt_error_free(e);
		return NULL;
	}
	gt_error_free(e);
	return ctr_network_down(c, id, false);
}
