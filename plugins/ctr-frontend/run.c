/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "create.h"
#include "idmaps.h"
#include "network.h"

#include <gantry/file.h>

#include <client/task.h>
#include <proc/grace.h>

#include <fcntl.h>
#include <string.h>

static struct gt_error *created(void *arg, uint32_t pid)
{
	const struct ctr *c = arg;

	GT_TRY(ctr_write_pid(ctr_string(c, "pid-file"), pid));
	if (!ctr_bool(c, "cni"))
		return NULL;
	return ctr_network_up(c, ctr_arg(c, *ctr_string(c, "config") ? 0 : 1), pid);
}

/* What containerd's ctr refuses before it does anything. */
static struct gt_error *check_flags(const struct ctr *c)
{
	GT_TRY(ctr_creation_arguments(c, GT_UNKNOWN));
	if (ctr_bool(c, "rm") && ctr_bool(c, "detach"))
		return ctr_usage_error("flags --detach and --rm cannot be specified together");
	if (ctr_bool(c, "tty") && ctr_bool(c, "null-io"))
		return ctr_usage_error("tty and null-io cannot be used together");
	if (ctr_bool(c, "privileged-without-host-devices") && !ctr_bool(c, "privileged"))
		return ctr_usage_error("can't use 'privileged-without-host-devices' without "
				       "'privileged' specified");
	if (ctr_float(c, "cpus") > 0 && (ctr_int(c, "cpu-quota") != -1 || ctr_uint(c, "cpu-period")))
		return ctr_usage_error("cpus and quota/period should be used separately");
	if (ctr_bool(c, "runc-systemd-cgroup") && !*ctr_string(c, "cgroup"))
		return ctr_usage_error("option --runc-systemd-cgroup requires --cgroup to be set, e.g. "
				       "\"machine.slice:foo:deadbeef\"");
	return NULL;
}

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

static struct gt_error *read_idmaps(struct ctr *c, struct ctr_creation *out)
{
	const struct gt_strv *uids = ctr_list(c, "uidmap"), *gids = ctr_list(c, "gidmap");
	struct gt_container_options *o = &out->options;

	GT_TRY(ctr_idmaps_parse(uids, &out->uidmaps));
	GT_TRY(ctr_idmaps_parse(gids, &out->gidmaps));
	o->uidmaps = out->uidmaps;
	o->n_uidmaps = uids->n;
	o->gidmaps = out->gidmaps;
	o->n_gidmaps = gids->n;
	o->remap_labels = ctr_bool(c, "remap-labels");
	return NULL;
}

static struct gt_error *dump(struct ctr *c, struct gt_services *s,
			     const struct gt_container_options *o)
{
	gt_autoptr(gt_spec) spec = NULL;
	gt_auto(gt_buf) text = GT_BUF_INIT;

	GT_TRY(gt_container_spec(s, &c->call, o, &spec));
	gt_spec_write(spec, 4, &text);
	gt_buf_addc(&text, '\n');
	return gt_file_write(AT_FDCWD, ctr_string(c, "dump-config"), text.s, text.len, 0644, false);
}

/* The network goes before the container does: its record says that there is something to undo. */
static struct gt_error *run_in_network(struct ctr *c, struct gt_services *s,
				       struct gt_container_options *o, struct gt_task_options *t,
				       uint32_t *status)
{
	struct gt_extension extension;
	struct gt_call cleanup = c->call;
	struct gt_error *e, *network;

	GT_TRY(ctr_network_check(c));
	ctr_network_extension(&extension);
	o->extensions = &extension;
	o->n_extensions = 1;
	e = gt_container_new(s, &c->call, o, NULL);
	ctr_network_extension_done(&extension);
	GT_TRY(e);
	t->id = o->id;
	t->terminal = o->tty;
	e = gt_task_run(s, &c->call, t, status);
	if (!e && t->detach)
		return NULL;
	network = ctr_network_after(c, s, o->id);
	cleanup.cancel = NULL;
	cleanup.deadline = 0;
	if (!network && ctr_bool(c, "rm"))
		e = gt_error_first(e, gt_container_delete(s, &cleanup, o->id, false));
	return gt_error_first(e, network);
}

static struct gt_error *run_run(struct ctr *c)
{
	gt_autoptr(gt_signals) signals = NULL;
	gt_auto(ctr_creation) creation = { 0 };
	struct gt_container_options *o = &creation.options;
	gt_autofree char *fifo_dir = NULL;
	struct gt_task_options t = {
		.detach = ctr_bool(c, "detach"),
		.null_io = ctr_bool(c, "null-io"),
		.log_uri = or_null(ctr_string(c, "log-uri")),
		.in = STDIN_FILENO,
		.out = STDOUT_FILENO,
		.err = STDERR_FILENO,
		.created = created,
		.arg = c,
	};
	gt_auto(gt_grace) grace = { 0 };
	uint32_t status = 0;
	struct gt_services *s;

