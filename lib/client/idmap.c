/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/idmap.h>

#include <gantry/api-snapshots.h>
#include <gantry/log.h>

#include <client/lease.h>
#include <client/rootfs.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <snapdb/tree.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define LABEL_UIDS "containerd.io/snapshot/uidmapping"
#define LABEL_GIDS "containerd.io/snapshot/gidmapping"
#define CAPABILITY "security.capability"

struct gt_error *gt_idmaps_check(const struct gt_container_options *o, bool *wanted)
{
	if (!o->n_uidmaps != !o->n_gidmaps)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "a user namespace needs mappings of user and of group ids");
	*wanted = o->n_uidmaps > 0;
	return NULL;
}

struct gt_error *gt_idmaps_put(struct gt_spec *s, const struct gt_container_options *o)
{
	for (size_t i = 0; i < o->n_uidmaps; i++)
		GT_TRY(gt_spec_add_idmap(s, false, o->uidmaps[i].container, o->uidmaps[i].host,
					 o->uidmaps[i].length));
	for (size_t i = 0; i < o->n_gidmaps; i++)
		GT_TRY(gt_spec_add_idmap(s, true, o->gidmaps[i].container, o->gidmaps[i].host,
					 o->gidmaps[i].length));
	return NULL;
}

static void put_label(struct gt_labels *out, const char *key, const struct gt_idmap *maps, size_t n)
{
	gt_auto(gt_buf) value = GT_BUF_INIT;

	for (size_t i = 0; i < n; i++)
		gt_buf_addf(&value, "%s%u:%u:%u", i ? "," : "", maps[i].container, maps[i].host,
			    maps[i].length);
	gt_labels_set(out, key, value.s);
}

void gt_idmaps_labels(const struct gt_container_options *o, struct gt_labels *out)
{
	put_label(out, LABEL_UIDS, o->uidmaps, o->n_uidmaps);
	put_label(out, LABEL_GIDS, o->gidmaps, o->n_gidmaps);
}

/* Files with several names, as they are once they have been moved. */
struct shift {
	uint32_t uid, gid;
	struct {
		dev_t dev;
		ino_t ino;
	} *done;
	size_t n_done, alloc;
};

static bool is_done(const struct shift *s, const struct stat *st)
{
	for (size_t i = 0; i < s->n_done; i++) {
		if (s->done[i].dev == st->st_dev && s->done[i].ino == st->st_ino)
			return true;
	}
	return false;
}

static struct gt_error *note_done(struct shift *s, int dirfd, const char *name)
{
	struct stat st;

	/* As it is now: a file system in layers may have copied it for this name alone. */
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "stat %s", name);
	GT_GROW(s->done, s->n_done, s->alloc);
	s->done[s->n_done].dev = st.st_dev;
	s->done[s->n_done++].ino = st.st_ino;
	return NULL;
}

/* The kernel takes them away at a change of owner; these hold below the user namespace of 'uid'. */
static struct gt_error *restore_capabilities(const char *path, const void *old, ssize_t len,
					     uint32_t uid)
{
	struct vfs_ns_cap_data caps = { 0 };
	uint32_t flags;

	if (len < (ssize_t)XATTR_CAPS_SZ_2)
		return NULL;
	memcpy(&caps, old, XATTR_CAPS_SZ_2);
	flags = le32toh(caps.magic_etc) & VFS_CAP_FLAGS_EFFECTIVE;
	caps.magic_etc = htole32(VFS_CAP_REVISION_3 | flags);
	caps.rootid = htole32(uid);
	if (lsetxattr(path, CAPABILITY, &caps, XATTR_CAPS_SZ_3, 0) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "set capabilities of %s", path);
	return NULL;
}

