/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "host-test.h"

#include "core/config.h"
#include "core/host.h"
#include "core/slot.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

void bench_forked(void)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *ent;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (d && (ent = readdir(d))) {
		char target[256];
		ssize_t n = readlinkat(dirfd(d), ent->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		if (strstr(target, "/check_"))
			dup2(STDERR_FILENO, atoi(ent->d_name));
	}
	if (d)
		closedir(d);
}

void ok(struct gt_error *e)
{
	ck_assert_msg(!e, "%s: %s", gt_class_name(gt_error_class(e)), gt_error_text(e));
}

void fails(struct gt_error *e, enum gt_class cls, const char *text)
{
	ck_assert_msg(gt_error_class(e) == cls, "%s where %s is right: %s",
		      gt_class_name(gt_error_class(e)), gt_class_name(cls), gt_error_text(e));
	ck_assert_msg(strstr(gt_error_text(e), text) != NULL, "\"%s\" lacks \"%s\"",
		      gt_error_text(e), text);
	gt_error_free(e);
}

char *bench_folder(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = gt_strf("%s/services-test-XXXXXX", tmp ? tmp : "/tmp");

	ck_assert(mkdtemp(dir) != NULL);
	return dir;
}

void bench_folder_remove(char *dir)
{
	ok(gt_file_remove_tree(AT_FDCWD, dir));
	free(dir);
}

char *bench_file(const struct gt_mounts *mounts, const char *name)
{
	const struct gt_mount *m = &mounts->v[0];

	for (size_t i = 0; i < m->options.n; i++)
		if (!strncmp(m->options.v[i], "upperdir=", 9))
			return gt_strf("%s/%s", m->options.v[i] + 9, name);
	return gt_strf("%s/%s", m->source, name);
}

static struct gt_error *instance(struct gt_host *h, enum gt_kind kind, const char *id, void **out)
{
	struct slot *slot;
	struct gt_error *e;

	pthread_mutex_lock(&h->lock);
	e = gt_slot_find(h, kind, id, &slot);
	if (!e)
		e = gt_slot_open(slot);
	if (!e)
		*out = slot->instance;
	pthread_mutex_unlock(&h->lock);
	return e;
}

bool bench_open_with(struct bench *b, const char *dir, const char *module, const char *id,
		     const char *more)
{
	const char *build = getenv("abs_top_builddir");
	gt_autofree char *here = build ? gt_xstrdup(build) : getcwd(NULL, 0);
	gt_autofree char *text = gt_strf(
		"root = \"%s/root\"; state = \"%s/state\"; plugin_path = [\"%s/.libs\"];\n"
		"durability = \"fast\"; defaults: { snapshotter = \"%s\"; };\n"
		"active: { content = \"content-local\"; metadata = \"metadata-lmdb\";\n"
		"  snapshotters = [\"%s\"]; services = \"services-local\";\n"
		"  runtimes = [\"runtime-services-test\"]; differs = \"differ-archive\";\n"
		"  frontends = [];\n"
		"};\n"
		"differ-archive: { worker = \"%s/gantry-layer\"; };\n%s",
		dir, dir, here, id, module, here, more ? more : "");
	struct gt_error *e;
	void *driver;

	*b = (struct bench){ .dir = gt_xstrdup(dir), .call = GT_CALL_INIT };
	b->call.ns = "default";
	ok(gt_config_load(text, NULL, &b->config));
	ok(gt_host_open(b->config, false, &b->host));
	e = instance(b->host, GT_SNAPSHOTTER, id, &driver);
	if (gt_error_class(e) == GT_UNIMPLEMENTED) {
		fprintf(stderr, "%s: %s\n", module, gt_error_text(e));
		gt_error_free(e);
		bench_close(b);
		return false;
	}
	ok(e);
	b->driver = driver;
	ok(instance(b->host, GT_SERVICES, NULL, &driver));
	b->s = driver;
	ok(instance(b->host, GT_CONTENT, NULL, &driver));
	b->content = driver;
	return true;
}

void bench_open(struct bench *b, const char *dir, const char *more)
{
	ck_assert(bench_open_with(b, dir, "snapshotter-native", "native", more));
}

void bench_close(struct bench *b)
{
	gt_host_close(b->host);
	gt_config_free(b->config);
	free(b->dir);
}
