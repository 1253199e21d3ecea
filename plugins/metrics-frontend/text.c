/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "text.h"

#include <inttypes.h>
#include <string.h>

/* Of what a double holds exactly. */
#define WHOLE_MAX 9007199254740992.0

static struct metrics_family *family_get(struct metrics_text *t, const struct gt_sample *s)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = strcmp(s->name, t->v[middle].name);

		if (!c)
			return &t->v[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	GT_GROW(t->v, t->n, t->alloc);
	memmove(&t->v[low + 1], &t->v[low], (t->n - low) * sizeof(*t->v));
	t->n++;
	t->v[low] = (struct metrics_family){
		.name = gt_xstrdup(s->name),
		.help = gt_xstrdup(s->help),
		.type = s->type,
	};
	gt_buf_init(&t->v[low].lines);
	return &t->v[low];
}

/* Whatever a label's value holds, it ends neither its line nor its quotes. */
static void value_add(struct gt_buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			gt_buf_adds(b, "\\n");
		else if (*s == '"' || *s == '\\')
			gt_buf_addf(b, "\\%c", *s);
		else
			gt_buf_addc(b, *s);
	}
}

void metrics_text_add(void *arg, const struct gt_sample *s)
{
	struct gt_buf *b = &family_get(arg, s)->lines;

	gt_buf_adds(b, s->name);
	for (size_t i = 0; s->labels && s->labels[i]; i += 2) {
		gt_buf_addf(b, "%s%s=\"", i ? "," : "{", s->labels[i]);
		value_add(b, s->labels[i + 1]);
		gt_buf_addc(b, '"');
	}
	if (s->labels && s->labels[0])
		gt_buf_addc(b, '}');
	if (s->value > -WHOLE_MAX && s->value < WHOLE_MAX && s->value == (double)(int64_t)s->value)
		gt_buf_addf(b, " %" PRId64 "\n", (int64_t)s->value);
	else
		gt_buf_addf(b, " %.17g\n", s->value);
}

void metrics_text_print(const struct metrics_text *t, struct gt_buf *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct metrics_family *f = &t->v[i];

		gt_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name,
			    f->type == GT_SAMPLE_COUNTER ? "counter" : "gauge");
		gt_buf_add(out, f->lines.s, f->lines.len);
	}
}

void metrics_text_done(struct metrics_text *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].name);
		free(t->v[i].help);
		gt_buf_done(&t->v[i].lines);
	}
	free(t->v);
	*t = (struct metrics_text){ 0 };
}
