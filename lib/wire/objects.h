/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services' objects as containerd's messages, and back; rules as in <wire/values.h>. What _get()
 * fills must be empty before.
 */
#ifndef GANTRY_LIB_WIRE_OBJECTS_H
#define GANTRY_LIB_WIRE_OBJECTS_H

#include <wire/values.h>

#include <gantry/api-activations.h>
#include <gantry/api-blobs.h>
#include <gantry/api-containers.h>
#include <gantry/api-images.h>
#include <gantry/api-leases.h>
#include <gantry/api-sandboxes.h>
#include <gantry/event.h>
#include <gantry/snapshotter.h>

#include "containerd.services.containers.v1.pb-c.h"
#include "containerd.services.content.v1.pb-c.h"
#include "containerd.services.images.v1.pb-c.h"
#include "containerd.services.leases.v1.pb-c.h"
#include "containerd.services.snapshots.v1.pb-c.h"

Containerd__Services__Images__V1__Image *gt_wire_image(struct gt_arena *a, const struct gt_image *i);
void gt_wire_image_get(const Containerd__Services__Images__V1__Image *m, struct gt_image *out);

Containerd__Services__Containers__V1__Container *gt_wire_container(struct gt_arena *a,
								   const struct gt_container *c);
void gt_wire_container_get(const Containerd__Services__Containers__V1__Container *m,
			   struct gt_container *out);

Containerd__Types__Sandbox *gt_wire_sandbox(struct gt_arena *a, const struct gt_sandbox *b);
void gt_wire_sandbox_get(const Containerd__Types__Sandbox *m, struct gt_sandbox *out);

Containerd__Types__ActivationInfo *gt_wire_activation(struct gt_arena *a,
						      const struct gt_activation *x);
void gt_wire_activation_get(const Containerd__Types__ActivationInfo *m, struct gt_activation *out);

Containerd__Services__Snapshots__V1__Info *gt_wire_snapshot(struct gt_arena *a,
							    const struct gt_snapshot_info *i);
void gt_wire_snapshot_get(const Containerd__Services__Snapshots__V1__Info *m,
			  struct gt_snapshot_info *out);

Containerd__Services__Content__V1__Info *gt_wire_blob(struct gt_arena *a, const struct gt_blob *b);
void gt_wire_blob_get(const Containerd__Services__Content__V1__Info *m, struct gt_blob *out);

Containerd__Services__Content__V1__Status *gt_wire_ingest(struct gt_arena *a,
							  const struct gt_ingest_info *i);
void gt_wire_ingest_get(const Containerd__Services__Content__V1__Status *m,
			struct gt_ingest_info *out);

Containerd__Services__Leases__V1__Lease *gt_wire_lease(struct gt_arena *a, const struct gt_lease *l);
void gt_wire_lease_get(const Containerd__Services__Leases__V1__Lease *m, struct gt_lease *out);

Containerd__Types__Envelope *gt_wire_envelope(struct gt_arena *a, const struct gt_event *e);
/* Borrows from 'm' and from 'payload', which it fills; the caller gt_any_done()s that. */
void gt_wire_envelope_get(const Containerd__Types__Envelope *m, struct gt_event *out,
			  struct gt_any *payload);

/*
 * The message in an event's payload; NULL if it is none of containerd's event messages, or broken. The
 * caller gt_wire_free()s it.
 */
ProtobufCMessage *gt_wire_event_message(const struct gt_any *payload);

/*
 * A field of an event, as a filter names it: "topic", "namespace", "event.FIELD...". Fits the look-up of
 * <filter/filter.h>; 'event' is a struct gt_event. Looks into payloads of containerd's event messages
 * only. NULL where there is no such field.
 */
const char *gt_wire_event_field(const void *event, const struct gt_strv *path,
				struct gt_buf *scratch);

#endif
