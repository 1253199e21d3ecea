/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/program.h>

#include <shim/message.h>

#include <proc/proc.h>
#include <ttrpc/frame.h>

#include <containerd.task.v2.pb-c.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <google/protobuf/any.pb-c.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX 65536
#define SHOWN_MAX 2048

char *gt_shim_program_address(const struct gt_shim_settings *s)
{
	return gt_strf("%s/gantry.sock", s->state);
}

bool gt_shim_program_is_ours(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(slash ? slash + 1 : path, "containerd-shim-gantry-v1");
}

/*
 * Ours needs no daemon for its events. Others send them to one that is there; where there is none they would
 * try again and again, and not end for that.
 */
static void add_events_address(const struct gt_shim_settings *s, const char *program,
			       const char *address, struct gt_strv *env)
{
	gt_autofree char *ttrpc = gt_strf("%s.ttrpc", address);

	if (*s->config->events_address)
		gt_strv_addf(env, "TTRPC_ADDRESS=%s", s->config->events_address);
	else if (!gt_shim_program_is_ours(program) && access(ttrpc, F_OK) == 0)
		gt_strv_addf(env, "TTRPC_ADDRESS=%s", ttrpc);
}

/* Ours without what speaks of another daemon, and with what a shim is told. */
static void make_env(const struct gt_shim_settings *s, const struct gt_bundle *b,
		     const char *program, const char *address, struct gt_strv *env)
{
	static const char *const ours[] = { "GOMAXPROCS=", "TTRPC_ADDRESS=", "GRPC_ADDRESS=",
					    "NAMESPACE=", "MAX_SHIM_VERSION=",
					    "GANTRY_SHIM_SOCKET_DIR=", "GANTRY_EVENT_JOURNAL=" };

	for (char **v = environ; *v; v++) {
		bool skip = false;

		for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
			skip = skip || !strncmp(*v, ours[i], strlen(ours[i]));
		if (!skip)
			gt_strv_add(env, *v);
	}
	gt_strv_add(env, "GOMAXPROCS=2");
	add_events_address(s, program, address, env);
	gt_strv_addf(env, "GRPC_ADDRESS=%s", address);
	gt_strv_addf(env, "NAMESPACE=%s", b->ns);
	gt_strv_addf(env, "MAX_SHIM_VERSION=%u", s->max_version ? s->max_version : 2);
	gt_strv_addf(env, "GANTRY_SHIM_SOCKET_DIR=%s/s", s->state);
	gt_strv_addf(env, "GANTRY_EVENT_JOURNAL=%s/events", s->state);
}

/* The arguments that every action has. The address need not exist: shims name their sockets by it. */
static void make_args(const struct gt_shim_settings *s, const struct gt_bundle *b,
		      const char *program, const char *address, struct gt_strv *argv)
{
	gt_autofree char *exe = realpath("/proc/self/exe", NULL);

	gt_strv_add(argv, program);
	gt_strv_add(argv, "-namespace");
	gt_strv_add(argv, b->ns);
	gt_strv_add(argv, "-address");
	gt_strv_add(argv, address);
	gt_strv_add(argv, "-publish-binary");
	gt_strv_add(argv, exe ? exe : "");
	gt_strv_add(argv, "-id");
	gt_strv_add(argv, b->id);
	if (s->debug)
		gt_strv_add(argv, "-debug");
}

/* What a program printed, fit for one line of an error: foreign bytes, cut and without controls. */
static void add_shown(struct gt_buf *out, const char *s, size_t len)
{
	while (len && isspace((unsigned char)s[len - 1]))
		len--;
	for (size_t i = 0; i < len && i < SHOWN_MAX; i++)
		gt_buf_addc(out, iscntrl((unsigned char)s[i]) ? ' ' : s[i]);
	if (len > SHOWN_MAX)
		gt_buf_adds(out, "...");
	if (len)
		gt_buf_adds(out, ": ");
}

static struct gt_error *check_status(const struct gt_buf *output, int status)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	add_shown(&text, output->s, output->len);
	if (WIFEXITED(status))
		return gt_error_new(GT_UNKNOWN, "%sexit status %d", text.s, WEXITSTATUS(status));
	return gt_error_new(GT_UNKNOWN, "%ssignal %d", text.s, WTERMSIG(status));
}

