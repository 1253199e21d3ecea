/* SPDX-License-Identifier: Apache-2.0 */
/* The ttrpc side: shims forward their events. */
#include <config.h>

#include "frontend.h"
#include "ttrpc.h"

#include <gantry/log.h>
#include <net/listen.h>
#include <ttrpc/server.h>

#include "containerd.services.events.ttrpc.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

struct ttrpc_events {
	struct frontend *frontend;
	struct gt_loop *loop;
	struct gt_ttrpc_server *server;
	struct gt_ttrpc_service service;
	struct gt_watch stop;
	int stop_fd;
	char *path; /* of the socket; NULL: none was made */
	bool is_stopped;
	bool has_thread;
	pthread_t thread;
};

/* Publishing does not wait for anything: it may run in the loop's thread. */
static void forward(void *arg, struct gt_ttrpc_call *c)
{
	const Containerd__Services__Events__Ttrpc__V1__ForwardRequest *r = (const void *)c->request;
	struct ttrpc_events *t = arg;
	struct gt_call call = GT_CALL_INIT;
	Google__Protobuf__Empty m = GOOGLE__PROTOBUF__EMPTY__INIT;
	struct gt_error *e;

	call.ns = gt_ttrpc_metadata(c->envelope, GT_TTRPC_NAMESPACE_KEY);
	e = grpc_event_forward(t->frontend->services, &call, r->envelope);
	if (e)
		gt_ttrpc_answer_error_take(c, e);
	else
		gt_ttrpc_answer(c, &m.base);
}

static const struct gt_ttrpc_method methods[] = {
	{ "Forward", &containerd__services__events__ttrpc__v1__forward_request__descriptor, forward },
};

static void stopped(struct gt_watch *w, uint32_t events)
{
	struct ttrpc_events *t = gt_container_of(w, struct ttrpc_events, stop);

	(void)events;
	t->is_stopped = true;
}

static void *run(void *arg)
{
	struct ttrpc_events *t = arg;

	while (!t->is_stopped) {
		struct gt_error *e = gt_loop_step(t->loop);

		if (e) {
			gt_log_warn_take(e, "shims' events are not served any more");
			break;
		}
	}
	return NULL;
}

static struct gt_error *thread_start(struct ttrpc_events *t)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&t->thread, NULL, run, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start a thread");
	t->has_thread = true;
	return NULL;
}

struct gt_error *grpc_ttrpc_start(struct frontend *f, const char *address, struct ttrpc_events **out)
{
	gt_autofree char *path = *f->config->ttrpc_address ? gt_xstrdup(f->config->ttrpc_address)
							   : gt_strf("%s.ttrpc", address);
	struct ttrpc_events *t = gt_xcalloc(1, sizeof(*t));
	struct gt_error *e;
	int fd = -1;

	t->frontend = f;
	t->service = (struct gt_ttrpc_service){
		.name = "containerd.services.events.ttrpc.v1.Events",
		.methods = methods,
		.n_methods = 1,
		.arg = t,
	};
	t->stop.fn = stopped;
	t->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e = t->stop_fd < 0 ? gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "eventfd") : NULL;
	if (!e)
		e = gt_loop_new(&t->loop);
	if (!e)
		e = gt_loop_watch(t->loop, &t->stop, t->stop_fd, EPOLLIN);
	if (!e) {
		t->server = gt_ttrpc_server_new(t->loop, &t->service, 1);
		e = gt_listen_unix(path, f->config->uid, f->config->gid, &fd);
	}
	if (!e)
		t->path = gt_steal(&path);
	if (!e)
		e = gt_ttrpc_server_listen_take(t->server, fd);
	if (!e)
		e = thread_start(t);
	if (e) {
		grpc_ttrpc_stop(t);
		return e;
	}
	*out = t;
	return NULL;
}

void grpc_ttrpc_stop(struct ttrpc_events *t)
{
	if (!t)
		return;
	if (t->path)
		unlink(t->path);
	free(t->path);
	if (t->has_thread) {
		eventfd_write(t->stop_fd, 1);
		pthread_join(t->thread, NULL);
	}
	gt_ttrpc_server_free(t->server);
	gt_loop_free(t->loop);
	if (t->stop_fd >= 0)
		close(t->stop_fd);
	free(t);
}
