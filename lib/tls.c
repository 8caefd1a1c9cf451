/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/tls.h"

#include "lib/log.h"

#include <errno.h>
#include <mbedtls/asn1write.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICKET_LIFE_S (24 * 3600)

struct tls_server {
	unsigned refs;
	mbedtls_ssl_config conf;
	mbedtls_x509_crt chain;
	mbedtls_pk_context key;
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

static void explain(char *out, size_t cap, const char *what, int code)
{
	char text[160];

	mbedtls_strerror(code, text, sizeof(text));
	snprintf(out, cap, "%s: %s (-0x%04X)", what, text, (unsigned)-code);
}

static void complain(struct buf *error, const char *what, int code)
{
	char text[256];

	explain(text, sizeof(text), what, code);
	buf_appends(error, text);
}

/* One generator for the process, seeded by the kernel at first use. */
static mbedtls_ctr_drbg_context *random_source(struct buf *error)
{
	static mbedtls_entropy_context entropy;
	static mbedtls_ctr_drbg_context drbg;
	static bool seeded;
	int r;

	if (seeded)
		return &drbg;
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&drbg);
	r = mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0);
	if (r) {
		if (error)
			complain(error, "no random numbers", r);
		mbedtls_ctr_drbg_free(&drbg);
		mbedtls_entropy_free(&entropy);
		return NULL;
	}
	seeded = true;
	return &drbg;
}

/* ---- what streams share ---- */

static bool parse_chain(mbedtls_x509_crt *chain, const char *pem, struct buf *error)
{
	int r = mbedtls_x509_crt_parse(chain, (const unsigned char *)pem, strlen(pem) + 1);

	if (r < 0) {
		complain(error, "the certificate chain does not parse", r);
		buf_appends(error, "; it must be PEM text, the server's own certificate first");
	} else if (r > 0) {
		buf_printf(error, "%d certificate%s of the chain does not parse", r,
			   r == 1 ? "" : "s");
	}
	return r == 0;
}

