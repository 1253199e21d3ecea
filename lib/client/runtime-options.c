/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/runtime-options.h>

#include <containerd.runc.v1.pb-c.h>
#include <runtimeoptions.v1.pb-c.h>
#include <string.h>

#define RUNC_OPTIONS "containerd.runc.v1.Options"
#define OTHER_OPTIONS "runtimeoptions.v1.Options"

typedef Containerd__Runc__V1__Options runc_options;

static bool is_runc(const char *runtime)
{
	static const char *const names[] = { "io.containerd.runc.v2", "io.containerd.runc.v1",
					     "io.containerd.gantry.v1" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(runtime, names[i]))
			return true;
	}
	return false;
}

static void set(struct gt_any *out, const char *type, const ProtobufCMessage *m)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	gt_autofree uint8_t *bytes = gt_xmalloc(len + 1);

	protobuf_c_message_pack(m, bytes);
	gt_any_set(out, type, bytes, len);
}

struct gt_error *gt_runtime_options(const struct gt_container_options *o, const char *runtime,
				    struct gt_any *out)
{
	if (is_runc(runtime)) {
		runc_options m = CONTAINERD__RUNC__V1__OPTIONS__INIT;

		if (o->runc_binary)
			m.binary_name = (char *)o->runc_binary;
		if (o->runc_root)
			m.root = (char *)o->runc_root;
		m.systemd_cgroup = o->runc_systemd_cgroup;
		set(out, RUNC_OPTIONS, &m.base);
		return NULL;
	}
	if (o->runc_binary || o->runc_root || o->runc_systemd_cgroup)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "specifying runc-binary and runc-systemd-cgroup is only "
				    "supported for \"io.containerd.runc.v2\" runtime");
	if (o->runtime_config_path) {
		Runtimeoptions__V1__Options m = RUNTIMEOPTIONS__V1__OPTIONS__INIT;

		m.config_path = (char *)o->runtime_config_path;
		set(out, OTHER_OPTIONS, &m.base);
	}
	return NULL;
}

struct gt_error *gt_runtime_options_no_pivot(const struct gt_any *of_container, struct gt_any *out)
{
	runc_options *m = NULL;

	if (!of_container->type_url || !gt_any_is(of_container, RUNC_OPTIONS))
		return gt_error_new(GT_INVALID_ARGUMENT, "no-pivot is for runc's runtimes only");
	m = containerd__runc__v1__options__unpack(NULL, of_container->len, of_container->data);
	if (!m)
		return gt_error_new(GT_DATA_LOSS, "the container's runtime options are broken");
	m->no_pivot_root = true;
	set(out, RUNC_OPTIONS, &m->base);
	containerd__runc__v1__options__free_unpacked(m, NULL);
	return NULL;
}
