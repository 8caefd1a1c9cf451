/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/fault.h"

#include "lib/log.h"
#include "model/schema.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

unsigned node_line(const struct lyd_node *node)
{
	return (unsigned)(uintptr_t)node->priv;
}

void node_set_line(struct lyd_node *node, unsigned line)
{
	node->priv = (void *)(uintptr_t)line;
}

static void path_word(struct buf *out, const char *word)
{
	if (out->len)
		buf_appendc(out, ' ');
	buf_appends(out, word);
}

void fault_path(const struct lyd_node *node, struct buf *out)
{
	if (node->parent)
		fault_path(&node->parent->node, out);
	if (!schema_is_unnamed(node->schema))
		path_word(out, node->schema->name);
	if (node->schema->nodetype == LYS_LIST && lyd_child(node))
		path_word(out, lyd_get_value(lyd_child(node)));
}

static void quote(struct buf *out, const char *text)
{
	char escaped[FAULT_TEXT_MAX + 8];
	size_t len = strlen(text);

	log_escape(escaped, sizeof(escaped), text, len > FAULT_TEXT_MAX ? FAULT_TEXT_MAX : len);
	buf_printf(out, "\"%s\"%s", escaped, len > FAULT_TEXT_MAX ? "..." : "");
}

/* False when enough faults are told already. */
static bool fault_begin(struct faults *f, unsigned line, unsigned column)
{
	if (f->count++ >= FAULT_MAX)
		return false;
	if (line && column)
		buf_printf(f->out, "line %u, column %u: ", line, column);
	else if (line)
		buf_printf(f->out, "line %u: ", line);
	return true;
}

static void fault_end(struct faults *f, const char *text, const char *fmt, va_list ap)
{
	if (text) {
		quote(f->out, text);
		buf_appends(f->out, ": ");
	}
	buf_vprintf(f->out, fmt, ap);
	buf_appendc(f->out, '\n');
}

static void fault_place(struct faults *f, const struct lyd_node *node, const char *child)
{
	struct buf path = BUF_INIT;

	fault_path(node, &path);
	if (child)
		path_word(&path, child);
	buf_printf(f->out, "%s: ", buf_str(&path));
	buf_free(&path);
}

void fault_at(struct faults *f, const struct lyd_node *node, const char *text, const char *fmt, ...)
{
	va_list ap;

	if (!fault_begin(f, node_line(node), 0))
		return;
	fault_place(f, node, NULL);
	if (text && schema_is_secret(node->schema) && !f->quote_secrets)
		text = NULL;
	va_start(ap, fmt);
	fault_end(f, text, fmt, ap);
	va_end(ap);
}

void fault_below(struct faults *f, const struct lyd_node *node, const char *child, const char *fmt,
		 ...)
{
	va_list ap;

	if (!fault_begin(f, node_line(node), 0))
		return;
	fault_place(f, node, child);
	va_start(ap, fmt);
	fault_end(f, NULL, fmt, ap);
	va_end(ap);
}

void fault_in_text(struct faults *f, unsigned line, unsigned column, const char *path,
		   const char *text, const char *fmt, ...)
{
	va_list ap;

	if (!fault_begin(f, line, column))
		return;
	if (*path)
		buf_printf(f->out, "%s: ", path);
	va_start(ap, fmt);
	fault_end(f, text, fmt, ap);
	va_end(ap);
}

bool fault_is_told(const struct faults *f)
{
	return f->count < FAULT_MAX;
}

void fault_finish(struct faults *f)
{
	if (f->count > FAULT_MAX)
		buf_printf(f->out, "... and %u more\n", f->count - FAULT_MAX);
}

/* ---- nearest word ---- */

#define NEAREST_LEN_MAX 40

/* Levenshtein's distance, with a swap of neighbours as one step; words of bounded length. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][NEAREST_LEN_MAX + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		above[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);
			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
		unsigned *spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_len];
}

struct nearest nearest_to(const char *written)
{
	return (struct nearest){.written = written, .distance = UINT32_MAX};
}

void nearest_offer(struct nearest *n, const char *word)
{
	size_t a = strlen(n->written), b = strlen(word);

	if (a > NEAREST_LEN_MAX || b > NEAREST_LEN_MAX || a < 2)
		return;
	unsigned d = distance(n->written, a, word, b);
	if (d > (a < 5 ? 1 : 2) || d >= n->distance)
		return;
	n->distance = d;
	snprintf(n->best, sizeof(n->best), "%s", word);
}

const char *nearest_hint(const struct nearest *n, char out[96])
{
	if (n->distance == UINT32_MAX)
		return "";
	snprintf(out, 96, "; did you mean \"%s\"?", n->best);
	return out;
}
