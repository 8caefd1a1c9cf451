/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/path.h"

#include "model/fault.h"
#include "model/schema.h"
#include "model/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- nodes ---- */

/* For a key that holds both kinds of quotes: no predicate can be written for it. */
static struct lyd_node *find_slowly(struct lyd_node *siblings, const struct lysc_node *list,
				    const char *key)
{
	struct lyd_node *n = siblings;

	while (n && (n->schema != list || strcmp(conf_text(lyd_child(n)), key) != 0))
		n = n->next;
	return n;
}

struct lyd_node *node_find(struct lyd_node *conf, struct lyd_node *parent,
			   const struct lysc_node *schema, const char *key)
{
	struct lyd_node *siblings = parent ? lyd_child(parent) : conf;
	struct lyd_node *found = NULL;
	struct buf by_key = BUF_INIT;

	if (!siblings)
		return NULL;
	if (schema->nodetype == LYS_LIST && key) {
		if (strchr(key, '\'') && strchr(key, '"'))
			return find_slowly(lyd_first_sibling(siblings), schema, key);
		char quote = strchr(key, '\'') ? '"' : '\'';
		buf_printf(&by_key, "[%s=%c%s%c]", schema_key(schema)->name, quote, key, quote);
		key = buf_str(&by_key);
	}
	if (!(schema->nodetype & (LYS_LIST | LYS_LEAFLIST)))
		key = NULL;
	if (lyd_find_sibling_val(siblings, schema, key, key ? strlen(key) : 0, &found))
		found = NULL;
	ly_err_clean(schema->module->ctx, NULL);
	buf_free(&by_key);
	return found;
}

struct lyd_node *node_new_inner(const struct lys_module *module, struct lyd_node **conf,
				struct lyd_node *parent, const struct lysc_node *schema,
				const char *key)
{
	struct lyd_node *node = NULL;
	LY_ERR err = schema->nodetype == LYS_LIST
			     ? lyd_new_list(parent, module, schema->name, 0, &node, key)
			     : lyd_new_inner(parent, module, schema->name, 0, &node);

	if (err != LY_SUCCESS || (!parent && lyd_insert_sibling(*conf, node, conf) != LY_SUCCESS))
		abort(); /* keys were checked, so it is memory that is short */
	return node;
}

struct lyd_node *node_new_term(struct lyd_node *parent, const struct lysc_node *schema,
			       const char *value)
{
	struct lyd_node *node = NULL;

	if (lyd_new_term(parent, NULL, schema->name, value, 0, &node) != LY_SUCCESS)
		abort(); /* the value was checked */
	return node;
}

/* ---- paths ---- */

void path_free(struct path *p)
{
	for (size_t i = 0; i < p->depth; i++)
		free(p->step[i].key);
	words_free(&p->values);
	*p = (struct path){0};
}

static void add_step(struct path *p, const struct lysc_node *schema, const char *key)
{
	struct path_step *step = &p->step[p->depth];

	if (p->depth == PATH_DEPTH_MAX)
		abort(); /* deeper than any schema of ours */
	step->schema = schema;
	step->key = key ? strdup(key) : NULL;
	p->depth++;
}

void path_copy(struct path *out, const struct path *from)
{
	struct path copy = {0};

	for (size_t i = 0; from && i < from->depth; i++)
		add_step(&copy, from->step[i].schema, from->step[i].key);
	for (size_t i = 0; from && i < from->values.count; i++)
		words_add(&copy.values, from->values.list[i]);
	*out = copy;
}

void path_print(const struct path *p, struct buf *out)
{
	const char *space = "";

	for (size_t i = 0; i < p->depth; i++) {
		if (!schema_is_unnamed(p->step[i].schema)) {
			buf_printf(out, "%s%s", space, p->step[i].schema->name);
			space = " ";
		}
		if (p->step[i].key) {
			buf_appends(out, space);
			word_print(out, p->step[i].key);
			space = " ";
		}
	}
}

