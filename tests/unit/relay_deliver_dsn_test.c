/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a sender is told, byte for byte; and that nobody can write into it. */
#include "relay/deliver/dsn.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

static const struct dsn_recipient two[] = {
	{"bob@b.example", "rfc822;Bob@b.example", "550 5.1.1 no such user",
	 "mx.b.example [192.0.2.1]"},
	{"c@c.example", "", "5.4.7 not delivered within 432000 s; at last: 450 4.2.1 mailbox busy",
	 ""},
};

static struct envelope *original(void)
{
	struct envelope *e = envelope_new();

	e->accepted_ms = UINT64_C(1795456800000);
	envelope_set(&e->sender, "joe@acme.example");
	envelope_set(&e->subject, "hello");
	envelope_set(&e->envid, "QQ1");
	envelope_set(&e->message_id, "<1@acme.example>");
	return e;
}

static struct dsn report(const struct envelope *e, const struct dsn_recipient *r, size_t n)
{
	static const char header[] = "From: joe@acme.example\r\nSubject: hello\r\n";

	return (struct dsn){.action = DSN_FAILED,
			    .host = "relay.example",
			    .original = e,
			    .now_ms = UINT64_C(1795456860000),
			    .message_id = "01ab@relay.example",
			    .header = header,
			    .header_len = sizeof(header) - 1,
			    .recipients = r,
			    .recipient_count = n};
}

static void a_failure(void **state)
{
	struct envelope *e = original();
	struct dsn d = report(e, two, 2);
	struct buf out = BUF_INIT;

	(void)state;
	assert_false(dsn_make(&d, &out));
	assert_string_equal(
		buf_str(&out),
		"From: Mail Delivery System <MAILER-DAEMON@relay.example>\r\n"
		"To: <joe@acme.example>\r\n"
		"Subject: Undelivered mail returned to sender\r\n"
		"Date: Mon, 23 Nov 2026 18:01:00 +0000\r\n"
		"Message-ID: <01ab@relay.example>\r\n"
		"Auto-Submitted: auto-replied\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: multipart/report; report-type=delivery-status;\r\n"
		"\tboundary=\"=_01ab\"\r\n"
		"References: <1@acme.example>\r\n"
		"\r\n"
		"--=_01ab\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"\r\n"
		"Your message could not be delivered to the recipients below, and will not be\r\n"
		"tried again. This report was made by the mail relay relay.example.\r\n"
		"\r\n"
		"Subject: hello\r\n"
		"\r\n"
		"<bob@b.example>\r\n"
		"    mx.b.example [192.0.2.1] said:\r\n"
		"    550 5.1.1 no such user\r\n"
		"\r\n"
		"<c@c.example>\r\n"
		"    5.4.7 not delivered within 432000 s; at last: 450 4.2.1 mailbox busy\r\n"
		"\r\n"
		"--=_01ab\r\n"
		"Content-Type: message/delivery-status\r\n"
		"\r\n"
		"Original-Envelope-Id: QQ1\r\n"
		"Reporting-MTA: dns; relay.example\r\n"
		"Arrival-Date: Mon, 23 Nov 2026 18:00:00 +0000\r\n"
		"\r\n"
		"Original-Recipient: rfc822;Bob@b.example\r\n"
		"Final-Recipient: rfc822; bob@b.example\r\n"
		"Action: failed\r\n"
		"Status: 5.1.1\r\n"
		"Remote-MTA: dns; mx.b.example\r\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
		"Last-Attempt-Date: Mon, 23 Nov 2026 18:01:00 +0000\r\n"
		"\r\n"
		"Final-Recipient: rfc822; c@c.example\r\n"
		"Action: failed\r\n"
		"Status: 5.4.7\r\n"
		"Diagnostic-Code: x-gatepost; 5.4.7 not delivered within 432000 s; at last: 450 "
		"4.2.1 mailbox busy\r\n"
		"Last-Attempt-Date: Mon, 23 Nov 2026 18:01:00 +0000\r\n"
		"\r\n"
		"--=_01ab\r\n"
		"Content-Type: text/rfc822-headers\r\n"
		"\r\n"
		"From: joe@acme.example\r\n"
		"Subject: hello\r\n"
		"\r\n"
		"--=_01ab--\r\n");
	buf_free(&out);
	envelope_free(e);
}

