/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/check.h"

#include "model/model.h"
#include "model/schema.h"
#include "model/value.h"

#include <stdlib.h>
#include <string.h>

/* ---- addresses that must stand once ---- */

void addr_list_add(struct addr_list *l, const struct addr *a, const struct lyd_node *node)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->list = realloc(l->list, l->cap * sizeof(*l->list));
		if (!l->list)
			abort();
	}
	l->list[l->count++] = (struct found_addr){.addr = *a, .node = node};
}

static int by_addr_then_line(const void *a, const void *b)
{
	const struct found_addr *x = a, *y = b;
	int order = addr_cmp(&x->addr, &y->addr);

	if (order)
		return order;
	unsigned line_x = node_line(x->node), line_y = node_line(y->node);
	return (line_x > line_y) - (line_x < line_y);
}

void addr_list_check_unique(struct addr_list *l, struct faults *f)
{
	if (l->count == 0)
		return;
	qsort(l->list, l->count, sizeof(*l->list), by_addr_then_line);
	for (size_t i = 1; i < l->count; i++) {
		const struct found_addr *first = &l->list[i - 1], *second = &l->list[i];
		if (addr_cmp(&first->addr, &second->addr) != 0)
			continue;
		struct buf owner = BUF_INIT;
		fault_path(first->node, &owner);
		if (node_line(first->node))
			buf_printf(&owner, " (line %u)", node_line(first->node));
		fault_at(f, second->node, conf_text(second->node), "taken already by %s",
			 buf_str(&owner));
		buf_free(&owner);
	}
}

static int by_addr(const void *key, const void *member)
{
	return addr_cmp(key, &((const struct found_addr *)member)->addr);
}

const struct lyd_node *addr_list_find(const struct addr_list *l, const struct addr *a)
{
	if (l->count == 0)
		return NULL;
	const struct found_addr *found = bsearch(a, l->list, l->count, sizeof(*l->list), by_addr);
	return found ? found->node : NULL;
}

void addr_list_free(struct addr_list *l)
{
	free(l->list);
	*l = (struct addr_list){0};
}

/* ---- what the schema demands ---- */

static const struct lyd_node *first_of(const struct lyd_node *siblings,
				       const struct lysc_node *schema)
{
	struct lyd_node *found = NULL;

	lyd_find_sibling_val(siblings, schema, NULL, 0, &found);
	return found;
}

/* The data node that holds all entries of the list: above node, or at the top of the tree. */
static const struct lyd_node *holder_of(const struct lyd_node *node, const struct lysc_node *list)
{
	const struct lyd_node *top = node;

	while (node && node->schema != list->parent) {
		top = node;
		node = node->parent ? &node->parent->node : NULL;
	}
	if (node || list->parent->parent)
		return node;
	return conf_top(lyd_first_sibling(top), list->parent->name);
}

static void check_reference(const struct lyd_node *node, struct faults *f)
{
	const struct lysc_node *list = schema_refers_to(node->schema);
	char hint[96];

	if (!list)
		return;
	const struct lyd_node *holder = holder_of(node, list);
	const char *name = conf_text(node);
	if (conf_find(holder, list->name, name))
		return;

	struct nearest near = nearest_to(name);
	if (fault_is_told(f))
		CONF_FOR_EACH (entry, holder, list->name)
			nearest_offer(&near, lyd_get_value(lyd_child(entry)));
	fault_at(f, node, name, "no %s has this name%s", list->name, nearest_hint(&near, hint));
}

static void check_term(const struct lyd_node *node, struct faults *f)
{
	struct buf why = BUF_INIT;

	if (!value_check_meaning(node->schema, conf_text(node), &why))
		fault_at(f, node, conf_text(node), "%s", buf_str(&why));
	else
		check_reference(node, f);
	buf_free(&why);
}

static uint32_t list_min(const struct lysc_node *s)
{
	return s->nodetype == LYS_LIST ? ((const struct lysc_node_list *)s)->min
				       : ((const struct lysc_node_leaflist *)s)->min;
}

static uint32_t list_max(const struct lysc_node *s)
{
	return s->nodetype == LYS_LIST ? ((const struct lysc_node_list *)s)->max
				       : ((const struct lysc_node_leaflist *)s)->max;
}

static void check_count(const struct lyd_node *parent, const struct lysc_node *schema,
			struct faults *f)
{
	const struct lyd_node *entry = first_of(lyd_child(parent), schema);
	uint32_t count = 0;

	for (; entry && entry->schema == schema; entry = entry->next)
		if (++count > list_max(schema)) {
			fault_at(f, entry,
				 schema->nodetype == LYS_LEAFLIST ? conf_text(entry) : NULL,
				 "one too many; at most %u may be given", list_max(schema));
			return;
		}
	if (count < list_min(schema))
		fault_below(f, parent, schema->name, "missing: at least %u must be given",
			    list_min(schema));
}

static int by_text_then_line(const void *a, const void *b)
{
	const struct lyd_node *x = *(const struct lyd_node *const *)a;
	const struct lyd_node *y = *(const struct lyd_node *const *)b;
	int order = strcmp(conf_text(x), conf_text(y));

	return order ? order : (node_line(x) > node_line(y)) - (node_line(x) < node_line(y));
}

/* The same value twice in one leaf-list; addresses count as the same however they are written. */
static void check_twice(const struct lyd_node *first, struct faults *f)
{
	size_t count = 0, i = 0;

	for (const struct lyd_node *n = first; n; n = conf_next(n))
		count++;
	if (count < 2)
		return;
	if (value_kind(first->schema) == VALUE_IP) {
		struct addr_list list = {0};
		struct addr a;
		for (const struct lyd_node *n = first; n; n = conf_next(n))
			if (addr_parse(conf_text(n), &a))
				addr_list_add(&list, &a, n);
		addr_list_check_unique(&list, f);
		addr_list_free(&list);
		return;
	}
	const struct lyd_node **all = calloc(count, sizeof(*all));
	if (!all)
		abort();
	for (const struct lyd_node *n = first; n; n = conf_next(n))
		all[i++] = n;
	qsort(all, count, sizeof(*all), by_text_then_line);
	for (i = 1; i < count; i++)
		if (!strcmp(conf_text(all[i - 1]), conf_text(all[i])))
			fault_at(f, all[i], conf_text(all[i]), "given twice");
	free(all);
}

static void check_inner(const struct lyd_node *node, struct faults *f);

static void check_child_schema(const struct lyd_node *parent, const struct lysc_node *schema,
			       struct faults *f)
{
	const struct lyd_node *first = first_of(lyd_child(parent), schema);

	if (schema->nodetype & (LYS_LIST | LYS_LEAFLIST))
		check_count(parent, schema, f);
	if (schema->nodetype == LYS_LEAFLIST && first)
		check_twice(first, f);
	if (schema->nodetype == LYS_LEAF && (schema->flags & LYS_MAND_TRUE) && !first) {
		struct buf what = BUF_INIT;
		value_describe(schema, &what);
		fault_below(f, parent, schema->name, "missing: %s must be given", buf_str(&what));
		buf_free(&what);
	}
	for (const struct lyd_node *n = first; n && n->schema == schema; n = n->next) {
		if (schema_is_inner(schema))
			check_inner(n, f);
		else
			check_term(n, f);
	}
}

static void check_inner(const struct lyd_node *node, struct faults *f)
{
	const struct lysc_node *schema = lysc_node_child(node->schema);

	for (; schema; schema = schema->next)
		check_child_schema(node, schema, f);
}

void check_structure(const struct lyd_node *conf, struct faults *f)
{
	for (; conf; conf = conf->next)
		check_inner(conf, f);
}
