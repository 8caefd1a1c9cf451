/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the LAN port's cable carries, as the kernel tells it (rtnetlink).
 */
#ifndef GATEPOST_CONSOLE_LINK_H
#define GATEPOST_CONSOLE_LINK_H

#include <stdbool.h>

enum link_state { LINK_UNKNOWN, LINK_CABLE_OUT, LINK_CABLE_IN, LINK_GONE };

/* A socket that hears of every change in this network namespace; -1 with errno. */
int link_open(void);

/* Asks for the state of the device, which link_read() then finds. */
bool link_ask(int fd, unsigned index);

/* The last state of the device that waits to be read. LINK_UNKNOWN: nothing about it. */
enum link_state link_read(int fd, unsigned index);

#endif
