/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scheduler's nouns: what the files of the role deliver share. Private to relay/queue/.
 *
 *	mail         a message with recipients to serve
 *	parcel       the recipients of one mail that travel together: one destination, one
 *	             transaction. It waits for its time, for its turn (fair.h) in its destination's
 *	             queue, for memory and a worker to make its bytes (share.h), for a session; is
 *	             sent; and ends, or waits again.
 *	destination  a recipient domain by way of one pool, with its queues, mail hosts and sessions
 *	lane         a provider by way of one pool: the limits that all its destinations share
 *	session      one connection (deliver/client.h), or the attempt at one
 *
 *	  WAITING --time--> READY --turn--> CHOSEN --memory, worker--> PREPARING --> PREPARED
 *	     ^                                                                          |
 *	     +------ refused for now ------ SENDING <------- a session is free ---------+
 *
 * Nothing here calls upwards within a call: whoever changes something touches the destination,
 * and the turn (deliver.c), run once the loop has taken all that came, does what can be done.
 */
#ifndef GATEPOST_RELAY_QUEUE_SCHEDULER_H
#define GATEPOST_RELAY_QUEUE_SCHEDULER_H

#include "lib/table.h"
#include "relay/deliver/client.h"
#include "relay/deliver/outcomes.h"
#include "relay/deliver/ramp.h"
#include "relay/deliver/resolve.h"
#include "relay/process.h"
#include "relay/queue/fair.h"
#include "relay/queue/retry.h"
#include "relay/queue/share.h"
#include "relay/queue/timeline.h"

enum scheduler_limit {
	SESSIONS_MAX = 256, /* connections at a time, all destinations together */
	SESSION_AGE_S = 300,
	SESSION_IDLE_S = 2,
	WORK_DEPTH = 2,                      /* PREPAREs that a worker has at a time */
	WORK_BYTES = 64 * 1024,              /* no further one while it has so much to make */
	EXPRESS_BYTES = 64 * 1024,           /* no larger message goes to the express worker */
	BODIES_BYTES = 48 * 1024 * 1024,     /* made by workers and not sent yet */
	OWN_BODIES_BYTES = 16 * 1024 * 1024, /* the same, by an account's own workers */
	/* What the box may deliver twice when it fails: mails whose result is not on disk yet. */
	UNCONFIRMED_MAX = 256,
	DRAIN_SLICE = 64, /* parcels put off in one turn */
	TARGETS_FRESH_S = 60,
};

struct account {
	uint32_t number;
	unsigned weight;
	struct crew *crew; /* crew.h; NULL: to be found */
	size_t mails;
	bool paused; /* orders.h */
	bool is_suspect;
	struct outcomes outcomes;
	char name[];
};

/* A recipient. Its address is in the mail's envelope. */
struct rcpt {
	char *reply; /* the last one, NULL for none */
	uint64_t next_ms;
	uint32_t attempts;
	uint16_t next; /* in its parcel's chain; NO_RCPT at the end */
	uint8_t state; /* enum recipient_state */
	bool bouncing; /* failed; its sender is being told */
};

#define NO_RCPT UINT16_MAX

enum parcel_state {
	PARCEL_WAITING, /* in the timeline */
	PARCEL_READY,
	PARCEL_CHOSEN,
	PARCEL_PREPARING,
	PARCEL_PREPARED,
	PARCEL_SENDING,
	PARCEL_HELD,
	PARCEL_PAUSED, /* its time has come; its account or destination is paused */
};

struct parcel {
	struct fair_item turn; /* first: in its destination's ready or prepared queue */
	struct timeline_item due;
	struct mail *mail;
	struct destination *destination;
	struct parcel *next; /* of the same mail */
	struct body *body;   /* from CHOSEN to SENDING */
	uint16_t first, count;
	uint8_t state;
};

struct mail {
	struct table_node node; /* first */
	uint64_t id;
	struct place place;
	uint64_t accepted_ms;
	struct account *account;
	struct profile *profile; /* with tail: its envelope, packed (pack.h) */
	char *tail;              /* behind the rcpts */
	uint32_t flags;
	struct parcel *parcels;
	struct bounce *bounce;
	uint32_t unconfirmed; /* PROGRESSes on the way */
	uint16_t rcpt_count;
	uint16_t left; /* recipients without a final state */
	struct rcpt rcpts[];
};

