/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/loader.h"

#include "core/kind.h"
#include "core/option.h"

#include <gantry/buf.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <ltdl.h>
#include <string.h>
#include <sys/stat.h>

#define TABLE_MAX 1000 /* rows of needs or options: more is no table but a missing end */

static bool is_loader_ready; /* libltdl's own state is the process's */

static struct gt_error *loader_begin(void)
{
	if (!is_loader_ready && lt_dlinit())
		return gt_error_new(GT_INTERNAL, "start libltdl: %s", lt_dlerror());
	is_loader_ready = true;
	return NULL;
}

void gt_loader_end(void)
{
#ifndef GT_SANITIZED
	if (is_loader_ready)
		lt_dlexit();
	is_loader_ready = false;
#endif
}

static struct gt_error *trust_one(const char *file, const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : GT_UNKNOWN, errno, "stat %s",
				      path);
	if (st.st_uid != 0)
		return gt_error_new(GT_PERMISSION_DENIED,
				    "plugin %s is refused: %s belongs to uid %u, not to root", file, path,
				    st.st_uid);
	/* In a sticky folder, like /tmp, nobody can put something else in the place of root's. */
	if ((st.st_mode & 022) && !(S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX)))
		return gt_error_new(GT_PERMISSION_DENIED,
				    "plugin %s is refused: others than root may write %s (mode %04o)",
				    file, path, st.st_mode & 07777);
	return NULL;
}

/* The file and each folder above it, links resolved. */
static struct gt_error *trust(const char *file)
{
	gt_autofree char *real = realpath(file, NULL);

	if (!real)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : GT_UNKNOWN, errno,
				      "resolve %s", file);
	for (;;) {
		char *slash;

		GT_TRY(trust_one(file, real));
		slash = strrchr(real, '/');
		if (!slash || slash[1] == '\0')
			return NULL;
		slash[slash == real ? 1 : 0] = '\0';
	}
}

/* libltdl says "file not found" whatever was wrong: where the file is there, dlopen knows better. */
static struct gt_error *open_error(const char *file)
{
	gt_autofree char *text = gt_xstrdup(lt_dlerror());
	void *h = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	const char *why = h ? NULL : dlerror();
	struct gt_error *e = gt_error_new(GT_FAILED_PRECONDITION, "load %s: %s", file,
					  why ? why : text);

	if (h)
		dlclose(h);
	return e;
}

static struct gt_error *count_rows(const struct gt_module *m, const void *table, size_t stride,
				   bool (*is_end)(const void *), const char *what, size_t *n)
{
	const char *row = table;

	for (*n = 0; row && !is_end(row); row += stride)
		if (++*n > TABLE_MAX)
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: its table of %s has no end",
					    m->file, what);
	return NULL;
}

static bool need_is_end(const void *row)
{
	return ((const struct gt_need *)row)->kind == GT_KIND_NONE;
}

static bool option_is_end(const void *row)
{
	return !((const struct gt_option *)row)->name;
}

/* Rows of the module's stride, into rows of ours. */
static void *copy_rows(const void *table, size_t n, size_t stride, size_t size)
{
	char *copy = gt_xcalloc(n + 1, size);

	for (size_t i = 0; i < n; i++)
		memcpy(copy + i * size, (const char *)table + i * stride, stride < size ? stride : size);
	return copy;
}

static struct gt_error *declaration_check(const struct gt_module *m, const struct gt_plugin *p)
{
	const struct gt_kind_facts *facts;
	struct gt_error *e = NULL;
	void *scratch;

	if (p->abi != GT_ABI)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "%s is built for ABI %u, this host has ABI %d: rebuild it", m->file,
				    p->abi, GT_ABI);
	if (p->size < offsetof(struct gt_plugin, ops) + sizeof(p->ops))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: its declaration has only %u bytes",
				    m->file, p->size);
	facts = gt_kind_facts(p->kind);
	if (!facts)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s is of kind %d, which this host does not know",
				    m->file, p->kind);
	if (!p->id || !*p->id || !p->doc || !*p->doc)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s declares no %s", m->file,
				    p->id && *p->id ? "doc" : "id");
	if (!p->ops.size || *p->ops.size < 3 * sizeof(void *))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s declares no ops", m->file);
	if ((p->needs && p->need_size < sizeof(enum gt_kind)) ||
	    (p->options && p->option_size < offsetof(struct gt_option, min)))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: the rows of a table are too short",
				    m->file);
	for (const struct gt_option *o = m->options; o->name; o++)
		if (o->offset >= p->config_size || !o->text || o->type < GT_OPTION_STRING ||
		    o->type > GT_OPTION_LIST || (o->type == GT_OPTION_ENUM && !o->choices))
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: option %s is not whole", m->file,
					    o->name);
	scratch = gt_xcalloc(1, p->config_size + sizeof(struct gt_strv));
	e = gt_option_defaults(m->options, scratch);
	gt_option_done(m->options, scratch);
	free(scratch);
	return gt_error_wrap(e, "%s", m->file);
}

