/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <cni/record.h>

#include <gantry/buf.h>
#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <oci/json.h>
#include <string.h>

#define RECORD_MAX (4 * 1024 * 1024)

void gt_cni_record_done(struct gt_cni_record *r)
{
	gt_cni_network_free(r->network);
	gt_labels_done(&r->attachment.args);
	json_decref(r->doc);
	*r = (struct gt_cni_record){ 0 };
}

/* Neither part holds a ':', so each pair has a name of its own. */
static struct gt_error *path_of(const struct gt_cni *cni, const char *container_id,
				const char *ifname, char **out)
{
	if (!gt_cni_is_name(container_id))
		return gt_error_new(GT_INVALID_ARGUMENT, "CNI: \"%s\" is no container id", container_id);
	if (!gt_cni_is_interface(ifname))
		return gt_error_new(GT_INVALID_ARGUMENT, "CNI: \"%s\" is no name for an interface",
				    ifname);
	*out = gt_strf("%s/%s:%s", cni->records, container_id, ifname);
	return NULL;
}

static json_t *document(const struct gt_cni_network *n, const struct gt_cni_attachment *a,
			const json_t *result)
{
	json_t *doc = json_pack("{s:i, s:s, s:s, s:s, s:O}", "version", 1, "containerId",
				a->container_id, "ifName", a->ifname, "netns", a->netns, "network",
				n->doc);
	json_t *args = json_object();

	for (size_t i = 0; i < a->args.n; i++)
		json_object_set_new(args, a->args.v[i].key, json_string(a->args.v[i].value));
	json_object_set_new(doc, "args", args);
	if (a->capabilities)
		json_object_set_new(doc, "capabilityArgs", json_deep_copy(a->capabilities));
	if (result)
		json_object_set_new(doc, "result", json_deep_copy(result));
	return doc;
}

struct gt_error *gt_cni_record_write(const struct gt_cni *cni, const struct gt_cni_network *n,
				     const struct gt_cni_attachment *a, const json_t *result)
{
	gt_autojson doc = document(n, a, result);
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_autofree char *path = NULL;

	GT_TRY(path_of(cni, a->container_id, a->ifname, &path));
	GT_TRY(gt_file_mkdirs(cni->records, 0700));
	if (!result && access(path, F_OK) == 0)
		return gt_error_new(GT_ALREADY_EXISTS, "network of %s (%s)", a->container_id,
				    a->ifname);
	gt_json_write(doc, &text);
	return gt_file_write(AT_FDCWD, path, text.s, text.len, 0600, true);
}

static struct gt_error *fill(const char *path, const char *container_id, const char *ifname,
			     struct gt_cni_record *r)
{
	json_t *network = NULL, *result = NULL, *capabilities = NULL;
	const char *netns = json_string_value(json_object_get(r->doc, "netns"));

	GT_TRY(gt_json_object(path, r->doc, "network", &network));
	if (!network || !netns)
		return gt_error_new(GT_DATA_LOSS, "%s: has no network", path);
	GT_TRY(gt_cni_network_of(path, network, &r->network));
	GT_TRY(gt_json_labels(path, r->doc, "args", 1000, &r->attachment.args));
	GT_TRY(gt_json_object(path, r->doc, "capabilityArgs", &capabilities));
	GT_TRY(gt_json_object(path, r->doc, "result", &result));
	r->attachment.container_id = container_id;
	r->attachment.ifname = ifname;
	r->attachment.netns = netns;
	r->attachment.capabilities = capabilities;
	r->result = result;
	return NULL;
}

struct gt_error *gt_cni_record_read(const struct gt_cni *cni, const char *container_id,
				    const char *ifname, struct gt_cni_record *out)
{
	struct gt_cni_record r = { 0 };
	gt_autofree char *path = NULL;
	gt_auto(gt_buf) text = GT_BUF_INIT;
	struct gt_error *e;

	GT_TRY(path_of(cni, container_id, ifname, &path));
	GT_TRY(gt_file_read(AT_FDCWD, path, RECORD_MAX, &text));
	e = gt_json_parse(path, text.s, text.len, RECORD_MAX, GT_CNI_DEPTH + 2, &r.doc);
	if (!e)
		e = fill(path, container_id, ifname, &r);
	if (e) {
		gt_cni_record_done(&r);
		return gt_error_reclass(e, GT_DATA_LOSS);
	}
	*out = r;
	return NULL;
}

/* What a process that was killed while it wrote the record has left of it. */
static void remove_unfinished(const char *dir, const char *name)
{
	DIR *d = opendir(dir);
	size_t len = strlen(name);
	struct dirent *ent;

	if (!d)
		return;
	while ((ent = readdir(d))) {
		const char *rest = ent->d_name + len;

		/* NAME.PID-NUMBER.tmp */
		if (!strncmp(ent->d_name, name, len) && *rest == '.' &&
		    !strcmp(rest + 1 + strspn(rest + 1, "0123456789-"), ".tmp"))
			unlinkat(dirfd(d), ent->d_name, 0);
	}
	closedir(d);
}

struct gt_error *gt_cni_record_remove(const struct gt_cni *cni, const char *container_id,
				      const char *ifname)
{
	gt_autofree char *path = NULL;

	GT_TRY(path_of(cni, container_id, ifname, &path));
	remove_unfinished(cni->records, strrchr(path, '/') + 1);
	if (unlink(path) < 0 && errno != ENOENT)
		return gt_error_errno(GT_UNKNOWN, errno, "delete %s", path);
	return NULL;
}
