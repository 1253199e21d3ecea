/* SPDX-License-Identifier: Apache-2.0 */
/* `shim`: straight to a container's shim, for who wants to know what it itself says. */
#include <config.h>

#include "commands.h"
#include "message.h"
#include "table.h"

#include <gantry/file.h>
#include <ttrpc/client.h>
#include <ttrpc/frame.h>

#include <containerd.task.v2.pb-c.h>
#include <google/protobuf/empty.pb-c.h>

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

/* The messages of both versions are the same, as far as they are used here. */
static const char *const services[] = { [2] = "containerd.task.v2.Task",
					[3] = "containerd.task.v3.Task" };

#define SPEC_MAX (4 * 1024 * 1024)
#define CONNECT_MS 5000

struct connection {
	struct gt_ttrpc_engine *engine;
	struct gt_ttrpc_client *client;
};

static void connection_done(struct connection *x)
{
	gt_ttrpc_client_free(x->client);
	gt_ttrpc_engine_free(x->engine);
}

/* The bundle's file: "unix:///path", or the JSON of newer shims. */
static struct gt_error *address_find(struct ctr *c, const char *id, char **out)
{
	gt_autofree char *bundle = gt_strf("%s/io.containerd.runtime.v2.task/%s/%s",
					   c->init->base_state, c->call.ns, id);
	gt_autofree char *newer = gt_strf("%s/bootstrap.json", bundle);
	gt_autofree char *older = gt_strf("%s/address", bundle);
	gt_auto(gt_buf) text = GT_BUF_INIT;
	struct gt_error *e = gt_file_read(AT_FDCWD, newer, 4096, &text);
	json_t *doc = e ? NULL : json_loadb(text.s, text.len, 0, NULL);

	if (json_string_value(json_object_get(doc, "address"))) {
		*out = gt_xstrdup(json_string_value(json_object_get(doc, "address")));
		json_decref(doc);
		return NULL;
	}
	json_decref(doc);
	gt_error_free(e);
	gt_buf_setlen(&text, 0);
	e = gt_file_read(AT_FDCWD, older, 4096, &text);
	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		return gt_error_new(GT_NOT_FOUND, "no shim of %s in namespace %s", id, c->call.ns);
	}
	GT_TRY(e);
	text.s[strcspn(text.s, "\n")] = '\0';
	*out = gt_xstrdup(text.s);
	return NULL;
}

static struct gt_error *connect_shim(struct ctr *c, struct connection *x)
{
	const char *id = ctr_string(c, "id"), *given = ctr_string(c, "shim-address");
	gt_autofree char *address = *given ? gt_xstrdup(given) : NULL;

	if (!*id)
		return ctr_usage_error("container id must be specified");
	GT_TRY(gt_identifier_check("container id", id));
	if (!address)
		GT_TRY(address_find(c, id, &address));
	x->engine = gt_ttrpc_engine_new();
	return gt_error_wrap(gt_ttrpc_connect(x->engine, &c->call, address, CONNECT_MS, &x->client),
			     "shim of %s", id);
}

/* '*reply' may be NULL: it is not wanted. */
static struct gt_error *ask(struct ctr *c, const char *name, const ProtobufCMessage *request,
			    const ProtobufCMessageDescriptor *type, ProtobufCMessage **reply)
{
	uint64_t version = ctr_uint(c, "api-version");
	struct gt_ttrpc_method how = { .name = name, .reply = type };
	struct connection x = { 0 };
	ProtobufCMessage *answer = NULL;
	struct gt_error *e;

	if (version != 2 && version != 3)
		return ctr_usage_error("unsupported API version: %" PRIu64, version);
	how.service = services[version];
	e = connect_shim(c, &x);
	if (!e)
		e = gt_ttrpc_call(x.client, &c->call, &how, request, &answer);
	connection_done(&x);
	GT_TRY(e);
	if (reply)
		*reply = answer;
	else
		gt_ttrpc_message_free(answer);
	return NULL;
}

