/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole SMTP dialogues over a loopback connection: a scripted server in a thread, the client here.
 *
 * A script is a list of steps: "C:text" reads a line that begins with text, "S:text" sends a line,
 * "B:text" sends text as it is, "D" reads a message up to its dot, "W" waits for the client to
 * hang up, "X" hangs up, "R" resets.
 */
#include "relay/deliver/client.h"
#include "relay/spool/envelope.h"
#include "tests/unit/cmocka.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the server --- */

struct server {
	const char *const *script;
	int listener, conn;
	FILE *in;
	pthread_t thread;
	struct buf heard; /* every line and message */
	char fault[256];
};

static bool hear_line(struct server *s, char *line, size_t cap)
{
	if (!fgets(line, (int)cap, s->in))
		return false;
	buf_appends(&s->heard, line);
	return true;
}

static void hear_data(struct server *s)
{
	char line[70000] = "";

	while (strcmp(line, ".\r\n") != 0 && hear_line(s, line, sizeof(line)))
		;
}

static void send_all(struct server *s, const char *text, const char *end)
{
	struct buf b = BUF_INIT;

	buf_appends(&b, text);
	buf_appends(&b, end);
	(void)!send(s->conn, b.data, b.len, MSG_NOSIGNAL);
	buf_free(&b);
}