const struct lysc_node *path_end(const struct path *p)
{
	return p->depth ? p->step[p->depth - 1].schema : NULL;
}

bool path_is_inside(const struct path *p)
{
	const struct lysc_node *end = path_end(p);

	return !end || end->nodetype == LYS_CONTAINER ||
	       (end->nodetype == LYS_LIST && p->step[p->depth - 1].key);
}

/* ---- walking ---- */

void path_say_unknown(const struct lys_module *module, const struct lysc_node *parent,
		      const char *word, struct buf *why)
{
	struct nearest near = nearest_to(word);
	struct buf known = BUF_INIT;
	char hint[96];

	for (const struct lysc_node *c = schema_first(module, parent); c; c = c->next) {
		if (schema_is_key(c) || schema_is_unnamed(c))
			continue;
		nearest_offer(&near, c->name);
		buf_printf(&known, "%s%s", known.len ? ", " : "", c->name);
	}
	nearest_hint(&near, hint);
	buf_printf(why, "not known here%s%s",
		   near.distance != UINT32_MAX ? hint
		   : known.len                 ? "; known: "
					       : "",
		   near.distance != UINT32_MAX ? "" : buf_str(&known));
	buf_free(&known);
}

struct walk {
	const struct lys_module *module;
	char *const *words;
	size_t count;
	size_t at;
	bool for_set;
	struct path *out;
	struct buf *why;
};

static bool checked(struct walk *w, const struct lysc_node *term, const char *word)
{
	return !w->for_set || value_check(term, word, w->why);
}

static bool want_value(struct walk *w, const struct lysc_node *term)
{
	buf_printf(w->why, "missing: ");
	value_describe(term, w->why);
	return false;
}

/* [ A B ] */
static bool walk_bracket(struct walk *w, const struct lysc_node *list)
{
	for (w->at++; w->at < w->count; w->at++) {
		const char *word = w->words[w->at];
		if (!strcmp(word, "]")) {
			w->at++;
			return w->out->values.count || !w->for_set || want_value(w, list);
		}
		if (!checked(w, list, word))
			return false;
		words_add(&w->out->values, word);
	}
	buf_appends(w->why, "missing: ] at the end of the list");
	return false;
}

static bool walk_values(struct walk *w, const struct lysc_node *term)
{
	if (schema_is_empty(term))
		return true;
	if (w->at == w->count)
		return !w->for_set || want_value(w, term);
	if (term->nodetype == LYS_LEAFLIST && !strcmp(w->words[w->at], "["))
		return walk_bracket(w, term);
	if (!checked(w, term, w->words[w->at]))
		return false;
	words_add(&w->out->values, w->words[w->at++]);
	return true;
}

static bool walk_list(struct walk *w, const struct lysc_node *list)
{
	const struct lysc_node *key = schema_key(list);

	if (w->at == w->count) {
		add_step(w->out, list, NULL);
		return !w->for_set || want_value(w, key);
	}
	if (!checked(w, key, w->words[w->at]))
		return false;
	add_step(w->out, list, w->words[w->at++]);
	return true;
}

/* One step: a name, or the key or value of the unnamed child. */
static bool walk_step(struct walk *w)
{
	const struct lysc_node *parent = path_end(w->out);
	const char *word = w->words[w->at];
	const struct lysc_node *child = schema_child(w->module, parent, word);

	if (child && !schema_is_key(child) && !schema_is_unnamed(child))
		w->at++;
	else
		child = schema_unnamed_child(w->module, parent);
	if (!child) {
		path_say_unknown(w->module, parent, word, w->why);
		return false;
	}
	if (child->nodetype == LYS_LIST)
		return walk_list(w, child);
	add_step(w->out, child, NULL);
	return child->nodetype == LYS_CONTAINER || walk_values(w, child);
}

