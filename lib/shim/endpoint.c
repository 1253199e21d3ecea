/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/endpoint.h>

#include <ttrpc/frame.h>

#include <gantry/file.h>

#include <containerd.runtime.bootstrap.v1.pb-c.h>
#include <ctype.h>
#include <jansson.h>
#include <string.h>

#define ADDRESS_MAX 4096
#define FILE_MAX 65536

void gt_shim_endpoint_done(struct gt_shim_endpoint *e)
{
	free(e->address);
	*e = (struct gt_shim_endpoint){ 0 };
}

/* An address goes into a file and into messages: nothing in it may need quoting there. */
static struct gt_error *fill(const char *address, size_t len, long long version,
			     const char *protocol, struct gt_shim_endpoint *out)
{
	if (!len || len > ADDRESS_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "a shim's address of %zu bytes", len);
	for (size_t i = 0; i < len; i++)
		if (!isascii(address[i]) || !isgraph((unsigned char)address[i]) ||
		    strchr("\"\\", address[i]))
			return gt_error_new(GT_INVALID_ARGUMENT, "a shim's address with byte 0x%02x",
					    (unsigned char)address[i]);
	if (version > 3 || version < 2)
		return gt_error_new(GT_UNIMPLEMENTED, "unsupported shim version (%lld)", version);
	if (strcmp(protocol, "ttrpc"))
		return gt_error_new(GT_UNIMPLEMENTED, "shim protocol other than ttrpc");
	*out = (struct gt_shim_endpoint){ .address = gt_xstrndup(address, len),
					  .version = version };
	return NULL;
}

static struct gt_error *parse_json(const char *data, size_t len, struct gt_shim_endpoint *out)
{
	json_error_t where;
	json_t *doc = json_loadb(data, len, 0, &where);
	const char *address, *protocol;
	struct gt_error *e;

	if (!doc)
		return gt_error_new(GT_INVALID_ARGUMENT, "a shim's JSON: %s", where.text);
	address = json_string_value(json_object_get(doc, "address"));
	protocol = json_string_value(json_object_get(doc, "protocol"));
	e = fill(address ? address : "", address ? strlen(address) : 0,
		 json_integer_value(json_object_get(doc, "version")),
		 protocol && *protocol ? protocol : "ttrpc", out);
	json_decref(doc);
	return e;
}

static struct gt_error *parse_message(const void *data, size_t len, struct gt_shim_endpoint *out)
{
	const ProtobufCMessageDescriptor *type =
		&containerd__runtime__bootstrap__v1__bootstrap_result__descriptor;
	ProtobufCMessage *m = gt_ttrpc_message_unpack(type, data, len);
	Containerd__Runtime__Bootstrap__V1__BootstrapResult *r = (void *)m;
	struct gt_error *e;

	if (!m)
		return gt_error_new(GT_INVALID_ARGUMENT, "a shim's output is no BootstrapResult");
	e = fill(r->address, strlen(r->address), r->version,
		 *r->protocol ? r->protocol : "ttrpc", out);
	gt_ttrpc_message_free(m);
	return e;
}

struct gt_error *gt_shim_endpoint_parse(const void *data, size_t len, struct gt_shim_endpoint *out)
{
	const char *s = data;

	/* A message begins with a field's tag, which is a control character in all that it may have. */
	if (len && (unsigned char)*s < ' ' && !isspace((unsigned char)*s))
		return parse_message(data, len, out);
	while (len && isspace((unsigned char)*s)) {
		s++;
		len--;
	}
	while (len && isspace((unsigned char)s[len - 1]))
		len--;
	if (len && *s == '{')
		return parse_json(s, len, out);
	return fill(s, len, 2, "ttrpc", out);
}

struct gt_error *gt_shim_endpoint_load(int dirfd, struct gt_shim_endpoint *out)
{
	static const char *const names[] = { "bootstrap.json", "address" };

	for (size_t i = 0; i < 2; i++) {
		gt_auto(gt_buf) b = GT_BUF_INIT;
		struct gt_error *e = gt_file_read(dirfd, names[i], FILE_MAX, &b);

		if (!e)
			return gt_shim_endpoint_parse(b.s, b.len, out);
		if (i == 1 || gt_error_class(e) != GT_NOT_FOUND)
			return e;
		gt_error_free(e);
	}
	return NULL;
}

struct gt_error *gt_shim_endpoint_save(int dirfd, const struct gt_shim_endpoint *e)
{
	struct gt_shim_endpoint have = { 0 };
	struct gt_error *missing = gt_shim_endpoint_load(dirfd, &have);
	bool same = !missing && have.version == e->version && !strcmp(have.address, e->address);
	gt_auto(gt_buf) b = GT_BUF_INIT;

	gt_error_free(missing);
	gt_shim_endpoint_done(&have);
	if (same)
		return NULL;
	gt_buf_addf(&b, "{\"version\":%u,\"address\":\"%s\",\"protocol\":\"ttrpc\"}", e->version,
		    e->address);
	return gt_file_write(dirfd, "bootstrap.json", b.s, b.len, 0644, false);
}
