/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "since.h"

#include "app.h"

#include <gantry/quantity.h>

#include <ctype.h>
#include <string.h>

/* ".123" as nanoseconds; moves '*p' behind it. */
static long fraction(const char **p)
{
	long ns = 0, unit = 100000000;

	if (**p != '.' || !isdigit((unsigned char)(*p)[1]))
		return 0;
	for ((*p)++; isdigit((unsigned char)**p); (*p)++) {
		ns += (**p - '0') * unit;
		unit /= 10;
	}
	return ns;
}

/* "Z" or "+01:30" as seconds; false: neither. */
static bool offset(const char *p, long *out)
{
	unsigned hours, minutes;
	int n = 0;

	*out = 0;
	if (!strcmp(p, "Z") || !strcmp(p, "z"))
		return true;
	if ((*p != '+' && *p != '-') || sscanf(p + 1, "%2u:%2u%n", &hours, &minutes, &n) != 2 ||
	    p[1 + n] || hours > 23 || minutes > 59)
		return false;
	*out = (long)(hours * 3600 + minutes * 60) * (*p == '-' ? -1 : 1);
	return true;
}

static bool moment(const char *s, struct timespec *out)
{
	struct tm tm = { 0 };
	const char *p = strptime(s, "%Y-%m-%d", &tm);
	long away = 0, ns = 0;

	if (!p || p - s != 10)
		return false;
	if (*p) {
		p = *p == 'T' || *p == 't' ? strptime(p + 1, "%H:%M:%S", &tm) : NULL;
		if (!p)
			return false;
		ns = fraction(&p);
		if (!offset(p, &away))
			return false;
	}
	*out = (struct timespec){ .tv_sec = timegm(&tm) - away, .tv_nsec = ns };
	return true;
}

struct gt_error *ctr_since_parse(const char *s, struct timespec *out)
{
	struct timespec now;
	int64_t ago;

	if (moment(s, out))
		return NULL;
	if (!gt_duration_parse(s, &ago) || ago < 0)
		return ctr_usage_error("\"%s\" is no moment: want a duration (\"10m\") or a time "
				       "(\"2026-01-02T15:04:05Z\")",
				       s);
	clock_gettime(CLOCK_REALTIME, &now);
	out->tv_sec = now.tv_sec - ago / 1000000000;
	out->tv_nsec = now.tv_nsec - ago % 1000000000;
	if (out->tv_nsec < 0) {
		out->tv_nsec += 1000000000;
		out->tv_sec--;
	}
	return NULL;
}
