/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <toml/tree.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#define TOML_HEADER_ONLY 1 /* nothing of it is left to load at run time */
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 1
#include <toml++/toml.h>

namespace {

/* A string as C has them, or NULL if it has a NUL inside. Aborts where memory ends, as all of us do. */
char *plain(std::string_view s)
{
	if (s.find('\0') != s.npos)
		return nullptr;
	char *p = static_cast<char *>(std::malloc(s.size() + 1));
	if (!p)
		std::abort();
	std::memcpy(p, s.data(), s.size());
	p[s.size()] = '\0';
	return p;
}

struct gt_toml *make_items(size_t n)
{
	void *p = std::calloc(n ? n : 1, sizeof(struct gt_toml));

	if (!p)
		std::abort();
	return static_cast<struct gt_toml *>(p);
}

struct failure {
	unsigned line;
	const char *why;
};

bool fill(const toml::node &from, struct gt_toml *t, failure &f);

bool fill_table(const toml::table &from, struct gt_toml *t, failure &f)
{
	std::vector<std::pair<const toml::key *, const toml::node *>> order;

	for (auto &&[key, node] : from)
		order.emplace_back(&key, &node);
	/* toml++ keeps them by name; mirrors are tried in the order of the file. */
	std::stable_sort(order.begin(), order.end(), [](const auto &a, const auto &b) {
		return a.first->source().begin < b.first->source().begin;
	});
	t->type = GT_TOML_TABLE;
	t->items = make_items(order.size());
	for (auto &[key, node] : order) {
		struct gt_toml *item = &t->items[t->n++];

		item->line = key->source().begin.line;
		item->key = plain(key->str());
		if (!item->key) {
			f = { item->line, "a key with a NUL inside" };
			return false;
		}
		if (!fill(*node, item, f))
			return false;
	}
	return true;
}

bool fill_array(const toml::array &from, struct gt_toml *t, failure &f)
{
	t->type = GT_TOML_ARRAY;
	t->items = make_items(from.size());
	for (auto &&node : from) {
		if (!fill(node, &t->items[t->n++], f))
			return false;
	}
	return true;
}

template <typename T> char *time_text(const toml::node &from)
{
	std::ostringstream s;

	s << **from.as<T>();
	return plain(s.str());
}

bool fill(const toml::node &from, struct gt_toml *t, failure &f)
{
	if (!t->line)
		t->line = from.source().begin.line;
	if (auto table = from.as_table())
		return fill_table(*table, t, f);
	if (auto array = from.as_array())
		return fill_array(*array, t, f);
	if (auto s = from.as_string()) {
		t->type = GT_TOML_STRING;
		t->string = plain(s->get());
		f = { t->line, "a string with a NUL inside" };
		return t->string;
	}
	if (auto i = from.as_integer()) {
		t->type = GT_TOML_INTEGER;
		t->integer = i->get();
	} else if (auto d = from.as_floating_point()) {
		t->type = GT_TOML_FLOAT;
		t->real = d->get();
	} else if (auto b = from.as_boolean()) {
		t->type = GT_TOML_BOOLEAN;
		t->boolean = b->get();
	} else {
		t->type = GT_TOML_TIME;
		t->string = from.is_date()   ? time_text<toml::date>(from)
			    : from.is_time() ? time_text<toml::time>(from)
					     : time_text<toml::date_time>(from);
	}
	return true;
}

} // namespace

bool toml_tree_parse(const char *text, size_t len, struct gt_toml *t, unsigned *line, char **why)
{
	toml::parse_result r = toml::parse(std::string_view(text, len));
	failure f = {};

	if (!r) {
		*line = r.error().source().begin.line;
		/* its words may quote the text, which may hold anything */
		std::string words(r.error().description());
		std::replace_if(words.begin(), words.end(),
				[](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
		*why = plain(words.substr(0, 300));
		return false;
	}
	if (fill(r.table(), t, f))
		return true;
	*line = f.line;
	*why = plain(f.why);
	return false;
}
