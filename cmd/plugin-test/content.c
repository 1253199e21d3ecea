/* SPDX-License-Identifier: Apache-2.0 */
/* Kind content: what <gantry/content.h> says, in one process and one thread. */
#include <config.h>

#include "content.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define ABC_256 "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_384                                                                                   \
	"sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"                  \
	"8086072ba1e7cc2358baeca134c825a7"
#define ABC_512                                                                                   \
	"sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                  \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
#define EMPTY_256 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define NONE_256 "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static void test_absent(struct gt_content *c)
{
	static const char *const bad[] = {
		"", "sha256", "sha256:", "sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e",
		"sha256:../../../etc/passwd",
		"sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
		ABC_256 "0", "sha512:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	};
	struct gt_call call = GT_CALL_INIT;
	struct gt_ingest_info ingest;
	struct gt_blob_info info;
	struct gt_reader *r;
	struct gt_writer *w;

	suite_class(gt_content_info(c, &call, NONE_256, &info), GT_NOT_FOUND, "info: unknown blob");
	suite_class(gt_content_reader(c, &call, NONE_256, &r), GT_NOT_FOUND,
		    "reader: unknown blob");
	suite_class(gt_content_remove(c, &call, NONE_256), GT_NOT_FOUND, "remove: unknown blob");
	suite_class(gt_content_status(c, &call, "none", &ingest), GT_NOT_FOUND,
		    "status: unknown ingest");
	suite_class(gt_content_abort(c, &call, "none"), GT_NOT_FOUND, "abort: unknown ingest");
	suite_class(gt_content_writer(c, &call, "", 0, NULL, &w), GT_INVALID_ARGUMENT,
		    "writer: empty ref");
	suite_class(gt_content_status(c, &call, "", &ingest), GT_INVALID_ARGUMENT,
		    "status: empty ref");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		suite_class(gt_content_info(c, &call, bad[i], &info), GT_INVALID_ARGUMENT,
			    "info: digest '%s'", bad[i]);
		suite_class(gt_content_writer(c, &call, "bad", 0, bad[i], &w), GT_INVALID_ARGUMENT,
			    "writer: digest '%s'", bad[i]);
	}
}

static void test_known_digests(struct gt_content *c)
{
	static const struct {
		const char *data, *digest;
	} known[] = { { "abc", ABC_256 }, { "abc", ABC_384 }, { "abc", ABC_512 }, { "", EMPTY_256 } };
	struct gt_call call = GT_CALL_INIT;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		size_t len = strlen(known[i].data);
		gt_autoptr(gt_writer) w = NULL;
		gt_autofree char *digest = NULL;
		struct gt_blob_info info = { 0 };

		if (!suite_class(gt_content_writer(c, &call, "known", len, known[i].digest, &w),
				 GT_OK, "writer for %.20s...", known[i].digest))
			continue;
		suite_class(gt_writer_write(w, known[i].data, len), GT_OK, "write %zu bytes", len);
		suite_class(gt_content_info(c, &call, known[i].digest, &info), GT_NOT_FOUND,
			    "the blob is not there before commit");
		suite_class(gt_writer_commit(w, len, known[i].digest, &digest), GT_OK, "commit");
		suite_ok(digest && !strcmp(digest, known[i].digest), "commit tells the digest");
		if (suite_class(gt_content_info(c, &call, known[i].digest, &info), GT_OK, "info")) {
			suite_ok(info.size == (int64_t)len && !strcmp(info.digest, known[i].digest) &&
					 info.created_at.tv_sec > 0,
				 "info tells digest, size and time");
			gt_blob_info_done(&info);
		}
		suite_class(gt_content_remove(c, &call, known[i].digest), GT_OK, "remove");
		suite_class(gt_content_info(c, &call, known[i].digest, &info), GT_NOT_FOUND,
			    "the blob is gone");
	}
}

