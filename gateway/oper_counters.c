/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/oper.h"

#include "fwrules/ruleset.h"
#include "lib/netlink.h"

#include <errno.h>
#include <libnftnl/object.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

static void add_counter(const struct nlmsghdr *nlh, void *rows)
{
	struct nftnl_obj *obj = nftnl_obj_alloc();

	if (!obj)
		abort();
	if (nftnl_obj_nlmsg_parse(nlh, obj) == 0 &&
	    nftnl_obj_get_u32(obj, NFTNL_OBJ_TYPE) == NFT_OBJECT_COUNTER &&
	    !strcmp(nftnl_obj_get_str(obj, NFTNL_OBJ_TABLE), RULESET_TABLE))
		json_array_append_new(
			rows,
			json_pack("{s:s s:I s:I}", "name", nftnl_obj_get_str(obj, NFTNL_OBJ_NAME),
				  "packets", (json_int_t)nftnl_obj_get_u64(obj, NFTNL_OBJ_CTR_PKTS),
				  "bytes",
				  (json_int_t)nftnl_obj_get_u64(obj, NFTNL_OBJ_CTR_BYTES)));
	nftnl_obj_free(obj);
}

json_t *oper_counters(struct buf *error)
{
	char bytes[NETLINK_MESSAGE_MAX];
	struct netlink *nl = netlink_open(NETLINK_NETFILTER, error);
	json_t *rows = json_array();

	if (!nl)
		goto err;
	struct nlmsghdr *request = nftnl_nlmsg_build_hdr(bytes, NFT_MSG_GETOBJ, NFPROTO_UNSPEC,
							 NLM_F_DUMP, netlink_seq(nl));
	int failed = netlink_dump(nl, request, add_counter, rows);
	if (failed && failed != ENOENT) {
		buf_printf(error, "the kernel does not tell its counters: %s\n",
			   netlink_reason(nl));
		goto err;
	}
	netlink_close(nl);
	return rows;
err:
	if (nl)
		netlink_close(nl);
	json_decref(rows);
	return NULL;
}
