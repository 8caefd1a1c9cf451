/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frameflood DEVICE KIND TARGET-MAC TARGET-ADDRESS FRAMES PER-SECOND: frames for the tests of the
 * LAN port, from random sources. Prints how many were sent.
 */
#include "console/dhcpmsg.h"
#include "console/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static uint8_t target_mac[MAC_LEN], target[4];
static uint32_t seed = 1;

static uint32_t next_random(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

static void random_bytes(uint8_t *out, size_t n)
{
	while (n--)
		*out++ = (uint8_t)next_random();
}

static void ethernet(uint8_t *f, const uint8_t *to, unsigned type)
{
	memcpy(f, to, MAC_LEN);
	random_bytes(f + MAC_LEN, MAC_LEN);
	f[MAC_LEN] = 2;
	f[12] = (uint8_t)(type >> 8);
	f[13] = (uint8_t)type;
}

/* A packet of len bytes behind its header, from a random neighbour of the target. */
static size_t ipv4(uint8_t *f, uint8_t protocol, unsigned pieces, size_t len)
{
	uint8_t *ip = f + FRAME_HEADER;

	ethernet(f, target_mac, 0x0800);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[2] = (uint8_t)((20 + len) >> 8);
	ip[3] = (uint8_t)(20 + len);
	random_bytes(ip + 4, 2);
	ip[6] = (uint8_t)(pieces >> 8);
	ip[7] = (uint8_t)pieces;
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, target, 3);
	ip[15] = (uint8_t)(3 + next_random() % 250);
	memcpy(ip + 16, target, 4);
	uint16_t sum = frame_checksum(0, ip, 20);
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	return FRAME_HEADER + 20 + len;
}

static size_t tcp(uint8_t *f, uint8_t flags)
{
	size_t n = ipv4(f, 6, 0, 20);
	uint8_t *t = f + FRAME_HEADER + 20;

	random_bytes(t, 20);
	t[2] = 0;
	t[3] = 22;
	t[12] = 0x50;
	t[13] = flags;
	frame_finish_checksum(f, n);
	return n;
}

static size_t make_syn(uint8_t *f)
{
	return tcp(f, 0x02);
}

static size_t make_ack(uint8_t *f)
{
	return tcp(f, 0x10);
}

static size_t make_arp(uint8_t *f)
{
	static const uint8_t everybody[MAC_LEN] = {255, 255, 255, 255, 255, 255};
	uint8_t *a = f + FRAME_HEADER;

	ethernet(f, everybody, 0x0806);
	memcpy(a, "\0\1\10\0\6\4\0\1", 8);
	memcpy(a + 8, f + MAC_LEN, MAC_LEN);
	memcpy(a + 14, target, 3);
	a[17] = (uint8_t)(3 + next_random() % 250);
	memset(a + 18, 0, MAC_LEN);
	memcpy(a + 24, target, 4);
	return FRAME_HEADER + 28;
}

/* First pieces, later pieces, never whole. */
static size_t make_fragment(uint8_t *f)
{
	size_t n = ipv4(f, 6, 0x2000 | (next_random() % 100), 1024);

	random_bytes(f + FRAME_HEADER + 20, 1024);
	return n;
}

static size_t make_dhcp(uint8_t *f)
{
	static const enum dhcp_type types[] = {DHCP_DISCOVER, DHCP_REQUEST, DHCP_DECLINE,
					       DHCP_INFORM};
	struct dhcp_message m = {.type = types[next_random() % 4], .xid = next_random()};
	struct dhcp_ends ends = {.dst_mac = {255, 255, 255, 255, 255, 255},
				 .dst = {255, 255, 255, 255}};

	random_bytes(m.chaddr, MAC_LEN);
	m.chaddr[0] = 2;
	memcpy(ends.src_mac, m.chaddr, MAC_LEN);
	memcpy(m.requested, target, 4);
	m.requested[3]++;
	if (m.type != DHCP_DISCOVER)
		memcpy(m.server, target, 4);
	return dhcpmsg_write(&m, &ends, f, FRAME_SENT_MAX);
}

static size_t make_ping(uint8_t *f)
{
	size_t n = ipv4(f, 1, 0, 64);
	uint8_t *icmp = f + FRAME_HEADER + 20;

	memset(icmp, 0, 64);
	icmp[0] = 8;
	uint16_t sum = frame_checksum(0, icmp, 64);
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
	return n;
}

static const struct {
	const char *name;
	size_t (*make)(uint8_t *f);
} kinds[] = {
	{"syn", make_syn},           {"ack", make_ack},   {"arp", make_arp},
	{"fragment", make_fragment}, {"dhcp", make_dhcp}, {"ping", make_ping},
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET};
	uint8_t f[FRAME_SENT_MAX];
	unsigned char *m = target_mac;
	size_t kind = 0;

	if (argc != 7)
		return 2;
	while (kind < sizeof(kinds) / sizeof(*kinds) && strcmp(kinds[kind].name, argv[2]) != 0)
		kind++;
	at.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (kind == sizeof(kinds) / sizeof(*kinds) || !at.sll_ifindex ||
	    sscanf(argv[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1], &m[2], &m[3], &m[4],
		   &m[5]) != MAC_LEN ||
	    inet_pton(AF_INET, argv[4], target) != 1)
		return 2;
	unsigned long frames = strtoul(argv[5], NULL, 10), rate = strtoul(argv[6], NULL, 10);
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	uint64_t begin = now_us();
	unsigned long sent = 0;
	for (unsigned long i = 0; i < frames; i++) {
		uint64_t due = begin + i * 1000000 / rate, now = now_us();
		if (due > now + 1000) {
			const struct timespec wait = {0, (long)(due - now) * 1000};
			nanosleep(&wait, NULL);
		}
		size_t n = kinds[kind].make(f);
		sent += sendto(fd, f, n, 0, (struct sockaddr *)&at, sizeof(at)) == (ssize_t)n;
	}
	printf("%lu\n", sent);
	return 0;
}