static char *id_of(struct ctr *c)
{
	return (char *)(*ctr_arg(c, 0) ? ctr_arg(c, 0) : ctr_string(c, "id"));
}

static struct gt_error *run_state(struct ctr *c)
{
	Containerd__Task__V2__StateRequest m = CONTAINERD__TASK__V2__STATE_REQUEST__INIT;
	ProtobufCMessage *reply;

	m.id = *ctr_string(c, "task-id") ? (char *)ctr_string(c, "task-id") :
					   (char *)ctr_string(c, "id");
	GT_TRY(ask(c, "State", &m.base, &containerd__task__v2__state_response__descriptor, &reply));
	ctr_json_print(c->out, ctr_message_json(reply), 4);
	gt_ttrpc_message_free(reply);
	return NULL;
}

static struct gt_error *run_start(struct ctr *c)
{
	Containerd__Task__V2__StartRequest m = CONTAINERD__TASK__V2__START_REQUEST__INIT;

	m.id = id_of(c);
	return ask(c, "Start", &m.base, &containerd__task__v2__start_response__descriptor, NULL);
}

static struct gt_error *run_delete(struct ctr *c)
{
	Containerd__Task__V2__DeleteRequest m = CONTAINERD__TASK__V2__DELETE_REQUEST__INIT;
	ProtobufCMessage *reply;

	m.id = id_of(c);
	GT_TRY(ask(c, "Delete", &m.base, &containerd__task__v2__delete_response__descriptor, &reply));
	fprintf(c->out, "container deleted and returned exit status %" PRIu32 "\n",
		((Containerd__Task__V2__DeleteResponse *)reply)->exit_status);
	gt_ttrpc_message_free(reply);
	return NULL;
}

static struct gt_error *run_shutdown(struct ctr *c)
{
	Containerd__Task__V2__ShutdownRequest m = CONTAINERD__TASK__V2__SHUTDOWN_REQUEST__INIT;
	struct gt_error *e;

	m.id = id_of(c);
	e = ask(c, "Shutdown", &m.base, &google__protobuf__empty__descriptor, NULL);
	/* it may be gone before it has answered */
	return gt_error_unless(e, GT_UNAVAILABLE);
}

/* The process's document, with what the flags say. */
static struct gt_error *read_process(struct ctr *c, char **out)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	const struct gt_strv *env = ctr_list(c, "env");
	json_t *doc, *list;

	GT_TRY(gt_file_read(AT_FDCWD, ctr_string(c, "spec"), SPEC_MAX, &text));
	doc = json_loadb(text.s, text.len, 0, NULL);
	if (!json_is_object(doc)) {
		json_decref(doc);
		return gt_error_new(GT_INVALID_ARGUMENT, "%s is no JSON object", ctr_string(c, "spec"));
	}
	list = json_object_get(doc, "env");
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(doc, "env", list);
	}
	for (size_t i = 0; i < env->n; i++)
		json_array_append_new(list, json_string(env->v[i]));
	if (*ctr_string(c, "cwd"))
		json_object_set_new(doc, "cwd", json_string(ctr_string(c, "cwd")));
	json_object_set_new(doc, "terminal", json_boolean(ctr_bool(c, "tty")));
	*out = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	return NULL;
}

static struct gt_error *run_exec(struct ctr *c)
{
	Containerd__Task__V2__ExecProcessRequest m =
		CONTAINERD__TASK__V2__EXEC_PROCESS_REQUEST__INIT;
	Containerd__Task__V2__StartRequest start = CONTAINERD__TASK__V2__START_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	gt_autofree char *process = NULL;
	ProtobufCMessage *reply;

