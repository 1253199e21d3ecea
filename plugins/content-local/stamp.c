/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "local.h"

#include <ctype.h>
#include <string.h>

char *stamp_format(const struct timespec *t)
{
	struct tm tm;

	gmtime_r(&t->tv_sec, &tm); /* no strftime: that reads /etc/localtime */
	return gt_strf("%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", tm.tm_year + 1900, tm.tm_mon + 1,
		       tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, t->tv_nsec);
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
