/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mail's bounce gathers its failed recipients for a moment, is submitted, and is done with when
 * spool has it. A thousand mails may fail at once (a domain that is gone): they are told a few at
 * a time, in the order in which they failed.
 */
#include "relay/queue/bounce.h"

#include "lib/log.h"
#include "relay/queue/ledger.h"
#include "relay/queue/mails.h"
#include "relay/queue/notice.h"
#include "relay/queue/parcel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Recipients that fail within the first share a report; a refused one is offered again. */
#define GATHER_S    0.1
#define TRY_AGAIN_S 5.0
#define NEXT_S      0.005

enum { SUBMITTED_MAX = 32 };

struct list {
	struct notice_about *items;
	size_t count;
};

struct bounce {
	struct bounce *next, **link;
	struct mail *mail;
	struct list failed;
	struct list told[DSN_ACTIONS]; /* late, relayed: told once, nothing depends on it */
	size_t submitted; /* the first so many of the failed are in a report on its way to spool */
	uint64_t id;      /* of that SUBMIT */
};

struct bounces {
	struct bounce *head, **tail;
	size_t count;
};

static struct bounces gathering = {.tail = &gathering.head};
static struct bounces submitted = {.tail = &submitted.head};
static uint64_t last_id;
static ev_timer timer;

static void bounces_add(struct bounces *to, struct bounce *b)
{
	b->next = NULL;
	b->link = to->tail;
	*to->tail = b;
	to->tail = &b->next;
	to->count++;
}

static void bounces_remove(struct bounces *from, struct bounce *b)
{
	*b->link = b->next;
	if (b->next)
		b->next->link = b->link;
	else
		from->tail = b->link;
	from->count--;
}

static void list_add(struct list *l, uint32_t recipient, const char *host)
{
	l->items = realloc(l->items, (l->count + 1) * sizeof(*l->items));
	if (!l->items)
		abort();
	l->items[l->count] = (struct notice_about){recipient, strdup(host)};
	if (!l->items[l->count++].host)
		abort();
}

/* Forgets the first n. */
static void list_drop(struct list *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(l->items[i].host);
	l->count -= n;
	if (l->count)
		memmove(l->items, l->items + n, l->count * sizeof(*l->items));
}

static void start_timer(double after)
{
	if (ev_is_active(&timer))
		return;
	ev_timer_set(&timer, after, 0.);
	ev_timer_start(scheduler.loop, &timer);
}

/* --- to spool --- */

static bool submit(struct bounce *b, enum dsn_action action, const struct list *l)
{
	struct buf payload = BUF_INIT;
	int fd = notice_make(b->mail, action, l->items, l->count, &payload);

	if (fd < 0)
		log_error("no memory for a delivery report: %s", strerror(errno));
	else
		channel_send(scheduler.spool, MSG_SUBMIT, ++last_id, &payload, fd);
	buf_free(&payload);
	return fd >= 0;
}

static void bounce_free(struct bounce *b)
{
	struct mail *m = b->mail;

	list_drop(&b->failed, b->failed.count);
	free(b->failed.items);
	for (size_t i = 0; i < DSN_ACTIONS; i++) {
		list_drop(&b->told[i], b->told[i].count);
		free(b->told[i].items);
	}
	free(b);
	m->bounce = NULL;
	mail_check(m);
}

/* What is late or passed on is told once and forgotten; what failed waits for spool's word. */
static void tell_sender(struct bounce *b)
{
	for (unsigned i = 0; i < DSN_ACTIONS; i++) {
		if (b->told[i].count)
			submit(b, i, &b->told[i]);
		list_drop(&b->told[i], b->told[i].count);
	}
	bounces_remove(&gathering, b);
	if (!b->failed.count) {
		bounce_free(b);
	} else if (submit(b, DSN_FAILED, &b->failed)) {
		b->submitted = b->failed.count;
		b->id = last_id;
		bounces_add(&submitted, b);
	} else {
		bounces_add(&gathering, b);
	}
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	for (size_t left = gathering.count;
	     left && scheduler.spool && !scheduler.stopping && submitted.count < SUBMITTED_MAX;
	     left--)
		tell_sender(gathering.head);
	if (gathering.count)
		start_timer(scheduler.spool ? NEXT_S : TRY_AGAIN_S);
}

/* --- what comes and goes --- */

void bounce_add(struct mail *m, uint32_t recipient, const char *host, enum dsn_action action)
{
	if (!m->bounce) {
		m->bounce = calloc(1, sizeof(*m->bounce));
		if (!m->bounce)
			abort();
		m->bounce->mail = m;
		bounces_add(&gathering, m->bounce);
	}
	list_add(action == DSN_FAILED ? &m->bounce->failed : &m->bounce->told[action], recipient,
		 host);
	ev_set_cb(&timer, on_timer);
	start_timer(GATHER_S);
}

static void tell_report(const struct bounce *b, uint64_t message)
{
	struct envelope *e = mail_envelope(b->mail);
	char id[MESSAGE_ID_STR_MAX];
	struct buf detail = BUF_INIT;

	buf_printf(&detail, "report on %s", message_id_format(b->mail->id, id));
	const struct event event = {
		.kind = EVENT_QUEUED,
		.time_ms = clock_wall_ms(),
		.message = message,
		.account = e->account,
		.rcpt = e->sender,
		.subject = (char *)dsn_subject(DSN_FAILED),
		.detail = detail.data,
	};
	ledger_event(&event);
	buf_free(&detail);
	envelope_free(e);
}

/* The report is on disk: its recipients have failed. */
static void kept(struct bounce *b, uint64_t message)
{
	uint32_t *recipients = calloc(b->submitted, sizeof(*recipients));

	if (!recipients)
		abort();
	for (size_t i = 0; i < b->submitted; i++)
		recipients[i] = b->failed.items[i].recipient;
	tell_report(b, message);
	rcpt_failed(b->mail, recipients, b->submitted);
	free(recipients);
	list_drop(&b->failed, b->submitted);
	b->submitted = 0;
}

void bounce_submitted(const struct message *in)
{
	struct submitted answer;
	struct bounce *b = submitted.head;

	while (b && b->id != in->id)
		b = b->next;
	if (!submitted_decode(in, &answer)) {
		log_error("spool gave a damaged answer");
		return;
	}
	if (!b)
		return; /* a report on what is only late, or passed on */
	bounces_remove(&submitted, b);
	if (answer.status == SUBMIT_KEPT) {
		kept(b, answer.message);
	} else {
		log_warn("spool did not take a delivery report%s; offering it again",
			 answer.status == SUBMIT_FULL ? " (the disk is full)" : "");
		b->submitted = 0;
	}
	bool more = b->failed.count;
	for (size_t i = 0; i < DSN_ACTIONS; i++)
		more = more || b->told[i].count;
	if (more) {
		bounces_add(&gathering, b);
		start_timer(answer.status == SUBMIT_KEPT ? NEXT_S : TRY_AGAIN_S);
	} else {
		bounce_free(b);
	}
}

void bounce_spool_down(void)
{
	for (struct bounce *b; (b = submitted.head);) {
		bounces_remove(&submitted, b);
		b->submitted = 0;
		bounces_add(&gathering, b);
	}
	if (gathering.count)
		start_timer(TRY_AGAIN_S);
}

size_t bounce_count(void)
{
	return gathering.count + submitted.count;
}
