/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/dhcpmsg.h"

#include <netinet/in.h>
#include <string.h>

enum {
	IP = FRAME_HEADER,
	IP_HEADER = 20,
	UDP_HEADER = 8,
	BOOTP = 236,       /* without options */
	BOOTP_LEAST = 300, /* shorter ones some clients do not take (RFC 951) */
	PORT_SERVER = 67,
	PORT_CLIENT = 68,
	BOOT_REQUEST = 1,
	BOOT_REPLY = 2,
	ETHERNET = 1,
	FLAG_BROADCAST = 0x8000,
	TTL = 64,
};

enum option {
	OPTION_PAD = 0,
	OPTION_NETMASK = 1,
	OPTION_REQUESTED = 50,
	OPTION_LEASE = 51,
	OPTION_TYPE = 53,
	OPTION_SERVER = 54,
	OPTION_RENEWAL = 58,
	OPTION_REBINDING = 59,
	OPTION_CLIENT_ID = 61,
	OPTION_END = 255,
};

static const uint8_t magic[4] = {99, 130, 83, 99};

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* ---- reading ---- */

/* The UDP payload of the frame, with its checks; NULL when something is wrong with it. */
static const uint8_t *payload_of(const uint8_t *frame, size_t n, size_t *len)
{
	if (n < IP + IP_HEADER + UDP_HEADER || get16(frame + 12) != 0x0800)
		return NULL;
	const uint8_t *ip = frame + IP;
	size_t header = (size_t)(ip[0] & 0x0f) * 4, total = get16(ip + 2);
	if (ip[0] >> 4 != 4 || header < IP_HEADER || total < header + UDP_HEADER ||
	    total > n - IP || ip[9] != IPPROTO_UDP || frame_checksum(0, ip, header) != 0)
		return NULL;
	const uint8_t *udp = ip + header;
	size_t udp_len = get16(udp + 4);
	if (udp_len < UDP_HEADER || udp_len > total - header)
		return NULL;
	if (get16(udp + 6) != 0 &&
	    frame_checksum(frame_pseudo_sum(ip + 12, ip + 16, IPPROTO_UDP, udp_len), udp,
			   udp_len) != 0)
		return NULL;
	*len = udp_len - UDP_HEADER;
	return udp + UDP_HEADER;
}

/* False when the option's value has a wrong length. */
static bool read_option(struct dhcp_message *m, uint8_t code, const uint8_t *value, size_t len)
{
	switch (code) {
	case OPTION_TYPE:
		m->type = value[0];
		return len == 1 && value[0] >= DHCP_DISCOVER && value[0] <= DHCP_INFORM;
	case OPTION_REQUESTED:
		memcpy(m->requested, value, len < 4 ? len : 4);
		return len == 4;
	case OPTION_SERVER:
		memcpy(m->server, value, len < 4 ? len : 4);
		return len == 4;
	case OPTION_NETMASK:
		memcpy(m->netmask, value, len < 4 ? len : 4);
		return len == 4;
	case OPTION_LEASE:
		m->lease_s = len == 4 ? get32(value) : 0;
		return len == 4;
	case OPTION_CLIENT_ID:
		memcpy(m->client_id, value, len);
		m->client_id_len = (uint8_t)len;
		return true;
	default:
		return true;
	}
}

static bool read_options(struct dhcp_message *m, const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at != OPTION_END) {
		if (*at == OPTION_PAD) {
			at++;
			continue;
		}
		if (end - at < 2 || end - at - 2 < at[1] || at[1] == 0)
			return false;
		if (!read_option(m, at[0], at + 2, at[1]))
			return false;
		at += 2 + at[1];
	}
	return m->type != 0;
}

bool dhcpmsg_read(const uint8_t *frame, size_t n, struct dhcp_message *m)
{
	size_t len = 0;
	const uint8_t *p = payload_of(frame, n, &len);

	memset(m, 0, sizeof(*m));
	if (!p || len < BOOTP + sizeof(magic) || memcmp(p + BOOTP, magic, sizeof(magic)) != 0 ||
	    (p[0] != BOOT_REQUEST && p[0] != BOOT_REPLY) || p[1] != ETHERNET || p[2] != MAC_LEN)
		return false;
	m->reply = p[0] == BOOT_REPLY;
	m->xid = get32(p + 4);
	m->broadcast = get16(p + 10) & FLAG_BROADCAST;
	memcpy(m->ciaddr, p + 12, 4);
	memcpy(m->yiaddr, p + 16, 4);
	memcpy(m->giaddr, p + 24, 4);
	memcpy(m->chaddr, p + 28, MAC_LEN);
	if (m->chaddr[0] & 1)
		return false;
	return read_options(m, p + BOOTP + sizeof(magic), p + len);
}

