/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with a config, one line per fault, in the operator's words:
 *
 *	line 12: servers web1 allow http tcp: "80,x": not a list of ports: 80 or 80,443 or 5000-5100
 *
 * The line is there when the node came out of a text (text.h notes it in the node). A text quoted
 * from the config is escaped and cut at FAULT_TEXT_MAX bytes; after FAULT_MAX faults only their
 * number is told.
 */
#ifndef GATEPOST_MODEL_FAULT_H
#define GATEPOST_MODEL_FAULT_H

#include "lib/buf.h"

#include <libyang/libyang.h>
#include <stdbool.h>

#define FAULT_MAX      25
#define FAULT_TEXT_MAX 120

struct faults {
	struct buf *out;
	unsigned count;
	bool quote_secrets; /* else the value of a secret leaf is never quoted */
};

/* About a node: its path, then text (NULL: none) in quotes, then the reason. */
void fault_at(struct faults *f, const struct lyd_node *node, const char *text, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same about what would stand below node under the name child. */
void fault_below(struct faults *f, const struct lyd_node *node, const char *child, const char *fmt,
		 ...) __attribute__((format(printf, 4, 5)));
/* About a place in a text; path may be "". */
void fault_in_text(struct faults *f, unsigned line, unsigned column, const char *path,
		   const char *text, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* False once so many were told that the next will only be counted. */
bool fault_is_told(const struct faults *f);
/* Says how many were left out, if any. To be called once, at the end. */
void fault_finish(struct faults *f);

/* "servers web1 allow http tcp": the words that lead to node, without a leaf's value. */
void fault_path(const struct lyd_node *node, struct buf *out);

/* The line of the text that node came from; 0 when it came from none. */
unsigned node_line(const struct lyd_node *node);
void node_set_line(struct lyd_node *node, unsigned line);

/*
 * "; did you mean ...?": keeps the word nearest to what was written, out of those it is shown.
 * Only a word that a slip of the finger explains is ever proposed.
 */
struct nearest {
	const char *written;
	char best[64];
	unsigned distance;
};
struct nearest nearest_to(const char *written);
void nearest_offer(struct nearest *n, const char *word);
/* "; did you mean \"office\"?" or "". */
const char *nearest_hint(const struct nearest *n, char out[96]);

#endif
