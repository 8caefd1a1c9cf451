/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole session, its input cut by the first byte. Every reply is a well-formed line, and every
 * envelope is one that the spool takes.
 */
#include "relay/smtp/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char json[] =
	"{\"gatepost:relay\":{\"host-name\":\"relay.example.net\","
	"\"tracking\":{\"host\":\"t.example.net\"},\"account\":["
	"{\"name\":\"a\",\"networks\":[\"203.0.113.20/32\"],\"from\":[\"*@a.example\",\"b@b.c\"],"
	"\"user\":[{\"name\":\"u\"}],\"track\":{\"opens\":[null]},"
	"\"sign\":{\"domain\":[\"a.example\"],\"selector\":\"g1\",\"dkim\":[null]},"
	"\"limits\":{\"message-size\":2000,\"recipients\":5}}"
	"]},\"secrets\":{\"token-keys\":[{\"id\":7,\"secret\":\"\"}]}}";

enum { CHARGE_MAX = 8 };
static unsigned charged;

static void body_begin(void *arg)
{
	buf_clear(arg);
}

static void body(void *arg, const char *bytes, size_t n)
{
	buf_append(arg, bytes, n);
}

static const char *admit(void *arg, const struct config_account *account, char *text, size_t cap)
{
	(void)arg;
	(void)account;
	(void)text;
	(void)cap;
	return NULL;
}

static void rejected(void *arg, const char *account, const char *sender, const char *rcpt,
		     const char *reply)
{
	(void)arg;
	if (strlen(account) > 63 || strlen(sender) > ENVELOPE_ADDRESS_MAX ||
	    strlen(rcpt) > ENVELOPE_ADDRESS_MAX || *reply != '4' + (*reply == '5'))
		abort();
}

static const char *charge(void *arg, const struct config_account *account, unsigned recipients,
			  char *text, size_t cap)
{
	(void)arg;
	(void)account;
	if (charged + recipients > CHARGE_MAX) {
		snprintf(text, cap, "over the rate");
		return "450 4.7.1";
	}
	charged += recipients;
	return NULL;
}

static void refund(void *arg, const struct config_account *account, unsigned recipients)
{
	(void)arg;
	(void)account;
	if (recipients > charged)
		abort();
	charged -= recipients;
}

static const struct session_owner owner = {
	.body_begin = body_begin,
	.body = body,
	.admit = admit,
	.charge = charge,
	.refund = refund,
	.rejected = rejected,
};

static void check_output(struct buf *out)
{
	size_t line = 0;

	for (size_t i = 0; i < out->len; i++, line++) {
		char c = out->data[i];

		if (c == '\n' && line > 4 && out->data[i - 1] == '\r')
			line = (size_t)-1;
		else if (line > 510 || (c != '\r' && (c < ' ' || c > '~')))
			abort();
	}
	if (line != 0)
		abort();
	buf_clear(out);
}

static void submit(struct session *s, const struct buf *stored)
{
	struct envelope *e = session_take_envelope(s), *again;
	struct buf record = BUF_INIT;
	const char *reason;

	if (e->size != stored->len || e->recipient_count == 0)
		abort();
	envelope_encode(e, &record);
	again = envelope_decode(record.data, record.len, &reason);
	if (!again)
		abort();
	envelope_free(e);
	envelope_free(again);
	buf_free(&record);
	session_submitted(s, SUBMIT_KEPT, 1);
	charged = 0;
}

static void serve(struct session *s, const struct buf *stored)
{
	struct auth_ask ask;

	switch (session_want(s)) {
	case SESSION_AUTH:
		session_auth_ask(s, &ask);
		session_auth_answer(s, strcmp(ask.user, "u") == 0 ? AUTH_YES : AUTH_NO, "a");
		break;
	case SESSION_SUBMIT:
		submit(s, stored);
		break;
	case SESSION_STARTTLS:
		session_tls_started(s, "TLSv1.2");
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct relay_config *config;
	struct buf stored = BUF_INIT, error = BUF_INIT;
	struct session *s;
	struct addr client;
	size_t at = 1, step;

	if (!config)
		config = config_parse(json, sizeof(json) - 1, &error);
	if (!config)
		abort();
	if (size < 2)
		return 0;
	step = data[0] >> 1 ? data[0] >> 1 : size;
	addr_parse("203.0.113.20", &client);
	s = session_new(config, &client, data[0] & 1 ? "TLSv1.2" : "", &owner, &stored);
	check_output(session_output(s));
	while (at < size && session_want(s) != SESSION_CLOSE) {
		size_t n = size - at < step ? size - at : step;

		at += session_input(s, (const char *)data + at, n);
		serve(s, &stored);
		check_output(session_output(s));
	}
	session_free(s);
	buf_free(&stored);
	return 0;
}
