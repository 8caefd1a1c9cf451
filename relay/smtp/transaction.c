/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/transaction.h"

#include "relay/smtp/pin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool refuse(struct refusal *r, const char *status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool refuse(struct refusal *r, const char *status, const char *format, ...)
{
	va_list ap;

	r->status = status;
	r->account = "";
	va_start(ap, format);
	vsnprintf(r->text, sizeof(r->text), format, ap);
	va_end(ap);
	return false;
}

static bool too_large(struct refusal *r, const struct config_account *a, uint64_t size)
{
	return refuse(r, "552 5.3.4",
		      "%" PRIu64 " bytes: account %s may send messages of at most %" PRIu64, size,
		      a->name, a->message_size_max);
}

static bool unidentified(struct refusal *r, const struct identified *who)
{
	refuse(r, who->status, "%s", who->text);
	if (who->known)
		r->account = who->known->name;
	return false;
}

static bool paused(struct refusal *r, const struct config_account *a)
{
	refuse(r, "450 4.7.1", "account %s is paused by its operator: try again later", a->name);
	r->account = a->name;
	return false;
}

/* UTF-8 in an address needs a client that said so (RFC 6531 §3.5). */
static bool utf8_fits(const struct command *c, bool declared, struct refusal *r)
{
	char quoted[COMMAND_QUOTE_MAX];

	if (!c->mailbox.utf8 || declared)
		return true;
	return refuse(r, "553 5.6.7",
		      "%s: an address beyond ASCII needs the parameter SMTPUTF8 on MAIL",
		      command_quote(quoted, c->mailbox.text, strlen(c->mailbox.text)));
}

bool transaction_mail(struct transaction *t, const struct relay_config *config,
		      const struct client *client, const struct command *mail, struct refusal *r)
{
	struct identified who;
	struct envelope *e;

	if (!utf8_fits(mail, mail->smtputf8, r))
		return false;
	identify(config, client, &mail->mailbox, NULL, &who);
	if (!who.account)
		return unidentified(r, &who);
	if (who.account->paused)
		return paused(r, who.account);
	if (mail->has_size && mail->size > who.account->message_size_max)
		return too_large(r, who.account, mail->size);

	transaction_clear(t);
	t->sender = mail->mailbox;
	t->envelope = e = envelope_new();
	envelope_set(&e->sender, mail->mailbox.text);
	envelope_set(&e->envid, mail->envid);
	envelope_set(&e->account, who.account->name);
	e->flags =
		(mail->smtputf8 ? ENVELOPE_SMTPUTF8 : 0) | (mail->ret_hdrs ? ENVELOPE_RET_HDRS : 0);
	return true;
}

/* Same mailbox: the local part to the letter, the domain in any case. */
static bool has_recipient(const struct envelope *e, const char *address)
{
	size_t at = (size_t)(strrchr(address, '@') - address);

	for (size_t i = 0; i < e->recipient_count; i++) {
		const char *other = e->recipients[i].address;

		if (strncmp(other, address, at) == 0 && strcasecmp(other + at, address + at) == 0)
			return true;
	}
	return false;
}

bool transaction_rcpt(struct transaction *t, const struct relay_config *config,
		      const struct command *rcpt, struct refusal *r)
{
	const struct config_account *a = config_account(config, t->envelope->account);
	char address[ENVELOPE_ADDRESS_MAX + 1];
	struct recipient *added;

	if (!a)
		return refuse(r, "451 4.7.1", "account %s is not there any more",
			      t->envelope->account);
	if (!utf8_fits(rcpt, t->envelope->flags & ENVELOPE_SMTPUTF8, r))
		return false;
	snprintf(address, sizeof(address), "%s%s%s", rcpt->mailbox.text,
		 *mailbox_domain(&rcpt->mailbox) ? "" : "@",
		 *mailbox_domain(&rcpt->mailbox) ? "" : config->host_name);
	if (has_recipient(t->envelope, address))
		return true;
	if (t->envelope->recipient_count >= a->recipients_max ||
	    t->envelope->recipient_count >= ENVELOPE_RECIPIENTS_MAX)
		return refuse(r, "452 4.5.3",
			      "a message of account %s may have %u recipients: send the others "
			      "theirs in another one",
			      a->name, a->recipients_max);
	added = envelope_add_recipient(t->envelope, address);
	added->notify = rcpt->notify;
	envelope_set(&added->orcpt, rcpt->orcpt);
	return true;
}

void transaction_drop_last(struct transaction *t)
{
	struct envelope *e = t->envelope;
	struct recipient *r = &e->recipients[--e->recipient_count];

	free(r->address);
	free(r->orcpt);
	free(r->reply);
}

uint64_t transaction_size_max(const struct transaction *t, const struct relay_config *config)
{
	const struct config_account *a = config_account(config, t->envelope->account);

	return a ? a->message_size_max : 0;
}

bool transaction_finish(struct transaction *t, const struct relay_config *config,
			const struct client *client, struct refusal *r)
{
	struct envelope *e = t->envelope;
	char text[DATA_TEXT_MAX];
	const char *status = data_refusal(&t->data, text);
	struct identified who;
	struct header h;

	if (status)
		return refuse(r, status, "%s", text);
	header_read(buf_str(&t->data.header), t->data.header.len, &h);
	if (h.status)
		return refuse(r, h.status, "%s", h.text);
	identify(config, client, &t->sender, &h.from, &who);
	if (!who.account)
		return unidentified(r, &who);
	if (who.account->paused)
		return paused(r, who.account);
	if (t->data.size > who.account->message_size_max)
		return too_large(r, who.account, t->data.size);

	envelope_set(&e->account, who.account->name);
	envelope_set(&e->header_from, h.from.text);
	envelope_set(&e->subject, h.subject);
	envelope_set(&e->message_id, h.message_id);
	envelope_set(&e->pool, who.account->pool);
	e->size = t->data.size;
	e->flags |= t->data.eight_bit ? ENVELOPE_8BIT : 0;
	pin_tracking(e, config, who.account, &h, &t->data.header);
	pin_signing(e, who.account, &h);
	return true;
}

void transaction_clear(struct transaction *t)
{
	envelope_free(t->envelope);
	t->envelope = NULL;
}

void transaction_free(struct transaction *t)
{
	transaction_clear(t);
	data_free(&t->data);
}
