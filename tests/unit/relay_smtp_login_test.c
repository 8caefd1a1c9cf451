/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/relay_smtp_dialogue.h"

static void auth_is_for_tls_alone(void **state)
{
	struct owner o;

	(void)state;
	open_client(&o, "192.0.2.1", "");
	assert_non_null(strstr(buf_str(&o.said), "250-STARTTLS\r\n"));
	assert_null(strstr(buf_str(&o.said), "AUTH"));
	talk(&o, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n", "538 5.7.11");
	assert_int_equal(session_want(o.session), SESSION_INPUT);
	hang_up(&o);

	open_client(&o, "192.0.2.1", "TLSv1.2");
	assert_null(strstr(buf_str(&o.said), "STARTTLS"));
	assert_non_null(strstr(buf_str(&o.said), "250-AUTH PLAIN LOGIN\r\n"));
	talk(&o, "STARTTLS\r\n", "503 5.5.1");
	hang_up(&o);
}

static void login_as_anna(struct owner *o, enum auth_verdict verdict)
{
	struct auth_ask ask;

	assert_int_equal(session_want(o->session), SESSION_AUTH);
	session_auth_ask(o->session, &ask);
	assert_string_equal(ask.user, "anna");
	assert_string_equal(ask.password, "secret");
	session_auth_answer(o->session, verdict, "acme");
}

static void users_log_in(void **state)
{
	struct owner o;
	struct envelope *e;

	(void)state;
	open_client(&o, "192.0.2.1", "TLSv1.2");
	/* As Gmail does it. */
	talk(&o, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n", "");
	login_as_anna(&o, AUTH_YES);
	starts(&o, "235 2.7.0");
	talk(&o, "AUTH LOGIN\r\n", "503 5.5.1 anna is logged in already");
	envelope_to_rcpt(&o);
	talk(&o, "DATA\r\n", "354");
	put(&o, MESSAGE ".\r\n");
	e = expect_submit(&o);
	assert_string_equal(e->user, "anna");
	assert_int_equal(e->flags & (ENVELOPE_AUTH | ENVELOPE_TLS), ENVELOPE_AUTH | ENVELOPE_TLS);
	envelope_free(e);
	hang_up(&o);

	open_client(&o, "192.0.2.1", "TLSv1.2");
	talk(&o, "auth plain\r\n", "334 \r\n");
	talk(&o, "AGFubmEAc2VjcmV0\r\n", "");
	login_as_anna(&o, AUTH_NO);
	starts(&o, "535 5.7.8 user name or password is wrong");
	talk(&o, "MAIL FROM:<anna@acme.example>\r\n", "550 5.7.1");
	talk(&o, "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n");
	talk(&o, "YW5uYQ==\r\n", "334 UGFzc3dvcmQ6\r\n");
	talk(&o, "c2VjcmV0\r\n", "");
	login_as_anna(&o, AUTH_LATER);
	starts(&o, "454 4.7.0");
	talk(&o, "AUTH LOGIN YW5uYQ==\r\n", "334 UGFzc3dvcmQ6\r\n");
	talk(&o, "c2VjcmV0\r\n", "");
	login_as_anna(&o, AUTH_YES);
	starts(&o, "235");
	hang_up(&o);
}

static void logins_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *line, *reply;
	} table[] = {
		{"AUTH CRAM-MD5\r\n", "504 5.5.4"},
		{"AUTH PLAIN !!!!\r\n", "501 5.5.2"},
		{"AUTH PLAIN YW5uYQ==\r\n", "501 5.5.2"},             /* no NUL */
		{"AUTH PLAIN AGFubmE=\r\n", "501 5.5.2"},             /* one NUL */
		{"AUTH PLAIN =\r\n", "501 5.5.2"},                    /* empty */
		{"AUTH PLAIN AABzZWNyZXQ=\r\n", "535 5.7.8"},         /* no user */
		{"AUTH PLAIN Ym9iAGFubmEAc2VjcmV0\r\n", "535 5.7.8"}, /* as bob */
		{"AUTH PLAIN AGFubmEAc2UAY3JldA==\r\n", "535 5.7.8"}, /* a NUL in the password */
		{"AUTH PLAIN\r\n*\r\n", "334 \r\n501 5.0.0"},
		{"AUTH LOGIN\r\nYW4AbmE=\r\n", "334 VXNlcm5hbWU6\r\n501 5.5.2"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct owner o;
		const char *second = strstr(table[i].line, "\r\n") + 2;
		size_t first = (size_t)(second - table[i].line);

		open_client(&o, "192.0.2.1", "TLSv1.2");
		session_input(o.session, table[i].line, first);
		put(&o, second);
		starts(&o, table[i].reply);
		assert_int_equal(session_want(o.session), SESSION_INPUT);
		talk(&o, "NOOP\r\n", "250");
		hang_up(&o);
	}
}

static void the_same_identity_may_be_named_twice(void **state)
{
	struct owner o;

	(void)state;
	open_client(&o, "192.0.2.1", "TLSv1.2");
	talk(&o, "AUTH PLAIN YW5uYQBhbm5hAHNlY3JldA==\r\n", "");
	login_as_anna(&o, AUTH_YES);
	starts(&o, "235");
	hang_up(&o);
}

static void failed_logins_end_the_session(void **state)
{
	struct owner o;

	(void)state;
	open_client(&o, "192.0.2.1", "TLSv1.2");
	for (int i = 0; i < SESSION_LOGINS_MAX; i++) {
		talk(&o, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n", "");
		login_as_anna(&o, AUTH_NO);
	}
	assert_non_null(strstr(said(&o), "421 4.7.0"));
	assert_int_equal(session_want(o.session), SESSION_CLOSE);
	hang_up(&o);
}

static void starttls_forgets_everything(void **state)
{
	static const char text[] = "STARTTLS\r\nMAIL FROM:<anna@acme.example>\r\n";
	struct owner o;

	(void)state;
	open_client(&o, "203.0.113.20", "");
	/* What was sent ahead is not taken: the owner drops it. */
	assert_int_equal(put(&o, text), 10);
	starts(&o, "220 2.0.0");
	assert_int_equal(session_want(o.session), SESSION_STARTTLS);
	session_tls_started(o.session, "TLSv1.2");
	starts(&o, "");
	talk(&o, "MAIL FROM:<anna@acme.example>\r\n", "503 5.5.1 say EHLO first");
	talk(&o, "EHLO x\r\n", "250-");
	assert_non_null(strstr(buf_str(&o.said), "AUTH PLAIN"));
	hang_up(&o);
}

static void a_reload_takes_the_account_away(void **state)
{
	static const char other[] =
		"{\"gatepost:relay\":{\"host-name\":\"relay.example.net\",\"account\":[]}}";
	struct buf error = BUF_INIT;
	struct relay_config *fresh = config_parse(other, sizeof(other) - 1, &error);
	struct owner o;

	(void)state;
	if (!fresh)
		fail_msg("%s", buf_str(&error));
	open_client(&o, "192.0.2.1", "TLSv1.2");
	talk(&o, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n", "");
	login_as_anna(&o, AUTH_YES);
	said(&o);
	envelope_to_rcpt(&o);
	session_reload(o.session, fresh);
	talk(&o, "RCPT TO:<c@b.example>\r\n", "451 4.7.1");
	talk(&o, "DATA\r\n", "451 4.7.1");
	talk(&o, "MAIL FROM:<anna@acme.example>\r\n", "550 5.7.1");
	hang_up(&o);
	config_free(fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auth_is_for_tls_alone),
		cmocka_unit_test(users_log_in),
		cmocka_unit_test(logins_that_are_none_are_refused),
		cmocka_unit_test(the_same_identity_may_be_named_twice),
		cmocka_unit_test(failed_logins_end_the_session),
		cmocka_unit_test(starttls_forgets_everything),
		cmocka_unit_test(a_reload_takes_the_account_away),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
