/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/session_state.h"

#include <stdio.h>
#include <string.h>

/* ---- MAIL, RCPT ---- */

/* What is thrown away of a message that is too large, before its sender is cut off. */
#define SKIP_BYTES_MAX ((uint64_t)64 * 1024 * 1024)

/* Says it to the client, and to the log of events. */
static void refuse(struct session *s, const char *sender, const char *rcpt, const struct refusal *r)
{
	const struct envelope *e = s->mail.envelope;
	char text[sizeof(r->text) + 16];

	snprintf(text, sizeof(text), "%s %s", r->status, r->text);
	s->owner->rejected(s->arg, e ? e->account : r->account, sender, rcpt, text);
	session_reply(s, r->status, "%s", r->text);
}

void session_mail(struct session *s, const struct command *c)
{
	const struct client client = {.address = s->client, .account = s->account};
	const struct config_account *a;
	struct refusal r;

	if (!transaction_mail(&s->mail, s->config, &client, c, &r)) {
		refuse(s, c->mailbox.text, "", &r);
		return;
	}
	a = config_account(s->config, s->mail.envelope->account);
	r.status = s->owner->admit(s->arg, a, r.text, sizeof(r.text));
	if (r.status) {
		refuse(s, c->mailbox.text, "", &r);
		transaction_clear(&s->mail);
		if (memcmp(r.status, "421", 3) == 0)
			session_close(s);
		return;
	}
	s->state = STATE_MAIL;
	session_reply(s, "250", "2.1.0 the sender is fine");
}

/* ---- an account's rate ---- */

void session_refund(struct session *s)
{
	const struct config_account *a =
		s->charged_for ? config_account(s->config, s->charged) : NULL;

	if (a)
		s->owner->refund(s->arg, a, s->charged_for);
	s->charged_for = 0;
}

/* False, with the refusal, when the account may send to no more for now. */
static bool charge(struct session *s, const char *account, size_t recipients, struct refusal *r)
{
	const struct config_account *a = config_account(s->config, account);

	r->status =
		!a ? NULL
		   : s->owner->charge(s->arg, a, (unsigned)recipients, r->text, sizeof(r->text));
	if (r->status)
		return false;
	snprintf(s->charged, sizeof(s->charged), "%s", account);
	s->charged_for += (unsigned)recipients;
	return true;
}

/* The header's From may have chosen another account than the one that was charged. */
static bool charge_rightly(struct session *s, struct refusal *r)
{
	const struct envelope *e = s->mail.envelope;

	if (strcmp(s->charged, e->account) == 0)
		return true;
	session_refund(s);
	return charge(s, e->account, e->recipient_count, r);
}

void session_rcpt(struct session *s, const struct command *c)
{
	const struct envelope *e = s->mail.envelope;
	size_t before = e->recipient_count;
	struct refusal r;

	if (!transaction_rcpt(&s->mail, s->config, c, &r)) {
		refuse(s, e->sender, c->mailbox.text, &r);
		return;
	}
	if (e->recipient_count > before && !charge(s, e->account, 1, &r)) {
		transaction_drop_last(&s->mail);
		refuse(s, e->sender, c->mailbox.text, &r);
		return;
	}
	s->state = STATE_RCPT;
	session_reply(s, "250", "2.1.5 the recipient is fine");
}

/* ---- the message ---- */

static void store_body(void *arg, const char *bytes, size_t n)
{
	struct session *s = arg;

	s->owner->body(s->arg, bytes, n);
}

/* False when a reload took the account away meanwhile. */
static bool begin_body(struct session *s, bool chunks)
{
	uint64_t size_max = transaction_size_max(&s->mail, s->config);

	if (size_max == 0)
		return false;
	data_begin(&s->mail.data, chunks, size_max, store_body, s);
	s->skipped = 0;
	s->owner->body_begin(s->arg);
	return true;
}

void session_data(struct session *s, const struct command *c)
{
	(void)c;
	if (!begin_body(s, false)) {
		session_reply(s, "451 4.7.1", "the account is not there any more");
		session_forget_mail(s);
		return;
	}
	s->state = STATE_DATA;
	session_reply(s, "354", "end the message with a dot alone on a line");
}

