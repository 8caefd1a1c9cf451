/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/parcel.h"

#include "relay/deliver/dsn.h"
#include "relay/deliver/route.h"
#include "relay/queue/bounce.h"
#include "relay/queue/destination.h"
#include "relay/queue/ledger.h"
#include "relay/queue/mails.h"
#include "relay/queue/pause.h"
#include "relay/queue/prepare.h"
#include "relay/queue/suppressed.h"
#include "relay/track/idn.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A delay of nothing would let a broken clock or a lying peer make us spin. */
#define WAIT_LEAST_MS 100

/* --- making --- */

/* What stands behind the last @ as DNS knows it; as it stands where DNS knows no such thing. */
static void domain_of(const char *address, char out[DNS_NAME_MAX])
{
	const char *at = strrchr(address, '@');
	struct buf ascii = BUF_INIT;
	size_t n = 0;

	at = at ? at + 1 : "";
	if (idn_to_ascii(at, strlen(at), &ascii) && ascii.len < DNS_NAME_MAX)
		at = buf_str(&ascii);
	for (; *at && n + 1 < DNS_NAME_MAX; at++)
		out[n++] = *at >= 'A' && *at <= 'Z' ? (char)(*at + 'a' - 'A') : *at;
	out[n] = '\0';
	buf_free(&ascii);
}

static struct parcel *parcel_new(struct mail *m, struct destination *d)
{
	struct parcel *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->mail = m;
	p->destination = d;
	p->first = NO_RCPT;
	p->next = m->parcels;
	m->parcels = p;
	d->parcels++;
	return p;
}

/* Recipients are added from the last to the first, so a chain is in the envelope's order. */
static void add_recipient(struct mail *m, const struct envelope *e, uint16_t i)
{
	struct rcpt *r = &m->rcpts[i];
	char domain[DNS_NAME_MAX];

	domain_of(e->recipients[i].address, domain);
	const struct config_pool *pool =
		route_pool(scheduler.process->config, e->account, e->pool, domain);
	/* What leaves by a smart host has one way, whatever its domain. */
	const char *next_hop = pool && *pool->smart_host.host ? pool->smart_host.host : domain;
	struct destination *d = destination_get(next_hop, pool ? pool->name : "");
	struct parcel *p = d->latest == m ? d->latest_parcel : NULL;
	const struct rcpt *other = p ? &m->rcpts[p->first] : NULL;

	if (!p || mail_is_tracked(m) || p->count == COMMAND_RECIPIENTS_MAX ||
	    other->state != r->state || other->attempts != r->attempts) {
		p = parcel_new(m, d);
		p->state = r->state == RECIPIENT_HELD ? PARCEL_HELD : PARCEL_WAITING;
		d->latest = m;
		d->latest_parcel = p;
	}
	r->next = p->first;
	p->first = i;
	p->count++;
}

void parcels_make(struct mail *m)
{
	struct envelope *e = mail_envelope(m);

	for (uint16_t i = m->rcpt_count; i-- > 0;) {
		const struct rcpt *r = &m->rcpts[i];

		if (!r->bouncing && (r->state == RECIPIENT_WAITING || r->state == RECIPIENT_HELD))
			add_recipient(m, e, i);
	}
	envelope_free(e);
	for (struct parcel *p = m->parcels, *next; p; p = next) {
		next = p->next;
		p->destination->latest = NULL;
		if (p->state != PARCEL_HELD)
			parcel_wait(p);
	}
	mail_check(m);
}

/* --- moving --- */

static struct parcel *parcel_due(struct timeline_item *item)
{
	return (struct parcel *)((char *)item - offsetof(struct parcel, due));
}

void parcel_wait(struct parcel *p)
{
	uint64_t next_ms = UINT64_MAX;

	for (uint16_t i = p->first; i != NO_RCPT; i = p->mail->rcpts[i].next)
		if (p->mail->rcpts[i].next_ms < next_ms)
			next_ms = p->mail->rcpts[i].next_ms;
	if (next_ms <= clock_wall_ms()) {
		parcel_ready(p);
		return;
	}
	p->state = PARCEL_WAITING;
	timeline_add(&scheduler.due, &p->due, next_ms);
	scheduler_turn();
}

