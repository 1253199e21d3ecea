/* SPDX-License-Identifier: Apache-2.0 */
/* What people type: filters, references, platforms, identifiers, sizes, durations. */
#include <config.h>

#include "fuzz/fuzz.h"

#include <filter/filter.h>
#include <oci/platform.h>
#include <oci/reference.h>

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/quantity.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	gt_autofree char *text = gt_xstrndup((const char *)data, size);
	gt_autofree char *name = NULL;
	struct gt_strv filters = { 0 };
	struct gt_filter *filter = NULL;
	struct gt_reference reference;
	struct gt_platform platform = { 0 };
	struct gt_error *e;
	uint64_t bytes;
	int64_t ns;

	gt_strv_add(&filters, text);
	e = gt_filter_parse(&filters, &filter);
	if (!e)
		gt_filter_free(filter);
	gt_error_free(e);
	gt_strv_done(&filters);
	e = gt_reference_parse(text, &reference);
	if (!e)
		gt_reference_done(&reference);
	gt_error_free(e);
	gt_error_free(gt_reference_normalise(text, &name));
	e = gt_platform_parse(text, &platform);
	if (!e)
		gt_platform_done(&platform);
	gt_error_free(e);
	gt_error_free(gt_identifier_check("id", text));
	gt_size_parse(text, &bytes);
	gt_duration_parse(text, &ns);
	return 0;
}