static bool parse_key(mbedtls_pk_context *key, const char *pem, struct buf *error)
{
	int r = mbedtls_pk_parse_key(key, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0);

	if (r == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
		buf_appends(error, "the private key is encrypted; store it without a passphrase");
	else if (r) {
		complain(error, "the private key does not parse", r);
		buf_appends(error, "; it must be PEM text");
	}
	return r == 0;
}

static bool key_fits(struct tls_server *t, struct buf *error)
{
	char subject[256];

	if (mbedtls_pk_check_pair(&t->chain.pk, &t->key) == 0)
		return true;
	if (mbedtls_x509_dn_gets(subject, sizeof(subject), &t->chain.subject) < 0)
		subject[0] = '\0';
	buf_printf(error, "the private key does not belong to the chain's first certificate (%s)",
		   subject);
	return false;
}

static bool server_defaults(struct tls_server *t, struct buf *error)
{
	mbedtls_ctr_drbg_context *drbg = random_source(error);
	int r;

	if (!drbg)
		return false;
	r = mbedtls_ssl_config_defaults(&t->conf, MBEDTLS_SSL_IS_SERVER,
					MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
	if (r == 0)
		r = mbedtls_ssl_conf_own_cert(&t->conf, &t->chain, &t->key);
	/* A web server that connects for each message pays for one key exchange a day. */
	if (r == 0)
		r = mbedtls_ssl_ticket_setup(&t->tickets, mbedtls_ctr_drbg_random, drbg,
					     MBEDTLS_CIPHER_AES_256_GCM, TICKET_LIFE_S);
	if (r) {
		complain(error, "TLS cannot be set up", r);
		return false;
	}
	mbedtls_ssl_conf_rng(&t->conf, mbedtls_ctr_drbg_random, drbg);
	mbedtls_ssl_conf_min_version(&t->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
				     MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_ciphersuites(&t->conf, server_suites);
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
	mbedtls_x509_crt_init(&t->chain);
	mbedtls_pk_init(&t->key);
	mbedtls_ssl_ticket_init(&t->tickets);
	if (parse_chain(&t->chain, chain_pem, error) && parse_key(&t->key, key_pem, error) &&
	    key_fits(t, error) && server_defaults(t, error))
		return t;
	tls_server_free(t);
	return NULL;
}

void tls_server_free(struct tls_server *t)
{
	if (!t || --t->refs)
		return;
	mbedtls_ssl_config_free(&t->conf);
	mbedtls_x509_crt_free(&t->chain);
	mbedtls_pk_free(&t->key);
	mbedtls_ssl_ticket_free(&t->tickets);
	free(t);
}

static void put_date(const mbedtls_x509_time *t, struct buf *out)
{
	buf_printf(out, "%04d-%02d-%02d %02d:%02d UTC", t->year, t->mon, t->day, t->hour, t->min);
}

static void put_name(const mbedtls_x509_buf *name, struct buf *out)
{
	char text[256];

	log_escape(text, sizeof(text), (const char *)name->p, name->len);
	buf_printf(out, "%s%s", out->len ? ", " : "", text);
}

void tls_server_describe(const struct tls_server *t, struct buf *out)
{
	struct buf names = BUF_INIT;
	char subject[256];

	for (const mbedtls_x509_sequence *n = &t->chain.subject_alt_names; n; n = n->next)
		if (n->buf.p && (n->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == 2)
			put_name(&n->buf, &names);
	if (!names.len && mbedtls_x509_dn_gets(subject, sizeof(subject), &t->chain.subject) > 0)
		buf_appends(&names, subject);
	buf_printf(out, "%s; valid until ", buf_str(&names));
	put_date(&t->chain.valid_to, out);
	buf_free(&names);
}

bool tls_server_suits(const struct tls_server *t, const char *host, struct buf *reason)
{
	mbedtls_x509_crt *chain = (mbedtls_x509_crt *)&t->chain;
	uint32_t flags = 0;

	/* Its own authority: who signed it is the clients' to judge. */
	mbedtls_x509_crt_verify(chain, chain, NULL, host, &flags, NULL, NULL);
	if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) {
		buf_printf(reason, "the certificate does not name %s but ", host);
		tls_server_describe(t, reason);
	} else if (flags & MBEDTLS_X509_BADCERT_EXPIRED) {
		buf_appends(reason, "the certificate was valid only until ");
		put_date(&t->chain.valid_to, reason);
	} else if (flags & MBEDTLS_X509_BADCERT_FUTURE) {
		buf_appends(reason, "the certificate is valid only from ");
		put_date(&t->chain.valid_from, reason);
	} else {
		return true;
	}
	return false;
}

struct tls_client *tls_client_new(struct buf *error)
{
	mbedtls_ctr_drbg_context *drbg = random_source(error);
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
		complain(error, "TLS cannot be set up", r);
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

/* ---- a certificate of our own ---- */

/* subjectAltName: one dNSName. mbedTLS 2.28 has no function for it. Written from its end. */
static int set_alt_name(mbedtls_x509write_cert *crt, const char *host)
{
	unsigned char der[300];
	unsigned char *p = der + sizeof(der);
	size_t n = strlen(host);
	int len = 0, ret = 0;

	if (n > 253)
		return MBEDTLS_ERR_X509_BAD_INPUT_DATA;
	MBEDTLS_ASN1_CHK_ADD(
		len, mbedtls_asn1_write_raw_buffer(&p, der, (const unsigned char *)host, n));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_len(&p, der, n));
	MBEDTLS_ASN1_CHK_ADD(len,
			     mbedtls_asn1_write_tag(&p, der, MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_len(&p, der, (size_t)len));
	MBEDTLS_ASN1_CHK_ADD(
		len,
		mbedtls_asn1_write_tag(&p, der, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE));
	return mbedtls_x509write_crt_set_extension(crt, MBEDTLS_OID_SUBJECT_ALT_NAME,
						   MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME),
						   0, p, (size_t)len);
}

/* From the day before the clock's, so that a peer whose clock is behind takes it too. */
static int set_validity(mbedtls_x509write_cert *crt)
{
	time_t from = time(NULL) - 24 * 3600;
	char before[16], after[16];
	struct tm tm;

	gmtime_r(&from, &tm);
	if (!strftime(before, sizeof(before), "%Y%m%d%H%M%S", &tm))
		return MBEDTLS_ERR_X509_BAD_INPUT_DATA;
	tm.tm_year += 10;
	if (tm.tm_mon == 1 && tm.tm_mday == 29)
		tm.tm_mday = 28;
	if (!strftime(after, sizeof(after), "%Y%m%d%H%M%S", &tm))
		return MBEDTLS_ERR_X509_BAD_INPUT_DATA;
	return mbedtls_x509write_crt_set_validity(crt, before, after);
}

static int set_names(mbedtls_x509write_cert *crt, const char *host)
{
	char name[80];
	int r;

	/* A common name holds 64 characters (RFC 5280 A.1); clients read the alternative name. */
	snprintf(name, sizeof(name), "CN=%s", strlen(host) <= 64 ? host : "gatepost");
	r = mbedtls_x509write_crt_set_subject_name(crt, name);
	if (r == 0)
		r = mbedtls_x509write_crt_set_issuer_name(crt, name);
	if (r == 0)
		r = set_alt_name(crt, host);
	return r;
}

static int set_serial(mbedtls_x509write_cert *crt, mbedtls_ctr_drbg_context *drbg)
{
	unsigned char bytes[16];
	mbedtls_mpi serial;
	int r = mbedtls_ctr_drbg_random(drbg, bytes, sizeof(bytes));

	if (r)
		return r;
	bytes[0] = (bytes[0] & 0x3f) | 0x40; /* positive, and never shorter */
	mbedtls_mpi_init(&serial);
	r = mbedtls_mpi_read_binary(&serial, bytes, sizeof(bytes));
	if (r == 0)
		r = mbedtls_x509write_crt_set_serial(crt, &serial);
	mbedtls_mpi_free(&serial);
	return r;
}

static int make_key(mbedtls_pk_context *key, mbedtls_ctr_drbg_context *drbg)
{
	int r = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));

	if (r)
		return r;
	return mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key),
				   mbedtls_ctr_drbg_random, drbg);
}