static void test_other_algorithm(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_writer) w = NULL;
	struct gt_blob_info info = { 0 };

	if (!suite_class(gt_content_writer(c, &call, "late", 0, NULL, &w), GT_OK, "writer"))
		return;
	suite_class(gt_writer_write(w, "abc", 3), GT_OK, "write");
	suite_class(gt_writer_commit(w, 0, ABC_512, NULL), GT_OK,
		    "an algorithm that only commit names");
	suite_class(gt_content_info(c, &call, ABC_512, &info), GT_OK, "the blob is there");
	gt_blob_info_done(&info);
	suite_class(gt_content_remove(c, &call, ABC_512), GT_OK, "remove");
}

static void test_mismatch(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_writer) w = NULL;
	struct gt_ingest_info info = { 0 };
	struct gt_error *e;

	if (!suite_class(gt_content_writer(c, &call, "mismatch", 0, NULL, &w), GT_OK, "writer"))
		return;
	suite_class(gt_writer_write(w, "abc", 3), GT_OK, "write");
	e = gt_writer_commit(w, 4, NULL, NULL);
	suite_ok(strstr(gt_error_text(e), "unexpected commit size 3, expected 4"),
		 "the text names both sizes");
	suite_class(e, GT_FAILED_PRECONDITION, "commit: wrong size");
	e = gt_writer_commit(w, 0, EMPTY_256, NULL);
	suite_ok(strstr(gt_error_text(e), "unexpected commit digest " ABC_256 ", expected " EMPTY_256),
		 "the text names both digests");
	suite_class(e, GT_FAILED_PRECONDITION, "commit: wrong digest");
	suite_class(gt_writer_commit(w, 0, "sha256:x", NULL), GT_INVALID_ARGUMENT,
		    "commit: malformed digest");
	suite_class(gt_content_status(c, &call, "mismatch", &info), GT_OK, "the ingest stays");
	suite_ok(info.offset == 3, "with its bytes");
	gt_ingest_info_done(&info);
	suite_class(gt_writer_commit(w, 3, ABC_256, NULL), GT_OK, "and can be committed yet");
	suite_class(gt_content_status(c, &call, "mismatch", &info), GT_NOT_FOUND,
		    "commit ends the ingest");
}

/* Continues with ABC_256 there. */
static void test_exists(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_writer) w = NULL;
	struct gt_writer *none = NULL;
	struct gt_ingest_info info = { 0 };
	struct gt_blob_info blob = { 0 };

	suite_class(gt_content_writer(c, &call, "exists", 0, ABC_256, &none), GT_ALREADY_EXISTS,
		    "writer: the blob is there");
	if (!suite_class(gt_content_writer(c, &call, "exists", 0, NULL, &w), GT_OK, "writer"))
		return;
	suite_class(gt_writer_write(w, "abc", 3), GT_OK, "write");
	suite_class(gt_writer_commit(w, 3, NULL, NULL), GT_ALREADY_EXISTS,
		    "commit: the blob is there");
	suite_class(gt_content_status(c, &call, "exists", &info), GT_NOT_FOUND,
		    "the ingest is dropped");
	suite_class(gt_content_info(c, &call, ABC_256, &blob), GT_OK, "the blob stays");
	gt_blob_info_done(&blob);
}

static void test_total(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_writer) w = NULL;
	struct gt_ingest_info info = { 0 };

	if (!suite_class(gt_content_writer(c, &call, "total", 4, NULL, &w), GT_OK, "writer"))
		return;
	suite_class(gt_writer_write(w, "abc", 3), GT_OK, "write below the total");
	suite_class(gt_writer_write(w, "de", 2), GT_OUT_OF_RANGE, "write beyond the total");
	suite_class(gt_writer_status(w, &info), GT_OK, "status of the writer");
	suite_ok(info.offset == 3 && info.total == 4 && info.ref && !strcmp(info.ref, "total"),
		 "offset, total and ref are right");
	gt_ingest_info_done(&info);
	suite_class(gt_writer_write(w, "d", 1), GT_OK, "write up to the total");
	suite_class(gt_writer_write(w, "e", 1), GT_OUT_OF_RANGE, "not one byte more");
	gt_writer_free(gt_steal(&w));
	suite_class(gt_content_status(c, &call, "total", &info), GT_OK, "status after close");
	suite_ok(info.offset == 4 && info.total == 4, "offset and total are kept");
	gt_ingest_info_done(&info);
	suite_class(gt_content_writer(c, &call, "total", -1, NULL, &w), GT_INVALID_ARGUMENT,
		    "writer: negative total");
	suite_class(gt_content_abort(c, &call, "total"), GT_OK, "abort");
}

