/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The role work: makes the bytes that leave (DESIGN §7.3, §7.5).
 *
 *	Received, from us
 *	DKIM-Signature, DomainKey-Signature     over all that follows
 *	Date, Message-ID                        where the message has none
 *	the message                             links and pixel in it, where that is asked for
 *
 * The same PREPARE gives the same bytes as long as the keys are there: whatever decides them is in
 * the envelope. A message that has to be signed and cannot be, because its key is missing or
 * broken, is kept back with a loud word, and never sent unsigned.
 *
 * A small body is read in one call, into a buffer that stays; a large one is checked, then mapped
 * from the segment, and not copied but by the rewriting.
 */
#include "lib/log.h"
#include "relay/process.h"
#include "relay/sign/dkim.h"
#include "relay/sign/domainkeys.h"
#include "relay/sign/keys.h"
#include "relay/spool/segment.h"
#include "relay/track/rewrite.h"
#include "relay/track/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* A PREPARE may come before the segment that it speaks of: on another channel. */
#define SEGMENT_WAIT_S 5.0

/* Up to here reading costs less than mapping, faulting and unmapping. */
#define READ_BYTES_MAX ((uint64_t)256 * 1024)

struct segment {
	uint32_t number;
	int fd;
};

struct order {
	struct order *next;
	uint64_t id;
	struct prepare prepare;
	uint64_t since_ms;
};

static struct {
	struct process *process;
	struct channel *deliver;
	struct sign_keys *keys;
	struct dkim_signer *signer;
	struct token_ring *ring;
	struct segment *segments;
	size_t segment_count;
	struct order *todo, **todo_end;
	ev_idle next;          /* active while there is something to do */
	struct order *waiting; /* for a segment */
	struct buf body;       /* the last one that was read */
	ev_timer patience;
} work;

/* What is being made of a message. */
struct making {
	const struct prepare *order;
	const struct envelope *envelope;
	struct dkim_keys keys;
	struct buf head;    /* ours: trace and signatures */
	struct buf message; /* what is signed */
	struct buf reason;  /* why it was not tracked, or cannot be made */
	uint32_t links;
	bool opens;
};

/* --- segments --- */

static struct segment *segment_of(uint32_t number)
{
	for (size_t i = 0; i < work.segment_count; i++)
		if (work.segments[i].number == number)
			return &work.segments[i];
	return NULL;
}

static void keep_segment(uint32_t number, int fd)
{
	struct segment *s = segment_of(number);

	if (s) {
		close(s->fd);
		s->fd = fd;
		return;
	}
	s = realloc(work.segments, (work.segment_count + 1) * sizeof(*s));
	if (!s)
		abort();
	work.segments = s;
	work.segments[work.segment_count++] = (struct segment){number, fd};
}

static void drop_segment(uint32_t number)
{
	struct segment *s = segment_of(number);

	if (!s)
		return;
	close(s->fd);
	*s = work.segments[--work.segment_count];
}

/* A message's body as it lies in its segment. */
struct original {
	const char *bytes;
	void *mapping; /* NULL: it was read */
	size_t mapping_len;
};

/* NULL, or what is wrong. */
static const char *map_body(const struct prepare *p, int fd, struct original *out)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), skip = p->place.offset % page;

	/* Reads every byte: a disk that fails does so here, and not under the mapping. */
	const char *wrong = segment_check(fd, p->envelope->id, &p->place, SEGMENT_BODY, NULL);
	if (wrong)
		return wrong;
	out->mapping_len = (size_t)(p->place.size + skip);
	out->mapping = mmap(NULL, out->mapping_len, PROT_READ, MAP_SHARED, fd,
			    (off_t)(p->place.offset - skip));
	if (out->mapping == MAP_FAILED) {
		out->mapping = NULL;
		return strerror(errno);
	}
	out->bytes = (const char *)out->mapping + skip;
	return NULL;
}

static const char *read_body(const struct prepare *p, int fd, struct original *out)
{
	const char *wrong = segment_read(fd, p->envelope->id, &p->place, &work.body, &out->bytes);

	out->mapping = NULL;
	return wrong;
}

/* False with the reason in error. */
static bool open_body(const struct prepare *p, struct original *out, struct buf *error)
{
	const struct segment *s = segment_of(p->place.segment);

	if (!s) {
		buf_appends(error, "4.3.0 the message's segment is not at hand");
		return false;
	}
	const char *wrong = p->place.size <= READ_BYTES_MAX ? read_body(p, s->fd, out)
							    : map_body(p, s->fd, out);
	if (wrong)
		buf_printf(error, "4.3.0 the message's body cannot be read: %s", wrong);
	return !wrong;
}

