/* SPDX-License-Identifier: Apache-2.0 */
/* containerd.runc.v1.Options: which runtime program, and how it is called. */
#ifndef GANTRY_SHIM_OPTIONS_H
#define GANTRY_SHIM_OPTIONS_H

#include <gantry/buf.h>

#include <google/protobuf/any.pb-c.h>

#define OPTIONS_DEFAULT_ROOT "/run/containerd/runc"
#define OPTIONS_DEFAULT_BINARY "runc"

struct options {
	bool no_pivot_root;
	bool no_new_keyring;
	bool systemd_cgroup;
	uint32_t io_uid, io_gid;
	char *shim_cgroup; /* none of the strings is NULL; "": the default */
	char *binary_name;
	char *root;
	char *criu_image_path;
	char *criu_work_path;
};

void options_init(struct options *o);
void options_done(struct options *o);

/*
 * From a request's Any: NULL, empty or runtimeoptions.v1.Options give the defaults. INVALID_ARGUMENT for
 * any other type and for what is malformed.
 */
GT_MUST_USE struct gt_error *options_from_any(const Google__Protobuf__Any *any, struct options *o);

/* The same from what the daemon wrote to `start`: BootstrapParams of 'id', or a bare Any. */
GT_MUST_USE struct gt_error *options_from_bootstrap(const void *data, size_t len, const char *id,
						    struct options *o);

/* The bundle's options.json and runtime, for `delete`. Reading takes the defaults for what is not there. */
GT_MUST_USE struct gt_error *options_store(const struct options *o, int bundle);
GT_MUST_USE struct gt_error *options_load(struct options *o, int bundle);

#endif
