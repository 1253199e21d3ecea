/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls the transfer service as containerd's clients from 1.7 on do:
 *	transfer-client SOCKET NAMESPACE import NAME [PREFIX [any]] <archive	prints the progress
 *	transfer-client SOCKET NAMESPACE export NAME >archive
 *	transfer-client SOCKET NAMESPACE echo <bytes >bytes
 *	transfer-client SOCKET NAMESPACE tag FROM TO | pull REF | push NAME REF
 */
#include <config.h>

#include <grpc/client.h>
#include <wire/values.h>

#include "containerd.services.streaming.v1.pb-c.h"
#include "containerd.services.transfer.v1.pb-c.h"
#include "containerd.types.transfer.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define T(name) Containerd__Types__Transfer__##name
#define TYPE(name) containerd__types__transfer__##name##__descriptor

static const struct gt_grpc_remote stream_method = {
	"/containerd.services.streaming.v1.Streaming/Stream", &google__protobuf__any__descriptor
};
static const struct gt_grpc_remote transfer_method = {
	"/containerd.services.transfer.v1.Transfer/Transfer", &google__protobuf__empty__descriptor
};

static struct gt_grpc_client *client;
static struct gt_call call = GT_CALL_INIT;

static void check(struct gt_error *e)
{
	if (!e)
		return;
	fprintf(stderr, "transfer-client: %s: %s\n", gt_class_name(gt_error_class(e)), gt_error_text(e));
	exit(1);
}

static struct gt_error *send_any(struct gt_grpc_stream *s, const ProtobufCMessage *m)
{
	gt_auto(gt_any) any = { 0 };
	gt_auto(gt_arena) a = { 0 };

	gt_wire_any_pack(m, &any);
	return gt_grpc_stream_send(s, &call, &gt_wire_any(&a, &any)->base);
}

static struct gt_grpc_stream *stream_open(const char *id)
{
	Containerd__Services__Streaming__V1__StreamInit init =
		CONTAINERD__SERVICES__STREAMING__V1__STREAM_INIT__INIT;
	struct gt_grpc_stream *s;
	ProtobufCMessage *m;

	init.id = (char *)id;
	check(gt_grpc_stream_open(client, &call, &stream_method, NULL, NULL, &s));
	check(send_any(s, &init.base));
	check(gt_grpc_stream_recv(s, &call, &m));
	if (!m || strcmp(((Google__Protobuf__Any *)m)->type_url, "google.protobuf.Empty") != 0)
		check(gt_error_new(GT_UNKNOWN, "the stream was not confirmed"));
	gt_grpc_message_free(m);
	return s;
}

/* The next message of that type; NULL at the end. */
static ProtobufCMessage *next(struct gt_grpc_stream *s, const ProtobufCMessageDescriptor *type)
{
	gt_auto(gt_any) any = { 0 };
	ProtobufCMessage *m, *out = NULL;

	if (gt_grpc_stream_recv(s, &call, &m) || !m)
		return NULL;
	gt_wire_any_get((Google__Protobuf__Any *)m, &any);
	gt_grpc_message_free(m);
	check(gt_wire_any_unpack(&any, type, &out));
	return out;
}

static void *progress_show(void *arg)
{
	T(Progress) *p;

	while ((p = (T(Progress) *)next(arg, &TYPE(progress)))) {
		fprintf(stderr, "progress %s %s %lld/%lld\n", p->event, p->name, (long long)p->progress,
			(long long)p->total);
		gt_wire_free(&p->base);
	}
	return NULL;
}

/* Sends stdin as far as windows allow. */
static void *bytes_send(void *arg)
{
	struct gt_grpc_stream *s = arg;
	unsigned char bytes[32768];
	long long window = 0;
	size_t n;

	for (;;) {
		T(Data) d = CONTAINERD__TYPES__TRANSFER__DATA__INIT;

		while (window <= 0) {
			T(WindowUpdate) *w = (T(WindowUpdate) *)next(s, &TYPE(window_update));

			if (!w)
				return NULL;
			window += w->update;
			gt_wire_free(&w->base);
		}
		n = fread(bytes, 1, window < 32768 ? (size_t)window : 32768, stdin);
		if (!n)
			break;
		d.data.data = bytes;
		d.data.len = n;
		window -= (long long)n;
		check(send_any(s, &d.base));
	}
	gt_grpc_stream_close_send(s);
	return NULL;
}

