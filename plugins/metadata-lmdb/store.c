/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "lmdb-store.h"

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/log.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#define READERS_MAX 1024 /* of all processes; the first one to open decides */
#define READER_SIZE 64 /* a cache line each in LMDB's table, whose head is not larger than two */
#define MAP_LEAST (1u << 20)

static struct lmdb_store *store_of(struct gt_metadata *m)
{
	return (struct lmdb_store *)m;
}

/* LMDB reads what the meta page promises: pages that a cut file does not have would be a SIGBUS. */
static struct gt_error *check_length(struct lmdb_store *s)
{
	mdb_filehandle_t fd;
	MDB_envinfo info;
	struct stat st;
	MDB_stat stat;

	mdb_env_info(s->env, &info);
	mdb_env_stat(s->env, &stat);
	s->page = stat.ms_psize;
	if (mdb_env_get_fd(s->env, &fd) || fstat(fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "length of meta.mdb");
	if ((uint64_t)st.st_size < (uint64_t)s->page * (info.me_last_pgno + 1))
		return gt_error_new(GT_DATA_LOSS, "meta.mdb is cut off: %lld of %llu bytes",
				    (long long)st.st_size,
				    (unsigned long long)s->page * (info.me_last_pgno + 1));
	return NULL;
}

/* The file's name, and those of the folders that came with it. */
static struct gt_error *sync_folders(const char *root)
{
	gt_autofree char *above = gt_strf("%s/..", root);
	const char *const paths[] = { root, above };

	for (size_t i = 0; i < 2; i++) {
		gt_autofd int fd = open(paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 || fsync(fd) < 0)
			return gt_error_errno(gt_file_class(errno), errno, "sync %s", paths[i]);
	}
	return NULL;
}

/*
 * LMDB opens the file twice and lets both descriptors pass through exec; only one of them can be asked
 * for.
 */
static void close_on_exec(struct lmdb_store *s)
{
	DIR *d = opendir("/proc/self/fd");
	struct stat file, st;
	mdb_filehandle_t fd;
	struct dirent *ent;

	if (mdb_env_get_fd(s->env, &fd) || fstat(fd, &file) < 0) {
		if (d)
			closedir(d);
		return;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	while (d && (ent = readdir(d))) {
		int n = 0;

		for (const char *p = ent->d_name; *p >= '0' && *p <= '9' && n < INT_MAX / 10 - 9; p++)
			n = n * 10 + (*p - '0');
		/* by its name there: nothing is done to what other threads open and close meanwhile */
		if (ent->d_name[0] != '.' && fstatat(dirfd(d), ent->d_name, &st, 0) == 0 &&
		    st.st_ino == file.st_ino && st.st_dev == file.st_dev)
			fcntl(n, F_SETFD, FD_CLOEXEC);
	}
	if (d)
		closedir(d);
}

static struct gt_error *open_database(struct lmdb_store *s)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

	if (rc)
		return store_error(rc, "begin");
	rc = mdb_dbi_open(txn, NULL, 0, &s->dbi);
	if (rc) {
		mdb_txn_abort(txn);
		return store_error(rc, "open the database");
	}
	rc = mdb_txn_commit(txn);
	return rc ? store_error(rc, "open the database") : NULL;
}

/*
 * LMDB maps its reader table as a sparse file: on a full disk the first touch of a page would be a
 * SIGBUS. Closing the file again is harmless here, before LMDB holds its locks on it.
 */
static struct gt_error *allocate_readers(const char *root)
{
	gt_autofree char *path = gt_strf("%s/meta.mdb-lock", root);
	gt_autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "open %s", path);
	if (fallocate(fd, 0, 0, (READERS_MAX + 2) * READER_SIZE) < 0 && errno != EOPNOTSUPP &&
	    errno != ENOSYS)
		return gt_error_errno(gt_file_class(errno), errno, "room for %s", path);
	return NULL;
}

static struct gt_error *open_env(struct lmdb_store *s, const char *root, uint64_t map, bool durable)
{
	gt_autofree char *path = gt_strf("%s/meta.mdb", root);
	unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | (durable ? 0 : MDB_NOSYNC);
	bool fresh = access(path, F_OK) < 0;
	int dead, rc;

