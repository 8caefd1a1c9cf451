/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was shut off: the links and pixels of an account or of a message, and links to a domain and
 * what is below it. The one thing that a token does not know itself (DESIGN §7.4). Pure.
 */
#ifndef GATEPOST_RELAY_TRACK_SHUT_H
#define GATEPOST_RELAY_TRACK_SHUT_H

#include "lib/buf.h"
#include "relay/track/token.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum shut_kind { SHUT_ACCOUNT = 1, SHUT_DOMAIN, SHUT_MESSAGE, SHUT_KINDS };

enum { SHUT_NAME_MAX = 255, SHUT_MAX = 10000 };

struct shut_list;

struct shut_list *shut_list_new(void);
void shut_list_free(struct shut_list *l);

/* name: an account's, a domain in lower case, or a message's number as people see it; copied.
 * False when there are SHUT_MAX already, or it is too long. */
bool shut_list_add(struct shut_list *l, enum shut_kind kind, const char *name);

/* Appends the list as it travels. NULL when what came is damaged. */
void shut_list_encode(const struct shut_list *l, struct buf *out);
struct shut_list *shut_list_decode(const void *bytes, size_t n);

/* May be NULL: nothing is shut off. */
bool shut_covers(const struct shut_list *l, const struct token *t);

/* "account", "domain", "message"; 0 for any other. */
enum shut_kind shut_kind_of(const char *name);
const char *shut_kind_name(enum shut_kind kind);

#endif
