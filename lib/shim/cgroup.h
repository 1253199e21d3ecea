/* SPDX-License-Identifier: Apache-2.0 */
/* Ending what runs in a container's control groups, in whatever mix of v1 and v2 is mounted. */
#ifndef GANTRY_LIB_SHIM_CGROUP_H
#define GANTRY_LIB_SHIM_CGROUP_H

#include <gantry/error.h>

#include <stdint.h>

/*
 * 'path' is cgroupsPath of an OCI document: "/a/b", or systemd's "slice:prefix:name". Thaws the groups,
 * kills what is in them and below and deletes them; DEADLINE_EXCEEDED if that is not done by then. Fine
 * if there are none. A path that names no group of its own ("", "/", relative, above our own group) is
 * left alone.
 */
GT_MUST_USE struct gt_error *gt_cgroup_end(const char *path, int64_t deadline);

#endif
