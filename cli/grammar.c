/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/grammar.h"

#include "lib/log.h"
#include "model/fault.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { FIXED_MAX = 8, OPTIONS_MAX = 6, TOKEN_MAX = 24 };

struct option {
	char word[TOKEN_MAX];
	char arg[TOKEN_MAX]; /* "" when it has none */
};

struct pattern {
	const struct command *command;
	char fixed[FIXED_MAX][TOKEN_MAX];
	size_t fixed_count;
	struct option options[OPTIONS_MAX];
	size_t options_count;
	char rest[TOKEN_MAX]; /* "" when it has none */
};

struct grammar {
	struct pattern *patterns;
	size_t count;
};

/* How far a line has come in one pattern. */
struct progress {
	const struct pattern *pattern;
	size_t fixed;    /* so many of its words are there */
	unsigned used;   /* options, a bit each */
	int open_option; /* whose argument comes next; -1 */
	bool in_rest;
	struct args args;
};

const char *arg_get(const struct args *args, const char *name)
{
	for (size_t i = 0; i < args->count; i++)
		if (!strcmp(args->list[i].name, name))
			return args->list[i].value;
	return NULL;
}

/* ---- patterns ---- */

static void token_copy(char to[TOKEN_MAX], const char *from, size_t len, const char *pattern)
{
	if (len == 0 || len >= TOKEN_MAX)
		fatal("command table: \"%s\"", pattern);
	memcpy(to, from, len);
	to[len] = '\0';
}

/* "[word]" or "[word ARG]"; at is behind the bracket. */
static const char *parse_option(struct pattern *p, const char *at)
{
	struct option *o = &p->options[p->options_count++];
	size_t len = strcspn(at, " ]");

	if (p->options_count > OPTIONS_MAX)
		fatal("command table: \"%s\"", p->command->pattern);
	token_copy(o->word, at, len, p->command->pattern);
	at += len;
	if (*at == ' ') {
		len = strcspn(++at, "]");
		token_copy(o->arg, at, len, p->command->pattern);
		at += len;
	}
	return at + (*at == ']');
}

static void parse_pattern(struct pattern *p, const struct command *command)
{
	const char *at = command->pattern;

	p->command = command;
	while (*at) {
		size_t len = strcspn(at, " ");
		if (*at == '[') {
			at = parse_option(p, at + 1);
		} else if (len > 3 && !memcmp(at + len - 3, "...", 3)) {
			token_copy(p->rest, at, len - 3, command->pattern);
			at += len;
		} else {
			if (p->fixed_count == FIXED_MAX)
				fatal("command table: \"%s\"", command->pattern);
			token_copy(p->fixed[p->fixed_count++], at, len, command->pattern);
			at += len;
		}
		at += strspn(at, " ");
	}
}

struct grammar *grammar_new(const struct command *commands, size_t count)
{
	struct grammar *g = calloc(1, sizeof(*g));

	if (!g || !(g->patterns = calloc(count, sizeof(*g->patterns))))
		abort();
	g->count = count;
	for (size_t i = 0; i < count; i++)
		parse_pattern(&g->patterns[i], &commands[i]);
	return g;
}

void grammar_free(struct grammar *g)
{
	if (!g)
		return;
	free(g->patterns);
	free(g);
}

/* ---- one word more ---- */

enum fit { FIT_NOT, FIT_VALUE, FIT_PREFIX, FIT_EXACT };

static bool is_argument(const char *token)
{
	return isupper((unsigned char)*token);
}

static enum fit fit_word(const char *token, const char *word)
{
	size_t len = strlen(word);

	if (!strcmp(token, word))
		return FIT_EXACT;
	return len && !strncmp(token, word, len) ? FIT_PREFIX : FIT_NOT;
}

/* The unused option that fits best, or -1. */
static int find_option(const struct progress *at, const char *word, enum fit *fit)
{
	int best = -1;

	*fit = FIT_NOT;
	for (size_t i = 0; i < at->pattern->options_count; i++) {
		enum fit f = fit_word(at->pattern->options[i].word, word);
		if (!(at->used & 1U << i) && f > *fit) {
			*fit = f;
			best = (int)i;
		}
	}
	return best;
}

