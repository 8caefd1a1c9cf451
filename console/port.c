/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/port.h"

#include "console/peers.h"
#include "lib/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <lwip/ip.h>
#include <lwip/sys.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netif/ethernet.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MTU = 1500, READ_AT_ONCE = 64, REFILL_MS = 10, COMPLAIN_MS = 60000 };

/* Older kernel headers lack it. */
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* ---- sockets ---- */

static bool set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* The filter comes first: until a socket is bound to the port nothing reaches it. */
static int open_socket(enum frame_class class, unsigned index)
{
	struct sock_filter filter[FRAME_FILTER_MAX];
	struct sock_fprog program = {.filter = filter, .len = frame_filter(class, filter)};
	const struct sockaddr_ll at = {.sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = (int)index};
	const struct packet_mreq groups = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_ALLMULTI};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0 &&
	    set(fd, SOL_SOCKET, SO_RCVBUF, (int)frame_classes[class].queue_bytes) &&
	    set(fd, SOL_PACKET, PACKET_AUXDATA, 1) &&
	    set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) &&
	    (class != FRAME_NEIGHBOUR ||
	     setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &groups, sizeof(groups)) == 0) &&
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

static bool read_mac(const char *device, uint8_t mac[MAC_LEN])
{
	struct ifreq request = {0};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	bool ok = fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &request) == 0;
	if (fd >= 0)
		close(fd);
	if (ok)
		memcpy(mac, request.ifr_hwaddr.sa_data, MAC_LEN);
	return ok;
}

bool port_open_sockets(const char *device, struct port_sockets *s, struct buf *error)
{
	*s = (struct port_sockets){.index = if_nametoindex(device)};
	for (size_t i = 0; i < FRAME_CLASSES; i++)
		s->fds[i] = -1;
	bool ok = s->index && read_mac(device, s->mac);
	for (size_t i = 0; ok && i < FRAME_CLASSES; i++)
		ok = (s->fds[i] = open_socket((enum frame_class)i, s->index)) >= 0;
	if (ok)
		return true;
	buf_printf(error, "cannot open %s: %s\n", device, strerror(errno));
	port_close_sockets(s);
	return false;
}

