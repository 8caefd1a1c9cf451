/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/batch.h"

#include "fwrules/array.h"
#include "fwrules/elements.h"
#include "fwrules/expr.h"
#include "fwrules/fw.h"
#include "fwrules/keymap.h"
#include "fwrules/present.h"
#include "fwrules/setform.h"
#include "fwrules/sweep.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/flowtable.h>
#include <libnftnl/object.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/membarrier.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Somebody else's commit between our look and our batch makes it void; try again this often. */
enum { APPLY_TRIES = 5 };

static void put_table(struct batch *b, uint16_t type, const char *name)
{
	struct nlmsghdr *nlh = message_begin(b, type, NLM_F_CREATE, "table", name);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, name);
	if (type == NFT_MSG_NEWTABLE)
		mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, 0); /* not dormant */
	message_end(b, nlh);
}

static void put_counter(struct batch *b, const char *name)
{
	struct nlmsghdr *nlh = message_begin(b, NFT_MSG_NEWOBJ, NLM_F_CREATE, "counter", name);
	struct nftnl_obj *obj = nftnl_obj_alloc();

	if (!obj)
		abort();
	nftnl_obj_set_str(obj, NFTNL_OBJ_TABLE, RULESET_TABLE);
	nftnl_obj_set_str(obj, NFTNL_OBJ_NAME, name);
	nftnl_obj_set_u32(obj, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nftnl_obj_set_u64(obj, NFTNL_OBJ_CTR_PKTS, 0);
	nftnl_obj_set_u64(obj, NFTNL_OBJ_CTR_BYTES, 0);
	nftnl_obj_nlmsg_build_payload(nlh, obj);
	nftnl_obj_free(obj);
	message_end(b, nlh);
}

static void put_chain(struct batch *b, const struct chain *from, const char *name)
{
	uint16_t flags = NLM_F_CREATE | (from->base ? 0 : NLM_F_EXCL);
	struct nlmsghdr *nlh = message_begin(b, NFT_MSG_NEWCHAIN, flags, "chain", name);
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain)
		abort();
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, RULESET_TABLE);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name);
	if (from->base) {
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, from->nat ? "nat" : "filter");
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, from->hook);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, from->priority);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, from->drop ? NF_DROP : NF_ACCEPT);
	}
	nftnl_chain_nlmsg_build_payload(nlh, chain);
	nftnl_chain_free(chain);
	message_end(b, nlh);
}

static void put_rule(struct batch *b, const struct ruleset *rs, const struct names *names,
		     size_t chain, size_t rule)
{
	struct nlmsghdr *nlh = message_begin(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
					     "chain", names->chains[chain]);
	struct nftnl_rule *r = expr_rule(rs, names, chain, rule);

	b->labels[b->labels_n - 1].rule = rule + 1;
	nftnl_rule_nlmsg_build_payload(nlh, r);
	nftnl_rule_free(r);
	message_end(b, nlh);
}

static void put_flowtable(struct batch *b, const struct ruleset *rs)
{
	struct nlmsghdr *nlh = message_begin(b, NFT_MSG_NEWFLOWTABLE, NLM_F_CREATE, "flowtable",
					     RULESET_FLOWTABLE);
	struct nftnl_flowtable *ft = nftnl_flowtable_alloc();
	const char *devices[ZONES_WITH_PORT + 1] = {NULL};

	if (!ft)
		abort();
	for (size_t i = 0; i < rs->devices_n; i++)
		devices[i] = rs->devices[i];
	nftnl_flowtable_set_str(ft, NFTNL_FLOWTABLE_TABLE, RULESET_TABLE);
	nftnl_flowtable_set_str(ft, NFTNL_FLOWTABLE_NAME, RULESET_FLOWTABLE);
	nftnl_flowtable_set_u32(ft, NFTNL_FLOWTABLE_HOOKNUM, NF_NETDEV_INGRESS);
	nftnl_flowtable_set_u32(ft, NFTNL_FLOWTABLE_PRIO, 0);
	/* Without it what takes the short way would be missing in conntrack's accounting. */
	nftnl_flowtable_set_u32(ft, NFTNL_FLOWTABLE_FLAGS, NFT_FLOWTABLE_COUNTER);
	if (rs->devices_n)
		nftnl_flowtable_set_array(ft, NFTNL_FLOWTABLE_DEVICES, devices);
	nftnl_flowtable_nlmsg_build_payload(nlh, ft);
	nftnl_flowtable_free(ft);
	message_end(b, nlh);
}

