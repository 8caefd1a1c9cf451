/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session is a table: for each state, what a reply of each class means, and how long it may
 * take. A state is the reply that is awaited. Where the peer pipelines, the commands of a
 * transaction leave together and the replies are taken in the same order, so the one path through
 * the table serves both ways.
 *
 * Whatever goes wrong ends in peer_break(): the recipients without a result are to be tried later.
 * A mail that was refused is followed by RSET before the next one: its remains must not become
 * part of that.
 */
#include "relay/deliver/client.h"

#include "relay/deliver/dots.h"
#include "relay/deliver/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum state {
	CONNECT,
	GREETING,
	EHLO,
	HELO,
	STARTTLS,
	HANDSHAKE,
	AUTH,
	AUTH_USER,
	AUTH_PASSWORD,
	IDLE,
	MAIL,
	RCPT,
	DATA,
	BODY,
	END,
	RSET,
	QUIT,
	OVER,
	STATES,
};

enum {
	CHUNK = 32 * 1024, /* bytes of a message read at a time */
	/* A body may take as long as this, and its size at that rate on top. */
	BODY_S = 600,
	BODY_BYTES_PER_S = 1024,
};

struct client {
	struct ev_loop *loop;
	const struct client_handler *handler;
	void *arg;
	struct peer *peer;
	struct tls_client *tls;
	enum tls_need need;
	bool implicit;
	struct tlsa_set *tlsa;
	char *host, *helo, *next_hop, *user, *password;
	double time_scale;
	enum state state;
	struct reply_extensions extensions;
	const struct reply *reply; /* the one that is being taken */
	bool was_ready;
	bool carried; /* a mail before this one */

	/* The mail under way; results is NULL while there is none. */
	struct client_mail mail;
	struct client_result *results;
	size_t answered; /* RCPTs with a reply */
	size_t accepted;
	uint64_t at; /* bytes of the body read */
	struct dots dots;
	double body_until;
};

typedef void step_fn(struct client *c);

static void enter(struct client *c, enum state s);

/* --- results --- */

static void end(struct client *c, const char *why)
{
	/* What it was doing has to be known when broken() comes. */
	if (c->state != HANDSHAKE && c->state != MAIL)
		c->state = OVER;
	peer_break(c->peer, why);
}

static void give(struct client *c, size_t i, enum client_outcome outcome, const char *reply)
{
	struct client_result *r = &c->results[i];

	if (r->given)
		return;
	r->given = true;
	r->outcome = outcome;
	r->reply = strdup(reply);
	if (!r->reply)
		abort();
}

static void give_rest(struct client *c, enum client_outcome outcome, const char *reply)
{
	for (size_t i = 0; i < c->mail.recipient_count; i++)
		give(c, i, outcome, reply);
}

static const char *reply_text(const struct client *c, struct buf *line)
{
	reply_line(c->reply, CLIENT_REPLY_MAX, line);
	return buf_str(line);
}

static enum client_outcome outcome_of(const struct client *c)
{
	int class = c->reply->code / 100;

	return class == 2 ? CLIENT_DELIVERED : class == 5 ? CLIENT_NEVER : CLIENT_LATER;
}

/* The reply holds for every recipient that has no other. */
static void reply_to_all(struct client *c)
{
	struct buf line = BUF_INIT;

	give_rest(c, outcome_of(c), reply_text(c, &line));
	buf_free(&line);
}

static void free_results(struct client_result *results, size_t n)
{
	for (size_t i = 0; results && i < n; i++)
		free(results[i].reply);
	free(results);
}

/* Hands the results over; afterwards no mail is under way. */
static void mail_done(struct client *c)
{
	struct client_result *results = c->results;
	size_t n = c->mail.recipient_count;

	c->results = NULL;
	c->carried = true;
	c->handler->done(c, results, c->arg);
	free_results(results, n);
}

/* --- what replies mean --- */

