/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A runtime whose tasks exist by being asked for: "task-N" runs, "hung" does not answer before the
 * call's end, "gone" is deleted between listing and asking.
 */
#include <config.h>

#include <gantry/buf.h>
#include <gantry/runtime.h>

#include <poll.h>
#include <string.h>

struct test_runtime {
	struct gt_runtime base;
};

static struct gt_error *test_open(const struct gt_init *init, struct gt_runtime **out)
{
	struct test_runtime *r = gt_xcalloc(1, sizeof(*r));

	(void)init;
	*out = &r->base;
	return NULL;
}

static void test_close(struct gt_runtime *r)
{
	free(r);
}

static struct gt_error *answer(struct gt_call *call, const char *id)
{
	if (!strcmp(id, "hung")) {
		struct gt_error *e;

		while (!(e = gt_call_check(call)))
			poll(NULL, 0, 5);
		return e;
	}
	if (strncmp(id, "task-", 5))
		return gt_error_new(GT_NOT_FOUND, "task %s not found", id);
	return NULL;
}

static struct gt_error *test_create(struct gt_runtime *r, struct gt_call *call,
				    const struct gt_task_create *req, uint32_t *pid)
{
	(void)r;
	GT_TRY(answer(call, req->id));
	if (!req->rootfs || req->rootfs->n != 1)
		return gt_error_new(GT_INVALID_ARGUMENT, "no rootfs");
	*pid = 17;
	return NULL;
}

static struct gt_error *test_start(struct gt_runtime *r, struct gt_call *call, const char *id,
				   const char *exec_id, uint32_t *pid)
{
	(void)r;
	(void)exec_id;
	*pid = 17;
	return answer(call, id);
}

static struct gt_error *test_remove(struct gt_runtime *r, struct gt_call *call, const char *id,
				    const char *exec_id, struct gt_exit *out)
{
	(void)r;
	(void)exec_id;
	*out = (struct gt_exit){ .pid = 17, .status = 3 };
	return answer(call, id);
}

static struct gt_error *test_state(struct gt_runtime *r, struct gt_call *call, const char *id,
				   const char *exec_id, struct gt_task_state *out)
{
	(void)r;
	GT_TRY(answer(call, id));
	*out = (struct gt_task_state){
		.id = gt_xstrdup(id),
		.exec_id = gt_xstrdup(exec_id),
		.bundle = gt_xstrdup(""),
		.in = gt_xstrdup(""),
		.out = gt_xstrdup(""),
		.err = gt_xstrdup(""),
		.pid = 17,
		.status = GT_TASK_RUNNING,
	};
	return NULL;
}

static struct gt_error *test_kill(struct gt_runtime *r, struct gt_call *call, const char *id,
				  const char *exec_id, uint32_t signal, bool all)
{
	(void)r;
	(void)exec_id;
	(void)signal;
	(void)all;
	return answer(call, id);
}

static struct gt_error *test_wait(struct gt_runtime *r, struct gt_call *call, const char *id,
				  const char *exec_id, gt_wait_fn *fn, void *arg)
{
	struct gt_exit exit = { .pid = 17 };

	(void)r;
	(void)exec_id;
	GT_TRY(answer(call, id));
	fn(arg, NULL, &exit);
	return NULL;
}

static struct gt_error *test_walk(struct gt_runtime *r, struct gt_call *call,
				  struct gt_error *(*fn)(void *arg, const char *ns, const char *id),
				  void *arg)
{
	static const char *const ids[] = { "task-3", "hung", "task-1", "gone", "task-2" };

	(void)r;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		GT_TRY(fn(arg, call->ns ? call->ns : "default", ids[i]));
	return NULL;
}

static struct gt_error *test_stats(struct gt_runtime *r, struct gt_call *call, const char *id,
				   struct gt_any *out)
{
	(void)r;
	GT_TRY(answer(call, id));
	gt_any_set(out, "test", id, strlen(id));
	return NULL;
}

static const struct gt_runtime_ops test_ops = {
	.size = sizeof(test_ops),
	.open = test_open,
	.close = test_close,
	.create = test_create,
	.start = test_start,
	.remove = test_remove,
	.state = test_state,
	.kill = test_kill,
	.wait = test_wait,
	.walk = test_walk,
	.stats = test_stats,
};

GT_PLUGIN(runtime_services_test) = {
	GT_PLUGIN_HEADER,
	.kind = GT_RUNTIME,
	.id = "io.test.v1",
	.doc = "For the tests of services-local.",
	.ops.runtime = &test_ops,
};