static struct gt_error *required_check(const struct gt_module *m)
{
	const struct gt_required_op *r = gt_kind_facts(m->plugin.kind)->required;

	for (; r->name; r++) {
		void (*op)(void);

		memcpy(&op, (char *)m->ops + r->offset, sizeof(op));
		if (!op)
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: a %s must have the op %s", m->file,
					    gt_kind_name(m->plugin.kind), r->name);
	}
	return NULL;
}

static struct gt_error *module_open(struct gt_module *m)
{
	const struct gt_plugin *declared;
	lt_dladvise advise;
	lt_dlhandle h = NULL;
	size_t n_needs = 0, n_options = 0;
	struct gt_error *e;

	GT_TRY(trust(m->file));
	GT_TRY(loader_begin());
	if (!lt_dladvise_init(&advise)) {
		lt_dladvise_local(&advise);
		h = lt_dlopenadvise(m->file, advise);
		lt_dladvise_destroy(&advise);
	}
	if (!h)
		return open_error(m->file);
	declared = lt_dlsym(h, "gt_plugin");
	if (!declared)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "%s is no plugin of Gantry: it has no symbol gt_plugin (GT_PLUGIN's "
				    "argument must be the file's name with '_' for '-')",
				    m->file);
	/* Before the ABI number is known to be ours, nothing behind it means anything. */
	if (declared->abi == GT_ABI && declared->need_size && declared->option_size) {
		e = count_rows(m, declared->needs, declared->need_size, need_is_end, "needs", &n_needs);
		if (!e)
			e = count_rows(m, declared->options, declared->option_size, option_is_end,
				       "options", &n_options);
		GT_TRY(e);
		m->needs = copy_rows(declared->needs, n_needs, declared->need_size,
				     sizeof(struct gt_need));
		m->options = copy_rows(declared->options, n_options, declared->option_size,
				       sizeof(struct gt_option));
	} else {
		m->needs = gt_xcalloc(1, sizeof(struct gt_need));
		m->options = gt_xcalloc(1, sizeof(struct gt_option));
	}
	GT_TRY(declaration_check(m, declared));
	memcpy(&m->plugin, declared,
	       declared->size < sizeof(m->plugin) ? declared->size : sizeof(m->plugin));
	m->ops = gt_kind_copy_ops(m->plugin.kind, m->plugin.ops.size);
	m->plugin.needs = m->needs;
	m->plugin.options = m->options;
	return required_check(m);
}

struct gt_error *gt_module_load_file(const char *file, struct gt_module **out)
{
	const char *slash = strrchr(file, '/');
	const char *base = slash ? slash + 1 : file;
	const char *dot = strrchr(base, '.');
	struct gt_module *m = gt_xcalloc(1, sizeof(*m));

	m->name = gt_xstrndup(base, dot ? (size_t)(dot - base) : strlen(base));
	m->file = gt_xstrdup(file);
	*out = m;
	return module_open(m);
}

struct gt_error *gt_module_load(const struct gt_strv *path, const char *name,
				struct gt_module **out)
{
	gt_auto(gt_buf) where = GT_BUF_INIT;

	for (size_t i = 0; i < path->n; i++) {
		gt_autofree char *file = gt_strf("%s/%s.so", path->v[i], name);

		if (access(file, F_OK) == 0)
			return gt_module_load_file(file, out);
		gt_buf_addf(&where, "%s%s", i ? ", " : "", path->v[i]);
	}
	return gt_error_new(GT_NOT_FOUND, "plugin %s: no file %s.so in plugin_path (%s)", name, name,
			    where.s);
}

void gt_module_free(struct gt_module *m)
{
	if (!m)
		return;
	gt_kind_free_ops(m->plugin.kind, m->ops);
	free(m->needs);
	free(m->options);
	free(m->file);
	free(m->name);
	free(m);
}

void gt_module_list(const struct gt_strv *path, struct gt_strv *out)
{
	for (size_t i = 0; i < path->n; i++) {
		DIR *d = opendir(path->v[i]);
		struct dirent *ent;

		while (d && (ent = readdir(d))) {
			size_t len = strlen(ent->d_name);
			gt_autofree char *name = NULL;

			if (len < 4 || strcmp(ent->d_name + len - 3, ".so") || ent->d_name[0] == '.')
				continue;
			name = gt_xstrndup(ent->d_name, len - 3);
			if (!gt_strv_has(out, name))
				gt_strv_add(out, name);
		}
		if (d)
			closedir(d);
	}
	gt_strv_sort(out);
}
