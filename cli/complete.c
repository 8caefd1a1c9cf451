/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/complete.h"

#include "cli/edit.h"
#include "cli/output.h"
#include "model/offer.h"

#include <stdlib.h>
#include <string.h>

struct completion {
	struct cli *cli;
	const struct words *words; /* before the partial one */
	const char *partial;
	complete_visit visit;
	void *arg;
};

static void offer(const char *word, const char *help, void *arg)
{
	const struct completion *c = arg;

	if (*word == '<' ? !*c->partial : !strncmp(word, c->partial, strlen(c->partial)))
		c->visit(word, help, c->arg);
}

/* ---- what gatepostd knows ---- */

/* Entries and values of the config in force; gatepostd holds it, so nothing is read here. */
static void offer_running(const struct completion *c, char *const *words, size_t count)
{
	json_t *path = json_array(), *row;
	size_t i;

	for (i = 0; i < count; i++)
		json_array_append_new(path, json_string(words[i]));
	json_t *answer = client_ask(
		c->cli->client,
		json_pack("{s:s s:o s:s}", "verb", "offers", "path", path, "partial", c->partial),
		NULL, NULL);
	json_array_foreach(json_object_get(answer, "rows"), i, row)
	{
		const char *word = json_string_value(json_array_get(row, 0));
		const char *help = json_string_value(json_array_get(row, 1));
		if (word)
			offer(word, help ? help : "", (void *)c);
	}
	json_decref(answer);
}

/* One member of each row that "show WHAT" has. */
static void offer_rows(const struct completion *c, const char *what, const char *member,
		       const char *explained_by)
{
	json_t *answer = client_ask(
		c->cli->client, json_pack("{s:s s:s}", "verb", "show", "what", what), NULL, NULL);
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(answer, "rows"), i, row)
	{
		const char *word = json_string_value(json_object_get(row, member));
		const char *help = json_string_value(json_object_get(row, explained_by));
		if (word)
			offer(word, help ? help : "", (void *)c);
	}
	json_decref(answer);
}

static void offer_devices(const struct completion *c)
{
	offer_rows(c, "interfaces", "name", "state");
}

static void offer_services(const struct completion *c)
{
	offer_rows(c, "services", "name", "state");
}

/* ---- words of the candidate ---- */

static bool is_first(const struct completion *c, const char *word)
{
	return c->words->count && !strncmp(c->words->list[0], word, strlen(c->words->list[0]));
}

/* Behind a whole entry, or a value: the word that says where to. */
static void offer_joint(const struct completion *c, const struct path *path)
{
	const struct lysc_node *end = path_end(path);

	if (end && end->nodetype == LYS_LIST && path->step[path->depth - 1].key &&
	    (is_first(c, "rename") || is_first(c, "copy")))
		offer("to", "The new name follows", (void *)c);
	if (is_first(c, "insert") && path->values.count) {
		offer("before", "The value that it is to stand before follows", (void *)c);
		offer("after", "The value that it is to stand behind follows", (void *)c);
	}
	if (is_first(c, "annotate") && path->depth)
		offer("<TEXT>", "A comment; \"\" takes it away", (void *)c);
}

static void offer_candidate(const struct completion *c, size_t from)
{
	static const char *const of_what_is_there[] = {"delete", "show",   "rename",
						       "copy",   "insert", "annotate"};
	char *const *words = c->words->list + from;
	size_t count = c->words->count - from, bad;
	struct offer o = {model_schema(c->cli->model), c->cli->candidate, false, offer, (void *)c};
	struct path path = {0};
	struct buf why = BUF_INIT;

	for (size_t i = 0; i < sizeof(of_what_is_there) / sizeof(*of_what_is_there); i++)
		o.present = o.present || is_first(c, of_what_is_there[i]);
	offer_path(&o, &c->cli->edit, words, count);
	if (path_walk(o.module, &c->cli->edit, words, count, false, &path, &bad, &why)) {
		const struct lysc_node *end = path_end(&path);
		offer_joint(c, &path);
		if (!o.present && end && !strcmp(end->name, "device") && !path.values.count)
			offer_devices(c);
	}
	path_free(&path);
	buf_free(&why);
}

/* ---- words of commands ---- */