/* How well word continues; *token is what it stands for. */
static enum fit fit_of(const struct progress *at, const char *word, const char **token)
{
	const struct pattern *p = at->pattern;
	enum fit fit;

	*token = NULL;
	if (at->in_rest || at->open_option >= 0)
		return FIT_VALUE;
	if (at->fixed < p->fixed_count) {
		*token = p->fixed[at->fixed];
		return is_argument(*token) ? FIT_VALUE : fit_word(*token, word);
	}
	int option = find_option(at, word, &fit);
	if (option >= 0) {
		*token = p->options[option].word;
		return fit;
	}
	return *p->rest ? FIT_VALUE : FIT_NOT;
}

static void add_arg(struct progress *at, const char *name, const char *value)
{
	if (at->args.count == ARGS_MAX)
		return;
	at->args.list[at->args.count].name = name;
	at->args.list[at->args.count++].value = value;
}

static void advance(struct progress *at, char *const *word)
{
	const struct pattern *p = at->pattern;
	enum fit fit;

	if (at->in_rest) {
		at->args.rest_count++;
	} else if (at->open_option >= 0) {
		add_arg(at, p->options[at->open_option].arg, *word);
		at->open_option = -1;
	} else if (at->fixed < p->fixed_count) {
		if (is_argument(p->fixed[at->fixed]))
			add_arg(at, p->fixed[at->fixed], *word);
		at->fixed++;
	} else {
		int option = find_option(at, *word, &fit);
		if (option >= 0) {
			at->used |= 1U << option;
			if (*p->options[option].arg)
				at->open_option = option;
			else
				add_arg(at, p->options[option].word, *word);
		} else {
			at->in_rest = true;
			at->args.rest = word;
			at->args.rest_count = 1;
		}
	}
}

static bool is_complete(const struct progress *at)
{
	return at->pattern->command->run && at->fixed == at->pattern->fixed_count &&
	       at->open_option < 0;
}

/* ---- walking ---- */

struct walk {
	struct progress *list;
	size_t count;
	bool ambiguous;
};

static void begin(const struct grammar *g, unsigned mode, struct walk *w)
{
	w->list = calloc(g->count + 1, sizeof(*w->list));
	w->count = 0;
	w->ambiguous = false;
	if (!w->list)
		abort();
	for (size_t i = 0; i < g->count; i++)
		if (g->patterns[i].command->modes & mode)
			w->list[w->count++] =
				(struct progress){.pattern = &g->patterns[i], .open_option = -1};
}

/* Keeps those that word continues best. False, and all kept, when it continues none. */
static bool take_word(struct walk *w, char *const *word)
{
	const char *token, *first = NULL;
	enum fit best = FIT_NOT;
	size_t kept = 0;

	for (size_t i = 0; i < w->count; i++) {
		enum fit fit = fit_of(&w->list[i], *word, &token);
		best = fit > best ? fit : best;
	}
	if (best == FIT_NOT)
		return false;
	for (size_t i = 0; i < w->count; i++) {
		if (fit_of(&w->list[i], *word, &token) != best)
			continue;
		if (best == FIT_PREFIX && first && strcmp(first, token) != 0)
			w->ambiguous = true;
		first = token;
		w->list[kept++] = w->list[i];
	}
	w->count = kept;
	for (size_t i = 0; i < kept && !w->ambiguous; i++)
		advance(&w->list[i], word);
	return !w->ambiguous;
}

static void visit_options(const struct progress *at, grammar_visit visit, void *arg)
{
	for (size_t i = 0; i < at->pattern->options_count; i++) {
		const struct next next = {NEXT_WORD, at->pattern->options[i].word, "", 0};
		if (!(at->used & 1U << i))
			visit(&next, arg);
	}
}

/* A word that leads on to more is explained by its heading, one that ends a command by it. */
static const char *help_for(const struct progress *at)
{
	return at->fixed + 1 == at->pattern->fixed_count ? at->pattern->command->help : "";
}

