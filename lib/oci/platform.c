/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/platform.h>

#include <gantry/strv.h>

#include <ctype.h>
#include <string.h>
#include <sys/utsname.h>

void gt_platform_done(struct gt_platform *p)
{
	free(p->os);
	free(p->arch);
	free(p->variant);
	free(p->os_version);
	*p = (struct gt_platform){ 0 };
}

void gt_platform_copy(struct gt_platform *dst, const struct gt_platform *src)
{
	*dst = (struct gt_platform){
		.os = gt_xstrdup(src->os),
		.arch = gt_xstrdup(src->arch),
		.variant = gt_xstrdup(src->variant),
		.os_version = gt_xstrdup(src->os_version),
	};
}

static void set(char **s, const char *value)
{
	char *fresh = gt_xstrdup(value);

	free(*s);
	*s = fresh;
}

static void lower(char **s)
{
	if (!*s)
		*s = gt_xstrdup("");
	for (char *p = *s; *p; p++)
		*p = tolower((unsigned char)*p);
}

struct alias {
	const char *arch; /* as written */
	const char *variant; /* NULL: any, and it stays */
	const char *to_arch;
	const char *to_variant;
};

/* The first line that fits counts. */
static const struct alias aliases[] = {
	{ "i386", NULL, "386", "" },
	{ "x86_64", "v1", "amd64", "" },
	{ "x86_64", NULL, "amd64", NULL },
	{ "x86-64", "v1", "amd64", "" },
	{ "x86-64", NULL, "amd64", NULL },
	{ "amd64", "v1", "amd64", "" },
	{ "aarch64", "8", "arm64", "" },
	{ "aarch64", "v8", "arm64", "" },
	{ "aarch64", "v8.0", "arm64", "" },
	{ "aarch64", NULL, "arm64", NULL },
	{ "arm64", "8", "arm64", "" },
	{ "arm64", "8.0", "arm64", "" },
	{ "arm64", "v8", "arm64", "" },
	{ "arm64", "v8.0", "arm64", "" },
	{ "arm64", "9", "arm64", "v9" },
	{ "arm64", "9.0", "arm64", "v9" },
	{ "arm64", "v9.0", "arm64", "v9" },
	{ "armhf", NULL, "arm", "v7" },
	{ "armel", NULL, "arm", "v6" },
	{ "arm", "", "arm", "v7" },
	{ "arm", "5", "arm", "v5" },
	{ "arm", "6", "arm", "v6" },
	{ "arm", "7", "arm", "v7" },
	{ "arm", "8", "arm", "v8" },
};

void gt_platform_normalise(struct gt_platform *p)
{
	lower(&p->os);
	lower(&p->arch);
	lower(&p->variant);
	if (!p->os_version)
		p->os_version = gt_xstrdup("");
	if (!strcmp(p->os, "macos"))
		set(&p->os, "darwin");
	for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++) {
		const struct alias *a = &aliases[i];

		if (strcmp(a->arch, p->arch) || (a->variant && strcmp(a->variant, p->variant)))
			continue;
		set(&p->arch, a->to_arch);
		if (a->to_variant)
			set(&p->variant, a->to_variant);
		return;
	}
}

void gt_platform_host(struct gt_platform *out)
{
	struct utsname u;

	*out = (struct gt_platform){ .os = gt_xstrdup("linux") };
	uname(&u); /* cannot go wrong with an address of ours */
	if (u.machine[0] == 'i' && !strcmp(u.machine + 2, "86")) {
		set(&out->arch, "386");
	} else if (!strncmp(u.machine, "armv", 4) && isdigit((unsigned char)u.machine[4])) {
		set(&out->arch, "arm");
		free(out->variant);
		out->variant = gt_strf("v%c", u.machine[4]);
	} else if (!strcmp(u.machine, "loongarch64")) {
		set(&out->arch, "loong64");
	} else {
		set(&out->arch, u.machine); /* riscv64, s390x, ppc64le are the same words */
	}
	gt_platform_normalise(out);
}

static bool known_os(const char *s)
{
	static const char *const list[] = { "aix", "android", "darwin", "dragonfly", "freebsd",
					    "illumos", "ios", "js", "linux", "nacl", "netbsd",
					    "openbsd", "plan9", "solaris", "wasip1", "windows",
					    "zos" };

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		if (!strcmp(s, list[i]))
			return true;
	}
	return false;
}

static bool known_arch(const char *s)
{
	static const char *const list[] = { "386", "amd64", "amd64p32", "arm", "armbe", "arm64",
					    "arm64be", "loong64", "mips", "mipsle", "mips64",
					    "mips64le", "ppc", "ppc64", "ppc64le", "riscv",
					    "riscv64", "s390", "s390x", "sparc", "sparc64",
					    "wasm" };

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		if (!strcmp(s, list[i]))
			return true;
	}
	return false;
}

static bool is_component(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++) {
		if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
			return false;
	}
	return true;
}

static struct gt_error *bad(const char *s, const char *why)
{
	gt_auto(gt_buf) q = GT_BUF_INIT;

	gt_buf_addq(&q, s);
	return gt_error_new(GT_INVALID_ARGUMENT, "platform %s: %s", q.s, why);
}

/* Takes "(VERSION)" off the first component. */
static struct gt_error *version_split(const char *s, char *os, char **version)
{
	char *open = strchr(os, '(');
	size_t len;

	if (!open)
		return NULL;
	len = strlen(open);
	if (open[len - 1] != ')')
		return bad(s, "no ')' at the end of the version");
	open[len - 1] = '\0';
	if (!is_component(open + 1))
		return bad(s, "no version");
	*version = gt_xstrdup(open + 1);
	*open = '\0';
	return NULL;
}

