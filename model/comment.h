/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comments of a config's text. They are kept in the tree, as metadata of the node that they speak
 * of, so they go where the node goes: copied with it, stored with it, deleted with it.
 */
#ifndef GATEPOST_MODEL_COMMENT_H
#define GATEPOST_MODEL_COMMENT_H

#include <libyang/libyang.h>
#include <stdbool.h>

enum comment_slot {
	COMMENT_BEFORE, /* on lines of their own, before the node */
	COMMENT_BESIDE, /* on the node's line: behind ';' or '{', or behind a value in [ ] */
	COMMENT_INSIDE, /* before the node's '}'; for the first value of a [ ] list: behind its '['
			 */
	COMMENT_AFTER,  /* behind the node's '}'; for the first value of a [ ] list: behind its ';';
			   for the last node of all: at the end of the text */
};

/* Several comments in one slot are lines, one below the other. */
void comment_add(struct lyd_node *node, enum comment_slot slot, const char *text);
/* In COMMENT_AFTER, on lines of its own; its first line is left to what stands behind '}'. */
void comment_add_below(struct lyd_node *node, const char *text);
void comment_remove(struct lyd_node *node, enum comment_slot slot);
/* NULL when there is none. */
const char *comment_get(const struct lyd_node *node, enum comment_slot slot);
bool comment_any(const struct lyd_node *node);

#endif
