/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.toml, whatever somebody left in the folder of a registry. */
#include <config.h>

#include "fuzz/fuzz.h"

#include "plugins/resolver-http/hosts.h"

#include <gantry/buf.h>

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct gt_registry_options none = GT_REGISTRY_OPTIONS_INIT;
	gt_autofree char *text = gt_xstrndup((const char *)data, size);
	struct hosts hosts = { 0 };
	struct gt_error *e;

	e = hosts_parse("/nowhere/hosts.toml", text, strlen(text), "r.example:5000", &none, &hosts);
	for (size_t i = 0; !e && i < hosts.n; i++) {
		assert(!strncmp(hosts.v[i].base, "http", 4) && *hosts.v[i].authority);
		assert(!strpbrk(hosts.v[i].base, " \r\n"));
		for (size_t k = 0; k < hosts.v[i].headers.n; k++)
			assert(!strpbrk(hosts.v[i].headers.v[k], "\r\n"));
	}
	assert(!e || !strncmp(gt_error_text(e), "/nowhere/hosts.toml:", 20));
	hosts_done(&hosts);
	gt_error_free(e);
	return 0;
}
