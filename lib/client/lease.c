/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/lease.h>

#include <gantry/buf.h>
#include <gantry/log.h>
#include <proc/identity.h>

#include <string.h>
#include <sys/random.h>

#define DAY 86400

char *gt_unique_name(void)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char r[3] = { 0 };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (getrandom(r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		memcpy(r, &(uint32_t){ getpid() }, sizeof(r));
	/* The last character must suit an identifier, which ends in a letter or digit. */
	return gt_strf("%ld-%c%c%c%c", now.tv_nsec, digits[r[0] % 62],
		       digits[(r[0] >> 6 | r[1] << 2) % 62], digits[(r[1] >> 4 | r[2] << 4) % 62],
		       digits[(r[2] >> 2) % 62]);
}

char *gt_rfc3339_in(long seconds)
{
	time_t t = time(NULL) + seconds;
	struct tm tm;
	char text[32];

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return gt_xstrdup(text);
}

struct gt_error *gt_lease_scope_open(struct gt_services *s, const struct gt_call *call,
				     struct gt_lease_scope *out)
{
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_lease) lease = { 0 };
	gt_autofree char *expire = gt_rfc3339_in(DAY);
	gt_autofree char *name = gt_unique_name();
	gt_autofree char *maker = gt_process_identity();

	*out = (struct gt_lease_scope){ .s = s, .call = *call };
	if (call->lease)
		return NULL;
	gt_labels_set(&labels, "containerd.io/gc.expire", expire);
	if (maker)
		gt_labels_set(&labels, GT_LABEL_MAKER, maker);
	GT_TRY(gt_error_wrap(gt_leases_create(s, &out->call, name, &labels, &lease),
			     "make lease"));
	out->id = gt_steal(&lease.id);
	out->call.lease = out->id;
	return NULL;
}

void gt_lease_scope_done(struct gt_lease_scope *l)
{
	struct gt_call call = l->call;

	if (!l->id)
		return;
	call.lease = NULL;
	call.cancel = NULL;
	call.deadline = 0;
	gt_log_warn_take(gt_error_unless(gt_leases_remove(l->s, &call, l->id, l->sync), GT_NOT_FOUND),
			 "remove lease %s", l->id);
	gt_lease_scope_keep(l);
}

void gt_lease_scope_keep(struct gt_lease_scope *l)
{
	if (!l->id)
		return;
	free(l->id);
	l->id = NULL;
	l->call.lease = NULL;
}
