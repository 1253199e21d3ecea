/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets, connections and the loop's thread. */
#include <config.h>

#include <grpc/server-private.h>

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 8192
#define ACCEPTS 16 /* a turn */
/* After running out of descriptors, accept again when so much time has passed. */
#define ACCEPT_PAUSE INT64_C(100000000)
#define SWEEP_NS (5 * INT64_C(1000000000))
#define SEND_BUFFER (512 * 1024)
#define GROUPS_MAX 64
/* More than a client's thread takes from an answer to its next call, its wake-up included. */
#define POLL_NS 100000

/* --- methods ---------------------------------------------------------------------------- */

static int entry_compare(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static void entries_make(struct gt_grpc_server *s, const struct gt_grpc_service *services, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->n_entries += services[i].n_methods;
	s->entries = gt_xcalloc(s->n_entries, sizeof(*s->entries));
	for (size_t i = 0, at = 0; i < n; i++)
		for (size_t k = 0; k < services[i].n_methods; k++) {
			struct entry *e = &s->entries[at++];

			e->service = &services[i];
			e->method = &services[i].methods[k];
			e->path = gt_strf("/%s/%s", services[i].name, e->method->name);
		}
	qsort(s->entries, s->n_entries, sizeof(*s->entries), entry_compare);
}

struct entry *grpc_entry_find(struct gt_grpc_server *s, const char *path, size_t len)
{
	size_t low = 0, high = s->n_entries;

	while (low < high) {
		size_t mid = (low + high) / 2;
		struct entry *e = &s->entries[mid];
		int cmp = strncmp(path, e->path, len);

		if (!cmp)
			cmp = e->path[len] ? -1 : 0;
		if (!cmp)
			return e;
		if (cmp < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

bool grpc_service_is_known(const struct gt_grpc_server *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->n_entries; i++)
		if (!strncmp(s->entries[i].service->name, name, len) &&
		    !s->entries[i].service->name[len])
			return true;
	return false;
}

void gt_grpc_server_counts(struct gt_grpc_server *s,
			   void (*fn)(void *arg, const char *service,
				      const struct gt_grpc_method *method,
				      const struct gt_grpc_counts *counts),
			   void *arg)
{
	for (size_t i = 0; i < s->n_entries; i++)
		fn(arg, s->entries[i].service->name, s->entries[i].method, &s->entries[i].counts);
}

/* --- connections -------------------------------------------------------------------------- */

void grpc_connection_dirty(struct connection *conn)
{
	if (conn->is_dirty || conn->is_closed)
		return;
	conn->is_dirty = true;
	conn->next_dirty = conn->server->dirty;
	conn->server->dirty = conn;
}

void grpc_connection_release(struct connection *conn)
{
	if (--conn->n_calls == 0 && conn->is_closed)
		free(conn);
}

/* Not while it is in the list of the dirty ones. */
static void connection_close(struct connection *conn)
{
	struct gt_grpc_server *s = conn->server;

	conn->n_calls++; /* keeps it until the end of this */
	gt_loop_unwatch(s->loop, &conn->watch);
	gt_h2_done(&conn->h2);
	close(conn->h2.fd);
	*conn->link = conn->next;
	if (conn->next)
		conn->next->link = conn->link;
	s->n_connections--;
	conn->is_closed = true;
	grpc_connection_release(conn);
}

static void connection_flush(struct connection *conn)
{
	struct gt_grpc_server *s = conn->server;

	gt_h2_flush(&conn->h2);
	if (conn->h2.broken) {
		connection_close(conn);
		return;
	}
	gt_loop_rewatch(s->loop, &conn->watch, EPOLLIN | (conn->h2.is_blocked ? EPOLLOUT : 0));
	if (conn->h2.due && !gt_timer_is_set(&s->sweep_timer))
		gt_loop_at(s->loop, &s->sweep_timer, gt_now() + SWEEP_NS);
}

static void dirty_flush(struct gt_grpc_server *s)
{
	while (s->dirty) {
		struct connection *conn = s->dirty;

		s->dirty = conn->next_dirty;
		conn->is_dirty = false;
		connection_flush(conn);
	}
}

static void connection_event(struct gt_watch *w, uint32_t events)
{
	struct connection *conn = gt_container_of(w, struct connection, watch);

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		gt_h2_read(&conn->h2, conn->server->room);
	grpc_connection_dirty(conn);
}

struct gt_error *gt_grpc_server_serve_take(struct gt_grpc_server *s, int fd)
{
	struct connection *conn = gt_xcalloc(1, sizeof(*conn));
	int size = SEND_BUFFER;
	struct gt_error *e = gt_h2_init(&conn->h2, &grpc_call_ops, fd, false, &s->spare);

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	conn->server = s;
	conn->waiting_last = &conn->waiting;
	conn->watch.fn = connection_event;
	if (!e)
		e = gt_loop_watch(s->loop, &conn->watch, fd, EPOLLIN);
	if (e) {
		gt_h2_done(&conn->h2);
		close(fd);
		free(conn);
		return e;
	}
	conn->next = s->connections;
	conn->link = &s->connections;
	if (conn->next)
		conn->next->link = &conn->next;
	s->connections = conn;
	s->n_connections++;
	grpc_connection_dirty(conn);
	return NULL;
}

/* What began and does not go on: a preface, a block of headers. */
static void sweep(struct gt_timer *t)
{
	struct gt_grpc_server *s = gt_container_of(t, struct gt_grpc_server, sweep_timer);
	int64_t now = gt_now();
	bool again = false;

	for (struct connection *conn = s->connections, *next; conn; conn = next) {
		next = conn->next;
		if (conn->h2.due && conn->h2.due <= now) {
			conn->h2.broken = true;
			grpc_connection_dirty(conn);
		}
		again |= conn->h2.due != 0;
	}
	if (again)
		gt_loop_at(s->loop, &s->sweep_timer, now + SWEEP_NS);
}

/* --- listening ------------------------------------------------------------------------------ */

static bool peer_has_group(int fd, gid_t primary, gid_t wanted)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (primary == wanted)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

static bool peer_is_allowed(int fd, const struct gt_grpc_peers *peers)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	if (peers->uid != (uid_t)-1 && peer.uid == peers->uid)
		return true;
	return peers->gid != (gid_t)-1 && peer_has_group(fd, peer.gid, peers->gid);
}

static void listener_again(struct gt_timer *t)
{
	struct listener *l = gt_container_of(t, struct listener, pause);

	gt_loop_rewatch(l->server->loop, &l->watch, EPOLLIN);
}

/* One connection; false if there was none. */
static bool listener_accept(struct listener *l)
{
	int fd = accept4(l->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			gt_loop_rewatch(l->server->loop, &l->watch, 0);
			gt_loop_at(l->server->loop, &l->pause, gt_now() + ACCEPT_PAUSE);
		}
		return false;
	}
	if (!peer_is_allowed(fd, &l->peers) || l->server->n_connections >= CONNECTIONS_MAX)
		close(fd);
	else /* what cannot be watched is closed: the peer sees it */
		gt_error_free(gt_grpc_server_serve_take(l->server, fd));
	return true;
}

static void listener_event(struct gt_watch *w, uint32_t events)
{
	struct listener *l = gt_container_of(w, struct listener, watch);

	(void)events;
	for (int i = 0; i < ACCEPTS && listener_accept(l); i++)
		;
}

struct gt_error *gt_grpc_server_listen_take(struct gt_grpc_server *s, int fd,
					    const struct gt_grpc_peers *peers)
{
	struct listener *l = gt_xcalloc(1, sizeof(*l));
	struct gt_error *e;

	l->server = s;
	l->peers = *peers;
	l->watch.fn = listener_event;
	l->pause.fn = listener_again;
	e = gt_loop_watch(s->loop, &l->watch, fd, EPOLLIN);
	if (e) {
		close(fd);
		free(l);
		return e;
	}
	l->next = s->listeners;
	s->listeners = l;
	return NULL;
}

static void listeners_close(struct gt_grpc_server *s)
{
	while (s->listeners) {
		struct listener *l = s->listeners;

		s->listeners = l->next;
		gt_timer_clear(&l->pause);
		gt_loop_unwatch(s->loop, &l->watch);
		close(l->watch.fd);
		free(l);
	}
}

/* --- the loop -------------------------------------------------------------------------------- */

/* Ends calls for their clients: all, or those that only wait for something to happen. */
static void calls_end(struct gt_grpc_server *s, bool all)
{
	for (struct connection *conn = s->connections; conn; conn = conn->next)
		for (struct gt_h2_stream *st = conn->h2.streams, *next; st; st = next) {
			struct call *c = gt_container_of(st, struct call, stream);

			next = st->next;
			if (!c->is_over && (all || grpc_call_is_waiting(c)))
				grpc_call_end_take(c, gt_error_new(GT_UNAVAILABLE,
								   "the daemon is shutting down"));
		}
}

static void drain_over(struct gt_timer *t)
{
	struct gt_grpc_server *s = gt_container_of(t, struct gt_grpc_server, drain_timer);

	s->is_over = true;
}

static void drain_begin(struct gt_watch *w, uint32_t events)
{
	struct gt_grpc_server *s = gt_container_of(w, struct gt_grpc_server, until);

	(void)events;
	gt_loop_unwatch(s->loop, &s->until);
	s->is_draining = true;
	listeners_close(s);
	for (struct connection *conn = s->connections; conn; conn = conn->next) {
		nghttp2_session *session = conn->h2.session;

		nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
				      nghttp2_session_get_last_proc_stream_id(session),
				      NGHTTP2_NO_ERROR, NULL, 0);
		grpc_connection_dirty(conn);
	}
	calls_end(s, false);
	gt_loop_at(s->loop, &s->drain_timer, gt_now() + s->grace * INT64_C(1000000));
}

