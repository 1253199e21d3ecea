/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/ingest.h>

#include <string.h>
#include <time.h>

#define LOCKED_WAIT_NS 20000000

/* A content store that is not to be reached is UNAVAILABLE, too: only the text tells. */
static bool is_locked(const struct gt_error *e)
{
	return gt_error_class(e) == GT_UNAVAILABLE && strstr(gt_error_text(e), " locked");
}

struct gt_error *gt_ingest_open(struct gt_services *s, struct gt_call *call, const char *ref,
				const struct gt_descriptor *desc, struct gt_progress *progress,
				size_t line, struct gt_writer **out)
{
	for (;;) {
		struct gt_error *e = gt_blobs_writer(s, call, ref, desc, out);

		if (!is_locked(e))
			return e;
		gt_error_free(e);
		gt_progress_state(progress, line, GT_PROGRESS_WAITING);
		GT_TRY(gt_call_check(call));
		nanosleep(&(struct timespec){ .tv_nsec = LOCKED_WAIT_NS }, NULL);
	}
}

struct gt_error *gt_ingest_open_empty(struct gt_services *s, struct gt_call *call, const char *ref,
				      const struct gt_descriptor *desc, struct gt_writer **out)
{
	gt_auto(gt_ingest_info) info = { 0 };
	gt_autoptr(gt_writer) w = NULL;

	GT_TRY(gt_ingest_open(s, call, ref, desc, NULL, 0, &w));
	GT_TRY(gt_writer_status(w, &info));
	if (info.offset)
		GT_TRY(gt_writer_truncate(w, 0));
	*out = gt_steal(&w);
	return NULL;
}
