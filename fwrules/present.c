/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/present.h"

#include "fwrules/array.h"
#include "fwrules/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

/* The numbers of attributes go up to this in every kind of object read here. */
enum { ATTRIBUTES = 32 };

struct attributes {
	const struct nlattr *at[ATTRIBUTES];
};

static int note_attribute(const struct nlattr *attr, void *data)
{
	struct attributes *a = data;

	if (mnl_attr_get_type(attr) < ATTRIBUTES)
		a->at[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static struct attributes attributes_of(const struct nlmsghdr *nlh)
{
	struct attributes a = {0};

	mnl_attr_parse(nlh, sizeof(struct nfgenmsg), note_attribute, &a);
	return a;
}

static struct attributes attributes_in(const struct nlattr *nest)
{
	struct attributes a = {0};

	if (nest)
		mnl_attr_parse_nested(nest, note_attribute, &a);
	return a;
}

static const char *text_of(const struct nlattr *attr)
{
	return attr && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0 ? mnl_attr_get_str(attr)
									 : "";
}

static uint32_t number_of(const struct nlattr *attr)
{
	return attr && mnl_attr_validate(attr, MNL_TYPE_U32) == 0 ? ntohl(mnl_attr_get_u32(attr))
								  : 0;
}

static uint64_t long_of(const struct nlattr *attr)
{
	return attr && mnl_attr_validate(attr, MNL_TYPE_U64) == 0 ? be64toh(mnl_attr_get_u64(attr))
								  : 0;
}

/* Every object's first attribute is its table; a dump may hold other tables' objects. */
static bool is_ours(const struct present *p, const struct nlmsghdr *nlh, const struct attributes *a)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);

	return nfg->nfgen_family == p->family && !strcmp(text_of(a->at[1]), RULESET_TABLE);
}

/* "forward-12" is of generation 12; what has no number stands for good. */
static void note_generation(struct present *p, const char *name)
{
	const char *dash = strrchr(name, '-');
	char *end;

	if (!dash || dash[1] < '1' || dash[1] > '9')
		return;
	unsigned long n = strtoul(dash + 1, &end, 10);
	if (!*end && n < UINT32_MAX && n > p->generation)
		p->generation = (uint32_t)n;
}

static void read_table(const struct nlmsghdr *nlh, void *context)
{
	struct present *p = context;
	struct attributes a = attributes_of(nlh);

	if (!is_ours(p, nlh, &a))
		return;
	p->table = true;
	p->table_flags = number_of(a.at[NFTA_TABLE_FLAGS]);
}

static void read_chain(const struct nlmsghdr *nlh, void *context)
{
	struct present *p = context;
	struct attributes a = attributes_of(nlh);

	if (!is_ours(p, nlh, &a))
		return;
	struct attributes hook = attributes_in(a.at[NFTA_CHAIN_HOOK]);
	struct present_chain *chain = ARRAY_NEXT(p->chains, p->chains_n, p->chains_cap);
	chain->name = text_copy(text_of(a.at[NFTA_CHAIN_NAME]));
	chain->base = a.at[NFTA_CHAIN_HOOK] != NULL;
	chain->nat = !strcmp(text_of(a.at[NFTA_CHAIN_TYPE]), "nat");
	chain->hook = number_of(hook.at[NFTA_HOOK_HOOKNUM]);
	chain->priority = (int32_t)number_of(hook.at[NFTA_HOOK_PRIORITY]);
	chain->policy = number_of(a.at[NFTA_CHAIN_POLICY]);
	if (!chain->base)
		note_generation(p, chain->name);
}

static void read_set(const struct nlmsghdr *nlh, void *context)
{
	struct present *p = context;
	struct attributes a = attributes_of(nlh);

	if (!is_ours(p, nlh, &a))
		return;
	struct attributes desc = attributes_in(a.at[NFTA_SET_DESC]);
	struct present_set *set = ARRAY_NEXT(p->sets, p->sets_n, p->sets_cap);
	set->name = text_copy(text_of(a.at[NFTA_SET_NAME]));
	set->flags = number_of(a.at[NFTA_SET_FLAGS]);
	set->key_type = number_of(a.at[NFTA_SET_KEY_TYPE]);
	set->key_len = number_of(a.at[NFTA_SET_KEY_LEN]);
	set->data_type = number_of(a.at[NFTA_SET_DATA_TYPE]);
	if (set->data_type != NFT_DATA_VERDICT)
		set->data_len = number_of(a.at[NFTA_SET_DATA_LEN]);
	set->obj_type = number_of(a.at[NFTA_SET_OBJ_TYPE]);
	set->timeout_ms = long_of(a.at[NFTA_SET_TIMEOUT]);
	set->size = number_of(desc.at[NFTA_SET_DESC_SIZE]);
	if (!(set->flags & NFT_SET_EVAL))
		note_generation(p, set->name);
}

