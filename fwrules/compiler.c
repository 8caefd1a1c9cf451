/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/compiler.h"

#include "fwrules/array.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

void compiler_fault(struct compiler *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(c->error, fmt, ap);
	va_end(ap);
	buf_appendc(c->error, '\n');
	c->faults++;
}

/* ---- endpoints ---- */

static void add_endpoint(struct compiler *c, const struct lyd_node *leaf, struct ranges *out)
{
	const char *text = conf_text(leaf);
	const size_t *group = keymap_get(&c->groups, text);
	const size_t *server = keymap_get(&c->servers, text);
	struct prefix p;

	if (!strcmp(text, "any")) {
		ranges_add_any(out);
	} else if (prefix_parse(text, &p)) {
		ranges_add_prefix(out, &p);
	} else if (group) {
		ranges_add_all(out, &c->group_ranges[*group]);
	} else if (server) {
		const struct server *s = &c->policy->servers[*server];
		for (size_t i = 0; i < s->n; i++)
			ranges_add(out, &s->addresses[i], &s->addresses[i]);
	} else {
		compiler_fault(c, "%s %s: no group or server has this name", leaf->schema->name,
			       text);
	}
}

void compiler_endpoints(struct compiler *c, const struct lyd_node *parent, const char *leaf_list,
			struct ranges *out)
{
	CONF_FOR_EACH (n, parent, leaf_list)
		add_endpoint(c, n, out);
	ranges_normalise(out);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The endpoints' texts, sorted and joined: equal for lists that say the same in another order. */
static void endpoints_key(const struct lyd_node *parent, const char *leaf_list, struct buf *key)
{
	const char **texts = NULL;
	size_t n = 0, cap = 0;

	CONF_FOR_EACH (leaf, parent, leaf_list)
		*ARRAY_NEXT(texts, n, cap) = conf_text(leaf);
	if (n)
		qsort(texts, n, sizeof(*texts), by_text);
	for (size_t i = 0; i < n; i++)
		buf_printf(key, "%s%s", i ? " " : "", texts[i]);
	free(texts);
}

/* Labels that no group or server can have hold a '/'. */
static char *source_label(struct compiler *c, const char *key)
{
	struct buf label = BUF_INIT;

	if (!strcmp(key, "any") || keymap_get(&c->groups, key) || keymap_get(&c->servers, key))
		buf_appends(&label, key);
	else
		buf_printf(&label, "list/%zu", ++c->lists);
	return buf_steal(&label);
}

size_t compiler_source_of(struct compiler *c, const struct lyd_node *parent, const char *leaf_list)
{
	struct policy *p = c->policy;
	struct buf key = BUF_INIT;

	endpoints_key(parent, leaf_list, &key);
	size_t index = keymap_put(&c->sources, buf_str(&key), p->sources_n);
	if (index == p->sources_n) {
		struct source *s = ARRAY_NEXT(p->sources, p->sources_n, c->sources_cap);
		s->label = source_label(c, buf_str(&key));
		compiler_endpoints(c, parent, leaf_list, &s->ranges);
	}
	buf_free(&key);
	return index;
}

/* A source that is not written in the config, with ranges to be filled when it is new. */
static size_t source_named(struct compiler *c, const char *label, struct source **made)
{
	struct policy *p = c->policy;
	size_t index = keymap_put(&c->sources, label, p->sources_n);

	*made = NULL;
	if (index == p->sources_n) {
		*made = ARRAY_NEXT(p->sources, p->sources_n, c->sources_cap);
		(*made)->label = text_copy(label);
	}
	return index;
}

size_t compiler_source_any(struct compiler *c)
{
	struct source *made;
	size_t index = source_named(c, "any", &made);

	if (made)
		ranges_add_any(&made->ranges);
	if (made)
		ranges_normalise(&made->ranges);
	return index;
}

/* Its networks, and the servers, which in the flat topology are in the WAN's. */
size_t compiler_source_dmz(struct compiler *c)
{
	const struct policy *p = c->policy;
	struct source *made;
	size_t index = source_named(c, "dmz/all", &made);

	if (!made)
		return index;
	ranges_add_all(&made->ranges, &p->port[ZONE_DMZ].networks);
	for (size_t i = 0; i < p->owners_n; i++)
		ranges_add(&made->ranges, &p->owners[i].addr, &p->owners[i].addr);
	ranges_normalise(&made->ranges);
	return index;
}
