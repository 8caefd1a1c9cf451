/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/complete.h"

#include "cli/edit.h"
#include "cli/output.h"
#include "model/schema.h"
#include "model/value.h"

#include <stdlib.h>
#include <string.h>

struct offer {
	struct cli *cli;
	const struct words *words; /* before the partial one */
	const char *partial;
	complete_visit visit;
	void *arg;
};

static void offer(const struct offer *o, const char *word, const char *help)
{
	if (*word == '<' ? !*o->partial : !strncmp(word, o->partial, strlen(o->partial)))
		o->visit(word, help ? help : "", o->arg);
}

/* As it has to be typed. */
static void offer_value(const struct offer *o, const char *value, const char *help)
{
	struct buf word = BUF_INIT;

	word_print(&word, value);
	offer(o, buf_str(&word), help);
	buf_free(&word);
}

/* ---- words of the config ---- */

static void offer_entries(const struct offer *o, const struct lyd_node *parent, const char *list,
			  const char *help)
{
	CONF_FOR_EACH (n, parent, list)
		offer_value(o, conf_text(lyd_child(n)), help);
}

static void offer_kind(const struct offer *o, const struct lysc_node *term)
{
	struct buf kind = BUF_INIT;

	buf_appendc(&kind, '<');
	value_describe(term, &kind);
	buf_appendc(&kind, '>');
	offer(o, buf_str(&kind), term->dsc);
	buf_free(&kind);
}

static void offer_enums(const struct offer *o, const struct lysc_type *type)
{
	LY_ARRAY_COUNT_TYPE i;

	if (type->basetype != LY_TYPE_ENUM)
		return;
	const struct lysc_type_enum *e = (const struct lysc_type_enum *)type;
	LY_ARRAY_FOR(e->enums, i)
	{
		offer(o, e->enums[i].name, e->enums[i].dsc);
	}
}

static void offer_values(const struct offer *o, const struct lyd_node *conf,
			 const struct lysc_node *term)
{
	const struct lysc_node *list = schema_refers_to(term);

	if (value_kind(term) == VALUE_ENDPOINT) {
		offer(o, "any", "Every address");
		offer_entries(o, conf_top(conf, "groups"), "group", "group");
		offer_entries(o, conf_top(conf, "servers"), "server", "server");
	}
	if (list)
		offer_entries(o, conf_top(conf, list->parent->name), list->name, list->name);
	offer_enums(o, schema_type(term));
	offer_kind(o, term);
	if (term->nodetype == LYS_LEAFLIST)
		offer(o, "[", "Several values, up to ]");
}

/* Values there are, for delete and show. */
static void offer_present(const struct offer *o, const struct lyd_node *parent,
			  const struct lysc_node *term)
{
	CONF_FOR_EACH (n, parent, term->name)
		if (!schema_is_secret(term))
			offer_value(o, conf_text(n), "");
}

static void offer_children(const struct offer *o, const struct lyd_node *here,
			   const struct lyd_node *conf, const struct lysc_node *schema,
			   bool present)
{
	const struct lys_module *module = model_schema(o->cli->model);
	const struct lysc_node *unnamed = schema_unnamed_child(module, schema);

	for (const struct lysc_node *c = schema_first(module, schema); c; c = c->next) {
		bool there = schema ? conf_child(here, c->name) != NULL
				    : conf_top(conf, c->name) != NULL;
		if (!schema_is_key(c) && !schema_is_unnamed(c) && (!present || there))
			offer(o, c->name, c->dsc);
	}
	if (unnamed && unnamed->nodetype == LYS_LIST) {
		offer_entries(o, here, unnamed->name, "");
		if (!present)
			offer_kind(o, schema_key(unnamed));
	} else if (unnamed && present) {
		offer_present(o, here, unnamed);
	} else if (unnamed) {
		offer_values(o, conf, unnamed);
	}
}

/* present: only what the config has, for showing and deleting. */
static void offer_path(const struct offer *o, size_t from, const struct lyd_node *conf,
		       const struct path *base, bool present)
{
	struct path path = {0};
	struct buf why = BUF_INIT;
	size_t bad;

	if (!path_walk(model_schema(o->cli->model), base, o->words->list + from,
		       o->words->count - from, false, &path, &bad, &why))
		goto out;
	const struct lysc_node *end = path_end(&path);
	const struct lyd_node *here = path_find((struct lyd_node *)conf, &path);
	if (path_is_inside(&path)) {
		offer_children(o, here, conf, end, present);
	} else if (end->nodetype == LYS_LIST) {
		for (const struct lyd_node *n = here; n; n = conf_next(n))
			offer_value(o, conf_text(lyd_child(n)), "");
		if (!present)
			offer_kind(o, schema_key(end));
	} else if (!path.values.count && !schema_is_empty(end)) {
		if (present && end->nodetype == LYS_LEAFLIST)
			for (const struct lyd_node *n = here; n; n = conf_next(n))
				offer_value(o, conf_text(n), "");
		else if (!present)
			offer_values(o, conf, end);
	}
out:
	path_free(&path);
	buf_free(&why);
}

/* ---- words of commands ---- */

