/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "transaction.h"

#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#define MAP_SIZE ((size_t)4 << 20)
#define READERS 512
/* Room in the file that only removals may use, so that a full disk still lets one delete. */
#define RESERVE ((off_t)128 << 10)
#define RESERVE_STEP ((off_t)256 << 10)

#define RECORDS_VERSION "1"

struct gt_error *snapdb_error(int rc, const char *what)
{
	enum gt_class cls = rc > 0 ? gt_file_class(rc) : GT_UNKNOWN;

	switch (rc) {
	case 0:
		return NULL;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case MDB_READERS_FULL:
	case ENOMEM:
		cls = GT_RESOURCE_EXHAUSTED;
		break;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_PANIC:
		cls = GT_DATA_LOSS;
		break;
	case MDB_BAD_VALSIZE:
		cls = GT_INVALID_ARGUMENT;
		break;
	}
	return gt_error_new(cls, "%s in the snapshot records: %s", what, mdb_strerror(rc));
}

static MDB_val value_of(const struct gt_buf *b)
{
	return (MDB_val){ .mv_data = b->s, .mv_size = b->len };
}

struct gt_error *snapdb_get(struct snapdb_txn *t, const struct gt_buf *key, MDB_val *value,
			    bool *found)
{
	MDB_val k = value_of(key);
	int rc = mdb_get(t->txn, t->db->dbi, &k, value);

	*found = rc == 0;
	return rc == MDB_NOTFOUND ? NULL : snapdb_error(rc, "look up");
}

struct gt_error *snapdb_put(struct snapdb_txn *t, const struct gt_buf *key, const void *data,
			    size_t len)
{
	MDB_val k = value_of(key), v = { .mv_data = (void *)data, .mv_size = len };
	int rc = mdb_put(t->txn, t->db->dbi, &k, &v, 0);

	t->map_full |= rc == MDB_MAP_FULL;
	return snapdb_error(rc, "write");
}

struct gt_error *snapdb_delete(struct snapdb_txn *t, const struct gt_buf *key)
{
	MDB_val k = value_of(key);
	int rc = mdb_del(t->txn, t->db->dbi, &k, NULL);

	t->map_full |= rc == MDB_MAP_FULL;
	return rc == MDB_NOTFOUND ? NULL : snapdb_error(rc, "delete");
}

/* Takes over the size that another process gave the map (grow false), or doubles it. */
static struct gt_error *replace_map(struct gt_snapdb *db, bool grow)
{
	MDB_envinfo info;
	size_t size = 0;
	int rc;

	pthread_rwlock_wrlock(&db->map);
	rc = mdb_env_info(db->env, &info);
	if (rc == 0 && grow && __builtin_mul_overflow(info.me_mapsize, (size_t)2, &size))
		rc = MDB_MAP_FULL;
	if (rc == 0)
		rc = mdb_env_set_mapsize(db->env, size);
	pthread_rwlock_unlock(&db->map);
	return snapdb_error(rc, "enlarge the map");
}

/* With the transaction open: in shared mode. Without, the lock is not held. */
static struct gt_error *begin(struct gt_snapdb *db, unsigned flags, struct snapdb_txn *t)
{
	for (int attempt = 0;; attempt++) {
		int rc;

		*t = (struct snapdb_txn){ .db = db };
		pthread_rwlock_rdlock(&db->map);
		rc = mdb_txn_begin(db->env, NULL, flags, &t->txn);
		if (rc == 0)
			return NULL;
		pthread_rwlock_unlock(&db->map);
		if (rc == MDB_MAP_RESIZED) {
			GT_TRY(replace_map(db, false));
			continue;
		}
		if (rc != MDB_READERS_FULL || attempt)
			return snapdb_error(rc, "begin");
		mdb_reader_check(db->env, NULL); /* slots of processes that were killed */
	}
}

/*
 * Whether as much is free within the file: values of database 0 are lists of pages behind their
 * number.
 */
static bool has_free_pages(struct gt_snapdb *db, unsigned page_size)
{
	MDB_val k, v;
	MDB_cursor *c;
	MDB_txn *txn; /* LMDB shows that database to readers only */
	uint64_t n = 0;

	if (mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn))
		return false;
	if (mdb_cursor_open(txn, 0, &c)) {
		mdb_txn_abort(txn);
		return false;
	}
	while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
		size_t pages = 0;

		if (v.mv_size >= sizeof(pages))
			memcpy(&pages, v.mv_data, sizeof(pages));
		n += pages;
	}
	mdb_cursor_close(c);
	mdb_txn_abort(txn);
	return n * page_size >= (uint64_t)RESERVE;
}

