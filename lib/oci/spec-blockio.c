/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes of block I/O, in the YAML that containerd's --blockio-config-file takes:
 *
 *	Classes:
 *	  NAME:
 *	  - Weight: 80
 *	  - Devices: [ "/dev/sd[a-z]" ]
 *	    ThrottleReadBps: 50M
 *
 * The whole file is checked, so that a mistake in another class shows today and not in the night.
 */
#include <config.h>

#include <oci/spec.h>

#include <oci/json.h>
#include <oci/spec-private.h>

#include <glob.h>
#include <math.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <yaml.h>

#define WEIGHT_MIN 10
#define WEIGHT_MAX 1000
#define NOT_SET -1

struct parameter {
	const char *key; /* in the file */
	const char *member; /* of the spec's blockIO: one entry a device */
	const char *value; /* of that entry */
	int64_t min, max; /* max 0: none */
};

static const struct parameter parameters[] = {
	{ "Weight", "weightDevice", "weight", WEIGHT_MIN, WEIGHT_MAX },
	{ "ThrottleReadBps", "throttleReadBpsDevice", "rate", 0, 0 },
	{ "ThrottleWriteBps", "throttleWriteBpsDevice", "rate", 0, 0 },
	{ "ThrottleReadIOPS", "throttleReadIOPSDevice", "rate", 0, 0 },
	{ "ThrottleWriteIOPS", "throttleWriteIOPSDevice", "rate", 0, 0 },
};

#define N_PARAMETERS (sizeof(parameters) / sizeof(*parameters))

struct reader {
	yaml_document_t doc;
	struct gt_strv *ignored;
	json_t *out; /* the blockIO of the class that is asked for; NULL while in another */
};

static struct gt_error *wrong(const yaml_node_t *n, const char *what)
{
	return gt_error_new(GT_INVALID_ARGUMENT, "line %zu: %s", n->start_mark.line + 1, what);
}

static const char *scalar(const yaml_node_t *n)
{
	return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

/* Kubernetes' quantities: "10", "1.5k", "50M", "64Ki", "1e6"; a part of one counts as one. */
static bool quantity(const char *s, int64_t *out)
{
	static const struct {
		const char *suffix;
		long double factor;
	} suffixes[] = {
		{ "", 1 },	     { "n", 1e-9L },	 { "u", 1e-6L },     { "m", 1e-3L },
		{ "k", 1e3L },	     { "M", 1e6L },	 { "G", 1e9L },	     { "T", 1e12L },
		{ "P", 1e15L },	     { "E", 1e18L },	 { "Ki", 1024.0L },  { "Mi", 0x1p20L },
		{ "Gi", 0x1p30L },   { "Ti", 0x1p40L },	 { "Pi", 0x1p50L },  { "Ei", 0x1p60L },
	};
	size_t digits = strspn(s, "0123456789.");
	const char *rest = s + digits;
	long double n;
	char *end;

	if (!digits || digits > 40 || strspn(s, ".") == digits)
		return false;
	n = strtold(s, &end);
	/* strtold takes an exponent besides, and so do quantities, but not "0x". */
	if (end != rest && *rest != 'e' && *rest != 'E')
		return false;
	if (end == rest) {
		for (size_t i = 0;; i++) {
			if (i == sizeof(suffixes) / sizeof(*suffixes))
				return false;
			if (strcmp(rest, suffixes[i].suffix))
				continue;
			n *= suffixes[i].factor;
			break;
		}
	} else if (*end) {
		return false;
	}
	n = ceill(n);
	if (!(n < 0x1p63L))
		return false;
	*out = (int64_t)n;
	return true;
}

static struct gt_error *read_number(const yaml_node_t *n, const struct parameter *p, int64_t *out)
{
	const char *text = scalar(n);

	if (!text)
		return wrong(n, "a number is expected");
	if (!*text)
		return NULL;
	if (!quantity(text, out))
		return gt_error_new(GT_INVALID_ARGUMENT, "line %zu: syntax error in \"%s\" (\"%s\")",
				    n->start_mark.line + 1, p->key, text);
	if (*out < p->min || (p->max && *out > p->max))
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "line %zu: value of \"%s\" (%lld) is not from %lld to %lld",
				    n->start_mark.line + 1, p->key, (long long)*out,
				    (long long)p->min, (long long)(p->max ? p->max : INT64_MAX));
	return NULL;
}

/* A later setting for a device takes the place of an earlier one. */
static void put(json_t *blockio, const struct parameter *p, dev_t dev, int64_t value)
{
	json_t *list = gt_spec_array(blockio, p->member), *j;
	size_t i;

	json_array_foreach(list, i, j) {
		if (json_integer_value(json_object_get(j, "major")) == major(dev) &&
		    json_integer_value(json_object_get(j, "minor")) == minor(dev)) {
			json_object_set_new(j, p->value, json_integer(value));
			return;
		}
	}
	json_array_append_new(list, json_pack("{s:I, s:I, s:I}", "major", (json_int_t)major(dev),
					      "minor", (json_int_t)minor(dev), p->value,
					      (json_int_t)value));
}

static void put_device(struct reader *r, const char *path, const int64_t *values)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode)) {
		gt_strv_addf(r->ignored, "%s is no block device", path);
		return;
	}
	for (size_t i = 0; i < N_PARAMETERS; i++) {
		if (values[i] != NOT_SET)
			put(r->out, &parameters[i], st.st_rdev, values[i]);
	}
}

