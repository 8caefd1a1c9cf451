/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A config as text, and back.
 *
 *	servers {                         set servers web1 address 203.0.113.10
 *	    web1 {                        set servers web1 allow http tcp 80,443
 *	        address 203.0.113.10;     set servers web1 allow http from any
 *	        allow http {
 *	            tcp 80,443;
 *	            from any;
 *	        }
 *	    }
 *	}
 *
 * Both forms say the same; comments live in the first one alone. text_print() writes the canonical
 * form: nodes in the schema's order, entries in the order they were given, four spaces a level.
 * Reading what it wrote and writing it again gives the same bytes.
 */
#ifndef GATEPOST_MODEL_TEXT_H
#define GATEPOST_MODEL_TEXT_H

#include "lib/buf.h"
#include "model/model.h"
#include "model/path.h"

#include <stdbool.h>
#include <stddef.h>

#define TEXT_MAX       ((size_t)32 << 20) /* bytes */
#define TEXT_LINE_WRAP 100                /* a longer [ list ] goes one value a line */

/*
 * Reads braces or `set` lines, whichever it is, into *conf (NULL for an empty text). Every value
 * has been checked by its type, the whole has not: that is model_validate(), whose faults then
 * tell the lines of this text. False with one line per fault in error, and *conf NULL.
 */
bool text_parse(struct model *m, const char *text, size_t len, struct lyd_node **conf,
		struct buf *error);

enum text_form { TEXT_BRACES, TEXT_SET, TEXT_JSON /* RFC 7951; secrets are not hidden */ };

struct text_style {
	enum text_form form;
	bool hide_secrets; /* their values become "(hidden)", which cannot be read back */
	unsigned depth;    /* levels of indentation to begin with */
	const char *mark;  /* before each line ("+ "), or NULL */
};

/* A node and its siblings behind it (a whole config). NULL style: braces. */
void text_print(const struct lyd_node *siblings, const struct text_style *style, struct buf *out);
/* One node with what is below it; of a leaf-list only this value. As JSON, siblings of its name
 * come along. */
void text_print_one(const struct lyd_node *node, const struct text_style *style, struct buf *out);
/* What a path leads to: what is inside a container or entry (as braces), else the node itself, or
 * all entries of a list. Nothing when nothing is set there. */
void text_print_part(const struct lyd_node *conf, const struct path *path,
		     const struct text_style *style, struct buf *out);
/* True when the node was set by somebody: not a default, not an empty shell of a container. */
bool text_is_set(const struct lyd_node *node);

#endif