static void expect_line(struct server *s, const char *want)
{
	char line[2000];

	if (!hear_line(s, line, sizeof(line)))
		snprintf(line, sizeof(line), "(end)");
	if (strncmp(line, want, strlen(want)) != 0 && !*s->fault)
		snprintf(s->fault, sizeof(s->fault), "wanted '%.90s', heard '%.90s'", want, line);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	const struct linger reset = {1, 0};
	char rest[2000];

	s->conn = accept(s->listener, NULL, NULL);
	s->in = fdopen(dup(s->conn), "r");
	for (const char *const *step = s->script; *step; step++) {
		switch (**step) {
		case 'C':
			expect_line(s, *step + 2);
			break;
		case 'S':
			send_all(s, *step + 2, "\r\n");
			break;
		case 'B':
			send_all(s, *step + 2, "");
			break;
		case 'D':
			hear_data(s);
			break;
		case 'R':
			setsockopt(s->conn, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
			break;
		case 'W':
			while (hear_line(s, rest, sizeof(rest)))
				;
			break;
		}
		if (**step == 'X' || **step == 'R')
			break;
	}
	fclose(s->in);
	close(s->conn);
	return NULL;
}

/* --- the client's side --- */

struct run {
	struct ev_loop *loop;
	struct server server;
	struct client *client;
	const struct client_mail *mails; /* sent one after the other */
	size_t mail_count, next;
	struct buf results; /* "0=250 ok;1=550 no|" a mail */
	struct buf closed;
	enum client_end end;
	bool over;
};

static void on_ready(struct client *c, void *arg)
{
	struct run *r = arg;

	if (r->next < r->mail_count) {
		const char *cannot = command_cannot(&r->mails[r->next], client_extensions(c));

		if (!cannot) {
			client_send(c, &r->mails[r->next++]);
			return;
		}
		buf_printf(&r->results, "cannot:%s|", cannot);
	}
	client_quit(c);
}

static void on_done(struct client *c, const struct client_result *results, void *arg)
{
	static const char *const outcomes[] = {"ok", "later", "never", "untried"};
	struct run *r = arg;

	(void)c;
	for (size_t i = 0; i < r->mails[r->next - 1].recipient_count; i++)
		buf_printf(&r->results, "%s%s:%s", i ? ";" : "", outcomes[results[i].outcome],
			   results[i].reply);
	buf_appendc(&r->results, '|');
}

static void on_closed(struct client *c, enum client_end end, const char *why, void *arg)
{
	struct run *r = arg;

	(void)c;
	r->end = end;
	r->over = true;
	buf_appends(&r->closed, why);
	ev_break(r->loop, EVBREAK_ALL);
}

static const struct client_handler handler = {on_ready, on_done, on_closed};

static int body_of(const char *text)
{
	int fd = memfd_create("body", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

#define BODY_TEXT "Subject: x\r\n\r\n.dot\r\n"

static const struct client_recipient one[] = {{"b@b.example", "", 0}};
static const struct client_recipient three[] = {
	{"b@b.example", "", 0}, {"c@b.example", "rfc822;C@b.example", 0}, {"d@b.example", "", 0}};

static struct client_mail mail_to(const struct client_recipient *rcpts, size_t n)
{
	return (struct client_mail){.sender = "a@a.example",
				    .envid = "",
				    .fd = body_of(BODY_TEXT),
				    .size = strlen(BODY_TEXT),
				    .recipients = rcpts,
				    .recipient_count = n};
}

static void run_with(struct run *r, const char *const *script, const struct client_mail *mails,
		     size_t count, struct tls_client *tls, unsigned time_percent)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);

	memset(r, 0, sizeof(*r));
	r->loop = ev_loop_new(0);
	r->mails = mails;
	r->mail_count = count;
	r->server.script = script;
	r->server.listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(r->server.listener, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(r->server.listener, 5), 0);
	getsockname(r->server.listener, (struct sockaddr *)&sa, &len);
	pthread_create(&r->server.thread, NULL, serve, &r->server);
	struct client_target t = {.host = "mx.b.example",
				  .port = ntohs(sa.sin_port),
				  .helo = "relay.example",
				  .tls = tls,
				  .time_percent = time_percent};
	addr_parse("127.0.0.1", &t.addr);
	addr_parse("127.0.0.2", &t.source);
	r->client = client_open(r->loop, &t, &handler, r);
	ev_run(r->loop, 0);
	assert_true(r->over);
	pthread_join(r->server.thread, NULL);
	assert_string_equal(r->server.fault, "");
}

static void run(struct run *r, const char *const *script, const struct client_mail *mails,
		size_t count)
{
	run_with(r, script, mails, count, NULL, 0);
}

static void run_free(struct run *r)
{
	close(r->server.listener);
	for (size_t i = 0; i < r->mail_count; i++)
		close(r->mails[i].fd);
	buf_free(&r->server.heard);
	buf_free(&r->results);
	buf_free(&r->closed);
	ev_loop_destroy(r->loop);
}

#define SCRIPT(...)               \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

/* Runs one mail and checks its results and the end. */
static void check(const char *const *script, const struct client_recipient *rcpts, size_t n,
		  const char *results, enum client_end end)
{
	struct client_mail m = mail_to(rcpts, n);
	struct run r;

	run(&r, script, &m, 1);
	assert_string_equal(buf_str(&r.results), results);
	assert_int_equal(r.end, end);
	run_free(&r);
}

/* --- what the promises say --- */

#define PLAIN "S:220 hi", "C:EHLO relay.example\r\n", "S:250 mx"
#define PIPED "S:220 hi", "C:EHLO", "S:250-mx\r\n250-SIZE 1000\r\n250 PIPELINING"
#define QUITS "C:QUIT\r\n", "S:221 bye", "X"

static void a_plain_dialogue(void **state)
{
	struct client_mail m = mail_to(one, 1);
	struct run r;

	(void)state;
	run(&r,
	    SCRIPT(PLAIN, "C:MAIL FROM:<a@a.example>\r\n", "S:250 ok",
		   "C:RCPT TO:<b@b.example>\r\n", "S:250 ok", "C:DATA\r\n", "S:354 go", "D",
		   "S:250 2.0.0 kept", QUITS),
	    &m, 1);
	assert_string_equal(buf_str(&r.results), "ok:250 2.0.0 kept|");
	assert_int_equal(r.end, CLIENT_END_IDLE);
	assert_non_null(
		strstr(buf_str(&r.server.heard), "DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT"));
	run_free(&r);
}

static void commands_leave_together_where_the_peer_can(void **state)
{
	(void)state;
	check(SCRIPT(PIPED, "C:MAIL FROM:<a@a.example> SIZE=20\r\n", "C:RCPT TO:<b@b.example>\r\n",
		     "C:RCPT TO:<c@b.example>\r\n", "C:RCPT", "C:DATA\r\n",
		     "B:250 ok\r\n250 ok\r\n550 5.1.1 no\r\n45", "B:1 later\r\n354 go\r\n", "D",
		     "S:250 kept", QUITS),
	      three, 3, "ok:250 kept;never:550 5.1.1 no;later:451 later|", CLIENT_END_IDLE);
}

static void an_old_server_is_spoken_to_with_helo(void **state)
{
	(void)state;
	check(SCRIPT("S:220 hi", "C:EHLO", "S:500 what", "C:HELO relay.example\r\n", "S:250 mx",
		     "C:MAIL FROM:<a@a.example>\r\n", "S:250 ok", "C:RCPT", "S:250 ok", "C:DATA",
		     "S:354 go", "D", "S:250 kept", QUITS),
	      one, 1, "ok:250 kept|", CLIENT_END_IDLE);
}

/* REGRESSIONS: a failed send without RSET poisons the next message on the connection. */
static void what_failed_is_reset_before_the_next(void **state)
{
	struct client_mail m[5];
	struct run r;

	(void)state;
	for (int i = 0; i < 5; i++)
		m[i] = mail_to(one, 1);
	run(&r,
	    SCRIPT(PLAIN, "C:MAIL", "S:550 5.7.1 not you", "C:RSET", "S:250 ok",           /* 1 */
		   "C:MAIL", "S:250 ok", "C:RCPT", "S:450 4.2.1 later", "C:RSET", "S:250", /* 2 */
		   "C:MAIL", "S:250 ok", "C:RCPT", "S:250", "C:DATA", "S:554 no", "C:RSET",
		   "S:250", /* 3 */
		   "C:MAIL", "S:250 ok", "C:RCPT", "S:250", "C:DATA", "S:354 go", "D",
		   "S:552 5.2.2 full", "C:RSET", "S:250", /* 4 */
		   "C:MAIL", "S:250 ok", "C:RCPT", "S:250", "C:DATA", "S:354 go", "D", "S:250 kept",
		   QUITS),
	    m, 5);
	assert_string_equal(buf_str(&r.results), "never:550 5.7.1 not you|later:450 4.2.1 later|"
						 "never:554 no|never:552 5.2.2 full|ok:250 kept|");
	run_free(&r);
}

static void a_pipelining_peer_that_refuses_everybody(void **state)
{
	(void)state;
	/* It answers DATA with 503, */
	check(SCRIPT(PIPED, "C:MAIL", "C:RCPT", "C:DATA",
		     "B:250 ok\r\n550 5.1.1 no\r\n503 5.5.1 no\r\n", "C:RSET", "S:250", QUITS),
	      one, 1, "never:550 5.1.1 no|", CLIENT_END_IDLE);
	/* or lets us in all the same (RFC 2920 §3.1), */
	check(SCRIPT(PIPED, "C:MAIL", "C:RCPT", "C:DATA", "B:250 ok\r\n550 5.1.1 no\r\n354 go\r\n",
		     "C:.\r\n", "S:554 5.5.1 nobody", "C:RSET", "S:250", QUITS),
	      one, 1, "never:550 5.1.1 no|", CLIENT_END_IDLE);
	/* and takes nobody after a refused MAIL. */
	check(SCRIPT(PIPED, "C:MAIL", "C:RCPT", "C:DATA",
		     "B:451 4.7.1 busy\r\n250 ok\r\n354 go\r\n", "C:.\r\n", "S:250 kept", "C:RSET",
		     "S:250", QUITS),
	      one, 1, "later:451 4.7.1 busy|", CLIENT_END_IDLE);
}

/* REGRESSIONS: a multi-line 421 kills the sender. */
static void a_multi_line_421_at_any_point(void **state)
{
	static const char bye[] = "S:421-4.3.2 going\r\n421-4.3.2 down\r\n421 4.3.2 bye";
	static const char want[] = "later:421 4.3.2 going 4.3.2 down 4.3.2 bye|";

	(void)state;
	check(SCRIPT(bye, "W"), one, 1, "", CLIENT_END_NEVER_READY);
	check(SCRIPT("S:220 hi", "C:EHLO", bye, "W"), one, 1, "", CLIENT_END_NEVER_READY);
	check(SCRIPT(PLAIN, "C:MAIL", bye, "W"), one, 1, want, CLIENT_END_BROKEN);
	check(SCRIPT(PLAIN, "C:MAIL", "S:250", "C:RCPT", bye, "W"), one, 1, want,
	      CLIENT_END_BROKEN);
	check(SCRIPT(PLAIN, "C:MAIL", "S:250", "C:RCPT", "S:250", "C:DATA", bye, "W"), one, 1, want,
	      CLIENT_END_BROKEN);
	check(SCRIPT(PLAIN, "C:MAIL", "S:250", "C:RCPT", "S:250", "C:DATA", "S:354", "D", bye, "W"),
	      one, 1, want, CLIENT_END_BROKEN);
}

static void a_peer_that_hangs_up_at_any_point(void **state)
{
	static const char *const full[] = {PLAIN,    "C:MAIL", "S:250", "C:RCPT", "S:250",
					   "C:DATA", "S:354",  "D",     NULL};

	(void)state;
	for (size_t cut = 0; cut <= 9; cut++)
		for (int reset = 0; reset < 2; reset++) {
			const char *script[20];
			struct client_mail m = mail_to(one, 1);
			struct run r;

			memcpy(script, full, cut * sizeof(*full));
			script[cut] = reset ? "R" : "X";
			script[cut + 1] = NULL;
			run(&r, script, &m, 1);
			assert_memory_equal(buf_str(&r.results),
					    cut < 3 ? "" : "later:", cut < 3 ? 1 : 6);
			assert_int_equal(r.end,
					 cut < 3 ? CLIENT_END_NEVER_READY : CLIENT_END_BROKEN);
			run_free(&r);
		}
}

/* A peer may close a session that it finds old just as we use it again. */
static void what_a_stale_session_lost_was_not_tried(void **state)
{
	static const char *const ends[] = {"X", "S:421 4.4.2 too old"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct client_mail m[] = {mail_to(one, 1), mail_to(one, 1)};
		struct run r;

		run(&r,
		    SCRIPT(PLAIN, "C:MAIL", "S:250", "C:RCPT", "S:250", "C:DATA", "S:354", "D",
			   "S:250 kept", "C:MAIL", ends[i], "X"),
		    m, 2);
		assert_memory_equal(buf_str(&r.results), "ok:250 kept|untried:", 20);
		assert_int_equal(r.end, CLIENT_END_BROKEN);
		run_free(&r);
	}
}

static void results_that_were_given_outlive_the_connection(void **state)
{
	(void)state;
	check(SCRIPT(PIPED, "C:MAIL", "C:RCPT", "C:RCPT", "C:RCPT", "C:DATA",
		     "B:250 ok\r\n550 5.1.1 no\r\n", "X"),
	      three, 3,
	      "never:550 5.1.1 no;later:the peer closed the connection;"
	      "later:the peer closed the connection|",
	      CLIENT_END_BROKEN);
}

static void a_refusal_in_the_middle_of_the_message_counts(void **state)
{
	struct client_mail m = mail_to(one, 1);
	struct run r;
	size_t size = 8 * 1024 * 1024;
	char *large = malloc(size + 1);

	(void)state;
	for (size_t i = 0; i < size; i += 8)
		memcpy(large + i, "xxxxxx\r\n", 8);
	large[size] = '\0';
	close(m.fd);
	m.fd = body_of(large);
	m.size = size;
	run(&r,
	    SCRIPT(PLAIN, "C:MAIL", "S:250", "C:RCPT", "S:250", "C:DATA", "S:354", "C:xxxxxx",
		   "S:552 5.2.3 too long", "W"),
	    &m, 1);
	assert_string_equal(buf_str(&r.results), "never:552 5.2.3 too long|");
	run_free(&r);
	free(large);
}

static void silence_ends_by_itself(void **state)
{
	struct client_mail m = mail_to(one, 1);
	struct run r;

	(void)state;
	run_with(&r, SCRIPT(PLAIN, "C:MAIL", "B:250-a\r\n25", "W"), &m, 1, NULL, 1);
	assert_string_equal(buf_str(&r.results), "later:no answer to MAIL in 3 s|");
	assert_int_equal(r.end, CLIENT_END_BROKEN);
	run_free(&r);
}

static void bytes_that_are_no_reply_end_it(void **state)
{
	(void)state;
	check(SCRIPT("S:hello", "W"), one, 1, "", CLIENT_END_NEVER_READY);
	check(SCRIPT("B:SSH-2.0-x\r\n", "W"), one, 1, "", CLIENT_END_NEVER_READY);
	check(SCRIPT(PLAIN, "C:MAIL", "S:354 what", "W"), one, 1,
	      "later:a reply out of place: 354 what|", CLIENT_END_BROKEN);
}

static void what_the_peer_cannot_take_is_not_sent(void **state)
{
	struct client_mail m = mail_to(one, 1);
	struct run r;

	(void)state;
	m.size = 2000;
	run(&r, SCRIPT(PIPED, QUITS), &m, 1);
	assert_memory_equal(buf_str(&r.results), "cannot:552 5.3.4", 16);
	run_free(&r);
	m = mail_to(one, 1);
	m.sender = "\xc3\xa4@a.example";
	m.smtputf8 = true;
	run(&r, SCRIPT(PIPED, QUITS), &m, 1);
	assert_memory_equal(buf_str(&r.results), "cannot:554 5.6.7", 16);
	run_free(&r);
}

static void parameters_are_said_where_they_are_offered(void **state)
{
	static const struct client_recipient r1[] = {
		{"b@b.example", "rfc822;b@b.example", NOTIFY_FAILURE | NOTIFY_DELAY}};
	struct client_mail m = mail_to(r1, 1);
	struct run r;

	(void)state;
	m.envid = "QQ1";
	m.ret_hdrs = m.eight_bit = m.smtputf8 = true;
	run(&r,
	    SCRIPT("S:220 hi", "C:EHLO",
		   "S:250-mx\r\n250-SIZE\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN",
		   "C:MAIL FROM:<a@a.example> SIZE=20 BODY=8BITMIME SMTPUTF8 RET=HDRS "
		   "ENVID=QQ1\r\n",
		   "S:250",
		   "C:RCPT TO:<b@b.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b@b.example\r\n",
		   "S:250", "C:DATA", "S:354", "D", "S:250 kept", QUITS),
	    &m, 1);
	assert_string_equal(buf_str(&r.results), "ok:250 kept|");
	run_free(&r);
}

static void tls_that_fails_says_so(void **state)
{
	struct buf error = BUF_INIT;
	struct tls_client *tls = tls_client_new(&error);
	struct client_mail m = mail_to(one, 1);
	struct run r;

	(void)state;
	assert_non_null(tls);
	run_with(&r,
		 SCRIPT("S:220 hi", "C:EHLO", "S:250-mx\r\n250 STARTTLS", "C:STARTTLS\r\n",
			"S:220 go", "B:this is no handshake at all", "X"),
		 &m, 1, tls, 0);
	assert_int_equal(r.end, CLIENT_END_TLS);
	assert_string_equal(buf_str(&r.results), "");
	run_free(&r);
	/* Injected before the handshake, to be read after it. */
	m = mail_to(one, 1);
	run_with(&r,
		 SCRIPT("S:220 hi", "C:EHLO", "S:250-mx\r\n250 STARTTLS", "C:STARTTLS\r\n",
			"B:220 go\r\n250 injected\r\n", "X"),
		 &m, 1, tls, 0);
	assert_string_equal(buf_str(&r.closed), "plaintext behind the reply to STARTTLS");
	run_free(&r);
	/* Offered and denied: plain. */
	m = mail_to(one, 1);
	run_with(&r,
		 SCRIPT("S:220 hi", "C:EHLO", "S:250-mx\r\n250 STARTTLS", "C:STARTTLS\r\n",
			"S:454 4.7.0 not now", "C:MAIL", "S:250", "C:RCPT", "S:250", "C:DATA",
			"S:354", "D", "S:250 kept", QUITS),
		 &m, 1, tls, 0);
	assert_string_equal(buf_str(&r.results), "ok:250 kept|");
	run_free(&r);
	tls_client_free(tls);
	buf_free(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_dialogue),
		cmocka_unit_test(commands_leave_together_where_the_peer_can),
		cmocka_unit_test(an_old_server_is_spoken_to_with_helo),
		cmocka_unit_test(what_failed_is_reset_before_the_next),
		cmocka_unit_test(a_pipelining_peer_that_refuses_everybody),
		cmocka_unit_test(a_multi_line_421_at_any_point),
		cmocka_unit_test(a_peer_that_hangs_up_at_any_point),
		cmocka_unit_test(what_a_stale_session_lost_was_not_tried),
		cmocka_unit_test(results_that_were_given_outlive_the_connection),
		cmocka_unit_test(a_refusal_in_the_middle_of_the_message_counts),
		cmocka_unit_test(silence_ends_by_itself),
		cmocka_unit_test(bytes_that_are_no_reply_end_it),
		cmocka_unit_test(what_the_peer_cannot_take_is_not_sent),
		cmocka_unit_test(parameters_are_said_where_they_are_offered),
		cmocka_unit_test(tls_that_fails_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
