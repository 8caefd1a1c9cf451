/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A netlink socket: ask, dump, send a batch (libmnl).
 *
 * Every call is synchronous. Results are 0 or an errno; netlink_reason() then says in words what
 * the kernel said. A dump is read whole before the caller sees any of it, and read again when the
 * kernel says that it changed meanwhile, so a caller never sees a mixture.
 */
#ifndef GATEPOST_LIB_NETLINK_H
#define GATEPOST_LIB_NETLINK_H

#include "lib/buf.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink;

/* bus is NETLINK_ROUTE or NETLINK_NETFILTER. NULL with the reason in error. */
struct netlink *netlink_open(int bus, struct buf *error);
void netlink_close(struct netlink *nl);

/* The kernel's number of this socket: who sent what is told of by notification. */
uint32_t netlink_port(const struct netlink *nl);

/* A number for the next message; each is used once. */
uint32_t netlink_seq(struct netlink *nl);

/* Sends one request (NLM_F_REQUEST | NLM_F_ACK and seq are set here) and waits for its ack. */
int netlink_do(struct netlink *nl, struct nlmsghdr *request);

typedef void netlink_message(const struct nlmsghdr *nlh, void *context);

/* Sends one request and hands over each message of the answer. EINTR when the kernel's tables
 * changed again and again while they were read. */
int netlink_dump(struct netlink *nl, struct nlmsghdr *request, netlink_message *each,
		 void *context);
/* The same for a request that is answered by one message. */
int netlink_ask(struct netlink *nl, struct nlmsghdr *request, netlink_message *each, void *context);

/* What the kernel refused in a batch. */
struct netlink_fault {
	uint32_t seq;     /* of the message */
	int error;        /* errno */
	uint32_t offset;  /* in the message, of the attribute at fault; 0 when not said */
	char reason[128]; /* the kernel's own words; "" when it has none */
};

/*
 * Sends all the bytes of a batch as one datagram, then reads what was queued meanwhile, without
 * waiting: messages that want no ack are answered only when they fail. The first fault is in
 * *fault (seq 0: none). The result is about the sending and reading.
 */
int netlink_send_batch(struct netlink *nl, const void *bytes, size_t n,
		       struct netlink_fault *fault);

/* Why the last call failed, in words. */
const char *netlink_reason(const struct netlink *nl);

/* Bytes that any one message here may have. */
enum { NETLINK_MESSAGE_MAX = 8192 };

#endif
