/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may log in: `system user` into the machine's accounts.
 *
 * Users of the config have user ids from USERS_FIRST_ID on; every other line of passwd, shadow and
 * group is the image's and stays. All users share the group "operator", who may look; those of
 * the role admin are in the group "admin" too, who may change things (peer.h goes by that). The
 * image's own account "admin" may be in the config for its keys and password; without a password
 * there it keeps the one that it has, so the first password always leads in; without keys there,
 * the keys that the image was built with are in force, if it was.
 *
 * A user's keys are in .ssh/authorized_keys of their home, in a folder that is root's: the user
 * cannot add to them.
 */
#ifndef GATEPOST_GATEWAY_USERS_H
#define GATEPOST_GATEWAY_USERS_H

#include "lib/buf.h"

#include <libyang/libyang.h>
#include <stdbool.h>
#include <stddef.h>

enum { USERS_FIRST_ID = 2000, USERS_LAST_ID = 2999 };

#define USERS_ADMIN "admin" /* the image's account */

struct users_place {
	const char *etc;        /* passwd, shadow, group are here; NULL: accounts are left alone */
	const char *homes;      /* DIR/NAME is a user's home */
	const char *admin_home; /* of the image's account */
	const char *admin_hash; /* a file with its own password's hash; may be absent */
	const char *admin_keys; /* a file with its first keys; may be absent */
	const char *shell;
};

struct users;

/* What the config says of users; conf has passed model_validate(). */
struct users *users_compile(const struct lyd_node *conf);
void users_free(struct users *u);

/* The three files, made from what they are now. Pure. */
struct accounts {
	struct buf passwd, shadow, group;
};
void users_render(const struct users *u, const struct users_place *place, const char *admin_hash,
		  const struct accounts *now, struct accounts *out);
void accounts_free(struct accounts *a);

/* Puts them in force; NULL is nobody. On failure (reason in error) the files are what they were.
 * What cannot be done for one user's home is logged. */
bool users_apply(const struct users *u, const struct users_place *place, struct buf *error);

/* A password's yescrypt hash ("$y$..."), 32 ms of work. False with the reason in error. */
bool users_hash(const char *password, struct buf *out, struct buf *error);

#endif
