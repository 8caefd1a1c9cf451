/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/command.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static struct command parsed(const char *line)
{
	struct command c;

	command_parse(line, strlen(line), &c);
	return c;
}

static void good(const char *line)
{
	struct command c = parsed(line);

	if (c.status)
		fail_msg("%s: %s %s", line, c.status, c.text);
}

static void bad(const char *line, const char *status, const char *text)
{
	struct command c = parsed(line);

	if (!c.status)
		fail_msg("%s: taken", line);
	assert_string_equal(c.status, status);
	if (!strstr(c.text, text))
		fail_msg("%s: the reply is '%s', without '%s'", line, c.text, text);
}

static void every_verb_is_known_in_any_case(void **state)
{
	static const struct {
		const char *line;
		enum command_verb verb;
	} table[] = {
		{"EHLO a.example", COMMAND_EHLO},
		{"helo a.example", COMMAND_HELO},
		{"Mail From:<a@b.example>", COMMAND_MAIL},
		{"RCPT TO:<a@b.example>", COMMAND_RCPT},
		{"data", COMMAND_DATA},
		{"BDAT 0 LAST", COMMAND_BDAT},
		{"RSET", COMMAND_RSET},
		{"NOOP with words", COMMAND_NOOP},
		{"QUIT ", COMMAND_QUIT},
		{"VRFY bob", COMMAND_VRFY},
		{"EXPN list", COMMAND_EXPN},
		{"HELP", COMMAND_HELP},
		{"STARTTLS", COMMAND_STARTTLS},
		{"AUTH PLAIN AGEAYg==", COMMAND_AUTH},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		good(table[i].line);
		assert_int_equal(parsed(table[i].line).verb, table[i].verb);
	}
	bad("", "500 5.5.1", "");
	bad("GET / HTTP/1.1", "500 5.5.1", "GET");
	bad("MAILFROM:<a@b.example>", "500 5.5.1", "MAILFROM");
	bad("DATA now", "501 5.5.4", "now");
}

static void hello_takes_what_clients_say(void **state)
{
	(void)state;
	assert_string_equal(parsed("EHLO [192.168.1.5]").name, "[192.168.1.5]");
	assert_string_equal(parsed("EHLO my_pc").name, "my_pc");
	assert_string_equal(parsed("EHLO a(b)\r\tc\xc3\xbc").name, "a?b???c??");
	bad("EHLO", "501 5.5.4", "EHLO host.name");
	bad("HELO  ", "501 5.5.4", "HELO host.name");
}

