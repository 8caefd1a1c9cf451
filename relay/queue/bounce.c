/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/bounce.h"

#include "lib/log.h"
#include "relay/deliver/dsn.h"
#include "relay/deliver/route.h"
#include "relay/queue/ledger.h"
#include "relay/queue/mails.h"
#include "relay/queue/parcel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Recipients that fail within the first share a report; a refused one is offered again. */
#define GATHER_S    0.1
#define TRY_AGAIN_S 5.0

struct failure {
	uint32_t recipient;
	char *host;
};

struct bounce {
	struct bounce *next, **link;
	struct mail *mail;
	struct failure *failures;
	size_t count;
	size_t submitted; /* the first so many are in a report on its way to spool */
	uint64_t id;      /* of that SUBMIT */
	char message_id[320];
};

struct segment {
	uint32_t number;
	int fd;
};

static struct bounce *bounces;
static size_t bounces_count;
static uint64_t last_id;
static ev_timer timer;
static struct segment *segments;
static size_t segment_count;

/* --- segments --- */

static struct segment *segment_of(uint32_t number)
{
	for (size_t i = 0; i < segment_count; i++)
		if (segments[i].number == number)
			return &segments[i];
	return NULL;
}

void bounce_segment(const struct message *m)
{
	uint32_t number;
	int fd = m->fd >= 0 ? dup(m->fd) : -1;

	if (!segment_decode(m, &number) || fd < 0) {
		log_error("spool sent a damaged segment");
		if (fd >= 0)
			close(fd);
		return;
	}
	struct segment *s = segment_of(number);
	if (s) {
		close(s->fd);
		s->fd = fd;
		return;
	}
	s = realloc(segments, (segment_count + 1) * sizeof(*segments));
	if (!s)
		abort();
	segments = s;
	segments[segment_count++] = (struct segment){number, fd};
}

void bounce_segment_gone(const struct message *m)
{
	uint32_t number;
	struct segment *s = segment_decode(m, &number) ? segment_of(number) : NULL;

	if (!s)
		return;
	close(s->fd);
	*s = segments[--segment_count];
}

/* The beginning of the mail, up to the empty line behind its header. */
static void read_header(const struct place *place, struct buf *out)
{
	const struct segment *s = segment_of(place->segment);
	size_t want = place->size < DSN_HEADER_MAX ? (size_t)place->size : DSN_HEADER_MAX;

	if (!s || !want)
		return;
	buf_reserve(out, want);
	ssize_t got = pread(s->fd, out->data, want, (off_t)place->offset);
	if (got <= 0)
		return;
	const char *end = memmem(out->data, (size_t)got, "\r\n\r\n", 4);
	out->len = end ? (size_t)(end - out->data) + 2 : (size_t)got;
	out->data[out->len] = '\0';
}

/* --- the report --- */

static struct dsn_recipient *describe(const struct bounce *b, const struct envelope *e)
{
	struct dsn_recipient *r = calloc(b->count, sizeof(*r));

	if (!r)
		abort();
	for (size_t i = 0; i < b->count; i++) {
		const struct recipient *from = &e->recipients[b->failures[i].recipient];
		const char *reply = b->mail->rcpts[b->failures[i].recipient].reply;

		r[i] = (struct dsn_recipient){.address = from->address,
					      .orcpt = from->orcpt,
					      .reply = reply ? reply : "",
					      .host = b->failures[i].host};
	}
	return r;
}

static const char *our_host(const struct envelope *e)
{
	const struct relay_config *c = scheduler.process->config;

	return route_host_name(c, *e->pool ? config_pool(c, e->pool) : NULL);
}

static void make(struct bounce *b, const struct envelope *e, struct buf *out, bool *eight_bit)
{
	struct buf header = BUF_INIT;
	struct dsn_recipient *recipients = describe(b, e);

	read_header(&b->mail->place, &header);
	snprintf(b->message_id, sizeof(b->message_id), "%08x%08x%08x%08x@%s", random_number(),
		 random_number(), random_number(), random_number(), our_host(e));
	const struct dsn d = {
		.action = DSN_FAILED,
		.host = our_host(e),
		.original = e,
		.now_ms = clock_wall_ms(),
		.message_id = b->message_id,
		.header = buf_str(&header),
		.header_len = header.len,
		.recipients = recipients,
		.recipient_count = b->count,
	};
	*eight_bit = dsn_make(&d, out);
	free(recipients);
	buf_free(&header);
}

static bool ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s > 127)
			return false;
	return true;
}

/* It goes to the sender from nobody, so that it can never come back (RFC 5321 §4.5.5). */
static struct envelope *address(const struct bounce *b, const struct envelope *original,
				size_t size, bool eight_bit)
{
	struct envelope *e = envelope_new();
	struct buf text = BUF_INIT;

	e->accepted_ms = clock_wall_ms();
	e->flags = ENVELOPE_OWN | (eight_bit ? ENVELOPE_8BIT : 0);
	/* Only its To field can need that. */
	if (!ascii(original->sender))
		e->flags |= ENVELOPE_SMTPUTF8;
	e->size = size;
	envelope_set(&e->account, original->account);
	envelope_set(&e->pool, original->pool);
	envelope_set(&e->subject, "Undelivered mail returned to sender");
	buf_printf(&text, "MAILER-DAEMON@%.250s", our_host(original));
	envelope_set(&e->header_from, buf_str(&text));
	buf_clear(&text);
	buf_printf(&text, "<%s>", b->message_id);
	envelope_set(&e->message_id, buf_str(&text));
	buf_free(&text);
	envelope_add_recipient(e, original->sender)->notify = NOTIFY_NEVER;
	return e;
}

