/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which frames are in which class - asked of the kernel itself, which runs the same filters on a
 * pair of Unix sockets - and checksums that a peer left open.
 */
#include "console/frame.h"
#include "lib/buf.h"
#include "tests/unit/cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes of the frame to be: hex digits, spaces between them. */
static size_t frame_of(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (unsigned byte; *hex; hex += 2) {
		hex += strspn(hex, " ");
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
	}
	return n;
}

/* The classes whose filter takes the frame, as a set of bits. */
static unsigned classes_of(const uint8_t *frame, size_t n)
{
	unsigned set = 0;

	for (int c = 0; c < FRAME_CLASSES; c++) {
		struct sock_filter filter[FRAME_FILTER_MAX];
		struct sock_fprog program = {.filter = filter,
					     .len = frame_filter((enum frame_class)c, filter)};
		uint8_t got[2048];
		int pair[2];
		assert_in_range(program.len, 2, FRAME_FILTER_MAX);
		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
		assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &program,
					    sizeof(program)),
				 0);
		/* What a filter drops is refused with EPERM on a Unix socket. */
		if (send(pair[0], frame, n, 0) < 0)
			assert_int_equal(errno, EPERM);
		if (recv(pair[1], got, sizeof(got), 0) == (ssize_t)n)
			set |= 1u << c;
		close(pair[0]);
		close(pair[1]);
	}
	return set;
}

static void expect(const char *hex, unsigned set)
{
	uint8_t frame[2048];
	size_t n = frame_of(hex, frame);
	unsigned got = classes_of(frame, n);

	if (got != set)
		fail_msg("classes %#x instead of %#x for %s", got, set, hex);
}

#define ETHER "525400677003 02aabbccdd01 "
#define V4(len, flags, proto) \
	ETHER "0800 4500" len "0001" flags "40" proto "0000 c0a84d02 c0a84d01 "
#define V6(len, next)                                                         \
	ETHER "86dd 60000000" len next "40 fe800000000000000000000000000002 " \
	      "fe800000000000000000000000000001 "
#define TCP(port, flags) "c000" port "00000001 00000000 50" flags "ffff 0000 0000"
#define UDP(port)        "0044" port "0008 0000"

enum {
	SESSION = 1u << FRAME_SESSION,
	SYN = 1u << FRAME_SYN,
	NEIGHBOUR = 1u << FRAME_NEIGHBOUR,
	DHCP = 1u << FRAME_DHCP,
	PING = 1u << FRAME_PING
};

static void tcp_is_divided_by_its_syn(void **state)
{
	(void)state;
	expect(V4("0028", "4000", "06") TCP("0016", "02"), SYN);
	expect(V4("0028", "4000", "06") TCP("0016", "12"), SYN);
	expect(V4("0028", "4000", "06") TCP("0016", "10"), SESSION);
	expect(V4("0028", "4000", "06") TCP("0016", "04"), SESSION);
	expect(V6("0014", "06") TCP("0016", "02"), SYN);
	expect(V6("0014", "06") TCP("0016", "18"), SESSION);
	/* options in the IPv4 header */
	expect(ETHER
	       "0800 4600002c 00010000 40060000 c0a84d02 c0a84d01 94040000 " TCP("0016", "02"),
	       SYN);
}

static void the_rest_of_the_world_is_in_no_class(void **state)
{
	(void)state;
	expect(V4("0028", "0000", "06") TCP("0017", "02"), 0); /* another port */
	expect(V4("0028", "0000", "06") TCP("1600", "02"), 0);
	expect(V4("0028", "2000", "06") TCP("0016", "02"), 0); /* the first of the pieces */
	expect(V4("0028", "0001", "06") TCP("0016", "02"), 0); /* one behind it */
	expect(V4("001c", "0000", "11") UDP("0035"), 0);
	expect(V4("001c", "2000", "11") UDP("0043"), 0);
	expect(V4("001c", "0000", "01") "0000 0000 0000 0000", 0); /* an echo's reply */
	expect(V4("001c", "0000", "01") "0500 0000 0000 0000", 0); /* a redirect */
	expect(V4("001c", "0000", "02") "1100 0000 0000 0000", 0);
	expect(V6("0008", "3a") "8600 0000 0000 0000", 0); /* a router's advertisement */
	expect(V6("0008", "3a") "8900 0000 0000 0000", 0); /* a redirect */
	expect(V6("0010", "2c") "0600 0001 0000 0000", 0); /* a piece */
	expect(V6("0010", "00") "0600 0000 0000 0000", 0); /* options for each hop */
	expect(ETHER "8100 0002 0800 45000028 00010000 40060000", 0);
	expect(ETHER "88cc 0000", 0);
	expect(ETHER "0800", 0);
	expect("52", 0);
}

