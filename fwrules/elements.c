/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/elements.h"

#include "fwrules/array.h"
#include "fwrules/setform.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

/* The longest element: keys, verdict, a chain's or counter's name of up to 255, headers. */
enum { ELEMENT_BYTES_MAX = 512 };

/* ---- what is meant ---- */

static bool is_concatenated(enum key_kind key)
{
	uint32_t n;

	setform_fields(key, &n);
	return n > 1;
}

/* The value behind key; false at the top. */
static bool value_behind(const uint8_t *key, size_t bytes, uint8_t *out)
{
	memcpy(out, key, bytes);
	while (bytes-- > 0)
		if (++out[bytes])
			return true;
	return false;
}

static struct kernel_element meant(const struct ruleset *rs, const struct names *names,
				   const struct set *set, const struct element *e)
{
	struct kernel_element k = {.target = ""};

	memcpy(k.key, e->key, sizeof(k.key));
	if (set->interval && is_concatenated(set->key))
		memcpy(k.last, e->last, sizeof(k.last));
	k.data_bytes = data_bytes(set);
	memcpy(k.data, e->last, k.data_bytes);
	if (set->kind == SET_COUNTERS)
		k.target = rs->counters[e->counter];
	if (set->kind == SET_VERDICTS) {
		k.has_verdict = true;
		k.verdict = expr_verdict(e->verdict.kind);
		if (e->verdict.kind == VERDICT_JUMP || e->verdict.kind == VERDICT_GOTO)
			k.target = names->chains[e->verdict.chain];
	}
	return k;
}

/* The end of an interval of single values; false when it has none. */
static bool interval_end(const struct set *set, const struct element *e, struct kernel_element *out)
{
	*out = (struct kernel_element){.end = true, .target = ""};
	return set->interval && !is_concatenated(set->key) &&
	       value_behind(e->last, key_bytes(set->key), out->key);
}

struct kernel_element *elements_meant(const struct ruleset *rs, const struct names *names,
				      const struct set *set, size_t *n)
{
	struct kernel_element *all = NULL, end;
	size_t cap = 0;

	*n = 0;
	for (size_t i = 0; i < set->n; i++) {
		*ARRAY_NEXT(all, *n, cap) = meant(rs, names, set, &set->elements[i]);
		if (interval_end(set, &set->elements[i], &end))
			*ARRAY_NEXT(all, *n, cap) = end;
	}
	return all;
}

/* ---- writing ---- */

static void put_key(struct nlmsghdr *nlh, uint16_t type, const uint8_t *key, size_t bytes)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, bytes, key);
	mnl_attr_nest_end(nlh, nest);
}

static void put_verdict(struct nlmsghdr *nlh, const struct kernel_element *k)
{
	struct nlattr *data = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(nlh, NFTA_VERDICT_CODE, htonl((uint32_t)k->verdict));
	if (*k->target)
		mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, k->target);
	mnl_attr_nest_end(nlh, verdict);
	mnl_attr_nest_end(nlh, data);
}

static void put_element(struct nlmsghdr *nlh, const struct set *set, const struct kernel_element *k)
{
	size_t bytes = key_bytes(set->key);
	struct nlattr *elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	if (k->end)
		mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	put_key(nlh, NFTA_SET_ELEM_KEY, k->key, bytes);
	if (set->interval && is_concatenated(set->key))
		put_key(nlh, NFTA_SET_ELEM_KEY_END, k->last, bytes);
	if (k->data_bytes)
		put_key(nlh, NFTA_SET_ELEM_DATA, k->data, k->data_bytes);
	else if (k->has_verdict)
		put_verdict(nlh, k);
	else if (*k->target)
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_OBJREF, k->target);
	mnl_attr_nest_end(nlh, elem);
}

bool elements_put(struct nlmsghdr *nlh, const struct ruleset *rs, const struct names *names,
		  const struct set *set, size_t *next)
{
	struct nlattr *list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);

	while (*next < set->n && nlh->nlmsg_len + 2 * ELEMENT_BYTES_MAX < ELEMENTS_MESSAGE_BYTES) {
		const struct element *e = &set->elements[(*next)++];
		struct kernel_element k = meant(rs, names, set, e);
		put_element(nlh, set, &k);
		if (interval_end(set, e, &k))
			put_element(nlh, set, &k);
	}
	mnl_attr_nest_end(nlh, list);
	return *next < set->n;
}

/* ---- reading ---- */

static void read_key(const struct nlattr *nest, uint8_t *key)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		size_t n = mnl_attr_get_payload_len(attr);
		if (mnl_attr_get_type(attr) == NFTA_DATA_VALUE && n <= KEY_BYTES_MAX)
			memcpy(key, mnl_attr_get_payload(attr), n);
	}
}

static void read_data(const struct nlattr *data, struct kernel_element *k)
{
	const struct nlattr *nest, *attr;

	mnl_attr_for_each_nested(nest, data)
	{
		size_t n = mnl_attr_get_payload_len(nest);
		if (mnl_attr_get_type(nest) == NFTA_DATA_VALUE && n <= sizeof(k->data)) {
			memcpy(k->data, mnl_attr_get_payload(nest), n);
			k->data_bytes = n;
		}
		if (mnl_attr_get_type(nest) != NFTA_DATA_VERDICT)
			continue;
		k->has_verdict = true;
		mnl_attr_for_each_nested(attr, nest)
		{
			if (mnl_attr_get_type(attr) == NFTA_VERDICT_CODE)
				k->verdict = (int32_t)ntohl(mnl_attr_get_u32(attr));
			else if (mnl_attr_get_type(attr) == NFTA_VERDICT_CHAIN)
				k->target = mnl_attr_get_str(attr);
		}
	}
}

struct kernel_element element_read(const struct nlattr *elem)
{
	struct kernel_element k = {.target = ""};
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, elem)
	{
		switch (mnl_attr_get_type(attr)) {
		case NFTA_SET_ELEM_KEY:
			read_key(attr, k.key);
			break;
		case NFTA_SET_ELEM_KEY_END:
			read_key(attr, k.last);
			break;
		case NFTA_SET_ELEM_FLAGS:
			k.end = ntohl(mnl_attr_get_u32(attr)) & NFT_SET_ELEM_INTERVAL_END;
			break;
		case NFTA_SET_ELEM_DATA:
			read_data(attr, &k);
			break;
		case NFTA_SET_ELEM_OBJREF:
			k.target = mnl_attr_get_str(attr);
			break;
		default:
			break;
		}
	}
	return k;
}

int element_cmp(const void *a, const void *b)
{
	const struct kernel_element *x = a, *y = b;
	int order = memcmp(x->key, y->key, sizeof(x->key));

	if (!order)
		order = memcmp(x->last, y->last, sizeof(x->last));
	if (!order)
		order = (int)x->end - (int)y->end;
	if (!order)
		order = (int)x->has_verdict - (int)y->has_verdict;
	if (!order)
		order = (x->data_bytes > y->data_bytes) - (x->data_bytes < y->data_bytes);
	if (!order)
		order = memcmp(x->data, y->data, x->data_bytes);
	if (!order)
		order = (x->verdict > y->verdict) - (x->verdict < y->verdict);
	return order ? order : strcmp(x->target, y->target);
}
