/* SPDX-License-Identifier: Apache-2.0 */
/* A server with a service of the tests' own, in a thread, on a socket in a folder of its own. */
#ifndef GANTRY_LIB_GRPC_RIG_TEST_H
#define GANTRY_LIB_GRPC_RIG_TEST_H

#include <grpc/client.h>
#include <grpc/server.h>

#include "google/protobuf/wrappers.pb-c.h"

#include <pthread.h>

#define TEST_SERVICE "gantry.test.Test"

struct rig {
	char dir[64];
	char *address;
	struct gt_grpc_server *server;
	struct gt_cancel *cancel;
	struct gt_call until;
	pthread_t thread;
	_Atomic int kept; /* calls of Keep that are pending */
	_Atomic int begun, ended; /* calls of handlers that have state */
	_Atomic int64_t room; /* messages that Flood has sent */
};

void rig_start(struct rig *r);
void rig_stop(struct rig *r);
/* A plain connection to it. */
int rig_connect(const struct rig *r);

/* Echo answers its request in the loop, Work in a worker (after as many ms as the text's number). */
extern const struct gt_grpc_remote rig_echo, rig_work, rig_keep, rig_fail, rig_count, rig_gather,
	rig_chat, rig_flood, rig_large, rig_none;

Google__Protobuf__StringValue rig_text(const char *s);
/* Waits until it holds, at most ten seconds. */
#define rig_wait(what)                                                                            \
	do {                                                                                       \
		for (int i_ = 0; i_ < 2000 && !(what); i_++)                                       \
			usleep(5000);                                                              \
		ck_assert(what);                                                                   \
	} while (0)

#endif