static void a_delay(void **state)
{
	struct envelope *e = original();
	struct dsn d = report(e, two + 1, 1);
	struct buf out = BUF_INIT;

	(void)state;
	d.action = DSN_DELAYED;
	d.retry_until_ms = d.now_ms + 86400000;
	dsn_make(&d, &out);
	assert_non_null(strstr(buf_str(&out), "\r\nSubject: Mail not delivered yet\r\n"));
	assert_non_null(strstr(buf_str(&out), "\r\nAction: delayed\r\nStatus: 4.0.0\r\n"));
	assert_non_null(
		strstr(buf_str(&out), "\r\nWill-Retry-Until: Tue, 24 Nov 2026 18:01:00 +0000\r\n"));
	buf_free(&out);
	envelope_free(e);
}

/* Haraka GHSA-4gxg-q43p-hfr2: CR and LF in what was said end up in a bounce. */
static void nobody_can_add_a_line(void **state)
{
	static const struct dsn_recipient evil[] = {
		{"b@b.example\r\nAction: delivered", "rfc822;x\nStatus: 2.0.0",
		 "550 no\r\n\r\n--=_01ab\r\nX-Evil: 1", "mx\r\nX-Evil: 2"}};
	struct envelope *e = original();
	struct dsn d = report(e, evil, 1);
	struct buf out = BUF_INIT;

	(void)state;
	envelope_set(&e->subject, "x\r\nX-Evil: 3");
	envelope_set(&e->sender, "a@a\r\nX-Evil: 4");
	envelope_set(&e->envid, "q\nX-Evil: 5");
	envelope_set(&e->message_id, "<1>\r\nX-Evil: 6");
	d.header = "Subject: a\rX-Evil: 7\r\n--=_01ab\r\nX-Fine: \x1b[2J\r\n";
	d.header_len = strlen(d.header);
	dsn_make(&d, &out);
	assert_null(strstr(buf_str(&out), "\nX-Evil"));
	assert_null(strstr(buf_str(&out), "\rX-Evil"));
	assert_null(strstr(buf_str(&out), "\nAction: delivered"));
	assert_null(strstr(buf_str(&out), "\nStatus: 2"));
	assert_null(strchr(buf_str(&out), '\x1b'));
	size_t boundaries = 0;
	for (const char *s = buf_str(&out); (s = strstr(s, "\n--=_01ab")); s++)
		boundaries++;
	assert_int_equal(boundaries, 4);
	buf_free(&out);
	envelope_free(e);
}

static void other_scripts_pass(void **state)
{
	static const struct dsn_recipient umlaut[] = {{"b\xc3\xb6"
						       "b@b.example",
						       "", "554 5.6.7 gr\xc3\xbc\xc3\x9f",
						       "mx.b.example"}};
	struct envelope *e = original();
	struct dsn d = report(e, umlaut, 1);
	struct buf out = BUF_INIT;

	(void)state;
	assert_true(dsn_make(&d, &out));
	/* The status part is ASCII, so a seven-bit peer can be given it. */
	assert_non_null(strstr(buf_str(&out), "\nFinal-Recipient: utf-8; b\\x{F6}b@b.example\r\n"));
	assert_non_null(
		strstr(buf_str(&out), "\nDiagnostic-Code: smtp; 554 5.6.7 gr\\x{FC}\\x{DF}"));
	assert_non_null(strstr(buf_str(&out), "\n<b\xc3\xb6"
					      "b@b.example>\r\n"));
	buf_free(&out);
	envelope_free(e);
}

static void only_so_much_of_the_header_is_returned(void **state)
{
	struct envelope *e = original();
	struct dsn d = report(e, two, 1);
	struct buf header = BUF_INIT, out = BUF_INIT;

	(void)state;
	while (header.len < 3 * DSN_HEADER_MAX)
		buf_appends(&header, "X-Line: 0123456789\r\n");
	d.header = buf_str(&header);
	d.header_len = header.len;
	dsn_make(&d, &out);
	assert_in_range(out.len, DSN_HEADER_MAX, DSN_HEADER_MAX + 4096);
	assert_null(strstr(buf_str(&out), "X-Line: 0\r\n"));
	buf_free(&header);
	buf_free(&out);
	envelope_free(e);
}