static int to_memfd(const struct buf *text)
{
	int fd = memfd_create("report", MFD_CLOEXEC);

	for (size_t at = 0; fd >= 0 && at < text->len;) {
		ssize_t n = write(fd, text->data + at, text->len - at);

		if (n <= 0) {
			close(fd);
			return -1;
		}
		at += (size_t)n;
	}
	return fd;
}

static void submit(struct bounce *b)
{
	struct envelope *original = mail_envelope(b->mail);
	struct buf text = BUF_INIT, payload = BUF_INIT;
	bool eight_bit;

	make(b, original, &text, &eight_bit);
	int fd = to_memfd(&text);
	if (fd < 0) {
		log_error("no memory for a delivery report: %s", strerror(errno));
		goto out;
	}
	struct envelope *e = address(b, original, text.len, eight_bit);
	envelope_encode(e, &payload);
	envelope_free(e);
	b->id = ++last_id;
	b->submitted = b->count;
	channel_send(scheduler.spool, MSG_SUBMIT, b->id, &payload, fd);
out:
	buf_free(&payload);
	buf_free(&text);
	envelope_free(original);
}

static void start_timer(double after)
{
	if (ev_is_active(&timer))
		return;
	ev_timer_set(&timer, after, 0.);
	ev_timer_start(scheduler.loop, &timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	bool left = false;

	(void)loop;
	(void)w;
	(void)revents;
	for (struct bounce *b = bounces; b; b = b->next) {
		if (!b->submitted && scheduler.spool)
			submit(b);
		left |= !b->submitted;
	}
	if (left)
		start_timer(TRY_AGAIN_S);
}

/* --- what comes and goes --- */

static struct bounce *bounce_of(struct mail *m)
{
	struct bounce *b = m->bounce;

	if (b)
		return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->mail = m;
	b->next = bounces;
	b->link = &bounces;
	if (b->next)
		b->next->link = &b->next;
	bounces = b;
	m->bounce = b;
	bounces_count++;
	return b;
}

void bounce_add(struct mail *m, uint32_t recipient, const char *host)
{
	struct bounce *b = bounce_of(m);

	b->failures = realloc(b->failures, (b->count + 1) * sizeof(*b->failures));
	if (!b->failures)
		abort();
	b->failures[b->count++] = (struct failure){recipient, strdup(host)};
	ev_set_cb(&timer, on_timer);
	start_timer(GATHER_S);
}

static void bounce_free(struct bounce *b)
{
	*b->link = b->next;
	if (b->next)
		b->next->link = b->link;
	for (size_t i = 0; i < b->count; i++)
		free(b->failures[i].host);
	free(b->failures);
	b->mail->bounce = NULL;
	bounces_count--;
	free(b);
}

static void tell(const struct bounce *b, uint64_t message)
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
		.subject = "Undelivered mail returned to sender",
		.detail = detail.data,
	};
	ledger_event(&event);
	buf_free(&detail);
	envelope_free(e);
}

/* The report is on disk: its recipients have failed. */
static void kept(struct bounce *b, uint64_t message)
{
	struct mail *m = b->mail;
	uint32_t *recipients = calloc(b->submitted, sizeof(*recipients));

	if (!recipients)
		abort();
	for (size_t i = 0; i < b->submitted; i++) {
		recipients[i] = b->failures[i].recipient;
		free(b->failures[i].host);
	}
	tell(b, message);
	rcpt_failed(m, recipients, b->submitted);
	free(recipients);
	b->count -= b->submitted;
	memmove(b->failures, b->failures + b->submitted, b->count * sizeof(*b->failures));
	b->submitted = 0;
	if (b->count) {
		start_timer(GATHER_S);
	} else {
		bounce_free(b);
		mail_check(m);
	}
}

void bounce_submitted(const struct message *in)
{
	struct submitted answer;
	struct bounce *b = bounces;

	while (b && (b->id != in->id || !b->submitted))
		b = b->next;
	if (!b || !submitted_decode(in, &answer)) {
		log_error("spool gave an answer that nobody asked for, or a damaged one");
		return;
	}
	if (answer.status == SUBMIT_KEPT) {
		kept(b, answer.message);
		return;
	}
	log_warn("spool did not take a delivery report%s; offering it again",
		 answer.status == SUBMIT_FULL ? " (the disk is full)" : "");
	b->submitted = 0;
	start_timer(TRY_AGAIN_S);
}

void bounce_spool_down(void)
{
	for (struct bounce *b = bounces; b; b = b->next)
		b->submitted = 0;
	if (bounces)
		start_timer(TRY_AGAIN_S);
}

size_t bounce_count(void)
{
	return bounces_count;
}
