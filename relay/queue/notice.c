/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/notice.h"

#include "lib/log.h"
#include "relay/deliver/route.h"
#include "relay/queue/mails.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct segment {
	uint32_t number;
	int fd;
};

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

void notice_segment(const struct message *m)
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

void notice_segment_gone(const struct message *m)
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

static const char *our_host(const struct envelope *e)
{
	const struct relay_config *c = scheduler.process->config;

	return route_host_name(c, *e->pool ? config_pool(c, e->pool) : NULL);
}

static struct dsn_recipient *describe(const struct mail *m, const struct envelope *e,
				      const struct notice_about *about, size_t count)
{
	struct dsn_recipient *r = calloc(count, sizeof(*r));

	if (!r)
		abort();
	for (size_t i = 0; i < count; i++) {
		const struct recipient *from = &e->recipients[about[i].recipient];
		const char *reply = m->rcpts[about[i].recipient].reply;

		r[i] = (struct dsn_recipient){.address = from->address,
					      .orcpt = from->orcpt,
					      .reply = reply ? reply : "",
					      .host = about[i].host};
	}
	return r;
}

static bool ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s > 127)
			return false;
	return true;
}

/* It goes to the sender from nobody, so that it can never come back (RFC 5321 §4.5.5). */
static struct envelope *address(const struct envelope *original, const struct dsn *d, size_t size,
				bool eight_bit)
{
	struct envelope *e = envelope_new();
	struct buf text = BUF_INIT;

	e->accepted_ms = d->now_ms;
	e->flags = ENVELOPE_OWN | (eight_bit ? ENVELOPE_8BIT : 0);
	/* Only its To field can need that. */
	if (!ascii(original->sender))
		e->flags |= ENVELOPE_SMTPUTF8;
	e->size = size;
	envelope_set(&e->account, original->account);
	envelope_set(&e->pool, original->pool);
	envelope_set(&e->subject, dsn_subject(d->action));
	buf_printf(&text, "MAILER-DAEMON@%.250s", d->host);
	envelope_set(&e->header_from, buf_str(&text));
	buf_clear(&text);
	buf_printf(&text, "<%s>", d->message_id);
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

int notice_make(const struct mail *m, enum dsn_action action, const struct notice_about *about,
		size_t count, struct buf *payload)
{
	const struct retry_rules rules = scheduler_rules();
	struct envelope *original = mail_envelope(m);
	struct dsn_recipient *recipients = describe(m, original, about, count);
	struct buf header = BUF_INIT, text = BUF_INIT;
	char message_id[320];

	read_header(&m->place, &header);
	snprintf(message_id, sizeof(message_id), "%08x%08x%08x%08x@%s", random_number(),
		 random_number(), random_number(), random_number(), our_host(original));
	const struct dsn d = {
		.action = action,
		.host = our_host(original),
		.original = original,
		.now_ms = clock_wall_ms(),
		.message_id = message_id,
		.header = buf_str(&header),
		.header_len = header.len,
		.retry_until_ms = retry_expiry_ms(&rules, m->accepted_ms),
		.recipients = recipients,
		.recipient_count = count,
	};
	bool eight_bit = dsn_make(&d, &text);
	int fd = to_memfd(&text);
	struct envelope *e = address(original, &d, text.len, eight_bit);
	envelope_encode(e, payload);
	envelope_free(e);
	free(recipients);
	buf_free(&header);
	buf_free(&text);
	envelope_free(original);
	return fd;
}
