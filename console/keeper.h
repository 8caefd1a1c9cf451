/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that keeps the console going: it starts the stack, starts it again at once when it
 * fails - an assertion in lwIP, a limit, a signal - and starts one SSH server for each connection
 * that the stack hands over. It reads nothing that comes from the port.
 *
 * There may be KEEPER_SERVERS_MAX SSH servers. When all places are taken, the oldest in which
 * nobody has logged in yet makes room, so that connections which never log in keep nobody out.
 */
#ifndef GATEPOST_CONSOLE_KEEPER_H
#define GATEPOST_CONSOLE_KEEPER_H

#include "console/port.h"
#include "lib/lanport.h"

enum { KEEPER_SERVERS_MAX = 8 };

struct keeper_options {
	const char *device;
	const char *netns;    /* where the namespace is pinned */
	const char *settings; /* file of lib/lanport.h; need not exist */
	const char *host_key;
	const char *dropbear; /* the SSH server */
	const char *log;      /* where its syslog lines are taken (authlog.h) */
	const char *root;     /* the stack's root directory; made when it is not there */
	const char *user;     /* the stack's */
};

/* Runs until SIGTERM. SIGHUP: reads the settings and starts the stack anew, which ends what goes
 * through it. Returns the process's exit status. */
int keeper_run(const struct keeper_options *o);

#endif
