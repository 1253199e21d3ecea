/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls services of a daemon that no command of ctr's calls, through services-remote:
 *
 *	services-rig services-remote.so ADDRESS NAMESPACE[/LEASE] COMMAND...
 *	mount NAME [-t] TYPE,SOURCE,TARGET[,OPTION...]...	-t: temporary; prints the activation
 *	unmount NAME | mounts [FILTER] | label NAME KEY=VALUE
 *	sandbox create ID RUNTIME | start ID | status ID | stop ID | wait ID | shutdown ID | platform ID | metrics ID
 *	info TYPE ID	asks the plugin of runtimes, or another, as if it were that
 */
#include <config.h>

#include <core/host.h>
#include <gantry/api-activations.h>
#include <gantry/api-controllers.h>
#include <gantry/api-introspection.h>
#include <gantry/buf.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct gt_services *services;
static struct gt_call call = GT_CALL_INIT;

static void activation_print(const struct gt_activation *a)
{
	printf("%s:", a->name);
	for (size_t i = 0; i < a->n_active; i++)
		printf(" active %s %s at %s", a->active[i].mount.type, a->active[i].mount.source,
		       a->active[i].point);
	for (size_t i = 0; i < a->system.n; i++) {
		printf(" system %s %s", a->system.v[i].type, a->system.v[i].source);
		for (size_t k = 0; k < a->system.v[i].options.n; k++)
			printf(",%s", a->system.v[i].options.v[k]);
	}
	for (size_t i = 0; i < a->labels.n; i++)
		printf(" label %s=%s", a->labels.v[i].key, a->labels.v[i].value);
	puts("");
}

static struct gt_error *printed(void *arg, const struct gt_activation *a)
{
	(void)arg;
	activation_print(a);
	return NULL;
}

static struct gt_error *mount_run(int argc, char **argv)
{
	gt_auto(gt_activation) made = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	bool temporary = argc > 1 && !strcmp(argv[1], "-t");

	for (int i = temporary ? 2 : 1; i < argc; i++) {
		gt_auto(gt_strv) parts = { 0 };
		struct gt_mount *m;

		gt_strv_split(&parts, argv[i], ',');
		if (parts.n < 2)
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: expected TYPE,SOURCE", argv[i]);
		m = gt_mounts_add(&mounts, parts.v[0], parts.v[1], parts.n > 2 ? parts.v[2] : "");
		for (size_t k = 3; k < parts.n; k++)
			gt_strv_add(&m->options, parts.v[k]);
	}
	GT_TRY(gt_activations_create(services, &call, argv[0], &mounts, NULL, temporary, &made));
	activation_print(&made);
	return NULL;
}

static struct gt_error *label_run(const char *name, char *label)
{
	gt_auto(gt_activation) given = { .name = gt_xstrdup(name) }, now = { 0 };
	char *value = strchr(label, '=');
	gt_auto(gt_strv) mask = { 0 };

	*value++ = '\0';
	gt_labels_set(&given.labels, label, value);
	gt_strv_addf(&mask, "labels.%s", label);
	GT_TRY(gt_activations_update(services, &call, &given, &mask, &now));
	activation_print(&now);
	return NULL;
}

static struct gt_error *list_run(const char *filter)
{
	gt_auto(gt_strv) filters = { 0 };

	if (filter)
		gt_strv_add(&filters, filter);
	return gt_activations_list(services, &call, &filters, printed, NULL);
}

struct waited {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	struct gt_error *e;
	struct gt_exit exit;
};

static void wait_end(void *arg, struct gt_error *e, const struct gt_exit *exit)
{
	struct waited *w = arg;

	pthread_mutex_lock(&w->lock);
	w->done = true;
	w->e = e;
	if (exit)
		w->exit = *exit;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

static struct gt_error *wait_run(const char *id)
{
	static struct waited w = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, NULL, { 0 } };

	GT_TRY(gt_controllers_wait(services, &call, NULL, id, wait_end, &w));
	pthread_mutex_lock(&w.lock);
	while (!w.done)
		pthread_cond_wait(&w.cond, &w.lock);
	pthread_mutex_unlock(&w.lock);
	GT_TRY(w.e);
	printf("exit %u at %lld\n", w.exit.status, (long long)w.exit.at.tv_sec);
	return NULL;
}

