/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/readback.h"

#include "fwrules/array.h"
#include "fwrules/elements.h"
#include "fwrules/expr.h"
#include "fwrules/fw.h"
#include "fwrules/keymap.h"
#include "fwrules/present.h"
#include "fwrules/setform.h"
#include "fwrules/sweep.h"

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Differences told; the rest is counted. */
enum { TOLD_MAX = 20 };

struct comparison {
	struct fw *fw;
	const struct ruleset *rs;
	struct names names;
	struct present present;
	struct buf *out;
	size_t differences;
};

static void differ(struct comparison *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void differ(struct comparison *c, const char *fmt, ...)
{
	va_list ap;

	if (c->differences++ >= TOLD_MAX)
		return;
	va_start(ap, fmt);
	buf_vprintf(c->out, fmt, ap);
	va_end(ap);
	buf_appendc(c->out, '\n');
}

/* ---- chains, sets, counters, flowtable ---- */

static void compare_base(struct comparison *c, const struct chain *meant,
			 const struct present_chain *is)
{
	if (meant->base != is->base)
		differ(c, "chain %s: %s a hook", is->name, is->base ? "has" : "has lost");
	if (!meant->base || !is->base)
		return;
	if (meant->hook != is->hook || meant->priority != is->priority)
		differ(c, "chain %s: hook %u priority %d, meant %u and %d", is->name, is->hook,
		       is->priority, meant->hook, meant->priority);
	if (meant->nat != is->nat)
		differ(c, "chain %s: of type %s, meant %s", is->name, is->nat ? "nat" : "filter",
		       meant->nat ? "nat" : "filter");
	if (is->policy != (meant->drop ? NF_DROP : NF_ACCEPT))
		differ(c, "chain %s: policy %s", is->name,
		       is->policy == NF_DROP ? "drop, meant accept" : "accept, meant drop");
}

static void compare_chains(struct comparison *c)
{
	struct keymap is = {0}, meant = {0};

	for (size_t i = 0; i < c->present.chains_n; i++)
		keymap_put(&is, c->present.chains[i].name, i);
	for (size_t i = 0; i < c->rs->chains_n; i++) {
		const size_t *at = keymap_get(&is, c->names.chains[i]);
		keymap_put(&meant, c->names.chains[i], i);
		if (!at)
			differ(c, "chain %s: missing", c->names.chains[i]);
		else
			compare_base(c, &c->rs->chains[i], &c->present.chains[*at]);
	}
	for (size_t i = 0; i < c->present.chains_n; i++)
		if (!keymap_get(&meant, c->present.chains[i].name))
			differ(c, "chain %s: not ours", c->present.chains[i].name);
	keymap_free(&is);
	keymap_free(&meant);
}

static void compare_form(struct comparison *c, const struct set *set, const struct present_set *is)
{
	struct present_set meant = setform_of(set);

	if (is->flags != meant.flags || is->key_type != meant.key_type ||
	    is->key_len != meant.key_len || is->data_type != meant.data_type ||
	    is->data_len != meant.data_len || is->obj_type != meant.obj_type)
		differ(c, "set %s: flags 0x%x, key 0x%x of %u bytes, meant 0x%x, 0x%x of %u",
		       is->name, is->flags, is->key_type, is->key_len, meant.flags, meant.key_type,
		       meant.key_len);
	if (is->size != meant.size || is->timeout_ms != meant.timeout_ms)
		differ(c, "set %s: size %u, timeout %llu ms, meant %u and %llu", is->name, is->size,
		       (unsigned long long)is->timeout_ms, meant.size,
		       (unsigned long long)meant.timeout_ms);
}

static void compare_sets(struct comparison *c)
{
	struct keymap is = {0}, meant = {0};

	for (size_t i = 0; i < c->present.sets_n; i++)
		keymap_put(&is, c->present.sets[i].name, i);
	for (size_t i = 0; i < c->rs->sets_n; i++) {
		const size_t *at = keymap_get(&is, c->names.sets[i]);
		keymap_put(&meant, c->names.sets[i], i);
		if (!at)
			differ(c, "set %s: missing", c->names.sets[i]);
		else
			compare_form(c, &c->rs->sets[i], &c->present.sets[*at]);
	}
	for (size_t i = 0; i < c->present.sets_n; i++)
		if (!keymap_get(&meant, c->present.sets[i].name))
			differ(c, "set %s: not ours", c->present.sets[i].name);
	keymap_free(&is);
	keymap_free(&meant);
}

static void compare_counters(struct comparison *c)
{
	const struct present *p = &c->present;
	struct keymap is = {0}, meant = {0};

	for (size_t i = 0; i < p->objects_n; i++)
		if (p->objects[i].type == NFT_OBJECT_COUNTER)
			keymap_put(&is, p->objects[i].name, i);
	for (size_t i = 0; i < c->rs->counters_n; i++) {
		keymap_put(&meant, c->rs->counters[i], i);
		if (!keymap_get(&is, c->rs->counters[i]))
			differ(c, "counter %s: missing", c->rs->counters[i]);
	}
	for (size_t i = 0; i < p->objects_n; i++)
		if (p->objects[i].type != NFT_OBJECT_COUNTER ||
		    !keymap_get(&meant, p->objects[i].name))
			differ(c, "object %s: not ours", p->objects[i].name);
	keymap_free(&is);
	keymap_free(&meant);
}

static bool has_device(const char (*devices)[IFNAMSIZ], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(devices[i], name))
			return true;
	return false;
}

