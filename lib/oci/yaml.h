/* SPDX-License-Identifier: Apache-2.0 */
/* YAML as the JSON that it says, for documents that may be written in either. Within lib/oci. */
#ifndef GANTRY_LIB_OCI_YAML_H
#define GANTRY_LIB_OCI_YAML_H

#include <gantry/error.h>

#include <jansson.h>

/*
 * Plain words become null, booleans and numbers (0x and leading zeros as in YAML 1.1), all else text.
 * INVALID_ARGUMENT with the line for what is no YAML, for keys that are no text or come twice, and for
 * nesting deeper than 'depth'; RESOURCE_EXHAUSTED if its aliases make it more than 'most' values.
 */
GT_MUST_USE struct gt_error *gt_yaml_parse(const char *what, const void *data, size_t len,
					   unsigned depth, size_t most, json_t **out);

#endif
