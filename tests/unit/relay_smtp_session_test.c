/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/relay_smtp_dialogue.h"

static void a_message_from_a_known_network_is_submitted(void **state)
{
	struct owner o;
	struct envelope *e;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	talk(&o, "MAIL FROM:<anna@acme.example> SIZE=100 RET=HDRS ENVID=E1 BODY=8BITMIME\r\n",
	     "250 2.1.0");
	talk(&o, "RCPT TO:<bob@b.example> NOTIFY=NEVER ORCPT=rfc822;bob@b.example\r\n",
	     "250 2.1.5");
	talk(&o, "RCPT TO:<Postmaster>\r\n", "250 2.1.5");
	talk(&o, "RCPT TO:<bob@B.example>\r\n", "250 2.1.5"); /* again */
	talk(&o, "DATA\r\n", "354");
	talk(&o, MESSAGE "..\r\n.\r\n", "");
	e = expect_submit(&o);
	assert_string_equal(buf_str(&o.body), MESSAGE ".\r\n");
	assert_int_equal(e->size, o.body.len);
	assert_string_equal(e->account, "acme");
	assert_string_equal(e->sender, "anna@acme.example");
	assert_string_equal(e->header_from, "anna@acme.example");
	assert_string_equal(e->subject, "\xc3\xbc");
	assert_string_equal(e->message_id, "<1@acme.example>");
	assert_string_equal(e->envid, "E1");
	assert_string_equal(e->helo, "client.example");
	assert_string_equal(e->user, "");
	assert_string_equal(e->track_host, "t.example.net");
	assert_int_equal(e->track_key, 7);
	assert_string_equal(e->sign_domain, "acme.example");
	assert_string_equal(e->sign_selector, "g1");
	assert_int_equal(e->flags, ENVELOPE_RET_HDRS | ENVELOPE_TRACK_OPENS |
					   ENVELOPE_TRACK_CLICKS | ENVELOPE_DKIM);
	assert_int_equal(e->recipient_count, 2);
	assert_string_equal(e->recipients[0].address, "bob@b.example");
	assert_int_equal(e->recipients[0].notify, NOTIFY_NEVER);
	assert_string_equal(e->recipients[0].orcpt, "rfc822;bob@b.example");
	assert_string_equal(e->recipients[1].address, "Postmaster@relay.example.net");
	envelope_free(e);
	session_submitted(o.session, SUBMIT_KEPT, 1);
	starts(&o, "250 2.0.0 kept as ");
	assert_true(session_is_idle(o.session));
	talk(&o, "QUIT\r\n", "221 2.0.0");
	assert_int_equal(session_want(o.session), SESSION_CLOSE);
	hang_up(&o);
}

static void pipelining_and_chunks_in_one_piece(void **state)
{
	static const char text[] = "MAIL FROM:<anna@acme.example>\r\nRCPT TO:<bob@b.example>\r\n"
				   "BDAT 34\r\nFrom: Anna <anna@acme.example>\r\n\r\n"
				   "BDAT 8 LAST\r\nno\r\n.\r\n\xc3QUIT\r\n";
	struct envelope *e;
	struct owner o;
	size_t used;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	used = put(&o, text);
	e = expect_submit(&o);
	assert_string_equal(text + used, "QUIT\r\n");
	starts(&o, "250 2.1.0 the sender is fine\r\n250 2.1.5 the recipient is fine\r\n250 2.0.0");
	assert_string_equal(buf_str(&o.body),
			    "From: Anna <anna@acme.example>\r\n\r\nno\r\n.\r\n\xc3\r\n");
	assert_true(e->flags & ENVELOPE_8BIT);
	envelope_free(e);
	session_submitted(o.session, SUBMIT_KEPT, 2);
	starts(&o, "250 2.0.0");
	talk(&o, text + used, "221");
	hang_up(&o);
}

