/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gatepostd's control socket, from the asking side (gateway/verbs.h lists what can be asked).
 *
 * The connection is made when it is first needed and again when gatepostd was restarted meanwhile.
 * Ctrl-C gives up waiting: the connection is dropped, and with it whatever ran for it.
 */
#ifndef GATEPOST_CLI_CLIENT_H
#define GATEPOST_CLI_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

struct client;

/* Does not connect yet. path must outlive it. single: who answers there takes one question a
 * connection. */
struct client *client_new(const char *path, bool single);
void client_free(struct client *c);
/* Which connection this is: another number after each new one. 0: none yet. */
unsigned client_connection(const struct client *c);
/* Another connection to the same socket. */
struct client *client_beside(const struct client *c);

/*
 * Waits until gatepostd can be connected to, patience_ms at the longest: who logs in while the box
 * starts is a little early. Calls early(), once, when there is something to wait for.
 */
void client_await(struct client *c, int patience_ms, void (*early)(void));

/* Parts of an answer that come before its end (ping). */
typedef void (*client_output)(void *arg, const char *text);

/*
 * Takes the reference to request. Always an object with "ok"; when gatepostd could not be asked,
 * "ok" is false and "unreachable" true. output may be NULL.
 */
json_t *client_ask(struct client *c, json_t *request, client_output output, void *arg);

/* client_interrupt() may be called from a signal handler. */
void client_interrupt(void);

#endif