/* What arguments are, and where their values come from. */
static const struct {
	const char *name, *help;
	const char *path[3]; /* to a list of the config in force whose entries may be named */
	void (*live)(const struct completion *c);
} arguments[] = {
	{"A", "An address, a server, or a name of the other side: wan", {"servers"}, NULL},
	{"ACCOUNT", "An account of the relay", {"relay", "account"}, NULL},
	{"ADDRESS", "A recipient's address", {NULL}, NULL},
	{"AGE", "How far back: 90s, 15m, 1h, 7d", {NULL}, NULL},
	{"B", "An address or a server", {"servers"}, NULL},
	{"COUNT", "How many", {NULL}, NULL},
	{"DEVICE", "A port, by its role or the kernel's name", {NULL}, offer_devices},
	{"DOMAIN", "A recipient domain", {NULL}, NULL},
	{"FILE", "A file's name", {NULL}, NULL},
	{"NAME", "A name for it: letters, digits, '.', '-' and '_'", {NULL}, NULL},
	{"HOST", "An address or host name", {NULL}, NULL},
	{"MESSAGE", "A message's id, as the log shows it", {NULL}, NULL},
	{"PORT", "A port, 1 to 65535", {NULL}, NULL},
	{"PROTOCOL", "tcp, udp, icmp or another", {NULL}, NULL},
	{"REVISION", "A revision's number, as 'show revisions' lists them", {NULL}, NULL},
	{"SECONDS", "How many seconds between two looks", {NULL}, NULL},
	{"SERVER", "A server of the config", {"servers"}, NULL},
	{"SERVICE", "A service, as 'show services' lists them", {NULL}, offer_services},
	{"TEXT", "A text; quotes around several words", {NULL}, NULL},
	{"TIME", "How long to wait: 90s, 5m", {NULL}, NULL},
};

static void offer_argument(const struct completion *c, const char *name)
{
	struct buf kind = BUF_INIT;

	for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments); i++) {
		size_t steps = 0;
		if (strcmp(arguments[i].name, name) != 0)
			continue;
		while (steps < 3 && arguments[i].path[steps])
			steps++;
		if (steps)
			offer_running(c, (char *const *)arguments[i].path, steps);
		if (arguments[i].live)
			arguments[i].live(c);
		buf_printf(&kind, "<%s>", name);
		offer(buf_str(&kind), arguments[i].help, (void *)c);
	}
	buf_free(&kind);
}

static void complete_words(const struct completion *c, unsigned mode);

static void offer_rest(const struct completion *c, const struct next *next)
{
	if (!strcmp(next->text, "COMMAND")) {
		/* run COMMAND...: as if it stood alone */
		struct words inner = {c->words->list + next->from, c->words->count - next->from};
		struct completion alone = *c;
		alone.words = &inner;
		complete_words(&alone, MODE_OPERATE);
	} else if (c->cli->mode == MODE_CONFIGURE && !is_first(c, "run")) {
		offer_candidate(c, next->from);
	} else {
		offer_running(c, c->words->list + next->from, c->words->count - next->from);
	}
}

struct seen {
	struct words words;
	const struct completion *completion;
};

/* Several commands offer the same word: it is visited once, with the first help there is. */
static void offer_once(struct seen *s, const char *word, const char *help)
{
	for (size_t i = 0; i < s->words.count; i++)
		if (!strcmp(s->words.list[i], word))
			return;
	words_add(&s->words, word);
	offer(word, help ? help : "", (void *)s->completion);
}

static void take_next(const struct next *next, void *arg)
{
	struct seen *s = arg;

	switch (next->kind) {
	case NEXT_WORD:
		offer_once(s, next->text, next->help);
		break;
	case NEXT_ARG:
		offer_argument(s->completion, next->text);
		break;
	case NEXT_REST:
		offer_rest(s->completion, next);
		break;
	case NEXT_END:
		offer_once(s, "<enter>", next->help);
		break;
	}
}

static void complete_words(const struct completion *c, unsigned mode)
{
	struct seen seen = {.completion = c};

	grammar_next(c->cli->grammar, mode, c->words->list, c->words->count, take_next, &seen);
	words_free(&seen.words);
}

static void complete_pipe(const struct completion *c, size_t words_behind)
{
	const char *last = c->words->list[c->words->count - 1];

	if (words_behind == 0)
		for (size_t i = 0; pipe_names[i]; i++)
			offer(pipe_names[i], pipe_helps[i], (void *)c);
	else if (words_behind == 1 && !strcmp(last, "display")) {
		offer("set", "As set lines", (void *)c);
		offer("json", "As JSON", (void *)c);
	} else if (words_behind == 1 && (!strcmp(last, "match") || !strcmp(last, "except"))) {
		offer("<TEXT>", "A text, or a regular expression", (void *)c);
	}
}

/* ---- the line ---- */

void complete_line(struct cli *cli, const char *line, size_t *partial, complete_visit visit,
		   void *arg)
{
	struct words words = {0};
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
	const struct completion c = {cli, &words, buf_str(&last), visit, arg};
	for (size_t i = 0; i < words.count; i++)
		if (!strcmp(words.list[i], "|"))
			pipe = i + 1;
	if (pipe)
		complete_pipe(&c, words.count - pipe);
	else
		complete_words(&c, cli->mode);
out:
	words_free(&words);
	buf_free(&error);
	buf_free(&last);
}
