/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a collection leaves, rule by rule: each case is a few lines that make a store, and what is there
 * after. Words of a line:
 *
 *	n other				what follows is in that namespace, not in "default"
 *	b NAME [LABEL=VALUE...]		blob whose bytes are its name; @NAME in any word is its digest
 *	i NAME @BLOB [LABEL=VALUE...]	image
 *	s KEY PARENT [LABEL=VALUE...]	committed snapshot ("-": no parent)
 *	a KEY PARENT [LABEL=VALUE...]	active snapshot
 *	c ID KEY [LABEL=VALUE...]	container on a snapshot ("-": none)
 *	p ID [LABEL=VALUE...]		sandbox
 *	l ID [LABEL=VALUE...]		lease
 *	r LEASE TYPE ID			what a lease lists
 *	g REF @BLOB			ingest that expects a blob ("-": none), begun without a lease
 *	L LEASE REF @BLOB		the same under a lease
 *	x WHAT NAME			removes a lease (l), an image (i), a container (c)
 *
 * Labels begin with "containerd.io/gc." A value "+1h" or "-1h" is the time in or an hour ago.
 */
#include <config.h>

#include "host-test.h"
#include "suites-test.h"

#include <gantry/api-blobs.h>
#include <gantry/api-containers.h>
#include <gantry/api-images.h>
#include <gantry/api-leases.h>
#include <gantry/api-sandboxes.h>
#include <gantry/api-snapshots.h>
#include <gantry/api-system.h>
#include <gantry/buf.h>

#include <string.h>
#include <time.h>

#define WORDS 8

struct rule {
	const char *name;
	const char *lines; /* separated by ';' */
	const char *left; /* "b:NAME s:KEY ...", by namespace where there is more than one */
};

