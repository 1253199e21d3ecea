/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "local.h"

#include <ctype.h>
#include <string.h>

char *stamp_format(const struct timespec *t)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	char date[64];
	struct tm tm;

	gmtime_r(&t->tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	gt_buf_addf(&b, "%s.%09ldZ", date, t->tv_nsec);
	return gt_buf_detach(&b);
}

/* "Z" or "+01:30", in seconds. */
static bool parse_zone(const char *s, long *out)
{
	int sign = *s == '-' ? -1 : 1;

	*out = 0;
	if (!strcmp(s, "Z"))
		return true;
	if ((*s != '+' && *s != '-') || strlen(s) != 6 || !isdigit((unsigned char)s[1]) ||
	    !isdigit((unsigned char)s[2]) || s[3] != ':' || !isdigit((unsigned char)s[4]) ||
	    !isdigit((unsigned char)s[5]))
		return false;
	*out = sign * (((s[1] - '0') * 10 + s[2] - '0') * 3600L +
		       ((s[4] - '0') * 10 + s[5] - '0') * 60L);
	return true;
}

bool stamp_parse(const char *s, struct timespec *out)
{
	struct tm tm = { 0 };
	const char *p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	long nsec = 0, zone;

	if (!p)
		return false;
	if (*p == '.') {
		long unit = 100000000;

		for (p++; isdigit((unsigned char)*p); p++, unit /= 10)
			nsec += (*p - '0') * unit;
	}
	if (!parse_zone(p, &zone))
		return false;
	out->tv_sec = timegm(&tm) - zone;
	out->tv_nsec = nsec;
	return true;
}
