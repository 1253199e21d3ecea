/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "action.h"

#include "child.h"
#include "leftover.h"
#include "options.h"
#include "runtime.h"
#include "spec.h"

#include <gantry/call.h>
#include <gantry/file.h>
#include <gantry/log.h>
#include <mount/mount.h>
#include <shim/socket.h>

#include <containerd.task.v2.pb-c.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* The daemon gives up after five seconds. */
#define RUNTIME_SECONDS 4
#define ADDRESS_MAX 4096

/* Runs it to its end, or kills it. Its messages go to our standard error, which the daemon logs. */
static void runtime_delete(const struct runtime *rt, const char *id)
{
	const struct timespec timeout = { .tv_sec = RUNTIME_SECONDS };
	struct gt_strv argv = { 0 };
	struct gt_error *e;
	sigset_t set;
	pid_t pid;

	if (access(rt->root, F_OK) < 0) /* it knows of nothing there, and would make the folder */
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	runtime_argv(rt, &argv);
	gt_strv_add(&argv, "delete");
	gt_strv_add(&argv, "--force");
	gt_strv_add(&argv, id);
	e = child_spawn(&(struct child_spec){ .argv = (const char *const *)argv.v,
					      .in = -1,
					      .out = STDERR_FILENO,
					      .err = STDERR_FILENO },
			&pid);
	gt_strv_done(&argv);
	if (e) {
		gt_log_warn_take(e, "delete %s", id);
		return;
	}
	if (sigtimedwait(&set, NULL, &timeout) < 0) {
		gt_log_warn("%s did not end in time and is killed", rt->binary);
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	waitpid(pid, NULL, 0);
}

static struct gt_error *response_print(pid_t pid)
{
	Containerd__Task__V2__DeleteResponse m = CONTAINERD__TASK__V2__DELETE_RESPONSE__INIT;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	gt_autofree uint8_t *bytes = NULL;
	struct timespec now;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	at.seconds = now.tv_sec;
	at.nanos = (int32_t)now.tv_nsec;
	m.pid = pid;
	m.exit_status = 128 + SIGKILL;
	m.exited_at = &at;
	len = containerd__task__v2__delete_response__get_packed_size(&m);
	bytes = gt_xmalloc(len);
	containerd__task__v2__delete_response__pack(&m, bytes);
	return gt_file_write_all(STDOUT_FILENO, bytes, len, "standard output");
}

struct gt_error *action_delete(const struct shim_args *args)
{
	gt_autofree char *cwd = args->bundle && *args->bundle ? gt_xstrdup(args->bundle)
							      : getcwd(NULL, 0);
	gt_autofree char *bundle = cwd ? realpath(cwd, NULL) : NULL;
	struct runtime rt = { 0 };
	struct options options;
	struct spec spec = { 0 };
	bool ran = true;
	pid_t pid = 0;

	GT_TRY(gt_identifier_check("id", args->id));
	options_init(&options);
	if (bundle) {
		gt_autofd int fd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		gt_autofree char *pid_file = gt_strf("%s/init.pid", bundle);

		/* Create leaves options before it calls the runtime: there is none of a sandbox, whose
		 * name a container may have as well. */
		ran = fd < 0 || faccessat(fd, "options.json", F_OK, 0) == 0;
		/* What cannot be read any more is taken as the default: nothing may stop us here. */
		gt_log_warn_take(options_load(&options, fd), "read the options of %s", args->id);
		gt_error_free(spec_read(fd, &spec));
		gt_error_free(runtime_pid_read(pid_file, &pid));
	}
	runtime_init_take(&rt, &options, args->ns, bundle ? bundle : "/tmp");
	if (ran)
		runtime_delete(&rt, args->id);
	if (spec.cgroups_path)
		leftover_end(spec.cgroups_path, args->id);
	if (bundle) {
		gt_autofree char *rootfs = gt_strf("%s/rootfs", bundle);
		gt_autofree char *file = gt_strf("%s/address", bundle);
		gt_auto(gt_buf) address = GT_BUF_INIT;

		gt_error_free(gt_file_read(AT_FDCWD, file, ADDRESS_MAX, &address));
		gt_shim_socket_release(address.s);
		gt_log_warn_take(gt_mount_unmount_all(rootfs, GT_UNMOUNT_DETACH), "unmount %s",
				 rootfs);
	}
	runtime_done(&rt);
	spec_done(&spec);
	return response_print(pid);
}
