/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "events.h"

#include <gantry/call.h>
#include <gantry/log.h>

#include <containerd.events.pb-c.h>
#include <containerd.services.events.ttrpc.v1.pb-c.h>
#include <containerd.types.pb-c.h>
#include <google/protobuf/empty.pb-c.h>
#include <journal/journal.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define QUEUE_MAX 2048
#define TRIES_MAX 5
#define SECOND INT64_C(1000000000)
#define CALL_TIMEOUT (5 * SECOND)
/* Others hold the lock for microseconds: an event shall be told of before the call that caused it is. */
#define JOURNAL_WAIT (SECOND / 200)
#define JOURNAL_RETRY (SECOND / 100)
#define JOURNAL_TRIES_MAX 500

struct event {
	struct event *next;
	unsigned tries;
	unsigned journal_tries;
	size_t len;
	uint8_t envelope[]; /* containerd.types.Envelope */
};

struct events {
	struct gt_loop *loop;
	const char *ns, *address, *journal;
	struct event *head; /* the one that is being delivered */
	struct event **tail;
	size_t n;
	struct gt_watch watch; /* on the connection, while there is one */
	struct gt_ttrpc_reader reader;
	struct gt_buf out;
	size_t sent;
	uint32_t stream; /* of the last call */
	bool calling; /* the head's answer is awaited */
	struct gt_timer timer; /* the call's deadline, or the next try */
};

static void deliver(struct events *ev);

static void disconnect(struct events *ev)
{
	if (ev->watch.on) {
		gt_loop_unwatch(ev->loop, &ev->watch);
		close(ev->watch.fd);
	}
	gt_ttrpc_reader_done(&ev->reader);
	gt_buf_done(&ev->out);
	ev->sent = 0;
	ev->stream = 0;
	ev->calling = false;
}

static void head_drop(struct events *ev)
{
	struct event *e = ev->head;

	ev->head = e->next;
	if (!ev->head)
		ev->tail = &ev->head;
	ev->n--;
	free(e);
	gt_timer_clear(&ev->timer);
	ev->calling = false;
}

/* The head was not delivered: again later, or never. */
static void head_failed(struct events *ev, const char *why)
{
	struct event *e = ev->head;

	disconnect(ev);
	gt_timer_clear(&ev->timer);
	if (!e)
		return;
	if (++e->tries > TRIES_MAX) {
		gt_log_warn("an event is dropped after %u tries: %s", TRIES_MAX, why);
		head_drop(ev);
		deliver(ev);
		return;
	}
	gt_loop_at(ev->loop, &ev->timer, gt_now() + e->tries * SECOND);
}

static bool answer_handle(void *arg, const struct gt_ttrpc_header *h, const unsigned char *body)
{
	struct events *ev = arg;
	ProtobufCMessage *m = NULL;
	gt_autoptr(gt_error) e = NULL;

	if (!body || h->type != GT_TTRPC_RESPONSE || !ev->calling || h->stream != ev->stream)
		return true;
	e = gt_ttrpc_response_read(body, h->length, &google__protobuf__empty__descriptor, &m);
	gt_ttrpc_message_free(m);
	if (gt_error_class(e) == GT_UNAVAILABLE) {
		head_failed(ev, gt_error_text(e));
		return false;
	}
	if (e)
		gt_log_warn("the daemon refuses an event: %s", gt_error_text(e));
	head_drop(ev);
	return true;
}

static void flush(struct events *ev)
{
	while (ev->sent < ev->out.len) {
		ssize_t n = send(ev->watch.fd, ev->out.s + ev->sent, ev->out.len - ev->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			head_failed(ev, strerror(errno));
			return;
		}
		ev->sent += n;
	}
	if (ev->sent < ev->out.len) {
		gt_loop_rewatch(ev->loop, &ev->watch, EPOLLIN | EPOLLOUT);
		return;
	}
	gt_buf_done(&ev->out);
	ev->sent = 0;
	gt_loop_rewatch(ev->loop, &ev->watch, EPOLLIN);
}

static void connection_event(struct gt_watch *w, uint32_t events)
{
	struct events *ev = gt_container_of(w, struct events, watch);
	unsigned char bytes[1024];
	ssize_t n;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		n = recv(w->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			/* A daemon that went while nothing was under way costs the event no try. */
			if (ev->calling)
				head_failed(ev, "connection closed");
			else
				disconnect(ev);
			return;
		}
		if (n > 0)
			gt_ttrpc_reader_feed(&ev->reader, bytes, n, answer_handle, ev);
	}
	if (ev->watch.on && ev->out.len)
		flush(ev);
	deliver(ev);
}

static const char *daemon_connect(struct events *ev)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	gt_autoptr(gt_error) e = NULL;
	int fd;

	if (strlen(ev->address) >= sizeof(addr.sun_path))
		return strerror(ENAMETOOLONG);
	memcpy(addr.sun_path, ev->address, strlen(ev->address) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return strerror(errno);
	/* A backlog that is full (EAGAIN) is a failed try as well: unix sockets know no EINPROGRESS. */
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int err = errno;

		close(fd);
		return strerror(err);
	}
	e = gt_loop_watch(ev->loop, &ev->watch, fd, EPOLLIN);
	if (e) {
		close(fd);
		return "no watch";
	}
	return NULL;
}

static void call_late(struct gt_timer *t)
{
	struct events *ev = gt_container_of(t, struct events, timer);

	if (ev->calling)
		head_failed(ev, "no answer in time");
	else
		deliver(ev);
}

