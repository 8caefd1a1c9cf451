/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A DHCP server for one laptop (RFC 2131): frames in, frames out, no socket and no clock.
 *
 * It hands out one address, with its network mask, and neither a router nor a name server: the
 * laptop keeps its way to the Internet. Before it serves it listens: it asks for an address itself,
 * as a client would, and stays silent for as long as some other server answers - on this question,
 * or to anybody else. So plugging the LAN port into an office's network by mistake harms nobody.
 *
 *	         link up             nobody answered
 *	  DOWN ----------> LISTENING ----------------> SERVING
 *	   ^                |    ^                        |
 *	   | link down,     |    | all quiet              | another server
 *	   | from each      v    |                        | answers
 *	   `-------------- SILENT <-----------------------'
 *
 * The lease belongs to one MAC until it ends (two minutes, and the client renews it after one), is
 * released, or the cable is pulled: the next laptop then has it.
 */
#ifndef GATEPOST_CONSOLE_DHCPD_H
#define GATEPOST_CONSOLE_DHCPD_H

#include "console/frame.h"
#include "lib/addr.h"

enum dhcpd_state { DHCPD_DOWN, DHCPD_LISTENING, DHCPD_SERVING, DHCPD_SILENT };

struct dhcpd_lease {
	uint8_t mac[MAC_LEN];
	bool given;      /* false: at most offered */
	uint64_t end_ms; /* 0: nobody's */
	uint8_t address[4];
};

struct dhcpd {
	uint8_t server[4], mask[4], mac[MAC_LEN];
	uint32_t xid; /* of our own questions */
	bool enabled;
	enum dhcpd_state state;
	uint64_t ask_ms;    /* when to ask next whether there is another server */
	uint64_t decide_ms; /* when LISTENING or SILENT ends, if nothing is heard */
	uint8_t other[4];   /* the other server heard last */
	struct dhcpd_lease lease;
};

enum {
	DHCPD_LISTEN_MS = 4000, /* some look for two seconds whether an address is free */
	DHCPD_ASK_MS = 1500,
	DHCPD_ASK_AGAIN_MS = 60000,
	DHCPD_SILENT_MS = 90000,
	DHCPD_LEASE_S = 120,
	DHCPD_OFFER_MS = 10000,
};

enum { DHCPD_FRAME_MAX = 700 }; /* bytes of a frame that it makes */

/* address: ours and its network (length 8 to 30); xid: any random number. Not enabled: it stays
 * DOWN and answers nothing. */
void dhcpd_init(struct dhcpd *d, const struct prefix *address, const uint8_t mac[MAC_LEN],
		bool enabled, uint32_t xid);

void dhcpd_link(struct dhcpd *d, bool up, uint64_t now_ms);

/* What frame[n] is answered with, in out; returns its length, 0 for none. frame is Ethernet, with
 * finished checksums; whatever stands in it. */
size_t dhcpd_frame(struct dhcpd *d, uint64_t now_ms, const uint8_t *frame, size_t n,
		   uint8_t out[DHCPD_FRAME_MAX]);

/* What is due by now: state changes, and the frame to send, if any; returns its length. */
size_t dhcpd_tick(struct dhcpd *d, uint64_t now_ms, uint8_t out[DHCPD_FRAME_MAX]);

/* When dhcpd_tick() has something to do; UINT64_MAX: never. */
uint64_t dhcpd_next_ms(const struct dhcpd *d);

const char *dhcpd_state_name(enum dhcpd_state state);

#endif