/* The same dialogue, byte by byte. */
static void bytes_may_come_one_by_one(void **state)
{
	static const char text[] = "EHLO x\r\nMAIL FROM:<anna@acme.example>\r\n"
				   "RCPT TO:<bob@b.example>\r\nDATA\r\n" MESSAGE ".\r\n";
	struct owner o;

	(void)state;
	dial(&o, "203.0.113.20", "");
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		assert_int_equal(session_input(o.session, text + i, 1), 1);
	said(&o);
	keep(&o);
	assert_string_equal(buf_str(&o.body), MESSAGE);
	hang_up(&o);
}

static void the_spools_answer_is_passed_on(void **state)
{
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	envelope_to_rcpt(&o);
	talk(&o, "DATA\r\n", "354");
	put(&o, MESSAGE ".\r\n");
	envelope_free(expect_submit(&o));
	session_submitted(o.session, SUBMIT_FULL, 0);
	starts(&o, "452 4.3.1");
	envelope_to_rcpt(&o);
	talk(&o, "DATA\r\n", "354");
	put(&o, MESSAGE ".\r\n");
	envelope_free(expect_submit(&o));
	session_submitted(o.session, SUBMIT_ERROR, 0);
	starts(&o, "451 4.3.0");
	hang_up(&o);
}

static void strangers_and_forgers_are_refused(void **state)
{
	struct owner o;

	(void)state;
	open_client(&o, "192.0.2.1", "");
	talk(&o, "MAIL FROM:<anna@acme.example>\r\n", "550 5.7.1 192.0.2.1 is not a client");
	assert_non_null(strstr(o.rejected, "|anna@acme.example||550 5.7.1"));
	talk(&o, "RCPT TO:<bob@b.example>\r\n", "503 5.5.1");
	talk(&o, "DATA\r\n", "503 5.5.1");
	talk(&o, "MAIL FROM:<>\r\n", "550 5.7.1");
	hang_up(&o);

	open_client(&o, "203.0.113.20", "");
	talk(&o, "MAIL FROM:<ceo@bank.example>\r\n", "550 5.7.1 ceo@bank.example: account acme");
	assert_memory_equal(o.rejected, "acme|", 5);
	envelope_to_rcpt(&o);
	talk(&o, "DATA\r\n", "354");
	talk(&o, "From: ceo@bank.example\r\n\r\n.\r\n", "550 5.7.1 From: ceo@bank.example");
	assert_memory_equal(o.rejected, "acme|anna@acme.example|bob@b.example|550", 40);
	assert_int_equal(session_want(o.session), SESSION_INPUT);
	/* Both are somebody's; together they are nobody's. */
	envelope_to_rcpt(&o);
	talk(&o, "DATA\r\n", "354");
	talk(&o, "From: x@beta.example\r\n\r\n.\r\n", "550 5.7.1 From: x@beta.example");
	envelope_to_rcpt(&o);
	talk(&o, "DATA\r\n", "354");
	talk(&o, "To: x@beta.example\r\n\r\n.\r\n", "550 5.7.1 the message has no From field");
	hang_up(&o);
}

static void the_null_sender_takes_the_headers_account(void **state)
{
	struct envelope *e;
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	talk(&o, "MAIL FROM:<>\r\n", "250 2.1.0");
	talk(&o, "RCPT TO:<bob@b.example>\r\n", "250 2.1.5");
	talk(&o, "DATA\r\n", "354");
	put(&o, "From: x@beta.example\r\n\r\n.\r\n");
	e = expect_submit(&o);
	assert_string_equal(e->account, "beta");
	assert_string_equal(e->sender, "");
	assert_string_equal(e->sign_domain, "");
	assert_string_equal(e->track_host, "t.example.net");
	envelope_free(e);
	session_submitted(o.session, SUBMIT_KEPT, 1);
	said(&o);

	/* Its limits as well, though they were not known when the data began. */
	talk(&o, "MAIL FROM:<>\r\n", "250 2.1.0");
	talk(&o, "RCPT TO:<bob@b.example>\r\n", "250 2.1.5");
	talk(&o, "DATA\r\n", "354");
	put(&o, "From: x@tiny.example\r\n\r\n");
	for (int i = 0; i < 100; i++)
		put(&o, "0123456789\r\n");
	talk(&o, ".\r\n", "552 5.3.4 1224 bytes: account tiny may send");
	hang_up(&o);
}

