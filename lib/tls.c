/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/tls.h"

#include "lib/certificate.h"
#include "lib/mbed.h"

#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICKET_LIFE_S (24 * 3600)

struct tls_server {
	unsigned refs;
	mbedtls_ssl_config conf;
	struct certificate *certificate;
	mbedtls_ssl_ticket_context tickets;
};

struct tls_client {
	unsigned refs;
	mbedtls_ssl_config conf;
	mbedtls_x509_crt authorities;
};

struct stream {
	int fd;
	struct tls_server *server;
	struct tls_client *client;
	mbedtls_ssl_context *ssl; /* NULL: plain */
	/* mbedTLS holds an encrypted record of this many bytes that the socket did not take: the
	 * next write must be for the same ones. */
	size_t unsent;
	bool read_waits_for_write, write_waits_for_write;
	bool broken, finished;
	char name[96];
	char error[256];
};

/*
 * Forward secrecy only. AES-128 first: the box has AES instructions. CBC stays for clients of
 * 2012 that know TLS 1.2 without GCM; mbedTLS's CBC is constant-time.
 */
static const int server_suites[] = {
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	0,
};

/* The library's own order is by strength, the slowest first; accept pays for a handshake for each
 * connection of everybody's. P-256 before X25519: mbedTLS 2.28 has a faster multiplication for it.
 * (docs/performance.md) */
static const mbedtls_ecp_group_id server_curves[] = {
	MBEDTLS_ECP_DP_SECP256R1,
	MBEDTLS_ECP_DP_CURVE25519,
	MBEDTLS_ECP_DP_SECP384R1,
	MBEDTLS_ECP_DP_NONE,
};

/* ---- what streams share ---- */

