/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader goes down the schema with the text: at each place it knows which names, keys or
 * values may stand, so what it refuses it can refuse in words, and go on behind the statement to
 * find the next fault. Nothing it has read is used once there was a fault.
 */
#include "model/text.h"

#include "model/comment.h"
#include "model/fault.h"
#include "model/path.h"
#include "model/schema.h"
#include "model/value.h"
#include "model/words.h"

#include <stdlib.h>
#include <string.h>

struct parser {
	const struct lys_module *module;
	struct lexer lexer;
	struct token token; /* never a comment: those are taken aside */
	struct lyd_node *conf;
	struct faults faults;
	bool lost; /* the text's own shape is broken: nothing behind it can be told */

	struct buf pending;         /* comments that wait for their node */
	unsigned pending_line;      /* of the first of them */
	struct lyd_node *last_node; /* what ended last, for a comment on its line */
	enum comment_slot last_slot;
	unsigned last_line;
};

/* A place in the text whose statements are being read; schema and node NULL: the top. */
struct level {
	const struct lysc_node *schema;
	struct lyd_node *node;
	unsigned line; /* of its '{' */
};

/* ---- comments ---- */

static void append_comment(struct buf *to, const char *text)
{
	if (to->len)
		buf_appendc(to, '\n');
	buf_appends(to, text);
}

/* Takes the indentation off the lines of a block comment that its first line has. */
static void outdent(const char *text, unsigned width, struct buf *out)
{
	for (bool first = true; *text; first = false) {
		size_t len = strcspn(text, "\n"), skip = 0;
		for (unsigned at = 0; !first && at < width && skip < len; skip++) {
			if (text[skip] == '\t')
				at += 8 - at % 8;
			else if (text[skip] == ' ')
				at++;
			else
				break;
		}
		size_t last = len;
		while (last > skip && strchr(" \t\r", text[last - 1]))
			last--;
		buf_append(out, text + skip, last - skip);
		text += len;
		if (*text == '\n') {
			buf_appendc(out, '\n');
			text++;
		}
	}
}

static void take_comment(struct parser *p)
{
	struct token *t = &p->token;
	struct buf text = BUF_INIT;

	if (!p->pending.len)
		p->pending_line = t->line;
	outdent(buf_str(&t->text),
		t->line < t->last_line ? lexer_column(&p->lexer, t->start) - 1 : 0, &text);
	if (p->last_node && t->line == p->last_line && t->line == t->last_line) {
		const char *old = comment_get(p->last_node, p->last_slot);
		if (old && *old) /* two on one line */
			append_comment(&p->pending, buf_str(&text));
		else
			comment_add(p->last_node, p->last_slot, buf_str(&text));
	} else {
		append_comment(&p->pending, buf_str(&text));
	}
	buf_free(&text);
}

static void pending_goes_to(struct parser *p, struct lyd_node *node, enum comment_slot slot)
{
	if (p->pending.len)
		comment_add(node, slot, buf_str(&p->pending));
	buf_clear(&p->pending);
}

/* The next comment on the current token's line speaks of node. */
static void ended(struct parser *p, struct lyd_node *node, enum comment_slot slot)
{
	p->last_node = node;
	p->last_slot = slot;
	p->last_line = p->token.last_line;
}

/* ---- tokens and faults ---- */

static void refuse_at(struct parser *p, const struct level *level, const struct token *t,
		      const char *text, const char *why)
{
	struct buf path = BUF_INIT;

	if (level->node)
		fault_path(level->node, &path);
	fault_in_text(&p->faults, t->line, lexer_column(&p->lexer, t->start), buf_str(&path), text,
		      "%s", why);
	buf_free(&path);
}