/* The peer is not the one to speak to now: another host may be. */
static void refused(struct client *c)
{
	struct buf line = BUF_INIT;

	end(c, reply_text(c, &line));
	buf_free(&line);
}

static void odd(struct client *c)
{
	struct buf line = BUF_INIT;

	buf_appends(&line, "a reply out of place: ");
	end(c, reply_text(c, &line));
	buf_free(&line);
}

static void on_greeting(struct client *c)
{
	peer_say(c->peer, "EHLO %s", c->helo);
	enter(c, EHLO);
}

static void become_ready(struct client *c)
{
	c->was_ready = true;
	enter(c, IDLE);
	if (c->results)
		mail_done(c);
	if (c->state == IDLE) /* the owner may have closed it */
		c->handler->ready(c, c->arg);
}

static bool demands_tls(const struct client *c)
{
	return c->need != TLS_MAY && c->need != TLS_NEVER;
}

static void wipe(struct buf *secret)
{
	if (secret->len)
		explicit_bzero(secret->data, secret->len);
	buf_free(secret);
}

/* Where it has to log in, a session is ready after that. */
static void log_in(struct client *c)
{
	struct buf line = BUF_INIT;

	if (!*c->user) {
		become_ready(c);
		return;
	}
	if (!peer_is_tls(c->peer)) {
		end(c, "4.7.0 the password is not sent without TLS");
	} else if (c->extensions.auth_plain) {
		command_auth_plain(c->user, c->password, &line);
		peer_say(c->peer, "AUTH PLAIN %s", buf_str(&line));
		enter(c, AUTH);
	} else if (c->extensions.auth_login) {
		peer_say(c->peer, "AUTH LOGIN");
		enter(c, AUTH_USER);
	} else {
		end(c, "4.7.0 the smart host offers neither AUTH PLAIN nor AUTH LOGIN");
	}
	wipe(&line);
}

static void on_auth_user(struct client *c)
{
	struct buf line = BUF_INIT;

	command_to_base64(c->user, strlen(c->user), &line);
	peer_say(c->peer, "%s", buf_str(&line));
	buf_free(&line);
	enter(c, AUTH_PASSWORD);
}

static void on_auth_password(struct client *c)
{
	struct buf line = BUF_INIT;

	command_to_base64(c->password, strlen(c->password), &line);
	peer_say(c->peer, "%s", buf_str(&line));
	wipe(&line);
	enter(c, AUTH);
}

static void on_ehlo(struct client *c)
{
	c->extensions = reply_extensions(c->reply);
	if (peer_is_tls(c->peer) || c->need == TLS_NEVER) {
		log_in(c);
	} else if (c->extensions.starttls && c->tls) {
		peer_say(c->peer, "STARTTLS");
		enter(c, STARTTLS);
	} else if (demands_tls(c)) {
		end(c, c->tls ? "4.7.4 TLS is demanded here, and STARTTLS is not offered"
			      : "4.7.5 TLS is demanded here, and there are no authorities to "
				"verify it by");
	} else {
		log_in(c);
	}
}

static void on_no_starttls(struct client *c)
{
	struct buf line = BUF_INIT;

	if (demands_tls(c)) {
		buf_appends(&line, "4.7.4 TLS is demanded here, and STARTTLS is refused: ");
		end(c, reply_text(c, &line));
		buf_free(&line);
		return;
	}
	log_in(c);
}

static void on_no_ehlo(struct client *c)
{
	if (peer_is_tls(c->peer) || demands_tls(c)) {
		refused(c);
		return;
	}
	peer_say(c->peer, "HELO %s", c->helo);
	enter(c, HELO);
}

static void on_starttls(struct client *c)
{
	peer_start_tls(c->peer, c->tls, c->host);
	enter(c, HANDSHAKE);
}

static void on_mail(struct client *c)
{
	if (!c->extensions.pipelining) {
		command_rcpt(&c->mail.recipients[0], &c->extensions, peer_out(c->peer));
		peer_wake(c->peer);
	}
	enter(c, RCPT);
}