static struct gt_error *sandbox_run(const char *what, const char *id, const char *runtime)
{
	gt_auto(gt_sandbox_instance) i = { 0 };
	gt_auto(gt_sandbox_state) s = { 0 };
	gt_auto(gt_metric) m = { 0 };
	gt_autofree char *platform = NULL;

	if (!strcmp(what, "create")) {
		struct gt_sandbox record = { .id = (char *)id, .runtime = (char *)(runtime ? runtime : "") };
		const struct gt_sandbox_create req = { .size = sizeof(req), .id = id, .sandbox = &record };

		return gt_controllers_create(services, &call, NULL, &req);
	}
	if (!strcmp(what, "start")) {
		GT_TRY(gt_controllers_start(services, &call, NULL, id, &i));
		printf("%s pid %u address %s version %u\n", i.id, i.pid, i.address, i.version);
	} else if (!strcmp(what, "status")) {
		GT_TRY(gt_controllers_status(services, &call, NULL, id, true, &s));
		printf("%s pid %u state %s address %s\n", s.id, s.pid, s.state, s.address);
	} else if (!strcmp(what, "stop")) {
		return gt_controllers_stop(services, &call, NULL, id, 5);
	} else if (!strcmp(what, "wait")) {
		return wait_run(id);
	} else if (!strcmp(what, "shutdown")) {
		return gt_controllers_shutdown(services, &call, NULL, id);
	} else if (!strcmp(what, "platform")) {
		GT_TRY(gt_controllers_platform(services, &call, NULL, id, &platform));
		puts(platform);
	} else if (!strcmp(what, "metrics")) {
		GT_TRY(gt_controllers_metrics(services, &call, NULL, id, &m));
		printf("%s %s\n", m.id, m.data.type_url);
	} else {
		return gt_error_new(GT_INVALID_ARGUMENT, "sandbox %s?", what);
	}
	return NULL;
}

static struct gt_error *info_run(const char *type, const char *id)
{
	gt_auto(gt_any) question = { 0 }, answer = { 0 };

	gt_any_set(&question, "containerd.types.RuntimeRequest", "", 0);
	GT_TRY(gt_introspection_extra(services, &call, type, id, &question, &answer));
	printf("%s %zu\n", answer.type_url, answer.len);
	return NULL;
}

static struct gt_error *run(int argc, char **argv)
{
	if (!strcmp(argv[0], "mount") && argc > 2)
		return mount_run(argc - 1, argv + 1);
	if (!strcmp(argv[0], "unmount") && argc == 2)
		return gt_activations_remove(services, &call, argv[1]);
	if (!strcmp(argv[0], "mounts"))
		return list_run(argc > 1 ? argv[1] : NULL);
	if (!strcmp(argv[0], "label") && argc == 3)
		return label_run(argv[1], argv[2]);
	if (!strcmp(argv[0], "info") && argc == 3)
		return info_run(argv[1], argv[2]);
	if (!strcmp(argv[0], "sandbox") && argc >= 3)
		return sandbox_run(argv[1], argv[2], argv[3]);
	return gt_error_new(GT_INVALID_ARGUMENT, "%s?", argv[0]);
}

int main(int argc, char **argv)
{
	gt_auto(gt_strv) options = { 0 };
	struct gt_host *host;
	enum gt_kind kind;
	void *instance;
	struct gt_error *e;
	char *slash;
	int status = 0;

	if (argc < 5)
		return 2;
	gt_strv_addf(&options, "address=%s", argv[2]);
	slash = strchr(argv[3], '/');
	if (slash)
		*slash = '\0';
	call.ns = argv[3];
	call.lease = slash ? slash + 1 : NULL;
	e = gt_host_open_file(argv[1], "/nonexistent", &options, GT_DURABILITY_FULL, &host, &kind,
			      &instance);
	if (!e) {
		services = instance;
		e = run(argc - 4, argv + 4);
		gt_host_close(host);
	}
	if (e) {
		fprintf(stderr, "%s: %s\n", gt_class_name(gt_error_class(e)), gt_error_text(e));
		status = 1;
	}
	gt_error_free(e);
	return status;
}
