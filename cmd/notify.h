/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager: systemd's protocol (sd_notify(3)), one datagram a message. */
#ifndef GANTRY_CMD_NOTIFY_H
#define GANTRY_CMD_NOTIFY_H

#include <stdint.h>

/* "READY=1" and the like, to $NOTIFY_SOCKET; nothing if nobody asked for it. */
void notify_send(const char *state);

/* How often the watchdog wants a sign of life, in nanoseconds (half of what it allows); 0: never. */
int64_t notify_watchdog(void);

#endif
