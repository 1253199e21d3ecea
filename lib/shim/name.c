/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/name.h>

#include <gantry/buf.h>
#include <gantry/strv.h>

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

struct gt_error *gt_shim_program_name(const char *runtime, char **name)
{
	gt_auto(gt_strv) parts = { 0 };

	if (!*runtime)
		return gt_error_new(GT_INVALID_ARGUMENT, "no runtime name");
	gt_strv_split(&parts, runtime, '.');
	if (strchr(runtime, '/') || parts.n < 2 || !*parts.v[0] || !*parts.v[parts.n - 2] ||
	    !*parts.v[parts.n - 1])
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "invalid runtime name %s, should be either the absolute path of "
				    "a shim or like io.containerd.runc.v2",
				    runtime);
	*name = gt_strf("containerd-shim-%s-%s", parts.v[parts.n - 2], parts.v[parts.n - 1]);
	return NULL;
}

/* The folder that our own program stands in; "" if nobody knows. */
static char *own_folder(void)
{
	gt_autofree char *exe = realpath("/proc/self/exe", NULL);
	char *slash = exe ? strrchr(exe, '/') : NULL;

	return slash ? gt_xstrndup(exe, slash - exe) : gt_xstrdup("");
}

struct gt_error *gt_shim_program(const char *runtime, const struct gt_strv *first, char **path)
{
	gt_auto(gt_strv) folders = { 0 };
	gt_autofree char *name = NULL;
	const char *search = getenv("PATH");

	if (*runtime == '/') {
		if (!is_program(runtime))
			return gt_error_new(GT_INVALID_ARGUMENT, "invalid custom binary path %s",
					    runtime);
		*path = gt_xstrdup(runtime);
		return NULL;
	}
	GT_TRY(gt_shim_program_name(runtime, &name));
	if (first)
		gt_strv_addv(&folders, first);
	gt_strv_split(&folders, search ? search : "", ':');
	gt_strv_add_take(&folders, own_folder());
	gt_strv_add(&folders, GT_BINDIR);
	for (size_t i = 0; i < folders.n; i++) {
		gt_autofree char *file = gt_strf("%s/%s", folders.v[i], name);

		if (*file == '/' && *folders.v[i] && is_program(file)) {
			*path = gt_steal(&file);
			return NULL;
		}
	}
	return gt_error_new(GT_NOT_FOUND,
			    "runtime \"%s\" binary not installed \"%s\": file does not exist", runtime,
			    name);
}
