/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state: what the spool knows of each message beside its body, in one LMDB file, state.mdb.
 *
 *   envelopes   id             -> the envelope as it was accepted; never written again
 *   places      id             -> where the body lies, how many recipients are left
 *   recipients  id, recipient  -> its standing, once it is no longer that of the envelope
 *   damaged     id             -> what was set aside: the reason, then the envelope's record
 *   meta        name           -> the last message id and the last segment number that were given,
 *                                 and up to where the journal is worked in
 *
 * Each record ends in a checksum (record.h). A commit is on the disk when it returns: LMDB writes
 * new pages, syncs, then switches over by writing one sector through O_DSYNC. There is no lock
 * file (one process, one thread, and main.c's lock keeps a second relay out), so a SIGKILL leaves
 * nothing stale. One transaction is open at a time: state_begin() to state_commit() or
 * state_abort(), which every function below but open and close needs. One that writes may stay open
 * for long: what it changed is in memory until then. Who reads meanwhile joins it.
 *
 * An int is 0, an errno, or one of LMDB's codes: mdb_strerror() knows them all. MDB_NOTFOUND: no
 * such record. EBADMSG: there is one, and it is damaged.
 */
#ifndef GATEPOST_RELAY_SPOOL_STATE_H
#define GATEPOST_RELAY_SPOOL_STATE_H

#include "lib/buf.h"
#include "relay/spool/record.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

struct state {
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi envelopes, places, recipients, damaged, meta;
	uint64_t map_bytes;
	bool writing; /* the transaction may write */
};

#define STATE_NAME "state.mdb"

/*
 * Opens the state in the working directory, or makes an empty one. False, with the reason and what
 * to do in error, when it can't be used. map_bytes is the file's first bound (it doubles when it
 * is reached); 0: 1 GiB.
 */
bool state_open(struct state *s, uint64_t map_bytes, struct buf *error);
void state_close(struct state *s);

/* After a failed write LMDB refuses to go on: then this opens the file again first. Joins the
 * transaction that is open. */
int state_begin(struct state *s, bool write);
/* The end of reading: of a transaction that may write, only of taking part in it. */
void state_end(struct state *s);
int state_commit(struct state *s); /* the transaction is over either way */
void state_abort(struct state *s);

/* True when an error was the bound's, and it was raised: do the transaction again. */
bool state_grow(struct state *s, int error);

/* encoded: the envelope as envelope_encode() has it. */
int state_put(struct state *s, const struct envelope *e, const struct buf *encoded,
	      const struct place *place);

/*
 * Notes what became of recipients. *forgotten is true when none is left waiting or held: the
 * message's records are gone, and its body was at *place.
 */
int state_apply(struct state *s, const struct progress *p, bool *forgotten, struct place *place);

/* The first message after that id. */
int state_next(struct state *s, uint64_t after, uint64_t *id);
int state_where(struct state *s, uint64_t id, struct whereabouts *out);
int state_move(struct state *s, uint64_t id, const struct place *place);

/* The message with its recipients as they stand; the caller frees out->envelope. On EBADMSG *fault
 * says what is wrong. */
int state_load(struct state *s, uint64_t id, struct queued *out, const char **fault);

/* Takes a message's records away and keeps what there was of its envelope under `damaged`. */
int state_set_aside(struct state *s, uint64_t id, const char *reason);
int state_counts(struct state *s, size_t *messages, size_t *damaged);

/* An envelope whose place is lost has no entry in `places`: the first such id after that one. */
int state_next_lost(struct state *s, uint64_t after, uint64_t *id);

/* The numbers under `meta`; 0 when there is none. */
int state_number(struct state *s, const char *name, uint64_t *value);
int state_set_number(struct state *s, const char *name, uint64_t value);
/* The highest message id that any record has. */
int state_highest(struct state *s, uint64_t *id);

#endif
