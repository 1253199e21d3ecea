/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "epoch.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

struct gt_error *ctr_read_epoch(struct ctr *c, struct timespec *out)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	char *end;

	if (!text || !*text)
		return NULL;
	errno = 0;
	*out = (struct timespec){ .tv_sec = strtoll(text, &end, 10) };
	if (errno || *end || isspace((unsigned char)*text))
		return ctr_usage_error("invalid SOURCE_DATE_EPOCH value \"%s\": it is a number of "
				       "seconds since 1970", text);
	c->call.source_date_epoch = out;
	return NULL;
}
