/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/text.h"

#include "model/comment.h"
#include "model/schema.h"
#include "model/words.h"

#include <stdlib.h>
#include <string.h>

#define INDENT 4

struct printer {
	const struct text_style *style;
	struct buf *out;
	unsigned depth;
};

bool text_is_set(const struct lyd_node *node)
{
	if (!schema_is_inner(node->schema))
		return !(node->flags & LYD_DEFAULT);
	if (node->schema->nodetype == LYS_LIST || schema_is_presence(node->schema))
		return true;
	if (comment_any(node))
		return true;
	for (const struct lyd_node *c = lyd_child(node); c; c = c->next)
		if (text_is_set(c))
			return true;
	return false;
}

/* ---- lines ---- */

static void begin_line(struct printer *p)
{
	if (p->style->mark)
		buf_appends(p->out, p->style->mark);
	for (unsigned i = 0; i < p->depth * INDENT; i++)
		buf_appendc(p->out, ' ');
}

static void end_line(struct printer *p, const char *beside)
{
	if (beside)
		buf_printf(p->out, " %s", beside);
	buf_appendc(p->out, '\n');
}

static void print_comment(struct printer *p, const char *comment)
{
	while (comment && *comment) {
		size_t len = strcspn(comment, "\n");
		if (len) {
			begin_line(p);
			buf_append(p->out, comment, len);
		}
		buf_appendc(p->out, '\n');
		comment += len + (comment[len] == '\n');
	}
}

static void print_value(struct printer *p, const struct lyd_node *term)
{
	if (p->style->hide_secrets && schema_is_secret(term->schema))
		buf_appends(p->out, "\"(hidden)\"");
	else
		word_print(p->out, conf_text(term));
}

/* Behind '}' or ';': the slot's first line stands beside it, the others below. */
static void end_block(struct printer *p, const char *after)
{
	size_t len = after ? strcspn(after, "\n") : 0;

	if (len)
		buf_printf(p->out, " %.*s", (int)len, after);
	buf_appendc(p->out, '\n');
	if (after && after[len])
		print_comment(p, after + len + 1);
}

/* "name KEY", "KEY", "name" */
static void print_head(struct printer *p, const struct lyd_node *node)
{
	bool named = !schema_is_unnamed(node->schema);

	if (named)
		buf_appends(p->out, node->schema->name);
	if (node->schema->nodetype == LYS_LIST) {
		if (named)
			buf_appendc(p->out, ' ');
		word_print(p->out, conf_text(lyd_child(node)));
	}
}

/* ---- braces ---- */

static void print_siblings(struct printer *p, const struct lyd_node *first);

static bool has_set_children(const struct lyd_node *node)
{
	for (const struct lyd_node *c = lyd_child(node); c; c = c->next)
		if (!schema_is_key(c->schema) && text_is_set(c))
			return true;
	return false;
}

static void print_block(struct printer *p, const struct lyd_node *node)
{
	const char *inside = comment_get(node, COMMENT_INSIDE);
	bool empty = !has_set_children(node) && !inside;
	/* A container without presence cannot stand as "name;". */
	bool bare =
		empty && (node->schema->nodetype == LYS_LIST || schema_is_presence(node->schema));

	print_comment(p, comment_get(node, COMMENT_BEFORE));
	begin_line(p);
	print_head(p, node);
	buf_appends(p->out, bare ? ";" : " {");
	end_line(p, comment_get(node, COMMENT_BESIDE));
	if (bare) {
		print_comment(p, comment_get(node, COMMENT_AFTER));
		return;
	}
	p->depth++;
	print_siblings(p, lyd_child(node));
	print_comment(p, inside);
	p->depth--;
	begin_line(p);
	buf_appendc(p->out, '}');
	end_block(p, comment_get(node, COMMENT_AFTER));
}

