/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commit: from a candidate's text to a config in force and on disk, or nothing changed.
 *
 *	1  read and validate the text                  faults name its lines
 *	2  write it as the next revision               a full disk is found before anything moves
 *	3  compile, apply, read back (apply.h)         undone whole on any failure
 *	4  keep it: gatepost.conf                      from here on a boot applies it
 *	   or, with a deadline: note that it waits     a crash or a deadline leads back
 *	5  cut connections that it does not allow
 *
 * Killed at any point, gatepostd applies gatepost.conf when it starts again: the old config before
 * step 4, the new one after it.
 */
#ifndef GATEPOST_GATEWAY_COMMIT_H
#define GATEPOST_GATEWAY_COMMIT_H

#include "gateway/announce.h"
#include "gateway/apply.h"
#include "gateway/store.h"
#include "model/model.h"
#include "model/text.h"

#include <stdbool.h>

#define COMMIT_CONFIRM_MAX 86400 /* seconds */

struct commit;

/* Borrows them all; they must outlive it. in_force_mark: a file that says, until the next boot,
 * that a config of ours is in the kernel. An undo is announced. */
struct commit *commit_open(struct model *m, struct confstore *s, struct apply *a,
			   struct announcer *announcer, const char *in_force_mark);
void commit_close(struct commit *c);

/*
 * What a start does: applies gatepost.conf. When it cannot be, forwarding is closed, error says
 * why, and the daemon goes on, for somebody to mend it: false.
 */
bool commit_start(struct commit *c, struct buf *error);

struct commit_request {
	const char *text;
	size_t len;
	const char *who;
	const char *why;    /* the comment, or "" */
	unsigned base;      /* the revision that the candidate was made from; 0: not said */
	unsigned confirm_s; /* 0: keep it at once */
};

/* Steps 1 and the pure part of 3. */
bool commit_check(struct commit *c, const char *text, size_t len, struct buf *error);
/* *made has the new revision; its number is the old one when there was nothing new in the text. */
bool commit_candidate(struct commit *c, const struct commit_request *request, struct revision *made,
		      struct buf *notes, struct buf *error);

/* Keeps the commit that waits. */
bool commit_confirm(struct commit *c, struct buf *error);
/* Leads back to what is kept, at the deadline or before; reason is for the log. */
bool commit_go_back(struct commit *c, const char *reason, struct buf *error);
/* False when no commit waits. */
bool commit_waiting(const struct commit *c, struct unconfirmed *u);

/* The revision in force, 0 for none. */
unsigned commit_revision(const struct commit *c);
/* NULL while a config is in force, else why forwarding is closed. */
const char *commit_closed(const struct commit *c);
/* The config in force, validated; while closed, what gatepost.conf has, if it can be read. */
const struct lyd_node *commit_running(const struct commit *c);

#endif
