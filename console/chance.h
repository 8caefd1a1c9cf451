/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers for lwIP, whose own can be guessed: its initial TCP sequence numbers follow a
 * counter, and its rand() is never seeded. The program (main.c) defines rand() and tcp_next_iss(),
 * which the dynamic linker puts in the place of the library's; both are the kernel's random numbers
 * through here.
 *
 * RFC 6528 asks for a clock plus a keyed hash, so that a connection made again between the same
 * ports begins beyond the old one's numbers. Only clients choose such ports, and here we only ever
 * answer: an unpredictable number is all that is needed.
 */
#ifndef GATEPOST_CONSOLE_CHANCE_H
#define GATEPOST_CONSOLE_CHANCE_H

#include "lib/buf.h"

#include <stdint.h>

/* What the program's rand() and tcp_next_iss() return. */
int chance_rand(void);
uint32_t chance_iss(void);

/*
 * Proves that lwIP asks here: after lwip_init(), which draws port numbers, and by one connection
 * that it begins on an interface of no consequence. False: error says which override is missing.
 */
bool chance_in_force(struct buf *error);

#endif