static void compare_flowtable(struct comparison *c)
{
	const struct present *p = &c->present;
	const struct ruleset *rs = c->rs;

	if (p->flowtable != (rs->devices_n > 0))
		differ(c, "flowtable: %s", p->flowtable ? "not ours" : "missing");
	if (p->flowtable && p->flowtable_flags != NFT_FLOWTABLE_COUNTER)
		differ(c, "flowtable: flags 0x%x, meant 0x%x", p->flowtable_flags,
		       NFT_FLOWTABLE_COUNTER);
	for (size_t i = 0; i < rs->devices_n && p->flowtable; i++)
		if (!has_device((const char(*)[IFNAMSIZ])p->devices, p->devices_n, rs->devices[i]))
			differ(c, "flowtable: device %s missing", rs->devices[i]);
	for (size_t i = 0; i < p->devices_n && rs->devices_n; i++)
		if (!has_device(rs->devices, rs->devices_n, p->devices[i]))
			differ(c, "flowtable: device %s is not ours", p->devices[i]);
}

/* ---- rules ---- */

/* Rules of the kernel, each chain's in order, as text. */
struct kernel_rules {
	struct keymap chains; /* name -> index in lists */
	struct list {
		char **rules;
		size_t n, cap;
	} * lists;
	size_t n, cap;
};

/* The expressions of a rule, a line each. */
static char *rule_text(struct nftnl_rule *rule)
{
	struct nftnl_expr_iter *iter = nftnl_expr_iter_create(rule);
	struct nftnl_expr *e;
	struct buf b = BUF_INIT;
	char text[512];

	if (!iter)
		abort();
	while ((e = nftnl_expr_iter_next(iter))) {
		nftnl_expr_snprintf(text, sizeof(text), e, 0, 0);
		buf_printf(&b, "%s %s\n", nftnl_expr_get_str(e, NFTNL_EXPR_NAME), text);
	}
	nftnl_expr_iter_destroy(iter);
	return buf_steal(&b);
}

/* The first expression that differs. */
static void tell_rule(struct comparison *c, const char *chain, size_t rule, const char *is,
		      const char *meant)
{
	size_t number = 1;

	while (*is && *meant) {
		size_t n = strcspn(is, "\n"), m = strcspn(meant, "\n");
		if (n != m || strncmp(is, meant, n) != 0)
			break;
		is += n + 1;
		meant += m + 1;
		number++;
	}
	differ(c, "chain %s rule %zu: expression %zu is \"%.*s\", meant \"%.*s\"", chain, rule,
	       number, (int)strcspn(is, "\n"), is, (int)strcspn(meant, "\n"), meant);
}

static void read_rule(const struct nlmsghdr *nlh, void *context)
{
	struct kernel_rules *k = context;
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		abort();
	if (nftnl_rule_nlmsg_parse(nlh, rule) == 0) {
		const char *chain = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
		size_t at = keymap_put(&k->chains, chain ? chain : "", k->n);
		if (at == k->n)
			(void)ARRAY_NEXT(k->lists, k->n, k->cap);
		struct list *list = &k->lists[at];
		*ARRAY_NEXT(list->rules, list->n, list->cap) = rule_text(rule);
	}
	nftnl_rule_free(rule);
}

static void compare_chain_rules(struct comparison *c, size_t chain, const struct list *is)
{
	const struct chain *meant = &c->rs->chains[chain];
	const char *name = c->names.chains[chain];

	for (size_t i = 0; i < meant->n && i < is->n; i++) {
		struct nftnl_rule *rule = expr_rule(c->rs, &c->names, chain, i);
		char *text = rule_text(rule);
		if (strcmp(text, is->rules[i]) != 0)
			tell_rule(c, name, i + 1, is->rules[i], text);
		free(text);
		nftnl_rule_free(rule);
	}
	if (meant->n != is->n)
		differ(c, "chain %s: %zu rules, meant %zu", name, is->n, meant->n);
}

static void compare_rules(struct comparison *c)
{
	struct kernel_rules k = {0};
	char buffer[NETLINK_MESSAGE_MAX];
	struct nlmsghdr *nlh = present_request(buffer, NFT_MSG_GETRULE, c->rs->family);

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, RULESET_TABLE);
	if (netlink_dump(c->fw->nl, nlh, read_rule, &k))
		differ(c, "rules: cannot be read: %s", netlink_reason(c->fw->nl));
	for (size_t i = 0; i < c->rs->chains_n; i++) {
		const size_t *at = keymap_get(&k.chains, c->names.chains[i]);
		compare_chain_rules(c, i, at ? &k.lists[*at] : &(struct list){0});
	}
	for (size_t i = 0; i < k.n; i++) {
		for (size_t j = 0; j < k.lists[i].n; j++)
			free(k.lists[i].rules[j]);
		free(k.lists[i].rules);
	}
	free(k.lists);
	keymap_free(&k.chains);
}

