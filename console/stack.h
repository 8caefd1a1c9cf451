/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that reads and writes the LAN port's frames: lwIP, the DHCP server, and the bytes of
 * the SSH sessions, in one loop, confined. It was begun with the descriptors of handover.h.
 */
#ifndef GATEPOST_CONSOLE_STACK_H
#define GATEPOST_CONSOLE_STACK_H

#include "console/port.h"
#include "lib/lanport.h"

struct stack_options {
	struct port_sockets sockets;
	struct lanport settings;
	const char *root; /* an empty directory */
	const char *user;
};

/* Runs until the keeper or the port is gone; ends the process. Status 1, after a line in the log,
 * where it refuses to run. */
_Noreturn void stack_run(const struct stack_options *o);

#endif
