/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/name.h>

#include <limits.h>
#include <string.h>

/* Takes the last part off again. */
static void go_up(struct gt_buf *out)
{
	char *slash = memrchr(out->s, '/', out->len);

	gt_buf_setlen(out, slash ? slash - out->s : 0);
}

static struct gt_error *name_error(const char *name, const char *what)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autofree char *start = gt_xstrndup(name, 200);

	gt_buf_addq(&b, start);
	return gt_error_new(GT_INVALID_ARGUMENT, "name %s %s", b.s, what);
}

struct gt_error *layer_name_clean(const char *name, struct gt_buf *out)
{
	const char *p = name;

	gt_buf_reserve(out, 0);
	gt_buf_setlen(out, 0);
	while (*p) {
		const char *end = strchrnul(p, '/');
		size_t n = end - p;

		if (n == 2 && !memcmp(p, "..", 2)) {
			if (!out->len)
				return name_error(name, "leads out of the root");
			go_up(out);
		} else if (n && !(n == 1 && *p == '.')) {
			if (out->len)
				gt_buf_addc(out, '/');
			gt_buf_add(out, p, n);
		}
		if (out->len >= PATH_MAX)
			return name_error(name, "is too long");
		p = *end ? end + 1 : end;
	}
	return NULL;
}

const char *layer_name_base(const struct gt_buf *name, size_t *folder_len)
{
	const char *slash = memrchr(name->s, '/', name->len);

	*folder_len = slash ? slash - name->s : 0;
	return slash ? slash + 1 : name->s;
}
