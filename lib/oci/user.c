/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/user.h>

#include <gantry/buf.h>

#include <ctype.h>
#include <mount/path.h>
#include <string.h>

#define ID_MAX 2147483647u /* as containerd: above it Go's and the kernel's views differ */

void gt_user_done(struct gt_user *u)
{
	free(u->groups);
	*u = (struct gt_user){ 0 };
}

static struct gt_error *bad(const char *spec, const char *why)
{
	gt_auto(gt_buf) q = GT_BUF_INIT;

	gt_buf_addq(&q, spec);
	return gt_error_new(GT_INVALID_ARGUMENT, "user %s: %s", q.s, why);
}

/* A whole decimal number in range. */
static bool to_id(const char *s, size_t len, uint32_t *out)
{
	uint64_t n = 0;

	if (!len || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)s[i]))
			return false;
		n = n * 10 + (s[i] - '0');
	}
	if (n > ID_MAX)
		return false;
	*out = n;
	return true;
}

/* One side of the colon: a number, or a name to look up. */
struct part {
	const char *s;
	size_t len;
	bool given;
	bool is_name;
	uint32_t id;
};

static struct gt_error *part_parse(const char *spec, struct part *p)
{
	bool plain = true;

	p->given = true;
	if (to_id(p->s, p->len, &p->id))
		return NULL;
	/*
	 * Whatever begins like a number is one, and this one is not right. Names may hold digits,
	 * but do not begin with them (useradd refuses those), nor with a sign or a space.
	 */
	if (!p->len)
		return bad(spec, "empty name");
	if (isdigit((unsigned char)*p->s) || strchr("+-", *p->s))
		return bad(spec, "no number from 0 to 2147483647");
	for (size_t i = 0; i < p->len; i++) {
		unsigned char c = p->s[i];

		if (c <= ' ' || c == 0x7f || c == ',')
			plain = false;
	}
	if (!plain)
		return bad(spec, "no valid name");
	p->is_name = true;
	return NULL;
}

static struct gt_error *spec_parse(const char *spec, struct part *user, struct part *group)
{
	const char *colon = strchr(spec, ':');

	*user = (struct part){ .s = spec, .len = colon ? (size_t)(colon - spec) : strlen(spec) };
	*group = (struct part){ 0 };
	if (!*spec)
		return NULL;
	if (colon) {
		if (strchr(colon + 1, ':'))
			return bad(spec, "more than one ':'");
		group->s = colon + 1;
		group->len = strlen(colon + 1);
		GT_TRY(part_parse(spec, group));
	}
	return part_parse(spec, user);
}

/* The file's text; none where it is not there. */
static struct gt_error *file_read(int root, const char *path, struct gt_buf *out)
{
	if (root < 0)
		return NULL;
	return gt_error_unless(gt_path_read_in_root(root, path, GT_USER_FILE_MAX, out),
			       GT_NOT_FOUND);
}

struct field {
	const char *s;
	size_t len;
};

/*
 * Splits the line at '*p' at its colons and moves '*p' behind it; the number of fields, 0 at the
 * end.
 */
static size_t next_line(const char **p, const char *end, struct field *f, size_t most)
{
	const char *line = *p, *eol;
	size_t n = 0;

	if (line >= end)
		return 0;
	eol = memchr(line, '\n', end - line);
	if (!eol)
		eol = end;
	*p = eol + 1;
	while (eol > line && (eol[-1] == '\r' || eol[-1] == ' ' || eol[-1] == '\t'))
		eol--;
	for (;;) {
		const char *colon = n + 1 < most ? memchr(line, ':', eol - line) : NULL;

		f[n++] = (struct field){ line, (colon ? colon : eol) - line };
		if (!colon)
			break;
		line = colon + 1;
	}
	return n;
}

static bool field_is(const struct field *f, const char *s, size_t len)
{
	return f->len == len && !memcmp(f->s, s, len);
}

static bool in_list(const struct field *list, const char *name, size_t len)
{
	const char *p = list->s, *end = list->s + list->len;

	while (p < end) {
		const char *comma = memchr(p, ',', end - p);
		size_t n = (comma ? comma : end) - p;

		if (n == len && !memcmp(p, name, len))
			return true;
		p += n + 1;
	}
	return false;
}

/*
 * The user's line of /etc/passwd. '*name' points into 'text' and is NULL if there is no such line.
 */
static struct gt_error *user_find(const struct gt_buf *text, const char *spec,
				  const struct part *user, uint32_t *uid, uint32_t *gid,
				  struct field *name)
{
	const char *p = text->s, *end = text->s + text->len;
	struct field f[7];
	size_t n;

