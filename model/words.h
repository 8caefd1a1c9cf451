/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of a config's text and of a command line.
 *
 * A word is bare (host-name) or in double quotes ("*@acme.example"; \" \\ \n \r \t inside, no line
 * break). { } [ ] ; stand for themselves wherever they are outside quotes. Where a word could
 * begin, # begins a comment up to the end of the line, and slash-star one up to star-slash.
 */
#ifndef GATEPOST_MODEL_WORDS_H
#define GATEPOST_MODEL_WORDS_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define WORD_MAX 4096 /* bytes */

enum token_kind {
	TOKEN_WORD,
	TOKEN_OPEN,       /* { */
	TOKEN_CLOSE,      /* } */
	TOKEN_LIST_OPEN,  /* [ */
	TOKEN_LIST_CLOSE, /* ] */
	TOKEN_END,        /* ; */
	TOKEN_COMMENT,    /* text: all of it, # or slash-star included */
	TOKEN_EOF,
	TOKEN_BAD, /* text: what is wrong */
};

struct token {
	enum token_kind kind;
	struct buf text;   /* a word without its quotes, a comment, a complaint */
	const char *start; /* in the source */
	size_t len;
	unsigned line; /* of its first byte, from 1 */
	unsigned last_line;
	bool quoted;
};

struct lexer {
	const char *text;
	const char *at;
	const char *end;
	unsigned line;
};

/* text must outlive the lexer. */
struct lexer lexer_open(const char *text, size_t len);
/* Reads the next token into t, whose text is reused; token_free() when done with it. */
void lexer_next(struct lexer *l, struct token *t);
void token_free(struct token *t);
/* In characters, from 1. */
unsigned lexer_column(const struct lexer *l, const char *at);

/*
 * False when the bytes are not text: not UTF-8, or control characters beside tab and line ends.
 * *line and *column then tell where.
 */
bool words_are_text(const char *text, size_t len, unsigned *line, unsigned *column);

/* Appends a word, quoted where it has to be. */
void word_print(struct buf *out, const char *word);

/* The words of one line; {0} is an empty list. */
struct words {
	char **list;
	size_t count;
};
void words_add(struct words *w, const char *word);
void words_free(struct words *w);
/*
 * Splits a command line: words, and [ and ] as words of their own. False with a complaint when a
 * quote is not closed or { } ; stand outside quotes.
 */
bool words_split(struct words *w, const char *line, struct buf *error);

#endif
