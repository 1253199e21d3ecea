/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "action.h"

#include "cgroup.h"
#include "options.h"
#include "serve.h"
#include "socket.h"
#include "spec.h"

#include "core/log.h"

#include <gantry/call.h>
#include <gantry/file.h>
#include <gantry/log.h>

#include <containerd.runtime.bootstrap.v1.pb-c.h>
#include <shim/socket.h>
#include <ttrpc/frame.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define INPUT_MAX (10 * 1024 * 1024)

void action_log(bool debug)
{
	/* The daemon reads it; where there is none, nobody does. */
	int fd = open("log", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	struct gt_error *e = gt_log_set(&(struct gt_log_setup){
		.fd = fd,
		.level = debug ? GT_LOG_DEBUG : GT_LOG_INFO,
	});

	signal(SIGPIPE, SIG_IGN);
	gt_error_free(e);
}

struct gt_error *action_input(struct gt_buf *out)
{
	while (out->len <= INPUT_MAX) {
		ssize_t n = read(STDIN_FILENO, gt_buf_reserve(out, 4096), 4096);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read standard input");
		if (n == 0)
			return NULL;
		gt_buf_setlen(out, out->len + n);
	}
	return gt_error_new(GT_RESOURCE_EXHAUSTED, "standard input is longer than %d bytes",
			    INPUT_MAX);
}

/* What BootstrapParams say where it is them; NULL: nothing. */
static char *bootstrap_socket_dir(const struct gt_buf *input, const char *id)
{
	Containerd__Runtime__Bootstrap__V1__BootstrapParams *p;
	char *dir = NULL;

	p = (Containerd__Runtime__Bootstrap__V1__BootstrapParams *)gt_ttrpc_message_unpack(
		&containerd__runtime__bootstrap__v1__bootstrap_params__descriptor, input->s,
		input->len);
	if (!p)
		return NULL;
	if (!strcmp(p->instance_id, id) &&
	    p->_socket_dir_case ==
		    CONTAINERD__RUNTIME__BOOTSTRAP__V1__BOOTSTRAP_PARAMS___SOCKET_DIR_SOCKET_DIR &&
	    p->socket_dir[0] == '/')
		dir = gt_xstrdup(p->socket_dir);
	gt_ttrpc_message_free(&p->base);
	return dir;
}

static char *socket_dir(const struct gt_buf *input, const char *id)
{
	const char *env = getenv(SOCKET_DIR_ENV);
	char *dir;

	if (env && env[0] == '/')
		return gt_xstrdup(env);
	dir = bootstrap_socket_dir(input, id);
	if (!dir)
		return gt_xstrdup(GT_SHIM_SOCKET_DIR);
	if (symlink(dir, "s") < 0 && errno != EEXIST) /* for a person who looks for it */
		gt_log_debug("no link to %s: %s", dir, strerror(errno));
	return dir;
}

/* Whether the daemon understands version 3, which tells it that we can hold a sandbox. */
static bool speaks_v3(const struct gt_buf *input, const char *id)
{
	const char *most = getenv("MAX_SHIM_VERSION");
	Containerd__Runtime__Bootstrap__V1__BootstrapParams *p;
	bool yes;

	if (most && !strcmp(most, "3"))
		return true;
	/* A daemon that says 2, and takes 3, is known by what it writes. */
	p = (Containerd__Runtime__Bootstrap__V1__BootstrapParams *)gt_ttrpc_message_unpack(
		&containerd__runtime__bootstrap__v1__bootstrap_params__descriptor, input->s,
		input->len);
	if (!p)
		return false;
	yes = !strcmp(p->instance_id, id);
	gt_ttrpc_message_free(&p->base);
	return yes;
}

static struct gt_error *address_print(const char *path, bool v3)
{
	gt_autofree char *address = gt_strf("unix://%s", path);
	gt_auto(gt_buf) text = GT_BUF_INIT;

	GT_TRY(gt_file_write(AT_FDCWD, "address", address, strlen(address), 0644, false));
	if (v3)
		gt_buf_addf(&text, "{\"version\":3,\"address\":\"%s\",\"protocol\":\"ttrpc\"}", address);
	else
		gt_buf_adds(&text, address);
	return gt_file_write_all(STDOUT_FILENO, text.s, text.len, "standard output");
}

/* Containers of one core-scheduling group do not share a core with anybody else's. */
static void sched_core(void)
{
	if (getenv("SCHED_CORE") &&
	    prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PR_SCHED_CORE_SCOPE_PROCESS_GROUP, 0) < 0)
		gt_log_warn("no core scheduling: %s", strerror(errno));
}

