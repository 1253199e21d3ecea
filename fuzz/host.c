/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fuzz/host.h"

#include "core/config.h"
#include "core/slot.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUND 2000 /* inputs before what they have made is thrown away */

static struct fuzz_host *opened;

void fuzz_must(struct gt_error *e)
{
	if (!e)
		return;
	fprintf(stderr, "fuzz-%s: %s\n", opened->name, gt_error_text(e));
	abort();
}

static void host_open(struct fuzz_host *h)
{
	const char *build = getenv("abs_top_builddir");
	gt_autofree char *here = build ? gt_xstrdup(build) : getcwd(NULL, 0);
	gt_autofree char *text = gt_strf(
		"root = \"%s/root\"; state = \"%s/state\"; plugin_path = [\"%s/.libs\"];\n"
		"durability = \"fast\"; log: { level = \"error\"; };\n"
		"active: { content = \"content-local\"; metadata = \"metadata-lmdb\";\n"
		"  snapshotters = \"snapshotter-native\"; services = \"services-local\";\n%s };\n%s",
		h->folder, h->folder, here, h->active ? h->active : "",
		h->options ? h->options : "");

	fuzz_must(gt_config_load(text, NULL, &h->config));
	fuzz_must(gt_host_open(h->config, true, &h->host));
}

static void folder_empty(const struct fuzz_host *h)
{
	gt_autofree char *root = gt_strf("%s/root", h->folder);
	gt_autofree char *state = gt_strf("%s/state", h->folder);

	gt_error_free(gt_file_remove_tree(AT_FDCWD, root));
	gt_error_free(gt_file_remove_tree(AT_FDCWD, state));
}

static void host_close(struct fuzz_host *h)
{
	if (h->closing)
		h->closing();
	gt_host_close(h->host);
	gt_config_free(h->config);
	folder_empty(h);
}

static void at_exit(void)
{
	host_close(opened);
	rmdir(opened->folder);
	free(opened->folder);
}

void fuzz_host_open(struct fuzz_host *h)
{
	const char *tmp = getenv("TMPDIR");

	opened = h;
	h->folder = gt_strf("%s/fuzz-%s.XXXXXX", tmp ? tmp : "/tmp", h->name);
	if (!mkdtemp(h->folder) || chmod(h->folder, 0777))
		abort();
	host_open(h);
}

bool fuzz_host_next(struct fuzz_host *h)
{
	if (!h->n)
		atexit(at_exit); /* so late that it runs before what the modules have registered */
	if (h->n++ % ROUND)
		return false;
	if (h->n > 1) {
		host_close(h);
		host_open(h);
	}
	return true;
}

void *fuzz_host_plugin(struct fuzz_host *h, enum gt_kind kind)
{
	struct slot *slot;

	pthread_mutex_lock(&h->host->lock);
	fuzz_must(gt_slot_find(h->host, kind, NULL, &slot));
	fuzz_must(gt_slot_open(slot));
	pthread_mutex_unlock(&h->host->lock);
	return slot->instance;
}
