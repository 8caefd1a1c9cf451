/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/compare.h"

#include "model/fault.h"
#include "model/path.h"
#include "model/schema.h"
#include "model/text.h"

#include <string.h>

struct comparison {
	struct text_style minus, plus;
	struct buf *out;
	const struct lyd_node *headed; /* the place whose heading was printed last */
	bool any;
};

static void heading(struct comparison *c, const struct lyd_node *parent)
{
	struct buf path = BUF_INIT;

	if (c->any && c->headed == parent)
		return;
	if (parent)
		fault_path(parent, &path);
	buf_printf(c->out, "[%s]\n", buf_str(&path));
	buf_free(&path);
	c->headed = parent;
	c->any = true;
}

static void print_change(struct comparison *c, const struct lyd_node *parent,
			 const struct lyd_node *node, const struct text_style *style)
{
	if (!text_is_set(node))
		return;
	heading(c, parent);
	text_print_one(node, style, c->out);
}

/* The node in other that stands for the same thing: same name, key, leaf-list value. */
static const struct lyd_node *counterpart(const struct lyd_node *other, const struct lyd_node *node)
{
	const char *key = NULL;

	if (node->schema->nodetype == LYS_LIST)
		key = conf_text(lyd_child(node));
	else if (node->schema->nodetype == LYS_LEAFLIST)
		key = conf_text(node);
	struct lyd_node *found = node_find((struct lyd_node *)other, NULL, node->schema, key);
	return found && text_is_set(found) ? found : NULL;
}

static const struct lyd_node *first_of(const struct lyd_node *siblings,
				       const struct lysc_node *schema)
{
	return node_find((struct lyd_node *)siblings, NULL, schema, NULL);
}

/* Where order means something and differs, the whole list is shown old and new. */
static bool same_order(const struct lyd_node *a, const struct lyd_node *b)
{
	while (a && b && !strcmp(conf_text(a), conf_text(b))) {
		a = conf_next(a);
		b = conf_next(b);
	}
	return !a && !b;
}

static void compare_siblings(struct comparison *c, const struct lyd_node *parent_a,
			     const struct lyd_node *a, const struct lyd_node *parent_b,
			     const struct lyd_node *b);

static void compare_ordered(struct comparison *c, const struct lyd_node *place,
			    const struct lyd_node *a, const struct lyd_node *b)
{
	if (same_order(a, b))
		return;
	for (; a; a = conf_next(a))
		print_change(c, place, a, &c->minus);
	for (; b; b = conf_next(b))
		print_change(c, place, b, &c->plus);
}

static void compare_pair(struct comparison *c, const struct lyd_node *parent_a,
			 const struct lyd_node *a, const struct lyd_node *b)
{
	if (schema_is_inner(a->schema)) {
		compare_siblings(c, a, lyd_child(a), b, lyd_child(b));
	} else if (strcmp(conf_text(a), conf_text(b)) != 0) {
		print_change(c, parent_a, a, &c->minus);
		print_change(c, parent_a, b, &c->plus);
	}
}

/* All nodes of one name. */
static void compare_schema(struct comparison *c, const struct lysc_node *schema,
			   const struct lyd_node *parent_a, const struct lyd_node *a,
			   const struct lyd_node *parent_b, const struct lyd_node *b)
{
	const struct lyd_node *first_a = first_of(a, schema), *first_b = first_of(b, schema);
	const struct lyd_node *n, *place = parent_a ? parent_a : parent_b;

	if (schema->nodetype == LYS_LEAFLIST && schema_is_user_ordered(schema)) {
		compare_ordered(c, place, first_a, first_b);
		return;
	}
	for (n = first_a; n; n = conf_next(n)) {
		const struct lyd_node *other = text_is_set(n) ? counterpart(b, n) : NULL;
		if (other)
			compare_pair(c, place, n, other);
		else
			print_change(c, place, n, &c->minus);
	}
	for (n = first_b; n; n = conf_next(n))
		if (text_is_set(n) && !counterpart(a, n))
			print_change(c, place, n, &c->plus);
}

static void compare_siblings(struct comparison *c, const struct lyd_node *parent_a,
			     const struct lyd_node *a, const struct lyd_node *parent_b,
			     const struct lyd_node *b)
{
	const struct lyd_node *any = a ? a : b;

	if (!any)
		return;
	for (const struct lysc_node *s = schema_first(any->schema->module, any->schema->parent); s;
	     s = s->next)
		if (!schema_is_key(s))
			compare_schema(c, s, parent_a, a, parent_b, b);
}

bool compare_print(const struct lyd_node *before, const struct lyd_node *after, bool hide_secrets,
		   struct buf *out)
{
	struct comparison c = {
		.minus = {.mark = "-   ", .hide_secrets = hide_secrets},
		.plus = {.mark = "+   ", .hide_secrets = hide_secrets},
		.out = out,
	};

	compare_siblings(&c, NULL, before, NULL, after);
	return c.any;
}