/* Takes 'fd'. The serving process is this program, copied: it need not be loaded again. */
static struct gt_error *serve_start_take(const struct shim_args *args, const struct options *o,
					 int fd, const char *path, bool v3)
{
	gt_auto(gt_buf) why = GT_BUF_INIT;
	struct gt_error *e = NULL;
	int ready[2];
	pid_t pid;

	pid = pipe2(ready, O_CLOEXEC) == 0 ? fork() : -1;
	if (pid < 0) {
		e = gt_error_errno(GT_UNKNOWN, errno, "fork");
		close(fd);
		return e;
	}
	if (pid == 0) {
		close(ready[0]);
		sched_core();
		memset(args->action, 0, strlen(args->action)); /* as ps shows it: it serves */
		_exit(serve_take(args, fd, path, ready[1]));
	}
	close(fd);
	close(ready[1]);
	while (read(ready[0], gt_buf_reserve(&why, 1), 1) == 1)
		gt_buf_setlen(&why, why.len + 1);
	close(ready[0]);
	if (why.len)
		e = gt_error_new(GT_UNKNOWN, "%s", why.s);
	if (!e && *o->shim_cgroup)
		e = cgroup_join(o->shim_cgroup, pid);
	if (!e)
		e = address_print(path, v3);
	if (e) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return e;
}

static struct gt_error *group_of(const struct shim_args *args, char **out)
{
	gt_autofd int bundle = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct spec spec;

	if (bundle < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open the bundle");
	if (faccessat(bundle, "config.json", F_OK, 0) < 0 && errno == ENOENT) {
		*out = gt_xstrdup(args->id); /* of a sandbox, which may have none */
		return NULL;
	}
	GT_TRY(spec_read(bundle, &spec));
	*out = spec.group ? gt_steal(&spec.group) : gt_xstrdup(args->id);
	spec_done(&spec);
	return NULL;
}

struct gt_error *action_start(const struct shim_args *args)
{
	struct options options __attribute__((cleanup(options_done)));
	const char *grpc = args->address ? args->address : getenv("GRPC_ADDRESS");
	gt_auto(gt_buf) input = GT_BUF_INIT;
	gt_autofree char *group = NULL;
	gt_autofree char *path = NULL;
	gt_autofree char *dir = NULL;
	struct gt_error *e;
	bool v3;
	int fd;

	action_log(args->debug);
	options_init(&options);
	GT_TRY(gt_identifier_check("id", args->id));
	GT_TRY(action_input(&input));
	GT_TRY(options_from_bootstrap(input.s, input.len, args->id, &options));
	v3 = speaks_v3(&input, args->id);
	GT_TRY(group_of(args, &group));
	dir = socket_dir(&input, args->id);
	path = gt_shim_socket_path(dir, grpc ? grpc : "", args->ns, group);
	GT_TRY(socket_claim(path, &fd));
	if (fd < 0)
		return address_print(path, v3);
	e = serve_start_take(args, &options, fd, path, v3);
	if (e)
		unlink(path);
	return e;
}

struct gt_error *action_serve(const struct shim_args *args, int *status)
{
	int fd = 3;

	action_log(args->debug);
	if (args->socket && *args->socket) {
		const char *path = args->socket;

		if (!strncmp(path, "unix://", 7))
			path += 7;
		if (path[0] != '/')
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "socket \"%s\" is no absolute path", path);
		GT_TRY(socket_claim(path, &fd));
		if (fd < 0)
			return gt_error_new(GT_ALREADY_EXISTS, "a shim answers at %s", path);
		*status = serve_take(args, fd, path, -1);
	} else {
		int listening = 0;
		socklen_t len = sizeof(listening);

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "descriptor 3 is no listening socket, and no -socket");
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		*status = serve_take(args, fd, NULL, -1);
	}
	return NULL;
}
