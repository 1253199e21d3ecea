/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/quantity.h>

#include <inttypes.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* The largest that divides evenly is printed: binary before decimal where both do. */
static const struct unit size_units[] = {
	{ "TiB", UINT64_C(1) << 40 }, { "TB", UINT64_C(1000000000000) },
	{ "GiB", UINT64_C(1) << 30 }, { "GB", UINT64_C(1000000000) },
	{ "MiB", UINT64_C(1) << 20 }, { "MB", UINT64_C(1000000) },
	{ "KiB", UINT64_C(1) << 10 }, { "kB", UINT64_C(1000) },
	{ "T", UINT64_C(1) << 40 },   { "G", UINT64_C(1) << 30 },
	{ "M", UINT64_C(1) << 20 },   { "K", UINT64_C(1) << 10 },
	{ "B", 1 },		      { "", 1 },
};

static const struct unit duration_units[] = {
	{ "h", UINT64_C(3600000000000) }, { "m", UINT64_C(60000000000) },
	{ "s", UINT64_C(1000000000) },	  { "ms", 1000000 },
	{ "us", 1000 },			  { "µs", 1000 },
	{ "ns", 1 },
};

static bool digits_parse(const char **s, uint64_t *out)
{
	const char *p = *s;
	uint64_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (unsigned)(*p - '0'), &v))
			return false;
	if (p == *s)
		return false;
	*s = p;
	*out = v;
	return true;
}

bool gt_size_parse(const char *s, uint64_t *out)
{
	uint64_t v;

	if (!digits_parse(&s, &v))
		return false;
	for (size_t i = 0; i < sizeof(size_units) / sizeof(size_units[0]); i++)
		if (!strcmp(s, size_units[i].name))
			return !__builtin_mul_overflow(v, size_units[i].factor, out) &&
			       *out <= INT64_MAX;
	return false;
}

void gt_size_print(uint64_t bytes, struct gt_buf *out)
{
	for (size_t i = 0; bytes && i < sizeof(size_units) / sizeof(size_units[0]); i++) {
		if (bytes % size_units[i].factor == 0) {
			gt_buf_addf(out, "%" PRIu64 "%s", bytes / size_units[i].factor,
				    size_units[i].factor == 1 ? "" : size_units[i].name);
			return;
		}
	}
	gt_buf_addf(out, "%" PRIu64, bytes);
}

bool gt_duration_parse(const char *s, int64_t *out)
{
	bool negative = *s == '-';
	uint64_t total = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (!strcmp(s, "0")) {
		*out = 0;
		return true;
	}
	if (!*s)
		return false;
	while (*s) {
		const struct unit *u = NULL;
		uint64_t whole = 0, fraction = 0, scale = 1, part;
		size_t len = 0;

		if (*s != '.' && !digits_parse(&s, &whole))
			return false;
		if (*s == '.') {
			const char *start = ++s;

			for (; *s >= '0' && *s <= '9'; s++) {
				if (scale < UINT64_C(1000000000)) {
					fraction = fraction * 10 + (*s - '0');
					scale *= 10;
				}
			}
			if (s == start)
				return false;
		}
		for (size_t i = 0; i < sizeof(duration_units) / sizeof(duration_units[0]); i++) {
			size_t n = strlen(duration_units[i].name);

			if (n > len && !strncmp(s, duration_units[i].name, n)) {
				u = &duration_units[i];
				len = n;
			}
		}
		if (!u || __builtin_mul_overflow(whole, u->factor, &part))
			return false;
		part += (uint64_t)((unsigned __int128)fraction * u->factor / scale);
		if (__builtin_add_overflow(total, part, &total) || total > INT64_MAX)
			return false;
		s += len;
	}
	*out = negative ? -(int64_t)total : (int64_t)total;
	return true;
}

void gt_duration_print(int64_t ns, struct gt_buf *out)
{
	uint64_t left = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;

	if (ns < 0)
		gt_buf_addc(out, '-');
	if (!left)
		gt_buf_adds(out, "0s");
	for (size_t i = 0; left && i < sizeof(duration_units) / sizeof(duration_units[0]); i++) {
		uint64_t n = left / duration_units[i].factor;

		if (n)
			gt_buf_addf(out, "%" PRIu64 "%s", n, duration_units[i].name);
		left %= duration_units[i].factor;
	}
}
