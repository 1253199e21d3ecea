/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "help.h"

#include <gantry/api-introspection.h>
#include <gantry/buf.h>

#include <string.h>

/* Two columns, the first as wide as its longest cell and two blanks. */
static void two_columns(FILE *out, const struct gt_strv *left, const struct gt_strv *right)
{
	size_t width = 0;

	for (size_t i = 0; i < left->n; i++)
		if (strlen(left->v[i]) > width)
			width = strlen(left->v[i]);
	for (size_t i = 0; i < left->n; i++)
		fprintf(out, "   %-*s  %s\n", (int)width, left->v[i], right->v[i]);
}

/* The word for the value stands between backquotes in the text; else it is "value". */
static char *placeholder(const char *text)
{
	const char *from = strchr(text, '`');
	const char *to = from ? strchr(from + 1, '`') : NULL;

	return to ? gt_xstrndup(from + 1, (size_t)(to - from - 1)) : gt_xstrdup("value");
}

static void flag_names(const struct ctr_flag *f, struct gt_buf *b)
{
	gt_autofree char *word = f->type == CTR_BOOL ? NULL : placeholder(f->text);

	gt_buf_addf(b, "%s%s", strlen(f->name) > 1 ? "--" : "-", f->name);
	if (word)
		gt_buf_addf(b, " %s", word);
	if (f->alias)
		gt_buf_addf(b, ", -%s", f->alias);
	if (f->alias && word)
		gt_buf_addf(b, " %s", word);
}

static void flag_text(const struct ctr_flag *f, struct gt_buf *b)
{
	const char *value = f->value;

	for (const char *p = f->text; *p; p++)
		if (*p != '`')
			gt_buf_addc(b, *p);
	if (f->type == CTR_STRING && value && *value)
		gt_buf_addf(b, " (default: \"%s\")", value);
	else if (f->type == CTR_DURATION)
		gt_buf_addf(b, " (default: %s)", value ? value : "0s");
	else if (f->type == CTR_INT || f->type == CTR_UINT || f->type == CTR_FLOAT)
		gt_buf_addf(b, " (default: %s)", value ? value : "0");
	else if (f->type == CTR_BOOL && value && !strcmp(value, "true"))
		gt_buf_adds(b, " (default: true)");
	if (f->env)
		gt_buf_addf(b, " [$%s]", f->env);
}

static void add_flags(const struct ctr_flag *table, struct gt_strv *left, struct gt_strv *right)
{
	for (const struct ctr_flag *f = table; f->name; f++) {
		struct gt_buf names = GT_BUF_INIT, text = GT_BUF_INIT;

		if (f->bits & CTR_HIDDEN)
			continue;
		flag_names(f, &names);
		flag_text(f, &text);
		gt_strv_add_take(left, gt_buf_detach(&names));
		gt_strv_add_take(right, gt_buf_detach(&text));
	}
}

static void print_flags(FILE *out, const struct ctr_command *cmd, bool root)
{
	struct gt_strv left = { 0 }, right = { 0 };

	for (const struct ctr_flag *const *t = cmd->flags; t && *t; t++)
		add_flags(*t, &left, &right);
	if (cmd->commands)
		add_flags(ctr_help_flag, &left, &right);
	if (left.n) {
		fprintf(out, "\n%sOPTIONS:\n", root ? "GLOBAL " : "");
		two_columns(out, &left, &right);
		if (!root)
			fprintf(out, "   \n");
	}
	gt_strv_done(&left);
	gt_strv_done(&right);
}

static void print_commands(FILE *out, const struct ctr_command *cmd, bool root)
{
	struct gt_strv left = { 0 }, right = { 0 };

	for (const struct ctr_command *const *p = cmd->commands; *p; p++) {
		const char *aliases = (*p)->aliases;

		gt_strv_addf(&left, "%s%s%s", (*p)->name, aliases ? ", " : "",
			     aliases ? aliases : "");
		gt_strv_add(&right, (*p)->text);
	}
	if (root) {
		gt_strv_add(&left, "help, h");
		gt_strv_add(&right, "show the commands, or the help of one");
	}
	fprintf(out, "\nCOMMANDS:\n");
	two_columns(out, &left, &right);
	gt_strv_done(&left);
	gt_strv_done(&right);
}