/* ---- elements ---- */

struct kernel_elements {
	struct kernel_element *all;
	size_t n, cap;
	struct keymap targets; /* name -> index in texts */
	char **texts;          /* what the elements' targets point to */
	size_t texts_n, texts_cap;
};

static const char *keep_text(struct kernel_elements *k, const char *text)
{
	size_t at = keymap_put(&k->targets, text, k->texts_n);

	if (at == k->texts_n)
		*ARRAY_NEXT(k->texts, k->texts_n, k->texts_cap) = text_copy(text);
	return k->texts[at];
}

static void read_elements(const struct nlmsghdr *nlh, void *context)
{
	struct kernel_elements *k = context;
	const struct nlattr *list, *attr;

	mnl_attr_for_each(list, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(attr, list)
		{
			struct kernel_element *e = ARRAY_NEXT(k->all, k->n, k->cap);
			*e = element_read(attr);
			e->target = *e->target ? keep_text(k, e->target) : "";
		}
	}
}

static void tell_element(struct comparison *c, const char *set, const struct kernel_element *e,
			 size_t bytes, const char *what)
{
	struct buf key = BUF_INIT;

	for (size_t i = 0; i < bytes; i++)
		buf_printf(&key, "%02x", e->key[i]);
	differ(c, "set %s: element %s%s %s %s", set, buf_str(&key), e->end ? " (end)" : "",
	       e->target, what);
	buf_free(&key);
}

static void compare_elements(struct comparison *c, size_t index)
{
	const struct set *set = &c->rs->sets[index];
	const char *name = c->names.sets[index];
	struct kernel_elements k = {0};
	char buffer[NETLINK_MESSAGE_MAX];
	struct nlmsghdr *nlh = present_request(buffer, NFT_MSG_GETSETELEM, c->rs->family);
	size_t n, i = 0, j = 0;

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, name);
	if (netlink_dump(c->fw->nl, nlh, read_elements, &k))
		differ(c, "set %s: cannot be read: %s", name, netlink_reason(c->fw->nl));
	struct kernel_element *meant = elements_meant(c->rs, &c->names, set, &n);
	if (n)
		qsort(meant, n, sizeof(*meant), element_cmp);
	if (k.n)
		qsort(k.all, k.n, sizeof(*k.all), element_cmp);
	while (i < n || j < k.n) {
		int order = i == n ? 1 : j == k.n ? -1 : element_cmp(&meant[i], &k.all[j]);
		if (order < 0)
			tell_element(c, name, &meant[i], key_bytes(set->key), "missing");
		else if (order > 0)
			tell_element(c, name, &k.all[j], key_bytes(set->key), "not ours");
		i += order <= 0;
		j += order >= 0;
	}
	for (size_t t = 0; t < k.texts_n; t++)
		free(k.texts[t]);
	free(k.texts);
	keymap_free(&k.targets);
	free(k.all);
	free(meant);
}

/* ---- the whole ---- */

static void compare_table(struct comparison *c)
{
	if (!c->present.table) {
		differ(c, "table " RULESET_TABLE ": missing");
		return;
	}
	if (c->present.table_flags)
		differ(c, "table " RULESET_TABLE ": flags 0x%x", c->present.table_flags);
	compare_chains(c);
	compare_sets(c);
	compare_counters(c);
	compare_flowtable(c);
	compare_rules(c);
	for (size_t i = 0; i < c->rs->sets_n; i++)
		if (!c->rs->sets[i].dynamic)
			compare_elements(c, i);
}

/* One of our tables; rs is NULL where there is to be none. */
static bool verify_table(struct fw *fw, size_t table, const struct ruleset *rs,
			 struct buf *difference)
{
	struct comparison c = {.fw = fw, .rs = rs, .out = difference};

	if (present_read(fw->nl, fw_family(table), &c.present)) {
		buf_printf(difference, "firewall: reading the kernel's tables: %s\n",
			   netlink_reason(fw->nl));
		present_free(&c.present);
		return false;
	}
	if (rs) {
		c.names = names_of(rs, c.present.generation);
		sweep_hide(&c.present, &fw->left[table]);
		compare_table(&c);
	} else if (c.present.table) {
		differ(&c, "table bridge " RULESET_TABLE ": not ours");
	}
	if (c.differences > TOLD_MAX)
		buf_printf(difference, "and %zu more\n", c.differences - TOLD_MAX);
	names_free(&c.names);
	present_free(&c.present);
	return c.differences == 0;
}

bool fw_verify(struct fw *fw, const struct ruleset *rs, struct buf *difference)
{
	bool inet = verify_table(fw, FW_INET, rs, difference);
	bool bridge = verify_table(fw, FW_BRIDGE, rs->bridge, difference);

	return inet && bridge;
}