struct seen {
	const char *name;
	int times, all;
};

static struct gt_error *see_ingest(void *arg, const struct gt_ingest_info *info)
{
	struct seen *s = arg;

	s->all++;
	s->times += !strcmp(info->ref, s->name);
	return NULL;
}

static struct gt_error *see_blob(void *arg, const struct gt_blob_info *info)
{
	struct seen *s = arg;

	s->all++;
	s->times += !strcmp(info->digest, s->name);
	return NULL;
}

static struct gt_error *refuse_blob(void *arg, const struct gt_blob_info *info)
{
	(void)info;
	++*(int *)arg;
	return gt_error_new(GT_ABORTED, "enough");
}

static void test_lock(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_writer) w = NULL;
	struct gt_writer *second = NULL;
	struct seen seen = { .name = "locked" };
	struct gt_error *e;

	if (!suite_class(gt_content_writer(c, &call, "locked", 0, NULL, &w), GT_OK, "writer"))
		return;
	e = gt_content_writer(c, &call, "locked", 0, NULL, &second);
	suite_ok(strstr(gt_error_text(e), "locked"), "the text says that the ref is locked");
	suite_class(e, GT_UNAVAILABLE, "writer: a second one for the ref");
	suite_class(gt_content_abort(c, &call, "locked"), GT_UNAVAILABLE,
		    "abort while it is written");
	suite_class(gt_content_walk_ingests(c, &call, see_ingest, &seen), GT_OK, "walk_ingests");
	suite_ok(seen.times == 1 && seen.all == 1, "an ingest is listed while it is written");
	gt_writer_free(gt_steal(&w));
	seen.times = 0;
	suite_class(gt_content_walk_ingests(c, &call, see_ingest, &seen), GT_OK, "walk_ingests");
	suite_ok(seen.times == 1, "and when its writer is closed");
	suite_class(gt_content_abort(c, &call, "locked"), GT_OK, "abort");
	seen.times = 0;
	suite_class(gt_content_walk_ingests(c, &call, see_ingest, &seen), GT_OK, "walk_ingests");
	suite_ok(seen.times == 0, "but not when it is aborted");
}

static void test_resume(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_writer) w = NULL;
	gt_autofree char *data = content_bytes(7, 300000), *want = gt_digest_of(data, 300000);
	gt_autofree char *half = gt_digest_of(data, 100000), *got = NULL;
	struct gt_ingest_info info = { 0 }, before = { 0 };

	if (!suite_class(gt_content_writer(c, &call, "resume", 300000, NULL, &w), GT_OK, "writer"))
		return;
	suite_class(gt_writer_write(w, data, 100000), GT_OK, "write a third");
	suite_class(gt_writer_status(w, &before), GT_OK, "status");
	gt_writer_free(gt_steal(&w));
	if (!suite_class(gt_content_writer(c, &call, "resume", 0, NULL, &w), GT_OK,
			 "a second writer for the ref"))
		return;
	suite_class(gt_writer_status(w, &info), GT_OK, "status");
	suite_ok(info.offset == 100000 && info.total == 300000, "it goes on where the first was");
	suite_ok(info.started_at.tv_sec == before.started_at.tv_sec &&
			 info.started_at.tv_nsec == before.started_at.tv_nsec,
		 "the time of the start is that of the first");
	gt_ingest_info_done(&info);
	gt_ingest_info_done(&before);
	suite_class(gt_writer_digest(w, &got), GT_OK, "digest");
	suite_ok(got && !strcmp(got, half), "it is that of what is stored");
	suite_class(gt_writer_write(w, data + 100000, 200000), GT_OK, "write the rest");
	suite_class(gt_writer_commit(w, 300000, want, NULL), GT_OK, "commit");
	suite_ok(content_verify(c, want), "the blob is right");
}