/* Everything is there: it is refused now, or handed to the spool. */
static void finish(struct session *s)
{
	const struct client client = {.address = s->client, .account = s->account};
	struct envelope *e = s->mail.envelope;
	struct refusal r;

	s->state = STATE_READY;
	if (!transaction_finish(&s->mail, s->config, &client, &r) || !charge_rightly(s, &r)) {
		refuse(s, e->sender, e->recipients[0].address, &r);
		session_forget_mail(s);
		return;
	}
	e->client = s->client;
	e->flags |= (s->tls ? ENVELOPE_TLS : 0) | (s->account[0] ? ENVELOPE_AUTH : 0);
	envelope_set(&e->helo, s->helo);
	envelope_set(&e->user, s->user);
	s->want = SESSION_SUBMIT;
}

struct envelope *session_take_envelope(struct session *s)
{
	struct envelope *e = s->mail.envelope;

	s->mail.envelope = NULL;
	return e;
}

void session_submitted(struct session *s, enum submit_status status, uint64_t message)
{
	char id[MESSAGE_ID_STR_MAX];

	if (s->want != SESSION_SUBMIT)
		return;
	if (status == SUBMIT_KEPT)
		s->charged_for = 0;
	session_forget_mail(s);
	s->want = SESSION_INPUT;
	switch (status) {
	case SUBMIT_KEPT:
		s->errors = s->idle_commands = 0;
		session_reply(s, "250", "2.0.0 kept as %s", message_id_format(message, id));
		break;
	case SUBMIT_FULL:
		session_reply(s, "452", "4.3.1 the queue is full: try again later");
		break;
	default:
		session_reply(s, "451", "4.3.0 the message could not be stored: try again later");
		break;
	}
}

static void close_if_endless(struct session *s)
{
	const struct data *d = &s->mail.data;

	if (d->fault && s->skipped > SKIP_BYTES_MAX) {
		char text[DATA_TEXT_MAX];

		session_reply(s, data_refusal(d, text), "%s", text);
		session_end(s, "4.3.0 the message does not end");
	}
}

size_t session_input_data(struct session *s, const char *bytes, size_t n)
{
	bool ended;
	size_t used = data_dot(&s->mail.data, bytes, n, &ended);

	if (s->mail.data.fault)
		s->skipped += used;
	if (ended)
		finish(s);
	else
		close_if_endless(s);
	return used;
}

/* A chunk's bytes follow its command whatever the answer is, so a refused one is read as well. */
static void skip_chunk(struct session *s, uint64_t size, const char *status, const char *text)
{
	session_reply(s, status, "%s", text);
	s->skipped += size;
	if (s->skipped > SKIP_BYTES_MAX || s->skipped < size) {
		session_end(s, "4.3.0 the chunk is too large to be read past");
		return;
	}
	session_forget_mail(s);
	s->chunk_left = size;
	if (size)
		s->state = STATE_SKIP;
}

void session_early_bdat(struct session *s, const struct command *c)
{
	skip_chunk(s, c->size, "503 5.5.1", "MAIL and RCPT come first");
}

static void chunk_done(struct session *s)
{
	if (s->last_chunk) {
		data_last(&s->mail.data);
		finish(s);
		return;
	}
	s->state = STATE_CHUNKS;
	session_reply(s, "250", "2.0.0 the chunk is taken");
}

void session_bdat(struct session *s, const struct command *c)
{
	const struct data *d = &s->mail.data;
	char text[DATA_TEXT_MAX];

	if (s->state != STATE_CHUNKS && !begin_body(s, true)) {
		skip_chunk(s, c->size, "451 4.7.1", "the account is not there any more");
		return;
	}
	if (c->size > d->size_max || d->size > d->size_max - c->size) {
		snprintf(text, sizeof(text), DATA_TOO_LARGE_FORMAT, d->size_max);
		skip_chunk(s, c->size, "552 5.3.4", text);
		return;
	}
	s->chunk_left = c->size;
	s->last_chunk = c->last;
	s->state = STATE_CHUNK;
	if (c->size == 0)
		chunk_done(s);
}

size_t session_input_chunk(struct session *s, const char *bytes, size_t n)
{
	if (n > s->chunk_left)
		n = (size_t)s->chunk_left;
	data_chunk(&s->mail.data, bytes, n);
	s->chunk_left -= n;
	if (s->chunk_left == 0)
		chunk_done(s);
	return n;
}

size_t session_input_skip(struct session *s, const char *bytes, size_t n)
{
	(void)bytes;
	if (n > s->chunk_left)
		n = (size_t)s->chunk_left;
	s->chunk_left -= n;
	if (s->chunk_left == 0)
		s->state = *s->helo ? STATE_READY : STATE_START;
	return n;
}