static void wake(struct gt_watch *w, uint32_t events)
{
	eventfd_t n;

	(void)events;
	eventfd_read(w->fd, &n);
}

/* Does all that can be done before sleeping, and says that it sleeps. */
static void work(struct gt_grpc_server *s)
{
	bool more;

	do {
		grpc_calls_work(s);
		dirty_flush(s);
		pthread_mutex_lock(&s->lock);
		more = s->listed != NULL;
		s->is_sleeping = !more;
		pthread_mutex_unlock(&s->lock);
	} while (more);
}

static struct gt_error *turn(struct gt_grpc_server *s)
{
	struct gt_error *e;

	work(s);
	e = gt_loop_step(s->loop);
	pthread_mutex_lock(&s->lock);
	s->is_sleeping = false;
	pthread_mutex_unlock(&s->lock);
	return e;
}

static void every_run(struct gt_timer *t)
{
	struct gt_grpc_server *s = gt_container_of(t, struct gt_grpc_server, every_timer);

	s->every_fn(s->every_arg);
	gt_loop_at(s->loop, t, gt_now() + s->every);
}

void gt_grpc_server_every(struct gt_grpc_server *s, int64_t ns, void (*fn)(void *arg), void *arg)
{
	s->every = ns;
	s->every_fn = fn;
	s->every_arg = arg;
	s->every_timer.fn = every_run;
	gt_loop_at(s->loop, &s->every_timer, gt_now());
}