static void test_truncate(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_writer) w = NULL;
	gt_autofree char *data = content_bytes(8, 50000), *want = NULL;
	gt_autoptr(gt_error) e = NULL;
	gt_autoptr(gt_error) cut = NULL;
	gt_auto(gt_buf) kept = GT_BUF_INIT;

	gt_buf_add(&kept, data, 12345);
	gt_buf_add(&kept, "tail", 4);
	want = gt_digest_of(kept.s, kept.len);
	if (!suite_class(gt_content_writer(c, &call, "truncate", 0, NULL, &w), GT_OK, "writer"))
		return;
	suite_class(gt_writer_write(w, "xyz", 3), GT_OK, "write");
	suite_class(gt_writer_truncate(w, 0), GT_OK, "truncate to nothing");
	suite_class(gt_writer_write(w, data, 50000), GT_OK, "write");
	e = gt_writer_truncate(w, 50001);
	suite_ok(e != NULL, "truncate does not lengthen");
	cut = gt_writer_truncate(w, 12345);
	if (gt_error_class(cut) == GT_UNIMPLEMENTED) { /* so it must be as it was */
		suite_skip("this store cuts to nothing only", "truncate to a part");
		suite_class(gt_writer_truncate(w, 0), GT_OK, "truncate to nothing once more");
		suite_class(gt_writer_write(w, data, 12345), GT_OK, "write");
	} else {
		suite_class(gt_steal(&cut), GT_OK, "truncate to a part");
	}
	suite_class(gt_writer_write(w, "tail", 4), GT_OK, "write");
	suite_class(gt_writer_commit(w, 12349, want, NULL), GT_OK, "commit what is left");
	suite_ok(content_verify(c, want), "the blob is right");
}

static void test_write_from(struct gt_content *c, const char *dir)
{
	struct gt_call call = GT_CALL_INIT;
	const size_t len = 3 * 1024 * 1024 + 17;
	gt_autoptr(gt_writer) w = NULL;
	gt_autofree char *data = content_bytes(9, len), *want = gt_digest_of(data + 5, len - 10);
	gt_autofree char *path = gt_strf("%s/source", dir);
	gt_autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (!suite_class(gt_file_write_all(fd, data, len, path), GT_OK, "a file to copy") ||
	    !suite_class(gt_content_writer(c, &call, "from", len - 10, NULL, &w), GT_OK, "writer"))
		return;
	suite_class(gt_writer_write_from(w, &call, fd, 5, 1000), GT_OK, "write_from: a part");
	suite_class(gt_writer_write_from(w, &call, fd, 1005, len - 10), GT_OUT_OF_RANGE,
		    "write_from: more than the total");
	suite_class(gt_writer_write_from(w, &call, fd, 1005, len - 1010), GT_OK,
		    "write_from: the rest");
	suite_class(gt_writer_commit(w, len - 10, want, NULL), GT_OK, "commit");
	suite_ok(content_verify(c, want), "the blob is right");
	gt_writer_free(gt_steal(&w));
	if (!suite_class(gt_content_writer(c, &call, "short", 0, NULL, &w), GT_OK, "writer"))
		return;
	suite_class(gt_writer_write_from(w, &call, fd, len - 10, 11), GT_OUT_OF_RANGE,
		    "write_from: the file ends early");
	gt_writer_free(gt_steal(&w));
	suite_class(gt_content_abort(c, &call, "short"), GT_OK, "abort");
}

