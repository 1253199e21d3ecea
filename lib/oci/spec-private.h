/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of spec share. Within lib/oci only. */
#ifndef GANTRY_LIB_OCI_SPEC_PRIVATE_H
#define GANTRY_LIB_OCI_SPEC_PRIVATE_H

#include <oci/spec.h>

#include <jansson.h>

struct gt_spec {
	json_t *doc;
};

/* The object at this path below 'j', made where it is missing (or is something else). */
json_t *gt_spec_object(json_t *j, const char *key);
json_t *gt_spec_array(json_t *j, const char *key);
json_t *gt_spec_process(const struct gt_spec *s);
json_t *gt_spec_linux(const struct gt_spec *s);
json_t *gt_spec_resources(const struct gt_spec *s);

/* A jansson string of any bytes; what is no UTF-8 is INVALID_ARGUMENT, named by 'what'. */
GT_MUST_USE struct gt_error *gt_spec_text(const char *what, const char *s, json_t **out);

/* INVALID_ARGUMENT if 's' holds a control character. */
GT_MUST_USE struct gt_error *gt_spec_printable(const char *what, const char *s);

/* Sets bounding, effective and permitted to these names; 'caps' is taken. */
void gt_spec_put_caps(const struct gt_spec *s, json_t *caps);

#endif
