/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An out-of-tree snapshotter on the installed SDK alone: each snapshot is a whole copy of its parent's
 * tree, made by cp(1). ROOT/table says what there is; it is replaced as a whole, under ROOT/lock.
 */
#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/snapshotter.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct row {
	unsigned id; /* its tree is ROOT/ID */
	struct gt_snapshot_info info;
};

struct table { /* while the lock is held */
	struct row *v;
	size_t n, alloc;
	unsigned last_id;
	int lock;
};

static struct gt_error *plain_open(const struct gt_init *init, struct gt_snapshotter **out)
{
	*out = gt_xcalloc(1, sizeof(**out)); /* the host fills it: s->init is this one's */
	return NULL;
}

static void plain_close(struct gt_snapshotter *s) { free(s); }

static void table_done(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		gt_snapshot_info_done(&t->v[i].info);
	free(t->v);
	if (t->lock >= 0)
		close(t->lock);
}

/* Strings may hold anything, so they stand as "LENGTH:BYTES". */
static char *take(const char **at)
{
	size_t len = 0;
	int used = 0;

	if (sscanf(*at, "%zu:%n", &len, &used) != 1 || strnlen(*at + used, len) < len)
		return gt_xstrdup("");
	*at += used + len;
	return gt_xstrndup(*at - len, len);
}

static struct gt_error *table_read(struct gt_snapshotter *s, struct table *t)
{
	gt_autofree char *lock = gt_strf("%s/lock", s->init->root), *path = gt_strf("%s/table", s->init->root);
	gt_auto(gt_buf) text = GT_BUF_INIT;
	struct row r;
	size_t labels;
	int used;
	const char *at;

	t->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (t->lock < 0 || flock(t->lock, LOCK_EX) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "lock %s", lock);
	GT_TRY(gt_error_unless(gt_file_read(AT_FDCWD, path, 64 << 20, &text), GT_NOT_FOUND));
	at = text.s;
	while (r = (struct row){ 0 },
	       sscanf(at, "%u %u %ld.%ld %ld.%ld %zu\n%n", &r.id, &r.info.kind,
		      &r.info.created_at.tv_sec, &r.info.created_at.tv_nsec, &r.info.updated_at.tv_sec,
		      &r.info.updated_at.tv_nsec, &labels, &used) == 7) {
		at += used;
		r.info.key = take(&at);
		r.info.parent = take(&at);
		for (; labels && *at && *at != '\n'; labels--) {
			gt_autofree char *key = take(&at), *value = take(&at);
			gt_labels_set(&r.info.labels, key, value);
		}
		GT_GROW(t->v, t->n, t->alloc);
		t->v[t->n++] = r;
		t->last_id = r.id > t->last_id ? r.id : t->last_id;
	}
	return NULL;
}

static struct gt_error *table_write(struct gt_snapshotter *s, const struct table *t)
{
	gt_autofree char *path = gt_strf("%s/table", s->init->root);
	gt_auto(gt_buf) b = GT_BUF_INIT;

	for (size_t n = 0; n < t->n; n++) {
		const struct gt_snapshot_info *i = &t->v[n].info;

		gt_buf_addf(&b, "%u %u %ld.%ld %ld.%ld %zu\n%zu:%s%zu:%s", t->v[n].id, i->kind,
			    i->created_at.tv_sec, i->created_at.tv_nsec, i->updated_at.tv_sec,
			    i->updated_at.tv_nsec, i->labels.n, strlen(i->key), i->key,
			    strlen(i->parent), i->parent);
		for (size_t k = 0; k < i->labels.n; k++)
			gt_buf_addf(&b, "%zu:%s%zu:%s", strlen(i->labels.v[k].key), i->labels.v[k].key,
				    strlen(i->labels.v[k].value), i->labels.v[k].value);
		gt_buf_addc(&b, '\n');
	}
	return gt_file_write(AT_FDCWD, path, b.s, b.len, 0600, s->init->durability == GT_DURABILITY_FULL);
}

static struct row *find(const struct table *t, const char *key)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->v[i].info.key, key))
			return &t->v[i];
	return NULL;
}

