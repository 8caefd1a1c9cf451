/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine at the LAN port can send. The first byte chooses: a DHCP message, whose sums are
 * put right so that what is behind them is reached; any frames for the DHCP server; frames for the
 * whole port, lwIP included, with an SSH server that answers each connection. Checked beside
 * memory: the DHCP server's answers can be read, never name a group as receiver, and give no
 * address but the one.
 */
#include "console/dhcpd.h"
#include "console/dhcpmsg.h"
#include "console/port.h"
#include "console/ssh.h"
#include "lib/log.h"

#include <lwip/init.h>
#include <lwip/timeouts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const uint8_t our_mac[MAC_LEN] = {0x52, 0x54, 0, 0x67, 0x70, 3};

static void check(bool right)
{
	if (!right)
		abort();
}

static struct prefix our_address(void)
{
	struct prefix p;

	check(prefix_parse("192.168.77.1/24", &p));
	return p;
}

/* ---- DHCP ---- */

static void ask(struct dhcpd *d, uint64_t now, const uint8_t *frame, size_t n)
{
	uint8_t out[DHCPD_FRAME_MAX];
	struct dhcp_message answer, question;
	size_t len = dhcpd_frame(d, now, frame, n, out);

	check(d->lease.address[3] != 0 && d->lease.address[3] != 1 && d->lease.address[3] != 255);
	if (!len)
		return;
	check(len <= sizeof(out) && dhcpmsg_read(out, len, &answer) && answer.reply);
	check(dhcpmsg_read(frame, n, &question) && !question.reply);
	check(answer.xid == question.xid && !(out[0] & 1 && out[0] != 0xff));
	if (answer.yiaddr[0])
		check(!memcmp(answer.yiaddr, (uint8_t[]){192, 168, 77}, 3));
}

static struct dhcpd serving(void)
{
	const struct prefix address = our_address();
	struct dhcpd d;
	uint8_t out[DHCPD_FRAME_MAX];

	dhcpd_init(&d, &address, our_mac, true, 1);
	dhcpd_link(&d, true, 0);
	dhcpd_tick(&d, DHCPD_LISTEN_MS, out);
	return d;
}

/* The options and fields of several messages, in a frame with the right sums. */
static void try_messages(const uint8_t *data, size_t n)
{
	struct dhcpd d = serving();
	uint64_t now = DHCPD_LISTEN_MS;

	while (n >= 2) {
		uint8_t frame[42 + 600] = {0x52, 0x54, 0, 0x67, 0x70, 3, 2};
		size_t len = data[0] * 2 + 42 > sizeof(frame) ? 600 : (size_t)data[0] * 2;
		len = len > n - 2 ? n - 2 : len;
		now += (uint64_t)data[1] * 100;
		memcpy(frame + 12, "\x08\x00\x45", 3);
		frame[16] = (uint8_t)((28 + len) >> 8);
		frame[17] = (uint8_t)(28 + len);
		frame[23] = 17;
		frame[37] = 67;
		frame[38] = (uint8_t)((8 + len) >> 8);
		frame[39] = (uint8_t)(8 + len);
		memcpy(frame + 42, data + 2, len);
		uint16_t sum = frame_checksum(0, frame + 14, 20);
		frame[24] = (uint8_t)(sum >> 8);
		frame[25] = (uint8_t)sum;
		frame_finish_checksum(frame, 42 + len);
		ask(&d, now, frame, 42 + len);
		data += 2 + len;
		n -= 2 + len;
	}
}

static void try_frame(const uint8_t *data, size_t n)
{
	struct dhcpd d = serving();
	uint8_t copy[2048];

	ask(&d, DHCPD_LISTEN_MS, data, n);
	if (n > sizeof(copy))
		return;
	memcpy(copy, data, n);
	frame_finish_checksum(copy, n);
	ask(&d, DHCPD_LISTEN_MS, copy, n);
}

/* ---- the port ---- */

static struct port port;
static int wires[FRAME_CLASSES];

static bool serve(void *context, int fd, const char *client)
{
	(void)context;
	check(strlen(client) > 0);
	return write(fd, "SSH-2.0-fuzz\r\n", 14) == 14;
}

static void begin(void)
{
	const struct prefix address = our_address();
	struct port_sockets s = {.index = 1};

	log_open("fuzz", LOG_LEVEL_ERROR);
	lwip_init();
	memcpy(s.mac, our_mac, MAC_LEN);
	for (size_t i = 0; i < FRAME_CLASSES; i++) {
		int pair[2];
		struct sock_filter filter[FRAME_FILTER_MAX];
		struct sock_fprog program = {.filter = filter,
					     .len = frame_filter((enum frame_class)i, filter)};
		check(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == 0);
		check(setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, &program,
				 sizeof(program)) == 0);
		s.fds[i] = pair[0];
		wires[i] = pair[1];
	}
	port_start(&port, &s, &address, true, 0);
	port_link(&port, true, 0);
	check(ssh_listen(serve, NULL));
}

/* What it sent is not looked at. */
static void drain(void)
{
	uint8_t frame[FRAME_SENT_MAX];

	for (size_t i = 0; i < FRAME_CLASSES; i++)
		while (recv(wires[i], frame, sizeof(frame), 0) > 0)
			continue;
}

/* Frames: two bytes of length, one that says whether the sums are put right. */
static void try_port(const uint8_t *data, size_t n)
{
	static uint64_t now;
	static bool begun;

	if (!begun)
		begin();
	begun = true;
	while (n > 3) {
		size_t len = (size_t)data[0] << 8 | data[1];
		uint8_t frame[2048];
		len = len > n - 3 ? n - 3 : len;
		len = len > sizeof(frame) ? sizeof(frame) : len;
		memcpy(frame, data + 3, len);
		if (data[2] & 0x80)
			frame_finish_checksum(frame, len);
		now += 50;
		for (int class = 0; class < FRAME_CLASSES; class ++) {
			int wait = 0;
			send(wires[class], frame, len, 0); /* taken by those whose filter fits */
			if (port_may_read(&port, (enum frame_class) class, now, &wait))
				port_read(&port, (enum frame_class) class, now);
		}
		ssh_prune();
		sys_check_timeouts();
		ssh_pump();
		drain();
		data += 3 + len;
		n -= 3 + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static void (*const tries[])(const uint8_t *, size_t) = {try_messages, try_frame, try_port};

	if (n > 0)
		tries[data[0] % 3](data + 1, n - 1);
	return 0;
}
