/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/runc-options.h>

#include <proc/proc.h>
#include <ttrpc/frame.h>

#include <gantry/file.h>

#include <containerd.runc.v1.pb-c.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/wait.h>

#define TYPE "containerd.runc.v1.Options"
#define FILE_MAX 65536
#define OUTPUT_MAX 4096

bool gt_shim_options_are_runc(const struct gt_any *a)
{
	return !a || !a->type_url || !*a->type_url || gt_any_is(a, TYPE);
}

const struct gt_any *gt_shim_options_given(const struct gt_task_create *req)
{
	if (req->options && req->options->type_url && req->options->len)
		return req->options;
	return req->runtime_options;
}

static void pack(const ProtobufCMessage *m, struct gt_any *out)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	gt_autofree uint8_t *data = gt_xmalloc(len + 1);

	protobuf_c_message_pack(m, data);
	gt_any_set(out, TYPE, data, len);
}

struct gt_error *gt_shim_runc_options(const struct gt_any *given,
				      const struct gt_shim_runc_defaults *defaults,
				      struct gt_any *out)
{
	Containerd__Runc__V1__Options fresh = CONTAINERD__RUNC__V1__OPTIONS__INIT;
	ProtobufCMessage *m = NULL;

	if (given && given->len) {
		m = gt_ttrpc_message_unpack(&containerd__runc__v1__options__descriptor, given->data,
					    given->len);
		if (!m)
			return gt_error_new(GT_INVALID_ARGUMENT, "malformed %s", TYPE);
		/* Packed from a copy that borrows: the original is freed as it was allocated. */
		fresh = *(Containerd__Runc__V1__Options *)m;
	}
	if (!*fresh.binary_name)
		fresh.binary_name = (char *)defaults->binary;
	if (!*fresh.root)
		fresh.root = (char *)defaults->root;
	fresh.systemd_cgroup = fresh.systemd_cgroup || defaults->systemd_cgroup;
	pack(&fresh.base, out);
	if (m)
		gt_ttrpc_message_free(m);
	return NULL;
}

static const char *or_default(const json_t *doc, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(doc, key));

	return s && *s ? s : otherwise;
}

struct gt_error *gt_shim_runc_force(const struct gt_bundle *b, struct gt_call *call,
				    const struct gt_shim_runc_defaults *defaults)
{
	gt_auto(gt_buf) text = GT_BUF_INIT, output = GT_BUF_INIT;
	gt_autoptr(gt_error) none = gt_file_read(b->fd, "options.json", FILE_MAX, &text);
	json_t *doc = none ? NULL : json_loadb(text.s, text.len, 0, NULL);
	gt_autofree char *folder =
		gt_strf("%s/%s", or_default(doc, "root", defaults->root), b->ns);
	gt_autofree char *state = gt_strf("%s/%s", folder, b->id);
	const char *argv[] = { or_default(doc, "binary_name", defaults->binary), "--root", folder,
			       "delete", "--force", b->id, NULL };
	struct gt_proc_spec spec = { .argv = argv };
	int status = 0;
	struct gt_error *e = NULL;

	if (access(state, F_OK) == 0)
		e = gt_proc_run(&spec, call, NULL, 0, OUTPUT_MAX, &output, &status);
	if (!e && (!WIFEXITED(status) || WEXITSTATUS(status)))
		e = gt_error_new(GT_UNKNOWN, "%s delete: %s", argv[0], output.s);
	json_decref(doc);
	/* Its processes have been ended by now: what it knows of them is worth nothing. */
	return gt_error_first(e, gt_file_remove_tree(AT_FDCWD, state));
}
