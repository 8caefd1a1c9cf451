/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other rooms of the model ask of the compiled schema: names, keys, extensions, types.
 *
 * A parent of NULL means the top of the module. Everything returned belongs to the schema.
 */
#ifndef GATEPOST_MODEL_SCHEMA_H
#define GATEPOST_MODEL_SCHEMA_H

#include <libyang/libyang.h>
#include <stdbool.h>

/* The first child of parent; walk on with ->next. */
const struct lysc_node *schema_first(const struct lys_module *module,
				     const struct lysc_node *parent);
const struct lysc_node *schema_child(const struct lys_module *module,
				     const struct lysc_node *parent, const char *name);
/* The list or leaf-list whose entries stand without its name in parent, or NULL. */
const struct lysc_node *schema_unnamed_child(const struct lys_module *module,
					     const struct lysc_node *parent);

bool schema_is_unnamed(const struct lysc_node *node);
bool schema_is_secret(const struct lysc_node *node);
bool schema_is_key(const struct lysc_node *node);
bool schema_is_presence(const struct lysc_node *node); /* a container that means something itself */
bool schema_is_inner(const struct lysc_node *node);    /* a container or list */
bool schema_is_empty(const struct lysc_node *node);    /* a leaf without a value */
bool schema_is_user_ordered(const struct lysc_node *node);

/* The key leaf of a list; every list of this schema has one. */
const struct lysc_node *schema_key(const struct lysc_node *list);
/* A leaf's or leaf-list's type, compiled; NULL for other nodes. */
const struct lysc_type *schema_type(const struct lysc_node *term);
/* The name its type has in the schema ("ip", "port-list", "uint16"); "" for other nodes. */
const char *schema_typedef(const struct lysc_node *term);
/* For a leafref: the list whose key it names; NULL otherwise. */
const struct lysc_node *schema_refers_to(const struct lysc_node *term);
/* A leaf's default as text, or NULL. */
const char *schema_default(const struct lysc_node *leaf);

#endif
