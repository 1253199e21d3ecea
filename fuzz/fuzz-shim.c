/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every request of the shim's task and sandbox services. An input is a row of calls: a byte that is the
 * method (from 192 on the sandbox's), a length of two bytes, a message; from 240 on a file of the bundle
 * and its text. Requests that run the runtime program get /bin/true for it; the bundle is /proc/self/cwd/b.
 */
#include <config.h>

#include "fuzz/fuzz.h"

#include "cmd/shim/child.h"
#include "cmd/shim/container.h"
#include "cmd/shim/events.h"
#include "cmd/shim/linger.h"
#include "cmd/shim/options.h"
#include "cmd/shim/parting.h"
#include "cmd/shim/sandbox.h"
#include "cmd/shim/sealed.h"
#include "cmd/shim/service.h"
#include "cmd/shim/spec.h"

#include <gantry/call.h>
#include <gantry/file.h>

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define CALLS_MAX 16
#define SANDBOX 192
#define FILES 240
#define WAIT_NS (5 * INT64_C(1000000000))

static void nothing(struct gt_timer *t)
{
	(void)t;
}

static void file_put(const char *path, const void *data, size_t len)
{
	gt_autofd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	gt_error_free(gt_file_write_all(fd, data, len, path));
}

static void spec_put(void)
{
	static const char spec[] = "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"true\"]},"
				   "\"linux\":{\"namespaces\":[{\"type\":\"pid\"}]}}";

	file_put("b/config.json", spec, sizeof(spec) - 1);
}

static void bundle_make(void)
{
	const char *tmp = getenv("TMPDIR");
	gt_autofree char *folder = gt_strf("%s/fuzz-shim.XXXXXX", tmp ? tmp : "/tmp");

	if (!mkdtemp(folder) || chdir(folder) || mkdir("b", 0755) || mkdir("b/rootfs", 0755))
		abort();
	spec_put();
	setenv("PATH", "/nowhere", 1);
	signal(SIGPIPE, SIG_IGN);
}

/* As if the runtime program had made it. */
static void container_make(struct shim *shim, pid_t init)
{
	struct container *c = container_new(shim, "c", "/proc/self/cwd/b");
	struct options o;

	options_init(&o);
	free(o.binary_name);
	o.binary_name = gt_xstrdup("/bin/true");
	runtime_init_take(&c->runtime, &o, "default", c->bundle);
	options_done(&o);
	c->init.in = gt_xstrdup("");
	c->init.out = gt_xstrdup("");
	c->init.err = gt_xstrdup("");
	c->init.pid = init;
	c->init.state = PROCESS_RUNNING;
	c->created = true;
}

/* Ends with us. */
static pid_t child_make(void)
{
	static const char *const argv[] = { "/bin/cat", NULL };
	struct child_spec spec = { .argv = argv, .out = -1, .err = -1 };
	pid_t pid = 0;
	int pipe[2];

	if (pipe2(pipe, O_CLOEXEC) < 0)
		abort();
	spec.in = pipe[0];
	if (child_spawn(&spec, &pid))
		abort();
	close(pipe[0]);
	return pid;
}

static void reap(struct shim *shim)
{
	for (;;) {
		struct timespec now;
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid <= 0)
			return;
		clock_gettime(CLOCK_REALTIME, &now);
		if (!child_reaped(shim, pid, status))
			process_reaped(shim, pid, status, &now);
	}
}

static void settle(struct shim *shim, int peer)
{
	struct gt_timer soon = { .fn = nothing };
	int64_t until = gt_now() + WAIT_NS;
	char room[65536];

	do {
		gt_loop_at(shim->loop, &soon, gt_now() + 200000);
		gt_error_free(gt_loop_step(shim->loop));
		reap(shim);
		while (recv(peer, room, sizeof(room), MSG_DONTWAIT) > 0)
			;
	} while (shim->children && gt_now() < until);
	gt_timer_clear(&soon);
}

