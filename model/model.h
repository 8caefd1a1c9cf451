/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration's schema (model/gatepost.yang, compiled by libyang) and trees that follow it.
 *
 * A config is a libyang data tree: a pointer to the first of its top-level siblings, NULL when it
 * is empty. Whoever holds one frees it with conf_free(). The conf_* readers below are all that
 * other rooms need: they go by names of the schema and give defaults where a leaf is not set.
 */
#ifndef GATEPOST_MODEL_MODEL_H
#define GATEPOST_MODEL_MODEL_H

#include "lib/buf.h"

#include <libyang/libyang.h>
#include <stdbool.h>

struct model;

/*
 * Loads gatepost.yang from yang_dir. lab enables the feature of that name: for test benches.
 * NULL on failure, with the reason appended to error.
 */
struct model *model_open(const char *yang_dir, bool lab, struct buf *error);
void model_close(struct model *m);
const struct lys_module *model_schema(const struct model *m);

/*
 * Checks a whole config: types, references, and what YANG cannot say (duplicate addresses, names
 * that mean nothing, relays open to everybody...). Adds defaults to *conf. False with one line per
 * fault in error: the path, the offending text, what would be right.
 */
bool model_validate(struct model *m, struct lyd_node **conf, struct buf *error);
/* Does libyang's own validation, which takes as long as all of model_validate(), find the same? For
 * tests: what it finds is a check that is missing here. */
bool model_agrees(struct model *m, struct lyd_node **conf, struct buf *error);

/* RFC 7951 JSON of one top-level container ("relay"), with defaults; "" when it is not set. */
void model_print_json(const struct lyd_node *conf, const char *container, struct buf *out);

struct lyd_node *conf_copy(const struct lyd_node *conf);
void conf_free(struct lyd_node *conf);
bool conf_equal(const struct lyd_node *a, const struct lyd_node *b);

/* ---- readers ---- */

/* A top-level container, or NULL. */
const struct lyd_node *conf_top(const struct lyd_node *conf, const char *name);
/* The first child of that name, or NULL; NULL parent gives NULL. */
const struct lyd_node *conf_child(const struct lyd_node *parent, const char *name);
/* The entry of a list with that key, or the leaf-list value of that text, or NULL. */
const struct lyd_node *conf_find(const struct lyd_node *parent, const char *name, const char *key);
/* The next sibling of the same name: walks list entries and leaf-list values. */
const struct lyd_node *conf_next(const struct lyd_node *node);
/* A leaf's (or leaf-list entry's) own text. */
const char *conf_text(const struct lyd_node *leaf);
/* The text of a child leaf, its default, or NULL. */
const char *conf_value(const struct lyd_node *parent, const char *leaf);
unsigned long conf_number(const struct lyd_node *parent, const char *leaf);
/* True when a child of that name was set (an empty leaf, or a container with presence). */
bool conf_has(const struct lyd_node *parent, const char *name);

#define CONF_FOR_EACH(var, parent, name) \
	for (const struct lyd_node *var = conf_child((parent), (name)); var; var = conf_next(var))

#endif
