/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are read back, or that somebody else wrote, and what programs print on their end. The first
 * byte says which; the rest is the file, or the output.
 */
#include <config.h>

#include "fuzz/fuzz.h"

#include <cni/cni.h>
#include <cni/plugin.h>
#include <cni/record.h>
#include <gantry/buf.h>
#include <gantry/file.h>
#include <journal/format.h>
#include <oci/json.h>
#include <oci/spec.h>
#include <oci/user.h>
#include <outlog/outlog.h>
#include <shim/endpoint.h>

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder;

static void folder_remove(void)
{
	gt_error_free(gt_file_remove_tree(AT_FDCWD, folder));
	free(folder);
}

static void folder_make(void)
{
	const char *tmp = getenv("TMPDIR");
	gt_autofree char *etc = NULL;

	folder = gt_strf("%s/fuzz-files.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(folder))
		abort();
	etc = gt_strf("%s/etc", folder);
	if (mkdir(etc, 0755))
		abort();
	atexit(folder_remove);
}

static char *file_put(const char *name, const void *data, size_t len)
{
	char *path = gt_strf("%s/%s", folder, name);
	gt_autofd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || gt_file_write_all(fd, data, len, path))
		abort();
	return path;
}

static void file_drop(char *path)
{
	unlink(path);
	free(path);
}

static void journal_read_all(const char *path, uint64_t after, size_t most)
{
	gt_autoptr(gt_journal) j = NULL;
	struct gt_journal_record r = { 0 };
	struct gt_error *e = gt_journal_open(path, after, &j);
	bool found = true;

	while (!e && found) {
		e = gt_journal_next(j, &r, &found);
		assert(e || !found || (r.len <= GT_JOURNAL_RECORD_MAX && most--));
	}
	gt_error_free(e);
}

/* Read from the beginning, appended to, and read again from the middle; as the older file, too. */
static void journal(const void *data, size_t size)
{
	char *path = file_put("journal", data, size), *older = file_put("journal.1", data, size);
	uint64_t seq = 0;

	journal_read_all(path, 0, size);
	gt_error_free(gt_journal_append(path, 0, "more", 4, 0, &seq));
	journal_read_all(path, seq ? seq - 1 : 0, size + 1);
	file_drop(path);
	file_drop(older);
}

static uint64_t number(const uint8_t **p, const uint8_t *end)
{
	uint64_t v = 0;

	for (int i = 0; i < 8 && *p < end; i++)
		v = v << 8 | *(*p)++;
	return v;
}

/* With checksums that are right: numbers of the head, then number, length (a byte) and bytes of records. */
static void journal_sound(const uint8_t *p, size_t size)
{
	const uint8_t *end = p + size;
	struct journal_head h = { .first = number(&p, end) };
	gt_auto(gt_buf) file = GT_BUF_INIT;

	h.limit = number(&p, end);
	h.end = number(&p, end);
	h.last = number(&p, end);
	journal_head_pack(&h, (uint8_t *)gt_buf_reserve(&file, JOURNAL_HEAD));
	gt_buf_setlen(&file, JOURNAL_HEAD);
	while (end - p > 8) {
		uint64_t seq = number(&p, end);
		size_t len = *p++;

		if (len > (size_t)(end - p))
			len = (size_t)(end - p);
		journal_record_pack(seq, p, len, &file);
		p += len;
	}
	journal(file.s, file.len);
}

static void outlog(const uint8_t *data, size_t size)
{
	char *path = file_put("log", data, size), *older = file_put("log.1", data, size / 2);
	gt_autoptr(gt_outlog_reader) r = NULL;
	struct gt_outlog_entry entry;
	size_t n = 0;

	if (gt_outlog_reader_new(path, &r))
		abort();
	while (gt_outlog_next(r, &entry)) {
		assert(entry.at.tv_nsec >= 0 && entry.at.tv_nsec < 1000000000);
		assert(!memchr(entry.bytes, '\n', entry.len) && ++n <= size);
	}
	file_drop(path);
	file_drop(older);
}

