/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/network.h>

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/log.h>

#include <cni/cni.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define INTERFACE "eth0"

/* One container's. */
struct place {
	struct gt_cni cni;
	char *records;
	char *id; /* as plugins know it: "NS-ID" */
	char *handle; /* file that the network namespace is mounted on */
};

static void place_done(struct place *p)
{
	free(p->records);
	free(p->id);
	free(p->handle);
}

/*
 * "a-b" and "c" make the same "a-b-c" as "a" and "b-c": records and files are told apart, even if
 * plugins cannot.
 */
static struct gt_error *place_of(const struct gt_network *n, const struct gt_call *call,
				 const char *id, struct place *p)
{
	GT_TRY(gt_call_namespace(call));
	GT_TRY(gt_identifier_check("container id", id));
	p->records = gt_strf("%s/%s", n->records, call->ns);
	p->id = gt_strf("%s-%s", call->ns, id);
	p->handle = gt_strf("%s/%s:%s", n->handles, call->ns, id);
	p->cni = (struct gt_cni){ .plugin_dirs = n->plugin_dirs,
				  .records = p->records,
				  .timeout = n->timeout };
	return NULL;
}

struct gt_error *gt_network_check(const struct gt_network *n)
{
	gt_autoptr(gt_cni_network) network = NULL;

	return gt_cni_network_load(n->conf_dir, &network);
}

static bool is_handle(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

/* The host's own namespace is not to be given another container's address. */
static struct gt_error *check_own(const char *path)
{
	struct stat own, its;

	if (stat("/proc/self/ns/net", &own) < 0 || stat(path, &its) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "stat %s", path);
	if (own.st_dev == its.st_dev && own.st_ino == its.st_ino)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "the container is in this host's network, not in one of its own");
	return NULL;
}

static struct gt_error *handle_make(const struct place *p, const char *handles, pid_t pid)
{
	gt_autofree char *ns = gt_strf("/proc/%d/ns/net", (int)pid);
	gt_autofd int fd = -1;

	GT_TRY(check_own(ns));
	GT_TRY(gt_file_mkdirs(handles, 0700));
	fd = open(p->handle, O_CREAT | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "make %s", p->handle);
	if (mount(ns, p->handle, NULL, MS_BIND, NULL) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "mount %s on %s", ns, p->handle);
	return NULL;
}

static struct gt_error *handle_remove(const struct place *p)
{
	while (umount2(p->handle, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
	if (errno != ENOENT && errno != EINVAL)
		return gt_error_errno(GT_UNKNOWN, errno, "unmount %s", p->handle);
	if (unlink(p->handle) < 0 && errno != ENOENT)
		return gt_error_errno(GT_UNKNOWN, errno, "delete %s", p->handle);
	return NULL;
}

static bool has_record(const struct place *p)
{
	gt_autofree char *netns = NULL;
	struct gt_error *e = gt_cni_netns(&p->cni, p->id, INTERFACE, &netns);
	bool has = gt_error_class(e) != GT_NOT_FOUND; /* one that cannot be read is one */

	gt_error_free(e);
	return has;
}

static struct gt_error *take_down(const struct place *p, const struct gt_call *call, bool force)
{
	const char *netns = is_handle(p->handle) ? p->handle : "";
	struct gt_error *e = gt_cni_del(&p->cni, call, p->id, netns, INTERFACE);

	/* Somebody else may have been faster; else it is a plugin that is not found. */
	if (gt_error_class(e) == GT_NOT_FOUND && !has_record(p))
		e = gt_error_unless(e, GT_NOT_FOUND);
	if (!e)
		return NULL;
	e = gt_error_wrap(e, "take %s out of its network", p->id);
	if (!force)
		return e;
	gt_log_warn_take(e, "what plugins keep of it may be left");
	return gt_cni_forget(&p->cni, p->id, INTERFACE);
}

static struct gt_error *down(const struct place *p, const struct gt_call *call, bool force)
{
	if (has_record(p))
		GT_TRY(take_down(p, call, force));
	return handle_remove(p);
}

static struct gt_error *up(const struct gt_network *n, const struct gt_call *call,
			   const struct place *p, pid_t pid)
{
	const struct gt_cni_attachment a = { .container_id = p->id,
					     .netns = p->handle,
					     .ifname = INTERFACE };
	gt_autoptr(gt_cni_network) network = NULL;
	struct gt_error *e;

	GT_TRY(gt_cni_network_load(n->conf_dir, &network));
	GT_TRY(down(p, call, false));
	e = handle_make(p, n->handles, pid);
	if (!e)
		e = gt_cni_add(&p->cni, call, network, &a, NULL);
	/* While there is a record, what it tells of may need the namespace. */
	if (e && !has_record(p))
		gt_log_warn_take(handle_remove(p), "remove a network namespace's file");
	return e;
}

struct gt_error *gt_network_up(const struct gt_network *n, const struct gt_call *call,
			       const char *id, pid_t pid)
{
	struct place p = { 0 };
	struct gt_error *e = place_of(n, call, id, &p);

	if (!e)
		e = up(n, call, &p, pid);
	place_done(&p);
	return e;
}

struct gt_error *gt_network_down(const struct gt_network *n, const struct gt_call *call,
				 const char *id, bool force)
{
	struct place p = { 0 };
	struct gt_error *e = place_of(n, call, id, &p);

	if (!e)
		e = down(&p, call, force);
	place_done(&p);
	return e;
}

bool gt_network_is_up(const struct gt_network *n, const struct gt_call *call, const char *id)
{
	struct place p = { 0 };
	struct gt_error *e = place_of(n, call, id, &p);
	bool is_up = !e && (has_record(&p) || is_handle(p.handle));

	gt_error_free(e);
	place_done(&p);
	return is_up;
}
