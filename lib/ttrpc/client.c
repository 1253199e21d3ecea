/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <ttrpc/client.h>

#include <ttrpc/connect.h>
#include <ttrpc/frame.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

/* Requests that the peer has not read yet; a call over that is refused. */
#define UNSENT_MAX (2 * (GT_TTRPC_BODY_MAX + GT_TTRPC_HEADER))
/* Frames that answer nothing, over those that answer calls which have been given up. */
#define STRAYS_MAX 64
#define READ_SIZE 65536

enum source_kind { SOURCE_WAKE, SOURCE_TIMER, SOURCE_CLIENT, SOURCE_CANCEL };

/* What an epoll event points to: the first member of the object that it is about. */
struct source {
	enum source_kind kind;
};

/* A request that waits for its answer. Once taken out of its client only the engine's thread has it. */
struct pending {
	struct source source; /* SOURCE_CANCEL, where it has one */
	struct gt_ttrpc_client *client; /* NULL once taken */
	uint32_t stream;
	const ProtobufCMessageDescriptor *reply;
	gt_ttrpc_done_fn *fn;
	void *arg;
	int64_t deadline; /* 0: none */
	int cancel; /* a copy of the cancel's descriptor; -1: none */
	struct gt_error *error; /* how it ends, while in the list of the ended */
	struct pending *next;
};

struct gt_ttrpc_client {
	struct source source;
	struct gt_ttrpc_engine *engine;
	struct gt_ttrpc_client *next;
	int fd; /* -1: the connection has ended */
	_Atomic uint64_t received;
	bool freed; /* by its owner; the engine's thread does the rest */
	bool writing; /* epoll tells when there is room */
	uint32_t next_stream;
	uint32_t strays;
	uint32_t forgotten; /* calls that ended without their answer */
	struct gt_buf out;
	size_t sent; /* of 'out' */
	struct gt_ttrpc_reader in; /* of the engine's thread */
	struct pending **calls; /* by stream id, which only grows */
	size_t n, alloc;
};

/*
 * 'lock' guards everything but what is said to be the engine's thread's. Objects are freed by that
 * thread only, at the end of a batch of events: an event of the batch may still point to them.
 */
struct gt_ttrpc_engine {
	pthread_mutex_t lock;
	pthread_cond_t closed; /* broadcast when a connection ends */
	pthread_t thread;
	bool running, stop;
	int epoll, wake, timer;
	struct source wake_source, timer_source;
	int64_t armed; /* when the timer fires; 0: it does not */
	struct gt_ttrpc_client *clients;
	struct pending *dead; /* engine's thread: freed at the end of the batch */
};

struct gt_ttrpc_engine *gt_ttrpc_engine_new(void)
{
	struct gt_ttrpc_engine *e = gt_xcalloc(1, sizeof(*e));
	pthread_condattr_t attr;

	e->epoll = e->wake = e->timer = -1;
	e->wake_source.kind = SOURCE_WAKE;
	e->timer_source.kind = SOURCE_TIMER;
	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->closed, &attr);
	pthread_condattr_destroy(&attr);
	return e;
}

static void wake(struct gt_ttrpc_engine *e)
{
	eventfd_write(e->wake, 1);
}

