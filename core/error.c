/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/error.h>

#include <gantry/buf.h>

#include <string.h>

struct gt_error {
	enum gt_class cls;
	char *text; /* this link's message with all causes behind it */
};

static struct gt_error *error_make(enum gt_class cls, char *text)
{
	struct gt_error *e = gt_xmalloc(sizeof(*e));

	*e = (struct gt_error){ .cls = cls, .text = text };
	return e;
}

struct gt_error *gt_error_new(enum gt_class cls, const char *fmt, ...)
{
	struct gt_buf b = GT_BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	gt_buf_addv(&b, fmt, ap);
	va_end(ap);
	return error_make(cls, gt_buf_detach(&b));
}

struct gt_error *gt_error_errno(enum gt_class cls, int err, const char *fmt, ...)
{
	struct gt_buf b = GT_BUF_INIT;
	va_list ap;
	char text[128];

	va_start(ap, fmt);
	gt_buf_addv(&b, fmt, ap);
	va_end(ap);
	gt_buf_addf(&b, ": %s", strerror_r(err, text, sizeof(text)));
	return error_make(cls, gt_buf_detach(&b));
}

struct gt_error *gt_error_wrap(struct gt_error *e, const char *fmt, ...)
{
	struct gt_buf b = GT_BUF_INIT;
	va_list ap;

	if (!e)
		return NULL;
	va_start(ap, fmt);
	gt_buf_addv(&b, fmt, ap);
	va_end(ap);
	gt_buf_addf(&b, ": %s", e->text);
	free(e->text);
	e->text = gt_buf_detach(&b);
	return e;
}

struct gt_error *gt_error_reclass(struct gt_error *e, enum gt_class cls)
{
	if (e)
		e->cls = cls;
	return e;
}

struct gt_error *gt_error_first(struct gt_error *first, struct gt_error *second)
{
	if (!first)
		return second;
	gt_error_free(second);
	return first;
}

enum gt_class gt_error_class(const struct gt_error *e)
{
	return e ? e->cls : GT_OK;
}

const char *gt_error_text(const struct gt_error *e)
{
	return e ? e->text : "";
}

void gt_error_free(struct gt_error *e)
{
	if (!e)
		return;
	free(e->text);
	free(e);
}

const char *gt_class_name(enum gt_class cls)
{
	switch (cls) {
	case GT_OK:
		return "OK";
#define X(name, number, text)                                                                     \
	case GT_##name:                                                                            \
		return #name;
		GT_ERROR_CLASSES(X)
#undef X
	}
	return "UNKNOWN";
}

const char *gt_class_text(enum gt_class cls)
{
	switch (cls) {
	case GT_OK:
		return "ok";
#define X(name, number, text)                                                                     \
	case GT_##name:                                                                            \
		return text;
		GT_ERROR_CLASSES(X)
#undef X
	}
	return "unknown";
}
