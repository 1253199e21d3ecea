/* SPDX-License-Identifier: Apache-2.0 */
/* `SHIM -info`: what a runtime says of itself, asked without any container. */
#include <config.h>

#include <shim/message.h>
#include <shim/runtime.h>

#include <gantry/buf.h>
#include <proc/proc.h>

#include <containerd.types.pb-c.h>
#include <google/protobuf/any.pb-c.h>
#include <string.h>
#include <sys/wait.h>

#define INFO_MAX (1024 * 1024)
#define INFO_TIME INT64_C(10000000000)

struct gt_error *gt_shim_info(struct gt_call *call, const char *program, const struct gt_any *options,
			      struct gt_any *out)
{
	const struct gt_proc_spec spec = { .argv = (const char *const[]){ program, "-info", NULL } };
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	gt_auto(gt_buf) said = GT_BUF_INIT;
	gt_autofree uint8_t *input = NULL;
	Containerd__Types__RuntimeInfo *info;
	struct gt_call limited = *call;
	int64_t end = gt_now() + INFO_TIME;
	size_t len = 0;
	int status;

	if (options && options->type_url) {
		any.type_url = options->type_url;
		any.value.data = options->data;
		any.value.len = options->len;
		input = gt_xmalloc(google__protobuf__any__get_packed_size(&any) + 1);
		len = google__protobuf__any__pack(&any, input);
	}
	if (!limited.deadline || limited.deadline > end)
		limited.deadline = end;
	GT_TRY(gt_error_wrap(gt_proc_run(&spec, &limited, input, len, INFO_MAX, &said, &status),
			     "%s -info", program));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return gt_error_new(GT_UNKNOWN, "%s -info: %.500s", program, said.s);
	info = containerd__types__runtime_info__unpack(NULL, said.len, (const uint8_t *)said.s);
	if (!info)
		return gt_error_new(GT_DATA_LOSS, "what %s -info prints is no RuntimeInfo", program);
	containerd__types__runtime_info__free_unpacked(info, NULL);
	gt_any_set(out, containerd__types__runtime_info__descriptor.name, said.s, said.len);
	return NULL;
}
