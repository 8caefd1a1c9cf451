/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/prepare.h"

#include "lib/log.h"
#include "relay/queue/crew.h"
#include "relay/queue/destination.h"
#include "relay/queue/ledger.h"
#include "relay/queue/mails.h"
#include "relay/queue/parcel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Numbers a PREPARE: unlike others before it, also those to a worker that died. */
static uint64_t last_id;

static void body_free(struct body *b)
{
	if (b->fd >= 0)
		close(b->fd);
	free(b->bytes);
	free(b);
}

void prepare_cancel(struct parcel *p)
{
	struct body *b = p->body;

	if (!b)
		return;
	p->body = NULL;
	if (p->state != PARCEL_SENDING)
		p->destination->ahead--;
	if (p->state == PARCEL_CHOSEN) {
		share_remove(&b->crew->memory, &b->want);
		body_free(b);
	} else if (p->state == PARCEL_PREPARING) {
		b->parcel = NULL; /* the worker has it: freed when it answers */
	} else {
		share_return(&b->crew->memory, b->want.account, b->want.units);
		scheduler_turn();
		body_free(b);
	}
}

/* All that the account has under way: it does not wait for the flood's that is ahead. */
static bool is_alone(const struct body *b)
{
	return share_held(&b->crew->memory, b->want.account) == b->want.units;
}

static void hand_out(struct worker *w, struct body *b)
{
	struct parcel *p = b->parcel;
	const struct mail *m = p->mail;
	struct prepare order = {
		.place = m->place,
		.recipient = mail_is_tracked(m) ? p->first : PREPARE_ALL,
		.seven_bit = b->seven_bit,
		.hurry = is_alone(b),
	};
	struct buf payload = BUF_INIT;

	b->id = ++last_id;
	b->place = m->place;
	b->next = w->bodies;
	w->bodies = b;
	w->busy++;
	w->bytes += b->place.size;
	p->state = PARCEL_PREPARING;
	order.envelope = mail_envelope(m);
	prepare_encode(&order, &payload);
	envelope_free(order.envelope);
	channel_send(w->channel, MSG_PREPARE, b->id, &payload, -1);
	buf_free(&payload);
}

/* As new flows go first in fair queueing (RFC 8290 s. 4.1.1): who has nothing under way takes
 * nobody's turn, for it is given one message. */
static bool goes_express(struct body *b, const struct account *a)
{
	const struct worker *w = &scheduler.express;
	uint64_t size = b->parcel->mail->place.size;

	return w->channel && !w->busy && size <= EXPRESS_BYTES &&
	       share_take(&b->crew->memory, &b->want, a->number, size);
}

void prepare_want(struct parcel *p)
{
	struct body *b = calloc(1, sizeof(*b));
	struct account *a = p->mail->account;

	if (!b)
		abort();
	b->parcel = p;
	b->crew = crew_of(a);
	b->fd = -1;
	b->seven_bit = p->destination->seven_bit;
	p->body = b;
	p->state = PARCEL_CHOSEN;
	p->destination->ahead++;
	if (goes_express(b, a))
		hand_out(&scheduler.express, b);
	else /* what the worker makes is about as large as what it is made of */
		share_want(&b->crew->memory, &b->want, a->number, a->weight, p->mail->place.size);
	scheduler_turn();
}

/* To who has least to do first. */
void prepare_run(void)
{
	for (unsigned busy = 0; busy < WORK_DEPTH; busy++)
		for (size_t i = 0; i < scheduler.worker_count; i++) {
			struct worker *w = &scheduler.workers[i];
			/* What is ahead in a worker is ahead of everybody. */
			bool may = w->busy == busy && (!busy || w->bytes < WORK_BYTES);
			struct body *b = may ? crew_next(w) : NULL;

			if (b)
				hand_out(w, b);
		}
}

/* --- workers --- */

void prepare_worker_up(unsigned index, struct channel *c)
{
	size_t room = sizeof(scheduler.workers) / sizeof(*scheduler.workers);

	if (index == 0) {
		scheduler.express = (struct worker){.channel = c};
		return;
	}
	if (scheduler.worker_count == room) {
		log_error("more than %zu workers: worker %u is left out", room, index);
		return;
	}
	scheduler.workers[scheduler.worker_count++] = (struct worker){.channel = c, .index = index};
	crews_assign();
	scheduler_turn();
}

static struct worker *worker_of(const struct channel *c)
{
	if (scheduler.express.channel == c)
		return &scheduler.express;
	for (size_t i = 0; i < scheduler.worker_count; i++)
		if (scheduler.workers[i].channel == c)
			return &scheduler.workers[i];
	return NULL;
}