static void pack_options(const struct gt_any *options, struct gt_buf *out)
{
	Google__Protobuf__Any m = GOOGLE__PROTOBUF__ANY__INIT;

	if (!options || !options->type_url || !options->len)
		return;
	gt_shim_any_message(options, &m);
	protobuf_c_message_pack(&m.base,
				(uint8_t *)gt_buf_reserve(out, google__protobuf__any__get_packed_size(&m)));
	gt_buf_setlen(out, out->len + google__protobuf__any__get_packed_size(&m));
}

struct gt_error *gt_shim_program_start(const struct gt_shim_settings *s, const struct gt_bundle *b,
				       const struct gt_call *call, const char *program,
				       const struct gt_any *options, struct gt_shim_endpoint *out)
{
	gt_autofree char *address = gt_shim_program_address(s);
	gt_auto(gt_strv) env = { 0 }, argv = { 0 };
	gt_auto(gt_buf) input = GT_BUF_INIT, output = GT_BUF_INIT;
	struct gt_proc_spec spec = { .cwd = b->path };
	int status = 0;
	struct gt_error *e;

	make_env(s, b, program, address, &env);
	make_args(s, b, program, address, &argv);
	gt_strv_add(&argv, "start");
	pack_options(options, &input);
	spec.argv = (const char *const *)argv.v;
	spec.env = (const char *const *)env.v;
	e = gt_proc_run(&spec, call, input.s, input.len, OUTPUT_MAX, &output, &status);
	if (!e)
		e = check_status(&output, status);
	if (!e)
		e = gt_shim_endpoint_parse(output.s, output.len, out);
	return gt_error_wrap(e, "start shim %s", program);
}

static void drain(int fd, struct gt_buf *out)
{
	ssize_t n = read(fd, gt_buf_reserve(out, OUTPUT_MAX), OUTPUT_MAX);

	if (n > 0)
		gt_buf_setlen(out, out->len + n);
}

/*
 * stdout is a message and stderr is text, so that they need a pipe each. Neither blocks at either end:
 * a program that prints more than a pipe holds loses it.
 */
static struct gt_error *run_apart(struct gt_proc_spec *spec, const struct gt_call *call,
				  struct gt_buf *out, struct gt_buf *err, int *status)
{
	gt_autofd int out_r = -1, out_w = -1, err_r = -1, err_w = -1;
	struct gt_proc p = { .pidfd = -1 };
	struct gt_error *e;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make a pipe");
	out_r = ends[0];
	out_w = ends[1];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make a pipe");
	err_r = ends[0];
	err_w = ends[1];
	spec->out = out_w;
	spec->err = err_w;
	GT_TRY(gt_proc_spawn(spec, &p));
	e = gt_proc_wait(&p, call, status);
	gt_proc_kill(&p);
	drain(out_r, out);
	drain(err_r, err);
	return e;
}

static struct gt_error *read_exit(const struct gt_buf *out, struct gt_exit *exit)
{
	ProtobufCMessage *m = gt_ttrpc_message_unpack(
		&containerd__task__v2__delete_response__descriptor, out->s, out->len);
	Containerd__Task__V2__DeleteResponse *r = (void *)m;

	if (!m)
		return gt_error_new(GT_DATA_LOSS, "its output is no DeleteResponse");
	*exit = (struct gt_exit){ .pid = r->pid,
				  .status = r->exit_status,
				  .at = gt_shim_time(r->exited_at) };
	gt_ttrpc_message_free(m);
	return NULL;
}

struct gt_error *gt_shim_program_delete(const struct gt_shim_settings *s, const struct gt_bundle *b,
					const struct gt_call *call, const char *program,
					struct gt_exit *out)
{
	gt_autofree char *address = gt_shim_program_address(s);
	gt_auto(gt_strv) env = { 0 }, argv = { 0 };
	gt_auto(gt_buf) output = GT_BUF_INIT, errors = GT_BUF_INIT;
	struct gt_proc_spec spec = { .cwd = b->path };
	int status = 0;
	struct gt_error *e;

	make_env(s, b, program, address, &env);
	make_args(s, b, program, address, &argv);
	gt_strv_add(&argv, "-bundle");
	gt_strv_add(&argv, b->path);
	gt_strv_add(&argv, "delete");
	spec.argv = (const char *const *)argv.v;
	spec.env = (const char *const *)env.v;
	e = run_apart(&spec, call, &output, &errors, &status);
	if (!e)
		e = check_status(&errors, status);
	if (!e)
		e = read_exit(&output, out);
	return gt_error_wrap(e, "run %s delete", program);
}
