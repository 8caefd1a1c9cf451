/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DHCP server: what it says to a laptop, when it says nothing, whose the one address is. */
#include "console/dhcpd.h"
#include "console/dhcpmsg.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static const uint8_t our_mac[MAC_LEN] = {0x52, 0x54, 0, 0x67, 0x70, 3};
static const uint8_t laptop[MAC_LEN] = {2, 0xaa, 0, 0, 0, 1};
static const uint8_t second[MAC_LEN] = {2, 0xaa, 0, 0, 0, 2};
static const uint8_t ours[4] = {192, 168, 77, 1};
static const uint8_t first[4] = {192, 168, 77, 2};
static const uint8_t nobody[4];

static struct dhcpd begin(const char *address, bool enabled)
{
	struct dhcpd d;
	struct prefix p;

	assert_true(prefix_parse(address, &p));
	dhcpd_init(&d, &p, our_mac, enabled, 0x12345678);
	return d;
}

/* A server that has listened and serves; the time is then 10,000. */
static struct dhcpd serving(void)
{
	struct dhcpd d = begin("192.168.77.1/24", true);
	uint8_t out[DHCPD_FRAME_MAX];

	dhcpd_link(&d, true, 1000);
	dhcpd_tick(&d, 10000, out);
	assert_int_equal(d.state, DHCPD_SERVING);
	return d;
}

static struct dhcp_message from(const uint8_t mac[MAC_LEN], enum dhcp_type type)
{
	struct dhcp_message m = {.type = type, .xid = 42};

	memcpy(m.chaddr, mac, MAC_LEN);
	return m;
}

/* The answer to m; type 0 when there is none. ends: NULL, or where it goes. */
static struct dhcp_message tell(struct dhcpd *d, uint64_t now, const struct dhcp_message *m,
				uint8_t *dst_mac)
{
	const struct dhcp_ends ends = {.dst_mac = {255, 255, 255, 255, 255, 255},
				       .dst = {255, 255, 255, 255}};
	uint8_t frame[DHCPD_FRAME_MAX], out[DHCPD_FRAME_MAX];
	struct dhcp_message answer = {0};

	size_t n = dhcpmsg_write(m, &ends, frame, sizeof(frame));
	assert_int_not_equal(n, 0);
	size_t len = dhcpd_frame(d, now, frame, n, out);
	assert_true(len <= sizeof(out));
	if (len) {
		assert_true(dhcpmsg_read(out, len, &answer));
		assert_true(answer.reply);
		assert_int_equal(answer.xid, 42);
		assert_memory_equal(answer.chaddr, m->chaddr, MAC_LEN);
		assert_memory_equal(out + MAC_LEN, our_mac, MAC_LEN);
		if (dst_mac)
			memcpy(dst_mac, out, MAC_LEN);
	}
	return answer;
}

static struct dhcp_message request(const uint8_t mac[MAC_LEN], const uint8_t address[4])
{
	struct dhcp_message m = from(mac, DHCP_REQUEST);

	memcpy(m.server, ours, 4);
	memcpy(m.requested, address, 4);
	return m;
}

static void a_laptop_gets_the_address_a_mask_and_no_more(void **state)
{
	struct dhcpd d = serving();
	struct dhcp_message m = from(laptop, DHCP_DISCOVER), r;
	uint8_t to[MAC_LEN];

	(void)state;
	memcpy(m.client_id, "\1abc", 4);
	m.client_id_len = 4;
	r = tell(&d, 10000, &m, to);
	assert_int_equal(r.type, DHCP_OFFER);
	assert_memory_equal(r.yiaddr, first, 4);
	assert_memory_equal(to, laptop, MAC_LEN);
	m = request(laptop, first);
	r = tell(&d, 10000, &m, NULL);
	assert_int_equal(r.type, DHCP_ACK);
	assert_memory_equal(r.yiaddr, first, 4);
	assert_memory_equal(r.server, ours, 4);
	assert_memory_equal(r.netmask, ((uint8_t[]){255, 255, 255, 0}), 4);
	assert_int_equal(r.lease_s, DHCPD_LEASE_S);
}