/* The bytes of a parcel, or their making. */
struct body {
	struct share_item want; /* first */
	struct crew *crew;      /* whose memory it takes */
	struct parcel *parcel;  /* NULL: nobody wants it any more */
	struct body *next;      /* of the same worker */
	uint64_t id;            /* of the PREPARE */
	struct place place;     /* where the worker looks */
	int fd;                 /* -1 until PREPARED, and for a small one */
	char *bytes;            /* a small one's; NULL until then, and for others */
	uint64_t size;
	bool eight_bit, seven_bit;
};

struct target {
	struct resolve_target to;
	bool bad; /* did not answer */
};

/* Mail hosts, shared by the sessions that were opened with them. */
struct targets {
	unsigned refs;
	uint64_t at_ms; /* steady */
	size_t count;
	struct target items[];
};

/* What a destination needs while something is to be done for it. The many that only wait for a time
 * share one that is empty. */
struct busy {
	struct destination *destination;
	struct fair ready, prepared;
	struct fair_item opens; /* its turn in the lane for one more session */
	struct fair_item sends; /* and for one more message */
	struct share_item slot; /* its wish for one more session */
};

struct destination {
	struct table_node node; /* first */
	size_t parcels;         /* all that lead here */
	struct busy *busy;
	unsigned ahead; /* CHOSEN, PREPARING, PREPARED */
	struct session *sessions;
	unsigned session_count, session_serial;
	struct lane *lane;       /* NULL until its mail hosts are known */
	bool may_open, may_send; /* the lane gave it that turn */
	struct targets *targets;
	struct resolve_query *query;
	unsigned fails;         /* in a row */
	uint64_t down_until_ms; /* wall clock; 0: it is not down */
	char *why;              /* it failed; NULL for nothing */
	struct destination *touched_next, *drain_next;
	bool is_touched, is_draining;
	bool refuses;        /* while draining: for good */
	bool paused;         /* orders.h */
	bool seven_bit;      /* a peer without 8BITMIME was seen */
	struct mail *latest; /* who put a parcel here last, while its mail is taken in */
	struct parcel *latest_parcel;
	const char *pool; /* its name, "" for none */
	char domain[];    /* lower case; the pool's name behind it */
};

enum session_state {
	SESSION_RESOLVING,
	SESSION_CONNECTING,
	SESSION_IDLE,
	SESSION_SENDING,
	SESSION_CLOSING
};

struct session {
	struct session *next, **link;
	struct destination *destination;
	struct client *client;
	struct lane *lane; /* in whose list it is; NULL before */
	struct session *lane_next, **lane_link;
	struct targets *targets;
	size_t target;
	enum session_state state;
	bool plain; /* TLS was tried and failed */
	bool was_ready;
	uint32_t account; /* whose slot it is */
	unsigned serial, mails;
	uint16_t port;
	const char *policy; /* what asked for its TLS: "dane" */
	uint64_t opened_ms; /* steady */
	uint64_t sent_ms;   /* its mail's beginning, steady; 0 before the first */
	ev_timer idle;
	struct parcel *parcel; /* while SENDING */
	struct envelope *envelope;
	struct client_recipient *recipients;
};

struct worker {
	struct channel *channel;
	struct crew *crew;
	unsigned index, busy;
	uint64_t bytes; /* of the messages that it has */
	struct body *bodies;
};

struct scheduler {
	struct process *process;
	struct ev_loop *loop;
	struct dns *dns;
	struct resolver resolver;
	struct tls_client *tls, *trusted; /* trusted: verifies; NULL without authorities */
	struct sts_cache *sts;
	struct channel *spool, *report;
	struct worker express; /* process 0 of work, see prepare.h; without a channel: not there */
	struct worker workers[CONFIG_WORKERS_MAX];
	size_t worker_count;
	struct share slots; /* of sessions */
	struct ramp ramp;
	struct timeline due;
	ev_timer due_timer;
	ev_idle turn; /* never started, only fed */
	ev_timer drain_timer;
	struct destination *touched, *draining;
	bool stopping;
};

extern struct scheduler scheduler;

/* Has the turn run before the loop waits again. */
void scheduler_turn(void);
struct retry_rules scheduler_rules(void);

/* Any 32 bits. */
uint32_t random_number(void);

#endif
