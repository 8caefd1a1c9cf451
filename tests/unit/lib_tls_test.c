/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/tls.h"

#include "lib/certificate.h"
#include "tests/unit/cmocka.h"

#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct buf chain, key, error;

static int make_certificate(void **state)
{
	(void)state;
	assert_true(certificate_self_signed("relay.example.net", &chain, &key, &error));
	assert_int_equal(error.len, 0);
	return 0;
}

static int drop_certificate(void **state)
{
	(void)state;
	buf_free(&chain);
	buf_free(&key);
	buf_free(&error);
	return 0;
}

struct pair {
	struct stream *server, *client;
};

static struct pair open_pair(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	return (struct pair){stream_open(fds[0]), stream_open(fds[1])};
}

static void close_pair(struct pair p)
{
	stream_close(p.server);
	stream_close(p.client);
}

static struct pair open_tls_pair(void)
{
	struct tls_server *server = tls_server_new(buf_str(&chain), buf_str(&key), &error);
	struct tls_client *client = tls_client_new(&error);
	enum stream_status a = STREAM_AGAIN, b = STREAM_AGAIN;
	struct pair p = open_pair();

	assert_non_null(server);
	assert_non_null(client);
	stream_start_tls_server(p.server, server);
	stream_start_tls_client(p.client, client, "relay.example.net");
	/* The streams keep them alive. */
	tls_server_free(server);
	tls_client_free(client);
	for (int i = 0; i < 20 && (a == STREAM_AGAIN || b == STREAM_AGAIN); i++) {
		if (b == STREAM_AGAIN)
			b = stream_handshake(p.client);
		if (a == STREAM_AGAIN)
			a = stream_handshake(p.server);
	}
	assert_int_equal(a, STREAM_OK);
	assert_int_equal(b, STREAM_OK);
	return p;
}

static void send_all(struct stream *s, const char *text)
{
	size_t written;

	assert_int_equal(stream_write(s, text, strlen(text), &written), STREAM_OK);
	assert_int_equal(written, strlen(text));
}

static void expect(struct stream *s, const char *text)
{
	char bytes[256];
	size_t got;

	assert_int_equal(stream_read(s, bytes, sizeof(bytes), &got), STREAM_OK);
	assert_int_equal(got, strlen(text));
	assert_memory_equal(bytes, text, got);
	assert_int_equal(stream_read(s, bytes, sizeof(bytes), &got), STREAM_AGAIN);
}

static void plain_bytes_pass(void **state)
{
	struct pair p = open_pair();
	char c;
	size_t got;

	(void)state;
	send_all(p.client, "EHLO\r\n");
	expect(p.server, "EHLO\r\n");
	assert_false(stream_is_tls(p.server));
	assert_string_equal(stream_tls_name(p.server), "");
	stream_close(p.client);
	assert_int_equal(stream_read(p.server, &c, 1, &got), STREAM_CLOSED);
	assert_int_equal(stream_write(p.server, "x", 1, &got), STREAM_CLOSED);
	stream_close(p.server);
}

static void tls_bytes_pass(void **state)
{
	struct pair p = open_tls_pair();
	char c;
	size_t got;

	(void)state;
	send_all(p.client, "EHLO\r\n");
	expect(p.server, "EHLO\r\n");
	send_all(p.server, "250 ok\r\n");
	expect(p.client, "250 ok\r\n");
	assert_true(stream_is_tls(p.server));
	assert_string_equal(stream_tls_name(p.server),
			    "TLSv1.2 TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256");
	assert_string_equal(stream_tls_name(p.client), stream_tls_name(p.server));
	stream_close(p.client);
	assert_int_equal(stream_read(p.server, &c, 1, &got), STREAM_CLOSED);
	stream_close(p.server);
}