static struct gt_error *shift_one(const struct shift *s, int dirfd, const char *name,
				  const struct stat *st)
{
	gt_autofree char *path = gt_strf("/proc/self/fd/%d/%s", dirfd, name);
	struct vfs_ns_cap_data caps;
	ssize_t len = S_ISREG(st->st_mode) ? lgetxattr(path, CAPABILITY, &caps, sizeof(caps)) : -1;

	if (st->st_uid > UINT32_MAX - 1 - s->uid || st->st_gid > UINT32_MAX - 1 - s->gid)
		return gt_error_new(GT_OUT_OF_RANGE, "owner %u:%u of %s moved by %u:%u", st->st_uid,
				    st->st_gid, name, s->uid, s->gid);
	if (fchownat(dirfd, name, st->st_uid + s->uid, st->st_gid + s->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "change owner of %s", name);
	if ((st->st_mode & (S_ISUID | S_ISGID)) && !S_ISLNK(st->st_mode) &&
	    fchmodat(dirfd, name, st->st_mode & 07777, 0) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "restore mode of %s", name);
	return restore_capabilities(path, &caps, len, s->uid);
}

static struct gt_error *shift_file(void *arg, int dirfd, const char *name, const struct stat *st)
{
	struct shift *s = arg;

	if (st->st_nlink > 1 && is_done(s, st))
		return NULL;
	GT_TRY(shift_one(s, dirfd, name, st));
	return st->st_nlink > 1 ? note_done(s, dirfd, name) : NULL;
}

static struct gt_error *shift_folder(void *arg, int dirfd, const char *name, const struct stat *st)
{
	return shift_one(arg, dirfd, name, st);
}

struct gt_error *gt_idmaps_shift(int fd, uint32_t uid, uint32_t gid)
{
	static const struct gt_tree_visitor visitor = { .file = shift_file, .leave = shift_folder };
	struct shift s = { .uid = uid, .gid = gid };
	struct gt_error *e = gt_tree_walk(fd, &visitor, &s);
	struct stat st;

	free(s.done);
	GT_TRY(e);
	if (fstat(fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "stat a root folder");
	return shift_one(&s, fd, ".", &st);
}

/* Moves the tree that 'mounts' show, and has it on disk. */
static struct gt_error *shift_mounts(const struct gt_mounts *mounts,
				     const struct gt_container_options *o)
{
	gt_autofd int root = -1, fd = -1;

	GT_TRY(gt_rootfs_mount(mounts, &root));
	fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open root file system");
	GT_TRY(gt_idmaps_shift(fd, o->uidmaps[0].host, o->gidmaps[0].host));
	if (syncfs(fd) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "sync root file system");
	return NULL;
}

static struct gt_error *make(struct gt_services *s, struct gt_call *call,
			     const struct gt_container_options *o, const char *snapshotter,
			     const char *parent, const char *name)
{
	gt_autofree char *unique = gt_unique_name();
	gt_autofree char *key = gt_strf("%s-remap-%s", name, unique);
	gt_auto(gt_mounts) mounts = { 0 };
	struct gt_call cleanup = *call;
	struct gt_error *e;

	GT_TRY(gt_snapshots_prepare(s, call, snapshotter, key, parent, NULL, &mounts));
	e = shift_mounts(&mounts, o);
	if (!e)
		e = gt_snapshots_commit(s, call, snapshotter, name, key, NULL);
	if (!e)
		return NULL;
	cleanup.cancel = NULL;
	cleanup.deadline = 0;
	gt_log_warn_take(gt_snapshots_remove(s, &cleanup, snapshotter, key), "remove snapshot %s",
			 key);
	return gt_error_unless(e, GT_ALREADY_EXISTS);
}

struct gt_error *gt_idmaps_snapshot(struct gt_services *s, struct gt_call *call,
				    const struct gt_container_options *o, const char *snapshotter,
				    const char *parent, char **out)
{
	gt_autofree char *name = gt_strf("%s-%u-%u", parent, o->uidmaps[0].host, o->gidmaps[0].host);
	gt_auto(gt_snapshot_info) info = { 0 };
	struct gt_error *e = gt_snapshots_stat(s, call, snapshotter, name, &info);

	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		e = make(s, call, o, snapshotter, parent, name);
	}
	GT_TRY(gt_error_wrap(e, "remap %s", parent));
	*out = gt_steal(&name);
	return NULL;
}