/* Grants windows, and writes what comes to stdout. */
static void *bytes_receive(void *arg)
{
	struct gt_grpc_stream *s = arg;
	long long window = 0;
	T(Data) *d;

	for (;;) {
		for (; window < 65536; window += 65536) {
			T(WindowUpdate) w = CONTAINERD__TYPES__TRANSFER__WINDOW_UPDATE__INIT;

			w.update = 65536;
			gt_error_free(send_any(s, &w.base));
		}
		d = (T(Data) *)next(s, &TYPE(data));
		if (!d)
			return NULL;
		fwrite(d->data.data, 1, d->data.len, stdout);
		window -= (long long)d->data.len;
		gt_wire_free(&d->base);
	}
}

static void transfer(const ProtobufCMessage *from, const ProtobufCMessage *to)
{
	Containerd__Services__Transfer__V1__TransferRequest q =
		CONTAINERD__SERVICES__TRANSFER__V1__TRANSFER_REQUEST__INIT;
	Containerd__Services__Transfer__V1__TransferOptions o =
		CONTAINERD__SERVICES__TRANSFER__V1__TRANSFER_OPTIONS__INIT;
	struct gt_grpc_stream *progress = stream_open("progress-1-a");
	gt_auto(gt_any) source = { 0 }, destination = { 0 };
	gt_auto(gt_arena) a = { 0 };
	struct gt_error *e;
	pthread_t t;

	gt_wire_any_pack(from, &source);
	gt_wire_any_pack(to, &destination);
	o.progress_stream = (char *)"progress-1-a";
	q.source = gt_wire_any(&a, &source);
	q.destination = gt_wire_any(&a, &destination);
	q.options = &o;
	pthread_create(&t, NULL, progress_show, progress);
	e = gt_grpc_call(client, &call, &transfer_method, &q.base, NULL);
	if (e)
		gt_grpc_stream_close_send(progress);
	pthread_join(t, NULL);
	gt_grpc_stream_free(progress);
	check(e);
}

int main(int argc, char **argv)
{
	T(ImageStore) store = CONTAINERD__TYPES__TRANSFER__IMAGE_STORE__INIT, other = store;
	T(ImageImportStream) in = CONTAINERD__TYPES__TRANSFER__IMAGE_IMPORT_STREAM__INIT;
	T(ImageExportStream) out = CONTAINERD__TYPES__TRANSFER__IMAGE_EXPORT_STREAM__INIT;
	T(OCIRegistry) registry = CONTAINERD__TYPES__TRANSFER__OCIREGISTRY__INIT;
	T(RegistryResolver) resolver = CONTAINERD__TYPES__TRANSFER__REGISTRY_RESOLVER__INIT;
	T(ImageReference) prefix = CONTAINERD__TYPES__TRANSFER__IMAGE_REFERENCE__INIT;
	T(ImageReference) *references = &prefix;
	const char *what = argc > 3 ? argv[3] : "";
	struct gt_grpc_stream *s = NULL, *r = NULL;
	pthread_t ts, tr;

	if (argc < 4)
		return 2;
	client = gt_grpc_client_new(argv[1], 5000);
	call.ns = argv[2];
	call.deadline = gt_now() + INT64_C(100) * 1000000000;
	in.stream = (char *)"import-1-a";
	out.stream = (char *)"export-1-a";
	store.name = argc > 4 ? argv[4] : (char *)"";
	other.name = argc > 5 ? argv[5] : (char *)"";
	registry.reference = argv[argc - 1];
	registry.resolver = &resolver;
	resolver.default_scheme = (char *)"http";
	if (!strcmp(what, "import") || !strcmp(what, "echo")) {
		s = stream_open(in.stream);
		pthread_create(&ts, NULL, bytes_send, s);
	}
	if (!strcmp(what, "export") || !strcmp(what, "echo")) {
		r = stream_open(out.stream);
		pthread_create(&tr, NULL, bytes_receive, r);
	}
	if (!strcmp(what, "import") && argc > 5) {
		prefix.name = argv[5];
		prefix.is_prefix = true;
		prefix.allow_overwrite = argc > 6;
		store.extra_references = &references;
		store.n_extra_references = 1;
	}
	if (!strcmp(what, "import"))
		transfer(&in.base, &store.base);
	else if (!strcmp(what, "export"))
		transfer(&store.base, &out.base);
	else if (!strcmp(what, "echo"))
		transfer(&in.base, &out.base);
	else if (!strcmp(what, "tag"))
		transfer(&store.base, &other.base);
	else if (!strcmp(what, "pull"))
		transfer(&registry.base, &store.base);
	else if (!strcmp(what, "push"))
		transfer(&store.base, &registry.base);
	if (r)
		pthread_join(tr, NULL);
	if (s)
		pthread_join(ts, NULL);
	gt_grpc_stream_free(r);
	gt_grpc_stream_free(s);
	gt_grpc_client_free(client);
	return 0;
}