/* Its parcels go back to where they came from. */
void prepare_worker_down(struct channel *c)
{
	struct worker *w = worker_of(c);

	if (!w)
		return;
	struct body *bodies = w->bodies;
	if (w == &scheduler.express)
		*w = (struct worker){0};
	else
		*w = scheduler.workers[--scheduler.worker_count];
	crews_assign();
	for (struct body *b = bodies, *next; b; b = next) {
		struct parcel *p = b->parcel;

		next = b->next;
		if (p) {
			/* Detached from the worker, it is given up as if it were made. */
			p->state = PARCEL_PREPARED;
			parcel_again(p);
		} else {
			share_return(&b->crew->memory, b->want.account, b->want.units);
			body_free(b);
		}
	}
	scheduler_turn();
}

static struct body *take_body(struct channel *c, uint64_t id)
{
	struct worker *w = worker_of(c);

	for (struct body **link = w ? &w->bodies : NULL; link && *link; link = &(*link)->next) {
		struct body *b = *link;

		if (b->id != id)
			continue;
		*link = b->next;
		w->busy--;
		w->bytes -= b->place.size;
		return b;
	}
	return NULL;
}

/* Sealed: it cannot shrink under our reads, nor change between two attempts. */
static bool body_sound(int fd, uint64_t size)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK;
	struct stat st;

	return fd >= 0 && (fcntl(fd, F_GET_SEALS) & seals) == seals && fstat(fd, &st) == 0 &&
	       (uint64_t)st.st_size == size;
}

static void tell_not_tracked(const struct parcel *p, const char *why)
{
	if (p->mail->rcpts[p->first].attempts)
		return; /* it was told the first time */
	struct envelope *e = mail_envelope(p->mail);
	const struct event event = {
		.kind = EVENT_NOT_TRACKED,
		.time_ms = clock_wall_ms(),
		.message = e->id,
		.recipient = p->first,
		.account = e->account,
		.sender = e->sender,
		.rcpt = e->recipients[p->first].address,
		.subject = e->subject,
		.campaign = e->campaign,
		.tags = e->tags,
		.detail = (char *)why,
		.size = e->size,
	};
	ledger_event(&event);
	envelope_free(e);
}

/* False when the answer does not hold what it says. */
static bool take_bytes(struct body *b, struct message *m, const struct prepared *answer)
{
	bool small = answer->bytes_len && answer->bytes_len == answer->size;

	if (!small && !body_sound(m->fd, answer->size))
		return false;
	b->size = answer->size;
	b->eight_bit = answer->eight_bit;
	if (!small) {
		b->fd = m->fd;
		m->fd = -1;
		return true;
	}
	b->bytes = malloc(answer->bytes_len);
	if (!b->bytes)
		abort();
	memcpy(b->bytes, answer->bytes, answer->bytes_len);
	return true;
}

static void take_answer(struct parcel *p, struct message *m, const struct prepared *answer)
{
	struct destination *d = p->destination;
	struct body *b = p->body;
	const struct account *a = p->mail->account;

	/* From here on prepare_cancel() may free it. */
	p->state = PARCEL_PREPARED;
	if (answer->status == PREPARED_LATER &&
	    memcmp(&b->place, &p->mail->place, sizeof(b->place))) {
		parcel_again(p); /* the body was moved meanwhile */
	} else if (answer->status == PREPARED_LATER) {
		parcel_put_off(p, answer->reason, "", "");
	} else if (answer->status == PREPARED_NEVER) {
		parcel_refuse(p, answer->reason, "", "");
	} else if (!take_bytes(b, m, answer)) {
		log_error("a worker gave a body that is not sealed, or not %llu bytes long",
			  (unsigned long long)answer->size);
		parcel_put_off(p, "4.3.0 the message could not be prepared", "", "");
	} else {
		if (*answer->reason)
			tell_not_tracked(p, answer->reason);
		destination_make_busy(d);
		fair_push(&d->busy->prepared, &p->turn, a->number, a->weight, fair_cost(b->size));
		destination_touch(d);
	}
}

void prepare_answer(struct channel *c, struct message *m)
{
	struct prepared answer;
	struct body *b = take_body(c, m->id);

	if (!b || !prepared_decode(m, &answer)) {
		log_error("a worker gave an answer that nobody asked for, or a damaged one");
		if (b && b->parcel) {
			b->parcel->state = PARCEL_PREPARED;
			parcel_put_off(b->parcel, "4.3.0 the message could not be prepared", "",
				       "");
		} else if (b) {
			share_return(&b->crew->memory, b->want.account, b->want.units);
			body_free(b);
		}
		return;
	}
	if (b->parcel) {
		take_answer(b->parcel, m, &answer);
	} else {
		share_return(&b->crew->memory, b->want.account, b->want.units);
		body_free(b);
	}
	free(answer.reason);
	scheduler_turn();
}