/* Every option of the answer, so that no router and no name server is among them. */
static void the_options_are_these(void **state)
{
	struct dhcpd d = serving();
	struct dhcp_message m = from(laptop, DHCP_DISCOVER);
	const struct dhcp_ends ends = {0};
	uint8_t frame[DHCPD_FRAME_MAX], out[DHCPD_FRAME_MAX];
	static const uint8_t wanted[] = {53, 54, 51, 58, 59, 1};
	size_t n = 0, at = 14 + 20 + 8 + 240;

	(void)state;
	size_t len =
		dhcpd_frame(&d, 10000, frame, dhcpmsg_write(&m, &ends, frame, sizeof(frame)), out);
	for (; at < len && out[at] != 255; at += 2 + out[at + 1])
		assert_int_equal(out[at], n < sizeof(wanted) ? wanted[n++] : 0);
	assert_int_equal(n, sizeof(wanted));
}

static void it_listens_before_it_serves(void **state)
{
	struct dhcpd d = begin("192.168.77.1/24", true);
	struct dhcp_message m = from(laptop, DHCP_DISCOVER), probe;
	uint8_t out[DHCPD_FRAME_MAX];

	(void)state;
	assert_true(dhcpd_next_ms(&d) == UINT64_MAX);
	dhcpd_link(&d, true, 1000);
	assert_true(dhcpd_next_ms(&d) == 1000);
	size_t n = dhcpd_tick(&d, 1000, out);
	assert_true(dhcpmsg_read(out, n, &probe));
	assert_false(probe.reply);
	assert_int_equal(probe.type, DHCP_DISCOVER);
	assert_true(probe.broadcast);
	assert_memory_equal(probe.chaddr, our_mac, MAC_LEN);
	assert_int_equal(tell(&d, 1500, &m, NULL).type, 0);
	assert_int_equal(dhcpd_tick(&d, 1000 + DHCPD_ASK_MS - 1, out), 0);
	assert_int_not_equal(dhcpd_tick(&d, 1000 + DHCPD_ASK_MS, out), 0);
	dhcpd_tick(&d, 1000 + DHCPD_LISTEN_MS - 1, out);
	assert_int_equal(d.state, DHCPD_LISTENING);
	dhcpd_tick(&d, 1000 + DHCPD_LISTEN_MS, out);
	assert_int_equal(tell(&d, 4000, &m, NULL).type, DHCP_OFFER);
}

static struct dhcp_message of_another_server(void)
{
	struct dhcp_message m = from(second, DHCP_OFFER);

	m.reply = true;
	memcpy(m.server, (uint8_t[]){10, 0, 0, 1}, 4);
	return m;
}

static void it_is_silent_where_another_server_answers(void **state)
{
	struct dhcpd d = serving();
	struct dhcp_message m = from(laptop, DHCP_DISCOVER), other = of_another_server();
	uint8_t out[DHCPD_FRAME_MAX];

	(void)state;
	assert_int_equal(tell(&d, 20000, &other, NULL).type, 0);
	assert_int_equal(d.state, DHCPD_SILENT);
	assert_int_equal(tell(&d, 20001, &m, NULL).type, 0);
	/* It asks again, and stays silent for as long as it is answered. */
	assert_int_not_equal(dhcpd_tick(&d, 20000 + DHCPD_ASK_AGAIN_MS, out), 0);
	tell(&d, 80001, &other, NULL);
	assert_int_equal(dhcpd_tick(&d, 20000 + DHCPD_SILENT_MS, out), 0);
	assert_int_equal(d.state, DHCPD_SILENT);
	/* All quiet: it listens once more, then serves. */
	dhcpd_tick(&d, 80001 + DHCPD_SILENT_MS, out);
	assert_int_equal(d.state, DHCPD_LISTENING);
	dhcpd_tick(&d, 80001 + DHCPD_SILENT_MS + DHCPD_LISTEN_MS, out);
	assert_int_equal(tell(&d, 200000, &m, NULL).type, DHCP_OFFER);
}

static void an_answer_that_is_heard_while_listening_counts(void **state)
{
	struct dhcpd d = begin("192.168.77.1/24", true);
	struct dhcp_message other = of_another_server();
	uint8_t out[DHCPD_FRAME_MAX];

	(void)state;
	dhcpd_link(&d, true, 1000);
	tell(&d, 1100, &other, NULL);
	dhcpd_tick(&d, 1000 + DHCPD_LISTEN_MS, out);
	assert_int_equal(d.state, DHCPD_SILENT);
}

static void switched_off_it_says_nothing(void **state)
{
	struct dhcpd d = begin("192.168.77.1/24", false);
	struct dhcp_message m = from(laptop, DHCP_DISCOVER);
	uint8_t out[DHCPD_FRAME_MAX];

	(void)state;
	dhcpd_link(&d, true, 1000);
	assert_int_equal(dhcpd_tick(&d, 100000, out), 0);
	assert_int_equal(tell(&d, 100000, &m, NULL).type, 0);
	assert_true(dhcpd_next_ms(&d) == UINT64_MAX);
}