void parcels_due(void)
{
	uint64_t now_ms = clock_wall_ms();

	for (struct timeline_item *item;
	     (item = timeline_first(&scheduler.due)) && item->at_ms <= now_ms;) {
		timeline_remove(&scheduler.due, item);
		parcel_ready(parcel_due(item));
	}
}

static bool refuse_suppressed(struct parcel *p);

void parcel_ready(struct parcel *p)
{
	struct destination *d = p->destination;
	struct account *a = p->mail->account;

	const char *shut = pause_holds(p) ? NULL : destination_shut(d);

	if (pause_holds(p)) {
		p->state = PARCEL_PAUSED;
		return;
	}
	if (suppressed_any() && refuse_suppressed(p))
		return;
	if (shut) {
		parcel_put_off(p, shut, "", "");
		return;
	}
	p->state = PARCEL_READY;
	destination_make_busy(d);
	fair_push(&d->busy->ready, &p->turn, a->number, a->weight, fair_cost(p->mail->place.size));
	destination_touch(d);
}

void parcel_again(struct parcel *p)
{
	struct destination *d = p->destination;
	struct account *a = p->mail->account;

	parcel_detach(p);
	if (pause_holds(p)) {
		p->state = PARCEL_PAUSED;
		return;
	}
	p->state = PARCEL_READY;
	destination_make_busy(d);
	fair_push_front(&d->busy->ready, &p->turn, a->number, a->weight,
			fair_cost(p->mail->place.size));
	destination_touch(d);
}

void parcel_detach(struct parcel *p)
{
	struct destination *d = p->destination;

	switch (p->state) {
	case PARCEL_WAITING:
		timeline_remove(&scheduler.due, &p->due);
		break;
	case PARCEL_READY:
		fair_remove(&d->busy->ready, &p->turn);
		break;
	case PARCEL_PREPARED:
		fair_remove(&d->busy->prepared, &p->turn);
		break;
	default:
		break;
	}
	if (p->body)
		prepare_cancel(p);
}

void parcel_free(struct parcel *p)
{
	struct parcel **link = &p->mail->parcels;

	parcel_detach(p);
	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	p->destination->parcels--;
	destination_touch(p->destination);
	free(p);
}

/* --- settling --- */

struct settling {
	struct parcel *parcel;
	const struct envelope *envelope;
	const char *host, *peer;
	bool silent;       /* nobody is told of a failure */
	bool peer_reports; /* itself, when it is delivered (RFC 3461) */
	uint64_t now_ms, next_ms;
	struct progress_item *items;
	size_t item_count;
};

static void tell(const struct settling *s, uint32_t i, enum event_kind kind, const char *detail)
{
	const struct envelope *e = s->envelope;
	const struct event event = {
		.kind = (uint8_t)kind,
		.time_ms = s->now_ms,
		.message = e->id,
		.recipient = i,
		.account = e->account,
		.sender = e->sender,
		.rcpt = e->recipients[i].address,
		.subject = e->subject,
		.campaign = e->campaign,
		.tags = e->tags,
		.detail = (char *)detail,
		.peer = (char *)s->peer,
		.size = e->size,
		.took_ms = s->now_ms > e->accepted_ms ? s->now_ms - e->accepted_ms : 0,
	};

	ledger_event(&event);
}

static void add_item(struct settling *s, uint32_t i)
{
	const struct rcpt *r = &s->parcel->mail->rcpts[i];
	struct progress_item *item = &s->items[s->item_count++];

	item->recipient = i;
	item->state = r->state;
	item->attempts = r->attempts;
	item->next_ms = r->next_ms;
	snprintf(item->reply, sizeof(item->reply), "%s", r->reply ? r->reply : "");
}

static void settle_failed(struct settling *s, uint32_t i, const char *reply, enum event_kind kind)
{
	struct mail *m = s->parcel->mail;
	struct rcpt *r = &m->rcpts[i];

	rcpt_set_reply(r, reply);
	tell(s, i, kind, reply);
	/* What a peer refused, or an address that cannot be; not what we could not do. */
	if (kind == EVENT_BOUNCED && !s->silent && !(m->flags & ENVELOPE_OWN) &&
	    (*s->host || strncmp(reply, "5.1.", 4) == 0))
		pause_note(m->account, OUTCOME_BOUNCED);
	if (!s->silent && dsn_wanted(s->envelope, &s->envelope->recipients[i], DSN_FAILED)) {
		r->bouncing = true;
		bounce_add(m, i, s->host, DSN_FAILED);
		return;
	}
	r->state = RECIPIENT_FAILED;
	m->left--;
	add_item(s, i);
}

