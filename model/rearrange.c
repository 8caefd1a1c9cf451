/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/rearrange.h"

#include "model/comment.h"
#include "model/schema.h"
#include "model/value.h"

#include <stdlib.h>
#include <string.h>

static struct lyd_node *find(struct lyd_node *conf, const struct path *p, struct buf *why)
{
	struct lyd_node *node = p->depth ? path_find(conf, p) : NULL;
	struct buf words = BUF_INIT;

	if (node && p->values.count && strcmp(conf_text(node), p->values.list[0]) != 0)
		node = NULL; /* a leaf has another value */
	if (!node) {
		path_print(p, &words);
		if (p->values.count) {
			buf_appendc(&words, ' ');
			word_print(&words, p->values.list[0]);
		}
		buf_printf(why, "not set: %s", buf_str(&words));
	}
	buf_free(&words);
	return node;
}

/* The entry, when it is one of a list and may have that name. */
static struct lyd_node *find_entry(struct lyd_node *conf, const struct path *p, const char *name,
				   struct buf *why)
{
	const struct lysc_node *end = path_end(p);

	if (!end || end->nodetype != LYS_LIST || !p->step[p->depth - 1].key) {
		buf_appends(why, "only what has a name of its own: a server, a group, an account");
		return NULL;
	}
	struct lyd_node *entry = find(conf, p, why);
	if (!entry)
		return NULL;
	struct buf wrong = BUF_INIT;
	if (!value_check(schema_key(end), name, &wrong)) {
		buf_printf(why, "\"%s\": %s", name, buf_str(&wrong));
		entry = NULL;
	} else if (node_find(entry, NULL, end, name)) {
		buf_printf(why, "there is a %s of the name %s already", end->name, name);
		entry = NULL;
	}
	buf_free(&wrong);
	return entry;
}

/* ---- rename ---- */

/* Endpoints name groups and servers, in one space of names (model/check_net.c). */
static bool is_endpoint_name(const struct lysc_node *list)
{
	return !strcmp(list->name, "group") || !strcmp(list->name, "server");
}

static bool refers(const struct lyd_node *term, const struct lysc_node *list, const char *name)
{
	if (strcmp(conf_text(term), name) != 0)
		return false;
	if (schema_refers_to(term->schema) == list)
		return true;
	return value_kind(term->schema) == VALUE_ENDPOINT && is_endpoint_name(list);
}

static unsigned follow(struct lyd_node *siblings, const struct lysc_node *list, const char *old,
		       const char *name)
{
	unsigned count = 0;

	for (struct lyd_node *n = siblings; n; n = n->next) {
		if (schema_is_inner(n->schema)) {
			count += follow(lyd_child(n), list, old, name);
		} else if (!schema_is_key(n->schema) && refers(n, list, old)) {
			lyd_change_term(n, name);
			count++;
		}
	}
	return count;
}

bool conf_rename(struct lyd_node *conf, const struct path *path, const char *name,
		 unsigned *references, struct buf *why)
{
	struct lyd_node *entry = find_entry(conf, path, name, why);

	*references = 0;
	if (!entry)
		return false;
	lyd_change_term(lyd_child(entry), name);
	*references = follow(lyd_first_sibling(conf), path_end(path),
			     path->step[path->depth - 1].key, name);
	return true;
}

/* ---- copy ---- */

bool conf_copy_entry(struct lyd_node *conf, const struct path *path, const char *name,
		     struct buf *why)
{
	struct lyd_node *entry = find_entry(conf, path, name, why), *copy = NULL;

	if (!entry)
		return false;
	/* All lists stand in a container, so the top of the tree stays what it was. */
	if (lyd_dup_single(entry, NULL, LYD_DUP_RECURSIVE | LYD_DUP_WITH_FLAGS, &copy) !=
		    LY_SUCCESS ||
	    lyd_change_term(lyd_child(copy), name) != LY_SUCCESS ||
	    lyd_insert_child(lyd_parent(entry), copy) != LY_SUCCESS)
		abort(); /* for want of memory */
	return true;
}

/* ---- move ---- */

bool conf_move(struct lyd_node *conf, const struct path *what, const char *anchor, bool before,
	       struct buf *why)
{
	const struct lysc_node *end = path_end(what);
	bool entry = end && end->nodetype == LYS_LIST && what->step[what->depth - 1].key;
	bool value = end && end->nodetype == LYS_LEAFLIST && what->values.count == 1;

	if (!entry && !value) {
		buf_appends(why, "one value of a list is moved: 'insert system name-server "
				 "192.0.2.2 before 192.0.2.1'");
		return false;
	}
	if (!schema_is_user_ordered(end)) {
		buf_printf(why, "the order of %s means nothing", end->name);
		return false;
	}
	struct lyd_node *node = find(conf, what, why);
	if (!node)
		return false;
	struct lyd_node *place = node_find(node, NULL, end, anchor);
	if (!place || place == node) {
		buf_printf(why, "\"%s\": %s", anchor,
			   place ? "this is the one to be moved" : "not there");
		return false;
	}
	LY_ERR err = before ? lyd_insert_before(place, node) : lyd_insert_after(place, node);
	if (err != LY_SUCCESS)
		abort(); /* both are siblings of one user-ordered list */
	return true;
}

/* ---- annotate ---- */

bool conf_annotate(struct lyd_node *conf, const struct path *where, const char *text,
		   struct buf *why)
{
	struct lyd_node *node = find(conf, where, why);
	struct buf line = BUF_INIT;
	unsigned row, column;

	if (!node)
		return false;
	if (!words_are_text(text, strlen(text), &row, &column)) {
		buf_appends(why, "a comment is text: no control characters");
		return false;
	}
	comment_remove(node, COMMENT_BEFORE);
	comment_remove(node, COMMENT_BESIDE);
	while (*text) {
		size_t len = strcspn(text, "\r\n");
		buf_clear(&line);
		buf_printf(&line, "# %.*s", (int)len, text);
		comment_add(node, COMMENT_BEFORE, buf_str(&line));
		text += len;
		text += strspn(text, "\r\n");
	}
	buf_free(&line);
	return true;
}