static void the_lease_is_one_laptops_until_it_ends(void **state)
{
	struct dhcpd d = serving();
	struct dhcp_message m = request(laptop, first), n = from(second, DHCP_DISCOVER);
	const uint64_t end = 10000 + 1000 * DHCPD_LEASE_S;

	(void)state;
	assert_int_equal(tell(&d, 10000, &m, NULL).type, DHCP_ACK);
	assert_int_equal(tell(&d, end - 1, &n, NULL).type, 0);
	n = request(second, first);
	assert_int_equal(tell(&d, end - 1, &n, NULL).type, DHCP_NAK);
	/* renewed from the address that it has */
	m = from(laptop, DHCP_REQUEST);
	memcpy(m.ciaddr, first, 4);
	assert_int_equal(tell(&d, end - 1, &m, NULL).type, DHCP_ACK);
	n = from(second, DHCP_DISCOVER);
	assert_int_equal(tell(&d, end + 1000, &n, NULL).type, 0);
	assert_int_equal(tell(&d, 2 * end, &n, NULL).type, DHCP_OFFER);
}

static void a_pulled_cable_and_a_release_free_the_lease(void **state)
{
	struct dhcpd d = serving();
	struct dhcp_message m = request(laptop, first), n = from(second, DHCP_DISCOVER);
	uint8_t out[DHCPD_FRAME_MAX];

	(void)state;
	tell(&d, 10000, &m, NULL);
	dhcpd_link(&d, false, 11000);
	assert_int_equal(tell(&d, 11000, &n, NULL).type, 0);
	dhcpd_link(&d, true, 12000);
	dhcpd_tick(&d, 20000, out);
	assert_int_equal(tell(&d, 20000, &n, NULL).type, DHCP_OFFER);

	n = request(second, first);
	assert_int_equal(tell(&d, 20000, &n, NULL).type, DHCP_ACK);
	n = from(second, DHCP_RELEASE);
	memcpy(n.ciaddr, first, 4);
	memcpy(n.server, ours, 4);
	/* but only by whom it belongs to */
	struct dhcp_message thief = n;
	memcpy(thief.chaddr, laptop, MAC_LEN);
	tell(&d, 20001, &thief, NULL);
	m = from(laptop, DHCP_DISCOVER);
	assert_int_equal(tell(&d, 20001, &m, NULL).type, 0);
	tell(&d, 20002, &n, NULL);
	assert_int_equal(tell(&d, 20003, &m, NULL).type, DHCP_OFFER);
}

static void an_offer_nobody_takes_is_free_again(void **state)
{
	struct dhcpd d = serving();
	struct dhcp_message m = from(laptop, DHCP_DISCOVER), n = from(second, DHCP_DISCOVER);

	(void)state;
	tell(&d, 10000, &m, NULL);
	assert_int_equal(tell(&d, 10001, &n, NULL).type, 0);
	assert_int_equal(tell(&d, 10000 + DHCPD_OFFER_MS, &n, NULL).type, DHCP_OFFER);
	/* taken from another server: at once */
	n = request(second, first);
	memcpy(n.server, (uint8_t[]){10, 0, 0, 1}, 4);
	assert_int_equal(tell(&d, 20001, &n, NULL).type, 0);
	assert_int_equal(tell(&d, 20002, &m, NULL).type, DHCP_OFFER);
}

static void an_offer_to_its_holder_does_not_shorten_a_lease(void **state)
{
	struct dhcpd d = serving();
	struct dhcp_message m = request(laptop, first), n = from(second, DHCP_DISCOVER);

	(void)state;
	tell(&d, 10000, &m, NULL);
	m = from(laptop, DHCP_DISCOVER);
	assert_int_equal(tell(&d, 10001, &m, NULL).type, DHCP_OFFER);
	assert_int_equal(tell(&d, 10001 + DHCPD_OFFER_MS, &n, NULL).type, 0);
}

static void a_wrong_address_is_refused_aloud(void **state)
{
	struct dhcpd d = serving();
	struct dhcp_message m = from(laptop, DHCP_REQUEST);
	uint8_t to[MAC_LEN];

	(void)state;
	memcpy(m.requested, (uint8_t[]){10, 0, 0, 5}, 4);
	struct dhcp_message r = tell(&d, 10000, &m, to);
	assert_int_equal(r.type, DHCP_NAK);
	assert_memory_equal(r.yiaddr, nobody, 4);
	assert_int_equal(r.lease_s, 0);
	assert_memory_equal(to, ((uint8_t[]){255, 255, 255, 255, 255, 255}), MAC_LEN);
}