static const struct rule rules[] = {
	{ "nothing keeps a blob", "b x", "" },
	{ "an image keeps its target", "b x;b y;i img @x", "b:x i:img" },
	{ "content by labels, named with a dot or a slash or not",
	  "b a;b b;b c;b d;b m ref.content=@a ref.content.config=@b ref.content/x=@c "
	  "ref.contentious=@d;i img @m",
	  "b:a b:b b:c b:m i:img" },
	{ "a chain, and what stands beside it",
	  "b l;b k ref.content.0=@l;b m ref.content.0=@k;b o ref.content.0=@m;i img @m",
	  "b:k b:l b:m i:img" },
	{ "a cycle without a root", "b x ref.content=@y;b y ref.content=@x", "" },
	{ "a cycle with one", "b x ref.content=@y;b y ref.content=@x root=1", "b:x b:y" },
	{ "a label root on content", "b x root=yes;b y", "b:x" },
	{ "a label root on a snapshot keeps its parents",
	  "s base -;s mid base;s top mid root=1;s other base", "s:base s:mid s:top" },
	{ "snapshots by labels", "s k -;s j -;b x ref.snapshot.native=k;i img @x", "b:x i:img s:k" },
	{ "snapshots by labels with a name behind a slash",
	  "s k -;b x ref.snapshot.native/some=k;i img @x", "b:x i:img s:k" },
	{ "a snapshot of another snapshotter is another",
	  "s k -;b x ref.snapshot.overlayfs=k;i img @x", "b:x i:img" },
	{ "a snapshot's own labels", "b x;s k - root=1 ref.content=@x", "b:x s:k" },
	{ "a container keeps its snapshot and by labels",
	  "b x;s base -;a rw base;c box rw ref.content=@x;a other base",
	  "b:x c:box s:base s:rw" },
	{ "a container that went", "s base -;a rw base;c box rw;x c box", "" },
	{ "a sandbox keeps by labels", "b x;s k -;p pod ref.content=@x ref.snapshot.native=k",
	  "b:x p:pod s:k" },
	{ "an image's own labels", "b x;b y;s k -;i img @x ref.content.y=@y ref.snapshot.native=k",
	  "b:x b:y i:img s:k" },
	{ "an image that expired goes", "b x;i img @x expire=-1h", "" },
	{ "one that has not stays", "b x;i img @x expire=+1h", "b:x i:img" },
	{ "a time that is none is ignored", "b x;i img @x expire=tomorrow;l l expire=soon;b y;"
	  "r l content @y", "b:x b:y i:img l:l" },
	{ "an expired image that another one refers to",
	  "b x;i old @x expire=-1h;b y;i new @y ref.image=old", "b:x b:y i:new i:old" },
	{ "an image by a named reference",
	  "b x;i old @x expire=-1h;b y ref.image.of=old;i new @y", "b:x b:y i:new i:old" },
	{ "a lease keeps what it lists, and what that refers to",
	  "b l;b m ref.content=@l;s base -;s top base;l hold;r hold content @m;"
	  "r hold snapshots/native top",
	  "b:l b:m l:hold s:base s:top" },
	{ "a lease that expired", "b m;l hold expire=-1h;r hold content @m", "" },
	{ "one that has not", "b m;l hold expire=+1h;r hold content @m", "b:m l:hold" },
	{ "a lease that went", "b m;l hold;r hold content @m;x l hold", "" },
	{ "a flat lease keeps no more than it lists and parents",
	  "b l;b m ref.content=@l;s base -;b z;s top base ref.content=@z;l hold flat=1;"
	  "r hold content @m;r hold snapshots/native top",
	  "b:m l:hold s:base s:top" },
	{ "what is used flat and fully is used fully",
	  "b l;b m ref.content=@l;l hold flat=1;r hold content @m;i img @m",
	  "b:l b:m i:img l:hold" },
	{ "a flat lease on an image", "b l;b m ref.content=@l;i img @m expire=-1h;l hold flat=1;"
	  "r hold images img", "b:m i:img l:hold" },
	{ "a lease on an image", "b l;b m ref.content=@l;i img @m expire=-1h;l hold;"
	  "r hold images img", "b:l b:m i:img l:hold" },
	{ "an ingest keeps the bytes that it expects", "b x;n other;g ref @x", "one file" },
	{ "an ingest without lease has a day", "g ref -", "g:ref" },
	{ "an ingest under a lease", "l hold;L hold ref -", "g:ref l:hold" },
	{ "an ingest whose lease went", "l hold;L hold ref -;x l hold", "" },
	{ "a reference back to a container", "s k - bref.container=box;c box -;s j - bref.container=no",
	  "c:box s:k" },
	{ "a reference back to content", "b m;i img @m;b sig bref.content=@m;b no bref.content=@sig2",
	  "b:m b:sig i:img" },
	{ "references back in a row, named", "b m;i img @m;b a bref.image.x=img;b b bref.content/y=@a",
	  "b:a b:b b:m i:img" },
	{ "a reference back to a snapshot", "s k - root=1;b x bref.snapshot.native=k;"
	  "b y bref.snapshot.native/z=k;b n bref.snapshot.overlayfs=k", "b:x b:y s:k" },
	{ "a reference back to garbage", "b m;b a bref.content=@m", "" },
	{ "a reference back to an image that expired", "b x;i img @x expire=-1h;b y bref.image=img", "" },
	{ "an expired image that refers back", "b m;i img @m;b x;i old @x expire=-1h bref.image=img",
	  "b:m b:x i:img i:old" },
	{ "a flat use is no reason for references back",
	  "b m;b sig bref.content=@m;l hold flat=1;r hold content @m", "b:m l:hold" },
	{ "a condition that holds", "s k - cond.value-usedat=-1h;b x cond.snapshot.native=usedat<24h|k;"
	  "i img @x", "b:x i:img s:k" },
	{ "one that does not", "s k - cond.value-usedat=-1h;b x cond.snapshot.native=usedat<30m|k;"
	  "i img @x", "b:x i:img" },
	{ "longer ago than", "s k - cond.value-usedat=-1h;b x;i img @x "
	  "cond.snapshot/native=usedat>30m|k", "b:x i:img s:k" },
	{ "any of several conditions", "s k - cond.value-usedat=-1h;b x "
	  "cond.snapshot.native/n=usedat<1m,usedat<2h|k;i img @x", "b:x i:img s:k" },
	{ "conditions that are not known", "s k - cond.value-usedat=-1h;b x "
	  "cond.snapshot.native=usedat<=24h,color=red,usedat<soon|k;i img @x", "b:x i:img" },
	{ "a condition on garbage", "s k - cond.value-usedat=-1h;b x "
	  "cond.snapshot.native=usedat<24h|k", "" },
	{ "a snapshot that never says when", "s k -;b x cond.snapshot.native=usedat<24h|k;i img @x",
	  "b:x i:img" },
	{ "namespaces do not keep each other's records", "b x;i img @x;n other;b x;b y ref.content=@x",
	  "b:x i:img" },
	{ "but the bytes", "b x;n other;b x;i img @x", "other: b:x i:img" },
	{ "nothing by nothing", "", "" },
	{ "a reference to nothing", "b x ref.content=@none ref.snapshot.native=none;i img @x",
	  "b:x i:img" },
	{ "a target that is not here", "i img @none", "i:img" },
};

