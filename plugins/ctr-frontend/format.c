/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "format.h"

#include <stdio.h>
#include <string.h>

char *ctr_size_binary(int64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	size_t i = 0;

	for (; v >= 1024 && i + 1 < sizeof(units) / sizeof(*units); i++)
		v /= 1024;
	return gt_strf("%.1f %s", v, units[i]);
}

char *ctr_size_decimal(int64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double v = (double)bytes;
	size_t i = 0;

	for (; v >= 1000 && i + 1 < sizeof(units) / sizeof(*units); i++)
		v /= 1000;
	return gt_strf("%.4g%s", v, units[i]);
}

char *ctr_age(int64_t seconds)
{
	int64_t minutes = seconds / 60;
	int64_t hours = (seconds + 1800) / 3600;

	if (seconds < 1)
		return gt_xstrdup("Less than a second");
	if (seconds == 1)
		return gt_xstrdup("1 second");
	if (seconds < 60)
		return gt_strf("%lld seconds", (long long)seconds);
	if (minutes == 1)
		return gt_xstrdup("About a minute");
	if (minutes < 60)
		return gt_strf("%lld minutes", (long long)minutes);
	if (hours == 1)
		return gt_xstrdup("About an hour");
	if (hours < 48)
		return gt_strf("%lld hours", (long long)hours);
	if (hours < 24 * 7 * 2)
		return gt_strf("%lld days", (long long)(hours / 24));
	if (hours < 24 * 30 * 2)
		return gt_strf("%lld weeks", (long long)(hours / 24 / 7));
	if (hours < 24 * 365 * 2)
		return gt_strf("%lld months", (long long)(hours / 24 / 30));
	return gt_strf("%lld years", (long long)(seconds / 3600 / 24 / 365));
}

char *ctr_age_since(struct timespec then)
{
	struct timespec now;
	int64_t s;

	clock_gettime(CLOCK_REALTIME, &now);
	s = now.tv_sec - then.tv_sec;
	if (now.tv_nsec < then.tv_nsec)
		s--;
	return ctr_age(s);
}

char *ctr_labels(const struct gt_labels *l, const char *none)
{
	struct gt_buf b = GT_BUF_INIT;

	for (size_t i = 0; i < l->n; i++)
		gt_buf_addf(&b, "%s%s=%s", i ? "," : "", l->v[i].key, l->v[i].value);
	if (!b.len)
		gt_buf_adds(&b, none);
	return gt_buf_detach(&b);
}

char *ctr_join(const struct gt_strv *l, const char *separator)
{
	struct gt_buf b = GT_BUF_INIT;

	for (size_t i = 0; i < l->n; i++)
		gt_buf_addf(&b, "%s%s", i ? separator : "", l->v[i]);
	return gt_buf_detach(&b);
}

char *ctr_time_local(struct timespec t)
{
	struct tm tm;
	long offset;
	char *date, *out;

	if (!localtime_r(&t.tv_sec, &tm))
		return gt_xstrdup("-");
	offset = tm.tm_gmtoff / 60;
	date = gt_strf("%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
		       tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (offset)
		out = gt_strf("%s%c%02ld:%02ld", date, offset < 0 ? '-' : '+', labs(offset) / 60,
			      labs(offset) % 60);
	else
		out = gt_strf("%sZ", date);
	free(date);
	return out;
}

char *ctr_time_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return ctr_time_local(now);
}

/* Date, 'between', time, the fraction's digits that are not 0, 'behind'; all in UTC. */
static char *utc(struct timespec t, char between, const char *behind)
{
	struct gt_buf b = GT_BUF_INIT;
	struct tm tm;

	if (!t.tv_sec && !t.tv_nsec)
		t.tv_sec = INT64_C(-62135596800); /* Go's zero time, the year 1 */
	if (!gmtime_r(&t.tv_sec, &tm))
		return gt_xstrdup("-");
	gt_buf_addf(&b, "%04d-%02d-%02d%c%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
		    tm.tm_mday, between, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (t.tv_nsec) {
		gt_buf_addf(&b, ".%09ld", t.tv_nsec);
		while (b.s[b.len - 1] == '0')
			gt_buf_setlen(&b, b.len - 1);
	}
	gt_buf_adds(&b, behind);
	return gt_buf_detach(&b);
}

char *ctr_time_utc(struct timespec t)
{
	return utc(t, 'T', "Z");
}

char *ctr_time_go(struct timespec t)
{
	return utc(t, ' ', " +0000 UTC");
}

/* A number with up to nine digits behind the point, without zeros at the end. */
static void add_fraction(struct gt_buf *b, int64_t v, int64_t unit)
{
	int64_t rest = v % unit;

	gt_buf_addf(b, "%lld", (long long)(v / unit));
	if (!rest)
		return;
	gt_buf_addc(b, '.');
	while (rest) {
		unit /= 10;
		gt_buf_addc(b, (char)('0' + rest / unit));
		rest %= unit;
	}
}

char *ctr_duration_go(int64_t ns)
{
	const int64_t second = 1000000000;
	struct gt_buf b = GT_BUF_INIT;
	int64_t minutes = ns / (60 * second);

	if (ns < 1000)
		return gt_strf("%lld%s", (long long)ns, ns ? "ns" : "s");
	if (ns < second) {
		add_fraction(&b, ns, ns < 1000000 ? 1000 : 1000000);
		gt_buf_adds(&b, ns < 1000000 ? "µs" : "ms");
		return gt_buf_detach(&b);
	}
	if (minutes >= 60)
		gt_buf_addf(&b, "%lldh", (long long)(minutes / 60));
	if (minutes)
		gt_buf_addf(&b, "%lldm", (long long)(minutes % 60));
	add_fraction(&b, ns % (60 * second), second);
	gt_buf_addc(&b, 's');
	return gt_buf_detach(&b);
}

char *ctr_base64(const void *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	const unsigned char *p = data;
	struct gt_buf b = GT_BUF_INIT;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		unsigned v = (unsigned)p[i] << 16;

		if (n > 1)
			v |= (unsigned)p[i + 1] << 8;
		if (n > 2)
			v |= p[i + 2];
		for (size_t k = 0; k < 4; k++)
			gt_buf_addc(&b, k > n ? '=' : digits[v >> (18 - 6 * k) & 63]);
	}
	return gt_buf_detach(&b);
}

json_t *ctr_json_text(const char *s)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	json_t *v;

	if (!s)
		return json_null();
	v = json_string(s);
	if (v)
		return v;
	for (; *s; s++)
		if (*s & 0x80)
			gt_buf_adds(&b, "\xef\xbf\xbd");
		else
			gt_buf_addc(&b, *s);
	return json_string(b.s);
}

json_t *ctr_json_labels(const struct gt_labels *l)
{
	json_t *o = json_object();

	for (size_t i = 0; i < l->n; i++)
		json_object_set_new(o, l->v[i].key, ctr_json_text(l->v[i].value));
	return o;
}

json_t *ctr_json_strings(const struct gt_strv *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(a, ctr_json_text(l->v[i]));
	return a;
}

void ctr_label_parse(struct gt_labels *l, const char *arg, const char *bare)
{
	const char *equals = strchr(arg, '=');
	gt_autofree char *key = equals ? gt_xstrndup(arg, (size_t)(equals - arg)) :
					 gt_xstrdup(arg);

	gt_labels_set(l, key, equals ? equals + 1 : bare);
}

void ctr_labels_parse(struct gt_labels *l, const struct gt_strv *args, const char *bare)
{
	for (size_t i = 0; i < args->n; i++)
		ctr_label_parse(l, args->v[i], bare);
}