static void next(struct parser *p)
{
	static const struct level nowhere;

	do {
		lexer_next(&p->lexer, &p->token);
		if (p->token.kind == TOKEN_COMMENT)
			take_comment(p);
	} while (p->token.kind == TOKEN_COMMENT);
	if (p->token.kind != TOKEN_BAD)
		return;
	char quoted[FAULT_TEXT_MAX];
	size_t len = 0;
	while (len + 1 < sizeof(quoted) && p->token.start + len < p->lexer.end &&
	       p->token.start[len] != '\n')
		len++;
	memcpy(quoted, p->token.start, len);
	quoted[len] = '\0';
	refuse_at(p, &nowhere, &p->token, quoted, buf_str(&p->token.text));
	p->lost = true;
	p->token.kind = TOKEN_EOF;
}

/* What stands here, for a message. */
static const char *token_text(const struct token *t)
{
	static const char *const marks[] = {
		[TOKEN_OPEN] = "{",       [TOKEN_CLOSE] = "}", [TOKEN_LIST_OPEN] = "[",
		[TOKEN_LIST_CLOSE] = "]", [TOKEN_END] = ";",   [TOKEN_EOF] = "end of text",
	};

	return t->kind == TOKEN_WORD ? buf_str(&t->text) : marks[t->kind];
}

static void refuse(struct parser *p, const struct level *level, const char *why)
{
	if (!p->lost)
		refuse_at(p, level, &p->token, token_text(&p->token), why);
}

/* Leaves the statement that the fault was in, for the next one at the same depth. */
static void skip_statement(struct parser *p)
{
	unsigned depth = 0;

	for (; p->token.kind != TOKEN_EOF; next(p)) {
		if (p->token.kind == TOKEN_OPEN)
			depth++;
		else if (p->token.kind == TOKEN_CLOSE && depth == 0)
			return;
		bool closed = p->token.kind == TOKEN_CLOSE && --depth == 0;
		if (closed || (p->token.kind == TOKEN_END && depth == 0)) {
			next(p);
			return;
		}
	}
}

static void refuse_statement(struct parser *p, const struct level *level, const char *why)
{
	refuse(p, level, why);
	p->last_node = NULL;
	skip_statement(p);
}

/* ---- values ---- */

static void refuse_value(struct parser *p, const struct level *level, const struct lysc_node *term,
			 const char *why)
{
	struct buf place = BUF_INIT;

	if (level->node)
		fault_path(level->node, &place);
	if (!schema_is_unnamed(term) && !schema_is_key(term))
		buf_printf(&place, " %s", term->name);
	fault_in_text(&p->faults, p->token.line, lexer_column(&p->lexer, p->token.start),
		      buf_str(&place), schema_is_secret(term) ? NULL : buf_str(&p->token.text),
		      "%s", why);
	buf_free(&place);
}

static bool is_word(struct parser *p, const struct level *level, const struct lysc_node *term)
{
	struct buf why = BUF_INIT;

	if (p->token.kind == TOKEN_WORD)
		return true;
	buf_printf(&why, "%s needs a value here: ", term->name);
	value_describe(term, &why);
	refuse(p, level, buf_str(&why));
	buf_free(&why);
	return false;
}

static bool check_key(struct parser *p, const struct level *level, const struct lysc_node *key)
{
	struct buf why = BUF_INIT;
	bool ok = is_word(p, level, key);

	if (ok && !value_check(key, buf_str(&p->token.text), &why)) {
		refuse_value(p, level, key, buf_str(&why));
		ok = false;
	}
	buf_free(&why);
	return ok;
}

/*
 * The token as a new node, NULL when it is no right value. libyang checks the type when it makes
 * the node: what is wrong is looked for only when it refuses.
 */
static struct lyd_node *take_value(struct parser *p, const struct level *level,
				   const struct lysc_node *term)
{
	const char *text = buf_str(&p->token.text);
	struct lyd_node *node = NULL;
	struct buf why = BUF_INIT;

	if (!is_word(p, level, term))
		return NULL;
	bool made = lyd_new_term(level->node, NULL, term->name, text, 0, &node) == LY_SUCCESS;
	if (!made)
		ly_err_clean(term->module->ctx, NULL);
	if (made ? value_check_meaning(term, text, &why) : value_check(term, text, &why)) {
		if (!made)
			abort(); /* the value is right: only memory can be short */
		node_set_line(node, p->token.line);
	} else {
		refuse_value(p, level, term, buf_str(&why));
		lyd_free_tree(node);
		node = NULL;
	}
	buf_free(&why);
	return node;
}

