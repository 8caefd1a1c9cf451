/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words that lead to a place in the config - "servers web1 allow http tcp 80" - and what is done
 * there: find, set, delete. `set` lines, the CLI's editing and its completion all walk this way.
 */
#ifndef GATEPOST_MODEL_PATH_H
#define GATEPOST_MODEL_PATH_H

#include "model/model.h"
#include "model/words.h"

#include <stdbool.h>
#include <stddef.h>

#define PATH_DEPTH_MAX 16

struct path_step {
	const struct lysc_node *schema;
	char *key; /* of a list: which entry; NULL: not said */
};

struct path {
	struct path_step step[PATH_DEPTH_MAX];
	size_t depth;
	struct words values; /* given for the leaf or leaf-list that the path ends at */
};

/*
 * Walks words from base (NULL: the top). False with the index of the word at fault in *bad (count,
 * when one is missing behind the last) and the reason in why. With for_set, keys and values are
 * checked by their types and nothing may be missing; without, any words of the config will do, and
 * a path may end anywhere. *out is path_free()d by the caller, also after a failure.
 */
bool path_walk(const struct lys_module *module, const struct path *base, char *const *words,
	       size_t count, bool for_set, struct path *out, size_t *bad, struct buf *why);
void path_copy(struct path *out, const struct path *from);
void path_free(struct path *p);
/* "servers web1 allow http", without values. */
void path_print(const struct path *p, struct buf *out);
/* The schema node at its end, NULL at the top. */
const struct lysc_node *path_end(const struct path *p);
/* The end is a place to stand in: the top, a container, a list's entry. */
bool path_is_inside(const struct path *p);

/* The node that the path (and its one value, for a leaf-list) leads to, or NULL. */
struct lyd_node *path_find(struct lyd_node *conf, const struct path *p);
/* Creates what is missing on the way. */
struct lyd_node *path_make(const struct lys_module *module, struct lyd_node **conf,
			   const struct path *p);
/* Does what a `set` line says; the path comes from a walk for_set. */
void path_set(const struct lys_module *module, struct lyd_node **conf, const struct path *p);
/* Removes what the path leads to: a whole subtree, or the given values. False when not there. */
bool path_delete(struct lyd_node **conf, const struct path *p, struct buf *why);

/* "not known here; did you mean ...?" or the list of what is. parent NULL: the top. */
void path_say_unknown(const struct lys_module *module, const struct lysc_node *parent,
		      const char *word, struct buf *why);

/* New nodes; parent NULL: at the top of *conf. */
struct lyd_node *node_new_inner(const struct lys_module *module, struct lyd_node **conf,
				struct lyd_node *parent, const struct lysc_node *schema,
				const char *key);
struct lyd_node *node_new_term(struct lyd_node *parent, const struct lysc_node *schema,
			       const char *value);
/* The entry of a list, or the value of a leaf-list, below parent (NULL: at the top of conf). */
struct lyd_node *node_find(struct lyd_node *conf, struct lyd_node *parent,
			   const struct lysc_node *schema, const char *key);

#endif