/* Locked. */
static void arm(struct gt_ttrpc_engine *e, int64_t deadline)
{
	struct itimerspec t = { .it_value = { .tv_sec = deadline / 1000000000,
					      .tv_nsec = deadline % 1000000000 } };

	if (!deadline || (e->armed && e->armed <= deadline))
		return;
	e->armed = deadline;
	timerfd_settime(e->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

/* Locked. Where a stream stands, or would stand, among the calls. */
static size_t call_index(const struct gt_ttrpc_client *c, uint32_t stream)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->calls[middle]->stream < stream)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Locked. Takes the call out of its client; NULL if it is not there. */
static struct pending *call_take(struct gt_ttrpc_client *c, uint32_t stream)
{
	size_t i = call_index(c, stream);
	struct pending *p;

	if (i == c->n || c->calls[i]->stream != stream)
		return NULL;
	p = c->calls[i];
	memmove(c->calls + i, c->calls + i + 1, (--c->n - i) * sizeof(*c->calls));
	p->client = NULL;
	return p;
}

/* Closing alone would leave it in epoll as long as the file is open under another descriptor. */
static void unwatch(struct gt_ttrpc_engine *e, int *fd)
{
	if (*fd < 0)
		return;
	epoll_ctl(e->epoll, EPOLL_CTL_DEL, *fd, NULL);
	close(*fd);
	*fd = -1;
}

/* Engine's thread, unlocked. Takes 'error' and 'reply'; keeps 'p' until the batch is done. */
static void call_finish(struct gt_ttrpc_engine *e, struct pending *p, struct gt_error *error,
			ProtobufCMessage *reply)
{
	unwatch(e, &p->cancel);
	p->fn(p->arg, error, reply);
	p->next = e->dead;
	e->dead = p;
}

static void finish_list(struct gt_ttrpc_engine *e, struct pending *list)
{
	while (list) {
		struct pending *p = list;

		list = p->next;
		call_finish(e, p, gt_steal(&p->error), NULL);
	}
}

/* Locked. Ends the connection; its calls join '*ended'. */
static void client_end(struct gt_ttrpc_client *c, struct pending **ended)
{
	if (c->fd < 0)
		return;
	shutdown(c->fd, SHUT_RDWR);
	unwatch(c->engine, &c->fd);
	while (c->n) {
		struct pending *p = call_take(c, c->calls[c->n - 1]->stream);

		p->error = gt_error_new(GT_UNAVAILABLE, "ttrpc: closed");
		p->next = *ended;
		*ended = p;
	}
	gt_buf_done(&c->out);
	gt_buf_init(&c->out);
	c->sent = 0;
	pthread_cond_broadcast(&c->engine->closed);
}

static void client_destroy(struct gt_ttrpc_client *c)
{
	gt_ttrpc_reader_done(&c->in);
	gt_buf_done(&c->out);
	free(c->calls);
	free(c);
}

/* Locked. Tells epoll whether room in the socket is of interest. */
static void client_watch(struct gt_ttrpc_client *c)
{
	bool writing = c->sent < c->out.len;
	struct epoll_event ev = { .events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = c };

	if (writing == c->writing)
		return;
	c->writing = writing;
	epoll_ctl(c->engine->epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

/* Locked. Writes what the socket takes. A broken one is left to the engine's thread, which hears of it. */
static void client_write(struct gt_ttrpc_client *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.s + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			shutdown(c->fd, SHUT_RDWR);
			c->sent = c->out.len;
		}
		if (n < 0)
			break;
		c->sent += n;
	}
	if (c->sent == c->out.len) {
		c->sent = 0;
		if (c->out.alloc > READ_SIZE) {
			gt_buf_done(&c->out);
			gt_buf_init(&c->out);
		} else {
			gt_buf_setlen(&c->out, 0);
		}
	}
	client_watch(c);
}

/* Engine's thread, called by the reader for each frame. False ends the connection. */
static bool on_frame(void *arg, const struct gt_ttrpc_header *h, const unsigned char *body)
{
	struct gt_ttrpc_client *c = arg;
	struct gt_error *error = NULL;
	ProtobufCMessage *reply = NULL;
	struct pending *p = NULL;
	bool go_on = true;

	pthread_mutex_lock(&c->engine->lock);
	if (h->type == GT_TTRPC_RESPONSE || h->type == GT_TTRPC_DATA)
		p = call_take(c, h->stream);
	if (!p && c->forgotten)
		c->forgotten--;
	else if (!p)
		go_on = ++c->strays <= STRAYS_MAX;
	pthread_mutex_unlock(&c->engine->lock);
	if (!p)
		return go_on;
	if (h->type == GT_TTRPC_DATA)
		error = gt_error_new(GT_INTERNAL, "data frame in answer to a unary call");
	else if (!body)
		error = gt_error_new(GT_RESOURCE_EXHAUSTED,
				     "message length %u exceed maximum message size of %d",
				     h->length, GT_TTRPC_BODY_MAX);
	else
		error = gt_ttrpc_response_read(body, h->length, p->reply, &reply);
	call_finish(c->engine, p, error, reply);
	return true;
}

/* Engine's thread. One read an event: no peer keeps the others waiting. */
static void client_event(struct gt_ttrpc_client *c, uint32_t events, char *block)
{
	struct pending *ended = NULL;
	bool end = false;
	int fd;

	pthread_mutex_lock(&c->engine->lock);
	if (c->fd >= 0 && events & EPOLLOUT)
		client_write(c);
	fd = c->fd;
	pthread_mutex_unlock(&c->engine->lock);
	if (fd < 0)
		return; /* an event that came before its end */
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		ssize_t n = recv(fd, block, READ_SIZE, 0);

		if (n > 0)
			atomic_fetch_add(&c->received, 1);
		if (n > 0)
			end = !gt_ttrpc_reader_feed(&c->in, block, n, on_frame, c);
		else
			end = n == 0 || (errno != EAGAIN && errno != EINTR);
	}
	if (!end)
		return;
	pthread_mutex_lock(&c->engine->lock);
	client_end(c, &ended);
	pthread_mutex_unlock(&c->engine->lock);
	finish_list(c->engine, ended);
}

