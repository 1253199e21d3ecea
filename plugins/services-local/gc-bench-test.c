/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For bench/gc.sh: makes a large store half of which is garbage, and collects it while others write.
 *
 *	gc-bench fill DIR IMAGES	each image: a manifest, a config, 8 layers, 2 snapshots
 *	gc-bench name DIR IMAGES [SOCKET]	the same, and each has a name; SOCKET: in that daemon's store
 *	gc-bench run DIR SECONDS	prints NAME VALUE lines: waits in microseconds
 *
 * A wait is the time that one durable change of the metadata takes, from the call to its answer. Writers
 * are two threads of the collecting process and one each of two others. They write for SECONDS with no
 * collection, which is what waits this disk and these processors make by themselves, then beside one, and
 * again without. Of a wait it is known how much of it somebody spent in the file system's hands, writing and
 * syncing the metadata: this program stands between LMDB and the C library. The rest was waiting for locks,
 * for a processor, and what we compute.
 */
#define _GNU_SOURCE
#include <config.h>

#include "core/config.h"
#include "core/host.h"
#include "core/slot.h"

#include <gantry/api-blobs.h>
#include <gantry/api-images.h>
#include <gantry/api-snapshots.h>
#include <gantry/api-system.h>
#include <gantry/buf.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAYERS 8
#define WAITS_MOST 1000000
#define SPANS_MOST 1000000
#define SPAN_LEAST 100000 /* nanoseconds: shorter ones are not looked at */
#define LONG 1000000 /* nanoseconds: what a wait of that length was spent on is looked at */
#define WRITERS 4
#define LIMIT 10000 /* microseconds: no wait should be longer */

struct bench {
	struct gt_config *config;
	struct gt_host *host;
	struct gt_services *s;
	struct gt_call call;
};

struct span {
	int64_t begin, end;
};

struct spans {
	_Atomic uint64_t n;
	struct span v[SPANS_MOST];
};

struct shared {
	atomic_bool end;
	_Atomic uint64_t n;
	_Atomic uint32_t waits[WAITS_MOST]; /* microseconds */
	struct spans long_waits, calls; /* calls: of the file system */
};

static void span_add(struct spans *s, int64_t begin, int64_t end)
{
	uint64_t at = atomic_fetch_add(&s->n, 1);

	if (at < SPANS_MOST)
		s->v[at] = (struct span){ begin, end };
}

/* The C library's functions take no argument of ours. */
static struct spans *calls;

/* A snapshotter's records lie in a file of their own, for which no writer of these waits. */
static bool is_metadata(int fd)
{
	gt_autofree char *link = gt_strf("/proc/self/fd/%d", fd);
	char path[4096];
	ssize_t n = readlink(link, path, sizeof(path));

	return n > 9 && !memcmp(path + n - 9, "/meta.mdb", 9);
}

static void called(int fd, int64_t begin)
{
	int64_t end = gt_now();

	if (calls && end - begin >= SPAN_LEAST && is_metadata(fd))
		span_add(calls, begin, end);
}

int fdatasync(int fd)
{
	int64_t begin = gt_now();
	int rc = (int)syscall(SYS_fdatasync, fd);

	called(fd, begin);
	return rc;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t off)
{
	int64_t begin = gt_now();
	ssize_t rc = syscall(SYS_pwrite64, fd, buf, n, off);

	called(fd, begin);
	return rc;
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	int64_t begin = gt_now();
	ssize_t rc = syscall(SYS_writev, fd, v, n);

	called(fd, begin);
	return rc;
}

static void die(struct gt_error *e, const char *what)
{
	if (!e)
		return;
	fprintf(stderr, "gc-bench: %s: %s\n", what, gt_error_text(e));
	exit(1);
}

static char *blob(struct bench *b, const char *text, const struct gt_labels *labels)
{
	gt_autoptr(gt_writer) w = NULL;
	char *digest;

	die(gt_blobs_writer(b->s, &b->call, text, NULL, &w), "open a blob");
	die(gt_writer_write(w, text, strlen(text)), "write a blob");
	die(gt_blobs_commit(b->s, &b->call, w, 0, NULL, labels, &digest), "commit a blob");
	return digest;
}

static void snapshot(struct bench *b, const char *name, const char *parent)
{
	gt_autofree char *key = gt_strf("extract %s", name);
	gt_auto(gt_mounts) mounts = { 0 };

	die(gt_snapshots_prepare(b->s, &b->call, NULL, key, parent, NULL, &mounts), "prepare");
	die(gt_snapshots_commit(b->s, &b->call, NULL, name, key, NULL), "commit a snapshot");
}