static void end_statement(struct parser *p, const struct level *level, struct lyd_node *node,
			  enum comment_slot slot)
{
	if (p->token.kind != TOKEN_END) {
		refuse_statement(p, level, "a ; is missing before this");
		return;
	}
	ended(p, node, slot);
	next(p);
}

static bool refuse_second(struct parser *p, const struct level *level,
			  const struct lysc_node *schema, const char *key)
{
	struct lyd_node *old = node_find(p->conf, level->node, schema, key);
	struct buf why = BUF_INIT;

	if (!old)
		return false;
	buf_printf(&why, "given already on line %u", node_line(old));
	refuse_statement(p, level, buf_str(&why));
	buf_free(&why);
	return true;
}

/* At the token behind the leaf's name. */
static void parse_leaf(struct parser *p, const struct level *level, const struct lysc_node *leaf)
{
	struct lyd_node *node;

	if (schema_is_empty(leaf)) {
		node = node_new_term(level->node, leaf, "");
		node_set_line(node, p->token.line);
	} else if ((node = take_value(p, level, leaf))) {
		next(p);
	} else {
		skip_statement(p);
		return;
	}
	pending_goes_to(p, node, COMMENT_BEFORE);
	end_statement(p, level, node, COMMENT_BESIDE);
}

/* Behind '[': values up to ']'. */
static void parse_bracket(struct parser *p, const struct level *level, const struct lysc_node *list)
{
	struct buf before = BUF_INIT, beside_bracket = BUF_INIT;
	struct lyd_node *first = NULL;
	unsigned open_line = p->token.line;

	buf_append(&before, p->pending.data, p->pending.len);
	buf_clear(&p->pending);
	p->last_node = NULL;
	next(p);
	if (p->pending.len && p->pending_line == open_line && p->token.line > open_line &&
	    !strchr(buf_str(&p->pending), '\n'))
		buf_append(&beside_bracket, p->pending.data, p->pending.len);
	else if (p->pending.len)
		append_comment(&before, buf_str(&p->pending));
	buf_clear(&p->pending);

	while (p->token.kind != TOKEN_LIST_CLOSE) {
		struct lyd_node *node = take_value(p, level, list);
		if (!node) {
			skip_statement(p);
			goto out;
		}
		pending_goes_to(p, node, COMMENT_BEFORE);
		ended(p, node, COMMENT_BESIDE);
		if (!first)
			first = node;
		next(p);
	}
	if (!first) {
		refuse_statement(p, level, "the list is empty; leave the statement out instead");
		goto out;
	}
	append_comment(&before, buf_str(&p->pending));
	buf_clear(&p->pending);
	if (before.len)
		comment_add(first, COMMENT_BEFORE, buf_str(&before));
	if (beside_bracket.len)
		comment_add(first, COMMENT_INSIDE, buf_str(&beside_bracket));
	next(p);
	end_statement(p, level, first, conf_next(first) ? COMMENT_AFTER : COMMENT_BESIDE);
out:
	buf_free(&before);
	buf_free(&beside_bracket);
}

/* ---- blocks ---- */

static void parse_statements(struct parser *p, const struct level *level);