	GT_TRY(check_flags(c));
	/* Before any plugin makes a thread: they shall inherit the mask. */
	if (!t.detach)
		GT_TRY(gt_signals_open(&signals));
	gt_grace_begin(&grace);
	t.signals = signals;
	t.fifo_dir = fifo_dir = ctr_fifo_dir(c);
	t.fifos = *ctr_string(c, "fifo-dir");
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_creation_read(c, s, &creation));
	o->platform = or_null(ctr_string(c, "platform"));
	o->privileged_without_host_devices = ctr_bool(c, "privileged-without-host-devices");
	o->cpus = ctr_float(c, "cpus");
	if (ctr_int(c, "cpu-shares") > 0)
		o->cpu_shares = (uint64_t)ctr_int(c, "cpu-shares");
	o->cpuset_cpus = or_null(ctr_string(c, "cpuset-cpus"));
	o->cpuset_mems = or_null(ctr_string(c, "cpuset-mems"));
	o->rlimit_nofile = or_null(ctr_string(c, "rlimit-nofile"));
	o->cgroup = ctr_is_set(c, "cgroup", CTR_STRING) ? ctr_string(c, "cgroup") : NULL;
	t.no_pivot = ctr_bool(c, "no-pivot");
	GT_TRY(read_idmaps(c, &creation));
	if (*ctr_string(c, "dump-config"))
		return dump(c, s, o);
	if (ctr_bool(c, "cni"))
		GT_TRY(run_in_network(c, s, o, &t, &status));
	else
		GT_TRY(gt_container_run(s, &c->call, o, &t, ctr_bool(c, "rm"), &status));
	c->status = (int)status;
	return NULL;
}

static const struct ctr_flag flags[] = {
	{ .name = "rm", .type = CTR_BOOL, .text = "delete the container when it has ended" },
	{ .name = "null-io", .type = CTR_BOOL, .text = "connect the process to /dev/null" },
	{ .name = "log-uri",
	  .type = CTR_STRING,
	  .text = "where output goes: file:///PATH, or binary:///PATH for a logging program" },
	{ .name = "detach", .alias = "d", .type = CTR_BOOL, .text = "leave it running and return" },
	{ .name = "fifo-dir", .type = CTR_STRING, .text = "folder for the FIFOs of stdio" },
	{ .name = "cgroup",
	  .type = CTR_STRING,
	  .text = "cgroup's path; \"\" leaves it to the runtime (default: /NAMESPACE/ID)" },
	{ .name = "cni",
	  .type = CTR_BOOL,
	  .text = "bring the container into the network that CNI is configured for" },
	{ .name = "platform", .type = CTR_STRING, .text = "take the image for that platform" },
	{ .name = "uidmap",
	  .type = CTR_LIST,
	  .text = "run in a user namespace with this mapping: `CONTAINER-UID:HOST-UID:LENGTH`" },
	{ .name = "gidmap",
	  .type = CTR_LIST,
	  .text = "the same for groups: `CONTAINER-GID:HOST-GID:LENGTH`; goes with --uidmap" },
	{ .name = "remap-labels",
	  .type = CTR_BOOL,
	  .text = "have the snapshotter move files to these ids, instead of a copy that has them" },
	{ .name = "privileged-without-host-devices",
	  .type = CTR_BOOL,
	  .text = "with --privileged: without the host's devices" },
	{ .name = "cpus", .type = CTR_FLOAT, .text = "processors' worth of time" },
	{ .name = "cpu-shares",
	  .type = CTR_INT,
	  .value = "1024",
	  .text = "share of processor time where it is short" },
	{ .name = "cpuset-cpus", .type = CTR_STRING, .text = "processors to run on: 0-3,5" },
	{ .name = "cpuset-mems", .type = CTR_STRING, .text = "memory nodes to use: 0,1" },
	{ .name = "rlimit-nofile", .type = CTR_STRING, .text = "open files: `SOFT:HARD`" },
	{ .name = "sync-fs",
	  .type = CTR_BOOL,
	  .text = "has no effect: an image's files are on disk before it counts as unpacked" },
	{ .name = "dump-config",
	  .type = CTR_STRING,
	  .text = "write the runtime document to that file, and run nothing" },
	{ 0 },
};

const struct ctr_command ctr_run = {
	.name = "run",
	.text = "create a container and run it",
	.args = "[flags] Image|RootFS ID [COMMAND] [ARG...]",
	.more = "The program ends with the process's exit status. Signals go on to the process.",
	.flags = (const struct ctr_flag *const[]){ flags, ctr_snapshotter_flag,
						   ctr_snapshot_label_flag, ctr_container_flags,
						   NULL },
	.run = run_run,
	.bits = CTR_FLAGS_FIRST,
};