/* ---- sets ---- */

static void put_set(struct batch *b, const struct set *from, const char *name, uint32_t id)
{
	uint16_t flags = NLM_F_CREATE | (from->dynamic ? 0 : NLM_F_EXCL);
	struct nlmsghdr *nlh = message_begin(b, NFT_MSG_NEWSET, flags, "set", name);
	struct present_set s = setform_of(from);
	uint32_t fields_n;
	const uint8_t *fields = setform_fields(from->key, &fields_n);
	struct nftnl_set *set = nftnl_set_alloc();

	if (!set)
		abort();
	nftnl_set_set_str(set, NFTNL_SET_TABLE, RULESET_TABLE);
	nftnl_set_set_str(set, NFTNL_SET_NAME, name);
	nftnl_set_set_u32(set, NFTNL_SET_ID, id);
	nftnl_set_set_u32(set, NFTNL_SET_FLAGS, s.flags);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, s.key_type);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, s.key_len);
	if (from->kind == SET_VERDICTS) {
		nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, s.data_type);
		nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, 0);
	}
	if (s.data_len) {
		nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, s.data_type);
		nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, s.data_len);
	}
	if (from->kind == SET_COUNTERS)
		nftnl_set_set_u32(set, NFTNL_SET_OBJ_TYPE, s.obj_type);
	if (s.timeout_ms)
		nftnl_set_set_u64(set, NFTNL_SET_TIMEOUT, s.timeout_ms);
	if (s.size)
		nftnl_set_set_u32(set, NFTNL_SET_DESC_SIZE, s.size);
	if (s.flags & NFT_SET_CONCAT)
		nftnl_set_set_data(set, NFTNL_SET_DESC_CONCAT, fields, fields_n);
	nftnl_set_nlmsg_build_payload(nlh, set);
	nftnl_set_free(set);
	message_end(b, nlh);
}

static void put_elements(struct batch *b, const struct ruleset *rs, const struct names *names,
			 size_t index)
{
	const struct set *set = &rs->sets[index];
	bool more = set->n > 0;
	size_t next = 0;

	while (more) {
		struct nlmsghdr *nlh = message_begin(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE,
						     "elements of set", names->sets[index]);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, names->sets[index]);
		mnl_attr_put_u32(nlh, NFTA_SET_ELEM_LIST_SET_ID, htonl(set_id(rs, index)));
		more = elements_put(nlh, rs, names, set, &next);
		message_end(b, nlh);
	}
}

/* Nothing of the old generation bears a name that the new one needs. */
static bool both_fit(const struct ruleset *rs, const struct names *names, const struct present *p,
		     const struct kept *kept)
{
	struct keymap taken = {0};
	bool fit = true;

	for (size_t i = 0; i < rs->chains_n; i++)
		keymap_put(&taken, names->chains[i], i);
	for (size_t i = 0; i < rs->sets_n; i++)
		keymap_put(&taken, names->sets[i], i);
	for (size_t i = 0; i < p->chains_n; i++)
		fit &= kept_has(&kept->chains, p->chains[i].name) ||
		       (!p->chains[i].base && !keymap_get(&taken, p->chains[i].name));
	for (size_t i = 0; i < p->sets_n; i++)
		fit &= kept_has(&kept->sets, p->sets[i].name) ||
		       !keymap_get(&taken, p->sets[i].name);
	keymap_free(&taken);
	return fit && p->flowtable == (rs->devices_n > 0);
}

/* ---- the new generation ---- */

static void put_new(struct batch *b, const struct ruleset *rs, const struct names *names,
		    const struct kept *kept)
{
	for (size_t i = 0; i < rs->counters_n; i++)
		if (!kept_has(&kept->counters, rs->counters[i]))
			put_counter(b, rs->counters[i]);
	for (size_t i = 0; i < rs->chains_n; i++)
		put_chain(b, &rs->chains[i], names->chains[i]);
	if (rs->devices_n)
		put_flowtable(b, rs);
	for (size_t i = 0; i < rs->sets_n; i++)
		if (!kept_has(&kept->sets, names->sets[i]))
			put_set(b, &rs->sets[i], names->sets[i], set_id(rs, i));
	for (size_t i = 0; i < rs->sets_n; i++)
		put_elements(b, rs, names, i);
	for (size_t i = 0; i < rs->chains_n; i++)
		for (size_t j = 0; j < rs->chains[i].n; j++)
			put_rule(b, rs, names, i, j);
}