/* At what follows the name and key: a block, or ';' where nothing inside is needed. */
static void parse_body(struct parser *p, const struct level *level, struct lyd_node *node)
{
	struct level inside = {node->schema, node, p->token.line};

	pending_goes_to(p, node, COMMENT_BEFORE);
	if (p->token.kind == TOKEN_END &&
	    (node->schema->nodetype == LYS_LIST || schema_is_presence(node->schema))) {
		end_statement(p, level, node, COMMENT_BESIDE);
		return;
	}
	if (p->token.kind != TOKEN_OPEN) {
		refuse_statement(p, &inside, "a { is missing before this");
		return;
	}
	ended(p, node, COMMENT_BESIDE);
	next(p);
	parse_statements(p, &inside);
	if (p->token.kind != TOKEN_CLOSE)
		return; /* told by parse_statements() */
	ended(p, node, COMMENT_AFTER);
	next(p);
}

static void parse_container(struct parser *p, const struct level *level,
			    const struct lysc_node *schema, unsigned line)
{
	struct lyd_node *node = node_find(p->conf, level->node, schema, NULL);

	if (!node) {
		node = node_new_inner(p->module, &p->conf, level->node, schema, NULL);
		node_set_line(node, line);
	}
	parse_body(p, level, node);
}

/* At the key. */
static void parse_entry(struct parser *p, const struct level *level, const struct lysc_node *list)
{
	unsigned line = p->token.line;

	if (!check_key(p, level, schema_key(list))) {
		skip_statement(p);
		return;
	}
	if (refuse_second(p, level, list, buf_str(&p->token.text)))
		return;
	struct lyd_node *node =
		node_new_inner(p->module, &p->conf, level->node, list, buf_str(&p->token.text));
	node_set_line(node, line);
	next(p);
	parse_body(p, level, node);
}

static void parse_unnamed(struct parser *p, const struct level *level,
			  const struct lysc_node *schema)
{
	if (schema->nodetype == LYS_LIST)
		parse_entry(p, level, schema);
	else
		parse_leaf(p, level, schema);
}

static void parse_named(struct parser *p, const struct level *level, const struct lysc_node *schema)
{
	unsigned line = p->token.line;

	if (schema->nodetype == LYS_LEAF && refuse_second(p, level, schema, NULL))
		return;
	next(p);
	if (schema->nodetype == LYS_CONTAINER)
		parse_container(p, level, schema, line);
	else if (schema->nodetype == LYS_LIST)
		parse_entry(p, level, schema);
	else if (schema->nodetype == LYS_LEAFLIST && p->token.kind == TOKEN_LIST_OPEN)
		parse_bracket(p, level, schema);
	else
		parse_leaf(p, level, schema);
}

static void parse_statement(struct parser *p, const struct level *level)
{
	struct buf why = BUF_INIT;
	const char *word = buf_str(&p->token.text);
	const struct lysc_node *schema = NULL;

	if (p->token.kind != TOKEN_WORD) {
		refuse_statement(p, level, "a name is missing before this");
		return;
	}
	if (!p->token.quoted)
		schema = schema_child(p->module, level->schema, word);
	if (schema && !schema_is_unnamed(schema) && !schema_is_key(schema)) {
		parse_named(p, level, schema);
	} else if ((schema = schema_unnamed_child(p->module, level->schema))) {
		parse_unnamed(p, level, schema);
	} else {
		path_say_unknown(p->module, level->schema, word, &why);
		refuse_statement(p, level, buf_str(&why));
		buf_free(&why);
	}
}

static void parse_statements(struct parser *p, const struct level *level)
{
	while (p->token.kind != TOKEN_EOF && p->token.kind != TOKEN_CLOSE)
		parse_statement(p, level);
	if (p->token.kind == TOKEN_CLOSE && level->node) {
		pending_goes_to(p, level->node, COMMENT_INSIDE);
	} else if (p->token.kind == TOKEN_EOF && level->node && !p->lost) {
		struct buf path = BUF_INIT;
		fault_path(level->node, &path);
		fault_in_text(&p->faults, level->line, 0, buf_str(&path), "{",
			      "never closed: a } is missing");
		buf_free(&path);
		p->lost = true;
	}
}

