/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much one pool may ask of one provider at a time. Pure: the clock and chance are passed in.
 *
 * The number of sessions adapts: it grows by one for each round of deliveries that went well, and
 * is halved by trouble (additive increase, multiplicative decrease: Chiu & Jain 1989). A provider
 * that says 421, or 4.7.x several times in a row, has asked for less: for a while, twice as long
 * each time, no session is opened; those that it still serves go on. Messages have a rate of their
 * own (the generic cell rate algorithm, ITU-T I.371, with a second's worth at once).
 */
#ifndef GATEPOST_RELAY_DELIVER_LIMITS_H
#define GATEPOST_RELAY_DELIVER_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

enum limits_number {
	LIMITS_FIRST = 4,      /* sessions with somebody of whom nothing is known */
	LIMITS_REFUSALS = 3,   /* 4.7.x without a delivery in between make a back-off */
	LIMITS_SHUT_AFTER = 3, /* back-offs in a row, until what waits is put off */
};

struct limits_rules {
	unsigned connections;
	uint32_t rate_count, rate_per_s; /* messages; 0: no bound */
	uint64_t back_off_first_ms, back_off_longest_ms;
};

struct limits {
	unsigned window; /* sessions that it may have now */
	unsigned smooth; /* deliveries since the window grew */
	unsigned refusals;
	unsigned back_offs;       /* in a row */
	uint64_t back_off_end_ms; /* of the caller's clock, which never jumps */
	uint64_t next_us;         /* when the message after the last one was due */
};

enum limits_trouble {
	LIMITS_NO_TROUBLE,
	LIMITS_BUSY,        /* 421 */
	LIMITS_REFUSED,     /* 4.7.x */
	LIMITS_UNREACHABLE, /* no host answered, or a session broke off */
};

void limits_init(struct limits *l, const struct limits_rules *r);
/* The rules are others now. */
void limits_changed(struct limits *l, const struct limits_rules *r);

/* What a peer's reply for now ("450 4.7.1 later") means to its provider. */
enum limits_trouble limits_of_reply(const char *reply);

void limits_delivered(struct limits *l, const struct limits_rules *r);
/* sessions: that go on. random: any 32 bits. True when a back-off began. */
bool limits_troubled(struct limits *l, const struct limits_rules *r, enum limits_trouble t,
		     unsigned sessions, uint64_t now_ms, uint32_t random);
/* An administrator says that it is over. */
void limits_forgive(struct limits *l);

bool limits_backs_off(const struct limits *l, uint64_t now_ms);
/* It goes on for so long that what waits has to be told of it. */
bool limits_shut(const struct limits *l, uint64_t now_ms);

/* May there be one more session beside those? */
bool limits_may_open(const struct limits *l, unsigned sessions, uint64_t now_ms);

/* May a message go now? Then it has gone. Else in how many ms is in *wait_ms. */
bool limits_take(struct limits *l, const struct limits_rules *r, uint64_t now_ms,
		 uint64_t *wait_ms);

/* Nothing would be lost by forgetting it. */
bool limits_blank(const struct limits *l, uint64_t now_ms);

#endif
