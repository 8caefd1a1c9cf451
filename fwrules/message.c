/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/message.h"

#include "fwrules/array.h"
#include "fwrules/elements.h"
#include "fwrules/present.h"
#include "fwrules/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

struct nlmsghdr *message_begin(struct batch *b, uint16_t type, uint16_t flags, const char *what,
			       const char *name)
{
	struct label *label = ARRAY_NEXT(b->labels, b->labels_n, b->labels_cap);

	*label = (struct label){.seq = netlink_seq(b->nl), .what = what, .name = name};
	buf_reserve(&b->bytes, 2 * ELEMENTS_MESSAGE_BYTES);
	return nftnl_nlmsg_build_hdr(b->bytes.data + b->bytes.len, type, b->family, flags,
				     label->seq);
}

void message_end(struct batch *b, const struct nlmsghdr *nlh)
{
	b->bytes.len += MNL_ALIGN(nlh->nlmsg_len);
}

void batch_begin(struct batch *b, uint32_t genid)
{
	struct nlmsghdr *nlh;

	buf_reserve(&b->bytes, ELEMENTS_MESSAGE_BYTES);
	nlh = nftnl_batch_begin(b->bytes.data, netlink_seq(b->nl));
	mnl_attr_put_u32(nlh, NFNL_BATCH_GENID, htonl(genid));
	message_end(b, nlh);
}

static void batch_end(struct batch *b)
{
	buf_reserve(&b->bytes, ELEMENTS_MESSAGE_BYTES);
	message_end(b, nftnl_batch_end(b->bytes.data + b->bytes.len, netlink_seq(b->nl)));
}

void message_named(struct batch *b, uint16_t type, uint16_t flags, uint16_t name_attr,
		   const char *what, const char *name)
{
	struct nlmsghdr *nlh = message_begin(b, type, flags, what, name);

	mnl_attr_put_strz(nlh, 1, RULESET_TABLE);
	mnl_attr_put_strz(nlh, name_attr, name);
	message_end(b, nlh);
}

void batch_free(struct batch *b)
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

int batch_commit(struct batch *b, uint32_t genid, struct buf *error)
{
	struct netlink_fault fault;
	uint32_t after = genid;

	batch_end(b);
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
