/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events. What this process publishes goes into the journal in the configuration's state, as shims' events
 * do; who listens is told what stands in the journal.
 */
#ifndef SERVICES_LOCAL_STREAM_H
#define SERVICES_LOCAL_STREAM_H

#include "local.h"

struct stream *stream_new(struct local *l);
void stream_free(struct stream *t); /* all have unsubscribed; NULL is fine */

#endif
