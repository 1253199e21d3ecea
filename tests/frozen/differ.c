/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin as a vendor built it when the headers beside it were new. What it is built as says which
 * one it is:
 *   FROZEN_PLAIN    as the headers say
 *   FROZEN_SHORTER  an older one: its ops end before `diff`, its declaration before `provides`
 *   FROZEN_LONGER   a newer one: ops, declaration, and rows of options and needs have more members
 *   FROZEN_ABI      built for another ABI
 *   FROZEN_SYMBOL   exports something else
 *   FROZEN_LACKS    lacks a required op
 */
#include <gantry/buf.h>
#include <gantry/differ.h>

#include <string.h>

#ifndef FROZEN_MODULE
#error "the module's name, with _ for -"
#endif

struct config {
	char *word;
	char *choice;
	int64_t number;
	int64_t wait;
	uint64_t bytes;
	bool yes;
	struct gt_strv list;
};

struct differ {
	struct gt_differ base;
	const struct config *config;
	char *root;
};

static struct gt_error *differ_open(const struct gt_init *init, struct gt_differ **out)
{
	struct differ *d = gt_xcalloc(1, sizeof(*d));

	d->config = init->config;
	d->root = gt_xstrdup(init->root);
	*out = &d->base;
	return NULL;
}

static void differ_close(struct gt_differ *differ)
{
	struct differ *d = (struct differ *)differ;

	free(d->root);
	free(d);
}

/* Answers with all that it was told, by way of the structs of its time. */
__attribute__((unused)) static struct gt_error *differ_apply(
	struct gt_differ *differ, struct gt_call *call, const struct gt_descriptor *desc,
	struct gt_reader *blob, const struct gt_mounts *mounts, struct gt_diff_result *out)
{
	struct differ *d = (struct differ *)differ;
	const struct config *c = d->config;
	char bytes[4] = { 0 };
	size_t n = 0;

	GT_TRY(gt_call_check(call));
	GT_TRY(gt_reader_pread(blob, bytes, 3, 1, &n));
	if (!mounts->n)
		return gt_error_new(GT_FAILED_PRECONDITION, "nothing is mounted for %s",
				    desc->digest);
	out->media_type = gt_strf("%s %s", desc->media_type, mounts->v[0].options.v[0]);
	out->digest = gt_strf("%s %s %lld %lld %llu %d %zu:%s %s", c->word, c->choice,
			      (long long)c->number, (long long)c->wait,
			      (unsigned long long)c->bytes, c->yes, c->list.n,
			      c->list.n ? c->list.v[0] : "", bytes);
	out->size = desc->size + gt_reader_length(blob);
	return NULL;
}

#define OPTION_ROWS                                                                               \
	ROW(GT_OPT_STRING(struct config, word, "hello", "A word."))                                \
	ROW(GT_OPT_ENUM(struct config, choice, "b", "a|b|c", "One of three."))                     \
	ROW(GT_OPT_INT(struct config, number, "7", 1, 9, "A number."))                             \
	ROW(GT_OPT_DURATION(struct config, wait, "2s", "A time."))                                 \
	ROW(GT_OPT_SIZE(struct config, bytes, "64KiB", "A size."))                                 \
	ROW(GT_OPT_BOOL(struct config, yes, "true", "Yes or no."))                                 \
	ROW(GT_OPT_LIST(struct config, list, "[x, y]", "Several words."))

#if defined(FROZEN_LONGER)
struct row {
	struct gt_option option;
	const char *more;
};
#define ROW(...) { .option = __VA_ARGS__, .more = "of another time" },
static const struct row options[] = { OPTION_ROWS { { 0 }, NULL } };
struct need {
	struct gt_need need;
	const char *more;
};
static const struct need needs[] = {
	{ { GT_CONTENT, GT_NEED_OPTIONAL, NULL }, "of another time" }, { { 0 }, NULL }
};
struct longer_ops {
	struct gt_differ_ops ops;
	struct gt_error *(*later)(struct gt_differ *d);
	void *more[8];
};

static struct gt_error *differ_later(struct gt_differ *d)
{
	(void)d;
	abort();
}

static const struct longer_ops ops = {
	.ops = { .size = sizeof(ops), .open = differ_open, .close = differ_close,
		 .apply = differ_apply },
	.later = differ_later,
	.more = { (void *)&ops },
};
struct longer_plugin {
	struct gt_plugin plugin;
	const char *more[4];
};
#define DECLARED struct longer_plugin
#define BEGIN .plugin = {
#define END }, .more = { "of another time" }
#define OPTIONS (const struct gt_option *)options
#define NEEDS (const struct gt_need *)needs
#define OPS &ops.ops
#else
#define ROW(...) __VA_ARGS__,
static const struct gt_option options[] = { OPTION_ROWS { 0 } };
static const struct gt_need needs[] = { { GT_CONTENT, GT_NEED_OPTIONAL, NULL }, { 0 } };
static const struct gt_differ_ops ops = {
#if defined(FROZEN_SHORTER)
	.size = offsetof(struct gt_differ_ops, diff),
	/* Lies behind the end: must not be read. */
	.diff = (void *)1,
#else
	.size = sizeof(ops),
#endif
	.open = differ_open,
	.close = differ_close,
#if !defined(FROZEN_LACKS)
	.apply = differ_apply,
#endif
};
#define DECLARED struct gt_plugin
#define BEGIN
#define END
#define OPTIONS options
#define NEEDS needs
#define OPS &ops
#endif

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#if defined(FROZEN_SYMBOL)
#define SYMBOL PASTE(FROZEN_MODULE, _LTX_other)
#else
#define SYMBOL PASTE(FROZEN_MODULE, _LTX_gt_plugin)
#endif
extern const DECLARED SYMBOL;
__attribute__((visibility("default"))) const DECLARED SYMBOL = {
	BEGIN
#if defined(FROZEN_ABI)
	.abi = GT_ABI + 41,
#else
	.abi = GT_ABI,
#endif
#if defined(FROZEN_SHORTER)
	.size = offsetof(struct gt_plugin, provides),
	.provides = (void *)1,
	.capabilities = (void *)1,
#else
	.size = sizeof(DECLARED),
#endif
	.option_size = sizeof(options[0]),
	.need_size = sizeof(needs[0]),
	.kind = GT_DIFFER,
	.id = "frozen",
	.doc = "Answers with what it was told.",
	.needs = NEEDS,
	.options = OPTIONS,
	.config_size = sizeof(struct config),
	.ops.differ = OPS,
	END
};
