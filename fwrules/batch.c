/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/batch.h"

#include "fwrules/array.h"
#include "fwrules/elements.h"
#include "fwrules/expr.h"
#include "fwrules/fw.h"
#include "fwrules/keymap.h"
#include "fwrules/present.h"
#include "fwrules/setform.h"

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

/* What a message is about, so that a refusal can be told in words. */
struct label {
	uint32_t seq;
	const char *what, *name;
	size_t rule; /* from 1; 0: no rule */
};

struct batch {
	struct netlink *nl;
	struct buf bytes;
	struct label *labels;
	size_t labels_n, labels_cap;
};

/* ---- messages ---- */

/* A message at the end of the batch with room for attributes; end_message() closes it. */
static struct nlmsghdr *begin_message(struct batch *b, uint16_t type, uint16_t flags,
				      const char *what, const char *name)
{
	struct label *label = ARRAY_NEXT(b->labels, b->labels_n, b->labels_cap);

	*label = (struct label){.seq = netlink_seq(b->nl), .what = what, .name = name};
	buf_reserve(&b->bytes, 2 * ELEMENTS_MESSAGE_BYTES);
	return nftnl_nlmsg_build_hdr(b->bytes.data + b->bytes.len, type, NFPROTO_INET, flags,
				     label->seq);
}

static void end_message(struct batch *b, const struct nlmsghdr *nlh)
{
	b->bytes.len += MNL_ALIGN(nlh->nlmsg_len);
}

static void begin_batch(struct batch *b, uint32_t genid)
{
	struct nlmsghdr *nlh;

	buf_reserve(&b->bytes, ELEMENTS_MESSAGE_BYTES);
	nlh = nftnl_batch_begin(b->bytes.data, netlink_seq(b->nl));
	mnl_attr_put_u32(nlh, NFNL_BATCH_GENID, htonl(genid));
	end_message(b, nlh);
}

static void end_batch(struct batch *b)
{
	buf_reserve(&b->bytes, ELEMENTS_MESSAGE_BYTES);
	end_message(b, nftnl_batch_end(b->bytes.data + b->bytes.len, netlink_seq(b->nl)));
}

/* For messages that need no more than table and name: the attributes have the same numbers. */
static void put_named(struct batch *b, uint16_t type, uint16_t flags, uint16_t name_attr,
		      const char *what, const char *name)
{
	struct nlmsghdr *nlh = begin_message(b, type, flags, what, name);

	mnl_attr_put_strz(nlh, 1, RULESET_TABLE);
	mnl_attr_put_strz(nlh, name_attr, name);
	end_message(b, nlh);
}

static void put_table(struct batch *b, uint16_t type, const char *name)
{
	struct nlmsghdr *nlh = begin_message(b, type, NLM_F_CREATE, "table", name);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, name);
	if (type == NFT_MSG_NEWTABLE)
		mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, 0); /* not dormant */
	end_message(b, nlh);
}

static void put_counter(struct batch *b, const char *name)
{
	struct nlmsghdr *nlh = begin_message(b, NFT_MSG_NEWOBJ, NLM_F_CREATE, "counter", name);
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
	end_message(b, nlh);
}

static void drop_object(struct batch *b, const struct present_object *object)
{
	struct nlmsghdr *nlh = begin_message(b, NFT_MSG_DELOBJ, 0, "object", object->name);

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, object->name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(object->type));
	end_message(b, nlh);
}

static void put_chain(struct batch *b, const struct chain *from, const char *name)
{
	uint16_t flags = NLM_F_CREATE | (from->base ? 0 : NLM_F_EXCL);
	struct nlmsghdr *nlh = begin_message(b, NFT_MSG_NEWCHAIN, flags, "chain", name);
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
	end_message(b, nlh);
}

static void put_rule(struct batch *b, const struct ruleset *rs, const struct names *names,
		     size_t chain, size_t rule)
{
	struct nlmsghdr *nlh = begin_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
					     "chain", names->chains[chain]);
	struct nftnl_rule *r = expr_rule(rs, names, chain, rule);

	b->labels[b->labels_n - 1].rule = rule + 1;
	nftnl_rule_nlmsg_build_payload(nlh, r);
	nftnl_rule_free(r);
	end_message(b, nlh);
}