/* Image number 'n'; of one without a name all is garbage. */
static void image(struct bench *b, unsigned n, bool named)
{
	gt_auto(gt_labels) config = { 0 }, manifest = { 0 };
	gt_autofree char *base = gt_strf("base %u", n), *top = gt_strf("top %u", n);
	gt_autofree char *text = gt_strf("config %u", n), *text2 = gt_strf("manifest %u", n);
	gt_autofree char *name = gt_strf("image-%u", n);
	gt_autofree char *config_digest = NULL, *digest = NULL;
	struct gt_image i = { .name = name };

	snapshot(b, base, "");
	snapshot(b, top, base);
	gt_labels_set(&config, "containerd.io/gc.ref.snapshot.overlayfs", top);
	config_digest = blob(b, text, &config);
	gt_labels_set(&manifest, "containerd.io/gc.ref.content.config", config_digest);
	for (unsigned l = 0; l < LAYERS; l++) {
		gt_autofree char *layer = gt_strf("layer %u of %u", l, n);
		gt_autofree char *layer_digest = blob(b, layer, NULL);
		gt_autofree char *key = gt_strf("containerd.io/gc.ref.content.l.%u", l);

		gt_labels_set(&manifest, key, layer_digest);
	}
	digest = blob(b, text2, &manifest);
	if (!named)
		return;
	i.target.digest = digest;
	i.target.media_type = (char *)"application/vnd.oci.image.manifest.v1+json";
	i.target.size = (int64_t)strlen(text2);
	die(gt_images_create(b->s, &b->call, &i, NULL), "create an image");
}

/* 'socket': of the daemon that has it; "": it is opened here. */
static void open_store(struct bench *b, const char *dir, const char *durability, const char *socket)
{
	gt_autofree char *text = gt_strf(
		"root = \"%s/root\"; state = \"%s/state\"; plugin_path = [\"%s/.libs\"];\n"
		"durability = \"%s\";\n"
		"active: { content = \"content-local\"; metadata = \"metadata-lmdb\";\n"
		"  snapshotters = [\"snapshotter-overlay\"]; services = \"services-%s\";\n"
		"  runtimes = []; differs = []; frontends = []; };\n"
		"services-remote: { address = \"%s\"; };\n",
		dir, dir, getenv("abs_top_builddir"), durability, *socket ? "remote" : "local", socket);
	struct slot *slot;
	struct gt_error *e;

	*b = (struct bench){ .call = GT_CALL_INIT };
	b->call.ns = "default";
	die(gt_config_load(text, NULL, &b->config), "configuration");
	die(gt_host_open(b->config, false, &b->host), "host");
	pthread_mutex_lock(&b->host->lock);
	e = gt_slot_find(b->host, GT_SERVICES, NULL, &slot);
	if (!e)
		e = gt_slot_open(slot);
	pthread_mutex_unlock(&b->host->lock);
	die(e, "services");
	b->s = slot->instance;
}

static void bench_close(struct bench *b)
{
	gt_host_close(b->host);
	gt_config_free(b->config);
}

/* Those with an even number have a name, or all. */
static int fill(const char *dir, unsigned images, bool all, const char *socket)
{
	struct bench b;

	open_store(&b, dir, "fast", socket);
	for (unsigned n = 0; n < images; n++)
		image(&b, n, all || n % 2 == 0);
	bench_close(&b);
	return 0;
}

struct writer {
	struct bench *b;
	struct shared *shared;
	unsigned number;
};

/* An image that comes, changes and goes: small durable changes without end. */
static void *write_on(void *arg)
{
	struct writer *w = arg;
	gt_autofree char *name = gt_strf("writer-%u", w->number);
	struct gt_image i = { .name = name };
	struct gt_call call = w->b->call;
	bool there = false;

	i.target.digest = (char *)"sha256:"
				  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	i.target.media_type = (char *)"text/plain";
	i.target.size = 1;
	for (; !atomic_load(&w->shared->end); there = !there) {
		int64_t begin = gt_now(), took;
		uint64_t at;

		if (there)
			die(gt_images_remove(w->b->s, &call, name, false), "remove");
		else
			die(gt_images_create(w->b->s, &call, &i, NULL), "create");
		took = (gt_now() - begin) / 1000;
		at = atomic_fetch_add(&w->shared->n, 1);
		if (at < WAITS_MOST)
			atomic_store(&w->shared->waits[at], (uint32_t)took);
		if (took >= LONG / 1000)
			span_add(&w->shared->long_waits, begin, begin + took * 1000);
	}
	if (there)
		die(gt_images_remove(w->b->s, &call, name, false), "remove");
	return NULL;
}