/* True when it waits for another attempt. */
static bool settle_later(struct settling *s, uint32_t i, const char *reply)
{
	struct mail *m = s->parcel->mail;
	struct rcpt *r = &m->rcpts[i];
	const struct retry_rules rules = scheduler_rules();
	char text[CLIENT_REPLY_MAX + 100];

	if (retry_expired(&rules, m->accepted_ms, s->now_ms)) {
		snprintf(text, sizeof(text), "5.4.7 not delivered within %u s; at last: %.900s",
			 rules.expire_s, reply);
		settle_failed(s, i, text, EVENT_EXPIRED);
		return false;
	}
	/* One time for all, so that they travel together again. */
	if (!s->next_ms) {
		s->next_ms = retry_next_ms(&rules, m->accepted_ms, s->now_ms, r->attempts,
					   random_number());
		if (s->next_ms < s->now_ms + WAIT_LEAST_MS)
			s->next_ms = s->now_ms + WAIT_LEAST_MS;
	}
	r->next_ms = s->next_ms;
	rcpt_set_reply(r, reply);
	tell(s, i, EVENT_DEFERRED, reply);
	add_item(s, i);
	if (dsn_wanted(s->envelope, &s->envelope->recipients[i], DSN_DELAYED) &&
	    retry_tell_delay(&rules, m->accepted_ms, s->now_ms, s->next_ms))
		bounce_add(m, i, s->host, DSN_DELAYED);
	return true;
}

static void settle_delivered(struct settling *s, uint32_t i, const char *reply)
{
	struct mail *m = s->parcel->mail;

	m->rcpts[i].state = RECIPIENT_DELIVERED;
	if (!(m->flags & ENVELOPE_OWN))
		pause_note(m->account, OUTCOME_DELIVERED);
	m->left--;
	rcpt_set_reply(&m->rcpts[i], reply);
	tell(s, i, EVENT_DELIVERED, reply);
	add_item(s, i);
	if (!s->peer_reports && dsn_wanted(s->envelope, &s->envelope->recipients[i], DSN_RELAYED))
		bounce_add(m, i, s->host, DSN_RELAYED);
}

/* True when it waits for another attempt. */
static bool settle_one(struct settling *s, uint32_t i, enum client_outcome outcome,
		       const char *reply)
{
	s->parcel->mail->rcpts[i].attempts++;
	switch (outcome) {
	case CLIENT_DELIVERED:
		settle_delivered(s, i, reply);
		return false;
	case CLIENT_NEVER:
		settle_failed(s, i, reply, EVENT_BOUNCED);
		return false;
	default:
		return settle_later(s, i, reply);
	}
}

/* results: one for each, or one for all. */
static void settle(struct settling s, const struct client_result *results, bool each)
{
	struct parcel *p = s.parcel;
	struct mail *m = p->mail;
	uint16_t *link = &p->first;
	size_t k = 0;

	s.now_ms = clock_wall_ms();
	s.items = calloc(p->count, sizeof(*s.items));
	if (!s.items)
		abort();
	for (uint16_t i = p->first, next; i != NO_RCPT; i = next, k += each) {
		next = m->rcpts[i].next;
		if (settle_one(&s, i, results[k].outcome, results[k].reply)) {
			link = &m->rcpts[i].next;
		} else {
			*link = next;
			m->rcpts[i].next = NO_RCPT;
			p->count--;
		}
	}
	if (s.item_count)
		ledger_progress(m, s.items, s.item_count);
	free(s.items);
	if (p->count) {
		p->state = PARCEL_WAITING;
		timeline_add(&scheduler.due, &p->due, s.next_ms);
		scheduler_turn();
	} else {
		parcel_free(p);
		mail_check(m);
	}
}

/* Those on the account's list have failed, and their sender is told. True when nobody is left: p is
 * gone then. It waits nowhere. */