static void limits_of_the_account_hold(void **state)
{
	char big[3000];
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	talk(&o, "MAIL FROM:<anna@acme.example> SIZE=2001\r\n", "552 5.3.4 2001 bytes");
	envelope_to_rcpt(&o);
	talk(&o, "RCPT TO:<c@b.example>\r\n", "250");
	talk(&o, "RCPT TO:<d@b.example>\r\n", "250");
	talk(&o, "RCPT TO:<e@b.example>\r\n", "452 4.5.3");
	talk(&o, "RCPT TO:<c@b.example>\r\n", "250");
	talk(&o, "DATA\r\n", "354");
	put(&o, "From: anna@acme.example\r\n\r\n");
	memset(big, 'x', sizeof(big));
	session_input(o.session, big, sizeof(big));
	talk(&o, "\r\n.\r\n", "552 5.3.4 the message is larger than the 2000 bytes");

	envelope_to_rcpt(&o);
	talk(&o, "BDAT 2001\r\n", "552 5.3.4");
	session_input(o.session, big, 2001);
	talk(&o, "BDAT 5 LAST\r\nNOOP\n", "503 5.5.1");
	envelope_to_rcpt(&o);
	talk(&o, "BDAT 99999999999 LAST\r\n", "552 5.3.4");
	assert_int_equal(session_want(o.session), SESSION_CLOSE);
	hang_up(&o);

	open_client(&o, "203.0.113.20", "");
	o.admission = "421 4.7.0";
	talk(&o, "MAIL FROM:<anna@acme.example>\r\n", "421 4.7.0 account acme is busy");
	assert_int_equal(session_want(o.session), SESSION_CLOSE);
	hang_up(&o);
}

static void chunks_end_where_they_say(void **state)
{
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	/* Nothing at all is a message too: one without From. */
	envelope_to_rcpt(&o);
	talk(&o, "BDAT 0\r\n", "250 2.0.0");
	talk(&o, "BDAT 0 LAST\r\n", "550 5.7.1");
	/* Behind the last one there is no mail: its bytes are read past, not taken for commands. */
	talk(&o, "BDAT 6 LAST\r\nQUIT\r\n", "503 5.5.1");
	talk(&o, "NOOP\r\n", "250 2.0.0 done\r\n");
	/* A command within a chunk is none; between two, RSET forgets the first. */
	envelope_to_rcpt(&o);
	talk(&o, "BDAT 6\r\nRSET\r\n", "250 2.0.0 the chunk is taken\r\n");
	talk(&o, "DATA\r\n", "503 5.5.1");
	talk(&o, "MAIL FROM:<anna@acme.example>\r\n", "503 5.5.1");
	talk(&o, "RCPT TO:<c@b.example>\r\n", "503 5.5.1");
	talk(&o, "STARTTLS\r\n", "503 5.5.1");
	talk(&o, "RSET\r\n", "250 2.0.0 done\r\n");
	talk(&o, "BDAT 3 LAST\r\nabc", "503 5.5.1");
	envelope_to_rcpt(&o);
	talk(&o, "BDAT 3\r\nabc", "250");
	talk(&o, "EHLO client.example\r\n", "250-relay");
	talk(&o, "BDAT 3\r\nabc", "503 5.5.1");
	/* A line end may be cut in two, but not left half. */
	envelope_to_rcpt(&o);
	talk(&o, "BDAT 26\r\nFrom: anna@acme.example\r\n\r", "250");
	talk(&o, "BDAT 7 LAST\r\n\nhello\r", "554 5.6.0 line 3 of the message has a CR without LF");
	envelope_to_rcpt(&o);
	talk(&o, "BDAT 18446744073709551615 LAST\r\n", "552 5.3.4");
	assert_int_equal(session_want(o.session), SESSION_CLOSE);
	hang_up(&o);
}

