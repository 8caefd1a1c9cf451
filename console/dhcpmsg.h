/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A DHCP message in its Ethernet frame (RFC 2131 §2, RFC 2132): read one, write one.
 *
 * Only what a server for one laptop needs: BOOTP header, and the options named below. Addresses are
 * in network order; 0.0.0.0 stands for one that is not there.
 */
#ifndef GATEPOST_CONSOLE_DHCPMSG_H
#define GATEPOST_CONSOLE_DHCPMSG_H

#include "console/frame.h"

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER,
	DHCP_REQUEST,
	DHCP_DECLINE,
	DHCP_ACK,
	DHCP_NAK,
	DHCP_RELEASE,
	DHCP_INFORM
};

struct dhcp_message {
	bool reply; /* from a server */
	enum dhcp_type type;
	uint32_t xid;
	bool broadcast;                              /* the client wants replies as broadcasts */
	uint8_t ciaddr[4], yiaddr[4], giaddr[4];     /* RFC 2131 §2 */
	uint8_t chaddr[MAC_LEN];                     /* never a group address */
	uint8_t requested[4], server[4], netmask[4]; /* options 50, 54, 1 */
	uint32_t lease_s;                            /* option 51, with 58 and 59; 0: none */
	uint8_t client_id[255], client_id_len;       /* option 61, repeated in replies (RFC 6842) */
};

/* Where a frame goes and comes from. */
struct dhcp_ends {
	uint8_t src_mac[MAC_LEN], dst_mac[MAC_LEN], src[4], dst[4];
};

/* False when frame[n] is not a whole and well-formed DHCP message for Ethernet: sums, lengths,
 * magic and message type are checked. */
bool dhcpmsg_read(const uint8_t *frame, size_t n, struct dhcp_message *m);

/* A frame of at most cap bytes; returns its length, 0 when cap is too small. 700 are enough. */
size_t dhcpmsg_write(const struct dhcp_message *m, const struct dhcp_ends *ends, uint8_t *out,
		     size_t cap);

#endif
