/* SPDX-License-Identifier: Apache-2.0 */
/* What users hand in: runtime documents, seccomp profiles, networks of CNI, classes of block I/O. */
#include <config.h>

#include "fuzz/fuzz.h"

#include <cni/network.h>
#include <oci/spec.h>

static void runtime_document(const void *data, size_t size)
{
	gt_autoptr(gt_spec) s = NULL;
	gt_auto(gt_buf) text = GT_BUF_INIT;
	struct gt_error *e = gt_spec_parse(data, size, &s);

	if (!e) {
		gt_error_free(gt_spec_check(s));
		gt_spec_set_default_seccomp(s);
		gt_spec_write(s, 0, &text);
	}
	gt_error_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	gt_autoptr(gt_spec) s = gt_spec_new("ns", "id");
	gt_auto(gt_strv) ignored = { 0 };
	struct gt_cni_network *network = NULL;
	struct gt_error *e;

	runtime_document(data, size);
	gt_error_free(gt_spec_set_seccomp(s, data, size));
	gt_error_free(gt_spec_set_blockio(s, data, size, "a", &ignored));
	e = gt_cni_network_parse("network", data, size, &network);
	if (!e)
		gt_cni_network_free(network);
	gt_error_free(e);
	return 0;
}
