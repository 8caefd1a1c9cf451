/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every message that the relay's processes send each other, and its payload.
 *
 * Each has a struct, an encoder that fills a buf, and a decoder that fails on anything damaged.
 * Strings and envelopes that a decoder gives are the caller's.
 */
#ifndef GATEPOST_RELAY_MESSAGES_H
#define GATEPOST_RELAY_MESSAGES_H

#include "lib/addr.h"
#include "lib/buf.h"
#include "relay/channel.h"
#include "relay/spool/envelope.h"

#include <stdbool.h>
#include <stdint.h>

enum message_type {
	/* main -> each (process.c handles these) */
	MSG_CONFIG = 1, /* fd: the role's slice of relay.json */
	MSG_PEER,       /* peer; fd: a channel to it */
	MSG_LISTENER,   /* listener; fd: a listening socket */
	MSG_STOP,       /* finish what is under way, then exit */
	/* each -> main */
	MSG_READY,

	/* accept -> auth, auth -> accept */
	MSG_AUTH_ASK,
	MSG_AUTH_ANSWER,

	/* accept, deliver (bounces) -> spool; fd: the message, CRLF lines, dots unstuffed */
	MSG_SUBMIT, /* payload: an encoded envelope */
	/* The same of a small message, its bytes in the payload: no descriptor is made for it. */
	MSG_SUBMIT_SMALL,
	/* spool -> who submitted, once it is on disk or never will be */
	MSG_SUBMITTED,

	/* spool -> deliver, work: a body segment, opened for reading. A second one of the same
	 * number (spool was restarted) takes the first one's place. On another channel a PREPARE
	 * may overtake it: work then answers PREPARED_LATER. */
	MSG_SEGMENT,      /* segment; fd */
	MSG_SEGMENT_GONE, /* segment: nothing lives in it any more, close it */

	/* spool -> deliver: a message with recipients to serve; at start, all of them; and once
	 * more when its body has moved: of a message that is known take the place, nothing else */
	MSG_QUEUED,
	/* deliver -> spool: what became of recipients. The message's last one lets spool forget it.
	 */
	MSG_PROGRESS,
	/* spool -> deliver: the PROGRESS of that id is on disk */
	MSG_PROGRESSED,

	/* deliver -> work: make the bytes that leave */
	MSG_PREPARE,
	/* work -> deliver; fd: a sealed memfd, CRLF lines, dots not stuffed; a small message is in
	 * the payload instead */
	MSG_PREPARED,

	/* accept, deliver, http -> report: an encoded event; id counts up on each channel */
	MSG_EVENT,
	/* report -> whom it came from: all up to this id are in the journal */
	MSG_EVENT_KEPT,

	/* main -> deliver, report: a JSON line of the control socket; and the answer */
	MSG_CONTROL,
	MSG_CONTROL_ANSWER,

	/* spool -> deliver, before the first message: what deliver had sent last, "" for nothing;
	 * and deliver -> spool: keep this (queue/orders.h) */
	MSG_ORDERS,
	/* spool -> deliver: those of that id are on disk */
	MSG_ORDERS_KEPT,
	/* deliver -> main -> accept: u8, 1: take no new mail */
	MSG_DRAIN,

	/* report -> deliver: who gets no mail of whom (report/suppress.h), all of it first */
	MSG_SUPPRESSED,
	/* report -> http: what is shut off (track/shut.h), first of all and when it has changed */
	MSG_SHUT,
};

enum auth_verdict { AUTH_NO, AUTH_YES, AUTH_LATER };

struct auth_ask {
	struct addr source;
	char user[256];
	char password[256];
};

struct auth_answer {
	uint8_t verdict;
	char account[64]; /* when AUTH_YES */
};

enum submit_status { SUBMIT_KEPT, SUBMIT_FULL, SUBMIT_ERROR };

#define SUBMIT_SMALL_MAX ((size_t)64 * 1024) /* bytes of envelope and message */

/* Both point into the message that they were read from. */
struct submit_small {
	const void *envelope, *body;
	size_t envelope_len, body_len;
};

struct submitted {
	uint8_t status;
	uint64_t message; /* its id, when SUBMIT_KEPT */
};

/* Where a body lies. */
struct place {
	uint32_t segment;
	uint64_t offset;
	uint64_t size;
};

struct queued {
	struct place place;
	struct envelope *envelope;
};

struct progress_item {
	uint32_t recipient;
	uint8_t state; /* enum recipient_state */
	uint32_t attempts;
	uint64_t next_ms;
	char reply[ENVELOPE_REPLY_MAX];
};

struct progress {
	uint64_t message;
	struct progress_item *items;
	size_t count;
};

#define PREPARE_ALL UINT32_MAX /* the same bytes for every recipient: nothing is tracked */

struct prepare {
	struct place place;
	uint32_t recipient;
	bool seven_bit; /* for a peer without 8BITMIME */
	bool hurry;     /* before what others have asked for already */
	struct envelope *envelope;
};

enum prepared_status { PREPARED_OK, PREPARED_LATER, PREPARED_NEVER };

#define PREPARED_SMALL_MAX ((size_t)32 * 1024) /* bytes */

struct prepared {
	uint8_t status;
	uint64_t size;
	uint32_t links; /* tracked */
	bool opens;
	bool eight_bit;
	/* A small message itself; a larger one comes as a descriptor. When decoded: in the payload.
	 */
	const void *bytes;
	size_t bytes_len;
	char *reason; /* why it was not tracked, or could not be made; "" for none */
};

void auth_ask_encode(const struct auth_ask *m, struct buf *out);
bool auth_ask_decode(const struct message *in, struct auth_ask *out);
void auth_answer_encode(const struct auth_answer *m, struct buf *out);
bool auth_answer_decode(const struct message *in, struct auth_answer *out);
void submit_small_encode(const struct submit_small *m, struct buf *out);
bool submit_small_decode(const struct message *in, struct submit_small *out);
void submitted_encode(const struct submitted *m, struct buf *out);
bool submitted_decode(const struct message *in, struct submitted *out);
void segment_encode(uint32_t segment, struct buf *out);
bool segment_decode(const struct message *in, uint32_t *segment);
void queued_encode(const struct queued *m, struct buf *out);
bool queued_decode(const struct message *in, struct queued *out);
void progress_encode(const struct progress *m, struct buf *out);
bool progress_decode(const struct message *in, struct progress *out);
void prepare_encode(const struct prepare *m, struct buf *out);
bool prepare_decode(const struct message *in, struct prepare *out);
void prepared_encode(const struct prepared *m, struct buf *out);
bool prepared_decode(const struct message *in, struct prepared *out);

#endif
