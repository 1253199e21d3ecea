/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/bundle.h>

#include <gantry/file.h>
#include <gantry/strv.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

/* Adds the names in a folder that are identifiers, or those that are hidden. Fine if it is not there. */
static struct gt_error *list(const char *path, bool hidden, struct gt_strv *out)
{
	DIR *d = opendir(path);
	struct dirent *ent;

	if (!d && errno == ENOENT)
		return NULL;
	if (!d)
		return gt_error_errno(gt_file_class(errno), errno, "read folder %s", path);
	while ((ent = readdir(d))) {
		if (ent->d_type != DT_DIR && ent->d_type != DT_UNKNOWN)
			continue;
		if (hidden) {
			if (!strncmp(ent->d_name, ".new-", 5) || !strncmp(ent->d_name, ".old-", 5))
				gt_strv_add(out, ent->d_name);
		} else if (*ent->d_name != '.') {
			gt_strv_add(out, ent->d_name);
		}
	}
	closedir(d);
	gt_strv_sort(out);
	return NULL;
}

static bool has_address(const char *folder, const char *id)
{
	gt_autofree char *json = gt_strf("%s/%s/bootstrap.json", folder, id);
	gt_autofree char *plain = gt_strf("%s/%s/address", folder, id);

	return access(json, F_OK) == 0 || access(plain, F_OK) == 0;
}

static struct gt_error *walk_namespace(const struct gt_bundles *all, const char *ns,
				       struct gt_error *(*fn)(void *arg, const char *ns,
							      const char *id, bool has_address),
				       void *arg)
{
	gt_autofree char *folder = gt_strf("%s/%s", all->state, ns);
	gt_auto(gt_strv) ids = { 0 };

	GT_TRY(list(folder, false, &ids));
	for (size_t i = 0; i < ids.n; i++) {
		struct gt_error *strange = gt_identifier_check("task id", ids.v[i]);

		if (!strange)
			GT_TRY(fn(arg, ns, ids.v[i], has_address(folder, ids.v[i])));
		gt_error_free(strange);
	}
	return NULL;
}

struct gt_error *gt_bundles_walk(const struct gt_bundles *all, const char *ns,
				 struct gt_error *(*fn)(void *arg, const char *ns, const char *id,
							bool has_address),
				 void *arg)
{
	gt_auto(gt_strv) namespaces = { 0 };

	if (ns)
		return walk_namespace(all, ns, fn, arg);
	GT_TRY(list(all->state, false, &namespaces));
	for (size_t i = 0; i < namespaces.n; i++)
		GT_TRY(walk_namespace(all, namespaces.v[i], fn, arg));
	return NULL;
}

/* Errors are for the next who tries. */
static void tidy_namespace(const struct gt_bundles *all, const char *ns)
{
	gt_autofree char *folder = gt_strf("%s/%s", all->state, ns);
	gt_auto(gt_strv) names = { 0 };

	gt_error_free(list(folder, true, &names));
	for (size_t i = 0; i < names.n; i++) {
		gt_autofree char *path = gt_strf("%s/%s", folder, names.v[i]);
		gt_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			gt_error_free(gt_file_remove_tree(AT_FDCWD, path));
	}
}

void gt_bundles_tidy(const struct gt_bundles *all, const char *ns)
{
	gt_auto(gt_strv) namespaces = { 0 };

	if (ns) {
		tidy_namespace(all, ns);
		return;
	}
	gt_error_free(list(all->state, false, &namespaces));
	for (size_t i = 0; i < namespaces.n; i++)
		tidy_namespace(all, namespaces.v[i]);
}