static void cancel_event(struct gt_ttrpc_engine *e, struct pending *p)
{
	pthread_mutex_lock(&e->lock);
	if (p->client) {
		p->client->forgotten++;
		call_take(p->client, p->stream);
	} else {
		p = NULL; /* answered earlier in this batch */
	}
	pthread_mutex_unlock(&e->lock);
	if (p)
		call_finish(e, p, gt_error_new(GT_CANCELED, "call canceled"), NULL);
}

/* Engine's thread: ends the calls whose time is over and arms the timer for the next. */
static void timer_event(struct gt_ttrpc_engine *e)
{
	struct pending *ended = NULL;
	int64_t now = gt_now(), next = 0;
	uint64_t n;

	if (read(e->timer, &n, sizeof(n)) < 0)
		return;
	pthread_mutex_lock(&e->lock);
	e->armed = 0;
	for (struct gt_ttrpc_client *c = e->clients; c; c = c->next) {
		for (size_t i = c->n; i-- > 0;) {
			struct pending *p = c->calls[i];

			if (p->deadline && p->deadline <= now) {
				call_take(c, p->stream);
				c->forgotten++;
				p->error = gt_error_new(GT_DEADLINE_EXCEEDED,
							"no answer within the deadline");
				p->next = ended;
				ended = p;
			} else if (p->deadline && (!next || p->deadline < next)) {
				next = p->deadline;
			}
		}
	}
	arm(e, next);
	pthread_mutex_unlock(&e->lock);
	finish_list(e, ended);
}

/* Engine's thread, at the end of a batch. */
static void bury(struct gt_ttrpc_engine *e)
{
	struct gt_ttrpc_client *dead = NULL, *c;
	struct pending *ended = NULL, *p;

	pthread_mutex_lock(&e->lock);
	for (struct gt_ttrpc_client **at = &e->clients; (c = *at);) {
		if (!c->freed && !e->stop) {
			at = &c->next;
			continue;
		}
		client_end(c, &ended);
		*at = c->next;
		c->next = dead;
		dead = c;
	}
	pthread_mutex_unlock(&e->lock);
	finish_list(e, ended);
	while ((c = dead)) {
		dead = c->next;
		client_destroy(c);
	}
	while ((p = e->dead)) {
		e->dead = p->next;
		free(p);
	}
}

static void *engine_main(void *arg)
{
	struct gt_ttrpc_engine *e = arg;
	gt_autofree char *block = gt_xmalloc(READ_SIZE);
	struct epoll_event events[64];
	bool stop = false;

	while (!stop) {
		int n = epoll_wait(e->epoll, events, 64, -1);
		bool any_freed = false;

		for (int i = 0; i < n; i++) {
			struct source *s = events[i].data.ptr;
			eventfd_t v;

			switch (s->kind) {
			case SOURCE_WAKE:
				eventfd_read(e->wake, &v);
				any_freed = true;
				break;
			case SOURCE_TIMER:
				timer_event(e);
				break;
			case SOURCE_CLIENT:
				client_event((struct gt_ttrpc_client *)s, events[i].events, block);
				break;
			case SOURCE_CANCEL:
				cancel_event(e, (struct pending *)s);
				break;
			}
		}
		pthread_mutex_lock(&e->lock);
		stop = e->stop;
		pthread_mutex_unlock(&e->lock);
		if (any_freed || stop || e->dead)
			bury(e);
	}
	return NULL;
}

/* Locked. */
static struct gt_error *engine_start(struct gt_ttrpc_engine *e)
{
	struct epoll_event wake_event = { .events = EPOLLIN, .data.ptr = &e->wake_source };
	struct epoll_event timer_event = { .events = EPOLLIN, .data.ptr = &e->timer_source };
	sigset_t all, old;
	int err;

