/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ops of a resolver from a command line, for the tests: each flag is a field of the request's
 * options or an option of the plugin. Prints what came of it on stdout, the error on stderr.
 *
 *   resolver-tool MODULE.so [FLAG]... resolve REF
 *   resolver-tool MODULE.so [FLAG]... fetch REF DIGEST SIZE TYPE FILE [OFFSET [URL]...]
 *   resolver-tool MODULE.so [FLAG]... push REF FILE TYPE
 *
 * The status is 0, or 100 and the error's class, which the error's name precedes on stderr.
 */
#include <config.h>

#include <core/host.h>

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/hash.h>
#include <gantry/resolver.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define BLOCK (1024 * 1024)

struct tool {
	struct gt_resolver *r;
	struct gt_call call;
	struct gt_registry_options o;
	struct gt_labels headers;
	struct gt_strv from;
	struct gt_strv plugin; /* options of the plugin */
	int parallel;
	size_t block;
	bool again; /* resolves twice: what was learned is used */
	int cancel_ms;
};

static struct gt_error *resolve(struct tool *t, char **args)
{
	struct gt_resolved r;

	for (int i = 0; i <= t->again; i++) {
		GT_TRY(gt_resolver_resolve(t->r, &t->call, args[0], &t->o, &r));
		printf("%s %s %" PRId64 " %s\n", r.desc.digest, r.desc.media_type, r.desc.size, r.host);
		gt_resolved_done(&r);
	}
	return NULL;
}

struct fetch {
	struct tool *t;
	char **args;
	int fd;
	struct gt_error *e;
};

static struct gt_error *fetch_to(struct tool *t, char **args, int fd)
{
	struct gt_descriptor d = { .digest = args[1], .size = strtoll(args[2], NULL, 10),
				   .media_type = args[3] };
	int64_t off = args[4] && args[5] ? strtoll(args[5], NULL, 10) : 0;
	gt_autoptr(gt_reader) reader = NULL;
	gt_autofree char *block = gt_xmalloc(t->block);
	struct gt_error *e = NULL;
	size_t n = 1;

	for (char **u = args[4] && args[5] ? args + 6 : NULL; u && *u; u++)
		gt_strv_add(&d.urls, *u);
	GT_TRY(gt_resolver_fetch(t->r, &t->call, args[0], &d, &t->o, &reader));
	while (!e && n) {
		e = gt_reader_pread(reader, block, t->block, off, &n);
		off += n;
		if (!e && fd >= 0)
			e = gt_file_write_all(fd, block, n, args[4]);
	}
	gt_strv_done(&d.urls);
	return e;
}

static void *fetch_main(void *arg)
{
	struct fetch *f = arg;

	f->e = fetch_to(f->t, f->args, f->fd);
	return NULL;
}

/* The same blob in as many threads as asked for; the first writes it to the file. */
static struct gt_error *fetch(struct tool *t, char **args)
{
	pthread_t threads[64];
	struct fetch jobs[64];
	struct gt_error *e = NULL;
	gt_autofd int fd = open(args[4], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open %s", args[4]);
	for (int i = 0; i < t->parallel; i++) {
		jobs[i] = (struct fetch){ .t = t, .args = args, .fd = i ? -1 : fd };
		pthread_create(&threads[i], NULL, fetch_main, &jobs[i]);
	}
	for (int i = 0; i < t->parallel; i++) {
		pthread_join(threads[i], NULL);
		e = gt_error_first(e, jobs[i].e);
	}
	return e;
}

struct file_reader {
	struct gt_reader base;
	int fd;
	int64_t size;
};

static struct gt_error *file_pread(struct gt_reader *r, void *buf, size_t len, int64_t off,
				   size_t *out)
{
	ssize_t n = pread(((struct file_reader *)r)->fd, buf, len, off);

	if (n < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "read");
	*out = n;
	return NULL;
}

static int64_t file_length(struct gt_reader *r)
{
	return ((struct file_reader *)r)->size;
}

static void file_close(struct gt_reader *r)
{
	(void)r;
}

static void on_progress(void *arg, int64_t done)
{
	(void)arg;
	fprintf(stderr, "progress %" PRId64 "\n", done);
}

static struct gt_error *push(struct tool *t, char **args)
{
	static const struct gt_reader_ops ops = {
		.size = sizeof(ops), .pread = file_pread, .length = file_length, .close = file_close
	};
	static const char *const ends[] = { "", "sent", "existed", "mounted" };
	struct gt_push_options p = GT_PUSH_OPTIONS_INIT;
	gt_autofd int fd = open(args[1], O_RDONLY | O_CLOEXEC);
	struct file_reader reader = { .base.ops = &ops, .fd = fd };
	gt_autoptr(gt_hash) hash = NULL;
	gt_autofree char *digest = NULL;
	struct gt_descriptor d = { .media_type = args[2] };
	enum gt_push_end end;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return gt_error_errno(GT_NOT_FOUND, errno, "open %s", args[1]);
	GT_TRY(gt_hash_new("sha256", &hash));
	GT_TRY(gt_hash_add_file(hash, fd, 0, st.st_size, &t->call));
	digest = gt_hash_digest(hash);
	d.digest = digest;
	d.size = reader.size = st.st_size;
	p.from = &t->from;
	p.progress = on_progress;
	GT_TRY(gt_resolver_push(t->r, &t->call, args[0], &d, &reader.base, &t->o, &p, &end));
	printf("%s %s\n", ends[end], digest);
	return NULL;
}

static void header_add(struct tool *t, char *text)
{
	char *eq = strchr(text, '=');

	*eq = '\0';
	gt_labels_set(&t->headers, text, eq + 1);
	t->o.headers = &t->headers;
}

static void *cancel_main(void *arg)
{
	struct tool *t = arg;

	usleep(t->cancel_ms * 1000);
	gt_cancel_set(t->call.cancel);
	return NULL;
}

static void line(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

static int flags(struct tool *t, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "user", required_argument, NULL, 'u' },      { "token", required_argument, NULL, 'i' },
		{ "hosts-dir", required_argument, NULL, 'h' }, { "plain-http", no_argument, NULL, 'p' },
		{ "skip-verify", no_argument, NULL, 'k' },     { "ca", required_argument, NULL, 'c' },
		{ "cert", required_argument, NULL, 'C' },      { "key", required_argument, NULL, 'K' },
		{ "header", required_argument, NULL, 'H' },    { "dump", no_argument, NULL, 'd' },
		{ "trace", no_argument, NULL, 't' },	       { "option", required_argument, NULL, 'o' },
		{ "from", required_argument, NULL, 'f' },      { "parallel", required_argument, NULL, 'P' },
		{ "block", required_argument, NULL, 'b' },     { "again", no_argument, NULL, 'a' },
		{ "deadline-ms", required_argument, NULL, 'D' }, { "cancel-ms", required_argument, NULL, 'x' },
		{ 0 },
	};
	char *colon;
	int c;

