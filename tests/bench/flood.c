/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP datagrams through a gateway, as fast as one core can, or at a rate; and their receiver.
 *
 *	flood send SOURCE TO PORT FLOWS SECONDS       as fast as can be; prints "SENT CPU_US"
 *	flood pace TO PORT PER_SECOND SECONDS         numbered, from one socket; prints "SENT"
 *	flood count PORT                              until nothing came for 2 s; prints "RECEIVED"
 *
 * `send` writes whole IPv4 packets to a raw socket, whose source ports go round: FLOWS flows. The
 * sender's processor does the forwarding too, between namespaces: CPU_US by the packets that
 * arrived is what one packet costs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, PAYLOAD = 64 };

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	char payload[PAYLOAD];
};

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static void send_all(char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	static struct packet packets[BATCH];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH] = {0};
	unsigned port = (unsigned)atoi(argv[4]), flows = (unsigned)atoi(argv[5]), next = 0;
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	unsigned long sent = 0;

	if (fd < 0)
		die("socket");
	inet_pton(AF_INET, argv[3], &to.sin_addr);
	for (size_t i = 0; i < BATCH; i++) {
		struct packet *p = &packets[i];
		p->ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
		p->ip.tot_len = htons(sizeof(*p));
		inet_pton(AF_INET, argv[2], &p->ip.saddr);
		p->ip.daddr = to.sin_addr.s_addr;
		p->udp.dest = htons((uint16_t)port);
		p->udp.len = htons(sizeof(p->udp) + PAYLOAD);
		parts[i] = (struct iovec){p, sizeof(*p)};
		messages[i].msg_hdr = (struct msghdr){.msg_name = &to,
						      .msg_namelen = sizeof(to),
						      .msg_iov = &parts[i],
						      .msg_iovlen = 1};
	}
	double end = now() + atof(argv[6]), cpu = cpu_us();
	while (now() < end) {
		for (size_t i = 0; i < BATCH; i++)
			packets[i].udp.source = htons((uint16_t)(10000 + next++ % flows));
		int n = sendmmsg(fd, messages, BATCH, 0);
		if (n < 0 && errno != ENOBUFS)
			die("sendmmsg");
		sent += n > 0 ? (unsigned long)n : 0;
	}
	printf("%lu %.0f\n", sent, cpu_us() - cpu);
}

static void pace(char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
	double rate = atof(argv[4]), begin = now(), seconds = atof(argv[5]);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	unsigned long sent = 0;

	inet_pton(AF_INET, argv[2], &to.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect");
	while (now() - begin < seconds) {
		while ((double)sent < (now() - begin) * rate)
			if (send(fd, &sent, sizeof(sent), 0) == sizeof(sent))
				sent++;
		usleep(200);
	}
	printf("%lu\n", sent);
}

static void count(char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 64 << 20, wait = 60000;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	unsigned long received = 0;
	char bytes[64];

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		die("bind");
	puts("ready");
	fflush(stdout);
	while (poll(&p, 1, wait) == 1) {
		while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0)
			received++;
		wait = 2000;
	}
	printf("%lu\n", received);
}

int main(int argc, char **argv)
{
	if (argc == 7 && !strcmp(argv[1], "send"))
		send_all(argv);
	else if (argc == 6 && !strcmp(argv[1], "pace"))
		pace(argv);
	else if (argc == 3 && !strcmp(argv[1], "count"))
		count(argv);
	else
		return 2;
	return 0;
}