/* Ends a transaction that holds nothing any more. */
static void give_up(struct client *c)
{
	peer_say(c->peer, "RSET");
	enter(c, RSET);
	mail_done(c);
}

static void on_mail_refused(struct client *c)
{
	reply_to_all(c);
	if (c->extensions.pipelining)
		enter(c, RCPT); /* the replies to what left together with it */
	else
		give_up(c);
}

static void next_recipient(struct client *c)
{
	if (++c->answered < c->mail.recipient_count) {
		if (!c->extensions.pipelining) {
			command_rcpt(&c->mail.recipients[c->answered], &c->extensions,
				     peer_out(c->peer));
			peer_wake(c->peer);
		}
		enter(c, RCPT);
		return;
	}
	if (!c->extensions.pipelining) {
		if (!c->accepted) {
			give_up(c);
			return;
		}
		peer_say(c->peer, "DATA");
	}
	enter(c, DATA);
}

static void on_recipient(struct client *c)
{
	/* After a refused MAIL nobody is accepted, whatever the peer says. */
	if (!c->results[c->answered].given)
		c->accepted++;
	next_recipient(c);
}

static void on_recipient_refused(struct client *c)
{
	struct buf line = BUF_INIT;
	/* §4.5.3.1.10: 552 here is an old name of 452, too many recipients at a time. */
	enum client_outcome outcome = c->reply->code == 552 ? CLIENT_LATER : outcome_of(c);

	give(c, c->answered, outcome, reply_text(c, &line));
	buf_free(&line);
	next_recipient(c);
}

static void on_go_ahead(struct client *c)
{
	if (!c->accepted) {
		/* RFC 2920 §3.1: it let us in without a recipient; the end comes at once. */
		peer_say(c->peer, ".");
		enter(c, END);
		return;
	}
	c->at = 0;
	c->dots = (struct dots){0};
	c->body_until = ev_now(c->loop) +
			(BODY_S + (double)c->mail.size / BODY_BYTES_PER_S) * c->time_scale;
	enter(c, BODY);
}

static void on_data_refused(struct client *c)
{
	reply_to_all(c);
	give_up(c);
}

/* Final for all that were accepted. */
static void on_end(struct client *c)
{
	reply_to_all(c);
	if (c->reply->code >= 400 || !c->accepted)
		give_up(c);
	else
		become_ready(c);
}

/* A verdict before the message was all there: it cannot be taken back but by hanging up. */
static void on_early_end(struct client *c)
{
	reply_to_all(c);
	refused(c);
}

static const struct {
	const char *name;
	unsigned timeout_s; /* RFC 5321 §4.5.3.2; connecting: ours */
	step_fn *on_2xx, *on_3xx, *on_4xx, *on_5xx;
} table[STATES] = {
	[CONNECT] = {"connecting", 30, odd, odd, odd, odd},
	[GREETING] = {"the greeting", 300, on_greeting, odd, refused, refused},
	[EHLO] = {"EHLO", 300, on_ehlo, odd, refused, on_no_ehlo},
	[HELO] = {"HELO", 300, log_in, odd, refused, refused},
	[STARTTLS] = {"STARTTLS", 120, on_starttls, odd, on_no_starttls, on_no_starttls},
	[HANDSHAKE] = {"the TLS handshake", 60, odd, odd, odd, odd},
	[AUTH] = {"AUTH", 300, become_ready, odd, refused, refused},
	[AUTH_USER] = {"AUTH LOGIN", 300, odd, on_auth_user, refused, refused},
	[AUTH_PASSWORD] = {"AUTH LOGIN", 300, odd, on_auth_password, refused, refused},
	[IDLE] = {"an idle session", 60, refused, refused, refused, refused},
	[MAIL] = {"MAIL", 300, on_mail, odd, on_mail_refused, on_mail_refused},
	[RCPT] = {"RCPT", 300, on_recipient, odd, on_recipient_refused, on_recipient_refused},
	[DATA] = {"DATA", 120, odd, on_go_ahead, on_data_refused, on_data_refused},
	[BODY] = {"the message", 180, odd, odd, on_early_end, on_early_end},
	[END] = {"the end of the message", 600, on_end, odd, on_end, on_end},
	[RSET] = {"RSET", 60, become_ready, odd, refused, refused},
	[QUIT] = {"QUIT", 10, refused, refused, refused, refused},
	[OVER] = {"the end", 10, odd, odd, odd, odd},
};

