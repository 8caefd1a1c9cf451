/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/chance.h"

#include <lwip/ip4.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <stdlib.h>

static unsigned long rands_drawn;
static uint32_t last_iss;
static unsigned long iss_drawn;

int chance_rand(void)
{
	rands_drawn++;
	return (int)(arc4random() >> 1);
}

uint32_t chance_iss(void)
{
	iss_drawn++;
	last_iss = arc4random();
	return last_iss;
}

static err_t swallow(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
	(void)netif;
	(void)p;
	(void)to;
	return ERR_OK;
}

static err_t init(struct netif *netif)
{
	netif->name[0] = 'n';
	netif->name[1] = 'o';
	netif->mtu = 1500;
	netif->output = swallow;
	return ERR_OK;
}

/* Whether the number that a new connection begins with is the last one drawn here. */
static bool begins_with_ours(void)
{
	struct netif nowhere;
	ip4_addr_t own, mask, none;
	ip_addr_t peer;

	IP4_ADDR(&own, 192, 0, 2, 1);
	IP4_ADDR(&mask, 255, 255, 255, 252);
	IP4_ADDR(&none, 0, 0, 0, 0);
	IP_ADDR4(&peer, 192, 0, 2, 2);
	if (!netif_add(&nowhere, &own, &mask, &none, NULL, init, NULL))
		return false;
	netif_set_up(&nowhere);
	netif_set_link_up(&nowhere);
	struct tcp_pcb *pcb = tcp_new();
	bool ours = pcb && tcp_connect(pcb, &peer, 9, NULL) == ERR_OK && iss_drawn > 0 &&
		    pcb->lastack + 1 == last_iss;
	if (pcb)
		tcp_abandon(pcb, 0);
	netif_remove(&nowhere);
	return ours;
}

bool chance_in_force(struct buf *error)
{
	if (!rands_drawn) {
		buf_appends(error, "lwIP draws its random numbers elsewhere: rand is not "
				   "overridden");
		return false;
	}
	if (!begins_with_ours()) {
		buf_appends(error, "lwIP's TCP sequence numbers can be guessed: tcp_next_iss is "
				   "not overridden");
		return false;
	}
	return true;
}