	GT_TRY(allocate_readers(root));
	rc = mdb_env_create(&s->env);
	if (rc)
		return store_error(rc, "create an environment");
	if (map < MAP_LEAST)
		map = MAP_LEAST;
	map -= map % sysconf(_SC_PAGESIZE);
	rc = mdb_env_set_mapsize(s->env, map);
	if (!rc)
		rc = mdb_env_set_maxreaders(s->env, READERS_MAX);
	if (!rc)
		rc = mdb_env_open(s->env, path, flags, 0600);
	if (rc)
		return gt_error_wrap(store_error(rc, "open"), "%s", path);
	close_on_exec(s);
	mdb_reader_check(s->env, &dead);
	GT_TRY(check_length(s));
	if (fresh && durable)
		GT_TRY(sync_folders(root));
	return open_database(s);
}

struct gt_error *store_open(const struct gt_init *init, struct gt_metadata **out)
{
	const struct lmdb_config *config = init->config;
	struct lmdb_store *s = gt_xcalloc(1, sizeof(*s));
	struct gt_error *e;
	pthread_condattr_t attr;

	s->lock.fd = -1;
	s->lock_timeout = config->lock_timeout;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->gate, &attr);
	pthread_condattr_destroy(&attr);
	e = gt_file_mkdirs(init->root, 0700);
	if (!e)
		e = writer_lock_open(&s->lock, init->root);
	if (!e)
		e = open_env(s, init->root, config->map_size,
			     init->durability == GT_DURABILITY_FULL);
	if (e) {
		store_close(&s->base);
		return e;
	}
	*out = &s->base;
	return NULL;
}

void store_close(struct gt_metadata *m)
{
	struct lmdb_store *s = store_of(m);

	if (!s)
		return;
	while (s->n_idle)
		mdb_txn_abort(s->idle[--s->n_idle]);
	if (s->env)
		mdb_env_close(s->env);
	writer_lock_close(&s->lock);
	pthread_cond_destroy(&s->gate);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

static MDB_txn *take_idle(struct lmdb_store *s)
{
	MDB_txn *txn;

	pthread_mutex_lock(&s->mutex);
	txn = s->n_idle ? s->idle[--s->n_idle] : NULL;
	pthread_mutex_unlock(&s->mutex);
	return txn;
}

static void give_idle(struct lmdb_store *s, MDB_txn *txn)
{
	mdb_txn_reset(txn);
	pthread_mutex_lock(&s->mutex);
	if (s->n_idle < STORE_IDLE_READERS) {
		s->idle[s->n_idle++] = txn;
		txn = NULL;
	}
	pthread_mutex_unlock(&s->mutex);
	if (txn)
		mdb_txn_abort(txn);
}

/* Inside the gate. */
static int begin_view(struct lmdb_store *s, MDB_txn **out)
{
	MDB_txn *txn = take_idle(s);
	int rc, dead;

	if (txn) {
		rc = mdb_txn_renew(txn);
		if (!rc) {
			*out = txn;
			return 0;
		}
		mdb_txn_abort(txn);
		if (rc == MDB_MAP_RESIZED)
			return rc;
	}
	rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, out);
	if (rc == MDB_READERS_FULL && !mdb_reader_check(s->env, &dead) && dead)
		rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, out);
	return rc;
}

struct gt_error *store_view(struct gt_metadata *m, struct gt_call *call,
			    struct gt_error *(*fn)(struct gt_txn *t, void *arg), void *arg)
{
	struct lmdb_store *s = store_of(m);
	struct lmdb_txn t = { .base.m = m };
	struct gt_error *e;
	int rc;

	for (;;) {
		GT_TRY(gt_call_check(call));
		space_enter(s);
		rc = begin_view(s, &t.mdb);
		if (rc != MDB_MAP_RESIZED)
			break;
		space_leave(s);
		GT_TRY(space_remap(s, call, 0)); /* another process has made it larger */
	}
	if (rc) {
		space_leave(s);
		return store_error(rc, "begin a view");
	}
	e = fn(&t.base, arg);
	store_txn_done(&t);
	give_idle(s, t.mdb);
	space_leave(s);
	return e;
}