static void test_reader(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autofree char *data = content_bytes(10, 70000), *digest = NULL, *all = NULL;
	gt_autoptr(gt_reader) r = NULL;
	gt_autoptr(gt_error) e = NULL;
	char part[16];
	size_t n = 99;

	if (!suite_class(content_store(c, "reader", data, 70000, &digest), GT_OK, "store") ||
	    !suite_class(gt_content_reader(c, &call, digest, &r), GT_OK, "reader"))
		return;
	suite_ok(gt_reader_length(r) == 70000, "length");
	suite_class(gt_reader_pread(r, part, sizeof(part), 1234, &n), GT_OK, "pread");
	suite_ok(n == sizeof(part) && !memcmp(part, data + 1234, n), "it answers with the bytes");
	suite_class(gt_reader_pread(r, part, sizeof(part), 69990, &n), GT_OK, "pread at the end");
	suite_ok(n > 0 && n <= 10 && !memcmp(part, data + 69990, n), "it answers with what is left");
	suite_class(gt_reader_pread(r, part, sizeof(part), 70000, &n), GT_OK, "pread at the very end");
	suite_ok(n == 0, "it answers with nothing");
	if (gt_reader_fd(r) >= 0) {
		int flags = fcntl(gt_reader_fd(r), F_GETFL);
		struct stat st;

		suite_ok((flags & O_ACCMODE) == O_RDONLY, "the reader's descriptor is read-only");
		suite_ok(fcntl(gt_reader_fd(r), F_GETFD) & FD_CLOEXEC, "and closed on exec");
		suite_ok(fstat(gt_reader_fd(r), &st) == 0 && S_ISREG(st.st_mode) &&
				 st.st_size == 70000 && !(st.st_mode & 0222),
			 "and of a file that nobody may write");
	} else {
		suite_skip("this store has none", "the reader's descriptor");
	}
	suite_class(gt_content_remove(c, &call, digest), GT_OK, "remove under the reader");
	e = gt_reader_all(r, 70000, &all, &n);
	if (gt_error_class(e) == GT_NOT_FOUND && gt_reader_fd(r) < 0) {
		suite_skip("its bytes lie elsewhere", "the reader goes on");
	} else {
		suite_class(gt_steal(&e), GT_OK, "the reader goes on");
		suite_ok(n == 70000 && !memcmp(all, data, n), "with the right bytes");
	}
	gt_error_free(gt_steal(&e));
	e = gt_reader_all(r, 69999, &all, &n);
	suite_ok(gt_error_class(e) == GT_RESOURCE_EXHAUSTED, "a limit is kept");
	suite_class(content_store(c, "reader", data, 70000, NULL), GT_OK, "store it again");
}

static void test_walk(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autofree char *digest = NULL;
	struct seen seen;
	int times = 0;

	if (!suite_class(content_store(c, "walk", "walk", 4, &digest), GT_OK, "store"))
		return;
	seen = (struct seen){ .name = digest };
	suite_class(gt_content_walk(c, &call, see_blob, &seen), GT_OK, "walk");
	suite_ok(seen.times == 1 && seen.all > 1, "each blob comes once");
	suite_class(gt_content_walk(c, &call, refuse_blob, &times), GT_ABORTED,
		    "walk returns the function's error");
	suite_ok(times == 1, "and ends there");
}

static void test_refs(struct gt_content *c)
{
	static const char *const refs[] = { "k8s.io/12/layer-sha256:00", "../../escape", "a\nb",
					    "/", "." };
	struct gt_call call = GT_CALL_INIT;

	for (size_t i = 0; i < sizeof(refs) / sizeof(*refs); i++) {
		gt_autoptr(gt_writer) w = NULL;
		struct gt_ingest_info info = { 0 };

		if (!suite_class(gt_content_writer(c, &call, refs[i], 0, NULL, &w), GT_OK,
				 "any string is a ref (%zu)", i))
			continue;
		gt_writer_free(gt_steal(&w));
		suite_class(gt_content_status(c, &call, refs[i], &info), GT_OK, "status (%zu)", i);
		suite_ok(info.ref && !strcmp(info.ref, refs[i]), "it is the same ref (%zu)", i);
		gt_ingest_info_done(&info);
		suite_class(gt_content_abort(c, &call, refs[i]), GT_OK, "abort (%zu)", i);
	}
}

void suite_content(struct gt_content *c, const char *dir)
{
	test_absent(c);
	test_known_digests(c);
	test_other_algorithm(c);
	test_mismatch(c);
	test_exists(c);
	test_total(c);
	test_lock(c);
	test_resume(c);
	test_truncate(c);
	test_write_from(c, dir);
	test_reader(c);
	test_walk(c);
	test_refs(c);
	content_many(c, dir);
}