	while ((n = next_line(&p, end, f, 7))) {
		uint32_t u, g;

		if (n < 4 || !f[0].len)
			continue;
		if (user->is_name ? !field_is(&f[0], user->s, user->len)
				  : !to_id(f[2].s, f[2].len, &u) || u != user->id)
			continue;
		if (!to_id(f[2].s, f[2].len, &u) || !to_id(f[3].s, f[3].len, &g))
			return bad(spec, "its line in /etc/passwd has no valid numbers");
		*uid = u;
		*gid = g;
		*name = f[0];
		return NULL;
	}
	if (user->is_name)
		return bad(spec, "no users found in /etc/passwd");
	return NULL;
}

static struct gt_error *group_find(const struct gt_buf *text, const char *spec,
				   const struct part *group, uint32_t *gid)
{
	const char *p = text->s, *end = text->s + text->len;
	struct field f[4];
	size_t n;

	while ((n = next_line(&p, end, f, 4))) {
		if (n < 3 || !field_is(&f[0], group->s, group->len))
			continue;
		if (!to_id(f[2].s, f[2].len, gid))
			return bad(spec, "its line in /etc/group has no valid number");
		return NULL;
	}
	return bad(spec, "no groups found in /etc/group");
}

static void add_group(struct gt_user *u, size_t *alloc, uint32_t gid)
{
	for (size_t i = 0; i < u->n_groups; i++) {
		if (u->groups[i] == gid)
			return;
	}
	GT_GROW(u->groups, u->n_groups, *alloc);
	u->groups[u->n_groups++] = gid;
}

/* Groups that list the user. A line with a bad number belongs to nobody. */
static struct gt_error *groups_add(const struct gt_buf *text, const struct field *name,
				   struct gt_user *u, size_t *alloc)
{
	const char *p = text->s, *end = text->s + text->len;
	struct field f[4];
	size_t n;

	while ((n = next_line(&p, end, f, 4))) {
		uint32_t gid;

		/* The group called like the user is its own, whatever it lists. */
		if (n < 4 || field_is(&f[0], name->s, name->len) ||
		    !to_id(f[2].s, f[2].len, &gid) || !in_list(&f[3], name->s, name->len))
			continue;
		add_group(u, alloc, gid);
		if (u->n_groups > GT_USER_GROUPS_MAX)
			return gt_error_new(GT_INVALID_ARGUMENT, "user in more than %d groups",
					    GT_USER_GROUPS_MAX);
	}
	return NULL;
}

/* Whose groups they are, as the files call it; none for who is not in them. */
static struct gt_error *groups_user(const struct gt_buf *passwd, const char *spec,
				    const struct part *user, const struct part *group, bool image,
				    uint32_t uid, struct field *name)
{
	const struct part by_number = { .given = true, .id = uid };
	uint32_t other_uid, other_gid;

	if (!user->given) {
		*name = (struct field){ "root", 4 };
		return NULL;
	}
	if (!image && group->given)
		*name = (struct field){ 0 };
	if (!image)
		return NULL;
	*name = (struct field){ 0 };
	return user_find(passwd, spec, &by_number, &other_uid, &other_gid, name);
}

/* Where no group says so, the primary one comes first. */
static void add_primary(struct gt_user *u, size_t *alloc)
{
	size_t n = u->n_groups;

	add_group(u, alloc, u->gid);
	if (u->n_groups == n)
		return;
	memmove(u->groups + 1, u->groups, n * sizeof(*u->groups));
	u->groups[0] = u->gid;
}

static struct gt_error *resolve(const char *spec, int root, bool image, struct gt_user *out)
{
	gt_auto(gt_user) u = { 0 };
	gt_auto(gt_buf) passwd = GT_BUF_INIT;
	gt_auto(gt_buf) groups = GT_BUF_INIT;
	struct field name = { 0 };
	struct part user, group;
	size_t alloc = 0;

	GT_TRY(spec_parse(spec, &user, &group));
	GT_TRY(file_read(root, "/etc/passwd", &passwd));
	GT_TRY(file_read(root, "/etc/group", &groups));
	if (user.given && !user.is_name)
		u.uid = user.id;
	if (user.given)
		GT_TRY(user_find(&passwd, spec, &user, &u.uid, &u.gid, &name));
	if (group.given && !group.is_name)
		u.gid = group.id;
	else if (group.given)
		GT_TRY(group_find(&groups, spec, &group, &u.gid));
	GT_TRY(groups_user(&passwd, spec, &user, &group, image, u.uid, &name));
	if (name.s)
		GT_TRY(groups_add(&groups, &name, &u, &alloc));
	add_primary(&u, &alloc);
	*out = u;
	u = (struct gt_user){ 0 };
	return NULL;
}

struct gt_error *gt_user_resolve(const char *spec, int root, struct gt_user *out)
{
	return resolve(spec, root, false, out);
}

struct gt_error *gt_user_resolve_image(const char *spec, int root, struct gt_user *out)
{
	return resolve(spec, root, true, out);
}
