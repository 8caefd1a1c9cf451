/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/stack.h"

#include "console/chance.h"
#include "console/confine.h"
#include "console/handover.h"
#include "console/link.h"
#include "console/ssh.h"
#include "lib/log.h"

#include <errno.h>
#include <lwip/init.h>
#include <lwip/timeouts.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* poll's entries: the keeper, the cable, the classes of frames, the sessions. */
enum { AT_KEEPER, AT_LINK, AT_FRAMES, AT_SESSIONS = AT_FRAMES + FRAME_CLASSES };

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool start_server(void *context, int fd, const char *client)
{
	(void)context;
	if (handover_send(HANDOVER_KEEPER, fd, client))
		return true;
	log_warn("%s: the connection was not handed over: %s", client, strerror(errno));
	return false;
}

static int sooner(int a, uint64_t b)
{
	return a >= 0 && (uint64_t)a < b ? a : b > 60000 ? 60000 : (int)b;
}

/* How long poll may wait: until lwIP, DHCP or a budget has something to do. */
static int wait_for(const struct port *port, uint64_t now, int budget_ms)
{
	uint64_t dhcp = dhcpd_next_ms(&port->dhcpd);
	int wait = sooner(budget_ms, sys_timeouts_sleeptime());

	return sooner(wait, dhcp > now ? dhcp - now : 0);
}

static void read_link(struct port *port, uint64_t now)
{
	switch (link_read(HANDOVER_LINK, port->sockets.index)) {
	case LINK_GONE:
		log_warn("the port is gone");
		exit(0);
	case LINK_CABLE_IN:
		port_link(port, true, now);
		break;
	case LINK_CABLE_OUT:
		port_link(port, false, now);
		break;
	case LINK_UNKNOWN:
		break;
	}
}

/* Connections under way go first; what comes last waits for nobody. */
static void read_frames(struct port *port, const struct pollfd *fds, uint64_t now)
{
	for (size_t i = 0; i < FRAME_CLASSES; i++) {
		if (!fds[AT_FRAMES + i].revents)
			continue;
		port_read(port, (enum frame_class)i, now);
		if (i == FRAME_SYN)
			ssh_prune();
	}
}

static void turn(struct port *port)
{
	struct pollfd fds[AT_SESSIONS + SESSIONS_MAX] = {
		[AT_KEEPER] = {.fd = HANDOVER_KEEPER},
		[AT_LINK] = {.fd = HANDOVER_LINK, .events = POLLIN},
	};
	uint64_t now = now_ms();
	int budget_ms = -1;

	for (size_t i = 0; i < FRAME_CLASSES; i++) {
		bool may = port_may_read(port, (enum frame_class)i, now, &budget_ms);
		/* poll skips negative descriptors. */
		fds[AT_FRAMES + i] =
			(struct pollfd){.fd = may ? port->sockets.fds[i] : -1, .events = POLLIN};
	}
	unsigned n = AT_SESSIONS + ssh_poll_fds(fds + AT_SESSIONS);
	if (poll(fds, n, wait_for(port, now, budget_ms)) < 0 && errno != EINTR)
		fatal("poll: %s", strerror(errno));
	if (fds[AT_KEEPER].revents)
		exit(0);
	now = now_ms();
	if (fds[AT_LINK].revents)
		read_link(port, now);
	read_frames(port, fds, now);
	sys_check_timeouts();
	port_tick(port, now);
	ssh_pump();
}

_Noreturn void stack_run(const struct stack_options *o)
{
	static struct port port;
	struct buf error = BUF_INIT;
	char address[PREFIX_STR_MAX];

	confine(o->root, o->user);
	lwip_init();
	if (!chance_in_force(&error))
		fatal("refusing to run: %s", buf_str(&error));
	port_start(&port, &o->sockets, &o->settings.address, o->settings.dhcp, now_ms());
	if (!ssh_listen(start_server, NULL) || !link_ask(HANDOVER_LINK, o->sockets.index))
		fatal("cannot begin: %s", strerror(errno));
	log_info("ready: SSH at %s, DHCP %s", prefix_format(&o->settings.address, address),
		 o->settings.dhcp ? "on" : "off");
	for (;;)
		turn(&port);
}