static void a_rate_counts_the_recipients_that_get_mail(void **state)
{
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	o.allowance = 2;
	envelope_to_rcpt(&o);
	assert_int_equal(o.charged, 1);
	talk(&o, "RCPT TO:<bob@B.example>\r\n", "250"); /* the same one again */
	assert_int_equal(o.charged, 1);
	talk(&o, "RCPT TO:<c@b.example>\r\n", "250");
	talk(&o, "RCPT TO:<d@b.example>\r\n", "450 4.7.1 account acme is over its rate\r\n");
	assert_string_equal(o.rejected, "acme|anna@acme.example|d@b.example|450 4.7.1 account "
					"acme is over its rate");
	talk(&o, "RCPT TO:<d@b.example>\r\n", "450 4.7.1"); /* it is none of the mail's */
	talk(&o, "RSET\r\n", "250");
	assert_int_equal(o.charged, 0);

	envelope_to_rcpt(&o);
	talk(&o, "DATA\r\n", "354");
	talk(&o, "From: anna@acme.example\r\n\r\nhello\r\n.\r\n", "");
	envelope_free(session_take_envelope(o.session));
	session_submitted(o.session, SUBMIT_FULL, 0);
	starts(&o, "452");
	assert_int_equal(o.charged, 0);

	envelope_to_rcpt(&o);
	talk(&o, "DATA\r\n", "354");
	talk(&o, "From: anna@acme.example\r\n\r\nhello\r\n.\r\n", "");
	envelope_free(session_take_envelope(o.session));
	session_submitted(o.session, SUBMIT_KEPT, 1);
	starts(&o, "250");
	envelope_to_rcpt(&o);
	assert_int_equal(o.charged, 2);
	session_free(o.session);
	o.session = NULL;
	assert_int_equal(o.charged, 1);
	hang_up(&o);
}

static void a_rate_is_that_of_the_account_that_sends(void **state)
{
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	o.allowance = 1;
	talk(&o, "MAIL FROM:<>\r\n", "250");
	talk(&o, "RCPT TO:<bob@b.example>\r\n", "250");
	talk(&o, "DATA\r\n", "354");
	talk(&o, "From: b@beta.example\r\n\r\nhello\r\n.\r\n", "");
	assert_int_equal(session_want(o.session), SESSION_SUBMIT);
	assert_int_equal(o.charged, 1);
	hang_up(&o);
}

static void a_paused_account_is_told_to_come_back(void **state)
{
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	talk(&o, "MAIL FROM:<a@asleep.example>\r\n",
	     "450 4.7.1 account asleep is paused by its operator: try again later\r\n");
	talk(&o, "MAIL FROM:<>\r\n", "250");
	talk(&o, "RCPT TO:<bob@b.example>\r\n", "250");
	talk(&o, "DATA\r\n", "354");
	talk(&o, "From: a@asleep.example\r\n\r\nhello\r\n.\r\n", "450 4.7.1 account asleep");
	assert_int_equal(o.charged, 0);
	hang_up(&o);
}

static void commands_keep_their_order(void **state)
{
	struct owner o;

	(void)state;
	dial(&o, "203.0.113.20", "");
	starts(&o, "220");
	talk(&o, "MAIL FROM:<anna@acme.example>\r\n", "503 5.5.1 say EHLO first");
	talk(&o, "AUTH PLAIN\r\n", "503 5.5.1 say EHLO first");
	talk(&o, "HELO x\r\n", "250 relay.example.net\r\n");
	talk(&o, "RCPT TO:<bob@b.example>\r\n", "503 5.5.1");
	talk(&o, "DATA\r\n", "503 5.5.1");
	talk(&o, "MAIL FROM:<anna@acme.example>\r\n", "250");
	talk(&o, "DATA\r\n", "554 5.5.1");
	talk(&o, "MAIL FROM:<anna@acme.example>\r\n", "503 5.5.1");
	talk(&o, "STARTTLS\r\n", "503 5.5.1");
	talk(&o, "RSET\r\n", "250");
	talk(&o, "MAIL FROM:<anna@acme.example>\r\n", "250");
	talk(&o, "EHLO x\r\n", "250-");
	talk(&o, "RCPT TO:<bob@b.example>\r\n", "503 5.5.1");
	envelope_to_rcpt(&o);
	talk(&o, "BDAT 3\r\nabc", "250 2.0.0");
	talk(&o, "DATA\r\n", "503 5.5.1");
	talk(&o, "RCPT TO:<c@b.example>\r\n", "503 5.5.1");
	talk(&o, "RSET\r\n", "250");
	talk(&o, "VRFY bob\r\n", "252");
	talk(&o, "EXPN bob\r\n", "502");
	talk(&o, "NOOP\r\n", "250");
	talk(&o, "HELP\r\n", "214");
	talk(&o, "FOO\r\n", "500 5.5.1 FOO");
	hang_up(&o);
}