static void add_mounts(const struct gt_snapshotter *s, const struct row *r, struct gt_mounts *out)
{
	gt_autofree char *tree = gt_strf("%s/%u", s->init->root, r->id);
	struct gt_mount *m = gt_mounts_add(out, "bind", tree, "");

	gt_strv_add(&m->options, "rbind");
	gt_strv_add(&m->options, r->info.kind == GT_SNAPSHOT_VIEW ? "ro" : "rw");
}

static struct gt_error *make_tree(const struct gt_snapshotter *s, unsigned id, const struct row *parent)
{
	gt_autofree char *to = gt_strf("%s/%u", s->init->root, id);
	gt_autofree char *from = parent ? gt_strf("%s/%u/.", s->init->root, parent->id) : NULL;
	char *argv[] = { "cp", "-a", "--reflink=auto", from, to, NULL };
	pid_t pid;
	int status = 0, err;

	GT_TRY(gt_file_remove_tree(AT_FDCWD, to)); /* of a prepare that died before its row stood */
	if (mkdir(to, 0755) < 0 || chmod(to, 0755) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "make folder %s", to);
	err = from ? posix_spawnp(&pid, "cp", NULL, NULL, argv, environ) : 0;
	if (from && (err || waitpid(pid, &status, 0) < 0))
		return gt_error_errno(GT_UNKNOWN, err ? err : errno, "run cp");
	return status ? gt_error_new(GT_UNKNOWN, "copy %s to %s: cp: status %d", from, to, status) : NULL;
}

static struct gt_error *create(struct gt_snapshotter *s, enum gt_snapshot_kind kind, const char *key,
	const char *parent, const struct gt_labels *labels, struct gt_mounts *out)
{
	gt_auto(table) t = { .lock = -1 };
	const struct row *above = NULL;
	struct row r = { .info.kind = kind };

	GT_TRY(table_read(s, &t));
	if (find(&t, key))
		return gt_error_new(GT_ALREADY_EXISTS, "snapshot %s", key);
	if (*parent && !(above = find(&t, parent)))
		return gt_error_new(GT_NOT_FOUND, "snapshot %s", parent);
	if (above && above->info.kind != GT_SNAPSHOT_COMMITTED)
		return gt_error_new(GT_INVALID_ARGUMENT, "parent %s is not committed", parent);
	r.id = t.last_id + 1;
	GT_TRY(make_tree(s, r.id, above));
	clock_gettime(CLOCK_REALTIME, &r.info.created_at);
	r.info.updated_at = r.info.created_at;
	r.info.key = gt_xstrdup(key);
	r.info.parent = gt_xstrdup(parent);
	gt_labels_copy(&r.info.labels, labels);
	GT_GROW(t.v, t.n, t.alloc);
	t.v[t.n++] = r;
	GT_TRY(table_write(s, &t));
	add_mounts(s, &r, out);
	return NULL;
}

static struct gt_error *plain_prepare(struct gt_snapshotter *s, struct gt_call *call, const char *key,
	const char *parent, const struct gt_labels *labels, struct gt_mounts *out)
{
	return create(s, GT_SNAPSHOT_ACTIVE, key, parent, labels, out);
}

static struct gt_error *plain_view(struct gt_snapshotter *s, struct gt_call *call, const char *key,
	const char *parent, const struct gt_labels *labels, struct gt_mounts *out)
{
	return create(s, GT_SNAPSHOT_VIEW, key, parent, labels, out);
}

/* Reads the table into 't' and finds the row of 'key'. */
static struct gt_error *look_up(struct gt_snapshotter *s, const char *key, struct table *t,
				struct row **r)
{
	GT_TRY(table_read(s, t));
	*r = find(t, key);
	return *r ? NULL : gt_error_new(GT_NOT_FOUND, "snapshot %s", key);
}

static struct gt_error *plain_stat(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				   struct gt_snapshot_info *out)
{
	gt_auto(table) t = { .lock = -1 };
	struct row *r;
	GT_TRY(look_up(s, key, &t, &r));
	gt_snapshot_info_copy(out, &r->info);
	return NULL;
}

