/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the process that reads the LAN port's frames may do: nothing but use the sockets that it was
 * given. It parses what anybody at that port sends, with a library that has had its share of bugs.
 */
#ifndef GATEPOST_CONSOLE_CONFINE_H
#define GATEPOST_CONSOLE_CONFINE_H

/*
 * As root: root directory dir (empty), user and group of that name (one that does not exist is left
 * out, with a warning). Always: no capabilities, no new privileges, a list of system calls, and a
 * limit on memory, at which lwIP drops frames. Ends the process when it cannot.
 */
void confine(const char *dir, const char *user);

/* Bytes of writable memory. */
#define CONFINE_MEMORY_MAX ((unsigned long)32 << 20)

#endif