	while ((c = getopt_long(argc, argv, "+", longs, NULL)) >= 0) {
		switch (c) {
		case 'u':
			colon = strchr(optarg, ':');
			if (colon)
				*colon = '\0';
			t->o.user = optarg;
			t->o.password = colon ? colon + 1 : "";
			break;
		case 'i': t->o.identity_token = optarg; break;
		case 'h': t->o.hosts_dir = optarg; break;
		case 'p': t->o.plain_http = true; break;
		case 'k': t->o.skip_verify = true; break;
		case 'c': t->o.ca = optarg; break;
		case 'C': t->o.cert = optarg; break;
		case 'K': t->o.key = optarg; break;
		case 'H': header_add(t, optarg); break;
		case 'd': t->o.http_dump = true; break;
		case 't': t->o.http_trace = true; break;
		case 'o': gt_strv_add(&t->plugin, optarg); break;
		case 'f': gt_strv_add(&t->from, optarg); break;
		case 'P': t->parallel = (int)strtol(optarg, NULL, 10); break;
		case 'b': t->block = strtoull(optarg, NULL, 10); break;
		case 'a': t->again = true; break;
		case 'D': t->call.deadline = gt_now() + strtoll(optarg, NULL, 10) * 1000000; break;
		case 'x': t->cancel_ms = (int)strtol(optarg, NULL, 10); break;
		default: exit(2);
		}
	}
	return optind;
}

int main(int argc, char **argv)
{
	struct tool t = { .call = GT_CALL_INIT, .o = GT_REGISTRY_OPTIONS_INIT, .parallel = 1,
			  .block = BLOCK };
	char root[] = "/tmp/gantry-resolver-tool.XXXXXX";
	struct gt_error *e = NULL;
	struct gt_host *host;
	enum gt_kind kind;
	pthread_t canceller;
	struct rusage usage;
	void *instance;
	int status;

	const char *module = argc > 1 ? argv[1] : "";

	argv += argc > 1 ? flags(&t, argc - 1, argv + 1) + 1 : 1; /* MODULE stands where getopt has its program */
	if (!argv[0] || !argv[1] || !mkdtemp(root))
		return 2;
	t.o.line = line;
	t.call.cancel = gt_cancel_new();
	e = gt_host_open_file(module, root, &t.plugin, GT_DURABILITY_FULL, &host, &kind, &instance);
	if (e)
		host = NULL;
	t.r = instance;
	if (t.cancel_ms)
		pthread_create(&canceller, NULL, cancel_main, &t);
	if (!e)
		e = !strcmp(argv[0], "resolve") ? resolve(&t, argv + 1)
		    : !strcmp(argv[0], "fetch") ? fetch(&t, argv + 1)
						: push(&t, argv + 1);
	if (t.cancel_ms)
		pthread_join(canceller, NULL);
	if (host)
		gt_host_close(host);
	status = e ? 100 + gt_error_class(e) : 0;
	if (e)
		fprintf(stderr, "%s: %s\n", gt_class_name(gt_error_class(e)), gt_error_text(e));
	gt_error_free(e);
	getrusage(RUSAGE_SELF, &usage);
	fprintf(stderr, "maxrss %ld kB\n", usage.ru_maxrss);
	gt_cancel_free(t.call.cancel);
	gt_labels_done(&t.headers);
	gt_strv_done(&t.from);
	gt_strv_done(&t.plugin);
	gt_error_free(gt_file_remove_tree(AT_FDCWD, root));
	return status;
}
