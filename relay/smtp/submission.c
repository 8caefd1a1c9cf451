/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/submission.h"

#include "lib/log.h"
#include "relay/smtp/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As much as the spool is given before it has answered: a batch of it. What is beyond waits here,
 * by turns of the accounts, for a large one's hundred megabytes would be ahead of everybody there.
 */
#define WINDOW_BYTES ((uint64_t)1024 * 1024)

/* What is sent: a small message within the payload, a larger one beside it. */
struct parcel {
	enum message_type type;
	struct buf payload;
	int fd;
};

struct submission {
	struct fair_item turn;     /* first: while it waits to be sent */
	struct connection *client; /* NULL: gone */
	struct envelope *envelope;
	struct parcel parcel; /* until it is sent */
	uint64_t ticket;
	uint64_t held; /* bytes of its body, in the account's name: */
	char charged[TALLY_NAME_MAX + 1];
	char tls[80];
};

static void parcel_clear(struct parcel *p)
{
	buf_free(&p->payload);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* ---- sending ---- */

static void send_waiting(struct acceptor *a)
{
	struct submission *s;

	while (a->spool && a->asked_bytes < WINDOW_BYTES &&
	       (s = (struct submission *)fair_pop(&a->waiting))) {
		a->asked_bytes += s->held;
		channel_send(a->spool, s->parcel.type, s->ticket, &s->parcel.payload, s->parcel.fd);
		s->parcel.fd = -1;
		parcel_clear(&s->parcel);
	}
}

static void wait_for_turn(struct acceptor *a, struct submission *s)
{
	const struct config_account *account = config_account(a->config, s->envelope->account);

	s->ticket = tickets_give(&a->submissions, s);
	fair_push(&a->waiting, &s->turn, turns_account(s->envelope->account),
		  account ? account->weight : 1, fair_cost(s->held));
	send_waiting(a);
}

static void submission_free(struct acceptor *a, struct submission *s)
{
	if (fair_has(&s->turn))
		fair_remove(&a->waiting, &s->turn);
	else
		a->asked_bytes -= s->held;
	parcel_clear(&s->parcel);
	acceptor_release(a, s->charged, s->held);
	envelope_free(s->envelope);
	free(s);
}

/* False when the body was not stored; it is empty afterwards. */
static bool pack(const struct envelope *e, struct body *body, struct parcel *out)
{
	const struct buf *small = body_small(body);

	*out = (struct parcel){.type = MSG_SUBMIT, .payload = BUF_INIT, .fd = -1};
	envelope_encode(e, &out->payload);
	if (small && out->payload.len + small->len <= SUBMIT_SMALL_MAX) {
		struct buf envelope = out->payload;

		out->type = MSG_SUBMIT_SMALL;
		out->payload = (struct buf)BUF_INIT;
		submit_small_encode(&(struct submit_small){.envelope = envelope.data,
							   .envelope_len = envelope.len,
							   .body = buf_str(small),
							   .body_len = small->len},
				    &out->payload);
		buf_free(&envelope);
		body_clear(body);
		return true;
	}
	out->fd = body_finish(body);
	if (out->fd >= 0)
		return true;
	log_error("a message cannot be stored: %s", strerror(errno));
	buf_free(&out->payload);
	return false;
}

struct submission *submission_send(struct acceptor *a, struct connection *c, struct envelope *e,
				   struct body *body, const char *charged, const char *tls)
{
	uint64_t held = body->size;
	struct submission *s;
	struct parcel parcel;

	e->accepted_ms = clock_wall_ms();
	if (!a->spool || !pack(e, body, &parcel)) {
		body_clear(body);
		acceptor_release(a, charged, held);
		envelope_free(e);
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	*s = (struct submission){.client = c, .envelope = e, .parcel = parcel, .held = held};
	snprintf(s->tls, sizeof(s->tls), "%s", tls);
	snprintf(s->charged, sizeof(s->charged), "%s", charged);
	wait_for_turn(a, s);
	return s;
}

void submission_forget_client(struct submission *s)
{
	s->client = NULL;
}

/* How the client was known. */
static void describe(const struct submission *s, char *out, size_t cap)
{
	const struct envelope *e = s->envelope;
	char address[ADDR_STR_MAX];

	addr_format(&e->client, address);
	if (e->flags & ENVELOPE_AUTH)
		snprintf(out, cap, "from %s, logged in as %s, %s", address, e->user, s->tls);
	else
		snprintf(out, cap, "from %s in the account's networks, %s", address,
			 *s->tls ? s->tls : "no TLS");
}

static void tell_report(struct acceptor *a, const struct submission *s, uint64_t message)
{
	const struct envelope *e = s->envelope;
	char detail[512];
	struct event event = {
		.kind = EVENT_RECEIVED,
		.time_ms = e->accepted_ms,
		.message = message,
		.account = e->account,
		.sender = e->sender,
		.subject = e->subject,
		.campaign = e->campaign,
		.tags = e->tags,
		.detail = detail,
		.client = e->client,
		.size = e->size,
	};

	describe(s, detail, sizeof(detail));
	outbox_put(&a->outbox, &event);
	event.kind = EVENT_QUEUED;
	event.detail = "";
	for (size_t i = 0; i < e->recipient_count; i++) {
		event.recipient = (uint32_t)i;
		event.rcpt = e->recipients[i].address;
		outbox_put(&a->outbox, &event);
	}
}

static void settle(struct acceptor *a, struct submission *s, const struct submitted *answer)
{
	struct connection *client = s->client;

	if (answer->status == SUBMIT_KEPT)
		tell_report(a, s, answer->message);
	submission_free(a, s);
	send_waiting(a);
	if (client)
		connection_submitted(client, answer->status, answer->message);
	a->less(a);
}

void submission_answered(struct acceptor *a, const struct message *m)
{
	struct submission *s = tickets_take(&a->submissions, m->id);
	struct submitted answer;

	if (!s) {
		log_error("spool answered for a message that it was not given");
		return;
	}
	if (!submitted_decode(m, &answer)) {
		log_error("spool sent a damaged answer");
		answer = (struct submitted){.status = SUBMIT_ERROR};
	}
	settle(a, s, &answer);
}

void submission_fail_all(struct acceptor *a)
{
	const struct submitted answer = {.status = SUBMIT_ERROR};
	struct submission *s;

	while ((s = tickets_take_any(&a->submissions)))
		settle(a, s, &answer);
}
