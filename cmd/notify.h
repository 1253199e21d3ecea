/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager: systemd's protocol (sd_notify(3)), one datagram a message. */
#ifndef GANTRY_CMD_NOTIFY_H
#define GANTRY_CMD_NOTIFY_H

#include <stdint.h>

struct notify {
	char *path; /* NULL: nobody asked for it */
	int64_t watchdog; /* how often it wants a sign of life, nanoseconds; 0: never */
};

/*
 * Takes what the manager has said out of the environment: what this process starts is none of its
 * services, and runc would wait for the container to report itself. Before there are threads.
 */
void notify_take(struct notify *n);
void notify_done(struct notify *n);

/* "READY=1" and the like. */
void notify_send(const struct notify *n, const char *state);

#endif