static struct gt_error *put_devices(struct reader *r, const yaml_node_t *devices,
				    const int64_t *values)
{
	if (devices->type != YAML_SEQUENCE_NODE)
		return wrong(devices, "\"Devices\" is no list");
	for (yaml_node_item_t *i = devices->data.sequence.items.start;
	     i < devices->data.sequence.items.top; i++) {
		const yaml_node_t *n = yaml_document_get_node(&r->doc, *i);
		const char *pattern = scalar(n);
		glob_t found = { 0 };

		if (!pattern)
			return wrong(devices, "\"Devices\" is no list of patterns");
		if (!r->out)
			continue;
		if (glob(pattern, GLOB_NOSORT, NULL, &found))
			gt_strv_addf(r->ignored, "%s matches no device", pattern);
		for (size_t k = 0; k < found.gl_pathc; k++)
			put_device(r, found.gl_pathv[k], values);
		globfree(&found);
	}
	return NULL;
}

/* One "- Devices: ..., Weight: ..." of a class. */
static struct gt_error *read_item(struct reader *r, const yaml_node_t *item)
{
	int64_t values[N_PARAMETERS];
	const yaml_node_t *devices = NULL;

	for (size_t i = 0; i < N_PARAMETERS; i++)
		values[i] = NOT_SET;
	if (!item || item->type != YAML_MAPPING_NODE)
		return gt_error_new(GT_INVALID_ARGUMENT, "an item of a class is no mapping");
	for (yaml_node_pair_t *p = item->data.mapping.pairs.start;
	     p < item->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&r->doc, p->key);
		const yaml_node_t *value = yaml_document_get_node(&r->doc, p->value);
		const char *name = scalar(key);
		size_t i = 0;

		if (name && !strcasecmp(name, "Devices")) {
			devices = value;
			continue;
		}
		while (i < N_PARAMETERS && !(name && !strcasecmp(name, parameters[i].key)))
			i++;
		if (i == N_PARAMETERS)
			return wrong(key, "unknown field");
		GT_TRY(read_number(value, &parameters[i], &values[i]));
	}
	if (devices)
		return put_devices(r, devices, values);
	for (size_t i = 1; i < N_PARAMETERS; i++) {
		if (values[i] != NOT_SET)
			return wrong(item, "a limit without \"Devices\"");
	}
	if (r->out && values[0] != NOT_SET)
		json_object_set_new(r->out, "weight", json_integer(values[0]));
	return NULL;
}

static struct gt_error *read_class(struct reader *r, const yaml_node_t *list)
{
	if (list->type == YAML_SCALAR_NODE && !*scalar(list))
		return NULL;
	if (list->type != YAML_SEQUENCE_NODE)
		return wrong(list, "a class is no list");
	for (yaml_node_item_t *i = list->data.sequence.items.start;
	     i < list->data.sequence.items.top; i++)
		GT_TRY(read_item(r, yaml_document_get_node(&r->doc, *i)));
	return NULL;
}

static struct gt_error *read_classes(struct reader *r, const yaml_node_t *classes,
				     const char *wanted, json_t *blockio, bool *found)
{
	if (classes->type != YAML_MAPPING_NODE)
		return wrong(classes, "\"Classes\" is no mapping");
	for (yaml_node_pair_t *p = classes->data.mapping.pairs.start;
	     p < classes->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&r->doc, p->key);
		const char *name = scalar(key);
		bool mine = name && !strcmp(name, wanted);

		if (!name)
			return wrong(key, "a class without a name");
		*found = *found || mine;
		r->out = mine ? blockio : NULL;
		GT_TRY(gt_error_wrap(read_class(r, yaml_document_get_node(&r->doc, p->value)),
				     "class %s", name));
	}
	return NULL;
}

static struct gt_error *read_document(struct reader *r, const char *wanted, json_t *blockio,
				      bool *found)
{
	const yaml_node_t *root = yaml_document_get_root_node(&r->doc);

	if (!root)
		return NULL;
	if (root->type != YAML_MAPPING_NODE)
		return wrong(root, "\"Classes:\" is expected");
	for (yaml_node_pair_t *p = root->data.mapping.pairs.start;
	     p < root->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&r->doc, p->key);
		const char *name = scalar(key);

		if (!name || strcasecmp(name, "Classes"))
			return wrong(key, "unknown field");
		GT_TRY(read_classes(r, yaml_document_get_node(&r->doc, p->value), wanted, blockio,
				    found));
	}
	return NULL;
}

struct gt_error *gt_spec_set_blockio(struct gt_spec *s, const void *config, size_t len,
				     const char *class_name, struct gt_strv *ignored)
{
	gt_autojson blockio = json_object();
	struct reader r = { .ignored = ignored };
	yaml_parser_t parser;
	struct gt_error *e;
	bool found = false;

	if (!yaml_parser_initialize(&parser))
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "no memory for a YAML parser");
	yaml_parser_set_input_string(&parser, config, len);
	if (!yaml_parser_load(&parser, &r.doc)) {
		e = gt_error_new(GT_INVALID_ARGUMENT, "line %zu: %s", parser.problem_mark.line + 1,
				 parser.problem ? parser.problem : "no YAML");
	} else {
		e = read_document(&r, class_name, blockio, &found);
		yaml_document_delete(&r.doc);
	}
	yaml_parser_delete(&parser);
	GT_TRY(e);
	if (!found)
		return gt_error_new(GT_NOT_FOUND, "no BlockIO parameters for class \"%s\"",
				    class_name);
	json_object_set(gt_spec_resources(s), "blockIO", blockio);
	return NULL;
}