static void read_object(const struct nlmsghdr *nlh, void *context)
{
	struct present *p = context;
	struct attributes a = attributes_of(nlh);

	if (!is_ours(p, nlh, &a))
		return;
	struct present_object *object = ARRAY_NEXT(p->objects, p->objects_n, p->objects_cap);
	object->name = text_copy(text_of(a.at[NFTA_OBJ_NAME]));
	object->type = number_of(a.at[NFTA_OBJ_TYPE]);
}

static void read_flowtable(const struct nlmsghdr *nlh, void *context)
{
	struct present *p = context;
	struct attributes a = attributes_of(nlh);
	const struct nlattr *attr;

	if (!is_ours(p, nlh, &a) || strcmp(text_of(a.at[NFTA_FLOWTABLE_NAME]), RULESET_FLOWTABLE))
		return;
	p->flowtable = true;
	p->flowtable_flags = number_of(a.at[NFTA_FLOWTABLE_FLAGS]);
	struct attributes hook = attributes_in(a.at[NFTA_FLOWTABLE_HOOK]);
	if (!hook.at[NFTA_FLOWTABLE_HOOK_DEVS])
		return;
	mnl_attr_for_each_nested(attr, hook.at[NFTA_FLOWTABLE_HOOK_DEVS])
	{
		char(*device)[IFNAMSIZ] = ARRAY_NEXT(p->devices, p->devices_n, p->devices_cap);
		strncpy(*device, text_of(attr), IFNAMSIZ - 1);
	}
}

struct nlmsghdr *present_request(char *buffer, uint16_t type, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

int present_read(struct netlink *nl, uint8_t family, struct present *out)
{
	static const struct {
		uint16_t type;
		bool by_table; /* the kernel takes the table's name as a filter */
		netlink_message *read;
	} dumps[] = {
		{NFT_MSG_GETTABLE, false, read_table},
		{NFT_MSG_GETCHAIN, false, read_chain},
		{NFT_MSG_GETSET, true, read_set},
		{NFT_MSG_GETOBJ, true, read_object},
		{NFT_MSG_GETFLOWTABLE, true, read_flowtable},
	};
	char buffer[NETLINK_MESSAGE_MAX];

	*out = (struct present){.family = family};
	for (size_t i = 0; i < sizeof(dumps) / sizeof(*dumps); i++) {
		struct nlmsghdr *nlh = present_request(buffer, dumps[i].type, family);
		if (dumps[i].by_table)
			mnl_attr_put_strz(nlh, 1, RULESET_TABLE);
		int error = netlink_dump(nl, nlh, dumps[i].read, out);
		/* No such table yet, or a kernel without flowtables. */
		if (error == ENOENT || (error && dumps[i].type == NFT_MSG_GETFLOWTABLE))
			continue;
		if (error)
			return error;
		if (!out->table)
			return 0; /* a table that is not there holds nothing */
	}
	return 0;
}

void present_free(struct present *p)
{
	for (size_t i = 0; i < p->chains_n; i++)
		free(p->chains[i].name);
	for (size_t i = 0; i < p->sets_n; i++)
		free(p->sets[i].name);
	for (size_t i = 0; i < p->objects_n; i++)
		free(p->objects[i].name);
	free(p->chains);
	free(p->sets);
	free(p->objects);
	free(p->devices);
	*p = (struct present){0};
}

static void read_genid(const struct nlmsghdr *nlh, void *context)
{
	struct attributes a = attributes_of(nlh);

	*(uint32_t *)context = number_of(a.at[NFTA_GEN_ID]);
}

int present_genid(struct netlink *nl, uint32_t *genid)
{
	char buffer[NETLINK_MESSAGE_MAX];
	struct nlmsghdr *nlh = present_request(buffer, NFT_MSG_GETGEN, NFPROTO_UNSPEC);

	return netlink_ask(nl, nlh, read_genid, genid);
}