struct gt_error *gt_grpc_server_run(struct gt_grpc_server *s, const struct gt_call *until, int grace)
{
	s->grace = grace;
	if (until->cancel) {
		s->until.fn = drain_begin;
		GT_TRY(gt_loop_watch(s->loop, &s->until, gt_cancel_fd(until->cancel), EPOLLIN));
	}
	while (!s->is_over && !(s->is_draining && !s->n_calls))
		GT_TRY(turn(s));
	calls_end(s, true);
	work(s);
	return NULL;
}

struct gt_error *gt_grpc_server_new(const struct gt_grpc_service *services, size_t n,
				    size_t workers, struct gt_grpc_server **out)
{
	struct gt_grpc_server *s = gt_xcalloc(1, sizeof(*s));
	struct gt_error *e;

	entries_make(s, services, n);
	pthread_mutex_init(&s->lock, NULL);
	gt_buf_init(&s->spare);
	s->listed_last = &s->listed;
	s->room = gt_xmalloc(GT_H2_READ);
	s->jobs_max = workers / 4 ? workers / 4 : 1;
	s->sweep_timer.fn = sweep;
	s->drain_timer.fn = drain_over;
	grpc_deadlines_init(s);
	s->wake.fn = wake;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e = s->wake_fd < 0 ? gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "eventfd") : NULL;
	if (!e)
		e = gt_pool_new(workers, &s->pool);
	if (!e)
		e = gt_loop_new(&s->loop);
	if (!e)
		gt_loop_poll(s->loop, POLL_NS);
	if (!e)
		e = gt_loop_watch(s->loop, &s->wake, s->wake_fd, EPOLLIN);
	if (e) {
		gt_grpc_server_free(s);
		return e;
	}
	*out = s;
	return NULL;
}

void gt_grpc_server_free(struct gt_grpc_server *s)
{
	if (!s)
		return;
	listeners_close(s);
	s->dirty = NULL;
	while (s->connections)
		connection_close(s->connections);
	/* Handlers that still run have been told that nobody waits; what they answer is reaped here. */
	gt_pool_free(s->pool);
	grpc_calls_work(s);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	gt_loop_free(s->loop);
	for (size_t i = 0; i < s->n_entries; i++)
		free(s->entries[i].path);
	free(s->entries);
	free(s->heap);
	free(s->room);
	gt_buf_done(&s->spare);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
