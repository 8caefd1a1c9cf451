/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session and its owner by hand, for the tests that hold dialogues with it. */
#ifndef GATEPOST_TESTS_UNIT_RELAY_SMTP_DIALOGUE_H
#define GATEPOST_TESTS_UNIT_RELAY_SMTP_DIALOGUE_H

#include "relay/smtp/session.h"
#include "tests/unit/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char json[] =
	"{\"gatepost:relay\":{\"host-name\":\"relay.example.net\","
	"\"tracking\":{\"host\":\"t.example.net\"},\"account\":["
	"{\"name\":\"acme\",\"networks\":[\"203.0.113.20/32\"],\"from\":[\"*@acme.example\"],"
	"\"user\":[{\"name\":\"anna\"}],\"track\":{\"opens\":[null],\"clicks\":[null]},"
	"\"sign\":{\"domain\":[\"acme.example\"],\"selector\":\"g1\",\"dkim\":[null]},"
	"\"limits\":{\"message-size\":2000,\"recipients\":3}},"
	"{\"name\":\"beta\",\"networks\":[\"203.0.113.20/32\"],\"from\":[\"*@beta.example\"]},"
	"{\"name\":\"tiny\",\"networks\":[\"203.0.113.20/32\"],\"from\":[\"*@tiny.example\"],"
	"\"limits\":{\"message-size\":1024}},"
	"{\"name\":\"asleep\",\"networks\":[\"203.0.113.20/32\"],\"paused\":[null],"
	"\"from\":[\"*@asleep.example\"]}"
	"]},\"secrets\":{\"token-keys\":[{\"id\":7,\"secret\":\"\"}]}}";

static struct relay_config *config __attribute__((unused));

static inline int load(void **state)
{
	struct buf error = BUF_INIT;

	(void)state;
	config = config_parse(json, sizeof(json) - 1, &error);
	if (!config)
		fail_msg("%s", buf_str(&error));
	return 0;
}

static inline int unload(void **state)
{
	(void)state;
	config_free(config);
	return 0;
}

/* The owner of one session: what accept does with sockets and processes, by hand. */
struct owner {
	struct session *session;
	struct buf body, said;
	char rejected[1000];
	unsigned rejections;
	const char *admission;
	unsigned allowance, charged; /* recipients; an allowance of 0 stands for no limit */
};

static inline void body_begin(void *arg)
{
	buf_clear(&((struct owner *)arg)->body);
}

static inline void body(void *arg, const char *bytes, size_t n)
{
	buf_append(&((struct owner *)arg)->body, bytes, n);
}

static const char *admit(void *arg, const struct config_account *account, char *text, size_t cap)
{
	struct owner *o = arg;

	if (o->admission)
		snprintf(text, cap, "account %s is busy", account->name);
	return o->admission;
}

static inline const char *charge(void *arg, const struct config_account *account,
				 unsigned recipients, char *text, size_t cap)
{
	struct owner *o = arg;

	if (o->allowance && o->charged + recipients > o->allowance) {
		snprintf(text, cap, "account %s is over its rate", account->name);
		return "450 4.7.1";
	}
	o->charged += recipients;
	return NULL;
}

static inline void refund(void *arg, const struct config_account *account, unsigned recipients)
{
	(void)account;
	((struct owner *)arg)->charged -= recipients;
}

static inline void rejected(void *arg, const char *account, const char *sender, const char *rcpt,
			    const char *reply)
{
	struct owner *o = arg;

	o->rejections++;
	snprintf(o->rejected, sizeof(o->rejected), "%s|%s|%s|%s", account, sender, rcpt, reply);
}

static const struct session_owner calls = {
	.body_begin = body_begin,
	.body = body,
	.admit = admit,
	.charge = charge,
	.refund = refund,
	.rejected = rejected,
};

static const char *said(struct owner *o)
{
	struct buf *out = session_output(o->session);

	buf_clear(&o->said);
	buf_append(&o->said, out->data, out->len);
	buf_clear(out);
	return buf_str(&o->said);
}

static inline void starts(struct owner *o, const char *expected)
{
	const char *s = said(o);

	if (strncmp(s, expected, strlen(expected)) != 0)
		fail_msg("said '%s', not '%s'", s, expected);
}

/* o stays where it is while the session lives. */
static inline void dial(struct owner *o, const char *address, const char *tls)
{
	struct addr client;

	memset(o, 0, sizeof(*o));
	assert_true(addr_parse(address, &client));
	o->session = session_new(config, &client, tls, &calls, o);
}

static inline void hang_up(struct owner *o)
{
	session_free(o->session);
	buf_free(&o->body);
	buf_free(&o->said);
}

static inline size_t put(struct owner *o, const char *text)
{
	return session_input(o->session, text, strlen(text));
}

/* One command, or all of it, and the beginning of what is said to it. */
static inline void talk(struct owner *o, const char *text, const char *expected)
{
	assert_int_equal(put(o, text), strlen(text));
	starts(o, expected);
}

static inline void greet(struct owner *o)
{
	starts(o, "220 relay.example.net ESMTP");
	talk(o, "EHLO client.example\r\n", "250-relay.example.net\r\n");
}

static inline void open_client(struct owner *o, const char *address, const char *tls)
{
	dial(o, address, tls);
	greet(o);
}

static inline void envelope_to_rcpt(struct owner *o)
{
	talk(o, "MAIL FROM:<anna@acme.example>\r\n", "250 2.1.0");
	talk(o, "RCPT TO:<bob@b.example>\r\n", "250 2.1.5");
}

#define MESSAGE                                                                         \
	"From: Anna <anna@acme.example>\r\nSubject: =?utf-8?Q?=C3=BC?=\r\nMessage-ID: " \
	"<1@acme.example>\r\n\r\nbody\r\n"

static inline struct envelope *expect_submit(struct owner *o)
{
	struct envelope *e;

	if (session_want(o->session) != SESSION_SUBMIT)
		fail_msg("no message is there; said '%s'", said(o));
	e = session_take_envelope(o->session);
	assert_non_null(e);
	return e;
}

static inline void keep(struct owner *o)
{
	envelope_free(expect_submit(o));
	session_submitted(o->session, SUBMIT_KEPT, 1);
	starts(o, "250 2.0.0 kept as ");
}

#endif