static bool server_defaults(struct tls_server *t, struct buf *error)
{
	mbedtls_ctr_drbg_context *drbg = mbed_random(error);
	int r;

	if (!drbg)
		return false;
	r = mbedtls_ssl_config_defaults(&t->conf, MBEDTLS_SSL_IS_SERVER,
					MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
	if (r == 0)
		r = certificate_use(t->certificate, &t->conf);
	/* A web server that connects for each message pays for one key exchange a day. */
	if (r == 0)
		r = mbedtls_ssl_ticket_setup(&t->tickets, mbedtls_ctr_drbg_random, drbg,
					     MBEDTLS_CIPHER_AES_256_GCM, TICKET_LIFE_S);
	if (r) {
		mbed_complain(error, "TLS cannot be set up", r);
		return false;
	}
	mbedtls_ssl_conf_rng(&t->conf, mbedtls_ctr_drbg_random, drbg);
	mbedtls_ssl_conf_min_version(&t->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
				     MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_ciphersuites(&t->conf, server_suites);
	mbedtls_ssl_conf_curves(&t->conf, server_curves);
	mbedtls_ssl_conf_session_tickets_cb(&t->conf, mbedtls_ssl_ticket_write,
					    mbedtls_ssl_ticket_parse, &t->tickets);
	return true;
}

struct tls_server *tls_server_new(const char *chain_pem, const char *key_pem, struct buf *error)
{
	struct tls_server *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->refs = 1;
	mbedtls_ssl_config_init(&t->conf);
	mbedtls_ssl_ticket_init(&t->tickets);
	t->certificate = certificate_new(chain_pem, key_pem, error);
	if (t->certificate && server_defaults(t, error))
		return t;
	tls_server_free(t);
	return NULL;
}

void tls_server_free(struct tls_server *t)
{
	if (!t || --t->refs)
		return;
	mbedtls_ssl_config_free(&t->conf);
	certificate_free(t->certificate);
	mbedtls_ssl_ticket_free(&t->tickets);
	free(t);
}

struct tls_client *tls_client_new(struct buf *error)
{
	mbedtls_ctr_drbg_context *drbg = mbed_random(error);
	struct tls_client *t;
	int r;

	if (!drbg)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	t->refs = 1;
	mbedtls_ssl_config_init(&t->conf);
	mbedtls_x509_crt_init(&t->authorities);
	r = mbedtls_ssl_config_defaults(&t->conf, MBEDTLS_SSL_IS_CLIENT,
					MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
	if (r) {
		mbed_complain(error, "TLS cannot be set up", r);
		tls_client_free(t);
		return NULL;
	}
	/* An old TLS, or an unknown certificate, is still better than none (RFC 7435 §3). */
	mbedtls_ssl_conf_min_version(&t->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
				     MBEDTLS_SSL_MINOR_VERSION_1);
	mbedtls_ssl_conf_authmode(&t->conf, MBEDTLS_SSL_VERIFY_NONE);
	mbedtls_ssl_conf_rng(&t->conf, mbedtls_ctr_drbg_random, drbg);
	return t;
}

struct tls_client *tls_client_new_verifying(const char *authorities_pem, struct buf *error)
{
	struct tls_client *t = tls_client_new(error);

	if (!t)
		return NULL;
	mbedtls_x509_crt_parse(&t->authorities, (const unsigned char *)authorities_pem,
			       strlen(authorities_pem) + 1);
	if (!t->authorities.raw.p) {
		buf_appends(error, "there is no certificate among the authorities");
		tls_client_free(t);
		return NULL;
	}
	mbedtls_ssl_conf_min_version(&t->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
				     MBEDTLS_SSL_MINOR_VERSION_3);
	/* Not REQUIRED: the reason is to be told in words, not as an alert. */
	mbedtls_ssl_conf_authmode(&t->conf, MBEDTLS_SSL_VERIFY_OPTIONAL);
	mbedtls_ssl_conf_ca_chain(&t->conf, &t->authorities, NULL);
	return t;
}

void tls_client_free(struct tls_client *t)
{
	if (!t || --t->refs)
		return;
	mbedtls_ssl_config_free(&t->conf);
	mbedtls_x509_crt_free(&t->authorities);
	free(t);
}

/* ---- streams ---- */

struct stream *stream_open(int fd)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->fd = fd;
	return s;
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}

static void say_goodbye(struct stream *s)
{
	if (s->ssl && !s->broken && !s->finished && s->ssl->state == MBEDTLS_SSL_HANDSHAKE_OVER)
		mbedtls_ssl_close_notify(s->ssl);
	s->finished = true;
}

void stream_finish(struct stream *s)
{
	say_goodbye(s);
	shutdown(s->fd, SHUT_WR);
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	say_goodbye(s);
	if (s->ssl) {
		mbedtls_ssl_free(s->ssl);
		free(s->ssl);
	}
	close(s->fd);
	tls_server_free(s->server);
	tls_client_free(s->client);
	free(s);
}

static int socket_send(void *arg, const unsigned char *bytes, size_t n)
{
	ssize_t r = send(((struct stream *)arg)->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (r >= 0)
		return (int)r;
	return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE
						 : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int socket_recv(void *arg, unsigned char *bytes, size_t n)
{
	ssize_t r = recv(((struct stream *)arg)->fd, bytes, n, MSG_DONTWAIT);

	if (r >= 0)
		return (int)r;
	return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ
						 : MBEDTLS_ERR_SSL_CONN_EOF;
}

static void start_tls(struct stream *s, const mbedtls_ssl_config *conf)
{
	int r;

	s->ssl = calloc(1, sizeof(*s->ssl));
	if (!s->ssl)
		abort();
	mbedtls_ssl_init(s->ssl);
	r = mbedtls_ssl_setup(s->ssl, conf);
	if (r) {
		mbed_explain(s->error, sizeof(s->error), "TLS cannot be set up", r);
		s->broken = true;
		return;
	}
	mbedtls_ssl_set_bio(s->ssl, s, socket_send, socket_recv, NULL);
}

void stream_start_tls_server(struct stream *s, struct tls_server *t)
{
	t->refs++;
	s->server = t;
	start_tls(s, &t->conf);
}

void stream_start_tls_client(struct stream *s, struct tls_client *t, const char *server_name)
{
	t->refs++;
	s->client = t;
	start_tls(s, &t->conf);
	if (!s->broken && server_name && *server_name)
		mbedtls_ssl_set_hostname(s->ssl, server_name);
}

/* What a negative result of mbedTLS means to the owner. */
static enum stream_status translate(struct stream *s, int r, bool *waits_for_write)
{
	*waits_for_write = r == MBEDTLS_ERR_SSL_WANT_WRITE;
	switch (r) {
	case MBEDTLS_ERR_SSL_WANT_READ:
	case MBEDTLS_ERR_SSL_WANT_WRITE:
		return STREAM_AGAIN;
	case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
	case MBEDTLS_ERR_SSL_CONN_EOF:
	case 0:
		s->broken = true;
		return STREAM_CLOSED;
	default:
		s->broken = true;
		mbed_explain(s->error, sizeof(s->error), "TLS", r);
		return STREAM_FAILED;
	}
}

static enum stream_status failed_errno(struct stream *s)
{
	if (errno == ECONNRESET || errno == EPIPE)
		return STREAM_CLOSED;
	snprintf(s->error, sizeof(s->error), "%s", strerror(errno));
	return STREAM_FAILED;
}

enum stream_status stream_handshake(struct stream *s)
{
	int r;

	if (!s->ssl)
		return STREAM_OK;
	if (s->broken)
		return STREAM_FAILED;
	r = mbedtls_ssl_handshake(s->ssl);
	if (r)
		return translate(s, r, &s->read_waits_for_write);
	s->read_waits_for_write = false;
	snprintf(s->name, sizeof(s->name), "%s %s", mbedtls_ssl_get_version(s->ssl),
		 mbedtls_ssl_get_ciphersuite(s->ssl));
	return STREAM_OK;
}

enum stream_status stream_read(struct stream *s, void *bytes, size_t cap, size_t *got)
{
	ssize_t r;

	*got = 0;
	if (s->ssl) {
		if (s->broken)
			return STREAM_CLOSED;
		r = mbedtls_ssl_read(s->ssl, bytes, cap);
		if (r <= 0)
			return translate(s, (int)r, &s->read_waits_for_write);
		s->read_waits_for_write = false;
	} else {
		r = recv(s->fd, bytes, cap, MSG_DONTWAIT);
		if (r == 0)
			return STREAM_CLOSED;
		if (r < 0)
			return errno == EAGAIN || errno == EINTR ? STREAM_AGAIN : failed_errno(s);
	}
	*got = (size_t)r;
	return STREAM_OK;
}

static enum stream_status write_tls(struct stream *s, const void *bytes, size_t n, size_t *written)
{
	size_t limit = (size_t)mbedtls_ssl_get_max_out_record_payload(s->ssl);
	int r;

	if (s->broken)
		return STREAM_CLOSED;
	if (s->unsent)
		n = s->unsent;
	else if (n > limit)
		n = limit;
	r = mbedtls_ssl_write(s->ssl, bytes, n);
	if (r < 0) {
		s->unsent = r == MBEDTLS_ERR_SSL_WANT_WRITE ? n : 0;
		return translate(s, r, &s->write_waits_for_write);
	}
	s->unsent = 0;
	s->write_waits_for_write = false;
	*written = (size_t)r;
	return STREAM_OK;
}

enum stream_status stream_write(struct stream *s, const void *bytes, size_t n, size_t *written)
{
	ssize_t r;

	*written = 0;
	if (n == 0)
		return STREAM_OK;
	if (s->ssl)
		return write_tls(s, bytes, n, written);
	r = send(s->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	s->write_waits_for_write = r < 0 && (errno == EAGAIN || errno == EINTR);
	if (s->write_waits_for_write)
		return STREAM_AGAIN;
	if (r < 0)
		return failed_errno(s);
	*written = (size_t)r;
	return STREAM_OK;
}

bool stream_has_pending(const struct stream *s)
{
	return s->ssl && !s->broken && mbedtls_ssl_check_pending(s->ssl);
}

bool stream_wants_write(const struct stream *s)
{
	return s->read_waits_for_write || s->write_waits_for_write;
}

bool stream_is_tls(const struct stream *s)
{
	return s->ssl != NULL;
}

const char *stream_tls_name(const struct stream *s)
{
	return s->name;
}

bool stream_peer_trusted(const struct stream *s, struct buf *why)
{
	char text[512];
	uint32_t flags = s->ssl ? mbedtls_ssl_get_verify_result(s->ssl) : UINT32_MAX;

	/* Only a name that was asked for, under authorities that were given, is proven. */
	if (s->client && s->client->authorities.raw.p && s->ssl && s->ssl->hostname && flags == 0)
		return true;
	if (flags == UINT32_MAX || mbedtls_x509_crt_verify_info(text, sizeof(text), "", flags) <= 0)
		snprintf(text, sizeof(text), "the peer's certificate was not verified");
	/* A line for each fault. */
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ';' : '\0';
	buf_appends(why, text);
	return false;
}

const struct mbedtls_x509_crt *stream_peer_chain(const struct stream *s)
{
	return s->ssl ? mbedtls_ssl_get_peer_cert(s->ssl) : NULL;
}

const char *stream_error(const struct stream *s)
{
	return s->error;
}