static void print_leaf(struct printer *p, const struct lyd_node *leaf)
{
	const char *beside = comment_get(leaf, COMMENT_BESIDE);

	print_comment(p, comment_get(leaf, COMMENT_BEFORE));
	begin_line(p);
	if (!schema_is_unnamed(leaf->schema))
		buf_appends(p->out, leaf->schema->name);
	if (!schema_is_empty(leaf->schema)) {
		if (!schema_is_unnamed(leaf->schema))
			buf_appendc(p->out, ' ');
		print_value(p, leaf);
	}
	buf_appendc(p->out, ';');
	end_line(p, beside);
	print_comment(p, comment_get(leaf, COMMENT_INSIDE));
	print_comment(p, comment_get(leaf, COMMENT_AFTER));
}

static bool fits_one_line(struct printer *p, const struct lyd_node *first, struct buf *line)
{
	buf_printf(line, "%s [", first->schema->name);
	for (const struct lyd_node *n = first; n; n = conf_next(n)) {
		buf_appendc(line, ' ');
		word_print(line, conf_text(n));
		if (comment_get(n, COMMENT_BESIDE) || comment_get(n, COMMENT_INSIDE) ||
		    (n != first && comment_get(n, COMMENT_BEFORE)))
			return false;
	}
	buf_appends(line, " ];");
	return p->depth * INDENT + line->len <= TEXT_LINE_WRAP;
}

/* A leaf-list of several values. */
static void print_list(struct printer *p, const struct lyd_node *first)
{
	struct buf line = BUF_INIT;

	print_comment(p, comment_get(first, COMMENT_BEFORE));
	if (fits_one_line(p, first, &line)) {
		begin_line(p);
		buf_append(p->out, line.data, line.len);
	} else {
		begin_line(p);
		buf_printf(p->out, "%s [", first->schema->name);
		end_line(p, comment_get(first, COMMENT_INSIDE));
		p->depth++;
		for (const struct lyd_node *n = first; n; n = conf_next(n)) {
			if (n != first)
				print_comment(p, comment_get(n, COMMENT_BEFORE));
			begin_line(p);
			print_value(p, n);
			end_line(p, comment_get(n, COMMENT_BESIDE));
		}
		p->depth--;
		begin_line(p);
		buf_appends(p->out, "];");
	}
	end_block(p, comment_get(first, COMMENT_AFTER));
	buf_free(&line);
}

/* Returns the last node that was printed. */
static const struct lyd_node *print_node(struct printer *p, const struct lyd_node *node)
{
	if (schema_is_inner(node->schema)) {
		print_block(p, node);
		return node;
	}
	if (node->schema->nodetype == LYS_LEAF || schema_is_unnamed(node->schema) ||
	    !conf_next(node)) {
		print_leaf(p, node);
		return node;
	}
	print_list(p, node);
	while (conf_next(node))
		node = conf_next(node);
	return node;
}

static void print_siblings(struct printer *p, const struct lyd_node *first)
{
	for (const struct lyd_node *n = first; n; n = n->next)
		if (!schema_is_key(n->schema) && text_is_set(n))
			n = print_node(p, n);
}

/* ---- set lines ---- */

static void set_line(struct printer *p, const struct buf *path, const struct lyd_node *term)
{
	if (p->style->mark)
		buf_appends(p->out, p->style->mark);
	buf_printf(p->out, "set %s", buf_str(path));
	if (term && !schema_is_empty(term->schema)) {
		if (path->len && path->data[path->len - 1] != ' ')
			buf_appendc(p->out, ' ');
		print_value(p, term);
	}
	buf_appendc(p->out, '\n');
}

static void set_word(struct buf *path, const char *word)
{
	if (path->len)
		buf_appendc(path, ' ');
	word_print(path, word);
}