	if (e->running)
		return NULL;
	if (e->epoll < 0)
		e->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (e->wake < 0)
		e->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->timer < 0)
		e->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (e->epoll < 0 || e->wake < 0 || e->timer < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "start the ttrpc client");
	if ((epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->wake, &wake_event) < 0 && errno != EEXIST) ||
	    (epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->timer, &timer_event) < 0 && errno != EEXIST))
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "start the ttrpc client");
	sigfillset(&all); /* signals are for the program's own threads */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&e->thread, NULL, engine_main, e);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start the ttrpc client's thread");
	e->running = true;
	return NULL;
}

void gt_ttrpc_engine_free(struct gt_ttrpc_engine *e)
{
	if (!e)
		return;
	if (e->running) {
		pthread_mutex_lock(&e->lock);
		e->stop = true;
		pthread_mutex_unlock(&e->lock);
		wake(e);
		pthread_join(e->thread, NULL);
	}
	if (e->epoll >= 0)
		close(e->epoll);
	if (e->wake >= 0)
		close(e->wake);
	if (e->timer >= 0)
		close(e->timer);
	pthread_cond_destroy(&e->closed);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

/* Locked. Takes 'fd' if it succeeds. */
static struct gt_error *client_add(struct gt_ttrpc_engine *e, int fd, struct gt_ttrpc_client **out)
{
	struct gt_ttrpc_client *c;
	struct epoll_event ev = { .events = EPOLLIN };

	GT_TRY(engine_start(e));
	c = gt_xmalloc(sizeof(*c));
	*c = (struct gt_ttrpc_client){
		.source.kind = SOURCE_CLIENT,
		.engine = e,
		.next = e->clients,
		.fd = fd,
		.next_stream = 1,
		.out = GT_BUF_INIT,
		.in = GT_TTRPC_READER_INIT,
	};
	ev.data.ptr = c;
	if (epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		free(c);
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "watch a socket");
	}
	e->clients = c;
	*out = c;
	return NULL;
}

struct gt_error *gt_ttrpc_connect(struct gt_ttrpc_engine *e, const struct gt_call *call,
				  const char *address, int timeout, struct gt_ttrpc_client **out)
{
	gt_autofd int fd = -1;
	struct gt_error *error;

	GT_TRY(gt_call_check(call));
	GT_TRY(gt_ttrpc_socket(address, gt_call_left(call, timeout), &fd));
	pthread_mutex_lock(&e->lock);
	error = client_add(e, fd, out);
	pthread_mutex_unlock(&e->lock);
	if (!error)
		gt_steal_fd(&fd);
	return error;
}

void gt_ttrpc_client_free(struct gt_ttrpc_client *c)
{
	struct gt_ttrpc_engine *e;

	if (!c)
		return;
	e = c->engine;
	pthread_mutex_lock(&e->lock);
	c->freed = true;
	wake(e); /* locked: its thread frees 'c' as soon as it can see the flag */
	pthread_mutex_unlock(&e->lock);
}

uint64_t gt_ttrpc_client_received(const struct gt_ttrpc_client *c)
{
	return atomic_load(&c->received);
}

bool gt_ttrpc_client_is_open(struct gt_ttrpc_client *c)
{
	bool open;

	pthread_mutex_lock(&c->engine->lock);
	open = c->fd >= 0;
	pthread_mutex_unlock(&c->engine->lock);
	return open;
}

struct gt_error *gt_ttrpc_client_wait_closed(struct gt_ttrpc_client *c, int timeout)
{
	int64_t end = gt_now() + timeout * INT64_C(1000000);
	struct timespec until = { .tv_sec = end / 1000000000, .tv_nsec = end % 1000000000 };
	bool open;

	pthread_mutex_lock(&c->engine->lock);
	while (c->fd >= 0 &&
	       pthread_cond_timedwait(&c->engine->closed, &c->engine->lock, &until) == 0)
		;
	open = c->fd >= 0;
	pthread_mutex_unlock(&c->engine->lock);
	if (open)
		return gt_error_new(GT_DEADLINE_EXCEEDED,
				    "the peer kept the connection open for %d ms", timeout);
	return NULL;
}