void port_close_sockets(struct port_sockets *s)
{
	for (size_t i = 0; i < FRAME_CLASSES; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
}

/* ---- out ---- */

/* A frame that the kernel does not take is lost, as on a wire: TCP and the client repeat it. */
static void send_frame(struct port *p, const uint8_t *frame, size_t n, uint64_t now_ms)
{
	if (n == 0 || send(p->sockets.fds[FRAME_SESSION], frame, n, MSG_NOSIGNAL) >= 0 ||
	    errno == ENETDOWN || now_ms < p->silenced_ms)
		return;
	log_warn("a frame of %zu bytes was not sent: %s", n, strerror(errno));
	p->silenced_ms = now_ms + COMPLAIN_MS;
}

static err_t link_output(struct netif *netif, struct pbuf *chain)
{
	uint8_t frame[FRAME_SENT_MAX];
	struct port *p = netif->state;

	if (chain->tot_len > sizeof(frame))
		return ERR_VAL;
	pbuf_copy_partial(chain, frame, chain->tot_len, 0);
	send_frame(p, frame, chain->tot_len, sys_now());
	return ERR_OK;
}

static err_t output(struct netif *netif, struct pbuf *packet, uint16_t type)
{
	const uint8_t *mac = peers_mac(packet->payload, packet->len);
	struct eth_addr from, to;

	if (!mac)
		return ERR_RTE;
	memcpy(&from, netif->hwaddr, MAC_LEN);
	memcpy(&to, mac, MAC_LEN);
	return ethernet_output(netif, packet, &from, &to, type);
}

static err_t output_ip4(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to)
{
	(void)to;
	return output(netif, packet, ETHTYPE_IP);
}

static err_t output_ip6(struct netif *netif, struct pbuf *packet, const ip6_addr_t *to)
{
	(void)to;
	return output(netif, packet, ETHTYPE_IPV6);
}

/* ---- the interface ---- */

static err_t init_netif(struct netif *netif)
{
	const struct port *p = netif->state;

	netif->name[0] = 'l';
	netif->name[1] = 'a';
	netif->output = output_ip4;
	netif->output_ip6 = output_ip6;
	netif->linkoutput = link_output;
	netif->mtu = MTU;
	netif->hwaddr_len = MAC_LEN;
	memcpy(netif->hwaddr, p->sockets.mac, MAC_LEN);
	/* MLD6: the groups that neighbour discovery asks at are only then listened to. */
	netif->flags =
		NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
	return ERR_OK;
}

/* lwIP keeps addresses in network order. */
static ip4_addr_t as_ip4(const struct addr *a)
{
	ip4_addr_t out;

	memcpy(&out.addr, a->bytes, 4);
	return out;
}

void port_start(struct port *p, const struct port_sockets *s, const struct prefix *address,
		bool dhcp, uint64_t now_ms)
{
	ip4_addr_t none = {0}, own = as_ip4(&address->addr), mask;

	*p = (struct port){.sockets = *s};
	for (size_t i = 0; i < FRAME_CLASSES; i++)
		p->budget[i].refilled_ms = now_ms;
	mask.addr = htonl((uint32_t)(UINT64_C(0xffffffff) << (32 - address->len)));
	dhcpd_init(&p->dhcpd, address, s->mac, dhcp, arc4random());
	if (!netif_add(&p->netif, &own, &mask, &none, p, init_netif, ethernet_input))
		fatal("lwIP takes no interface");
	netif_set_default(&p->netif);
	netif_create_ip6_linklocal_address(&p->netif, 1);
	netif_set_up(&p->netif);
}

void port_link(struct port *p, bool up, uint64_t now_ms)
{
	if (up == (netif_is_link_up(&p->netif) != 0))
		return;
	log_info("the cable is %s", up ? "plugged in" : "out");
	dhcpd_link(&p->dhcpd, up, now_ms);
	if (up)
		netif_set_link_up(&p->netif);
	else
		netif_set_link_down(&p->netif);
	/* Nobody here is asked for a router: the laptop is not one for us. */
	p->netif.rs_count = 0;
}

/* ---- in ---- */

bool port_may_read(struct port *p, enum frame_class class, uint64_t now_ms, int *wait_ms)
{
	unsigned rate = frame_classes[class].per_second, most = rate / 10 + 1;
	uint64_t fresh = (now_ms - p->budget[class].refilled_ms) * rate / 1000;

	if (fresh) {
		unsigned left = p->budget[class].left;
		p->budget[class].left = fresh > most - left ? most : left + (unsigned)fresh;
		p->budget[class].refilled_ms = now_ms;
	}
	if (p->budget[class].left)
		return true;
	if (*wait_ms < 0 || *wait_ms > REFILL_MS)
		*wait_ms = REFILL_MS;
	return false;
}

static void note_state(const struct port *p, enum dhcpd_state before)
{
	struct addr other = {.family = AF_INET};
	char text[ADDR_STR_MAX];

	if (p->dhcpd.state == before)
		return;
	memcpy(other.bytes, p->dhcpd.other, 4);
	if (p->dhcpd.state == DHCPD_SILENT)
		log_warn("DHCP: %s answers here; silent while it does", addr_format(&other, text));
	else
		log_info("DHCP: %s", dhcpd_state_name(p->dhcpd.state));
}

static void take_dhcp(struct port *p, const uint8_t *frame, size_t n, uint64_t now_ms)
{
	uint8_t out[DHCPD_FRAME_MAX];
	enum dhcpd_state before = p->dhcpd.state;

	send_frame(p, out, dhcpd_frame(&p->dhcpd, now_ms, frame, n, out), now_ms);
	note_state(p, before);
}

static void take(struct port *p, const uint8_t *frame, size_t n)
{
	struct pbuf *copy = pbuf_alloc(PBUF_RAW, (u16_t)n, PBUF_RAM);

	if (!copy)
		return; /* lost, as on a wire */
	pbuf_take(copy, frame, (u16_t)n);
	peers_arrived(frame, n);
	if (p->netif.input(copy, &p->netif) != ERR_OK)
		pbuf_free(copy);
	peers_done();
}

/* Whether the peer left the checksum to a card that nobody has. */
static bool sum_is_open(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct tpacket_auxdata aux;
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
		    c->cmsg_len < CMSG_LEN(sizeof(aux)))
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		return aux.tp_status & TP_STATUS_CSUMNOTREADY;
	}
	return false;
}

void port_read(struct port *p, enum frame_class class, uint64_t now_ms)
{
	static uint8_t frame[FRAME_MAX];

	for (int i = 0; i < READ_AT_ONCE && p->budget[class].left; i++) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		} control;
		struct iovec iov = {frame, sizeof(frame)};
		struct msghdr m = {.msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = &control,
				   .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(p->sockets.fds[class], &m, MSG_TRUNC);
		if (n < 0) /* nothing more, or the port went down: the kernel said so by now */
			return;
		p->budget[class].left--;
		if (n > FRAME_MAX)
			continue;
		if (sum_is_open(&m))
			frame_finish_checksum(frame, (size_t)n);
		if (class == FRAME_DHCP)
			take_dhcp(p, frame, (size_t)n, now_ms);
		else
			take(p, frame, (size_t)n);
	}
}

void port_tick(struct port *p, uint64_t now_ms)
{
	uint8_t out[DHCPD_FRAME_MAX];
	enum dhcpd_state before = p->dhcpd.state;

	send_frame(p, out, dhcpd_tick(&p->dhcpd, now_ms, out), now_ms);
	note_state(p, before);
}