/* ---- a table in the batch ---- */

uint8_t fw_family(size_t table)
{
	return table == FW_BRIDGE ? NFPROTO_BRIDGE : NFPROTO_INET;
}

/* One of our tables: what it is, and what it is to be. */
struct part {
	const struct ruleset *rs; /* NULL: to go */
	struct present p;         /* later: what is left over of it */
	struct names names;
	struct kept kept;
	uint32_t generation;
	bool sweep_later;
};

/* True when the table's chains are those of the generation: for when the count alone proves
 * nothing, because somebody else committed right behind us. */
static bool is_in_force(struct netlink *nl, const struct part *parts)
{
	bool in_force = true;

	for (size_t i = 0; i < FW_TABLES; i++) {
		struct present p;
		in_force &= present_read(nl, fw_family(i), &p) == 0 &&
			    (parts[i].rs ? p.generation == parts[i].generation : !p.table);
		present_free(&p);
	}
	return in_force;
}

/* The rules of the chains that stay: the base chains. */
static void drop_kept_rules(struct batch *b, const struct present *p, const struct kept *kept)
{
	for (size_t i = 0; i < p->chains_n; i++)
		if (kept_has(&kept->chains, p->chains[i].name))
			message_named(b, NFT_MSG_DELRULE, 0, NFTA_RULE_CHAIN, "rules of chain",
				      p->chains[i].name);
}

static void put_part(struct batch *b, struct part *part)
{
	const struct ruleset *rs = part->rs;
	struct present *p = &part->p;

	if (!rs) {
		if (p->table)
			put_table(b, NFT_MSG_DELTABLE, RULESET_TABLE);
		return;
	}
	part->generation = p->generation + 1;
	part->names = names_of(rs, part->generation);
	part->kept = kept_of(rs, &part->names, p);
	part->sweep_later = p->chains_n && both_fit(rs, &part->names, p, &part->kept);
	put_table(b, NFT_MSG_NEWTABLE, RULESET_TABLE);
	drop_kept_rules(b, p, &part->kept);
	sweep_leftovers(p, rs, &part->kept);
	if (!part->sweep_later) {
		sweep_rules(b, p);
		sweep_rest(b, p);
	}
	put_new(b, rs, &part->names, &part->kept);
}

static void parts_free(struct part *parts)
{
	for (size_t i = 0; i < FW_TABLES; i++) {
		kept_free(&parts[i].kept);
		names_free(&parts[i].names);
		present_free(&parts[i].p);
	}
}

static void forget_left(struct fw *fw)
{
	for (size_t i = 0; i < FW_TABLES; i++)
		present_free(&fw->left[i]);
}

/* What is taken away later. */
static void remember_left(struct fw *fw, struct part *parts)
{
	forget_left(fw);
	for (size_t i = 0; i < FW_TABLES; i++) {
		if (!parts[i].sweep_later)
			continue;
		fw->left[i] = parts[i].p;
		parts[i].p = (struct present){0};
	}
}

/* Both tables in one transaction. */
static int commit_parts(struct fw *fw, struct part *parts, uint32_t genid, struct buf *error)
{
	struct batch b = {.nl = fw->nl};
	uint32_t after = 0;

	batch_begin(&b, genid);
	for (size_t i = 0; i < FW_TABLES; i++) {
		b.family = fw_family(i);
		put_part(&b, &parts[i]);
	}
	int status = batch_commit(&b, genid, error);
	if (!status && present_genid(fw->nl, &after) == 0 && after != genid + 1 &&
	    !is_in_force(fw->nl, parts))
		status = ERESTART;
	batch_free(&b);
	return status;
}

static int apply_once(struct fw *fw, const struct ruleset *rs, struct buf *error)
{
	struct part parts[FW_TABLES] = {[FW_INET].rs = rs, [FW_BRIDGE].rs = rs->bridge};
	uint32_t genid = 0;
	int status = present_genid(fw->nl, &genid);

	for (size_t i = 0; i < FW_TABLES && !status; i++)
		status = present_read(fw->nl, fw_family(i), &parts[i].p);
	if (status)
		buf_printf(error, "firewall: reading the kernel's tables: %s\n",
			   netlink_reason(fw->nl));
	else
		status = commit_parts(fw, parts, genid, error);
	if (!status)
		remember_left(fw, parts);
	parts_free(parts);
	return status;
}