/* ---- writing ---- */

static uint8_t *put_option(uint8_t *at, enum option code, const void *value, size_t len)
{
	*at++ = (uint8_t)code;
	*at++ = (uint8_t)len;
	memcpy(at, value, len);
	return at + len;
}

static uint8_t *put_option32(uint8_t *at, enum option code, uint32_t value)
{
	uint8_t bytes[4];

	put32(bytes, value);
	return put_option(at, code, bytes, sizeof(bytes));
}

static bool is_set(const uint8_t address[4])
{
	return get32(address) != 0;
}

static uint8_t *put_options(const struct dhcp_message *m, uint8_t *at)
{
	const uint8_t type = (uint8_t)m->type;

	memcpy(at, magic, sizeof(magic));
	at = put_option(at + sizeof(magic), OPTION_TYPE, &type, 1);
	if (is_set(m->server))
		at = put_option(at, OPTION_SERVER, m->server, 4);
	if (is_set(m->requested))
		at = put_option(at, OPTION_REQUESTED, m->requested, 4);
	if (m->lease_s) {
		at = put_option32(at, OPTION_LEASE, m->lease_s);
		at = put_option32(at, OPTION_RENEWAL, m->lease_s / 2);
		at = put_option32(at, OPTION_REBINDING, m->lease_s / 8 * 7);
	}
	if (is_set(m->netmask))
		at = put_option(at, OPTION_NETMASK, m->netmask, 4);
	if (m->client_id_len)
		at = put_option(at, OPTION_CLIENT_ID, m->client_id, m->client_id_len);
	*at++ = OPTION_END;
	return at;
}

static void put_headers(const struct dhcp_ends *ends, bool reply, uint8_t *out, size_t payload)
{
	uint8_t *ip = out + IP, *udp = ip + IP_HEADER;
	size_t udp_len = UDP_HEADER + payload;

	memcpy(out, ends->dst_mac, MAC_LEN);
	memcpy(out + MAC_LEN, ends->src_mac, MAC_LEN);
	put16(out + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, (unsigned)(IP_HEADER + udp_len));
	ip[8] = TTL;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, ends->src, 4);
	memcpy(ip + 16, ends->dst, 4);
	put16(ip + 10, frame_checksum(0, ip, IP_HEADER));
	put16(udp, reply ? PORT_SERVER : PORT_CLIENT);
	put16(udp + 2, reply ? PORT_CLIENT : PORT_SERVER);
	put16(udp + 4, (unsigned)udp_len);
	frame_finish_checksum(out, IP + IP_HEADER + udp_len);
}

size_t dhcpmsg_write(const struct dhcp_message *m, const struct dhcp_ends *ends, uint8_t *out,
		     size_t cap)
{
	enum { HEADERS = IP + IP_HEADER + UDP_HEADER, OPTIONS_MOST = 4 + 3 + 6 * 6 + 257 + 1 };
	uint8_t *p = out + HEADERS;

	if (cap < HEADERS + BOOTP + OPTIONS_MOST)
		return 0;
	memset(out, 0, cap);
	p[0] = m->reply ? BOOT_REPLY : BOOT_REQUEST;
	p[1] = ETHERNET;
	p[2] = MAC_LEN;
	put32(p + 4, m->xid);
	put16(p + 10, m->broadcast ? FLAG_BROADCAST : 0);
	memcpy(p + 12, m->ciaddr, 4);
	memcpy(p + 16, m->yiaddr, 4);
	memcpy(p + 24, m->giaddr, 4);
	memcpy(p + 28, m->chaddr, MAC_LEN);
	size_t len = (size_t)(put_options(m, p + BOOTP) - p);
	if (len < BOOTP_LEAST)
		len = BOOTP_LEAST;
	put_headers(ends, m->reply, out, len);
	return HEADERS + len;
}