static void a_path_is_an_address_in_brackets(void **state)
{
	static const struct {
		const char *line, *address;
	} table[] = {
		{"MAIL FROM:<>", ""},
		{"MAIL FROM: <Bob@B.example>", "Bob@B.example"},
		{"MAIL FROM:<bob+tag=x@b-c.example>", "bob+tag=x@b-c.example"},
		{"MAIL FROM:<\"bob\"@b.example>", "bob@b.example"},
		{"MAIL FROM:<\"b\\ob\"@b.example>", "bob@b.example"},
		{"MAIL FROM:<\"b o>b\"@b.example>", "\"b o>b\"@b.example"},
		{"MAIL FROM:<\"a\\\"\\\\@\"@b.example>", "\"a\\\"\\\\@\"@b.example"},
		{"MAIL FROM:<\"a..b\"@b.example>", "\"a..b\"@b.example"},
		{"MAIL FROM:<\"\"@b.example>", "\"\"@b.example"},
		{"MAIL FROM:<bob@[192.0.2.1]>", "bob@[192.0.2.1]"},
		{"MAIL FROM:<bob@[IPv6:2001:db8::1]>", "bob@[IPv6:2001:db8::1]"},
		{"MAIL FROM:<b\xc3\xb6"
		 "b@b\xc3\xbc.example> SMTPUTF8",
		 "b\xc3\xb6"
		 "b@b\xc3\xbc.example"},
		{"RCPT TO:<@one.example,@two.example:bob@b.example>", "bob@b.example"},
		{"RCPT TO:<Postmaster>", "Postmaster"},
		{"RCPT TO:<postmaster@b.example>", "postmaster@b.example"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		good(table[i].line);
		assert_string_equal(parsed(table[i].line).mailbox.text, table[i].address);
	}
}

static void a_path_that_is_none_is_refused_with_its_text(void **state)
{
	static const struct {
		const char *line, *status, *text;
	} table[] = {
		{"MAIL", "501 5.5.4", "MAIL FROM:<user@domain>"},
		{"MAIL TO:<a@b.example>", "501 5.5.4", "MAIL FROM:<user@domain>"},
		{"MAIL FROM:a@b.example", "501 5.5.4", "MAIL FROM:<user@domain>"},
		{"MAIL FROM:<a@b.example", "501 5.1.7", "<a@b.example: "},
		{"MAIL FROM:<a@b.example>>", "501 5.5.4", "blank"},
		{"MAIL FROM:<a@b.example>SIZE=1", "501 5.5.4", "SIZE=1"},
		{"MAIL FROM:<bob>", "501 5.1.7", "bob: the sender needs a domain"},
		{"MAIL FROM:<postmaster>", "501 5.1.7", "needs a domain"},
		{"MAIL FROM:<@b.example>", "501 5.1.7", "source route"},
		{"MAIL FROM:<a@b@c.example>", "501 5.1.7", "<a@b@c.example>"},
		{"MAIL FROM:<a b@c.example>", "501 5.1.7", "<a b@c.example>"},
		{"MAIL FROM:<.a@b.example>", "501 5.1.7", "missing"},
		{"MAIL FROM:<a..b@b.example>", "501 5.1.7", "dot"},
		{"MAIL FROM:<a.@b.example>", "501 5.1.7", "dot"},
		{"MAIL FROM:<\"a@b.example>", "501 5.1.7", "closing"},
		{"MAIL FROM:<\"a\tb\"@b.example>", "501 5.1.7", "control"},
		{"MAIL FROM:<a@>", "501 5.1.7", "empty label"},
		{"MAIL FROM:<a@b..example>", "501 5.1.7", "empty label"},
		{"MAIL FROM:<a@b.example.>", "501 5.1.7", "empty label"},
		{"MAIL FROM:<a@-b.example>", "501 5.1.7", "'-'"},
		{"MAIL FROM:<a@[192.0.2.256]>", "501 5.1.7", "address literal"},
		{"MAIL FROM:<a@[2001:db8::1]>", "501 5.1.7", "address literal"},
		{"MAIL FROM:<a@[192.0.2.1>", "501 5.1.7", "']'"},
		{"MAIL FROM:<a@b\xff.example>", "501 5.1.7", "\\xFF"},
		{"MAIL FROM:<a\rb@c.example>", "501 5.1.7", "a\\x0Db"},
		{"RCPT TO:<>", "501 5.1.3", "missing"},
		{"RCPT TO:<bob>", "501 5.1.3", "needs a domain"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		bad(table[i].line, table[i].status, table[i].text);
}

static void addresses_are_bounded(void **state)
{
	char line[1000] = "MAIL FROM:<";
	size_t n = strlen(line);

	(void)state;
	memset(line + n, 'a', 400);
	strcpy(line + n + 400, "@b.example>");
	bad(line, "501 5.1.7", "longer than 320 bytes");

	strcpy(line + n, "a@");
	memset(line + n + 2, 'b', 64);
	strcpy(line + n + 66, ".example>");
	bad(line, "501 5.1.7", "longer than 63 bytes");

	for (size_t i = 0; i < 256; i++)
		line[n + 2 + i] = i % 2 ? '.' : 'b';
	strcpy(line + n + 2 + 256, "b>");
	bad(line, "501 5.1.7", "longer than 255 bytes");

	/* A return path longer than RFC 5321 has it, as bulk senders make them. */
	memset(line + n, 'a', 100);
	strcpy(line + n + 100, "@b.example>");
	good(line);
}

static void mail_takes_its_parameters(void **state)
{
	struct command c = parsed("MAIL FROM:<a@b.example> SIZE=123 BODY=8BITMIME SMTPUTF8 RET=HDRS"
				  " ENVID=QQ+2B1 AUTH=<>");

	(void)state;
	assert_null(c.status);
	assert_true(c.has_size);
	assert_int_equal(c.size, 123);
	assert_true(c.eight_bit);
	assert_true(c.smtputf8);
	assert_true(c.ret_hdrs);
	assert_string_equal(c.envid, "QQ+2B1");

	bad("MAIL FROM:<a@b.example> SIZE=", "501 5.5.4", "SIZE=BYTES");
	bad("MAIL FROM:<a@b.example> SIZE", "501 5.5.4", "SIZE=BYTES");
	bad("MAIL FROM:<a@b.example> SIZE=-1", "501 5.5.4", "SIZE=-1");
	bad("MAIL FROM:<a@b.example> SIZE=18446744073709551616", "501 5.5.4", "SIZE=");
	bad("MAIL FROM:<a@b.example> SIZE=1 SIZE=2", "501 5.5.4", "twice");
	bad("MAIL FROM:<a@b.example> BODY=BINARYMIME", "501 5.5.4", "BODY=7BIT");
	bad("MAIL FROM:<a@b.example> RET=SOME", "501 5.5.4", "RET=SOME");
	bad("MAIL FROM:<a@b.example> SMTPUTF8=1", "501 5.5.4", "no value");
	bad("MAIL FROM:<a@b.example> ENVID=a+2", "501 5.5.4", "XTEXT");
	bad("MAIL FROM:<a@b.example> NOTIFY=NEVER", "555 5.5.4", "NOTIFY=NEVER");
	bad("MAIL FROM:<a@b.example> FOO", "555 5.5.4", "FOO");
}

static void rcpt_takes_its_parameters(void **state)
{
	struct command c = parsed("RCPT TO:<a@b.example> NOTIFY=SUCCESS,delay ORCPT=rfc822;a@b.c");

	(void)state;
	assert_null(c.status);
	assert_int_equal(c.notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	assert_string_equal(c.orcpt, "rfc822;a@b.c");
	assert_int_equal(parsed("RCPT TO:<a@b.example> NOTIFY=NEVER").notify, NOTIFY_NEVER);
	good("RCPT TO:<a@b.example> ORCPT=utf-8;\xc3\xbc@b.c");

	bad("RCPT TO:<a@b.example> NOTIFY=", "501 5.5.4", "NOTIFY");
	bad("RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", "501 5.5.4", "NOTIFY");
	bad("RCPT TO:<a@b.example> NOTIFY=DELAY,DELAY", "501 5.5.4", "NOTIFY");
	bad("RCPT TO:<a@b.example> NOTIFY=DELAY,", "501 5.5.4", "NOTIFY");
	bad("RCPT TO:<a@b.example> ORCPT=a@b.c", "501 5.5.4", "ORCPT");
	bad("RCPT TO:<a@b.example> ORCPT=rfc822;", "501 5.5.4", "ORCPT");
	bad("RCPT TO:<a@b.example> ORCPT=rfc822;a=b", "501 5.5.4", "ORCPT");
	bad("RCPT TO:<a@b.example> SIZE=1", "555 5.5.4", "SIZE=1");
}

static void bdat_takes_a_size(void **state)
{
	struct command c = parsed("BDAT 1000 last");

	(void)state;
	assert_null(c.status);
	assert_true(c.last);
	assert_int_equal(c.size, 1000);
	assert_false(parsed("BDAT 7").last);
	bad("BDAT", "501 5.5.4", "BDAT BYTES");
	bad("BDAT -1", "501 5.5.4", "-1");
	bad("BDAT 0x10", "501 5.5.4", "0x10");
	bad("BDAT 1LAST", "501 5.5.4", "1LAST");
	bad("BDAT 1 LASTING", "501 5.5.4", "LASTING");
	bad("BDAT 99999999999999999999", "501 5.5.4", "99999999999999999999");
}

static void auth_names_a_mechanism(void **state)
{
	struct command c = parsed("AUTH plain =");

	(void)state;
	assert_null(c.status);
	assert_string_equal(c.mechanism, "PLAIN");
	assert_int_equal(c.initial_len, 1);
	assert_null(parsed("AUTH LOGIN").initial);
	bad("AUTH", "501 5.5.4", "AUTH MECHANISM");
	bad("AUTH ABCDEFGHIJKLMNOPQRSTUVWXY", "501 5.5.4", "AUTH MECHANISM");
}

static void base64_is_taken_strictly(void **state)
{
	char out[16];

	(void)state;
	assert_int_equal(command_base64("AGEAYg==", 8, out, sizeof(out)), 4);
	assert_memory_equal(out, "\0a\0b", 4);
	assert_int_equal(command_base64("", 0, out, sizeof(out)), 0);
	assert_int_equal(command_base64("AGEA Yg==", 9, out, sizeof(out)), -1);
	assert_int_equal(command_base64("AGEAYg=", 7, out, sizeof(out)), -1);
	assert_int_equal(command_base64("*", 1, out, sizeof(out)), -1);
	assert_int_equal(command_base64("AAAAAAAAAAAAAAAAAAAAAAAA", 24, out, sizeof(out)), -1);
}

static void quoting_is_bounded_and_printable(void **state)
{
	char out[COMMAND_QUOTE_MAX], many[300];

	(void)state;
	assert_string_equal(command_quote(out, "a\r\n\x80z", 5), "a\\x0D\\x0A\\x80z");
	memset(many, 1, sizeof(many));
	assert_true(strlen(command_quote(out, many, sizeof(many))) < COMMAND_QUOTE_MAX);
	assert_non_null(strstr(out, "..."));
}

static void patterns_name_senders(void **state)
{
	struct mailbox m = parsed("MAIL FROM:<Info@Acme.example>").mailbox;
	struct mailbox star = parsed("MAIL FROM:<*@acme.example>").mailbox;

	(void)state;
	assert_true(mailbox_matches(&m, "info@acme.example"));
	assert_true(mailbox_matches(&m, "*@ACME.example"));
	assert_false(mailbox_matches(&m, "inf@acme.example"));
	assert_false(mailbox_matches(&m, "infos@acme.example"));
	assert_false(mailbox_matches(&m, "*@example"));
	assert_false(mailbox_matches(&m, "*@mail.acme.example"));
	assert_false(mailbox_matches(&m, "*@*"));
	assert_false(mailbox_matches(&m, "*"));
	assert_false(mailbox_matches(&star, "info@acme.example"));
	assert_true(domain_is_within("a.b.example", "B.example"));
	assert_true(domain_is_within("b.example", "b.example"));
	assert_false(domain_is_within("ab.example", "b.example"));
	assert_false(domain_is_within("b.example", "a.b.example"));
	assert_false(domain_is_within("b.example", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verb_is_known_in_any_case),
		cmocka_unit_test(hello_takes_what_clients_say),
		cmocka_unit_test(a_path_is_an_address_in_brackets),
		cmocka_unit_test(a_path_that_is_none_is_refused_with_its_text),
		cmocka_unit_test(addresses_are_bounded),
		cmocka_unit_test(mail_takes_its_parameters),
		cmocka_unit_test(rcpt_takes_its_parameters),
		cmocka_unit_test(bdat_takes_a_size),
		cmocka_unit_test(auth_names_a_mechanism),
		cmocka_unit_test(base64_is_taken_strictly),
		cmocka_unit_test(quoting_is_bounded_and_printable),
		cmocka_unit_test(patterns_name_senders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
