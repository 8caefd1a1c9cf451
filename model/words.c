/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/words.h"

#include "lib/utf8.h"

#include <stdlib.h>
#include <string.h>

struct lexer lexer_open(const char *text, size_t len)
{
	return (struct lexer){.text = text, .at = text, .end = text + len, .line = 1};
}

void token_free(struct token *t)
{
	buf_free(&t->text);
}

unsigned lexer_column(const struct lexer *l, const char *at)
{
	unsigned column = 1;

	while (at > l->text && at[-1] != '\n') {
		at--;
		if (((unsigned char)*at & 0xc0) != 0x80)
			column++;
	}
	return column;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool ends_bare_word(char c)
{
	return is_space(c) || strchr("{}[];\"", c);
}

static bool starts(const struct lexer *l, const char *s)
{
	size_t n = strlen(s);

	return (size_t)(l->end - l->at) >= n && !memcmp(l->at, s, n);
}

static void skip_space(struct lexer *l)
{
	for (; l->at < l->end && is_space(*l->at); l->at++)
		if (*l->at == '\n')
			l->line++;
}

static void bad(struct token *t, const char *complaint)
{
	t->kind = TOKEN_BAD;
	buf_clear(&t->text);
	buf_appends(&t->text, complaint);
}

static void lex_line_comment(struct lexer *l, struct token *t)
{
	const char *stop = memchr(l->at, '\n', (size_t)(l->end - l->at));

	if (!stop)
		stop = l->end;
	const char *last = stop;
	while (last > l->at && is_space(last[-1]))
		last--;
	t->kind = TOKEN_COMMENT;
	buf_append(&t->text, l->at, (size_t)(last - l->at));
	l->at = stop;
}

static void lex_block_comment(struct lexer *l, struct token *t)
{
	const char *stop = memmem(l->at + 2, (size_t)(l->end - l->at - 2), "*/", 2);

	if (!stop) {
		bad(t, "this comment is never closed; it needs */");
		return;
	}
	stop += 2;
	t->kind = TOKEN_COMMENT;
	buf_append(&t->text, l->at, (size_t)(stop - l->at));
	for (; l->at < stop; l->at++)
		if (*l->at == '\n')
			l->line++;
}

static bool unescape(char c, struct buf *out)
{
	static const char from[] = "nrt\"\\", to[] = "\n\r\t\"\\";
	const char *found = c ? strchr(from, c) : NULL;

	if (found)
		buf_appendc(out, to[found - from]);
	return found;
}

static void lex_quoted(struct lexer *l, struct token *t)
{
	t->kind = TOKEN_WORD;
	t->quoted = true;
	for (l->at++; l->at < l->end && *l->at != '\n'; l->at++) {
		if (*l->at == '"') {
			l->at++;
			return;
		}
		if (*l->at != '\\') {
			buf_appendc(&t->text, *l->at);
		} else if (++l->at == l->end || !unescape(*l->at, &t->text)) {
			bad(t, "behind \\ only one of \" \\ n r t may stand");
			return;
		}
	}
	bad(t, "this quote is not closed on its line");
}

static void lex_bare(struct lexer *l, struct token *t)
{
	const char *from = l->at;

	while (l->at < l->end && !ends_bare_word(*l->at))
		l->at++;
	t->kind = TOKEN_WORD;
	buf_append(&t->text, from, (size_t)(l->at - from));
}

static void lex_word(struct lexer *l, struct token *t)
{
	if (*l->at == '"')
		lex_quoted(l, t);
	else
		lex_bare(l, t);
	if (t->kind == TOKEN_WORD && t->text.len > WORD_MAX)
		bad(t, "this word is too long; at most 4096 bytes");
	else if (t->kind == TOKEN_WORD && l->at < l->end && !is_space(*l->at) &&
		 !strchr("{}[];", *l->at))
		bad(t, "a space is missing beside the quote");
}

void lexer_next(struct lexer *l, struct token *t)
{
	static const struct {
		char c;
		enum token_kind kind;
	} marks[] = {
		{'{', TOKEN_OPEN},       {'}', TOKEN_CLOSE}, {'[', TOKEN_LIST_OPEN},
		{']', TOKEN_LIST_CLOSE}, {';', TOKEN_END},
	};

	skip_space(l);
	buf_clear(&t->text);
	t->start = l->at;
	t->line = l->line;
	t->quoted = false;
	t->kind = TOKEN_EOF;
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks) && l->at < l->end; i++)
		if (*l->at == marks[i].c)
			t->kind = marks[i].kind;
	if (t->kind != TOKEN_EOF)
		l->at++;
	else if (starts(l, "#"))
		lex_line_comment(l, t);
	else if (starts(l, "/*"))
		lex_block_comment(l, t);
	else if (l->at < l->end)
		lex_word(l, t);
	t->len = (size_t)(l->at - t->start);
	t->last_line = l->line;
}

bool words_are_text(const char *text, size_t len, unsigned *line, unsigned *column)
{
	struct lexer l = lexer_open(text, len);

	*line = 1;
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)text[i];
		uint32_t cp;
		size_t step = c < 0x80 ? 1 : utf8_decode(text + i, len - i, &cp);
		bool control = (c < 0x20 && !is_space((char)c)) || c == 0x7f;

		if (!step || control) {
			*column = lexer_column(&l, text + i);
			return false;
		}
		if (c == '\n')
			++*line;
		i += step;
	}
	return true;
}

/* ---- printing ---- */

static bool may_stand_bare(const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._-:/@,+=%";

	return *word && !word[strspn(word, safe)];
}

void word_print(struct buf *out, const char *word)
{
	if (may_stand_bare(word)) {
		buf_appends(out, word);
		return;
	}
	buf_appendc(out, '"');
	for (; *word; word++) {
		switch (*word) {
		case '\n':
			buf_appends(out, "\\n");
			break;
		case '\r':
			buf_appends(out, "\\r");
			break;
		case '\t':
			buf_appends(out, "\\t");
			break;
		case '"':
		case '\\':
			buf_appendc(out, '\\');
			buf_appendc(out, *word);
			break;
		default:
			buf_appendc(out, *word);
		}
	}
	buf_appendc(out, '"');
}

/* ---- the words of a line ---- */

void words_add(struct words *w, const char *word)
{
	w->list = realloc(w->list, (w->count + 1) * sizeof(*w->list));
	if (!w->list || !(w->list[w->count] = strdup(word)))
		abort();
	w->count++;
}

void words_free(struct words *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->list[i]);
	free(w->list);
	*w = (struct words){0};
}

bool words_split(struct words *w, const char *line, struct buf *error)
{
	struct lexer l = lexer_open(line, strlen(line));
	struct token t = {0};
	bool ok = true;

	for (lexer_next(&l, &t); ok && t.kind != TOKEN_EOF; lexer_next(&l, &t)) {
		if (t.kind == TOKEN_WORD) {
			words_add(w, buf_str(&t.text));
		} else if (t.kind == TOKEN_LIST_OPEN || t.kind == TOKEN_LIST_CLOSE) {
			words_add(w, t.kind == TOKEN_LIST_OPEN ? "[" : "]");
		} else if (t.kind == TOKEN_BAD) {
			buf_printf(error, "%.*s: %s\n", (int)t.len, t.start, buf_str(&t.text));
			ok = false;
		} else if (t.kind != TOKEN_COMMENT) {
			buf_printf(error,
				   "\"%.*s\" belongs in a config's text, not on a line; "
				   "put quotes around it if it is part of a value\n",
				   (int)t.len, t.start);
			ok = false;
		}
	}
	token_free(&t);
	return ok;
}