static void shim_close(struct shim *shim)
{
	gt_ttrpc_server_free(shim->server);
	for (struct child *c = shim->children; c; c = c->next)
		kill(-c->pid, SIGKILL);
	while (shim->children) {
		reap(shim);
		usleep(100);
	}
	sandbox_forget(gt_steal(&shim->sandbox));
	while (shim->containers)
		container_forget(shim->containers);
	while (shim->lingers)
		linger_end(shim->lingers);
	sealed_drop(shim);
	while (shim->partings)
		parting_end(shim->partings);
	events_free(shim->events);
	if (shim->oom.on)
		close(shim->oom.fd);
	free(shim->early);
	gt_loop_free(shim->loop);
}

/* What the shim reads that is no request. */
static void file_read(uint8_t which, const uint8_t *data, size_t len)
{
	gt_autofd int bundle = open("b", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct options o;
	struct spec spec = { 0 };

	options_init(&o);
	switch (which % 3) {
	case 0:
		file_put("b/config.json", data, len);
		gt_error_free(spec_read(bundle, &spec));
		spec_done(&spec);
		break;
	case 1:
		file_put("b/options.json", data, len);
		gt_error_free(options_load(&o, bundle));
		unlink("b/options.json");
		break;
	case 2:
		gt_error_free(options_from_bootstrap(data, len, "c", &o));
		break;
	}
	options_done(&o);
}

static void call_send(const struct gt_ttrpc_service *service, uint8_t method, uint32_t stream,
		      int peer, const uint8_t *data, size_t len)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	Ttrpc__Request r = TTRPC__REQUEST__INIT;
	struct gt_ttrpc_header h = { .stream = stream, .type = GT_TTRPC_REQUEST };

	r.service = (char *)(uintptr_t)service->name;
	r.method = (char *)(uintptr_t)service->methods[method % service->n_methods].name;
	r.payload.data = (uint8_t *)(uintptr_t)data;
	r.payload.len = len;
	h.length = (uint32_t)ttrpc__request__get_packed_size(&r);
	gt_ttrpc_header_write((unsigned char *)gt_buf_reserve(&out, GT_TTRPC_HEADER + h.length), &h);
	ttrpc__request__pack(&r, (uint8_t *)out.s + GT_TTRPC_HEADER);
	send(peer, out.s, GT_TTRPC_HEADER + h.length, MSG_NOSIGNAL);
}

/* One of the input; false at its end. */
static bool step(const struct gt_ttrpc_service *services, uint32_t i, int peer, const uint8_t **p,
		 const uint8_t *end)
{
	const uint8_t *data = *p + 3;
	uint8_t method;
	size_t len;

	if (end - *p < 3)
		return false;
	method = **p;
	len = (size_t)((*p)[1] << 8 | (*p)[2]);
	if (len > (size_t)(end - data))
		len = (size_t)(end - data);
	*p = data + len;
	if (method >= FILES)
		file_read(method, data, len);
	else
		call_send(&services[method >= SANDBOX ? N_SERVICES : i % N_SERVICES], method, 2 * i + 1,
			  peer, data, len);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static pid_t init; /* one for all: the shim itself signals only what it has started */
	const uint8_t *p = data, *end = data + size;
	struct shim shim = { .ns = "default", .id = "c" };
	struct gt_ttrpc_service services[N_SERVICES + 1];
	int fds[2];

	if (!init) {
		bundle_make();
		init = child_make();
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 ||
	    gt_loop_new(&shim.loop))
		abort();
	service_make(&shim, services);
	services[N_SERVICES] = sandbox_service(&shim);
	shim.server = gt_ttrpc_server_new(shim.loop, services, N_SERVICES + 1);
	shim.events = events_new(shim.loop, shim.ns, NULL, NULL);
	if (gt_ttrpc_server_serve_take(shim.server, fds[0]))
		abort();
	container_make(&shim, init);
	for (uint32_t i = 0; i < CALLS_MAX && p < end; i++) {
		if (!step(services, i, fds[1], &p, end))
			break;
		settle(&shim, fds[1]);
	}
	shim_close(&shim);
	spec_put();
	close(fds[1]);
	return 0;
}