struct gt_error *gt_platform_parse(const char *s, struct gt_platform *out)
{
	gt_auto(gt_platform) p = { 0 };
	gt_auto(gt_strv) parts = { 0 };

	if (strchr(s, '*'))
		return bad(s, "wildcards are not supported");
	gt_strv_split(&parts, s, '/');
	if (parts.n < 1 || parts.n > 3)
		return bad(s, "must be OS, ARCH, OS/ARCH or OS/ARCH/VARIANT");
	GT_TRY(version_split(s, parts.v[0], &p.os_version));
	for (size_t i = 0; i < parts.n; i++) {
		if (!is_component(parts.v[i]))
			return bad(s, "components are letters, digits, '_', '.' and '-'");
	}
	set(&p.os, parts.v[0]);
	set(&p.arch, parts.n > 1 ? parts.v[1] : "");
	set(&p.variant, parts.n > 2 ? parts.v[2] : "");
	gt_platform_normalise(&p);
	if (parts.n == 1) {
		gt_auto(gt_platform) host = { 0 };

		gt_platform_host(&host);
		if (known_os(p.os)) {
			set(&p.arch, host.arch);
			set(&p.variant, host.variant);
		} else {
			set(&p.arch, parts.v[0]);
			set(&p.os, host.os);
			gt_platform_normalise(&p);
			if (!known_arch(p.arch))
				return bad(s, "neither an operating system nor an architecture");
		}
	}
	*out = p;
	p = (struct gt_platform){ 0 };
	return NULL;
}

char *gt_platform_format(const struct gt_platform *p)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;

	gt_buf_adds(&out, p->os && *p->os ? p->os : "unknown");
	if (p->os_version && *p->os_version)
		gt_buf_addf(&out, "(%s)", p->os_version);
	if (p->arch && *p->arch)
		gt_buf_addf(&out, "/%s", p->arch);
	if (p->variant && *p->variant)
		gt_buf_addf(&out, "/%s", p->variant);
	return gt_buf_detach(&out);
}

bool gt_platform_is_unknown(const struct gt_platform *p)
{
	return (p->os && !strcmp(p->os, "unknown")) || (p->arch && !strcmp(p->arch, "unknown"));
}

struct gt_error *gt_platforms_add(struct gt_platforms *l, const char *s)
{
	gt_auto(gt_platform) p = { 0 };

	GT_TRY(gt_platform_parse(s, &p));
	GT_GROW(l->v, l->n, l->alloc);
	l->v[l->n++] = p;
	p = (struct gt_platform){ 0 };
	return NULL;
}

void gt_platforms_add_host(struct gt_platforms *l)
{
	GT_GROW(l->v, l->n, l->alloc);
	gt_platform_host(&l->v[l->n++]);
}

void gt_platforms_done(struct gt_platforms *l)
{
	for (size_t i = 0; i < l->n; i++)
		gt_platform_done(&l->v[i]);
	free(l->v);
	*l = (struct gt_platforms){ 0 };
}

/* "v8.2" is 802, "v7" is 700, "" is 'none'; -1 for what is no version. */
static int variant_number(const char *v, int none)
{
	int major, minor = 0;

	if (!*v)
		return none;
	if (*v++ != 'v' || !isdigit((unsigned char)*v))
		return -1;
	major = *v++ - '0';
	if (*v == '.' && isdigit((unsigned char)v[1])) {
		minor = v[1] - '0';
		v += 2;
	}
	return *v ? -1 : major * 100 + minor;
}

/* How far 'have' lies below 'want' on one ladder of variants; -1: above it or not on it. */
static int ladder(const char *want, const char *have, int none)
{
	int w = variant_number(want, none);
	int h = variant_number(have, none);

	return w < 0 || h < 0 || h > w ? -1 : w - h;
}

static int rank_one(const struct gt_platform *want, const struct gt_platform *have, bool strict)
{
	bool same_arch = !strcmp(want->arch, have->arch);

	if (strcmp(want->os, have->os))
		return -1;
	/* Windows images fit one build only; a version of Linux's says nothing. */
	if (!strcmp(want->os, "windows") && want->os_version && *want->os_version &&
	    have->os_version && *have->os_version &&
	    strncmp(have->os_version, want->os_version, strlen(want->os_version)))
		return -1;
	if (same_arch && !strcmp(want->variant, have->variant))
		return 0;
	if (strict)
		return -1;
	if (same_arch && !strcmp(want->arch, "amd64"))
		return ladder(want->variant, have->variant, 100);
	if (!strcmp(want->arch, "amd64") && !strcmp(have->arch, "386"))
		return 9000;
	if (same_arch && !strcmp(want->arch, "arm"))
		return ladder(want->variant, have->variant, 700);
	if (same_arch && !strcmp(want->arch, "arm64")) {
		int w = variant_number(want->variant, 800);
		int h = variant_number(have->variant, 800);

		/* v9.m runs v8.(m+5) as well. */
		if (w >= 900 && h >= 800 && h < 900)
			return h - 800 > w - 900 + 5 ? -1 : w - h;
		return ladder(want->variant, have->variant, 800);
	}
	if (!strcmp(want->arch, "arm64") && !strcmp(have->arch, "arm")) {
		int below = ladder("v8", have->variant, 700);

		return below < 0 ? -1 : 9000 + below;
	}
	return -1;
}

int gt_platforms_rank(const struct gt_platforms *l, const struct gt_platform *have)
{
	if (!l->n)
		return 0;
	for (size_t i = 0; i < l->n; i++) {
		int r = rank_one(&l->v[i], have, l->strict);

		if (r >= 0)
			return (int)i * 10000 + r;
	}
	return -1;
}