static void close_body(struct original *o)
{
	if (o->mapping)
		munmap(o->mapping, o->mapping_len);
}

/* --- the making --- */

static struct trace_facts facts_of(const struct making *m, char id[MESSAGE_ID_STR_MAX])
{
	const struct envelope *e = m->envelope;
	const char *recipient = "";

	if (m->order->recipient != PREPARE_ALL)
		recipient = e->recipients[m->order->recipient].address;
	else if (e->recipient_count == 1)
		recipient = e->recipients[0].address;
	return (struct trace_facts){
		.host = work.process->config->host_name,
		.helo = e->helo,
		.client = e->client,
		.tls = e->flags & ENVELOPE_TLS,
		.auth = e->flags & ENVELOPE_AUTH,
		.smtputf8 = e->flags & ENVELOPE_SMTPUTF8,
		.id = message_id_format(e->id, id),
		.recipient = recipient,
		.accepted = (int64_t)(e->accepted_ms / 1000),
	};
}

static void rewrite(struct making *m, const char *bytes, size_t n)
{
	const struct envelope *e = m->envelope;
	const char *own[] = {e->sign_domain};
	bool signs = e->flags & (ENVELOPE_DKIM | ENVELOPE_DOMAINKEYS);
	bool each = m->order->recipient != PREPARE_ALL;
	const struct track_options options = {
		.opens = each && e->flags & ENVELOPE_TRACK_OPENS,
		.clicks_html = each && e->flags & ENVELOPE_TRACK_CLICKS,
		.clicks_text = each && e->flags & ENVELOPE_TRACK_TEXT,
		.https = e->flags & ENVELOPE_TRACK_HTTPS,
		.foreign_signed = e->flags & ENVELOPE_TRACK_FOREIGN,
		.one_click = each && e->flags & ENVELOPE_ONE_CLICK,
		.seven_bit = m->order->seven_bit,
		.host = e->track_host,
		.account = e->account,
		.campaign = e->campaign,
		.tags = e->tags,
		.ring = work.ring,
		.key_id = e->track_key,
		.message = e->id,
		.recipient = each ? m->order->recipient : 0,
		.address = each ? e->recipients[m->order->recipient].address : NULL,
		.accepted = (int64_t)(e->accepted_ms / 1000),
		.own_domains = own,
		.own_domain_count = signs && *e->sign_domain ? 1 : 0,
	};
	struct track_report report = {0};

	track_rewrite(bytes, n, &options, &m->message, &report);
	m->links = report.link_count;
	m->opens = report.pixel;
	if (options.opens || options.clicks_html || options.clicks_text)
		buf_appends(&m->reason, buf_str(&report.reason));
	track_report_free(&report);
}

/* All keys that a signature needs are at hand; else the reason says which is not. */
static bool has_keys(struct making *m)
{
	const struct envelope *e = m->envelope;
	struct buf error = BUF_INIT;
	bool ok = dkim_keys_get(work.keys, e->sign_domain, e->sign_selector, &m->keys, &error);

	if (!ok && !error.len)
		buf_printf(&error, "there is no signing key %s.%s.pem", e->sign_domain,
			   e->sign_selector);
	if (!ok)
		buf_printf(&m->reason, "4.3.5 %s", buf_str(&error));
	buf_free(&error);
	return ok;
}

static bool sign_domainkeys(struct making *m, bool also_dkim)
{
	const struct envelope *e = m->envelope;
	struct buf error = BUF_INIT;
	bool ok = domainkeys_sign(m->message.data, m->message.len, e->sign_domain, e->sign_selector,
				  m->keys.key, &m->head, &error);

	if (!ok && also_dkim) {
		log_warn("%s: signed with DKIM alone: %s", e->sign_domain, buf_str(&error));
		ok = true;
	} else if (!ok) {
		buf_printf(&m->reason, "5.6.0 the message cannot be signed: %s", buf_str(&error));
	}
	buf_free(&error);
	return ok;
}

static bool sign_dkim(struct making *m)
{
	const struct envelope *e = m->envelope;
	struct buf error = BUF_INIT;
	bool ok = dkim_sign_keys(work.signer, &m->keys, m->message.data, m->message.len,
				 e->sign_domain, e->sign_selector, (int64_t)(e->accepted_ms / 1000),
				 &m->head, &error);

	if (!ok)
		buf_printf(&m->reason, "5.6.0 the message cannot be signed: %s", buf_str(&error));
	buf_free(&error);
	return ok;
}

static enum prepared_status sign(struct making *m)
{
	const struct envelope *e = m->envelope;
	bool dkim = e->flags & ENVELOPE_DKIM, domainkeys = e->flags & ENVELOPE_DOMAINKEYS;

