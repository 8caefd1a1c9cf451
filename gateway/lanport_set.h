/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The LAN port's settings, for who is at the command line: outside the config, in force at once.
 */
#ifndef GATEPOST_GATEWAY_LANPORT_SET_H
#define GATEPOST_GATEWAY_LANPORT_SET_H

#include "gateway/verbs.h"

/* The verb lan-port: changes what the request names (address, dhcp), answers with what then holds.
 * The console is told, which ends the sessions that go through the port. */
json_t *lanport_set(struct gate *g, const struct peer *peer, const json_t *request);

#endif
