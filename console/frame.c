/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/frame.h"

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>

const struct frame_class_traits frame_classes[FRAME_CLASSES] = {
	[FRAME_SESSION] = {"session", 40000, 1 << 20},
	[FRAME_SYN] = {"syn", 5000, 1 << 18},
	[FRAME_NEIGHBOUR] = {"neighbour", 2000, 1 << 18},
	[FRAME_DHCP] = {"dhcp", 50, 1 << 16},
	[FRAME_PING] = {"ping", 200, 1 << 16},
};

/* ---- what is in a class ---- */

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_IPV6 = 0x86dd,
	PORT_SSH = 22,
	PORT_DHCP = 67,
	PORT_DHCP_CLIENT = 68,
	FLAG_SYN = 0x02,
	V4_IN_PIECES = 0x3fff, /* more fragments, or an offset */
	V4_ECHO = 8,
	V6_ECHO = 128,
	V6_SOLICITATION = 135,
	V6_ADVERTISEMENT = 136,
	V6_HEADER = 40,
};

enum load { END, BYTE, WORD, V4_BYTE, V4_WORD, TO_WHOM, TAG };

/* One field that must have one value. V4_: counted from behind the IPv4 header. */
struct condition {
	enum load load;
	uint32_t at, mask, value;
};

enum { CONDITIONS_MAX = 8, PATTERNS_MAX = 3 };

/* clang-format off */
/* IPv6 extension headers have no place here: next header is what matters. */
#define UNICAST        {TO_WHOM, 0, 0xff, PACKET_HOST}
#define OR_BROADCAST   {TO_WHOM, 0, 0xff ^ PACKET_BROADCAST, PACKET_HOST}
#define OR_MULTICAST   {TO_WHOM, 0, 0xff ^ PACKET_MULTICAST, PACKET_HOST}
#define UNTAGGED       {TAG, 0, 0xff, 0}
#define TYPE(t)        {WORD, 12, 0xffff, t}
#define V4(protocol)   UNTAGGED, TYPE(TYPE_IPV4), {BYTE, FRAME_HEADER + 9, 0xff, protocol}, \
		       {WORD, FRAME_HEADER + 6, V4_IN_PIECES, 0}
#define V6(protocol)   UNTAGGED, TYPE(TYPE_IPV6), {BYTE, FRAME_HEADER + 6, 0xff, protocol}
#define V6_UPPER       (FRAME_HEADER + V6_HEADER)

#define V4_TCP(syn)    {UNICAST, V4(IPPROTO_TCP), {V4_WORD, 2, 0xffff, PORT_SSH}, \
			{V4_BYTE, 13, FLAG_SYN, syn}}
#define V6_TCP(syn)    {UNICAST, V6(IPPROTO_TCP), {WORD, V6_UPPER + 2, 0xffff, PORT_SSH}, \
			{BYTE, V6_UPPER + 13, FLAG_SYN, syn}}
#define V4_UDP(port)   {OR_BROADCAST, V4(IPPROTO_UDP), {V4_WORD, 2, 0xffff, port}}
#define V4_ICMP(type)  {UNICAST, V4(IPPROTO_ICMP), {V4_BYTE, 0, 0xff, type}}
#define V6_ICMP(to, t) {to, V6(IPPROTO_ICMPV6), {BYTE, V6_UPPER, 0xff, t}}
/* clang-format on */

/* A frame is in the class when it fits one of its patterns. */
static const struct condition patterns[FRAME_CLASSES][PATTERNS_MAX][CONDITIONS_MAX] = {
	[FRAME_SESSION] = {V4_TCP(0), V6_TCP(0)},
	[FRAME_SYN] = {V4_TCP(FLAG_SYN), V6_TCP(FLAG_SYN)},
	[FRAME_NEIGHBOUR] = {{OR_BROADCAST, UNTAGGED, TYPE(TYPE_ARP)},
			     V6_ICMP(OR_MULTICAST, V6_SOLICITATION),
			     V6_ICMP(OR_MULTICAST, V6_ADVERTISEMENT)},
	[FRAME_DHCP] = {V4_UDP(PORT_DHCP), V4_UDP(PORT_DHCP_CLIENT)},
	[FRAME_PING] = {V4_ICMP(V4_ECHO), V6_ICMP(UNICAST, V6_ECHO)},
};

