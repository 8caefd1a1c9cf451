/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An entry of a config under another name, in another place, with a comment.
 *
 * Pure: each takes a tree and a path (path_walk() without for_set) and changes the tree, or gives
 * the reason in why and leaves it as it was.
 */
#ifndef GATEPOST_MODEL_REARRANGE_H
#define GATEPOST_MODEL_REARRANGE_H

#include "model/path.h"

#include <stdbool.h>

/*
 * Gives a list's entry another key, in its place, and changes whatever refers to it by its name:
 * leafrefs to its list; endpoints, where it is a group or a server. *references: how many did.
 */
bool conf_rename(struct lyd_node *conf, const struct path *entry, const char *name,
		 unsigned *references, struct buf *why);

/* A second entry like this one, under another key. Comments go along. */
bool conf_copy_entry(struct lyd_node *conf, const struct path *entry, const char *name,
		     struct buf *why);

/*
 * Moves a value of a leaf-list (path.values has it), or an entry of a list, before or behind the
 * one named anchor. Only where the schema says that order means something.
 */
bool conf_move(struct lyd_node *conf, const struct path *what, const char *anchor, bool before,
	       struct buf *why);

/* Puts text above the node, a comment line for each of its lines, in place of what comments stood
 * above and beside it; "" takes those away. */
bool conf_annotate(struct lyd_node *conf, const struct path *where, const char *text,
		   struct buf *why);

#endif