static void enter(struct client *c, enum state s)
{
	c->state = s;
	peer_wait(c->peer, table[s].timeout_s * c->time_scale, s == BODY);
}

/* --- what the connection says --- */

/* Its command has not even left: the peer speaks out of turn, and every reply from here on would be
 * taken for another command's. Within a transaction commands may leave while replies come. */
static bool is_early(const struct client *c)
{
	bool alone = (c->state >= EHLO && c->state <= AUTH_PASSWORD) || c->state == RSET;

	return alone && peer_out(c->peer)->len > 0;
}

static void on_reply(const struct reply *r, void *arg)
{
	struct client *c = arg;
	step_fn *const steps[] = {table[c->state].on_2xx, table[c->state].on_3xx,
				  table[c->state].on_4xx, table[c->state].on_5xx};

	c->reply = r;
	/* RFC 5321 §3.8: 421 at any time means that the peer is closing. */
	if (r->code == 421)
		refused(c);
	else if (is_early(c))
		odd(c);
	else
		steps[r->code / 100 - 2](c);
}

static void on_connected(void *arg)
{
	struct client *c = arg;

	if (!c->implicit) {
		enter(c, GREETING);
	} else if (!c->tls) {
		end(c, "4.7.5 TLS is demanded here, and there are no authorities to verify it by");
	} else {
		peer_start_tls(c->peer, c->tls, c->host);
		enter(c, HANDSHAKE);
	}
}

/* Is the TLS what is demanded? */
static bool tls_holds(struct client *c, struct buf *why)
{
	const char *const names[] = {c->host, c->next_hop};

	switch (c->need) {
	case TLS_DANE:
		return tlsa_verify(c->tlsa, peer_chain(c->peer), names, 2, why);
	case TLS_TRUSTED:
		return peer_is_trusted(c->peer, why);
	default:
		return true;
	}
}

static void on_secured(void *arg)
{
	struct client *c = arg;
	struct buf why = BUF_INIT;

	if (!tls_holds(c, &why)) {
		struct buf text = BUF_INIT;
		buf_printf(&text, "4.7.5 %s", buf_str(&why));
		end(c, buf_str(&text));
		buf_free(&text);
		buf_free(&why);
		return;
	}
	if (c->implicit) {
		enter(c, GREETING);
		return;
	}
	/* RFC 3207 §4.2: what was said before does not count. */
	memset(&c->extensions, 0, sizeof(c->extensions));
	peer_say(c->peer, "EHLO %s", c->helo);
	enter(c, EHLO);
}

/* Reads more of the message. */
static bool on_hungry(struct buf *out, void *arg)
{
	static char chunk[CHUNK];
	struct client *c = arg;

	if (c->state != BODY)
		return true;
	if (ev_now(c->loop) > c->body_until) {
		end(c, "the peer takes the message too slowly");
		return true;
	}
	uint64_t left = c->mail.size - c->at;
	size_t want = left < CHUNK ? (size_t)left : CHUNK;
	const char *bytes = c->mail.bytes ? c->mail.bytes + c->at : chunk;
	ssize_t got = (ssize_t)want;
	if (want && !c->mail.bytes)
		got = pread(c->mail.fd, chunk, want, (off_t)c->at);
	if (got < 0 || (want && !got))
		return false;
	c->at += (uint64_t)got;
	dots_add(&c->dots, bytes, (size_t)got, out);
	if (c->at == c->mail.size) {
		dots_end(&c->dots, out);
		enter(c, END);
	}
	return true;
}

