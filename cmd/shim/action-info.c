/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "action.h"

#include "child.h"
#include "options.h"

#include <gantry/file.h>

#include <containerd.types.pb-c.h>
#include <ttrpc/frame.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define FEATURES_MAX (256 * 1024)
#define FEATURES_MS 3000
#define FEATURES_TYPE "types.containerd.io/opencontainers/runtime-spec/1/features/Features"

struct gt_error *action_version(void)
{
	static const char text[] = SHIM_NAME ":\n  Version:  " PACKAGE_VERSION
					     "\n  Revision: " GT_REVISION "\n\n";

	return gt_file_write_all(STDOUT_FILENO, text, sizeof(text) - 1, "standard output");
}

/* What the runtime program says of itself; nothing, if it does not know the question. */
static void features_read(const char *binary, struct gt_buf *out)
{
	const char *const argv[] = { binary, "features", NULL };
	struct pollfd p = { .events = POLLIN };
	gt_autoptr(gt_error) e = NULL;
	int fds[2], status = 1;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	e = child_spawn(&(struct child_spec){ .argv = argv, .in = -1, .out = fds[1], .err = -1 },
			&pid);
	close(fds[1]);
	p.fd = fds[0];
	while (!e && out->len < FEATURES_MAX && poll(&p, 1, FEATURES_MS) > 0) {
		ssize_t n = read(fds[0], gt_buf_reserve(out, 4096), 4096);

		if (n <= 0)
			break;
		gt_buf_setlen(out, out->len + n);
	}
	close(fds[0]);
	if (!e) {
		if (!out->len)
			kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	if (status)
		gt_buf_done(out);
}

struct gt_error *action_info(void)
{
	struct options options __attribute__((cleanup(options_done)));
	Containerd__Types__RuntimeInfo m = CONTAINERD__TYPES__RUNTIME_INFO__INIT;
	Containerd__Types__RuntimeVersion version = CONTAINERD__TYPES__RUNTIME_VERSION__INIT;
	Google__Protobuf__Any features = GOOGLE__PROTOBUF__ANY__INIT;
	Google__Protobuf__Any *given = NULL;
	gt_auto(gt_buf) input = GT_BUF_INIT;
	gt_auto(gt_buf) json = GT_BUF_INIT;
	gt_autofree uint8_t *bytes = NULL;
	struct gt_error *e = NULL;
	size_t len;

	options_init(&options);
	GT_TRY(action_input(&input));
	if (input.len) {
		given = (Google__Protobuf__Any *)gt_ttrpc_message_unpack(
			&google__protobuf__any__descriptor, input.s, input.len);
		if (!given)
			return gt_error_new(GT_INVALID_ARGUMENT, "malformed options on stdin");
		e = options_from_any(given, &options);
	}
	if (!e) {
		features_read(*options.binary_name ? options.binary_name : OPTIONS_DEFAULT_BINARY,
			      &json);
		version.version = (char *)PACKAGE_VERSION;
		version.revision = (char *)GT_REVISION;
		m.name = (char *)"io.containerd.gantry.v1";
		m.version = &version;
		m.options = given;
		if (json.len) {
			features.type_url = (char *)FEATURES_TYPE;
			features.value.data = (uint8_t *)json.s;
			features.value.len = json.len;
			m.features = &features;
		}
		len = containerd__types__runtime_info__get_packed_size(&m);
		bytes = gt_xmalloc(len);
		containerd__types__runtime_info__pack(&m, bytes);
		e = gt_file_write_all(STDOUT_FILENO, bytes, len, "standard output");
	}
	if (given)
		gt_ttrpc_message_free(&given->base);
	return e;
}
