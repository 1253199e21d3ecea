/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "events-owed.h"
#include "frontend.h"
#include "ttrpc.h"
#include "streaming.h"

#include <gantry/api-system.h>
#include <gantry/log.h>
#include <gantry/samples.h>

#include <net/listen.h>

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOBODY INT64_C(4294967294)

static const struct gt_option frontend_options[] = {
	GT_OPT_PATH(struct frontend_config, address, "",
		    "The socket that is served; empty: gantry.sock in the state folder."),
	GT_OPT_INT(struct frontend_config, uid, "0", 0, NOBODY, "Who owns the socket."),
	GT_OPT_INT(struct frontend_config, gid, "0", 0, NOBODY,
		   "Whose group may use the socket, besides its owner and root; 0: nobody's."),
	GT_OPT_PATH(struct frontend_config, ttrpc_address, "",
		    "The socket that shims send their events to; empty: the address with .ttrpc behind it."),
	GT_OPT_INT(struct frontend_config, workers, "256", 2, 4096,
		   "Calls that are worked on at the same time, at most. What only waits is not counted."),
	GT_OPT_DURATION(struct frontend_config, grace, "5s",
			"How long calls that run may go on when the daemon is told to end."),
	GT_OPT_PATH(struct frontend_config, worker, "",
		    "The program that reads image archives, confined; empty: the gantry-layer that was "
		    "installed with this plugin."),
	{ 0 }
};

static struct gt_error *frontend_open(const struct gt_init *init, struct gt_frontend **out)
{
	struct frontend *f = gt_xcalloc(1, sizeof(*f));

	f->init = init;
	f->config = init->config;
	f->waits = grpc_waits_new();
	f->packed = grpc_packed_event_new();
	f->streams = grpc_streams_new();
	pthread_mutex_init(&f->grace_lock, NULL);
	*out = &f->base;
	return NULL;
}

static void frontend_close(struct gt_frontend *base)
{
	struct frontend *f = (struct frontend *)base;

	grpc_waits_free(f->waits);
	grpc_packed_event_free(f->packed);
	grpc_streams_free(f->streams);
	gt_grace_done(&f->grace);
	pthread_mutex_destroy(&f->grace_lock);
	free(f);
}

/* A connection is a descriptor, and so is much of what a call does. */
static void descriptors_raise(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

#define X(table, name_) { .name = name_, .methods = grpc_##table },
static const struct gt_grpc_service services[] = { GRPC_SERVICES(X) };
#undef X
#define N_SERVICES (sizeof(services) / sizeof(services[0]))

/* The plugin that containerd has for a service. */
static char *plugin_of(const char *service)
{
	static const char start[] = "containerd.services.";

	if (!strcmp(service, "grpc.health.v1.Health"))
		return gt_xstrdup("io.containerd.grpc.v1.healthcheck");
	if (!strcmp(service, "containerd.services.sandbox.v1.Store"))
		return gt_xstrdup("io.containerd.grpc.v1.sandboxes");
	if (!strcmp(service, "containerd.services.sandbox.v1.Controller"))
		return gt_xstrdup("io.containerd.grpc.v1.sandbox-controllers");
	if (strncmp(service, start, strlen(start)))
		return gt_xstrdup(service);
	service += strlen(start);
	return gt_strf("io.containerd.grpc.v1.%.*s", (int)strcspn(service, "."), service);
}

/* Those that are not disabled. */
static size_t services_take(struct frontend *f, struct gt_grpc_service tables[N_SERVICES])
{
	size_t n = 0;

	for (size_t i = 0; i < N_SERVICES; i++) {
		gt_autofree char *plugin = plugin_of(services[i].name);

		if (gt_plugin_is_disabled(f->init, plugin))
			continue;
		tables[n] = services[i];
		tables[n].arg = f;
		while (tables[n].methods[tables[n].n_methods].name)
			tables[n].n_methods++;
		n++;
	}
	return n;
}

static void still_alive(void *arg)
{
	gt_frontend_alive(((struct frontend *)arg)->init);
}

/* --- figures, under the names that gRPC's servers in Go have for them ----------------------- */

struct collector {
	gt_sample_fn *fn;
	void *arg;
};

static const char *type_of(const struct gt_grpc_method *m)
{
	bool client = m->flags & GT_GRPC_CLIENT_STREAM, server = m->flags & GT_GRPC_SERVER_STREAM;

	return client && server ? "bidi_stream" :
	       client		? "client_stream" :
	       server		? "server_stream" :
				  "unary";
}

static void counts_collect(void *arg, const char *service, const struct gt_grpc_method *m,
			   const struct gt_grpc_counts *counts)
{
	static const char *const codes[] = {
		"OK",		      "Canceled",	"Unknown",     "InvalidArgument",
		"DeadlineExceeded",   "NotFound",	"AlreadyExists", "PermissionDenied",
		"ResourceExhausted",  "FailedPrecondition", "Aborted",	 "OutOfRange",
		"Unimplemented",      "Internal",	"Unavailable", "DataLoss",
		"Unauthenticated",
	};
	const char *labels[] = { "grpc_method", m->name,  "grpc_service", service,
				 "grpc_type",	type_of(m), NULL,	  NULL, NULL };
	const struct collector *c = arg;
	struct gt_sample s = { .type = GT_SAMPLE_COUNTER, .labels = labels };

	s.name = "grpc_server_started_total";
	s.help = "Total number of RPCs started on the server.";
	s.value = (double)counts->started;
	c->fn(c->arg, &s);
	s.name = "grpc_server_msg_received_total";
	s.help = "Total number of RPC stream messages received on the server.";
	s.value = (double)counts->received;
	c->fn(c->arg, &s);
	s.name = "grpc_server_msg_sent_total";
	s.help = "Total number of gRPC stream messages sent by the server.";
	s.value = (double)counts->sent;
	c->fn(c->arg, &s);
	s.name = "grpc_server_handled_total";
	s.help = "Total number of RPCs completed on the server, regardless of success or failure.";
	labels[6] = "grpc_code";
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		labels[7] = codes[i];
		s.value = (double)counts->handled[i];
		c->fn(c->arg, &s);
	}
}