static void the_status_comes_from_the_reply(void **state)
{
	static const struct {
		const char *reply;
		char class;
		const char *status;
	} cases[] = {
		{"550 5.1.1 x", '5', "5.1.1"},     {"5.4.7 x", '5', "5.4.7"},
		{"550 no", '5', "5.0.0"},          {"450 4.2.1 x", '5', "5.0.0"},
		{"450 4.2.1 x", '4', "4.2.1"},     {"", '5', "5.0.0"},
		{"550 5.1.1.1 x", '5', "5.0.0"},   {"550 5..1 x", '5', "5.0.0"},
		{"550 5.7.509 x", '5', "5.7.509"},
	};
	char status[12];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		dsn_status(cases[i].reply, cases[i].class, status);
		assert_string_equal(status, cases[i].status);
	}
}

static void who_is_told(void **state)
{
	struct envelope *e = original();
	struct recipient *r = envelope_add_recipient(e, "b@b.example");

	(void)state;
	assert_true(dsn_wanted(e, r, DSN_FAILED));
	assert_true(dsn_wanted(e, r, DSN_DELAYED));
	r->notify = NOTIFY_FAILURE;
	assert_true(dsn_wanted(e, r, DSN_FAILED));
	assert_false(dsn_wanted(e, r, DSN_DELAYED));
	r->notify = NOTIFY_SUCCESS;
	assert_false(dsn_wanted(e, r, DSN_FAILED));
	r->notify = NOTIFY_NEVER;
	assert_false(dsn_wanted(e, r, DSN_FAILED));
	r->notify = 0;
	envelope_set(&e->sender, "");
	assert_false(dsn_wanted(e, r, DSN_FAILED));
	envelope_free(e);
}

static void what_was_passed_on(void **state)
{
	static const struct dsn_recipient one = {"bob@b.example", "", "250 2.6.0 queued as 7",
						 "mx.b.example [192.0.2.1]"};
	struct envelope *e = original();
	struct dsn d = report(e, &one, 1);
	struct buf out = BUF_INIT;

	(void)state;
	d.action = DSN_RELAYED;
	dsn_make(&d, &out);
	assert_non_null(strstr(buf_str(&out), "Subject: Mail passed on\r\n"));
	assert_non_null(strstr(buf_str(&out), "Action: relayed\r\nStatus: 2.6.0\r\n"
					      "Remote-MTA: dns; mx.b.example\r\n"));
	assert_null(strstr(buf_str(&out), "Will-Retry-Until"));
	buf_free(&out);
	envelope_free(e);
}

static void success_is_told_only_where_asked_for(void **state)
{
	struct envelope *e = original();
	struct recipient *r = envelope_add_recipient(e, "bob@b.example");

	(void)state;
	assert_false(dsn_wanted(e, r, DSN_RELAYED));
	r->notify = NOTIFY_FAILURE | NOTIFY_DELAY;
	assert_false(dsn_wanted(e, r, DSN_RELAYED));
	r->notify = NOTIFY_SUCCESS;
	assert_true(dsn_wanted(e, r, DSN_RELAYED));
	assert_false(dsn_wanted(e, r, DSN_FAILED));
	envelope_set(&e->sender, "");
	assert_false(dsn_wanted(e, r, DSN_RELAYED));
	envelope_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_passed_on),
		cmocka_unit_test(success_is_told_only_where_asked_for),
		cmocka_unit_test(a_failure),
		cmocka_unit_test(a_delay),
		cmocka_unit_test(nobody_can_add_a_line),
		cmocka_unit_test(other_scripts_pass),
		cmocka_unit_test(only_so_much_of_the_header_is_returned),
		cmocka_unit_test(the_status_comes_from_the_reply),
		cmocka_unit_test(who_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
