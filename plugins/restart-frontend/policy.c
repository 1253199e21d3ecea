/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "policy.h"

#include <gantry/buf.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A whole decimal number; false for anything else. */
static bool number_of(const char *s, uint64_t *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*out = strtoull(s, &end, 10);
	return !*end && !errno;
}

uint64_t restart_count(const struct gt_labels *labels)
{
	const char *s = gt_labels_get(labels, RESTART_COUNT);
	uint64_t n;

	return s && number_of(s, &n) ? n : 0;
}

/* As Go's ParseBool has it. */
static bool is_true(const char *s)
{
	static const char *const words[] = { "1", "t", "T", "true", "TRUE", "True" };

	for (size_t i = 0; s && i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(s, words[i]))
			return true;
	return false;
}

static struct gt_error *label_bad(const char *key, const char *value, const char *want)
{
	gt_auto(gt_buf) quoted = GT_BUF_INIT;

	gt_buf_addq(&quoted, value);
	return gt_error_new(GT_INVALID_ARGUMENT, "label %s is %s: expected %s", key, quoted.s, want);
}

/* "on-failure" or "on-failure:N"; a task that is gone has not failed. */
static struct gt_error *failure_decide(const struct gt_labels *labels, const char *policy,
				       const struct gt_task_state *task, bool *again)
{
	const char *most = policy + strlen("on-failure"), *count = gt_labels_get(labels, RESTART_COUNT);
	uint64_t limit = 0, n = 0;

	if (*most && (*most != ':' || !number_of(most + 1, &limit)))
		return label_bad(RESTART_POLICY, policy, "on-failure:N, N being a number");
	if (count && *count && !number_of(count, &n))
		return label_bad(RESTART_COUNT, count, "a number");
	*again = task && task->exit_status != 0 && (!limit || n < limit);
	return NULL;
}

static struct gt_error *policy_decide(const struct gt_labels *labels, const struct gt_task_state *task,
				      bool *again)
{
	const char *policy = gt_labels_get(labels, RESTART_POLICY);

	*again = true;
	if (!policy || !*policy || !strcmp(policy, "always"))
		return NULL;
	*again = false;
	if (!strcmp(policy, "no"))
		return NULL;
	if (!strcmp(policy, "unless-stopped")) {
		*again = !is_true(gt_labels_get(labels, RESTART_STOPPED));
		return NULL;
	}
	if (!strncmp(policy, "on-failure", strlen("on-failure")))
		return failure_decide(labels, policy, task, again);
	return label_bad(RESTART_POLICY, policy, "always, no, unless-stopped or on-failure[:N]");
}

struct gt_error *restart_decide(const struct gt_labels *labels, const struct gt_task_state *task,
				enum restart_action *out)
{
	const char *wanted = gt_labels_get(labels, RESTART_STATUS);
	bool again;

	*out = RESTART_NOTHING;
	if (!wanted || !*wanted)
		return NULL;
	if (!strcmp(wanted, "stopped")) {
		/* One that somebody is about to start, or whose shim is silent, is stopped, too. */
		if (task && task->status != GT_TASK_STOPPED)
			*out = RESTART_STOP;
		return NULL;
	}
	if (strcmp(wanted, "running") != 0)
		return label_bad(RESTART_STATUS, wanted, "running or stopped");
	/*
	 * One that is created may be somebody's who will start it, one that is paused was meant to be,
	 * and of one whose shim does not answer nobody knows: another round will tell.
	 */
	if (task && task->status != GT_TASK_STOPPED)
		return NULL;
	GT_TRY(policy_decide(labels, task, &again));
	*out = again ? RESTART_START : RESTART_NOTHING;
	return NULL;
}

struct gt_error *restart_log(const struct gt_labels *labels, char **out)
{
	const char *uri = gt_labels_get(labels, RESTART_LOG_URI);
	const char *path = gt_labels_get(labels, RESTART_LOG_PATH);

	*out = NULL;
	if (uri && *uri) {
		*out = gt_xstrdup(uri);
		return NULL;
	}
	if (!path || !*path)
		return NULL;
	if (*path != '/')
		return label_bad(RESTART_LOG_PATH, path, "an absolute path");
	*out = gt_strf("file://%s", path);
	return NULL;
}
