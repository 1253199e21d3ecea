/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of strings, and sets of labels (sorted by key). Both own what they hold. */
#ifndef GANTRY_STRV_H
#define GANTRY_STRV_H

#include <gantry/cleanup.h>

#include <stdbool.h>
#include <stddef.h>

struct gt_strv {
	char **v; /* NULL where n is 0; else n strings and a NULL, fit for execve */
	size_t n;
	size_t alloc;
};

void gt_strv_add(struct gt_strv *l, const char *s);
void gt_strv_add_take(struct gt_strv *l, char *s);
void gt_strv_addf(struct gt_strv *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void gt_strv_addv(struct gt_strv *l, const struct gt_strv *more);
bool gt_strv_has(const struct gt_strv *l, const char *s);
void gt_strv_sort(struct gt_strv *l);
/* Adds the parts of 's' between 'sep'; an empty 's' adds none. */
void gt_strv_split(struct gt_strv *l, const char *s, char sep);
void gt_strv_done(struct gt_strv *l);

struct gt_label {
	char *key;
	char *value;
};

struct gt_labels {
	struct gt_label *v; /* sorted by key, each key once */
	size_t n;
	size_t alloc;
};

/* NULL where the key is not there. */
const char *gt_labels_get(const struct gt_labels *l, const char *key);
void gt_labels_set(struct gt_labels *l, const char *key, const char *value);
void gt_labels_unset(struct gt_labels *l, const char *key);
void gt_labels_copy(struct gt_labels *dst, const struct gt_labels *src);
void gt_labels_done(struct gt_labels *l);

#endif