static void server_collect(void *arg, gt_sample_fn *fn, void *fn_arg)
{
	gt_grpc_server_counts(arg, counts_collect, &(struct collector){ fn, fn_arg });
}

static struct gt_error *serve(struct frontend *f, struct gt_call *call, const char *address)
{
	struct gt_grpc_service tables[N_SERVICES];
	const struct gt_grpc_peers peers = {
		.uid = f->config->uid ? (uid_t)f->config->uid : (uid_t)-1,
		.gid = f->config->gid ? (gid_t)f->config->gid : (gid_t)-1,
	};
	struct gt_grpc_server *server = NULL;
	struct gt_sample_source *samples = NULL;
	struct ttrpc_events *events = NULL;
	struct gt_error *e;
	size_t n;
	int fd = -1;

	n = services_take(f, tables);
	e = gt_grpc_server_new(tables, n, (size_t)f->config->workers, &server);
	if (!e)
		e = grpc_ttrpc_start(f, address, &events);
	if (!e)
		e = gt_listen_unix(address, f->config->uid, f->config->gid, &fd);
	if (!e)
		e = gt_grpc_server_listen_take(server, fd, &peers);
	if (!e) {
		int64_t every = gt_frontend_alive_every(f->init);

		if (every)
			gt_grpc_server_every(server, every, still_alive, f);
		gt_log_info("serving on %s", address);
		e = gt_frontend_announce(f->init, address);
	}
	if (!e) {
		samples = gt_samples_add(f->init, server_collect, server);
		e = gt_grpc_server_run(server, call, (int)(f->config->grace / 1000000));
	}
	/* Before anybody else may have made one there. */
	if (fd >= 0)
		unlink(address);
	grpc_ttrpc_stop(events);
	gt_samples_remove(samples);
	gt_grpc_server_free(server);
	return e;
}

/* Another frontend may have begun it, or other services do it by themselves. */
static void collect_from_now_on(struct gt_services *s)
{
	struct gt_error *e = gt_system_schedule(s);

	e = gt_error_unless(gt_error_unless(e, GT_ALREADY_EXISTS), GT_UNIMPLEMENTED);
	gt_log_warn_take(e, "no garbage will be collected");
}

static struct gt_error *frontend_run(struct gt_frontend *base, struct gt_call *call, int argc,
				     char **argv, int *status)
{
	struct frontend *f = (struct frontend *)base;
	gt_autofree char *address = *f->config->address
					    ? gt_xstrdup(f->config->address)
					    : gt_strf("%s/gantry.sock", f->init->base_state);

	struct gt_error *e;

	(void)argc, (void)argv;
	descriptors_raise();
	GT_TRY(gt_need_services(f->init, NULL, &f->services));
	GT_TRY(owed_open(f->init->state, &f->owed));
	f->running = call;
	collect_from_now_on(f->services);
	e = serve(f, call, address);
	owed_close(gt_steal(&f->owed));
	GT_TRY(e);
	*status = 0;
	return NULL;
}

static const struct gt_frontend_ops frontend_ops = {
	.size = sizeof(frontend_ops),
	.open = frontend_open,
	.close = frontend_close,
	.run = frontend_run,
};

GT_PLUGIN(grpc_frontend) = {
	GT_PLUGIN_HEADER,
	.kind = GT_FRONTEND,
	.id = "grpc",
	.doc = "Serves containerd's gRPC and ttrpc API on unix sockets.",
	.needs = (const struct gt_need[]){
		{ .kind = GT_SERVICES },
		{ .kind = GT_RESOLVER, .flags = GT_NEED_OPTIONAL },
		{ 0 } },
	.options = frontend_options,
	.config_size = sizeof(struct frontend_config),
	.ops.frontend = &frontend_ops,
	.capabilities = (const char *const[]){ GT_FRONTEND_DAEMON, GT_FRONTEND_REPLAYS, NULL },
};