/* A writer in a process of its own, which opens the store by itself. */
static pid_t write_apart(const char *dir, struct shared *shared, unsigned number)
{
	pid_t pid = fork();
	struct bench b;
	struct writer w = { .b = &b, .shared = shared, .number = number };

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_store(&b, dir, "full", "");
	write_on(&w);
	bench_close(&b);
	_exit(0);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int span_compare(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return (x->begin > y->begin) - (x->begin < y->begin);
}

static size_t spans_sort(struct spans *s)
{
	size_t n = s->n < SPANS_MOST ? s->n : SPANS_MOST;

	qsort(s->v, n, sizeof(*s->v), span_compare);
	return n;
}

/* How much of 'wait' calls of the file system took; two at the same time count once. */
static int64_t in_calls(const struct span *wait, const struct spans *s, size_t n)
{
	int64_t sum = 0, at = wait->begin;

	for (size_t i = 0; i < n && s->v[i].begin < wait->end; i++) {
		int64_t begin = s->v[i].begin > at ? s->v[i].begin : at;
		int64_t end = s->v[i].end < wait->end ? s->v[i].end : wait->end;

		if (end > begin) {
			sum += end - begin;
			at = end;
		}
	}
	return sum;
}

/* Of long waits: the longest share that was the file system's, and that was not. */
static void print_shares(const char *what, struct shared *s)
{
	size_t waits = spans_sort(&s->long_waits), n = spans_sort(&s->calls), over = 0;
	int64_t theirs = 0, ours = 0;

	for (size_t i = 0; i < waits; i++) {
		const struct span *w = &s->long_waits.v[i];
		int64_t in = in_calls(w, &s->calls, n), rest = w->end - w->begin - in;

		theirs = in > theirs ? in : theirs;
		ours = rest > ours ? rest : ours;
		over += rest > LIMIT * INT64_C(1000);
	}
	printf("%s_in_calls %lld\n%s_rest %lld\n%s_rest_over %zu\n", what, (long long)theirs / 1000,
	       what, (long long)ours / 1000, what, over);
	s->long_waits.n = s->calls.n = 0;
}

static void print_waits(const char *what, struct shared *s)
{
	uint64_t n = s->n < WAITS_MOST ? s->n : WAITS_MOST;
	uint32_t *v = (uint32_t *)s->waits;
	uint64_t within = n;

	qsort(v, n, sizeof(*v), compare);
	while (within && v[within - 1] > LIMIT)
		within--;
	printf("%s_changes %llu\n%s_median %u\n%s_p99 %u\n%s_longest %u\n%s_over %llu\n", what,
	       (unsigned long long)n, what, n ? v[n / 2] : 0, what, n ? v[n * 99 / 100] : 0, what,
	       n ? v[n - 1] : 0, what, (unsigned long long)(n - within));
	s->n = 0;
	print_shares(what, s);
}

struct collecting {
	struct bench *b;
	int seconds; /* 0: collect */
	struct gt_collected went;
};

/* What the writers write beside. */
static void beside(struct collecting *c)
{
	struct gt_call call = c->b->call;

	if (c->seconds)
		sleep((unsigned)c->seconds);
	else
		die(gt_system_collect(c->b->s, &call, 0, &c->went), "collect");
}

static void measure(const char *dir, struct shared *shared, struct collecting *c, const char *what)
{
	struct writer w[2];
	pthread_t threads[2];
	pid_t pids[WRITERS - 2];

	atomic_store(&shared->end, false);
	for (unsigned i = 2; i < WRITERS; i++)
		pids[i - 2] = write_apart(dir, shared, i);
	/* Here, since a process with threads does not fork well. */
	open_store(c->b, dir, "full", "");
	for (unsigned i = 0; i < 2; i++) {
		w[i] = (struct writer){ .b = c->b, .shared = shared, .number = i };
		if (pthread_create(&threads[i], NULL, write_on, &w[i]))
			exit(1);
	}
	beside(c);
	atomic_store(&shared->end, true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 2; i < WRITERS; i++)
		waitpid(pids[i - 2], NULL, 0);
	bench_close(c->b);
	print_waits(what, shared);
}

static int run(const char *dir, int seconds)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct bench b;
	struct collecting c = { .b = &b, .seconds = seconds };

	if (shared == MAP_FAILED)
		return 1;
	calls = &shared->calls;
	measure(dir, shared, &c, "alone");
	c.seconds = 0;
	measure(dir, shared, &c, "beside");
	c.seconds = seconds;
	measure(dir, shared, &c, "after");
	printf("blobs %llu\nsnapshots %llu\ntook %lld\nlongest_sweep %lld\n",
	       (unsigned long long)c.went.blobs, (unsigned long long)c.went.snapshots,
	       (long long)c.went.took / 1000, (long long)c.went.longest / 1000);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "fill"))
		return fill(argv[2], (unsigned)atoi(argv[3]), false, "");
	if ((argc == 4 || argc == 5) && !strcmp(argv[1], "name"))
		return fill(argv[2], (unsigned)atoi(argv[3]), true, argc == 5 ? argv[4] : "");
	if (argc == 4 && !strcmp(argv[1], "run"))
		return run(argv[2], atoi(argv[3]));
	fprintf(stderr, "usage: gc-bench fill DIR IMAGES | name DIR IMAGES [SOCKET] | run DIR SECONDS\n");
	return 2;
}
