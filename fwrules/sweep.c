/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/sweep.h"

#include "fwrules/setform.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

/* ---- what stays ---- */

bool kept_has(const struct keymap *m, const char *name)
{
	return keymap_get(m, name) != NULL;
}

static bool chain_fits(const struct chain *meant, const struct present_chain *is)
{
	return is->base && meant->nat == is->nat && meant->hook == is->hook &&
	       meant->priority == is->priority;
}

struct kept kept_of(const struct ruleset *rs, const struct names *names, const struct present *p)
{
	struct keymap chains = {0}, sets = {0}, counters = {0};
	struct kept kept = {0};

	for (size_t i = 0; i < p->chains_n; i++)
		keymap_put(&chains, p->chains[i].name, i);
	for (size_t i = 0; i < p->sets_n; i++)
		keymap_put(&sets, p->sets[i].name, i);
	for (size_t i = 0; i < p->objects_n; i++)
		if (p->objects[i].type == NFT_OBJECT_COUNTER)
			keymap_put(&counters, p->objects[i].name, i);
	for (size_t i = 0; i < rs->chains_n; i++) {
		const size_t *at = keymap_get(&chains, names->chains[i]);
		if (at && rs->chains[i].base && chain_fits(&rs->chains[i], &p->chains[*at]))
			keymap_put(&kept.chains, names->chains[i], i);
	}
	for (size_t i = 0; i < rs->sets_n; i++) {
		const size_t *at = keymap_get(&sets, names->sets[i]);
		struct present_set meant = setform_of(&rs->sets[i]);
		if (at && rs->sets[i].dynamic && setform_same(&meant, &p->sets[*at]))
			keymap_put(&kept.sets, names->sets[i], i);
	}
	for (size_t i = 0; i < rs->counters_n; i++)
		if (kept_has(&counters, rs->counters[i]))
			keymap_put(&kept.counters, rs->counters[i], i);
	keymap_free(&chains);
	keymap_free(&sets);
	keymap_free(&counters);
	return kept;
}

void kept_free(struct kept *kept)
{
	keymap_free(&kept->chains);
	keymap_free(&kept->sets);
	keymap_free(&kept->counters);
	keymap_free(&kept->others);
}

/* ---- what goes ---- */

static const struct keymap *objects_of(const struct kept *named, const struct present_object *o)
{
	return o->type == NFT_OBJECT_COUNTER ? &named->counters : &named->others;
}

/* Leaves of p what is not named. */
static void leave_unnamed(struct present *p, const struct kept *named)
{
	size_t chains = 0, sets = 0, objects = 0;

	for (size_t i = 0; i < p->chains_n; i++)
		if (!kept_has(&named->chains, p->chains[i].name))
			p->chains[chains++] = p->chains[i];
		else
			free(p->chains[i].name);
	for (size_t i = 0; i < p->sets_n; i++)
		if (!kept_has(&named->sets, p->sets[i].name))
			p->sets[sets++] = p->sets[i];
		else
			free(p->sets[i].name);
	for (size_t i = 0; i < p->objects_n; i++)
		if (!kept_has(objects_of(named, &p->objects[i]), p->objects[i].name))
			p->objects[objects++] = p->objects[i];
		else
			free(p->objects[i].name);
	p->chains_n = chains;
	p->sets_n = sets;
	p->objects_n = objects;
}

static bool has_device(const char (*devices)[IFNAMSIZ], size_t n, const char *device)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(devices[i], device))
			return true;
	return false;
}

static void hide_devices(struct present *p, const char (*devices)[IFNAMSIZ], size_t devices_n)
{
	size_t n = 0;

	for (size_t i = 0; i < p->devices_n; i++)
		if (!has_device(devices, devices_n, p->devices[i]))
			memmove(p->devices[n++], p->devices[i], IFNAMSIZ);
	p->devices_n = n;
}

void sweep_leftovers(struct present *p, const struct ruleset *rs, const struct kept *kept)
{
	leave_unnamed(p, kept);
	hide_devices(p, rs->devices, rs->devices_n);
	p->flowtable = p->flowtable && !rs->devices_n; /* the whole of it, or some of its devices */
}

void sweep_hide(struct present *p, const struct present *left)
{
	struct kept named = {0};

	for (size_t i = 0; i < left->chains_n; i++)
		keymap_put(&named.chains, left->chains[i].name, i);
	for (size_t i = 0; i < left->sets_n; i++)
		keymap_put(&named.sets, left->sets[i].name, i);
	for (size_t i = 0; i < left->objects_n; i++)
		keymap_put(left->objects[i].type == NFT_OBJECT_COUNTER ? &named.counters
								       : &named.others,
			   left->objects[i].name, i);
	leave_unnamed(p, &named);
	hide_devices(p, (const char(*)[IFNAMSIZ])left->devices, left->devices_n);
	kept_free(&named);
}

static void drop_devices(struct batch *b, const struct present *left)
{
	struct nlmsghdr *nlh =
		message_begin(b, NFT_MSG_DELFLOWTABLE, 0, "flowtable", RULESET_FLOWTABLE);

	mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_NAME, RULESET_FLOWTABLE);
	struct nlattr *hook = mnl_attr_nest_start(nlh, NFTA_FLOWTABLE_HOOK);
	mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_HOOK_NUM, htonl(NF_NETDEV_INGRESS));
	mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_HOOK_PRIORITY, 0);
	struct nlattr *devices = mnl_attr_nest_start(nlh, NFTA_FLOWTABLE_HOOK_DEVS);
	for (size_t i = 0; i < left->devices_n; i++)
		mnl_attr_put_strz(nlh, NFTA_DEVICE_NAME, left->devices[i]);
	mnl_attr_nest_end(nlh, devices);
	mnl_attr_nest_end(nlh, hook);
	message_end(b, nlh);
}

static void drop_object(struct batch *b, const struct present_object *object)
{
	struct nlmsghdr *nlh = message_begin(b, NFT_MSG_DELOBJ, 0, "object", object->name);

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, object->name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(object->type));
	message_end(b, nlh);
}

void sweep_rules(struct batch *b, const struct present *left)
{
	for (size_t i = 0; i < left->chains_n; i++)
		message_named(b, NFT_MSG_DELRULE, 0, NFTA_RULE_CHAIN, "rules of chain",
			      left->chains[i].name);
}

void sweep_rest(struct batch *b, const struct present *left)
{
	for (size_t i = 0; i < left->sets_n; i++)
		message_named(b, NFT_MSG_DELSET, 0, NFTA_SET_NAME, "set", left->sets[i].name);
	for (size_t i = 0; i < left->chains_n; i++)
		message_named(b, NFT_MSG_DELCHAIN, 0, NFTA_CHAIN_NAME, "chain",
			      left->chains[i].name);
	for (size_t i = 0; i < left->objects_n; i++)
		drop_object(b, &left->objects[i]);
	if (left->flowtable)
		message_named(b, NFT_MSG_DELFLOWTABLE, 0, NFTA_FLOWTABLE_NAME, "flowtable",
			      RULESET_FLOWTABLE);
	else if (left->devices_n)
		drop_devices(b, left);
}