/* What arguments are, and where their values come from. */
static const struct {
	const char *name, *help;
	const char *top, *list; /* entries of the running config that may be named */
} arguments[] = {
	{"ACCOUNT", "An account of the relay", "relay", "account"},
	{"ADDRESS", "A recipient's address", NULL, NULL},
	{"AGE", "How far back: 90s, 15m, 1h, 7d", NULL, NULL},
	{"COUNT", "How many", NULL, NULL},
	{"DOMAIN", "A recipient domain", NULL, NULL},
	{"FILE", "A file's name", NULL, NULL},
	{"HOST", "An address or host name", "servers", "server"},
	{"MESSAGE", "A message's id, as the log shows it", NULL, NULL},
	{"REVISION", "A revision's number, as 'show revisions' lists them", NULL, NULL},
	{"TEXT", "A text; quotes around several words", NULL, NULL},
	{"TIME", "How long to wait: 90s, 5m", NULL, NULL},
};

static void offer_argument(const struct offer *o, const char *name)
{
	struct buf kind = BUF_INIT;

	for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments); i++) {
		if (strcmp(arguments[i].name, name) != 0)
			continue;
		if (arguments[i].top && strcmp(name, "HOST") != 0)
			offer_entries(o, conf_top(cli_running(o->cli), arguments[i].top),
				      arguments[i].list, "");
		buf_printf(&kind, "<%s>", name);
		offer(o, buf_str(&kind), arguments[i].help);
	}
	buf_free(&kind);
}

static bool is_first(const struct offer *o, const char *word)
{
	return o->words->count && !strncmp(o->words->list[0], word, strlen(o->words->list[0]));
}

static void complete_words(const struct offer *o, unsigned mode);

static void offer_rest(const struct offer *o, const struct next *next)
{
	bool configuring = o->cli->mode == MODE_CONFIGURE;

	if (!strcmp(next->text, "COMMAND")) {
		/* run COMMAND...: as if it stood alone */
		struct words inner = {o->words->list + next->from, o->words->count - next->from};
		struct offer alone = *o;
		alone.words = &inner;
		complete_words(&alone, MODE_OPERATE);
	} else if (!strcmp(next->text, "PATH") && configuring) {
		bool present = is_first(o, "delete") || is_first(o, "show");
		offer_path(o, next->from, o->cli->candidate, &o->cli->edit, present);
	} else if (!strcmp(next->text, "PATH")) {
		offer_path(o, next->from, cli_running(o->cli), NULL, true);
	}
}

static void take_next(const struct next *next, void *arg)
{
	const struct offer *o = arg;

	switch (next->kind) {
	case NEXT_WORD:
		offer(o, next->text, next->help);
		break;
	case NEXT_ARG:
		offer_argument(o, next->text);
		break;
	case NEXT_REST:
		offer_rest(o, next);
		break;
	case NEXT_END:
		offer(o, "<enter>", next->help);
		break;
	}
}

static void complete_words(const struct offer *o, unsigned mode)
{
	grammar_next(o->cli->grammar, mode, o->words->list, o->words->count, take_next, (void *)o);
}

static void complete_pipe(const struct offer *o, size_t words_behind)
{
	const char *last = o->words->list[o->words->count - 1];

	if (words_behind == 0)
		for (size_t i = 0; pipe_names[i]; i++)
			offer(o, pipe_names[i], pipe_helps[i]);
	else if (words_behind == 1 && !strcmp(last, "display")) {
		offer(o, "set", "As set lines");
		offer(o, "json", "As JSON");
	} else if (words_behind == 1 && (!strcmp(last, "match") || !strcmp(last, "except"))) {
		offer(o, "<TEXT>", "A text, or a regular expression");
	}
}

/* ---- the line ---- */

struct seen {
	struct words words;
	complete_visit visit;
	void *arg;
};

/* Several commands offer the same word: it is visited once, with the first help there is. */
static void visit_once(const char *word, const char *help, void *arg)
{
	struct seen *s = arg;

	for (size_t i = 0; i < s->words.count; i++)
		if (!strcmp(s->words.list[i], word))
			return;
	words_add(&s->words, word);
	s->visit(word, help, s->arg);
}

void complete_line(struct cli *cli, const char *line, size_t *partial, complete_visit visit,
		   void *arg)
{
	struct words words = {0};
	struct seen seen = {.visit = visit, .arg = arg};
	struct buf error = BUF_INIT, last = BUF_INIT;
	size_t len = strlen(line), pipe = 0;

	*partial = len;
	if (!words_split(&words, line, &error))
		goto out;
	if (words.count && len && !strchr(" \t", line[len - 1])) {
		buf_appends(&last, words.list[words.count - 1]);
		free(words.list[--words.count]);
		while (*partial && !strchr(" \t", line[*partial - 1]))
			--*partial;
	}
	const struct offer o = {cli, &words, buf_str(&last), visit_once, &seen};
	for (size_t i = 0; i < words.count; i++)
		if (!strcmp(words.list[i], "|"))
			pipe = i + 1;
	if (pipe)
		complete_pipe(&o, words.count - pipe);
	else
		complete_words(&o, cli->mode);
out:
	words_free(&seen.words);
	words_free(&words);
	buf_free(&error);
	buf_free(&last);
}
