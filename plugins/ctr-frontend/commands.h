/* SPDX-License-Identifier: Apache-2.0 */
/* The commands at the top of the tree, one file each, and the flags that several of them share. */
#ifndef CTR_COMMANDS_H
#define CTR_COMMANDS_H

#include "app.h"

extern const struct ctr_command ctr_plugins;
extern const struct ctr_command ctr_version;
extern const struct ctr_command ctr_containers;
extern const struct ctr_command ctr_content;
extern const struct ctr_command ctr_events;
extern const struct ctr_command ctr_images;
extern const struct ctr_command ctr_leases;
extern const struct ctr_command ctr_logs;
extern const struct ctr_command ctr_namespaces;
extern const struct ctr_command ctr_run;
extern const struct ctr_command ctr_snapshots;
extern const struct ctr_command ctr_system;
extern const struct ctr_command ctr_stats;
extern const struct ctr_command ctr_tasks;
extern const struct ctr_command ctr_top;
extern const struct ctr_command ctr_oci;
extern const struct ctr_command ctr_oci_hook;
extern const struct ctr_command ctr_info;
extern const struct ctr_command ctr_deprecations;
extern const struct ctr_command ctr_inspect_runtime; /* of the group `plugins` */
extern const struct ctr_command ctr_install;
extern const struct ctr_command ctr_pprof;
extern const struct ctr_command ctr_publish;
extern const struct ctr_command ctr_sandboxes;
extern const struct ctr_command ctr_shim;

/* of the group `content`, in files of their own */
extern const struct ctr_command ctr_content_edit;
extern const struct ctr_command ctr_content_prune;
extern const struct ctr_command ctr_content_fetch;
extern const struct ctr_command ctr_content_fetch_blob;
extern const struct ctr_command ctr_content_fetch_object;
extern const struct ctr_command ctr_content_push_object;

extern const struct ctr_flag ctr_snapshotter_flag[];
extern const struct ctr_flag ctr_snapshot_label_flag[];
extern const struct ctr_flag ctr_container_flags[]; /* of run and containers create */

/* The flag --snapshotter, or NULL where it is empty: the default. */
const char *ctr_snapshotter(const struct ctr *c);

#endif