bool tls_self_signed(const char *host, struct buf *chain_pem, struct buf *key_pem,
		     struct buf *error)
{
	mbedtls_ctr_drbg_context *drbg = random_source(error);
	unsigned char crt_text[2048], key_text[512];
	mbedtls_x509write_cert crt;
	mbedtls_pk_context key;
	int r;

	if (!drbg)
		return false;
	mbedtls_x509write_crt_init(&crt);
	mbedtls_pk_init(&key);
	mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);

	if ((r = make_key(&key, drbg)) || (r = set_names(&crt, host)) ||
	    (r = set_serial(&crt, drbg)) || (r = set_validity(&crt)) ||
	    (r = mbedtls_x509write_crt_set_basic_constraints(&crt, 0, -1)))
		goto out;
	mbedtls_x509write_crt_set_subject_key(&crt, &key);
	mbedtls_x509write_crt_set_issuer_key(&crt, &key);
	r = mbedtls_x509write_crt_pem(&crt, crt_text, sizeof(crt_text), mbedtls_ctr_drbg_random,
				      drbg);
	if (r == 0)
		r = mbedtls_pk_write_key_pem(&key, key_text, sizeof(key_text));
	if (r)
		goto out;
	buf_appends(chain_pem, (const char *)crt_text);
	buf_appends(key_pem, (const char *)key_text);
out:
	if (r)
		complain(error, "no certificate can be made", r);
	explicit_bzero(key_text, sizeof(key_text));
	mbedtls_x509write_crt_free(&crt);
	mbedtls_pk_free(&key);
	return r == 0;
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
		explain(s->error, sizeof(s->error), "TLS cannot be set up", r);
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
		explain(s->error, sizeof(s->error), "TLS", r);
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