static void what_could_be_read_in_two_ways_ends_the_session(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *reply;
	} table[] = {
#define BYTES(s) s, sizeof(s) - 1
		{BYTES("NOOP\n"), "500 5.5.2"},
		{BYTES("NOOP \r x\r\n"), "500 5.5.2"},
		{BYTES("NOOP \r\r\n"), "500 5.5.2"},
		{BYTES("NOOP \0\r\n"), "500 5.5.2"},
		{BYTES("\n"), "500 5.5.2"},
		{BYTES("EHLO y\r\nNOOP\r\n"), "503 5.5.1"},
		{BYTES("BDAT many\r\n"), "501 5.5.4"},
		{BYTES("DATA\r\nFrom: x\r\n"), "503 5.5.1"},
#undef BYTES
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct owner o;

		open_client(&o, "203.0.113.20", "");
		envelope_to_rcpt(&o);
		session_input(o.session, table[i].text, table[i].n);
		assert_int_equal(session_want(o.session), SESSION_CLOSE);
		starts(&o, table[i].reply);
		assert_non_null(strstr(buf_str(&o.said), "\r\n421 "));
		hang_up(&o);
	}
}

static void helo_clients_may_not_pipeline(void **state)
{
	struct owner o;

	(void)state;
	dial(&o, "203.0.113.20", "");
	talk(&o, "HELO x\r\n", "220");
	put(&o, "MAIL FROM:<anna@acme.example>\r\nRCPT TO:<bob@b.example>\r\n");
	starts(&o, "503 5.5.1");
	assert_int_equal(session_want(o.session), SESSION_CLOSE);
	hang_up(&o);
}

static void smuggled_mail_is_one_refused_message(void **state)
{
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	envelope_to_rcpt(&o);
	talk(&o, "DATA\r\n", "354");
	talk(&o,
	     "From: anna@acme.example\r\n\r\nx\n.\r\nMAIL FROM:<ceo@acme.example>\r\n"
	     "RCPT TO:<eve@b.example>\r\nDATA\r\nFrom: ceo@acme.example\r\n\r\n.\r\n",
	     "554 5.6.0 line 3 of the message has a LF without CR");
	assert_null(strstr(buf_str(&o.said), "250"));
	assert_int_equal(session_want(o.session), SESSION_INPUT);
	hang_up(&o);
}

static void long_lines_are_refused_and_passed_over(void **state)
{
	char line[10000];
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	memset(line, 'x', sizeof(line));
	session_input(o.session, line, sizeof(line));
	talk(&o, "y\r\nNOOP\r\n", "500 5.5.6 the line is longer than 4096 bytes\r\n250");
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	session_input(o.session, line, sizeof(line));
	starts(&o, "500 5.5.6");
	line[sizeof(line) - 1] = line[sizeof(line) - 2] = 'x';
	for (int i = 0; i < 7; i++)
		session_input(o.session, line, sizeof(line));
	starts(&o, "421 4.5.2");
	assert_int_equal(session_want(o.session), SESSION_CLOSE);
	hang_up(&o);
}

