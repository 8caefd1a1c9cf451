/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/dhcpd.h"

#include "console/dhcpmsg.h"

#include <string.h>

#define NEVER UINT64_MAX

static const uint8_t everybody_mac[MAC_LEN] = {255, 255, 255, 255, 255, 255};
static const uint8_t everybody[4] = {255, 255, 255, 255};
static const uint8_t nobody[4] = {0};

static bool same(const uint8_t a[4], const uint8_t b[4])
{
	return memcmp(a, b, 4) == 0;
}

/* ---- the one address ---- */

static uint32_t number(const uint8_t a[4])
{
	return (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 | (uint32_t)a[2] << 8 | a[3];
}

static void set_number(uint8_t a[4], uint32_t v)
{
	for (int i = 0; i < 4; i++)
		a[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* The host address behind `after` that is not ours; round and round in the network. */
static void next_address(const struct dhcpd *d, const uint8_t after[4], uint8_t out[4])
{
	uint32_t mask = number(d->mask), network = number(d->server) & mask;
	uint32_t host = number(after) & ~mask;

	do
		host = host + 1 >= ~mask ? 1 : host + 1;
	while ((network | host) == number(d->server));
	set_number(out, network | host);
}

static bool lease_is_of(const struct dhcpd *d, const uint8_t mac[MAC_LEN], uint64_t now_ms)
{
	return d->lease.end_ms > now_ms && memcmp(d->lease.mac, mac, MAC_LEN) == 0;
}

/* Whether this client may have the address now. */
static bool lease_is_open_to(const struct dhcpd *d, const uint8_t mac[MAC_LEN], uint64_t now_ms)
{
	return d->lease.end_ms <= now_ms || lease_is_of(d, mac, now_ms);
}

static void lease_take(struct dhcpd *d, const uint8_t mac[MAC_LEN], bool given, uint64_t end_ms)
{
	/* An offer to who has it already takes nothing away. */
	if (!given && d->lease.given && memcmp(d->lease.mac, mac, MAC_LEN) == 0 &&
	    d->lease.end_ms > end_ms)
		return;
	memcpy(d->lease.mac, mac, MAC_LEN);
	d->lease.given = given;
	d->lease.end_ms = end_ms;
}

static void lease_free(struct dhcpd *d)
{
	d->lease.end_ms = 0;
	d->lease.given = false;
}

/* ---- states ---- */

const char *dhcpd_state_name(enum dhcpd_state state)
{
	static const char *const names[] = {"down", "listening", "serving", "silent"};

	return names[state];
}

void dhcpd_init(struct dhcpd *d, const struct prefix *address, const uint8_t mac[MAC_LEN],
		bool enabled, uint32_t xid)
{
	*d = (struct dhcpd){.enabled = enabled, .xid = xid, .ask_ms = NEVER, .decide_ms = NEVER};
	memcpy(d->server, address->addr.bytes, 4);
	memcpy(d->mac, mac, MAC_LEN);
	set_number(d->mask, (uint32_t)(UINT64_C(0xffffffff) << (32 - address->len)));
	next_address(d, d->server, d->lease.address);
}

void dhcpd_link(struct dhcpd *d, bool up, uint64_t now_ms)
{
	if (!d->enabled || up == (d->state != DHCPD_DOWN))
		return;
	lease_free(d);
	d->state = up ? DHCPD_LISTENING : DHCPD_DOWN;
	d->ask_ms = up ? now_ms : NEVER;
	d->decide_ms = up ? now_ms + DHCPD_LISTEN_MS : NEVER;
}

static void heard_other(struct dhcpd *d, const uint8_t who[4], uint64_t now_ms)
{
	if (d->state != DHCPD_SILENT)
		d->ask_ms = now_ms + DHCPD_ASK_AGAIN_MS;
	memcpy(d->other, who, 4);
	d->state = DHCPD_SILENT;
	d->decide_ms = now_ms + DHCPD_SILENT_MS;
	lease_free(d);
}

uint64_t dhcpd_next_ms(const struct dhcpd *d)
{
	return d->ask_ms < d->decide_ms ? d->ask_ms : d->decide_ms;
}

/* The question of a client that has no address; other servers answer it as a broadcast. */
static size_t ask(struct dhcpd *d, uint8_t out[DHCPD_FRAME_MAX])
{
	struct dhcp_message m = {.type = DHCP_DISCOVER, .xid = d->xid, .broadcast = true};
	struct dhcp_ends ends = {0};

	memcpy(m.chaddr, d->mac, MAC_LEN);
	memcpy(ends.src_mac, d->mac, MAC_LEN);
	memcpy(ends.dst_mac, everybody_mac, MAC_LEN);
	memcpy(ends.dst, everybody, 4);
	return dhcpmsg_write(&m, &ends, out, DHCPD_FRAME_MAX);
}

size_t dhcpd_tick(struct dhcpd *d, uint64_t now_ms, uint8_t out[DHCPD_FRAME_MAX])
{
	if (now_ms >= d->decide_ms) {
		/* Silence is left the way that one comes in: by listening first. */
		bool heard = d->state == DHCPD_SILENT;
		d->state = heard ? DHCPD_LISTENING : DHCPD_SERVING;
		d->decide_ms = heard ? now_ms + DHCPD_LISTEN_MS : NEVER;
		d->ask_ms = heard ? now_ms : now_ms + DHCPD_ASK_AGAIN_MS;
	}
	if (now_ms < d->ask_ms)
		return 0;
	d->ask_ms = now_ms + (d->state == DHCPD_LISTENING ? DHCPD_ASK_MS : DHCPD_ASK_AGAIN_MS);
	return ask(d, out);
}

/* ---- answers ---- */

struct exchange {
	struct dhcpd *d;
	uint64_t now_ms;
	const struct dhcp_message *m;
	uint8_t *out;
};

/* To where RFC 2131 §4.1 says. */
static size_t answer(const struct exchange *x, enum dhcp_type type)
{
	struct dhcpd *d = x->d;
	struct dhcp_message r = {
		.reply = true, .type = type, .xid = x->m->xid, .broadcast = x->m->broadcast};
	struct dhcp_ends ends = {0};

	memcpy(r.chaddr, x->m->chaddr, MAC_LEN);
	memcpy(r.server, d->server, 4);
	memcpy(r.client_id, x->m->client_id, x->m->client_id_len);
	r.client_id_len = x->m->client_id_len;
	if (type != DHCP_NAK) {
		memcpy(r.netmask, d->mask, 4);
		memcpy(r.ciaddr, x->m->ciaddr, 4);
		if (x->m->type != DHCP_INFORM) {
			memcpy(r.yiaddr, d->lease.address, 4);
			r.lease_s = DHCPD_LEASE_S;
		}
	}
	memcpy(ends.src_mac, d->mac, MAC_LEN);
	memcpy(ends.src, d->server, 4);
	memcpy(ends.dst_mac, everybody_mac, MAC_LEN);
	memcpy(ends.dst, everybody, 4);
	bool has_address = !same(x->m->ciaddr, nobody);
	if (type != DHCP_NAK && (has_address || !x->m->broadcast)) {
		memcpy(ends.dst_mac, x->m->chaddr, MAC_LEN);
		memcpy(ends.dst, has_address ? x->m->ciaddr : r.yiaddr, 4);
	}
	return dhcpmsg_write(&r, &ends, x->out, DHCPD_FRAME_MAX);
}

static size_t on_discover(const struct exchange *x)
{
	if (!lease_is_open_to(x->d, x->m->chaddr, x->now_ms))
		return 0;
	lease_take(x->d, x->m->chaddr, false, x->now_ms + DHCPD_OFFER_MS);
	return answer(x, DHCP_OFFER);
}

static size_t on_request(const struct exchange *x)
{
	struct dhcpd *d = x->d;
	const struct dhcp_message *m = x->m;
	const uint8_t *wanted = same(m->requested, nobody) ? m->ciaddr : m->requested;

	if (!same(m->server, nobody) && !same(m->server, d->server)) {
		/* It chose another server: what we offered is free again. */
		if (!d->lease.given && lease_is_of(d, m->chaddr, x->now_ms))
			lease_free(d);
		return 0;
	}
	if (!same(wanted, d->lease.address) || !lease_is_open_to(d, m->chaddr, x->now_ms))
		return answer(x, DHCP_NAK);
	lease_take(d, m->chaddr, true, x->now_ms + UINT64_C(1000) * DHCPD_LEASE_S);
	return answer(x, DHCP_ACK);
}

/* Somebody else uses the address: the next one, from now on. */
static size_t on_decline(const struct exchange *x)
{
	struct dhcpd *d = x->d;

	if (same(x->m->server, d->server) && same(x->m->requested, d->lease.address) &&
	    lease_is_of(d, x->m->chaddr, x->now_ms)) {
		lease_free(d);
		next_address(d, d->lease.address, d->lease.address);
	}
	return 0;
}

static size_t on_release(const struct exchange *x)
{
	if (same(x->m->server, x->d->server) && same(x->m->ciaddr, x->d->lease.address) &&
	    lease_is_of(x->d, x->m->chaddr, x->now_ms))
		lease_free(x->d);
	return 0;
}

static size_t on_inform(const struct exchange *x)
{
	return same(x->m->ciaddr, nobody) ? 0 : answer(x, DHCP_ACK);
}

size_t dhcpd_frame(struct dhcpd *d, uint64_t now_ms, const uint8_t *frame, size_t n,
		   uint8_t out[DHCPD_FRAME_MAX])
{
	static size_t (*const on[])(const struct exchange *) = {
		[DHCP_DISCOVER] = on_discover, [DHCP_REQUEST] = on_request,
		[DHCP_DECLINE] = on_decline,   [DHCP_RELEASE] = on_release,
		[DHCP_INFORM] = on_inform,
	};
	struct dhcp_message m;
	const struct exchange x = {d, now_ms, &m, out};

	if (d->state == DHCPD_DOWN || !dhcpmsg_read(frame, n, &m))
		return 0;
	if (m.reply) {
		if (!same(m.server, d->server))
			heard_other(d, m.server, now_ms);
		return 0;
	}
	/* No relay agents here: this server is for the other end of one cable. */
	if (d->state != DHCPD_SERVING || !same(m.giaddr, nobody) ||
	    memcmp(m.chaddr, d->mac, MAC_LEN) == 0 || m.type >= sizeof(on) / sizeof(*on) ||
	    !on[m.type])
		return 0;
	return on[m.type](&x);
}
