/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as they come back from the metadata store, whatever they say: listed, looked up, and read by the
 * garbage collection with the labels in them; and a snapshotter's own records. An input is a row of
 * records: length of the key (a byte), key, length of the value (two bytes), value.
 */
#include <config.h>

#include "fuzz/fuzz.h"
#include "fuzz/host.h"

#include <gantry/api-activations.h>
#include <gantry/api-blobs.h>
#include <gantry/api-containers.h>
#include <gantry/api-images.h>
#include <gantry/api-leases.h>
#include <gantry/api-namespaces.h>
#include <gantry/api-sandboxes.h>
#include <gantry/api-snapshots.h>
#include <gantry/api-system.h>
#include <gantry/metadata.h>
#include <snapdb/record.h>

#include <assert.h>
#include <string.h>

#define RECORDS_MAX 64

static struct fuzz_host rig = { .name = "records" };
static struct gt_metadata *store;
static struct gt_services *services;

struct input {
	const uint8_t *p, *end;
};

static bool record_next(struct input *in, struct gt_slice *key, struct gt_slice *value)
{
	size_t len;

	if (in->end - in->p < 4 || in->end - in->p < 3 + *in->p)
		return false;
	*key = (struct gt_slice){ .data = (const char *)in->p + 1, .len = *in->p };
	in->p += 1 + key->len;
	len = (size_t)(in->p[0] << 8 | in->p[1]);
	in->p += 2;
	if (len > (size_t)(in->end - in->p))
		len = (size_t)(in->end - in->p);
	*value = (struct gt_slice){ .data = (const char *)in->p, .len = len };
	in->p += len;
	return true;
}

static struct gt_error *put_all(struct gt_txn *t, void *arg)
{
	struct input in = *(const struct input *)arg;
	struct gt_slice key, value;

	for (int i = 0; i < RECORDS_MAX && record_next(&in, &key, &value); i++)
		if (key.len)
			GT_TRY(gt_txn_put(t, key, value));
	return NULL;
}

static struct gt_error *remove_all(struct gt_txn *t, void *arg)
{
	const struct gt_slice any = { .data = "", .len = 0 };
	struct gt_slice key, value;
	struct gt_error *e;

	(void)arg;
	while (!(e = gt_txn_seek(t, any, any, &key, &value))) {
		gt_autofree char *copy = gt_xmemdup(key.data, key.len);

		GT_TRY(gt_txn_remove(t, (struct gt_slice){ .data = copy, .len = key.len }));
	}
	return gt_error_unless(e, GT_NOT_FOUND);
}

/* --- what is done with them --------------------------------------------------------------- */

FUZZ_SEEN(seen_blob, gt_blob)
FUZZ_SEEN(seen_image, gt_image)
FUZZ_SEEN(seen_container, gt_container)
FUZZ_SEEN(seen_sandbox, gt_sandbox)
FUZZ_SEEN(seen_activation, gt_activation)
FUZZ_SEEN(seen_snapshot, gt_snapshot_info)
FUZZ_SEEN(seen_space, gt_space)
FUZZ_SEEN(seen_kept, gt_kept)

static struct gt_error *seen_namespace(void *arg, const char *name, const struct gt_labels *labels)
{
	gt_strv_add(arg, name);
	assert(labels);
	return NULL;
}

static struct gt_error *seen_resource(void *arg, const char *type, const char *id)
{
	(void)arg;
	assert(type && id);
	return NULL;
}

static struct gt_error *seen_lease(void *arg, const struct gt_lease *l)
{
	gt_strv_add(arg, l->id);
	return NULL;
}

static void look(const char *ns)
{
	struct gt_call call = GT_CALL_INIT;
	gt_auto(gt_strv) leases = { 0 }, filters = { 0 };
	bool kept;

	call.ns = ns;
	gt_strv_add(&filters, "labels.a==b,name~=x");
	gt_error_free(gt_images_list(services, &call, NULL, seen_image, NULL));
	gt_error_free(gt_images_list(services, &call, &filters, seen_image, NULL));
	gt_error_free(gt_containers_list(services, &call, NULL, seen_container, NULL));
	gt_error_free(gt_sandboxes_list(services, &call, NULL, seen_sandbox, NULL));
	gt_error_free(gt_activations_list(services, &call, NULL, seen_activation, NULL));
	gt_error_free(gt_blobs_list(services, &call, NULL, seen_blob, NULL));
	gt_error_free(gt_snapshots_list(services, &call, NULL, NULL, seen_snapshot, NULL));
	gt_error_free(gt_snapshots_cleanup(services, &call, NULL));
	gt_error_free(gt_leases_list(services, &call, NULL, seen_lease, &leases));
	for (size_t i = 0; i < leases.n; i++)
		gt_error_free(gt_leases_resources(services, &call, leases.v[i], seen_resource, NULL));
	gt_error_free(gt_system_explain(services, &call, "a", seen_kept, NULL, &kept));
}

static void collect(void)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_collected went = { 0 };

	gt_error_free(gt_system_usage(services, &call, seen_space, NULL));
	gt_error_free(gt_system_collect(services, &call, GT_COLLECT_MEASURE, &went));
	gt_error_free(gt_system_collect(services, &call,
					GT_COLLECT_SEARCH | GT_COLLECT_HURRY | GT_COLLECT_MEASURE,
					&went));
}

static void snapshotters(struct input in)
{
	struct gt_slice key, value;

	for (int i = 0; i < RECORDS_MAX && record_next(&in, &key, &value); i++) {
		const MDB_val v = { .mv_data = (void *)value.data, .mv_size = value.len };
		gt_auto(gt_snapdb_entry) entry = { 0 };
		struct gt_error *e = record_decode(key.data, key.len, &v, &entry);

		assert(e || (entry.info.key && entry.info.parent));
		gt_error_free(e);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_host_open(&rig);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .p = data, .end = data + size };
	struct gt_call call = GT_CALL_INIT;
	gt_auto(gt_strv) namespaces = { 0 };
	struct gt_error *e;

	if (fuzz_host_next(&rig)) {
		store = fuzz_host_plugin(&rig, GT_METADATA);
		services = fuzz_host_plugin(&rig, GT_SERVICES);
	}
	snapshotters(in);
	e = gt_metadata_update(store, &call, put_all, &in);
	if (!e) {
		gt_error_free(gt_namespaces_list(services, &call, seen_namespace, &namespaces));
		for (size_t i = 0; i < namespaces.n; i++)
			look(namespaces.v[i]);
		look("default");
		collect();
	}
	gt_error_free(e);
	fuzz_must(gt_metadata_update(store, &call, remove_all, NULL));
	return 0;
}