static bool is_nothing(const struct present *left)
{
	return !left->chains_n && !left->sets_n && !left->objects_n && !left->devices_n &&
	       !left->flowtable;
}

bool fw_is_swept(const struct fw *fw)
{
	return is_nothing(&fw->left[FW_INET]) && is_nothing(&fw->left[FW_BRIDGE]);
}

/* One transaction, unless somebody else committed meanwhile. */
static int sweep_once(struct fw *fw, struct buf *error)
{
	struct batch b = {.nl = fw->nl};
	uint32_t genid;
	int status = present_genid(fw->nl, &genid);

	if (!status) {
		batch_begin(&b, genid);
		for (size_t i = 0; i < FW_TABLES; i++) {
			b.family = fw_family(i);
			sweep_rules(&b, &fw->left[i]);
			sweep_rest(&b, &fw->left[i]);
		}
		status = batch_commit(&b, genid, error);
	}
	batch_free(&b);
	return status;
}

bool fw_sweep(struct fw *fw, struct buf *error)
{
	int status = ERESTART;

	if (fw_is_swept(fw))
		return true;
	/* Waits until every packet that was under way has left the rules (an RCU grace period). */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	for (int i = 0; i < APPLY_TRIES && status == ERESTART; i++)
		status = sweep_once(fw, error);
	/* Whatever could not be taken away is found again by the next fw_apply(). */
	forget_left(fw);
	return status == 0;
}

bool fw_apply(struct fw *fw, const struct ruleset *rs, struct buf *error)
{
	struct buf unsaid = BUF_INIT; /* what is not swept now is taken along */
	int status = ERESTART;

	fw_sweep(fw, &unsaid);
	buf_free(&unsaid);
	for (int i = 0; i < APPLY_TRIES && status == ERESTART; i++)
		status = apply_once(fw, rs, error);
	if (status == ERESTART)
		buf_appends(error, "firewall: somebody else keeps changing the kernel's tables\n");
	return status == 0;
}

/* ---- the socket ---- */

/* A table with a flowtable, made and taken away in one transaction: nobody sees it. */
static bool try_flowtable(struct netlink *nl)
{
	struct batch b = {.nl = nl, .family = NFPROTO_INET};
	struct buf ignored = BUF_INIT;
	const char *probe = RULESET_TABLE "-probe";
	uint32_t genid = 0;
	bool works = false;

	if (present_genid(nl, &genid) == 0) {
		batch_begin(&b, genid);
		put_table(&b, NFT_MSG_NEWTABLE, probe);
		struct nlmsghdr *nlh = message_begin(&b, NFT_MSG_NEWFLOWTABLE, NLM_F_CREATE,
						     "flowtable", RULESET_FLOWTABLE);
		mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_TABLE, probe);
		mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_NAME, RULESET_FLOWTABLE);
		struct nlattr *hook = mnl_attr_nest_start(nlh, NFTA_FLOWTABLE_HOOK);
		mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_HOOK_NUM, htonl(NF_NETDEV_INGRESS));
		mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_HOOK_PRIORITY, 0);
		mnl_attr_nest_end(nlh, hook);
		message_end(&b, nlh);
		put_table(&b, NFT_MSG_DELTABLE, probe);
		works = batch_commit(&b, genid, &ignored) == 0;
	}
	buf_free(&ignored);
	batch_free(&b);
	return works;
}

struct fw *fw_open(struct buf *error)
{
	struct fw *fw = calloc(1, sizeof(*fw));

	if (!fw)
		abort();
	fw->nl = netlink_open(NETLINK_NETFILTER, error);
	if (!fw->nl) {
		free(fw);
		return NULL;
	}
	fw->caps.flowtable = try_flowtable(fw->nl);
	return fw;
}

void fw_close(struct fw *fw)
{
	if (!fw)
		return;
	forget_left(fw);
	netlink_close(fw->nl);
	free(fw);
}

uint32_t fw_netlink_port(const struct fw *fw)
{
	return netlink_port(fw->nl);
}

struct ruleset_caps fw_caps(const struct fw *fw)
{
	return fw->caps;
}
