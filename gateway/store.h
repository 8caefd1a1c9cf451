/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The config on disk, and its history.
 *
 *	DIR/gatepost.conf        what a boot applies: the last config that was kept
 *	DIR/revisions/N          each config that was committed, the last CONFSTORE_KEEP of them;
 *its first line is a comment that says when, by whom and why DIR/unconfirmed          there while a
 *commit waits for its `confirm`: what it waits with, and which revision a deadline or a crash leads
 *back to
 *
 * The one step that decides is the rename of gatepost.conf: before it a power cut boots the old
 * config, after it the new one. So a revision is on disk before it is put there, a commit that
 * waits for `confirm` does not put it there at all, and everything is synced, file and folder.
 * gatepost.conf may also be edited by hand while gatepostd is down: what is found at start and is
 * nobody's revision becomes one.
 */
#ifndef GATEPOST_GATEWAY_STORE_H
#define GATEPOST_GATEWAY_STORE_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFSTORE_KEEP    50
#define CONFSTORE_WHO_MAX 64
#define CONFSTORE_WHY_MAX 256

struct confstore;

struct revision {
	unsigned number;             /* from 1 */
	int64_t time_s;              /* since 1970, UTC */
	char who[CONFSTORE_WHO_MAX]; /* user name */
	char why[CONFSTORE_WHY_MAX]; /* the commit's comment, or "" */
};

/* dir must exist; config names another file than DIR/gatepost.conf, or is NULL. NULL with the
 * reason in error. */
struct confstore *confstore_open(const char *dir, const char *config, struct buf *error);
/* Only to read: nothing is tidied up, and no revision made of a file edited by hand. */
struct confstore *confstore_look(const char *dir, const char *config, struct buf *error);
void confstore_close(struct confstore *s);

/* Reads gatepost.conf. A store without one is empty: true, and nothing appended. */
bool confstore_read(const struct confstore *s, struct buf *text, struct buf *error);
const char *confstore_path(const struct confstore *s);

/* The revision that gatepost.conf holds; 0 while there is none. */
unsigned confstore_current(const struct confstore *s);

/*
 * Writes text as the next revision, whose number it fills in; gatepost.conf stays. False with the
 * reason in error (a full disk), and nothing left behind.
 */
bool confstore_add(struct confstore *s, struct revision *r, const struct buf *text,
		   struct buf *error);
/* Makes a revision gatepost.conf: it is kept from here on. */
bool confstore_keep(struct confstore *s, unsigned number, struct buf *error);
/* Forgets a revision that was never kept. */
void confstore_drop(struct confstore *s, unsigned number);

/* The text of a revision, and who made it (may be NULL). */
bool confstore_load(const struct confstore *s, unsigned number, struct revision *r,
		    struct buf *text, struct buf *error);
/* The newest first; at most max. Returns how many. */
size_t confstore_list(const struct confstore *s, struct revision *list, size_t max);

/* ---- a commit that waits for its confirmation ---- */

struct unconfirmed {
	unsigned number;    /* in force, not kept */
	unsigned return_to; /* kept */
	int64_t deadline_s; /* since 1970, UTC: for people; the timer is the daemon's own */
};
bool confstore_set_unconfirmed(struct confstore *s, const struct unconfirmed *u, struct buf *error);
/* False when none waits. */
bool confstore_get_unconfirmed(const struct confstore *s, struct unconfirmed *u);
void confstore_clear_unconfirmed(struct confstore *s);

#endif