static void put_flowtable(struct batch *b, const struct ruleset *rs)
{
	struct nlmsghdr *nlh = begin_message(b, NFT_MSG_NEWFLOWTABLE, NLM_F_CREATE, "flowtable",
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
	if (rs->devices_n)
		nftnl_flowtable_set_array(ft, NFTNL_FLOWTABLE_DEVICES, devices);
	nftnl_flowtable_nlmsg_build_payload(nlh, ft);
	nftnl_flowtable_free(ft);
	end_message(b, nlh);
}

/* ---- sets ---- */

static void put_set(struct batch *b, const struct set *from, const char *name, uint32_t id)
{
	uint16_t flags = NLM_F_CREATE | (from->dynamic ? 0 : NLM_F_EXCL);
	struct nlmsghdr *nlh = begin_message(b, NFT_MSG_NEWSET, flags, "set", name);
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
	end_message(b, nlh);
}

static void put_elements(struct batch *b, const struct ruleset *rs, const struct names *names,
			 size_t index)
{
	const struct set *set = &rs->sets[index];
	bool more = set->n > 0;
	size_t next = 0;

	while (more) {
		struct nlmsghdr *nlh = begin_message(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE,
						     "elements of set", names->sets[index]);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, names->sets[index]);
		mnl_attr_put_u32(nlh, NFTA_SET_ELEM_LIST_SET_ID, htonl((uint32_t)index + 1));
		more = elements_put(nlh, rs, names, set, &next);
		end_message(b, nlh);
	}
}

/* ---- what stays ---- */

/* Of what is there, by name: what the new ruleset goes on using. */
struct kept {
	struct keymap chains, sets, counters;
};

static bool is_kept(const struct keymap *m, const char *name)
{
	return keymap_get(m, name) != NULL;
}

static bool chain_fits(const struct chain *meant, const struct present_chain *is)
{
	return is->base && meant->nat == is->nat && meant->hook == is->hook &&
	       meant->priority == is->priority;
}

/* Base chains, dynamic sets and counters, unless somebody made other things of these names. */
static struct kept kept_of(const struct ruleset *rs, const struct names *names,
			   const struct present *p)
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
		if (is_kept(&counters, rs->counters[i]))
			keymap_put(&kept.counters, rs->counters[i], i);
	keymap_free(&chains);
	keymap_free(&sets);
	keymap_free(&counters);
	return kept;
}

static void kept_free(struct kept *kept)
{
	keymap_free(&kept->chains);
	keymap_free(&kept->sets);
	keymap_free(&kept->counters);
}

/* ---- the old generation ---- */

/* Our flowtable's hooks on devices that it no longer has. */
static void drop_flowtable(struct batch *b, const struct ruleset *rs, const struct present *p)
{
	bool any_stale = false;

	if (!p->flowtable)
		return;
	if (!rs->devices_n) {
		put_named(b, NFT_MSG_DELFLOWTABLE, 0, NFTA_FLOWTABLE_NAME, "flowtable",
			  RULESET_FLOWTABLE);
		return;
	}
	struct nlmsghdr *nlh =
		begin_message(b, NFT_MSG_DELFLOWTABLE, 0, "flowtable", RULESET_FLOWTABLE);
	mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_NAME, RULESET_FLOWTABLE);
	struct nlattr *hook = mnl_attr_nest_start(nlh, NFTA_FLOWTABLE_HOOK);
	mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_HOOK_NUM, htonl(NF_NETDEV_INGRESS));
	mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_HOOK_PRIORITY, 0);
	struct nlattr *devices = mnl_attr_nest_start(nlh, NFTA_FLOWTABLE_HOOK_DEVS);
	for (size_t i = 0; i < p->devices_n; i++) {
		bool kept = false;
		for (size_t j = 0; j < rs->devices_n; j++)
			kept |= !strcmp(p->devices[i], rs->devices[j]);
		if (!kept)
			mnl_attr_put_strz(nlh, NFTA_DEVICE_NAME, p->devices[i]);
		any_stale |= !kept;
	}
	mnl_attr_nest_end(nlh, devices);
	mnl_attr_nest_end(nlh, hook);
	if (any_stale)
		end_message(b, nlh);
	else
		b->labels_n--; /* never sent */
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
		fit &= is_kept(&kept->chains, p->chains[i].name) ||
		       (!p->chains[i].base && !keymap_get(&taken, p->chains[i].name));
	for (size_t i = 0; i < p->sets_n; i++)
		fit &= is_kept(&kept->sets, p->sets[i].name) ||
		       !keymap_get(&taken, p->sets[i].name);
	keymap_free(&taken);
	return fit && p->flowtable == (rs->devices_n > 0);
}