static struct gt_error *plain_mounts(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				     struct gt_mounts *out)
{
	gt_auto(table) t = { .lock = -1 };
	struct row *r;
	GT_TRY(look_up(s, key, &t, &r));
	if (r->info.kind == GT_SNAPSHOT_COMMITTED)
		return gt_error_new(GT_FAILED_PRECONDITION, "snapshot %s is committed", key);
	add_mounts(s, r, out);
	return NULL;
}

static struct gt_error *plain_commit(struct gt_snapshotter *s, struct gt_call *call,
	const char *name, const char *key, const struct gt_commit_options *o)
{
	gt_auto(table) t = { .lock = -1 };
	struct row *r;
	GT_TRY(look_up(s, key, &t, &r));
	if (r->info.kind != GT_SNAPSHOT_ACTIVE)
		return gt_error_new(GT_FAILED_PRECONDITION, "snapshot %s is not active", key);
	if (find(&t, name))
		return gt_error_new(GT_ALREADY_EXISTS, "snapshot %s", name);
	if (s->init->durability == GT_DURABILITY_FULL && syncfs(t.lock) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "sync %s", s->init->root);
	free(r->info.key);
	r->info.key = gt_xstrdup(name);
	r->info.kind = GT_SNAPSHOT_COMMITTED;
	clock_gettime(CLOCK_REALTIME, &r->info.updated_at);
	gt_labels_done(&r->info.labels);
	gt_labels_copy(&r->info.labels, o ? o->labels : NULL);
	return table_write(s, &t);
}

static struct gt_error *plain_remove(struct gt_snapshotter *s, struct gt_call *call, const char *key)
{
	gt_auto(table) t = { .lock = -1 };
	gt_autofree char *tree = NULL;
	struct row *r;
	GT_TRY(look_up(s, key, &t, &r));
	for (size_t i = 0; i < t.n; i++)
		if (!strcmp(t.v[i].info.parent, key))
			return gt_error_new(GT_FAILED_PRECONDITION, "snapshot %s has children", key);
	tree = gt_strf("%s/%u", s->init->root, r->id);
	gt_snapshot_info_done(&r->info);
	*r = t.v[--t.n];
	GT_TRY(table_write(s, &t)); /* first: a tree without a row is nobody's */
	return gt_file_remove_tree(AT_FDCWD, tree);
}

static struct gt_error *plain_walk(struct gt_snapshotter *s, struct gt_call *call,
	struct gt_error *(*fn)(void *, const struct gt_snapshot_info *), void *arg)
{
	gt_auto(table) t = { .lock = -1 };

	GT_TRY(table_read(s, &t));
	close(gt_steal_fd(&t.lock)); /* fn may call other ops */
	for (size_t i = 0; i < t.n; i++)
		GT_TRY(fn(arg, &t.v[i].info));
	return NULL;
}

/* What died between its file or tree and the row for it. */
static struct gt_error *plain_cleanup(struct gt_snapshotter *s, struct gt_call *call)
{
	gt_auto(table) t = { .lock = -1 };
	struct gt_error *e = table_read(s, &t);
	DIR *d = e ? NULL : opendir(s->init->root);
	struct dirent *ent;

	while (d && !e && (ent = readdir(d))) {
		bool known = *ent->d_name == '.' || !strcmp(ent->d_name, "lock") ||
			     !strcmp(ent->d_name, "table");

		for (size_t i = 0; i < t.n && !known; i++)
			known = t.v[i].id == strtoul(ent->d_name, NULL, 10);
		e = known ? NULL : gt_file_remove_tree(dirfd(d), ent->d_name);
	}
	if (d)
		closedir(d);
	return e;
}

static const struct gt_snapshotter_ops plain_ops = {
	.size = sizeof(plain_ops), .open = plain_open, .close = plain_close, .stat = plain_stat,
	.prepare = plain_prepare, .view = plain_view, .mounts = plain_mounts,
	.commit = plain_commit, .remove = plain_remove, .walk = plain_walk, .cleanup = plain_cleanup,
};

GT_PLUGIN(snapshotter_plain) = {
	GT_PLUGIN_HEADER,
	.kind = GT_SNAPSHOTTER, .id = "plain",
	.doc = "Keeps each snapshot as a whole copy of its parent's tree.",
	.ops.snapshotter = &plain_ops,
};
