/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/peers.h"

#include <lwip/priv/tcp_priv.h>
#include <netinet/in.h>
#include <string.h>

enum {
	V4_HEADER = 20,
	V6_HEADER = 40,
	/* More than lwIP has connections at any time (ssh.c), so there is always a free one. */
	KEPT_MAX = 64,
};

/* Who: an address, its family told by its length, and the TCP port of a connection. */
struct peer {
	size_t len; /* 4 or 16; 0: nobody */
	uint8_t address[16];
	uint16_t port;
};

static struct kept {
	struct peer peer;
	uint8_t mac[MAC_LEN];
} kept[KEPT_MAX];

static struct peer asking;
static uint8_t asking_mac[MAC_LEN];

static bool same_address(const struct peer *a, const struct peer *b)
{
	return a->len && a->len == b->len && !memcmp(a->address, b->address, a->len);
}

static struct peer make_peer(const uint8_t *address, size_t len)
{
	struct peer p = {.len = len};

	memcpy(p.address, address, len);
	return p;
}

/* ---- the frame that is worked on ---- */

void peers_arrived(const uint8_t *frame, size_t n)
{
	unsigned type = n >= FRAME_HEADER ? (unsigned)frame[12] << 8 | frame[13] : 0;
	const uint8_t *ip = frame + FRAME_HEADER;

	asking.len = 0;
	if (type == 0x0800 && n >= FRAME_HEADER + V4_HEADER)
		asking = make_peer(ip + 12, 4);
	else if (type == 0x86dd && n >= FRAME_HEADER + V6_HEADER)
		asking = make_peer(ip + 8, 16);
	if (asking.len)
		memcpy(asking_mac, frame + MAC_LEN, MAC_LEN);
}

void peers_done(void)
{
	asking.len = 0;
}

/* ---- connections ---- */

static struct peer client_of(const struct tcp_pcb *pcb)
{
	struct peer p = IP_IS_V6(&pcb->remote_ip)
				? make_peer((const uint8_t *)ip_2_ip6(&pcb->remote_ip)->addr, 16)
				: make_peer((const uint8_t *)&ip_2_ip4(&pcb->remote_ip)->addr, 4);

	p.port = pcb->remote_port;
	return p;
}

static bool same_client(const struct peer *a, const struct peer *b)
{
	return same_address(a, b) && a->port == b->port;
}

static bool has_connection(const struct peer *p)
{
	for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
		const struct peer client = client_of(pcb);
		if (same_client(p, &client))
			return true;
	}
	return false;
}

void peers_keep(const struct tcp_pcb *pcb)
{
	const struct peer client = client_of(pcb);
	struct kept *place = NULL;

	if (!same_address(&client, &asking))
		return;
	for (size_t i = 0; i < KEPT_MAX; i++) {
		if (same_client(&kept[i].peer, &client)) {
			place = &kept[i];
			break;
		}
		if (!place && !has_connection(&kept[i].peer))
			place = &kept[i];
	}
	if (!place)
		return;
	place->peer = client;
	memcpy(place->mac, asking_mac, MAC_LEN);
}

/* ---- what is sent ---- */

/* Who the packet is for, with the port where it is TCP. */
static struct peer addressee(const uint8_t *ip, size_t n)
{
	struct peer p = {0};
	size_t header = 0, protocol = 0;

	if (n >= V4_HEADER && ip[0] >> 4 == 4) {
		p = make_peer(ip + 16, 4);
		header = (size_t)(ip[0] & 0x0f) * 4;
		protocol = ip[9];
	} else if (n >= V6_HEADER && ip[0] >> 4 == 6) {
		p = make_peer(ip + 24, 16);
		header = V6_HEADER;
		protocol = ip[6];
	}
	if (p.len && protocol == IPPROTO_TCP && n >= header + 4)
		p.port = (uint16_t)(ip[header + 2] << 8 | ip[header + 3]);
	return p;
}

static const uint8_t *multicast_mac(const struct peer *p)
{
	static uint8_t mac[MAC_LEN] = {0x33, 0x33};

	memcpy(mac + 2, p->address + 12, 4);
	return mac;
}

const uint8_t *peers_mac(const uint8_t *packet, size_t n)
{
	const struct peer to = addressee(packet, n);

	if (to.len == 16 && to.address[0] == 0xff)
		return multicast_mac(&to);
	for (size_t i = 0; to.port && i < KEPT_MAX; i++)
		if (same_client(&kept[i].peer, &to))
			return kept[i].mac;
	return same_address(&asking, &to) ? asking_mac : NULL;
}