/* The rules of chains: of those that stay (the base chains), or of those that go. */
static void drop_rules(struct batch *b, const struct present *p, const struct kept *kept,
		       bool of_kept)
{
	for (size_t i = 0; i < p->chains_n; i++)
		if (is_kept(&kept->chains, p->chains[i].name) == of_kept)
			put_named(b, NFT_MSG_DELRULE, 0, NFTA_RULE_CHAIN, "rules of chain",
				  p->chains[i].name);
}

/*
 * Takes away everything that does not stay, once no rule refers to it any more: first maps, whose
 * elements refer to chains and counters; then those.
 */
static void drop_old(struct batch *b, const struct ruleset *rs, const struct present *p,
		     const struct kept *kept)
{
	for (size_t i = 0; i < p->sets_n; i++)
		if (!is_kept(&kept->sets, p->sets[i].name))
			put_named(b, NFT_MSG_DELSET, 0, NFTA_SET_NAME, "set", p->sets[i].name);
	for (size_t i = 0; i < p->chains_n; i++)
		if (!is_kept(&kept->chains, p->chains[i].name))
			put_named(b, NFT_MSG_DELCHAIN, 0, NFTA_CHAIN_NAME, "chain",
				  p->chains[i].name);
	for (size_t i = 0; i < p->objects_n; i++)
		if (p->objects[i].type != NFT_OBJECT_COUNTER ||
		    !is_kept(&kept->counters, p->objects[i].name))
			drop_object(b, &p->objects[i]);
	drop_flowtable(b, rs, p);
}

/* ---- the new generation ---- */

static void put_new(struct batch *b, const struct ruleset *rs, const struct names *names,
		    const struct kept *kept)
{
	for (size_t i = 0; i < rs->counters_n; i++)
		if (!is_kept(&kept->counters, rs->counters[i]))
			put_counter(b, rs->counters[i]);
	for (size_t i = 0; i < rs->chains_n; i++)
		put_chain(b, &rs->chains[i], names->chains[i]);
	if (rs->devices_n)
		put_flowtable(b, rs);
	for (size_t i = 0; i < rs->sets_n; i++)
		if (!is_kept(&kept->sets, names->sets[i]))
			put_set(b, &rs->sets[i], names->sets[i], (uint32_t)i + 1);
	for (size_t i = 0; i < rs->sets_n; i++)
		put_elements(b, rs, names, i);
	for (size_t i = 0; i < rs->chains_n; i++)
		for (size_t j = 0; j < rs->chains[i].n; j++)
			put_rule(b, rs, names, i, j);
}

/* ---- sending ---- */

static void batch_free(struct batch *b)
{
	buf_free(&b->bytes);
	free(b->labels);
}

static void tell_fault(const struct batch *b, const struct netlink_fault *fault, struct buf *error)
{
	const struct label *label = NULL;

	for (size_t i = 0; i < b->labels_n; i++)
		if (b->labels[i].seq == fault->seq)
			label = &b->labels[i];
	buf_appends(error, "firewall: the kernel refused ");
	if (!label)
		buf_appends(error, "the batch");
	else if (label->rule)
		buf_printf(error, "rule %zu of %s %s", label->rule, label->what, label->name);
	else
		buf_printf(error, "%s %s", label->what, label->name);
	buf_printf(error, ": %s", strerror(fault->error));
	if (*fault->reason)
		buf_printf(error, " (%s)", fault->reason);
	if (fault->offset)
		buf_printf(error, ", attribute at byte %u", fault->offset);
	buf_appendc(error, '\n');
}

/*
 * Sends the batch that begin_batch() gave genid. 0 when it was taken; ERESTART when somebody else
 * committed in between; else an errno with the reason in error.
 */
