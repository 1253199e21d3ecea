/* SPDX-License-Identifier: Apache-2.0 */
/* Sources of figures, and the core's own: what the wrappers have counted. */
#include <config.h>

#include <gantry/samples.h>

#include "core/kind.h"
#include "core/loader.h"
#include "core/op.h"
#include "core/slot.h"

#include <gantry/buf.h>

struct gt_sample_source {
	struct gt_host *host;
	struct gt_sample_source *next;
	void (*collect)(void *arg, gt_sample_fn *fn, void *fn_arg);
	void *arg;
};

struct gt_sample_source *gt_samples_add(const struct gt_init *init,
					void (*collect)(void *arg, gt_sample_fn *fn, void *fn_arg),
					void *arg)
{
	struct gt_sample_source *s = gt_xcalloc(1, sizeof(*s));

	s->host = init->host;
	s->collect = collect;
	s->arg = arg;
	pthread_mutex_lock(&s->host->samples_lock);
	s->next = s->host->sources;
	s->host->sources = s;
	pthread_mutex_unlock(&s->host->samples_lock);
	return s;
}

void gt_samples_remove(struct gt_sample_source *s)
{
	struct gt_sample_source **p;

	if (!s)
		return;
	pthread_mutex_lock(&s->host->samples_lock);
	for (p = &s->host->sources; *p != s; p = &(*p)->next)
		;
	*p = s->next;
	pthread_mutex_unlock(&s->host->samples_lock);
	free(s);
}

struct gt_op_counts *gt_op_counts_new(enum gt_kind kind)
{
	return gt_xcalloc(gt_kind_facts(kind)->ops_size / sizeof(void *), sizeof(struct gt_op_counts));
}

static void op_collect(const char *plugin, const struct gt_op_counts *c, gt_sample_fn *fn, void *arg)
{
	const char *labels[] = { "plugin", plugin, "op", c->name, NULL, NULL, NULL };
	struct gt_sample s = {
		.name = "gantry_plugin_calls_total",
		.help = "Calls of a plugin's operation that have returned.",
		.type = GT_SAMPLE_COUNTER,
		.labels = labels,
		.value = (double)c->calls,
	};

	fn(arg, &s);
	s.name = "gantry_plugin_seconds_total";
	s.help = "Time that calls of a plugin's operation have taken.";
	s.value = (double)c->ns / 1e9;
	fn(arg, &s);
	s.name = "gantry_plugin_errors_total";
	s.help = "Calls of a plugin's operation that have returned an error.";
	labels[4] = "class";
	for (int class = 1; class < GT_OP_CLASSES; class++) {
		if (!c->errors[class])
			continue;
		labels[5] = gt_class_name(class);
		s.value = (double)c->errors[class];
		fn(arg, &s);
	}
}

static void slot_collect(const struct slot *s, gt_sample_fn *fn, void *arg)
{
	const char *const labels[] = { "plugin", s->name, NULL };
	struct gt_sample up = {
		.name = "gantry_plugin_up",
		.help = "1 for an active plugin that works, 0 for one that does not; what nobody needed yet is missing.",
		.labels = labels,
		.value = s->state == SLOT_OPEN,
	};
	size_t n = s->counts ? gt_kind_facts(s->kind)->ops_size / sizeof(void *) : 0;

	if (s->is_active && (s->state == SLOT_OPEN || s->state == SLOT_FAILED))
		fn(arg, &up);
	for (size_t i = 0; i < n; i++)
		if (s->counts[i].name)
			op_collect(s->name, &s->counts[i], fn, arg);
}

void gt_samples_collect(const struct gt_init *init, gt_sample_fn *fn, void *arg)
{
	struct gt_host *h = init->host;

	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < h->n; i++)
		slot_collect(h->slots[i], fn, arg);
	pthread_mutex_unlock(&h->lock);
	pthread_mutex_lock(&h->samples_lock);
	for (struct gt_sample_source *s = h->sources; s; s = s->next)
		s->collect(s->arg, fn, arg);
	pthread_mutex_unlock(&h->samples_lock);
}