static void on_overdue(void *arg)
{
	struct client *c = arg;
	char text[100];

	snprintf(text, sizeof(text), "no answer to %s in %g s", table[c->state].name,
		 table[c->state].timeout_s * c->time_scale);
	if (c->state == CONNECT || c->state == IDLE)
		snprintf(text, sizeof(text), "%s took over %g s", table[c->state].name,
			 table[c->state].timeout_s * c->time_scale);
	end(c, text);
}

static void destroy(struct client *c)
{
	peer_close(c->peer);
	free_results(c->results, c->mail.recipient_count);
	tlsa_set_drop(c->tlsa);
	explicit_bzero(c->password, strlen(c->password));
	free(c->host);
	free(c->helo);
	free(c->next_hop);
	free(c->user);
	free(c->password);
	free(c);
}

static void on_broken(const char *why, void *arg)
{
	struct client *c = arg;
	enum client_end how = CLIENT_END_IDLE;

	if (c->state == HANDSHAKE && !demands_tls(c))
		how = CLIENT_END_TLS;
	else if (!c->was_ready)
		how = CLIENT_END_NEVER_READY;
	else if (c->results)
		how = CLIENT_END_BROKEN;
	if (c->results) {
		give_rest(c, c->state == MAIL && c->carried ? CLIENT_UNTRIED : CLIENT_LATER, why);
		mail_done(c);
	}
	c->handler->closed(c, how, why, c->arg);
	destroy(c);
}

static const struct peer_handler peer_handler = {
	.connected = on_connected,
	.secured = on_secured,
	.reply = on_reply,
	.hungry = on_hungry,
	.overdue = on_overdue,
	.broken = on_broken,
};

/* --- the owner's calls --- */

static char *copy(const char *s)
{
	char *c = strdup(s ? s : "");

	if (!c)
		abort();
	return c;
}

struct client *client_open(struct ev_loop *loop, const struct client_target *t,
			   const struct client_handler *h, void *arg)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->loop = loop;
	c->handler = h;
	c->arg = arg;
	c->tls = t->need == TLS_NEVER ? NULL : t->tls;
	c->need = t->need;
	c->implicit = t->implicit;
	c->tlsa = tlsa_set_keep(t->tlsa);
	c->next_hop = copy(t->next_hop);
	c->user = copy(t->user);
	c->password = copy(t->password);
	c->time_scale = (t->time_percent ? t->time_percent : 100) / 100.0;
	c->host = copy(t->host);
	c->helo = copy(t->helo);
	c->peer = peer_open(loop, &t->addr, t->port, &t->source, &peer_handler, c);
	enter(c, CONNECT);
	return c;
}

void client_send(struct client *c, const struct client_mail *m)
{
	c->mail = *m;
	c->results = calloc(m->recipient_count, sizeof(*c->results));
	if (!c->results)
		abort();
	c->answered = c->accepted = 0;
	command_mail(&c->mail, &c->extensions, peer_out(c->peer));
	if (c->extensions.pipelining) {
		for (size_t i = 0; i < m->recipient_count; i++)
			command_rcpt(&m->recipients[i], &c->extensions, peer_out(c->peer));
		peer_say(c->peer, "DATA");
	}
	peer_wake(c->peer);
	if (c->state == IDLE)
		enter(c, MAIL);
}

void client_quit(struct client *c)
{
	if (c->state != IDLE) {
		end(c, "closed");
		return;
	}
	peer_say(c->peer, "QUIT");
	enter(c, QUIT);
}

void client_abort(struct client *c)
{
	destroy(c);
}

const struct reply_extensions *client_extensions(const struct client *c)
{
	return &c->extensions;
}

struct addr client_source(const struct client *c)
{
	return peer_source(c->peer);
}

const char *client_tls_name(const struct client *c)
{
	return peer_tls_name(c->peer);
}
