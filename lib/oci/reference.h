/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images. containerd takes a reference as it stands: HOST/PATH[:TAG][@DIGEST], with no
 * default for anything. Docker's short names are made whole by gt_reference_normalise().
 */
#ifndef GANTRY_LIB_OCI_REFERENCE_H
#define GANTRY_LIB_OCI_REFERENCE_H

#include <gantry/error.h>

struct gt_reference {
	char *locator; /* "docker.io/library/busybox" */
	char *object; /* "latest", "latest@sha256:..", "@sha256:.." or "" */
};
void gt_reference_done(struct gt_reference *r);

/* containerd's rules. INVALID_ARGUMENT "invalid reference" or "hostname required". */
GT_MUST_USE struct gt_error *gt_reference_parse(const char *s, struct gt_reference *out);

/* The digest in 'object'; NULL where it has none. Belongs to 'r'. */
const char *gt_reference_digest(const struct gt_reference *r);
/* The tag in 'object' as a new string; NULL where it has none. */
char *gt_reference_tag(const struct gt_reference *r);

/*
 * Docker's rules: default host docker.io, "library/" before a lone component there, default tag
 * "latest" where there is neither tag nor digest. '*out' is a new string. INVALID_ARGUMENT for what
 * Docker would refuse (upper case in the repository, bad tag or digest).
 */
GT_MUST_USE struct gt_error *gt_reference_normalise(const char *s, char **out);

/* The short form of a normalised name, as Docker prints it ("busybox:latest"); a new string. */
char *gt_reference_familiar(const char *name);

#endif