static void visit_next(const struct progress *at, size_t words, grammar_visit visit, void *arg)
{
	const struct pattern *p = at->pattern;
	const struct next end = {NEXT_END, "", p->command->help, 0};

	if (at->open_option >= 0) {
		const struct next next = {NEXT_ARG, p->options[at->open_option].arg, "", 0};
		visit(&next, arg);
		return;
	}
	if (at->fixed < p->fixed_count && !at->in_rest) {
		bool argument = is_argument(p->fixed[at->fixed]);
		const struct next next = {argument ? NEXT_ARG : NEXT_WORD, p->fixed[at->fixed],
					  help_for(at), 0};
		visit(&next, arg);
		return;
	}
	if (is_complete(at))
		visit(&end, arg);
	if (!at->in_rest)
		visit_options(at, visit, arg);
	if (*p->rest) {
		const struct next next = {NEXT_REST, p->rest, "",
					  words - (at->in_rest ? at->args.rest_count : 0)};
		visit(&next, arg);
	}
}

void grammar_next(const struct grammar *g, unsigned mode, char *const *words, size_t count,
		  grammar_visit visit, void *arg)
{
	struct walk w;
	bool ok = true;

	begin(g, mode, &w);
	for (size_t i = 0; ok && i < count; i++)
		ok = take_word(&w, &words[i]);
	for (size_t i = 0; ok && i < w.count; i++)
		visit_next(&w.list[i], count, visit, arg);
	free(w.list);
}

/* ---- matching ---- */

struct listing {
	struct buf words;
	struct nearest near;
};

static void list_word(const struct next *next, void *arg)
{
	struct listing *l = arg;
	const char *word = next->kind == NEXT_END ? NULL : next->text;
	const char *known = buf_str(&l->words);

	if (next->kind == NEXT_WORD)
		nearest_offer(&l->near, word);
	/* Commands that share a word offer it once each. */
	size_t len = word ? strlen(word) : 0;
	for (const char *at = known; word && (at = strstr(at, word)); at++)
		if ((at == known || at[-1] == ' ') && (at[len] == '\0' || at[len] == ','))
			return;
	if (word)
		buf_printf(&l->words, "%s%s", l->words.len ? ", " : "", word);
}

static void say_unknown(struct walk *w, char *const *words, size_t at, struct buf *error)
{
	struct listing l = {.near = nearest_to(words[at])};
	char hint[96], safe[128];

	for (size_t i = 0; i < w->count; i++)
		visit_next(&w->list[i], at, list_word, &l);
	log_escape(safe, sizeof(safe), words[at], strlen(words[at]));
	nearest_hint(&l.near, hint);
	if (l.near.distance != UINT32_MAX)
		buf_printf(error, "\"%s\": not known here%s\n", safe, hint);
	else if (l.words.len)
		buf_printf(error, "\"%s\": not known here; known: %s\n", safe, buf_str(&l.words));
	else
		buf_printf(error, "\"%s\": nothing may follow here\n", safe);
	buf_free(&l.words);
}

static void say_ambiguous(struct walk *w, const char *word, struct buf *error)
{
	struct listing l = {.near = nearest_to("")};

	for (size_t i = 0; i < w->count; i++)
		visit_next(&w->list[i], 0, list_word, &l);
	buf_printf(error, "\"%s\": could be %s\n", word, buf_str(&l.words));
	buf_free(&l.words);
}

static void say_incomplete(struct walk *w, size_t count, struct buf *error)
{
	struct listing l = {.near = nearest_to("")};

	for (size_t i = 0; i < w->count; i++)
		visit_next(&w->list[i], count, list_word, &l);
	buf_printf(error, "more is needed: %s\n", buf_str(&l.words));
	buf_free(&l.words);
}

bool grammar_match(const struct grammar *g, unsigned mode, char *const *words, size_t count,
		   struct args *args, struct buf *error)
{
	const struct progress *found = NULL;
	struct walk w;
	size_t i;

	begin(g, mode, &w);
	for (i = 0; i < count && take_word(&w, &words[i]); i++)
		;
	for (size_t j = 0; i == count && j < w.count; j++)
		if (is_complete(&w.list[j]))
			found = &w.list[j];
	if (found) {
		*args = found->args;
		args->command = found->pattern->command;
	} else if (w.ambiguous) {
		say_ambiguous(&w, words[i], error);
	} else if (i < count) {
		say_unknown(&w, words, i, error);
	} else {
		say_incomplete(&w, count, error);
	}
	free(w.list);
	return found;
}
