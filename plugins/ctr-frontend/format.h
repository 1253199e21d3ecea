/* SPDX-License-Identifier: Apache-2.0 */
/* Values as containerd's ctr prints them. Each returns a new string unless it says otherwise. */
#ifndef CTR_FORMAT_H
#define CTR_FORMAT_H

#include <gantry/any.h>
#include <gantry/buf.h>
#include <gantry/strv.h>

#include <jansson.h>
#include <time.h>

char *ctr_size_binary(int64_t bytes); /* "2.9 MiB" */
char *ctr_size_decimal(int64_t bytes); /* "2.746MB" */
char *ctr_age(int64_t seconds); /* "About a minute" */
char *ctr_age_since(struct timespec then);

/* "a=1,b=2", sorted; 'none' where there are none. */
char *ctr_labels(const struct gt_labels *l, const char *none);
char *ctr_join(const struct gt_strv *l, const char *separator);

char *ctr_time_now(void); /* local, RFC 3339 in seconds */
char *ctr_time_local(struct timespec t);
char *ctr_time_utc(struct timespec t); /* RFC 3339 with the fraction's digits that are not 0 */

char *ctr_time_go(struct timespec t); /* "2006-01-02 15:04:05.999999999 +0000 UTC" */

char *ctr_duration_go(int64_t ns); /* "1m2.5s", "105.588ms" */

char *ctr_base64(const void *data, size_t len);

/* New JSON values. */
json_t *ctr_json_labels(const struct gt_labels *l);
json_t *ctr_json_strings(const struct gt_strv *l);
/* A string, with bytes that are no UTF-8 replaced. NULL becomes null. */
json_t *ctr_json_text(const char *s);

/* Adds "k=v" to 'l'; a bare "k" gets 'bare' as value. */
void ctr_label_parse(struct gt_labels *l, const char *arg, const char *bare);
/* The arguments from the i-th on as labels. */
void ctr_labels_parse(struct gt_labels *l, const struct gt_strv *args, const char *bare);

#endif