static struct gt_error *keep_reserve(struct gt_snapdb *db)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	off_t used;
	int fd;

	if (mdb_env_info(db->env, &info) || mdb_env_stat(db->env, &stat) ||
	    mdb_env_get_fd(db->env, &fd) || fstat(fd, &st) < 0)
		return NULL;
	used = (off_t)(info.me_last_pgno + 1) * stat.ms_psize;
	if (st.st_size >= used + RESERVE)
		return NULL;
	if (fallocate(fd, 0, 0, used + RESERVE_STEP) == 0 || errno == EOPNOTSUPP ||
	    errno == ENOSYS || has_free_pages(db, stat.ms_psize))
		return NULL;
	return gt_error_errno(gt_file_class(errno), errno,
			      "keep room for removals in the snapshot records");
}

struct gt_error *snapdb_write(struct gt_snapdb *db, unsigned how, snapdb_fn *fn, void *arg)
{
	for (;;) {
		struct gt_error *e = NULL;
		struct snapdb_txn t;
		int rc = 0;

		GT_TRY(begin(db, how & SNAPDB_LAZY ? MDB_NOMETASYNC : 0, &t));
		if (!(how & SNAPDB_SHRINK))
			e = keep_reserve(db);
		if (!e)
			e = fn(&t, arg);
		if (e)
			mdb_txn_abort(t.txn);
		else
			rc = mdb_txn_commit(t.txn);
		pthread_rwlock_unlock(&db->map);
		if (!t.map_full && rc != MDB_MAP_FULL)
			return e ? e : snapdb_error(rc, "commit");
		gt_error_free(e);
		GT_TRY(replace_map(db, true));
	}
}

struct gt_error *snapdb_read(struct gt_snapdb *db, snapdb_fn *fn, void *arg)
{
	struct snapdb_txn t;
	struct gt_error *e;

	GT_TRY(begin(db, MDB_RDONLY, &t));
	e = fn(&t, arg);
	mdb_txn_abort(t.txn);
	pthread_rwlock_unlock(&db->map);
	return e;
}

static struct gt_error *check_version(struct snapdb_txn *t, void *arg)
{
	gt_auto(gt_buf) key = GT_BUF_INIT;
	MDB_val v;

	GT_TRY(snapdb_error(mdb_dbi_open(t->txn, NULL, 0, &t->db->dbi), "open"));
	gt_buf_addc(&key, 'v');
	GT_TRY(snapdb_get(t, &key, &v, arg));
	if (*(bool *)arg &&
	    (v.mv_size != strlen(RECORDS_VERSION) || memcmp(v.mv_data, RECORDS_VERSION, v.mv_size)))
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "the snapshot records have version %.*s, not " RECORDS_VERSION,
				    (int)(v.mv_size < 20 ? v.mv_size : 20), (char *)v.mv_data);
	return NULL;
}

static struct gt_error *set_version(struct snapdb_txn *t, void *arg)
{
	gt_auto(gt_buf) key = GT_BUF_INIT;

	(void)arg;
	gt_buf_addc(&key, 'v');
	return snapdb_put(t, &key, RECORDS_VERSION, strlen(RECORDS_VERSION));
}

/* The names of the two files must not be lost where what they hold is not. */
static struct gt_error *sync_folder(const char *root)
{
	gt_autofd int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "sync %s", root);
	return NULL;
}

static struct gt_error *open_env(struct gt_snapdb *db, const char *root)
{
	gt_autofree char *path = gt_strf("%s/metadata.mdb", root);
	unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | (db->synced ? 0 : MDB_NOSYNC);
	bool found;
	int rc = mdb_env_create(&db->env);

	if (!rc)
		rc = mdb_env_set_mapsize(db->env, MAP_SIZE);
	if (!rc)
		rc = mdb_env_set_maxreaders(db->env, READERS);
	if (!rc)
		rc = mdb_env_open(db->env, path, flags, 0600);
	if (rc)
		return gt_error_wrap(snapdb_error(rc, "open"), "%s", path);
	/* A killed reader would keep pages from being used again. */
	mdb_reader_check(db->env, NULL);
	GT_TRY(snapdb_read(db, check_version, &found));
	if (found)
		return NULL;
	GT_TRY(snapdb_write(db, SNAPDB_DURABLE, set_version, NULL));
	return db->synced ? sync_folder(root) : NULL;
}

struct gt_error *gt_snapdb_open(const char *root, enum gt_durability durability,
				struct gt_snapdb **out)
{
	struct gt_snapdb *db = gt_xcalloc(1, sizeof(*db));
	struct gt_error *e;

	db->synced = durability == GT_DURABILITY_FULL;
	pthread_rwlock_init(&db->map, NULL);
	e = open_env(db, root);
	if (e) {
		gt_snapdb_close(db);
		return e;
	}
	*out = db;
	return NULL;
}

void gt_snapdb_close(struct gt_snapdb *db)
{
	if (!db)
		return;
	if (db->env)
		mdb_env_close(db->env);
	pthread_rwlock_destroy(&db->map);
	free(db);
}