static void call(struct events *ev)
{
	struct event *head = ev->head;
	Containerd__Services__Events__Ttrpc__V1__ForwardRequest r =
		CONTAINERD__SERVICES__EVENTS__TTRPC__V1__FORWARD_REQUEST__INIT;
	struct gt_error *e;

	r.envelope = containerd__types__envelope__unpack(NULL, head->len, head->envelope);
	if (!r.envelope) {
		head_drop(ev);
		return;
	}
	ev->stream += ev->stream ? 2 : 1;
	e = gt_ttrpc_add_request(&ev->out, ev->stream, "containerd.services.events.ttrpc.v1.Events",
				 "Forward", &r.base, CALL_TIMEOUT, ev->ns);
	containerd__types__envelope__free_unpacked(r.envelope, NULL);
	if (e) {
		gt_log_warn_take(e, "an event is dropped");
		head_drop(ev);
		return;
	}
	ev->calling = true;
	gt_loop_at(ev->loop, &ev->timer, gt_now() + CALL_TIMEOUT);
	flush(ev);
}

static void journal_deliver(struct events *ev)
{
	while (ev->head) {
		int64_t wait = ev->head->journal_tries ? 0 : JOURNAL_WAIT;
		gt_autoptr(gt_error) e = gt_journal_append(ev->journal, 0, ev->head->envelope,
							   ev->head->len, wait, NULL);

		/* one who was stopped while he held it holds up nobody else here */
		if (gt_error_class(e) == GT_UNAVAILABLE &&
		    ev->head->journal_tries++ < JOURNAL_TRIES_MAX) {
			gt_loop_at(ev->loop, &ev->timer, gt_now() + JOURNAL_RETRY);
			return;
		}
		if (e)
			gt_log_warn_limited("an event is dropped: %s", gt_error_text(e));
		head_drop(ev);
	}
}

/* Goes on with the head as far as it goes without waiting. */
static void deliver(struct events *ev)
{
	const char *why;

	if (gt_timer_is_set(&ev->timer) || ev->calling)
		return;
	if (!*ev->address) {
		if (*ev->journal)
			journal_deliver(ev);
		return;
	}
	if (!ev->head)
		return;
	if (!ev->watch.on) {
		why = daemon_connect(ev);
		if (why) {
			head_failed(ev, why);
			return;
		}
	}
	call(ev);
}

struct events *events_new(struct gt_loop *loop, const char *ns, const char *address,
			  const char *journal)
{
	struct events *ev = gt_xcalloc(1, sizeof(*ev));

	ev->loop = loop;
	ev->ns = ns;
	ev->address = address ? address : "";
	ev->journal = journal ? journal : "";
	ev->tail = &ev->head;
	ev->watch.fn = connection_event;
	ev->timer.fn = call_late;
	gt_buf_init(&ev->out);
	gt_buf_init(&ev->reader.part);
	return ev;
}

void events_free(struct events *ev)
{
	if (!ev)
		return;
	disconnect(ev);
	while (ev->head)
		head_drop(ev);
	gt_timer_clear(&ev->timer);
	free(ev);
}

bool events_is_empty(const struct events *ev)
{
	return !ev->head;
}

static const char *topic_of(const ProtobufCMessageDescriptor *type)
{
	static const struct {
		const ProtobufCMessageDescriptor *type;
		const char *topic;
	} topics[] = {
		{ &containerd__events__task_create__descriptor, "/tasks/create" },
		{ &containerd__events__task_start__descriptor, "/tasks/start" },
		{ &containerd__events__task_exec_added__descriptor, "/tasks/exec-added" },
		{ &containerd__events__task_exec_started__descriptor, "/tasks/exec-started" },
		{ &containerd__events__task_oom__descriptor, "/tasks/oom" },
		{ &containerd__events__task_paused__descriptor, "/tasks/paused" },
		{ &containerd__events__task_resumed__descriptor, "/tasks/resumed" },
		{ &containerd__events__task_checkpointed__descriptor, "/tasks/checkpointed" },
		{ &containerd__events__task_exit__descriptor, "/tasks/exit" },
		{ &containerd__events__task_delete__descriptor, "/tasks/delete" },
	};

	for (size_t i = 0; i < sizeof(topics) / sizeof(*topics); i++)
		if (topics[i].type == type)
			return topics[i].topic;
	return "/tasks/?";
}

void events_publish(struct events *ev, const ProtobufCMessage *message)
{
	Containerd__Types__Envelope envelope = CONTAINERD__TYPES__ENVELOPE__INIT;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	size_t len = protobuf_c_message_get_packed_size(message);
	gt_autofree uint8_t *payload = NULL;
	struct timespec now;
	struct event *e;

	if (!*ev->address && !*ev->journal)
		return;
	if (ev->n >= QUEUE_MAX) {
		gt_log_warn_limited("an event is dropped: %d wait already", QUEUE_MAX);
		return;
	}
	payload = gt_xmalloc(len);
	protobuf_c_message_pack(message, payload);
	clock_gettime(CLOCK_REALTIME, &now);
	at.seconds = now.tv_sec;
	at.nanos = (int32_t)now.tv_nsec;
	any.type_url = (char *)message->descriptor->name;
	any.value = (ProtobufCBinaryData){ .len = len, .data = payload };
	envelope.timestamp = &at;
	envelope.namespace_ = (char *)ev->ns;
	envelope.topic = (char *)topic_of(message->descriptor);
	envelope.event = &any;
	len = containerd__types__envelope__get_packed_size(&envelope);
	e = gt_xmalloc(sizeof(*e) + len);
	*e = (struct event){ .len = len };
	containerd__types__envelope__pack(&envelope, e->envelope);
	*ev->tail = e;
	ev->tail = &e->next;
	ev->n++;
	deliver(ev);
}