	if (!*e->sign_domain || (!dkim && !domainkeys))
		return PREPARED_OK;
	if (!has_keys(m)) {
		log_error("mail of account %s is kept back: %s", e->account, buf_str(&m->reason));
		return PREPARED_LATER;
	}
	if ((dkim && !sign_dkim(m)) || (domainkeys && !sign_domainkeys(m, dkim)))
		return PREPARED_NEVER;
	return PREPARED_OK;
}

static enum prepared_status make(struct making *m, const char *bytes)
{
	char id[MESSAGE_ID_STR_MAX];
	const struct trace_facts facts = facts_of(m, id);
	size_t n = (size_t)m->order->place.size;

	trace_missing(bytes, n, &facts, &m->message);
	rewrite(m, bytes, n);
	trace_received(&facts, &m->head);
	struct buf not_tracked = m->reason;
	m->reason = BUF_INIT;
	enum prepared_status status = sign(m);
	if (status == PREPARED_OK) {
		buf_free(&m->reason);
		m->reason = not_tracked;
	} else {
		buf_free(&not_tracked);
	}
	return status;
}

/* --- the answer --- */

static bool eight_bit(const struct buf *b)
{
	unsigned char any = 0;

	for (size_t i = 0; i < b->len; i++)
		any |= (unsigned char)b->data[i];
	return any & 0x80;
}

static bool write_all(int fd, struct iovec *v, int count)
{
	while (count) {
		ssize_t n = writev(fd, v, count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		while (count && (size_t)n >= v->iov_len) {
			n -= (ssize_t)v->iov_len;
			v++;
			count--;
		}
		if (count) {
			v->iov_base = (char *)v->iov_base + n;
			v->iov_len -= (size_t)n;
		}
	}
	return true;
}

/* A descriptor on what was made, which nobody can change any more; -1 when memory is short. */
static int seal(const struct making *m)
{
	struct iovec v[] = {{m->head.data, m->head.len}, {m->message.data, m->message.len}};
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (write_all(fd, v, 2) &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	close(fd);
	return -1;
}

static void answer(uint64_t id, const struct prepared *p, int fd)
{
	struct buf payload = BUF_INIT;

	prepared_encode(p, &payload);
	if (work.deliver) {
		channel_send(work.deliver, MSG_PREPARED, id, &payload, fd);
		/* The next one takes as long again: this one does not wait for it. */
		channel_flush(work.deliver);
	} else if (fd >= 0)
		close(fd);
	buf_free(&payload);
}

static void answer_later(uint64_t id, const char *reason)
{
	const struct prepared p = {.status = PREPARED_LATER, .reason = (char *)reason};

	answer(id, &p, -1);
}

/* What was made, in the answer or behind its descriptor. False when there is no memory for it. */
static bool hand_over(struct making *m, struct prepared *p, int *fd)
{
	p->size = m->head.len + m->message.len;
	if (p->size > PREPARED_SMALL_MAX) {
		*fd = seal(m);
		return *fd >= 0;
	}
	buf_append(&m->head, m->message.data, m->message.len);
	p->bytes = m->head.data;
	p->bytes_len = m->head.len;
	return true;
}

static void carry_out(uint64_t id, const struct prepare *order)
{
	struct making m = {.order = order, .envelope = order->envelope};
	struct prepared p = {.status = PREPARED_LATER};
	struct original body;
	int fd = -1;

	if (open_body(order, &body, &m.reason)) {
		p.status = (uint8_t)make(&m, body.bytes);
		close_body(&body);
	} else {
		log_error("%s", buf_str(&m.reason));
	}
	p.links = m.links;
	p.opens = m.opens;
	p.eight_bit = eight_bit(&m.message) || eight_bit(&m.head);
	if (p.status == PREPARED_OK && !hand_over(&m, &p, &fd)) {
		p.status = PREPARED_LATER;
		buf_clear(&m.reason);
		buf_printf(&m.reason, "4.3.1 no memory for the message: %s", strerror(errno));
	}
	p.reason = (char *)buf_str(&m.reason);
	answer(id, &p, fd);
	buf_free(&m.head);
	buf_free(&m.message);
	buf_free(&m.reason);
}

/* --- orders --- */

static void order_free(struct order *o)
{
	envelope_free(o->prepare.envelope);
	free(o);
}

/* One, and then the loop looks whether something came that goes first. */
static void on_next(struct ev_loop *loop, ev_idle *w, int revents)
{
	struct order *o = work.todo;

	(void)revents;
	work.todo = o->next;
	if (!work.todo) {
		work.todo_end = &work.todo;
		ev_idle_stop(loop, w);
	}
	carry_out(o->id, &o->prepare);
	order_free(o);
}

static void put_down(struct order *o)
{
	if (o->prepare.hurry) {
		o->next = work.todo;
		work.todo = o;
	} else {
		o->next = NULL;
		*work.todo_end = o;
	}
	if (!o->next)
		work.todo_end = &o->next;
	ev_idle_start(work.process->loop, &work.next);
}

static void wait_for_segment(struct order *o)
{
	o->since_ms = clock_steady_ms();
	o->next = work.waiting;
	work.waiting = o;
	if (!ev_is_active(&work.patience)) {
		ev_timer_set(&work.patience, SEGMENT_WAIT_S, 0.);
		ev_timer_start(work.process->loop, &work.patience);
	}
}

static void take_order(const struct message *m)
{
	struct order *o = calloc(1, sizeof(*o));

	if (!o)
		abort();
	o->id = m->id;
	if (!prepare_decode(m, &o->prepare)) {
		log_error("deliver sent a damaged PREPARE");
		answer_later(m->id, "4.3.0 the order was damaged");
		free(o);
	} else if (segment_of(o->prepare.place.segment)) {
		put_down(o);
	} else {
		wait_for_segment(o);
	}
}

/* Those whose segment has come, and those that waited too long. */
static void look_at_waiting(void)
{
	uint64_t now_ms = clock_steady_ms();

	for (struct order **link = &work.waiting, *o; (o = *link);) {
		bool come = segment_of(o->prepare.place.segment) != NULL;

		if (!come && now_ms - o->since_ms < SEGMENT_WAIT_S * 1000) {
			link = &o->next;
			continue;
		}
		*link = o->next;
		if (come)
			carry_out(o->id, &o->prepare);
		else
			answer_later(o->id, "4.3.0 the message's segment is not at hand");
		order_free(o);
	}
}

static void on_patience(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)revents;
	look_at_waiting();
	if (!work.waiting)
		return;
	ev_timer_set(w, SEGMENT_WAIT_S / 10, 0.);
	ev_timer_start(loop, w);
}

/* --- the role --- */

static void make_ring(const struct relay_config *c)
{
	struct token_key *keys = calloc(c->token_key_count + 1, sizeof(*keys));

	if (!keys)
		abort();
	for (size_t i = 0; i < c->token_key_count; i++) {
		keys[i].id = c->token_keys[i].id;
		memcpy(keys[i].secret, c->token_keys[i].secret, sizeof(keys[i].secret));
	}
	token_ring_free(work.ring);
	work.ring = token_ring_new(keys, c->token_key_count);
	explicit_bzero(keys, c->token_key_count * sizeof(*keys));
	free(keys);
}

static void open_keys(void)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		fatal("the keys' directory cannot be opened: %s", strerror(errno));
	work.keys = sign_keys_new(dir);
}

