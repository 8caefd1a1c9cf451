/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the SSH servers say about logins. dropbear, started for one connection, speaks to syslog and
 * to nothing else; this is the syslog that it finds, and its lines become ours.
 */
#ifndef GATEPOST_CONSOLE_AUTHLOG_H
#define GATEPOST_CONSOLE_AUTHLOG_H

#include <stddef.h>

/* Binds a datagram socket at path, for root alone. -1 with errno; EADDRINUSE: somebody listens
 * there already, and hears them instead. */
int authlog_open(const char *path);

/* Logs what waits there. */
void authlog_read(int fd);

/* The text of a syslog line, behind its priority and time (RFC 3164 §4.1); bytes[n] need not be
 * one. */
const char *authlog_text(const char *bytes, size_t n, size_t *len);

#endif
