/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "option.h"

#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* What is left of the page for the words around lowerdir when containerd decides to shorten. */
#define PAGE_SLACK 512

static const struct word {
	const char *name;
	bool clear;
	unsigned long flag;
} words[] = {
	{ "async", true, MS_SYNCHRONOUS },
	{ "atime", true, MS_NOATIME },
	{ "bind", false, MS_BIND },
	{ "defaults", false, 0 },
	{ "dev", true, MS_NODEV },
	{ "diratime", true, MS_NODIRATIME },
	{ "dirsync", false, MS_DIRSYNC },
	{ "exec", true, MS_NOEXEC },
	{ "mand", false, MS_MANDLOCK },
	{ "noatime", false, MS_NOATIME },
	{ "nodev", false, MS_NODEV },
	{ "nodiratime", false, MS_NODIRATIME },
	{ "noexec", false, MS_NOEXEC },
	{ "nomand", true, MS_MANDLOCK },
	{ "norelatime", true, MS_RELATIME },
	{ "nostrictatime", true, MS_STRICTATIME },
	{ "nosuid", false, MS_NOSUID },
	{ "rbind", false, MS_BIND | MS_REC },
	{ "relatime", false, MS_RELATIME },
	{ "remount", false, MS_REMOUNT },
	{ "ro", false, MS_RDONLY },
	{ "rw", true, MS_RDONLY },
	{ "strictatime", false, MS_STRICTATIME },
	{ "suid", true, MS_NOSUID },
	{ "sync", false, MS_SYNCHRONOUS },
};

static const struct word *word_find(const char *name)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].name, name))
			return &words[i];
	return NULL;
}

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* The length of what all of 'dirs' begin with. */
static size_t common_prefix(const struct gt_strv *dirs)
{
	size_t n = strlen(dirs->v[0]);

	for (size_t i = 1; i < dirs->n; i++) {
		size_t k = 0;

		while (k < n && dirs->v[i][k] == dirs->v[0][k])
			k++;
		n = k;
	}
	return n;
}

/*
 * A page holds the paths of some fifty layers only. Where they get near it, the folder that all
 * lower layers share is taken out of them: the mount is then made from there.
 */
static void shorten_lowerdir(struct mount_options *o)
{
	static const char key[] = "lowerdir=";
	size_t total = 0, at = o->data.n, cut;
	gt_auto(gt_strv) dirs = { 0 };
	gt_auto(gt_buf) b = GT_BUF_INIT;

	for (size_t i = 0; i < o->data.n; i++) {
		total += strlen(o->data.v[i]);
		if (has_prefix(o->data.v[i], key))
			at = i;
	}
	if (at == o->data.n || total < (size_t)sysconf(_SC_PAGESIZE) - PAGE_SLACK)
		return;
	gt_strv_split(&dirs, o->data.v[at] + strlen(key), ':');
	if (dirs.n < 2)
		return;
	cut = common_prefix(&dirs);
	while (cut > 0 && dirs.v[0][cut - 1] != '/')
		cut--;
	if (cut <= 1) /* nothing in common, or the root only */
		return;
	gt_buf_adds(&b, key);
	for (size_t i = 0; i < dirs.n; i++) {
		if (!dirs.v[i][cut])
			return;
		gt_buf_addf(&b, "%s%s", i ? ":" : "", dirs.v[i] + cut);
	}
	o->chdir = gt_xstrndup(dirs.v[0], cut);
	free(o->data.v[at]);
	memmove(o->data.v + at, o->data.v + at + 1, (o->data.n - at - 1) * sizeof(*o->data.v));
	o->data.v[o->data.n - 1] = gt_buf_detach(&b);
}

struct gt_error *mount_options_parse(const struct gt_mount *m, struct mount_options *out)
{
	*out = (struct mount_options){ 0 };
	for (size_t i = 0; i < m->options.n; i++) {
		const char *o = m->options.v[i];
		const struct word *w = word_find(o);

		if (w && w->clear) {
			out->flags &= ~w->flag;
			out->cleared |= w->flag;
		} else if (w) {
			out->flags |= w->flag;
			out->cleared &= ~w->flag;
		} else if (!strcmp(o, "loop")) {
			out->loop = true;
		} else if (has_prefix(o, "X-containerd.")) {
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "internal mount option \"%s\" was not consumed by the "
					    "mount manager",
					    o);
		} else if (has_prefix(o, "uidmap=") || has_prefix(o, "gidmap=")) {
			return gt_error_new(GT_UNIMPLEMENTED, "mount option \"%s\"", o);
		} else if (*o) {
			gt_strv_add(&out->data, o);
		}
	}
	for (size_t i = 0; out->loop && i < out->data.n; i++) {
		if (strcmp(out->data.v[i], "direct-io") != 0)
			continue;
		out->direct_io = true;
		free(out->data.v[i]);
		memmove(out->data.v + i, out->data.v + i + 1,
			(out->data.n - i) * sizeof(*out->data.v));
		out->data.n--;
		i--;
	}
	if (!strcmp(m->type, "overlay"))
		shorten_lowerdir(out);
	return NULL;
}

struct gt_error *mount_options_data(const struct mount_options *o, struct gt_buf *out)
{
	for (size_t i = 0; i < o->data.n; i++)
		gt_buf_addf(out, "%s%s", i ? "," : "", o->data.v[i]);
	/* The kernel copies one page and ends it with a NUL of its own. */
	if (out->len >= (size_t)sysconf(_SC_PAGESIZE))
		return gt_error_new(GT_INVALID_ARGUMENT, "mount options is too long");
	return NULL;
}

void mount_options_done(struct mount_options *o)
{
	gt_strv_done(&o->data);
	free(o->chdir);
	*o = (struct mount_options){ 0 };
}
