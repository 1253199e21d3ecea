/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/gpu.h>

#include <gantry/buf.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOOL "nvidia-container-cli"

static const char *const capabilities[] = { "compute", "compat32", "graphics",
					    "utility", "video",	   "display" };

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Relative entries of PATH are left out: who starts the hook stands elsewhere. */
static struct gt_error *look_up(const char *name, char **out)
{
	const char *path = getenv("PATH");
	gt_auto(gt_strv) folders = { 0 };

	gt_strv_split(&folders, path ? path : "", ':');
	for (size_t i = 0; i < folders.n; i++) {
		gt_autofree char *file = gt_strf("%s/%s", folders.v[i], name);

		if (*file == '/' && is_program(file)) {
			*out = gt_steal(&file);
			return NULL;
		}
	}
	return gt_error_new(GT_NOT_FOUND, "exec: \"%s\": executable file not found in $PATH", name);
}

static char *joined(const struct gt_strv *ids)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	for (size_t i = 0; i < ids->n; i++)
		gt_buf_addf(&b, "%s%s", i ? "," : "", ids->v[i]);
	return gt_buf_detach(&b);
}

struct gt_error *gt_gpu_add(struct gt_spec *s, const char *hook, const struct gt_strv *ids)
{
	gt_autofree char *tool = NULL, *devices = joined(ids);
	gt_auto(gt_strv) args = { 0 };
	gt_auto(gt_strv) env = { 0 };

	GT_TRY(look_up(TOOL, &tool));
	gt_strv_add(&args, "ctr");
	gt_strv_add(&args, "oci");
	gt_strv_add(&args, "hook");
	gt_strv_add(&args, "--");
	gt_strv_add(&args, tool);
	gt_strv_add(&args, "--load-kmods");
	gt_strv_add(&args, "configure");
	if (*devices)
		gt_strv_addf(&args, "--device=%s", devices);
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++)
		gt_strv_addf(&args, "--%s", capabilities[i]);
	gt_strv_add(&args, "--pid={{pid}}");
	gt_strv_add(&args, "{{rootfs}}");
	for (char **e = environ; *e; e++)
		gt_strv_add(&env, *e);
	return gt_spec_add_hook(s, "prestart", hook, &args, &env, 0);
}