static bool refuse_suppressed(struct parcel *p)
{
	struct mail *m = p->mail;
	struct settling s = {.parcel = p, .host = "", .peer = "", .now_ms = clock_wall_ms()};
	struct envelope *e;
	char reply[200];

	if (m->flags & ENVELOPE_OWN)
		return false;
	s.envelope = e = mail_envelope(m);
	s.items = calloc(p->count, sizeof(*s.items));
	if (!s.items)
		abort();
	snprintf(reply, sizeof(reply),
		 "5.7.1 the recipient wants no mail of account %.63s (suppression list)",
		 m->account->name);
	for (uint16_t *link = &p->first, i; (i = *link) != NO_RCPT;) {
		struct rcpt *r = &m->rcpts[i];

		if (!suppressed_has(e->account, e->recipients[i].address)) {
			link = &r->next;
			continue;
		}
		*link = r->next;
		r->next = NO_RCPT;
		p->count--;
		settle_failed(&s, i, reply, EVENT_SUPPRESSED);
	}
	if (s.item_count)
		ledger_progress(m, s.items, s.item_count);
	free(s.items);
	envelope_free(e);
	if (p->count)
		return false;
	p->state = PARCEL_HELD; /* in no queue */
	parcel_free(p);
	mail_check(m);
	return true;
}

void parcel_settle(struct parcel *p, const struct envelope *e, const struct client_result *results,
		   const char *host, const char *peer, bool peer_reports)
{
	settle((struct settling){.parcel = p,
				 .envelope = e,
				 .host = host,
				 .peer = peer,
				 .peer_reports = peer_reports},
	       results, true);
}

static void settle_all(struct settling s, enum client_outcome outcome, const char *reply)
{
	struct client_result result = {.outcome = outcome, .reply = (char *)reply};
	struct envelope *e = mail_envelope(s.parcel->mail);

	parcel_detach(s.parcel);
	s.envelope = e;
	settle(s, &result, false);
	envelope_free(e);
}

void parcel_put_off(struct parcel *p, const char *reply, const char *host, const char *peer)
{
	settle_all((struct settling){.parcel = p, .host = host, .peer = peer}, CLIENT_LATER, reply);
}

void parcel_refuse(struct parcel *p, const char *reply, const char *host, const char *peer)
{
	settle_all((struct settling){.parcel = p, .host = host, .peer = peer}, CLIENT_NEVER, reply);
}

void parcel_remove(struct parcel *p)
{
	settle_all((struct settling){.parcel = p, .host = "", .peer = "", .silent = true},
		   CLIENT_NEVER, "5.7.1 removed by an administrator");
}

static void tell_spool(struct parcel *p)
{
	struct settling s = {.parcel = p};

	s.items = calloc(p->count, sizeof(*s.items));
	if (!s.items)
		abort();
	for (uint16_t i = p->first; i != NO_RCPT; i = p->mail->rcpts[i].next)
		add_item(&s, i);
	ledger_progress(p->mail, s.items, s.item_count);
	free(s.items);
}

void parcel_hold(struct parcel *p)
{
	parcel_detach(p);
	p->state = PARCEL_HELD;
	for (uint16_t i = p->first; i != NO_RCPT; i = p->mail->rcpts[i].next)
		p->mail->rcpts[i].state = RECIPIENT_HELD;
	tell_spool(p);
}

void parcel_release(struct parcel *p)
{
	for (uint16_t i = p->first; i != NO_RCPT; i = p->mail->rcpts[i].next)
		p->mail->rcpts[i].state = RECIPIENT_WAITING;
	tell_spool(p);
	parcel_wait(p);
}

void parcel_retry(struct parcel *p)
{
	destination_forget_faults(p->destination);
	if (p->state != PARCEL_WAITING)
		return;
	parcel_detach(p);
	parcel_ready(p);
}

void rcpt_failed(struct mail *m, const uint32_t *recipients, size_t count)
{
	struct progress_item *items = calloc(count, sizeof(*items));

	if (!items)
		abort();
	for (size_t i = 0; i < count; i++) {
		struct rcpt *r = &m->rcpts[recipients[i]];

		r->state = RECIPIENT_FAILED;
		r->bouncing = false;
		m->left--;
		items[i] = (struct progress_item){
			.recipient = recipients[i], .state = r->state, .attempts = r->attempts};
		snprintf(items[i].reply, sizeof(items[i].reply), "%s", r->reply ? r->reply : "");
	}
	ledger_progress(m, items, count);
	free(items);
}

void mail_check(struct mail *m)
{
	if (!m->left && !m->parcels && !m->unconfirmed && !m->bounce)
		mail_free(m);
}
