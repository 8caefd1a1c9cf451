/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/offer.h"

#include "model/schema.h"
#include "model/value.h"

static void say(const struct offer *o, const char *word, const char *help)
{
	o->visit(word, help ? help : "", o->arg);
}

/* As it has to be typed. */
static void offer_value(const struct offer *o, const char *value, const char *help)
{
	struct buf word = BUF_INIT;

	word_print(&word, value);
	say(o, buf_str(&word), help);
	buf_free(&word);
}

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
	say(o, buf_str(&kind), term->dsc);
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
		say(o, e->enums[i].name, e->enums[i].dsc);
	}
}

static void offer_values(const struct offer *o, const struct lysc_node *term)
{
	const struct lysc_node *list = schema_refers_to(term);

	if (value_kind(term) == VALUE_ENDPOINT) {
		say(o, "any", "Every address");
		offer_entries(o, conf_top(o->conf, "groups"), "group", "group");
		offer_entries(o, conf_top(o->conf, "servers"), "server", "server");
	}
	if (list)
		offer_entries(o, conf_top(o->conf, list->parent->name), list->name, list->name);
	offer_enums(o, schema_type(term));
	offer_kind(o, term);
	if (term->nodetype == LYS_LEAFLIST)
		say(o, "[", "Several values, up to ]");
}

/* Values there are, for delete and show. */
static void offer_present(const struct offer *o, const struct lyd_node *parent,
			  const struct lysc_node *term)
{
	if (schema_is_secret(term))
		return;
	CONF_FOR_EACH (n, parent, term->name)
		offer_value(o, conf_text(n), "");
}

static void offer_children(const struct offer *o, const struct lyd_node *here,
			   const struct lysc_node *schema)
{
	const struct lysc_node *unnamed = schema_unnamed_child(o->module, schema);

	for (const struct lysc_node *c = schema_first(o->module, schema); c; c = c->next) {
		bool there = schema ? conf_child(here, c->name) != NULL
				    : conf_top(o->conf, c->name) != NULL;
		if (!schema_is_key(c) && !schema_is_unnamed(c) && (!o->present || there))
			say(o, c->name, c->dsc);
	}
	if (unnamed && unnamed->nodetype == LYS_LIST) {
		offer_entries(o, here, unnamed->name, "");
		if (!o->present)
			offer_kind(o, schema_key(unnamed));
	} else if (unnamed && o->present) {
		offer_present(o, here, unnamed);
	} else if (unnamed) {
		offer_values(o, unnamed);
	}
}

/* The path ends at a list without a key, or at a leaf or leaf-list. */
static void offer_end(const struct offer *o, const struct lyd_node *here,
		      const struct lysc_node *end, bool has_value)
{
	if (end->nodetype == LYS_LIST) {
		for (const struct lyd_node *n = here; n; n = conf_next(n))
			offer_value(o, conf_text(lyd_child(n)), "");
		if (!o->present)
			offer_kind(o, schema_key(end));
	} else if (has_value || schema_is_empty(end)) {
		return;
	} else if (!o->present) {
		offer_values(o, end);
	} else if (end->nodetype == LYS_LEAFLIST && !schema_is_secret(end)) {
		for (const struct lyd_node *n = here; n; n = conf_next(n))
			offer_value(o, conf_text(n), "");
	}
}

void offer_path(const struct offer *o, const struct path *base, char *const *words, size_t count)
{
	struct path path = {0};
	struct buf why = BUF_INIT;
	size_t bad;

	if (path_walk(o->module, base, words, count, false, &path, &bad, &why)) {
		const struct lysc_node *end = path_end(&path);
		const struct lyd_node *here = path_find((struct lyd_node *)o->conf, &path);

		if (path_is_inside(&path))
			offer_children(o, here, end);
		else
			offer_end(o, here, end, path.values.count);
	}
	path_free(&path);
	buf_free(&why);
}