/* Locked. Adds the frame, and the call to those that wait. */
static struct gt_error *call_send(struct gt_ttrpc_client *c, const struct gt_call *call,
				  const struct gt_ttrpc_method *method,
				  const ProtobufCMessage *request, struct pending *p)
{
	int64_t timeout = call->deadline ? call->deadline - gt_now() : 0;
	size_t before;

	if (c->fd < 0)
		return gt_error_new(GT_UNAVAILABLE, "ttrpc: closed");
	if (c->out.len - c->sent > UNSENT_MAX)
		return gt_error_new(GT_RESOURCE_EXHAUSTED,
				    "the peer does not read: %zu bytes of requests wait",
				    c->out.len - c->sent);
	if (c->next_stream > UINT32_MAX - 2)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "the connection has no more stream ids");
	if (call->deadline && timeout <= 0)
		return gt_error_new(GT_DEADLINE_EXCEEDED, "no time left to call %s", method->name);
	before = c->out.len;
	GT_TRY(gt_ttrpc_add_request(&c->out, c->next_stream, method->service, method->name, request,
				    timeout, call->ns));
	/* Last of what can fail: from here on the engine's thread may look at 'p'. */
	if (p->cancel >= 0 &&
	    epoll_ctl(c->engine->epoll, EPOLL_CTL_ADD, p->cancel,
		      &(struct epoll_event){ .events = EPOLLIN | EPOLLONESHOT, .data.ptr = p }) < 0) {
		gt_buf_setlen(&c->out, before);
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "watch a cancel");
	}
	p->stream = c->next_stream;
	p->client = c;
	c->next_stream += 2;
	GT_GROW(c->calls, c->n, c->alloc);
	c->calls[c->n++] = p;
	arm(c->engine, p->deadline);
	if (!c->writing) /* else earlier frames go first, when there is room */
		client_write(c);
	return NULL;
}

struct gt_error *gt_ttrpc_call_async(struct gt_ttrpc_client *c, const struct gt_call *call,
				     const struct gt_ttrpc_method *method,
				     const ProtobufCMessage *request, gt_ttrpc_done_fn *fn,
				     void *arg)
{
	struct pending *p;
	struct gt_error *error;

	GT_TRY(gt_call_check(call));
	p = gt_xmalloc(sizeof(*p));
	*p = (struct pending){
		.source.kind = SOURCE_CANCEL,
		.reply = method->reply,
		.fn = fn,
		.arg = arg,
		.deadline = call->deadline,
		.cancel = -1,
	};
	if (call->cancel) {
		p->cancel = fcntl(gt_cancel_fd(call->cancel), F_DUPFD_CLOEXEC, 3);
		if (p->cancel < 0) {
			free(p);
			return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "watch a cancel");
		}
	}
	pthread_mutex_lock(&c->engine->lock);
	error = call_send(c, call, method, request, p);
	pthread_mutex_unlock(&c->engine->lock);
	if (error) {
		if (p->cancel >= 0)
			close(p->cancel);
		free(p);
	}
	return error;
}

/* A caller that sleeps until its call has ended. */
struct sleeper {
	pthread_mutex_t lock;
	pthread_cond_t wakeup;
	bool ended;
	struct gt_error *error;
	ProtobufCMessage *reply;
};

static void sleeper_done(void *arg, struct gt_error *error, ProtobufCMessage *reply)
{
	struct sleeper *s = arg;

	pthread_mutex_lock(&s->lock);
	s->error = error;
	s->reply = reply;
	s->ended = true;
	pthread_cond_signal(&s->wakeup);
	pthread_mutex_unlock(&s->lock);
}

struct gt_error *gt_ttrpc_call(struct gt_ttrpc_client *c, const struct gt_call *call,
			       const struct gt_ttrpc_method *method,
			       const ProtobufCMessage *request, ProtobufCMessage **reply)
{
	struct sleeper s = { .lock = PTHREAD_MUTEX_INITIALIZER,
			     .wakeup = PTHREAD_COND_INITIALIZER };

	if (pthread_equal(pthread_self(), c->engine->thread))
		return gt_error_new(GT_INTERNAL, "call of %s from a completion", method->name);
	GT_TRY(gt_ttrpc_call_async(c, call, method, request, sleeper_done, &s));
	pthread_mutex_lock(&s.lock);
	while (!s.ended)
		pthread_cond_wait(&s.wakeup, &s.lock);
	pthread_mutex_unlock(&s.lock);
	pthread_mutex_destroy(&s.lock);
	pthread_cond_destroy(&s.wakeup);
	if (!s.error && reply)
		*reply = s.reply;
	else if (s.reply)
		gt_ttrpc_message_free(s.reply);
	return s.error;
}
