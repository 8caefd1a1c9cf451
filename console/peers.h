/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where answers go: to the MAC address that the question came from.
 *
 * The console only ever answers, so it need not ask for anybody's address: what is sent while a
 * frame is worked on goes back to its sender, and what is sent later belongs to a connection, whose
 * client's MAC was kept when it was made. lwIP's ARP and neighbour tables, ten entries each that
 * any flood of strangers turns over, are not looked at.
 *
 * A packet that is neither - the repeated answer to half a handshake, say - is not sent: the client
 * will ask again.
 */
#ifndef GATEPOST_CONSOLE_PEERS_H
#define GATEPOST_CONSOLE_PEERS_H

#include "console/frame.h"

#include <lwip/tcp.h>

/* frame[n] is worked on from now on, until peers_done(). */
void peers_arrived(const uint8_t *frame, size_t n);
void peers_done(void);

/* The connection was made by the frame that is worked on: its answers go there for as long as it
 * lives. */
void peers_keep(const struct tcp_pcb *pcb);

/* The MAC address for an IPv4 or IPv6 packet, as packet[n] begins (60 bytes are enough); NULL: none
 * is known. Multicast has its own (RFC 2464 §7). The result is good until the next call. */
const uint8_t *peers_mac(const uint8_t *packet, size_t n);

#endif