static int commit(struct batch *b, uint32_t genid, struct buf *error)
{
	struct netlink_fault fault;
	uint32_t after = genid;

	end_batch(b);
	int status = netlink_send_batch(b->nl, b->bytes.data, b->bytes.len, &fault);
	if (fault.seq) {
		if (fault.error != ERESTART)
			tell_fault(b, &fault, error);
		return fault.error;
	}
	if (status) {
		buf_printf(error, "firewall: batch of %zu bytes: %s\n", b->bytes.len,
			   netlink_reason(b->nl));
		return status;
	}
	status = present_genid(b->nl, &after);
	if (status || after == genid) {
		buf_printf(error, "firewall: the kernel dropped the batch without a word%s%s\n",
			   status ? ": " : "", status ? netlink_reason(b->nl) : "");
		return status ? status : EIO;
	}
	return 0;
}

/* True when the table's chains are those of the generation: for when the count alone proves
 * nothing, because somebody else committed right behind us. */
static bool is_in_force(struct netlink *nl, uint32_t generation)
{
	struct present p;
	bool in_force = present_read(nl, &p) == 0 && p.generation == generation;

	present_free(&p);
	return in_force;
}

/*
 * The old generation goes in a transaction of its own, when no packet is within it any more: one
 * that is would look its verdict up in a map whose elements are gone with the flip, and be dropped.
 */
static int sweep(struct fw *fw, const struct ruleset *rs, const struct present *p,
		 const struct kept *kept, struct buf *error)
{
	struct batch b = {.nl = fw->nl};
	uint32_t genid;

	/* Waits until every packet that was under way has left the rules (an RCU grace period). */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	int status = present_genid(fw->nl, &genid);
	if (!status) {
		begin_batch(&b, genid);
		drop_rules(&b, p, kept, false);
		drop_old(&b, rs, p, kept);
		status = commit(&b, genid, error);
	}
	batch_free(&b);
	return status;
}

static int apply_once(struct fw *fw, const struct ruleset *rs, struct buf *error)
{
	struct batch b = {.nl = fw->nl};
	struct present p;
	uint32_t genid = 0, after = 0;
	int status = present_genid(fw->nl, &genid);

	if (!status)
		status = present_read(fw->nl, &p);
	if (status) {
		buf_printf(error, "firewall: reading the kernel's tables: %s\n",
			   netlink_reason(fw->nl));
		return status;
	}
	uint32_t generation = p.generation + 1;
	struct names names = names_of(rs, generation);
	begin_batch(&b, genid);
	struct kept kept = kept_of(rs, &names, &p);
	bool sweep_later = p.chains_n && both_fit(rs, &names, &p, &kept);
	put_table(&b, NFT_MSG_NEWTABLE, RULESET_TABLE);
	drop_rules(&b, &p, &kept, true);
	if (!sweep_later) {
		drop_rules(&b, &p, &kept, false);
		drop_old(&b, rs, &p, &kept);
	}
	put_new(&b, rs, &names, &kept);
	status = commit(&b, genid, error);
	if (!status && present_genid(fw->nl, &after) == 0 && after != genid + 1 &&
	    !is_in_force(fw->nl, generation))
		status = ERESTART;
	if (!status && sweep_later)
		status = sweep(fw, rs, &p, &kept, error);
	kept_free(&kept);
	names_free(&names);
	present_free(&p);
	batch_free(&b);
	return status;
}

bool fw_apply(struct fw *fw, const struct ruleset *rs, struct buf *error)
{
	int status = ERESTART;

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
	struct batch b = {.nl = nl};
	struct buf ignored = BUF_INIT;
	const char *probe = RULESET_TABLE "-probe";
	uint32_t genid = 0;
	bool works = false;

	if (present_genid(nl, &genid) == 0) {
		begin_batch(&b, genid);
		put_table(&b, NFT_MSG_NEWTABLE, probe);
		struct nlmsghdr *nlh = begin_message(&b, NFT_MSG_NEWFLOWTABLE, NLM_F_CREATE,
						     "flowtable", RULESET_FLOWTABLE);
		mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_TABLE, probe);
		mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_NAME, RULESET_FLOWTABLE);
		struct nlattr *hook = mnl_attr_nest_start(nlh, NFTA_FLOWTABLE_HOOK);
		mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_HOOK_NUM, htonl(NF_NETDEV_INGRESS));
		mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_HOOK_PRIORITY, 0);
		mnl_attr_nest_end(nlh, hook);
		end_message(&b, nlh);
		put_table(&b, NFT_MSG_DELTABLE, probe);
		works = commit(&b, genid, &ignored) == 0;
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
	netlink_close(fw->nl);
	free(fw);
}

struct ruleset_caps fw_caps(const struct fw *fw)
{
	return fw->caps;
}