static void a_declined_address_is_not_given_again(void **state)
{
	struct dhcpd d = serving();
	struct dhcp_message m = request(laptop, first);
	uint8_t out[DHCPD_FRAME_MAX];

	(void)state;
	tell(&d, 10000, &m, NULL);
	m.type = DHCP_DECLINE;
	assert_int_equal(tell(&d, 10001, &m, NULL).type, 0);
	m = from(laptop, DHCP_DISCOVER);
	struct dhcp_message r = tell(&d, 10002, &m, NULL);
	assert_int_equal(r.type, DHCP_OFFER);
	assert_memory_equal(r.yiaddr, ((uint8_t[]){192, 168, 77, 3}), 4);

	/* In the smallest network there is but one, and it is never ours. */
	d = begin("10.0.0.254/30", true);
	dhcpd_link(&d, true, 0);
	dhcpd_tick(&d, DHCPD_LISTEN_MS, out);
	for (int i = 0; i < 3; i++) {
		r = tell(&d, 10000, &m, NULL);
		assert_memory_equal(r.yiaddr, ((uint8_t[]){10, 0, 0, 253}), 4);
		struct dhcp_message no = from(laptop, DHCP_DECLINE);
		memcpy(no.server, d.server, 4);
		memcpy(no.requested, r.yiaddr, 4);
		tell(&d, 10000, &no, NULL);
	}
}

static void who_has_an_address_gets_the_rest_when_it_asks(void **state)
{
	struct dhcpd d = serving();
	struct dhcp_message m = from(laptop, DHCP_INFORM);

	(void)state;
	memcpy(m.ciaddr, (uint8_t[]){192, 168, 77, 9}, 4);
	struct dhcp_message r = tell(&d, 10000, &m, NULL);
	assert_int_equal(r.type, DHCP_ACK);
	assert_memory_equal(r.yiaddr, nobody, 4);
	assert_int_equal(r.lease_s, 0);
}

static void relay_agents_and_our_own_question_are_not_answered(void **state)
{
	struct dhcpd d = serving();
	struct dhcp_message m = from(laptop, DHCP_DISCOVER);

	(void)state;
	memcpy(m.giaddr, (uint8_t[]){10, 0, 0, 1}, 4);
	assert_int_equal(tell(&d, 10000, &m, NULL).type, 0);
	m = from(our_mac, DHCP_DISCOVER);
	assert_int_equal(tell(&d, 10000, &m, NULL).type, 0);
}

/* Cut off anywhere, or with any one byte changed behind the MAC addresses. */
static void damaged_frames_are_not_read(void **state)
{
	struct dhcp_message m = request(laptop, first), got;
	const struct dhcp_ends ends = {.dst = {255, 255, 255, 255}};
	uint8_t frame[DHCPD_FRAME_MAX];
	size_t n = dhcpmsg_write(&m, &ends, frame, sizeof(frame));

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_false(dhcpmsg_read(frame, i, &got));
	for (size_t i = 12; i < n; i++) {
		frame[i] ^= 0x55;
		assert_false(dhcpmsg_read(frame, n, &got));
		frame[i] ^= 0x55;
	}
	assert_true(dhcpmsg_read(frame, n, &got));
	assert_int_equal(dhcpmsg_write(&m, &ends, frame, 200), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_laptop_gets_the_address_a_mask_and_no_more),
		cmocka_unit_test(the_options_are_these),
		cmocka_unit_test(it_listens_before_it_serves),
		cmocka_unit_test(it_is_silent_where_another_server_answers),
		cmocka_unit_test(an_answer_that_is_heard_while_listening_counts),
		cmocka_unit_test(switched_off_it_says_nothing),
		cmocka_unit_test(the_lease_is_one_laptops_until_it_ends),
		cmocka_unit_test(a_pulled_cable_and_a_release_free_the_lease),
		cmocka_unit_test(an_offer_nobody_takes_is_free_again),
		cmocka_unit_test(an_offer_to_its_holder_does_not_shorten_a_lease),
		cmocka_unit_test(a_wrong_address_is_refused_aloud),
		cmocka_unit_test(a_declined_address_is_not_given_again),
		cmocka_unit_test(who_has_an_address_gets_the_rest_when_it_asks),
		cmocka_unit_test(relay_agents_and_our_own_question_are_not_answered),
		cmocka_unit_test(damaged_frames_are_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
