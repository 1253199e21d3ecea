/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms: "OS[(VERSION)]/ARCH[/VARIANT]", normalised and matched as containerd does. */
#ifndef GANTRY_LIB_OCI_PLATFORM_H
#define GANTRY_LIB_OCI_PLATFORM_H

#include <gantry/buf.h>

#include <stdbool.h>
#include <stddef.h>

struct gt_platform {
	char *os; /* none is NULL; "" where it does not apply */
	char *arch;
	char *variant;
	char *os_version;
};
void gt_platform_done(struct gt_platform *p);
void gt_platform_copy(struct gt_platform *dst, const struct gt_platform *src);

/*
 * Parses and normalises. One component is an OS or an architecture of this machine.
 * INVALID_ARGUMENT.
 */
GT_MUST_USE struct gt_error *gt_platform_parse(const char *s, struct gt_platform *out);
/* This machine's. */
void gt_platform_host(struct gt_platform *out);
/* Brings the members into their normal form, in place. */
void gt_platform_normalise(struct gt_platform *p);
/* "linux/arm64/v8", as a new string. */
char *gt_platform_format(const struct gt_platform *p);
/* Whether it is an attestation's ("unknown/unknown"), which no listing shows. */
bool gt_platform_is_unknown(const struct gt_platform *p);

/*
 * Wanted platforms, best first. None at all: every platform is accepted. Each one also accepts what
 * its processor runs as well (arm/v7 runs arm/v6), unless 'strict'.
 */
struct gt_platforms {
	struct gt_platform *v;
	size_t n;
	size_t alloc;
	bool strict;
};
GT_MUST_USE struct gt_error *gt_platforms_add(struct gt_platforms *l, const char *s);
void gt_platforms_add_host(struct gt_platforms *l);
void gt_platforms_done(struct gt_platforms *l);

/* How good 'have' is: 0 is best, a larger number worse, -1 not accepted. */
int gt_platforms_rank(const struct gt_platforms *l, const struct gt_platform *have);

#endif