static void work_open(struct process *p)
{
	struct buf error = BUF_INIT;

	work.process = p;
	if (!keys_override_in_force())
		fatal("libopendkim does not take keys from our cache: this program was linked "
		      "wrongly");
	open_keys();
	work.signer = dkim_signer_new(&error);
	if (!work.signer)
		fatal("%s", buf_str(&error));
	make_ring(p->config);
	ev_init(&work.patience, on_patience);
	ev_idle_init(&work.next, on_next);
	work.todo_end = &work.todo;
}

static void work_reload(struct process *p)
{
	make_ring(p->config);
}

static void work_peer_up(struct process *p, enum role_id peer, unsigned index, struct channel *c)
{
	(void)p;
	(void)index;
	if (peer == ROLE_DELIVER)
		work.deliver = c;
}

static void work_peer_down(struct process *p, enum role_id peer, unsigned index, struct channel *c)
{
	(void)p;
	(void)peer;
	(void)index;
	if (c == work.deliver)
		work.deliver = NULL;
}

static void work_message(struct process *p, enum role_id from, struct channel *c, struct message *m)
{
	uint32_t number;

	(void)p;
	(void)c;
	switch ((enum message_type)m->type) {
	case MSG_PREPARE:
		take_order(m);
		break;
	case MSG_SEGMENT:
		if (!segment_decode(m, &number) || m->fd < 0) {
			log_error("spool sent a damaged segment");
			break;
		}
		keep_segment(number, m->fd);
		m->fd = -1;
		look_at_waiting();
		break;
	case MSG_SEGMENT_GONE:
		if (segment_decode(m, &number))
			drop_segment(number);
		break;
	default:
		log_error("role %d sent a message of type %u, which is not for us", from, m->type);
	}
}

const struct role work_role = {
	.name = "work",
	.patient = true,
	.express = true,
	.open = work_open,
	.reload = work_reload,
	.peer_up = work_peer_up,
	.peer_down = work_peer_down,
	.message = work_message,
};