static void endpoint(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "address", "bootstrap.json" };

	for (size_t i = 0; i < 2; i++) {
		char *path = file_put(names[i], data, size);
		gt_autofd int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct gt_shim_endpoint p = { 0 };
		struct gt_error *e = gt_shim_endpoint_load(dir, &p);

		assert(e || (*p.address && (p.version == 2 || p.version == 3)));
		gt_error_free(e);
		gt_shim_endpoint_done(&p);
		file_drop(path);
	}
}

static void network_record(const uint8_t *data, size_t size)
{
	char *path = file_put("c:eth0", data, size);
	struct gt_cni cni = { .records = folder, .timeout = INT64_C(1000000000) };
	struct gt_call call = GT_CALL_INIT;
	struct gt_cni_record r = { 0 };
	struct gt_error *e = gt_cni_record_read(&cni, "c", "eth0", &r);

	assert(e || (r.network && r.attachment.netns));
	gt_error_free(e);
	gt_cni_record_done(&r);
	/* There are no plugins. */
	gt_error_free(gt_cni_check(&cni, &call, "c", "", "eth0"));
	gt_error_free(gt_cni_del(&cni, &call, "c", "", "eth0"));
	file_drop(path);
}

static void network_answer(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 0, 1 << 8, 9 };

	for (size_t i = 0; i < 3; i++) {
		gt_auto(gt_buf) said = GT_BUF_INIT;
		gt_autojson doc = NULL;
		struct gt_error *e;

		gt_buf_add(&said, data, size);
		e = gt_cni_plugin_answer(&said, statuses[i], &doc);
		assert(e || (!statuses[i] && (!doc || json_is_object(doc))));
		for (const char *p = gt_error_text(e); statuses[i] && *p; p++)
			assert((unsigned char)*p >= ' ');
		gt_error_free(e);
	}
}

static void users(const uint8_t *data, size_t size)
{
	static const char *const who[] = { "a", "a:b", "7", "7:b", "0:0" };
	char *passwd = file_put("etc/passwd", data, size), *group = file_put("etc/group", data, size);
	gt_autofd int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < 5; i++) {
		struct gt_user u = { 0 };
		struct gt_error *e = i % 2 ? gt_user_resolve(who[i], root, &u)
					   : gt_user_resolve_image(who[i], root, &u);

		assert(e || u.n_groups <= GT_USER_GROUPS_MAX);
		gt_error_free(e);
		gt_user_done(&u);
	}
	file_drop(passwd);
	file_drop(group);
}

static void devices(const uint8_t *data, size_t size, const char *name)
{
	char *path = file_put(name, data, size);
	gt_autoptr(gt_spec) s = gt_spec_new("ns", "id");
	gt_auto(gt_strv) dirs = { 0 }, names = { 0 }, ignored = { 0 };

	gt_strv_add(&dirs, folder);
	gt_strv_add(&names, "v.example/c=d");
	gt_error_free(gt_spec_add_cdi(s, &dirs, &names, &ignored));
	file_drop(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!folder)
		folder_make();
	if (!size)
		return 0;
	switch (data[0] % 9) {
	case 0:
		journal(data + 1, size - 1);
		break;
	case 1:
		outlog(data + 1, size - 1);
		break;
	case 2:
		endpoint(data + 1, size - 1);
		break;
	case 3:
		network_record(data + 1, size - 1);
		break;
	case 4:
		network_answer(data + 1, size - 1);
		break;
	case 5:
		users(data + 1, size - 1);
		break;
	case 6:
		devices(data + 1, size - 1, "v.json");
		break;
	case 7:
		devices(data + 1, size - 1, "v.yaml");
		break;
	case 8:
		journal_sound(data + 1, size - 1);
		break;
	}
	return 0;
}