static void print_set(struct printer *p, const struct lyd_node *node, struct buf *path)
{
	size_t before = path->len;

	if (!text_is_set(node))
		return;
	if (!schema_is_unnamed(node->schema))
		set_word(path, node->schema->name);
	if (node->schema->nodetype == LYS_LIST)
		set_word(path, conf_text(lyd_child(node)));
	if (!schema_is_inner(node->schema)) {
		set_line(p, path, node);
	} else if (!has_set_children(node)) {
		if (node->schema->nodetype == LYS_LIST || schema_is_presence(node->schema))
			set_line(p, path, NULL);
	} else {
		for (const struct lyd_node *c = lyd_child(node); c; c = c->next)
			if (!schema_is_key(c->schema))
				print_set(p, c, path);
	}
	buf_truncate(path, before);
}

/* The path that leads to a node's parent. */
static void path_above(const struct lyd_node *node, struct buf *path)
{
	const struct lyd_node *parent = lyd_parent(node);

	if (!parent)
		return;
	path_above(parent, path);
	if (!schema_is_unnamed(parent->schema))
		set_word(path, parent->schema->name);
	if (parent->schema->nodetype == LYS_LIST)
		set_word(path, conf_text(lyd_child(parent)));
}

/* ---- JSON ---- */

/* Comments are ours alone and stay behind. */
static void print_json(const struct lyd_node *first, bool whole, struct buf *out)
{
	struct lyd_node *copy = NULL;
	char *text = NULL;
	LY_ERR err = (whole ? lyd_dup_siblings : lyd_dup_single)(
		first, NULL, LYD_DUP_RECURSIVE | LYD_DUP_WITH_FLAGS | LYD_DUP_NO_META, &copy);

	if (err == LY_SUCCESS)
		err = lyd_print_mem(&text, copy, LYD_JSON, whole ? LYD_PRINT_WITHSIBLINGS : 0);
	buf_appends(out, err == LY_SUCCESS && text ? text : "{}\n");
	free(text);
	conf_free(copy);
}

/* ---- the two ways in ---- */

static const struct text_style braces = {.form = TEXT_BRACES};

void text_print(const struct lyd_node *siblings, const struct text_style *style, struct buf *out)
{
	struct printer p = {style ? style : &braces, out, style ? style->depth : 0};
	struct buf path = BUF_INIT;

	if (p.style->form == TEXT_JSON) {
		print_json(siblings, true, out);
	} else if (siblings && p.style->form == TEXT_SET) {
		path_above(siblings, &path);
		for (const struct lyd_node *n = siblings; n; n = n->next)
			if (!schema_is_key(n->schema))
				print_set(&p, n, &path);
	} else {
		print_siblings(&p, siblings);
	}
	buf_free(&path);
}

void text_print_one(const struct lyd_node *node, const struct text_style *style, struct buf *out)
{
	struct printer p = {style ? style : &braces, out, style ? style->depth : 0};
	struct buf path = BUF_INIT;

	if (p.style->form == TEXT_JSON) {
		print_json(node, false, out);
	} else if (p.style->form == TEXT_SET) {
		path_above(node, &path);
		print_set(&p, node, &path);
	} else if (schema_is_inner(node->schema)) {
		print_block(&p, node);
	} else {
		print_leaf(&p, node);
	}
	buf_free(&path);
}

void text_print_part(const struct lyd_node *conf, const struct path *path,
		     const struct text_style *style, struct buf *out)
{
	if (!path->depth) {
		text_print(conf, style, out);
		return;
	}
	const struct lyd_node *node = path_find((struct lyd_node *)conf, path);
	if (!node)
		return;
	bool all = !path->values.count && !path->step[path->depth - 1].key &&
		   (node->schema->nodetype & (LYS_LIST | LYS_LEAFLIST));
	if (style->form == TEXT_BRACES && schema_is_inner(node->schema) && !all)
		text_print(lyd_child(node), style, out);
	else
		for (; node; node = all && style->form != TEXT_JSON ? conf_next(node) : NULL)
			text_print_one(node, style, out);
}