/* ---- as a filter of the kernel ---- */

static size_t emit_load(const struct condition *c, struct sock_filter *out)
{
	const struct sock_filter header_length = BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, FRAME_HEADER);
	const uint32_t ancillary[] = {[TO_WHOM] = SKF_AD_PKTTYPE, [TAG] = SKF_AD_VLAN_TAG_PRESENT};

	switch (c->load) {
	case BYTE:
		out[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_ABS, c->at);
		return 1;
	case WORD:
		out[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_ABS, c->at);
		return 1;
	case V4_BYTE:
	case V4_WORD:
		out[0] = header_length;
		out[1] = (struct sock_filter)BPF_STMT(
			BPF_LD | (c->load == V4_BYTE ? BPF_B : BPF_H) | BPF_IND,
			FRAME_HEADER + c->at);
		return 2;
	case TO_WHOM:
	case TAG:
		out[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_ABS,
						      (uint32_t)SKF_AD_OFF + ancillary[c->load]);
		return 1;
	case END:
		break;
	}
	abort();
}

/* Takes the frame when it fits, falls through to what follows when not. */
static size_t emit_pattern(const struct condition *c, struct sock_filter *out)
{
	size_t n = 0, tests = 0, test_at[CONDITIONS_MAX];

	for (; c->load != END; c++) {
		n += emit_load(c, out + n);
		out[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, c->mask);
		test_at[tests++] = n;
		out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, c->value, 0, 0);
	}
	out[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, FRAME_MAX);
	for (size_t i = 0; i < tests; i++)
		out[test_at[i]].jf = (uint8_t)(n - test_at[i] - 1);
	return n;
}

uint16_t frame_filter(enum frame_class class, struct sock_filter out[FRAME_FILTER_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < PATTERNS_MAX && patterns[class][i][0].load != END; i++)
		n += emit_pattern(patterns[class][i], out + n);
	out[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	return (uint16_t)n;
}

/* ---- checksums ---- */

uint16_t frame_checksum(uint32_t sum, const uint8_t *bytes, size_t n)
{
	size_t i;

	for (i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	if (i < n)
		sum += (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t words(const uint8_t *bytes, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	return sum;
}

uint32_t frame_pseudo_sum(const uint8_t *src, const uint8_t *dst, uint8_t protocol, size_t n)
{
	return words(src, 4) + words(dst, 4) + protocol + (uint32_t)n;
}

/* Where the checksum stands behind the IP header; 0 for a protocol that has none here. */
static size_t checksum_at(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
		return 6;
	case IPPROTO_ICMPV6:
		return 2;
	default:
		return 0;
	}
}

static void finish(uint8_t *upper, size_t n, uint8_t protocol, uint32_t pseudo)
{
	size_t at = checksum_at(protocol);

	if (!at || n < at + 2)
		return;
	upper[at] = upper[at + 1] = 0;
	uint16_t sum = frame_checksum(pseudo, upper, n);
	if (!sum && protocol == IPPROTO_UDP)
		sum = 0xffff; /* 0 means that there is none (RFC 768) */
	upper[at] = (uint8_t)(sum >> 8);
	upper[at + 1] = (uint8_t)sum;
}

void frame_finish_checksum(uint8_t *frame, size_t n)
{
	if (n < FRAME_HEADER + 20)
		return;
	uint8_t *ip = frame + FRAME_HEADER;
	size_t room = n - FRAME_HEADER, header = V6_HEADER;
	unsigned type = (unsigned)frame[12] << 8 | frame[13];
	if (type == TYPE_IPV4) {
		size_t total = (size_t)ip[2] << 8 | ip[3];
		header = (size_t)(ip[0] & 0x0f) * 4;
		if (header < 20 || total < header || total > room)
			return;
		finish(ip + header, total - header, ip[9],
		       frame_pseudo_sum(ip + 12, ip + 16, ip[9], total - header));
	} else if (type == TYPE_IPV6 && room >= V6_HEADER) {
		size_t length = (size_t)ip[4] << 8 | ip[5];
		if (length > room - V6_HEADER)
			return;
		finish(ip + header, length, ip[6], words(ip + 8, 32) + ip[6] + (uint32_t)length);
	}
}