static void parse_braces(struct parser *p)
{
	static const struct level top;

	next(p);
	for (;;) {
		parse_statements(p, &top);
		if (p->token.kind != TOKEN_CLOSE)
			break;
		refuse(p, &top, "closes nothing: there is one } too many");
		next(p);
	}
	if (p->pending.len && p->conf)
		comment_add_below(p->conf->prev, buf_str(&p->pending)); /* the last one */
}

/* ---- set lines ---- */

static void note_line(struct lyd_node *conf, const struct path *path, unsigned line)
{
	struct lyd_node *node = path_find(conf, path);

	for (; node && !node_line(node); node = lyd_parent(node))
		node_set_line(node, line);
}

static void parse_set_line(struct parser *p, const char *line, unsigned number)
{
	struct words words = {0};
	struct path path = {0};
	struct buf why = BUF_INIT, place = BUF_INIT;
	size_t bad = 0;

	if (!words_split(&words, line, &why)) {
		buf_truncate(&why, why.len - 1); /* its line end */
		fault_in_text(&p->faults, number, 0, "", NULL, "%s", buf_str(&why));
	} else if (words.count && strcmp(words.list[0], "set") != 0) {
		fault_in_text(&p->faults, number, 0, "", words.list[0],
			      "each line must begin with \"set\", as the first one does");
	} else if (words.count == 1) {
		fault_in_text(&p->faults, number, 0, "", "set", "what is to be set?");
	} else if (words.count > 1) {
		if (path_walk(p->module, NULL, words.list + 1, words.count - 1, true, &path, &bad,
			      &why)) {
			path_set(p->module, &p->conf, &path);
			note_line(p->conf, &path, number);
		} else {
			const struct lysc_node *end = path_end(&path);
			bool quote = bad + 1 < words.count && !(end && schema_is_secret(end));
			path_print(&path, &place);
			fault_in_text(&p->faults, number, 0, buf_str(&place),
				      quote ? words.list[bad + 1] : NULL, "%s", buf_str(&why));
		}
	}
	path_free(&path);
	words_free(&words);
	buf_free(&why);
	buf_free(&place);
}

static void parse_set_lines(struct parser *p)
{
	struct buf line = BUF_INIT;
	const char *at = p->lexer.text;

	for (unsigned number = 1; at < p->lexer.end; number++) {
		const char *stop = memchr(at, '\n', (size_t)(p->lexer.end - at));
		if (!stop)
			stop = p->lexer.end;
		buf_clear(&line);
		buf_append(&line, at, (size_t)(stop - at));
		parse_set_line(p, buf_str(&line), number);
		at = stop + (stop < p->lexer.end);
	}
	buf_free(&line);
}

/* ---- the way in ---- */

static bool begins_with_set(const char *text, size_t len)
{
	struct lexer l = lexer_open(text, len);
	struct token t = {0};

	do
		lexer_next(&l, &t);
	while (t.kind == TOKEN_COMMENT);
	bool set = t.kind == TOKEN_WORD && !t.quoted && !strcmp(buf_str(&t.text), "set");
	token_free(&t);
	return set;
}

bool text_parse(struct model *m, const char *text, size_t len, struct lyd_node **conf,
		struct buf *error)
{
	struct parser p = {.module = model_schema(m), .faults = {.out = error}};
	unsigned line, column;

	*conf = NULL;
	if (len > TEXT_MAX) {
		fault_in_text(&p.faults, 0, 0, "", NULL, "%zu bytes are too much; at most %zu", len,
			      TEXT_MAX);
		return false;
	}
	if (!words_are_text(text, len, &line, &column)) {
		fault_in_text(&p.faults, line, column, "", NULL,
			      "a byte that is not text (UTF-8, without control characters)");
		return false;
	}
	p.lexer = lexer_open(text, len);
	if (begins_with_set(text, len))
		parse_set_lines(&p);
	else
		parse_braces(&p);
	fault_finish(&p.faults);
	token_free(&p.token);
	buf_free(&p.pending);
	if (p.faults.count) {
		conf_free(p.conf);
		return false;
	}
	*conf = p.conf;
	return true;
}