/* A plain stream that turns into TLS after a command, as STARTTLS does. */
static void starttls_keeps_nothing_from_before(void **state)
{
	struct tls_server *server = tls_server_new(buf_str(&chain), buf_str(&key), &error);
	struct pair p = open_pair();

	(void)state;
	send_all(p.client, "STARTTLS\r\n");
	expect(p.server, "STARTTLS\r\n");
	send_all(p.client, "MAIL FROM:<a@b.example>\r\n");
	stream_start_tls_server(p.server, server);
	assert_int_equal(stream_handshake(p.server), STREAM_FAILED);
	assert_true(strlen(stream_error(p.server)) > 0);
	tls_server_free(server);
	close_pair(p);
}

static void pending_shows_what_readiness_does_not(void **state)
{
	struct pair p = open_tls_pair();
	char c;
	size_t got;

	(void)state;
	send_all(p.client, "ab");
	assert_int_equal(stream_read(p.server, &c, 1, &got), STREAM_OK);
	assert_true(stream_has_pending(p.server));
	assert_int_equal(stream_read(p.server, &c, 1, &got), STREAM_OK);
	assert_int_equal(c, 'b');
	assert_false(stream_has_pending(p.server));
	close_pair(p);
}

/* Fills the socket, then goes on with a caller's buffer that has moved and grown meanwhile. */
static void much_passes_through_a_narrow_socket(struct pair p)
{
	enum { TOTAL = 3000000 };
	char *sent = malloc(TOTAL), *seen = malloc(TOTAL);
	size_t out = 0, in = 0, n;
	bool blocked = false;

	for (size_t i = 0; i < TOTAL; i++)
		sent[i] = (char)(i * 7 + i / 251);
	while (in < TOTAL) {
		enum stream_status s = STREAM_OK;

		for (size_t piece = 1000; out < TOTAL && s == STREAM_OK; piece += 37777) {
			char *moved;

			if (piece > TOTAL - out)
				piece = TOTAL - out;
			moved = malloc(piece);
			memcpy(moved, sent + out, piece);
			s = stream_write(p.client, moved, piece, &n);
			free(moved);
			out += n;
		}
		blocked |= s == STREAM_AGAIN;
		assert_true(s == STREAM_OK || stream_wants_write(p.client));
		while (stream_read(p.server, seen + in, TOTAL - in, &n) == STREAM_OK)
			in += n;
	}
	assert_true(blocked);
	assert_memory_equal(seen, sent, TOTAL);
	free(sent);
	free(seen);
	close_pair(p);
}

static void much_passes_plain(void **state)
{
	(void)state;
	much_passes_through_a_narrow_socket(open_pair());
}

static void much_passes_tls(void **state)
{
	(void)state;
	much_passes_through_a_narrow_socket(open_tls_pair());
}

static void a_key_that_does_not_fit_is_refused(void **state)
{
	struct buf other_chain = BUF_INIT, other_key = BUF_INIT, why = BUF_INIT;

	(void)state;
	assert_true(certificate_self_signed("other.example", &other_chain, &other_key, &why));
	assert_null(tls_server_new(buf_str(&chain), buf_str(&other_key), &why));
	assert_string_equal(buf_str(&why), "the private key does not belong to the chain's first "
					   "certificate (CN=relay.example.net)");
	buf_free(&other_chain);
	buf_free(&other_key);
	buf_free(&why);
}

static void pem_that_does_not_parse_is_refused(void **state)
{
	struct buf why = BUF_INIT;

	(void)state;
	assert_null(tls_server_new("nonsense", buf_str(&key), &why));
	assert_non_null(strstr(buf_str(&why), "the certificate chain does not parse"));
	buf_clear(&why);
	assert_null(tls_server_new(buf_str(&chain), "", &why));
	assert_non_null(strstr(buf_str(&why), "the private key does not parse"));
	buf_free(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_bytes_pass),
		cmocka_unit_test(tls_bytes_pass),
		cmocka_unit_test(starttls_keeps_nothing_from_before),
		cmocka_unit_test(pending_shows_what_readiness_does_not),
		cmocka_unit_test(much_passes_plain),
		cmocka_unit_test(much_passes_tls),
		cmocka_unit_test(a_key_that_does_not_fit_is_refused),
		cmocka_unit_test(pem_that_does_not_parse_is_refused),
	};

	return cmocka_run_group_tests(tests, make_certificate, drop_certificate);
}
