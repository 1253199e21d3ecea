/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the CNI specification 1.0: it brings network namespaces into networks and out again
 * by running plugins. What a DEL needs (configuration, interface, what ADD answered) is in a record
 * on disk before the first plugin runs, so that whoever comes later can undo what a process that
 * died began.
 *
 * Plugins get the environment and configuration that the specification says, a time-out each, and
 * this process's stderr; of what they print on stdout at most GT_CNI_OUTPUT_MAX bytes are read. A
 * plugin that is out of time is killed; what it started itself is not.
 */
#ifndef GANTRY_LIB_CNI_CNI_H
#define GANTRY_LIB_CNI_CNI_H

#include <gantry/call.h>
#include <gantry/strv.h>

#include <cni/network.h>

#define GT_CNI_OUTPUT_MAX (1024 * 1024)

struct gt_cni {
	struct gt_strv plugin_dirs; /* searched in this order */
	const char *records; /* folder for the records; made if it is not there */
	int64_t timeout; /* of each plugin, nanoseconds */
};

struct gt_cni_attachment {
	const char *container_id; /* letters, digits, _.- */
	const char *netns; /* path; "" where it is gone: for DEL */
	const char *ifname; /* "eth0" */
	/* CNI_ARGS. Neither keys nor values hold ';'. */
	struct gt_labels args;
	/*
	 * Capability arguments ("portMappings": [...]): each goes to the plugins whose configuration
	 * says that they have the capability. NULL: none.
	 */
	const json_t *capabilities;
};

/*
 * Adds 'a' to the network: all plugins in order, each gets its predecessor's result. On an error all
 * are told to DEL again, and no record is left if they could. '*result' (may be NULL) is the last
 * one's. ALREADY_EXISTS if there is a record of that container and interface.
 */
GT_MUST_USE struct gt_error *gt_cni_add(const struct gt_cni *cni, const struct gt_call *call,
					const struct gt_cni_network *n,
					const struct gt_cni_attachment *a, json_t **result);

/* The path of the network namespace that the record tells of; NOT_FOUND without a record. */
GT_MUST_USE struct gt_error *gt_cni_netns(const struct gt_cni *cni, const char *container_id,
					  const char *ifname, char **out);

/*
 * Undoes an ADD, also one that went half-way or that has been undone before: all plugins in reverse
 * order, by the record, with the namespace 'netns' ("": gone). The record is deleted when all are
 * done. NOT_FOUND without a record.
 */
GT_MUST_USE struct gt_error *gt_cni_del(const struct gt_cni *cni, const struct gt_call *call,
					const char *container_id, const char *netns,
					const char *ifname);

/*
 * Whether the attachment is as ADD left it; nothing is asked where the network says so or is of a
 * specification that has no CHECK. NOT_FOUND without a record.
 */
GT_MUST_USE struct gt_error *gt_cni_check(const struct gt_cni *cni, const struct gt_call *call,
					  const char *container_id, const char *netns,
					  const char *ifname);

/* Deletes the record and asks no plugin: for who cannot have it undone. Fine without one. */
GT_MUST_USE struct gt_error *gt_cni_forget(const struct gt_cni *cni, const char *container_id,
					   const char *ifname);

/* The versions of the specification that the plugin speaks. */
GT_MUST_USE struct gt_error *gt_cni_versions(const struct gt_cni *cni, const struct gt_call *call,
					     const char *type, struct gt_strv *out);

#endif