void ctr_help(FILE *out, const struct ctr_command *command, const char *path)
{
	bool root = command == &ctr_root;
	const char *args = command->args ? command->args : "[arguments...]";

	fprintf(out, "NAME:\n   %s - %s\n\nUSAGE:\n   %s", path, command->text, path);
	if (root)
		fprintf(out, " [global options] command [command options] [arguments...]\n");
	else if (command->commands)
		fprintf(out, " command [command options] [arguments...]\n");
	else
		fprintf(out, "%s %s\n", command->flags ? " [command options]" : "", args);
	if (root)
		fprintf(out, "\nVERSION:\n   %s\n", gt_version());
	if (command->more) {
		fprintf(out, "\nDESCRIPTION:\n");
		for (const char *p = command->more; *p;) {
			size_t n = strcspn(p, "\n");

			fprintf(out, "   %.*s\n", (int)n, p);
			p += n + (p[n] == '\n');
		}
	}
	if (command->commands)
		print_commands(out, command, root);
	print_flags(out, command, root);
}

void ctr_help_names(FILE *out, const struct ctr_command *command)
{
	for (const struct ctr_command *const *p = command->commands; p && *p; p++) {
		fprintf(out, "%s\n", (*p)->name);
		for (const char *a = (*p)->aliases; a && *a;) {
			size_t n = strcspn(a, ",");

			fprintf(out, "%.*s\n", (int)n, a);
			a += n;
			a += strspn(a, ", ");
		}
	}
}

/* Text for troff: a hyphen that is typed, a backslash, a line that begins with a control character. */
static void troff(FILE *out, const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", out);
	for (; *s; s++)
		if (*s == '-')
			fputs("\\-", out);
		else if (*s == '\\')
			fputs("\\e", out);
		else
			fputc(*s, out);
}

static void manual_flags(FILE *out, const struct ctr_command *cmd)
{
	for (const struct ctr_flag *const *t = cmd->flags; t && *t; t++)
		for (const struct ctr_flag *f = *t; f->name; f++) {
			gt_auto(gt_buf) names = GT_BUF_INIT;
			gt_auto(gt_buf) text = GT_BUF_INIT;

			if (f->bits & CTR_HIDDEN)
				continue;
			flag_names(f, &names);
			flag_text(f, &text);
			fputs(".TP\n.B ", out);
			troff(out, names.s);
			fputs("\n", out);
			troff(out, text.s);
			fputs("\n", out);
		}
}

static void manual_command(FILE *out, const struct ctr_command *cmd, const char *path)
{
	fputs(".SS ", out);
	troff(out, path);
	if (!cmd->commands) {
		fputc(' ', out);
		troff(out, cmd->args ? cmd->args : "");
	}
	fputs("\n", out);
	troff(out, cmd->text);
	fputs(".\n", out);
	if (cmd->aliases) {
		fputs("Also called ", out);
		troff(out, cmd->aliases);
		fputs(".\n", out);
	}
	if (cmd->more) {
		fputs(".PP\n", out);
		troff(out, cmd->more);
		fputs("\n", out);
	}
	manual_flags(out, cmd);
	for (const struct ctr_command *const *p = cmd->commands; p && *p; p++) {
		gt_autofree char *longer = gt_strf("%s %s", path, (*p)->name);

		manual_command(out, *p, longer);
	}
}

void ctr_help_manual(FILE *out)
{
	fputs(".SH GLOBAL OPTIONS\n", out);
	manual_flags(out, &ctr_root);
	fputs(".SH COMMANDS\n", out);
	for (const struct ctr_command *const *p = ctr_root.commands; *p; p++) {
		gt_autofree char *path = gt_strf("ctr %s", (*p)->name);

		manual_command(out, *p, path);
	}
}
