/* SPDX-License-Identifier: Apache-2.0 */
/* A protobuf message as JSON, by its descriptor: fields by their names in the .proto, zeros left out. */
#ifndef CTR_MESSAGE_H
#define CTR_MESSAGE_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

json_t *ctr_message_json(const ProtobufCMessage *m);

/*
 * The number at a path of field names ("memory.usage.limit") as a new string: "0" where a message on the
 * way is not there, "[1 2]" for a list.
 */
char *ctr_message_number(const ProtobufCMessage *m, const char *path);

#endif