static void neighbours_clients_and_pings_have_their_own(void **state)
{
	(void)state;
	expect(ETHER "0806 0001080006040001 02aabbccdd01 c0a84d02 000000000000 c0a84d01",
	       NEIGHBOUR);
	expect(V6("0018", "3a") "8700 0000 0000 0000", NEIGHBOUR);
	expect(V6("0018", "3a") "8800 0000 0000 0000", NEIGHBOUR);
	expect(V4("001c", "0000", "11") UDP("0043"), DHCP);
	expect(V4("001c", "0000", "11") UDP("0044"), DHCP);
	expect(V4("001c", "0000", "01") "0800 0000 0000 0000", PING);
	expect(V6("0008", "3a") "8000 0000 0000 0000", PING);
}

static void an_open_checksum_is_finished(void **state)
{
	/* A SYN with something else where its sum belongs. */
	uint8_t frame[128];
	size_t n = frame_of(ETHER "0800 4500003c 00004000 40060000 c0a84d02 c0a84d01 "
				  "d4300016 5f0e3ac1 00000000 a002faf0 1234 0000 "
				  "020405b4 0402080a 00000001 00000000 01030307",
			    frame);

	(void)state;
	frame_finish_checksum(frame, n);
	const uint8_t *ip = frame + FRAME_HEADER;
	assert_int_equal(frame_checksum(frame_pseudo_sum(ip + 12, ip + 16, 6, 40), ip + 20, 40), 0);
	assert_int_not_equal(ip[36] << 8 | ip[37], 0x1234);
	/* Bytes behind the packet (an Ethernet frame's padding) do not count. */
	uint8_t sum[2] = {ip[36], ip[37]};
	frame[n] = 0xff;
	frame_finish_checksum(frame, n + 1);
	assert_memory_equal(ip + 36, sum, 2);
}

static void a_frame_that_lies_about_its_length_stays_as_it_is(void **state)
{
	static const char *const liars[] = {
		ETHER "0800 45000fff 00004000 40060000 c0a84d02 c0a84d01 d4300016",
		ETHER "0800 4f00003c 00004000 40060000 c0a84d02 c0a84d01 d4300016",
		ETHER "0800 41000028 00004000 40060000 c0a84d02 c0a84d01 d4300016",
		ETHER "0800 45000018 00004000 40060000 c0a84d02 c0a84d01 d4300016",
		V6("ffff", "06") "d4300016",
		V6("0004", "06") "d4300016",
		ETHER "0800",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(liars) / sizeof(*liars); i++) {
		uint8_t frame[128], before[128];
		size_t n = frame_of(liars[i], frame);
		memcpy(before, frame, n);
		frame_finish_checksum(frame, n);
		assert_memory_equal(frame, before, n);
	}
}

static void the_checksum_is_the_internets(void **state)
{
	/* RFC 1071 §3's example: the sum of these is ddf2. */
	const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	const uint8_t odd[] = {0x12, 0x34, 0x56};

	(void)state;
	assert_int_equal(frame_checksum(0, bytes, sizeof(bytes)), 0xffff & ~0xddf2);
	assert_int_equal(frame_checksum(0, odd, sizeof(odd)), 0xffff & ~(0x1234 + 0x5600));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_is_divided_by_its_syn),
		cmocka_unit_test(the_rest_of_the_world_is_in_no_class),
		cmocka_unit_test(neighbours_clients_and_pings_have_their_own),
		cmocka_unit_test(an_open_checksum_is_finished),
		cmocka_unit_test(a_frame_that_lies_about_its_length_stays_as_it_is),
		cmocka_unit_test(the_checksum_is_the_internets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
