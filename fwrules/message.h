/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to nf_tables, gathered into one batch: the kernel takes all of it or nothing.
 *
 * Each message is labelled with what it is about, so that a refusal can be told in words.
 */
#ifndef GATEPOST_FWRULES_MESSAGE_H
#define GATEPOST_FWRULES_MESSAGE_H

#include "lib/buf.h"
#include "lib/netlink.h"

#include <stddef.h>
#include <stdint.h>

struct label {
	uint32_t seq;
	const char *what, *name;
	size_t rule; /* from 1; 0: no rule */
};

/* Zeroed but for nl. Names given to it must outlive it. family may change between messages. */
struct batch {
	struct netlink *nl;
	uint8_t family; /* NFPROTO_*, of the messages that follow */
	struct buf bytes;
	struct label *labels;
	size_t labels_n, labels_cap;
};

/* The batch holds only if nobody else has committed since the kernel's generation was genid. */
void batch_begin(struct batch *b, uint32_t genid);
void batch_free(struct batch *b);

/* A message at the end of the batch with room for attributes; message_end() closes it. */
struct nlmsghdr *message_begin(struct batch *b, uint16_t type, uint16_t flags, const char *what,
			       const char *name);
void message_end(struct batch *b, const struct nlmsghdr *nlh);
/* For messages that need no more than table and name: the attributes have the same numbers. */
void message_named(struct batch *b, uint16_t type, uint16_t flags, uint16_t name_attr,
		   const char *what, const char *name);

/*
 * Sends the batch that batch_begin() gave genid. 0 when it was taken; ERESTART when somebody else
 * committed in between; else an errno with the reason in error.
 */
int batch_commit(struct batch *b, uint32_t genid, struct buf *error);

#endif
