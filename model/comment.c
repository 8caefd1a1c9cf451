/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/comment.h"

#include "lib/buf.h"

#include <stdlib.h>
#include <string.h>

/* Names of the schema's annotations. */
static const char *const slots[] = {
	[COMMENT_BEFORE] = "before",
	[COMMENT_BESIDE] = "beside",
	[COMMENT_INSIDE] = "inside",
	[COMMENT_AFTER] = "after",
};

static struct lyd_meta *find(const struct lyd_node *node, enum comment_slot slot)
{
	struct lyd_meta *meta = node->meta;

	while (meta && strcmp(meta->name, slots[slot]) != 0)
		meta = meta->next;
	return meta;
}

void comment_add(struct lyd_node *node, enum comment_slot slot, const char *text)
{
	struct lyd_meta *old = find(node, slot);
	struct buf whole = BUF_INIT;

	if (old) {
		buf_printf(&whole, "%s\n", lyd_get_meta_value(old));
		lyd_free_meta_single(old);
	}
	buf_appends(&whole, text);
	/* A string of clean text (words_are_text) is always accepted. */
	if (lyd_new_meta(NULL, node, node->schema->module, slots[slot], buf_str(&whole), 0, NULL) !=
	    LY_SUCCESS)
		abort();
	buf_free(&whole);
}

void comment_add_below(struct lyd_node *node, const char *text)
{
	if (!find(node, COMMENT_AFTER))
		comment_add(node, COMMENT_AFTER, "");
	comment_add(node, COMMENT_AFTER, text);
}

void comment_remove(struct lyd_node *node, enum comment_slot slot)
{
	struct lyd_meta *meta = find(node, slot);

	if (meta)
		lyd_free_meta_single(meta);
}

const char *comment_get(const struct lyd_node *node, enum comment_slot slot)
{
	const struct lyd_meta *meta = find(node, slot);

	return meta ? lyd_get_meta_value(meta) : NULL;
}

bool comment_any(const struct lyd_node *node)
{
	return node->meta;
}
