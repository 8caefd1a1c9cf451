/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/trace.h"

#include "tests/unit/cmocka.h"

#include <string.h>

static struct trace_facts facts(void)
{
	struct trace_facts f = {.host = "relay.example.net",
				.helo = "client.example",
				.tls = true,
				.auth = true,
				.id = "0000000000abc",
				.recipient = "x@y.example",
				.accepted = 1795456800};

	addr_parse("192.0.2.7", &f.client);
	return f;
}

static void received_is_what_rfc_5321_asks_for(void **state)
{
	struct trace_facts f = facts();
	struct buf out = BUF_INIT;

	(void)state;
	trace_received(&f, &out);
	assert_string_equal(buf_str(&out),
			    "Received: from client.example ([192.0.2.7])\r\n"
			    "\tby relay.example.net (Gatepost) with ESMTPSA id 0000000000abc\r\n"
			    "\tfor <x@y.example>;\r\n"
			    "\tMon, 23 Nov 2026 18:00:00 +0000\r\n");
	buf_clear(&out);
	addr_parse("2001:db8::7", &f.client);
	f.tls = f.auth = false;
	f.smtputf8 = true;
	f.recipient = "";
	trace_received(&f, &out);
	assert_string_equal(buf_str(&out),
			    "Received: from client.example ([IPv6:2001:db8::7])\r\n"
			    "\tby relay.example.net (Gatepost) with UTF8SMTP id 0000000000abc;\r\n"
			    "\tMon, 23 Nov 2026 18:00:00 +0000\r\n");
	buf_free(&out);
}

static void what_a_peer_says_cannot_leave_its_place(void **state)
{
	struct trace_facts f = facts();
	struct buf out = BUF_INIT;

	(void)state;
	f.helo = "x\r\nBcc: y@z.example (";
	f.recipient = "a>b c\r\n@y.example";
	trace_received(&f, &out);
	assert_non_null(strstr(out.data, "from x??Bcc:?y?z.example?? ([192"));
	assert_non_null(strstr(out.data, "for <a?b?c??@y.example>;\r\n"));
	buf_clear(&out);
	f.helo = "";
	trace_received(&f, &out);
	assert_non_null(strstr(out.data, "from unknown ("));
	buf_free(&out);
}

static void only_what_is_missing_is_added(void **state)
{
	static const struct {
		const char *message;
		bool date, id;
	} cases[] = {
		{"From: a\r\n\r\nDate: x\r\nMessage-ID: y\r\n", true, true},
		{"DATE: x\r\nFrom: a\r\n\r\n", false, true},
		{"message-id: <x>\r\n\r\n", true, false},
		{"Date: x\r\nMessage-Id: <x>\r\n\r\n", false, false},
		{"Resent-Date: x\r\nX-Message-ID: y\r\n\r\n", true, true},
	};
	struct trace_facts f = facts();
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&out);
		bool added = trace_missing(cases[i].message, strlen(cases[i].message), &f, &out);
		assert_int_equal(added, cases[i].date || cases[i].id);
		const char *text = buf_str(&out);
		assert_int_equal(strstr(text, "Date: Mon, 23 Nov 2026 18:00:00 +0000\r\n") != NULL,
				 cases[i].date);
		assert_int_equal(
			strstr(text,
			       "Message-ID: <0000000000abc.1795456800@relay.example.net>\r\n") !=
				NULL,
			cases[i].id);
	}
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(received_is_what_rfc_5321_asks_for),
		cmocka_unit_test(what_a_peer_says_cannot_leave_its_place),
		cmocka_unit_test(only_what_is_missing_is_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