bool path_walk(const struct lys_module *module, const struct path *base, char *const *words,
	       size_t count, bool for_set, struct path *out, size_t *bad, struct buf *why)
{
	struct walk w = {module, words, count, 0, for_set, out, why};
	bool ok = true;

	path_copy(out, base);
	while (ok && w.at < count && path_is_inside(out))
		ok = walk_step(&w);
	if (ok && w.at < count) {
		buf_appends(why, "nothing may follow here");
		ok = false;
	}
	*bad = w.at;
	return ok;
}

/* ---- doing ---- */

struct lyd_node *path_find(struct lyd_node *conf, const struct path *p)
{
	struct lyd_node *node = NULL;

	for (size_t i = 0; i < p->depth; i++) {
		const struct path_step *step = &p->step[i];
		const char *key = step->key;

		if (step->schema->nodetype == LYS_LEAFLIST && p->values.count)
			key = p->values.list[0];
		node = node_find(conf, node, step->schema, key);
		if (!node)
			return NULL;
	}
	return node;
}

struct lyd_node *path_make(const struct lys_module *module, struct lyd_node **conf,
			   const struct path *p)
{
	struct lyd_node *node = NULL;

	for (size_t i = 0; i < p->depth && schema_is_inner(p->step[i].schema); i++) {
		const struct path_step *step = &p->step[i];
		struct lyd_node *found = node_find(*conf, node, step->schema, step->key);

		node = found ? found : node_new_inner(module, conf, node, step->schema, step->key);
	}
	return node;
}

void path_set(const struct lys_module *module, struct lyd_node **conf, const struct path *p)
{
	const struct lysc_node *end = path_end(p);
	struct lyd_node *parent = path_make(module, conf, p);

	if (!end || schema_is_inner(end))
		return;
	if (schema_is_empty(end)) {
		if (!node_find(*conf, parent, end, NULL))
			node_new_term(parent, end, "");
		return;
	}
	for (size_t i = 0; i < p->values.count; i++) {
		const char *value = p->values.list[i];
		struct lyd_node *old = node_find(*conf, parent, end, value);

		if (!old)
			node_new_term(parent, end, value);
		else if (end->nodetype == LYS_LEAF)
			lyd_change_term(old, value); /* EEXIST, ENOT: it was that already */
	}
}

static void remove_node(struct lyd_node **conf, struct lyd_node *node)
{
	if (*conf == node)
		*conf = node->next;
	lyd_free_tree(node);
}

static bool not_there(const struct path *p, const char *value, struct buf *why)
{
	struct buf words = BUF_INIT;

	path_print(p, &words);
	if (value) {
		buf_appendc(&words, ' ');
		word_print(&words, value);
	}
	buf_printf(why, "not set: %s", buf_str(&words));
	buf_free(&words);
	return false;
}

bool path_delete(struct lyd_node **conf, const struct path *p, struct buf *why)
{
	struct path one;
	bool ok = true;

	if (!p->depth) {
		conf_free(*conf);
		*conf = NULL;
		return true;
	}
	if (!p->values.count) {
		struct lyd_node *node = path_find(*conf, p);
		if (!node)
			return not_there(p, NULL, why);
		/* A list or leaf-list without a key or value: all of it. */
		const struct lysc_node *schema = node->schema;
		bool all = (schema->nodetype & (LYS_LIST | LYS_LEAFLIST)) &&
			   !p->step[p->depth - 1].key;
		while (node && node->schema == schema) {
			struct lyd_node *next = node->next;
			remove_node(conf, node);
			node = all ? next : NULL;
		}
		return true;
	}
	path_copy(&one, p);
	words_free(&one.values);
	for (size_t i = 0; ok && i < p->values.count; i++) {
		words_add(&one.values, p->values.list[i]);
		struct lyd_node *node = path_find(*conf, &one);
		if (node && !strcmp(conf_text(node), p->values.list[i]))
			remove_node(conf, node);
		else
			ok = not_there(p, p->values.list[i], why);
		words_free(&one.values);
	}
	path_free(&one);
	return ok;
}