static void errors_and_idle_commands_are_bounded(void **state)
{
	struct owner o;
	int i;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	for (i = 0; session_want(o.session) == SESSION_INPUT; i++)
		put(&o, "FOO\r\n");
	assert_int_equal(i, SESSION_ERRORS_MAX + 1);
	hang_up(&o);

	open_client(&o, "203.0.113.20", "");
	for (i = 0; session_want(o.session) == SESSION_INPUT; i++)
		put(&o, "NOOP\r\n");
	assert_int_equal(i, SESSION_IDLE_COMMANDS_MAX);
	hang_up(&o);

	/* Mail that is kept clears the count. */
	open_client(&o, "203.0.113.20", "");
	for (i = 0; i < 300; i++) {
		put(&o, "NOOP\r\n");
		said(&o);
		if (i % 50)
			continue;
		envelope_to_rcpt(&o);
		talk(&o, "DATA\r\n", "354");
		put(&o, MESSAGE ".\r\n");
		keep(&o);
	}
	hang_up(&o);
}

static void utf8_addresses_need_smtputf8(void **state)
{
	struct envelope *e;
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	talk(&o, "MAIL FROM:<\xc3\xbc@acme.example>\r\n", "553 5.6.7 \\xC3\\xBC@acme.example");
	talk(&o, "MAIL FROM:<anna@acme.example>\r\n", "250");
	talk(&o, "RCPT TO:<\xc3\xbc@b.example>\r\n", "553 5.6.7");
	talk(&o, "RSET\r\n", "250");
	talk(&o, "MAIL FROM:<\xc3\xbc@acme.example> SMTPUTF8\r\n", "250");
	talk(&o, "RCPT TO:<\xc3\xbc@b.example>\r\n", "250");
	talk(&o, "DATA\r\n", "354");
	put(&o, MESSAGE ".\r\n");
	e = expect_submit(&o);
	assert_true(e->flags & ENVELOPE_SMTPUTF8);
	envelope_free(e);
	hang_up(&o);
}

static void replies_hold_nothing_that_the_client_chose_to_inject(void **state)
{
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	put(&o, "RCPT\x1b[2J\xff\xc2\x85 TO:<x>\r\n");
	for (const char *p = said(&o); *p; p++)
		assert_true(*p == '\r' || *p == '\n' || (*p >= ' ' && *p <= '~'));
	hang_up(&o);
}

static void a_timed_out_session_says_so_and_ends(void **state)
{
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	envelope_to_rcpt(&o);
	assert_false(session_is_idle(o.session));
	session_end(o.session, "4.4.2 nothing came for 300 seconds");
	starts(&o, "421 4.4.2 nothing came");
	assert_int_equal(session_want(o.session), SESSION_CLOSE);
	assert_int_equal(put(&o, "NOOP\r\n"), 0);
	hang_up(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_from_a_known_network_is_submitted),
		cmocka_unit_test(pipelining_and_chunks_in_one_piece),
		cmocka_unit_test(bytes_may_come_one_by_one),
		cmocka_unit_test(the_spools_answer_is_passed_on),
		cmocka_unit_test(strangers_and_forgers_are_refused),
		cmocka_unit_test(the_null_sender_takes_the_headers_account),
		cmocka_unit_test(limits_of_the_account_hold),
		cmocka_unit_test(chunks_end_where_they_say),
		cmocka_unit_test(a_rate_counts_the_recipients_that_get_mail),
		cmocka_unit_test(a_rate_is_that_of_the_account_that_sends),
		cmocka_unit_test(a_paused_account_is_told_to_come_back),
		cmocka_unit_test(commands_keep_their_order),
		cmocka_unit_test(what_could_be_read_in_two_ways_ends_the_session),
		cmocka_unit_test(helo_clients_may_not_pipeline),
		cmocka_unit_test(smuggled_mail_is_one_refused_message),
		cmocka_unit_test(long_lines_are_refused_and_passed_over),
		cmocka_unit_test(errors_and_idle_commands_are_bounded),
		cmocka_unit_test(utf8_addresses_need_smtputf8),
		cmocka_unit_test(replies_hold_nothing_that_the_client_chose_to_inject),
		cmocka_unit_test(a_timed_out_session_says_so_and_ends),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