	if (!*ctr_arg(c, 0))
		return ctr_usage_error("exec id must be provided");
	GT_TRY(read_process(c, &process));
	any.type_url = (char *)"types.containerd.io/opencontainers/runtime-spec/1/Process";
	any.value = (ProtobufCBinaryData){ .data = (uint8_t *)process, .len = strlen(process) };
	m.id = (char *)ctr_string(c, "id");
	m.exec_id = (char *)ctr_arg(c, 0);
	m.spec = &any;
	m.stdin = (char *)ctr_string(c, "stdin");
	m.stdout = (char *)ctr_string(c, "stdout");
	m.stderr = (char *)ctr_string(c, "stderr");
	m.terminal = ctr_bool(c, "tty");
	GT_TRY(ask(c, "Exec", &m.base, &google__protobuf__empty__descriptor, NULL));
	start.id = m.id;
	start.exec_id = m.exec_id;
	GT_TRY(ask(c, "Start", &start.base, &containerd__task__v2__start_response__descriptor,
		   &reply));
	fprintf(c->out, "exec running with pid %" PRIu32 "\n",
		((Containerd__Task__V2__StartResponse *)reply)->pid);
	gt_ttrpc_message_free(reply);
	return NULL;
}

static const struct ctr_flag shim_flags[] = {
	{ .name = "id", .type = CTR_STRING, .text = "the container's id" },
	{ .name = "shim-address",
	  .type = CTR_STRING,
	  .text = "where the shim listens; without, what stands in the container's bundle" },
	{ 0 },
};

static const struct ctr_flag shim_version_flag[] = {
	{ .name = "api-version",
	  .type = CTR_UINT,
	  .value = "2",
	  .text = "version of the task API to ask by: 2 or 3" },
	{ 0 },
};

static const struct ctr_flag state_flags[] = {
	{ .name = "task-id", .alias = "t", .type = CTR_STRING, .text = "of one of several tasks" },
	{ 0 },
};

static const struct ctr_flag exec_flags[] = {
	{ .name = "stdin", .type = CTR_STRING, .text = "FIFO for standard input" },
	{ .name = "stdout", .type = CTR_STRING, .text = "FIFO or URI for standard output" },
	{ .name = "stderr", .type = CTR_STRING, .text = "FIFO or URI for standard error" },
	{ .name = "tty", .alias = "t", .type = CTR_BOOL, .text = "give the process a terminal" },
	{ .name = "env", .alias = "e", .type = CTR_LIST, .text = "further `NAME=VALUE`" },
	{ .name = "cwd", .type = CTR_STRING, .text = "working folder of the process" },
	{ .name = "spec",
	  .type = CTR_STRING,
	  .bits = CTR_REQUIRED,
	  .text = "`FILE` with the process's document" },
	{ 0 },
};

static const struct ctr_command delete_command = {
	.name = "delete",
	.text = "delete a container that has ended",
	.args = "[CONTAINER]",
	.run = run_delete,
};

static const struct ctr_command exec = {
	.name = "exec",
	.text = "run a further process in the container",
	.args = "[flags] EXEC-ID",
	.flags = (const struct ctr_flag *const[]){ exec_flags, NULL },
	.run = run_exec,
};

static const struct ctr_command start = {
	.name = "start",
	.text = "start a container that has been created",
	.args = "[CONTAINER]",
	.run = run_start,
};

static const struct ctr_command state = {
	.name = "state",
	.text = "print the container's state as JSON",
	.args = "[flags]",
	.flags = (const struct ctr_flag *const[]){ state_flags, shim_version_flag, NULL },
	.run = run_state,
};

static const struct ctr_command shutdown_command = {
	.name = "shutdown",
	.text = "end a shim that has no containers any more",
	.flags = (const struct ctr_flag *const[]){ shim_version_flag, NULL },
	.run = run_shutdown,
};

const struct ctr_command ctr_shim = {
	.name = "shim",
	.text = "talk to a container's shim",
	.flags = (const struct ctr_flag *const[]){ shim_flags, shim_version_flag, NULL },
	.commands = (const struct ctr_command *const[]){ &delete_command, &exec, &start, &state,
							 &shutdown_command, &ctr_pprof, NULL },
};