static struct bench b;

static void setup(void)
{
	gt_autofree char *dir = bench_folder();

	bench_open(&b, dir, NULL);
}

static void teardown(void)
{
	char *dir = gt_xstrdup(b.dir);

	bench_close(&b);
	bench_folder_remove(dir);
}

/* The digest of a blob that holds just 'name'. */
static char *digest_of(const char *name)
{
	gt_autoptr(gt_writer) w = NULL;
	gt_autofree char *ref = gt_strf("digest of %s", name);
	char *digest;

	ok(gt_content_writer(b.content, &b.call, ref, 0, NULL, &w));
	ok(gt_writer_truncate(w, 0));
	ok(gt_writer_write(w, name, strlen(name)));
	ok(gt_writer_digest(w, &digest));
	gt_writer_free(gt_steal(&w));
	ok(gt_content_abort(b.content, &b.call, ref));
	return digest;
}

static char *time_in(long seconds)
{
	time_t t = time(NULL) + seconds;
	char text[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return gt_xstrdup(text);
}

static char *value_of(const char *word)
{
	if (*word == '@')
		return digest_of(word + 1);
	if (!strcmp(word, "+1h"))
		return time_in(3600);
	if (!strcmp(word, "-1h"))
		return time_in(-3600);
	return gt_xstrdup(word);
}

static void labels_of(char **words, size_t n, struct gt_labels *out)
{
	for (size_t i = 0; i < n; i++) {
		char *eq = strchr(words[i], '=');
		gt_autofree char *key = gt_strf("containerd.io/gc.%.*s", (int)(eq - words[i]), words[i]);
		gt_autofree char *value = value_of(eq + 1);

		gt_labels_set(out, key, value);
	}
}

static void make_blob(const char *name, const struct gt_labels *labels)
{
	gt_autoptr(gt_writer) w = NULL;

	ok(gt_blobs_writer(b.s, &b.call, name, NULL, &w));
	ok(gt_writer_write(w, name, strlen(name)));
	ok(gt_blobs_commit(b.s, &b.call, w, 0, NULL, labels, NULL));
}

static void make_image(const char *name, const char *target, const struct gt_labels *labels)
{
	struct gt_image i = { .name = (char *)name, .labels = *labels };
	gt_autofree char *digest = value_of(target);

	i.target.digest = digest;
	i.target.media_type = (char *)"text/plain";
	i.target.size = 1;
	ok(gt_images_create(b.s, &b.call, &i, NULL));
}

static void make_snapshot(const char *key, const char *parent, bool commit,
			  const struct gt_labels *labels)
{
	struct gt_commit_options o = { .size = sizeof(o), .labels = labels };
	gt_autofree char *active = commit ? gt_strf("making %s", key) : gt_xstrdup(key);
	gt_auto(gt_mounts) mounts = { 0 };

	ok(gt_snapshots_prepare(b.s, &b.call, NULL, active, *parent == '-' ? "" : parent,
				commit ? NULL : labels, &mounts));
	if (commit)
		ok(gt_snapshots_commit(b.s, &b.call, NULL, key, active, &o));
}

static void make_container(const char *id, const char *snapshot, const struct gt_labels *labels)
{
	struct gt_container c = { .id = (char *)id, .labels = *labels };

	c.image = c.sandbox = (char *)"";
	c.runtime = (char *)"io.containerd.runc.v2";
	c.snapshotter = *snapshot == '-' ? (char *)"" : (char *)"native";
	c.snapshot_key = *snapshot == '-' ? (char *)"" : (char *)snapshot;
	c.spec.type_url = (char *)"spec";
	c.spec.data = (void *)"{}";
	c.spec.len = 2;
	ok(gt_containers_create(b.s, &b.call, &c, NULL));
}

static void make_sandbox(const char *id, const struct gt_labels *labels)
{
	struct gt_sandbox s = { .id = (char *)id, .labels = *labels };

	s.runtime = (char *)"io.containerd.runc.v2";
	s.sandboxer = (char *)"";
	ok(gt_sandboxes_create(b.s, &b.call, &s, NULL));
}

static void make_lease(const char *id, const struct gt_labels *labels)
{
	gt_auto(gt_lease) lease = { 0 };

	ok(gt_leases_create(b.s, &b.call, id, labels, &lease));
}

static void make_ingest(const char *lease, const char *ref, const char *expects)
{
	gt_autofree char *digest = *expects == '-' ? NULL : value_of(expects);
	struct gt_descriptor d = { .digest = digest };
	gt_autoptr(gt_writer) w = NULL;
	struct gt_call call = b.call;

	call.lease = lease;
	ok(gt_blobs_writer(b.s, &call, ref, &d, &w));
	if (!digest)
		ok(gt_writer_write(w, "begun", 5));
}

static void remove_thing(const char *kind, const char *name)
{
	switch (*kind) {
	case 'l':
		ok(gt_leases_remove(b.s, &b.call, name, false));
		break;
	case 'i':
		ok(gt_images_remove(b.s, &b.call, name, false));
		break;
	case 'c':
		ok(gt_containers_remove(b.s, &b.call, name));
		break;
	}
}

static void run_line(char **w, size_t n)
{
	gt_auto(gt_labels) labels = { 0 };
	size_t from = strchr("isac", *w[0]) ? 3 : strchr("bpl", *w[0]) ? 2 : n;

	if (from < n)
		labels_of(w + from, n - from, &labels);
	switch (*w[0]) {
	case 'n':
		b.call.ns = "other";
		break;
	case 'b':
		make_blob(w[1], &labels);
		break;
	case 'i':
		make_image(w[1], w[2], &labels);
		break;
	case 's':
	case 'a':
		make_snapshot(w[1], w[2], *w[0] == 's', &labels);
		break;
	case 'c':
		make_container(w[1], w[2], &labels);
		break;
	case 'p':
		make_sandbox(w[1], &labels);
		break;
	case 'l':
		make_lease(w[1], &labels);
		break;
	case 'r': {
		gt_autofree char *id = value_of(w[3]);

		ok(gt_leases_add(b.s, &b.call, w[1], w[2], id));
		break;
	}
	case 'g':
		make_ingest(NULL, w[1], w[2]);
		break;
	case 'L':
		make_ingest(w[1], w[2], w[3]);
		break;
	case 'x':
		remove_thing(w[1], w[2]);
		break;
	}
}

static void run_lines(const char *lines)
{
	gt_auto(gt_strv) all = { 0 };

	b.call.ns = "default";
	gt_strv_split(&all, lines, ';');
	for (size_t i = 0; i < all.n; i++) {
		gt_auto(gt_strv) words = { 0 };

		gt_strv_split(&words, all.v[i], ' ');
		ck_assert_uint_le(words.n, WORDS);
		run_line(words.v, words.n);
	}
	b.call.ns = "default";
}

static struct gt_error *add_blob(void *arg, const struct gt_blob *blob)
{
	gt_autoptr(gt_reader) r = NULL;
	char text[64] = "";
	size_t n;

	/* What is listed is there: the bytes are the name. */
	ok(gt_blobs_reader(b.s, &b.call, blob->info.digest, &r));
	ok(gt_reader_pread(r, text, sizeof(text) - 1, 0, &n));
	gt_strv_addf(arg, "b:%s", text);
	return NULL;
}

static struct gt_error *add_image(void *arg, const struct gt_image *i)
{
	gt_strv_addf(arg, "i:%s", i->name);
	return NULL;
}

static struct gt_error *add_snapshot(void *arg, const struct gt_snapshot_info *i)
{
	gt_strv_addf(arg, "s:%s", i->key);
	return NULL;
}

static struct gt_error *add_container(void *arg, const struct gt_container *c)
{
	gt_strv_addf(arg, "c:%s", c->id);
	return NULL;
}

static struct gt_error *add_sandbox(void *arg, const struct gt_sandbox *s)
{
	gt_strv_addf(arg, "p:%s", s->id);
	return NULL;
}

static struct gt_error *add_lease(void *arg, const struct gt_lease *l)
{
	gt_strv_addf(arg, "l:%s", l->id);
	return NULL;
}

static struct gt_error *add_ingest(void *arg, const struct gt_ingest_info *i)
{
	gt_strv_addf(arg, "g:%s", i->ref);
	return NULL;
}

static char *left(const char *ns)
{
	gt_auto(gt_strv) l = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;

	b.call.ns = ns;
	ok(gt_blobs_list(b.s, &b.call, NULL, add_blob, &l));
	ok(gt_images_list(b.s, &b.call, NULL, add_image, &l));
	ok(gt_snapshots_list(b.s, &b.call, NULL, NULL, add_snapshot, &l));
	ok(gt_containers_list(b.s, &b.call, NULL, add_container, &l));
	ok(gt_sandboxes_list(b.s, &b.call, NULL, add_sandbox, &l));
	ok(gt_leases_list(b.s, &b.call, NULL, add_lease, &l));
	ok(gt_blobs_list_ingests(b.s, &b.call, NULL, add_ingest, &l));
	b.call.ns = "default";
	gt_strv_sort(&l);
	for (size_t i = 0; i < l.n; i++)
		gt_buf_addf(&text, "%s%s", i ? " " : "", l.v[i]);
	return gt_buf_detach(&text);
}

static struct gt_error *count_blob(void *arg, const struct gt_blob_info *info)
{
	(void)info;
	++*(size_t *)arg;
	return NULL;
}

static struct gt_error *count_snapshot(void *arg, const struct gt_snapshot_info *i)
{
	(void)i;
	++*(size_t *)arg;
	return NULL;
}

static size_t count(const char *text, char kind)
{
	size_t n = 0;

	for (const char *p = text; *p; p++)
		n += *p == kind && p[1] == ':' && (p == text || p[-1] == ' ');
	return n;
}

START_TEST(test_rule)
{
	const struct rule *r = &rules[_i];
	/* A blob that no namespace lists. */
	size_t files = 0, snapshots = 0, unlisted = !strcmp(r->left, "one file");
	struct gt_collected went;
	gt_autofree char *here = NULL, *there = NULL, *all = NULL, *again = NULL;

	run_lines(r->lines);
	ok(gt_system_collect(b.s, &b.call, 0, &went));
	here = left("default");
	there = left("other");
	all = !*there ? gt_xstrdup(here) : gt_strf("%s%sother: %s", here, *here ? " " : "", there);
	ck_assert_msg(!strcmp(all, r->left) || unlisted, "%s: \"%s\", not \"%s\"", r->name, all,
		      r->left);
	/* The drivers have what the records say, and no more. */
	ok(gt_content_walk(b.content, &b.call, count_blob, &files));
	ok(gt_snapshotter_walk(b.driver, &b.call, count_snapshot, &snapshots));
	ck_assert_msg(files == count(all, 'b') + unlisted, "%s: %zu files", r->name, files);
	ck_assert_msg(snapshots == count(all, 's'), "%s: %zu snapshots", r->name, snapshots);
	/* And there is nothing to do any more. */
	ok(gt_system_collect(b.s, &b.call, GT_COLLECT_SEARCH, &went));
	ck_assert_uint_eq(went.blobs + went.snapshots + went.images + went.leases + went.ingests +
				  went.orphans,
			  0);
	again = left("default");
	ck_assert_str_eq(here, again);
}
END_TEST

TCase *gc_rules_tests(void)
{
	TCase *t = tcase_create("gc-rules");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_rule, 0, (int)(sizeof(rules) / sizeof(rules[0])));
	return t;
}
