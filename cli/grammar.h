/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines: one table of patterns says what may be typed, what it is for, and what it runs;
 * execution, Tab and ? all walk the same table.
 *
 *	"show routes"                         words
 *	"ping HOST"                           an argument, in capitals
 *	"show relay log [to ADDRESS] [limit COUNT]"   options, in any order, each once
 *	"set PATH..."                         everything that follows
 *
 * A word may be cut short as long as it stays the only one that begins so. An entry without a run
 * function is a heading: it explains a word that several commands begin with.
 */
#ifndef GATEPOST_CLI_GRAMMAR_H
#define GATEPOST_CLI_GRAMMAR_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct args;

enum { MODE_OPERATE = 1, MODE_CONFIGURE = 2 };

struct command {
	const char *pattern;
	const char *help;
	unsigned modes;
	int (*run)(struct cli *cli, const struct args *args); /* an exit status */
};

enum { ARGS_MAX = 8 };

struct args {
	const struct command *command;
	struct {
		const char *name; /* "HOST"; an option without an argument has its own word */
		const char *value;
	} list[ARGS_MAX];
	size_t count;
	char *const *rest; /* of PATH... */
	size_t rest_count;
};

/* NULL when it was not given. */
const char *arg_get(const struct args *args, const char *name);

struct grammar;

/* Ends the process when a pattern cannot be read: the table is ours. */
struct grammar *grammar_new(const struct command *commands, size_t count);
void grammar_free(struct grammar *g);

/*
 * Finds the command for a line's words. False with a sentence in error when there is none, more
 * than one, or something is missing behind the last word. args points into words.
 */
bool grammar_match(const struct grammar *g, unsigned mode, char *const *words, size_t count,
		   struct args *args, struct buf *error);

enum next_kind {
	NEXT_WORD, /* text is the word, help what it leads to */
	NEXT_ARG,  /* text is the argument's name */
	NEXT_REST, /* text is the argument's name; from is the first word of it */
	NEXT_END,  /* the line may end here; help is the command's */
};
struct next {
	enum next_kind kind;
	const char *text;
	const char *help;
	size_t from;
};
typedef void (*grammar_visit)(const struct next *next, void *arg);

/* What may stand behind the words. Nothing when they do not begin any command. */
void grammar_next(const struct grammar *g, unsigned mode, char *const *words, size_t count,
		  grammar_visit visit, void *arg);

#endif
