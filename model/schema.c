/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/schema.h"

#include <string.h>

const struct lysc_node *schema_first(const struct lys_module *module,
				     const struct lysc_node *parent)
{
	return parent ? lysc_node_child(parent) : module->compiled->data;
}

const struct lysc_node *schema_child(const struct lys_module *module,
				     const struct lysc_node *parent, const char *name)
{
	const struct lysc_node *child = schema_first(module, parent);

	while (child && strcmp(child->name, name) != 0)
		child = child->next;
	return child;
}

const struct lysc_node *schema_unnamed_child(const struct lys_module *module,
					     const struct lysc_node *parent)
{
	const struct lysc_node *child = schema_first(module, parent);

	while (child && !schema_is_unnamed(child))
		child = child->next;
	return child;
}

static bool has_extension(const struct lysc_node *node, const char *name)
{
	LY_ARRAY_COUNT_TYPE i;

	LY_ARRAY_FOR(node->exts, i) if (!strcmp(node->exts[i].def->name, name)) return true;
	return false;
}

bool schema_is_unnamed(const struct lysc_node *node)
{
	return has_extension(node, "unnamed");
}

bool schema_is_secret(const struct lysc_node *node)
{
	return has_extension(node, "secret");
}

bool schema_is_key(const struct lysc_node *node)
{
	return lysc_is_key(node);
}

bool schema_is_presence(const struct lysc_node *node)
{
	return node->nodetype == LYS_CONTAINER && (node->flags & LYS_PRESENCE);
}

bool schema_is_inner(const struct lysc_node *node)
{
	return node->nodetype & (LYS_CONTAINER | LYS_LIST);
}

bool schema_is_empty(const struct lysc_node *node)
{
	const struct lysc_type *type = schema_type(node);

	return type && type->basetype == LY_TYPE_EMPTY;
}

bool schema_is_user_ordered(const struct lysc_node *node)
{
	return lysc_is_userordered(node);
}

const struct lysc_node *schema_key(const struct lysc_node *list)
{
	return lysc_node_child(list); /* libyang puts the keys first */
}

const struct lysc_type *schema_type(const struct lysc_node *term)
{
	if (term->nodetype == LYS_LEAF)
		return ((const struct lysc_node_leaf *)term)->type;
	if (term->nodetype == LYS_LEAFLIST)
		return ((const struct lysc_node_leaflist *)term)->type;
	return NULL;
}

const char *schema_typedef(const struct lysc_node *term)
{
	if (term->priv && term->nodetype == LYS_LEAF)
		return ((const struct lysp_node_leaf *)term->priv)->type.name;
	if (term->priv && term->nodetype == LYS_LEAFLIST)
		return ((const struct lysp_node_leaflist *)term->priv)->type.name;
	return "";
}

const struct lysc_node *schema_refers_to(const struct lysc_node *term)
{
	const struct lysc_type *type = schema_type(term);

	if (!type || type->basetype != LY_TYPE_LEAFREF)
		return NULL;
	const char *path = lyxp_get_expr(((const struct lysc_type_leafref *)type)->path);
	const struct lysc_node *list = NULL;
	struct ly_set *found = NULL;
	if (lys_find_xpath(term->module->ctx, term, path, 0, &found) == LY_SUCCESS &&
	    found->count == 1 && schema_is_key(found->snodes[0]))
		list = found->snodes[0]->parent;
	ly_set_free(found, NULL);
	return list;
}

const char *schema_default(const struct lysc_node *leaf)
{
	if (leaf->nodetype != LYS_LEAF)
		return NULL;
	const struct lyd_value *value = ((const struct lysc_node_leaf *)leaf)->dflt;
	return value ? lyd_value_get_canonical(leaf->module->ctx, value) : NULL;
}
