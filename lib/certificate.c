/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/certificate.h"

#include "lib/log.h"
#include "lib/mbed.h"

#include <mbedtls/asn1write.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAN_DNS_NAME = 2 }; /* RFC 5280 §4.2.1.6 */

struct certificate {
	mbedtls_x509_crt chain;
	mbedtls_pk_context key;
};

static void put_dn(const mbedtls_x509_name *name, struct buf *out)
{
	char text[256], escaped[512];
	int n = mbedtls_x509_dn_gets(text, sizeof(text), name);

	log_escape(escaped, sizeof(escaped), text, n > 0 ? (size_t)n : 0);
	buf_appends(out, escaped);
}

static bool parse_chain(mbedtls_x509_crt *chain, const char *pem, struct buf *error)
{
	int r = mbedtls_x509_crt_parse(chain, (const unsigned char *)pem, strlen(pem) + 1);

	if (r < 0) {
		mbed_complain(error, "the certificate chain does not parse", r);
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
		mbed_complain(error, "the private key does not parse", r);
		buf_appends(error, "; it must be PEM text");
	}
	return r == 0;
}

static bool key_fits(struct certificate *c, struct buf *error)
{
	if (mbedtls_pk_check_pair(&c->chain.pk, &c->key) == 0)
		return true;
	buf_appends(error, "the private key does not belong to the chain's first certificate (");
	put_dn(&c->chain.subject, error);
	buf_appendc(error, ')');
	return false;
}

struct certificate *certificate_new(const char *chain_pem, const char *key_pem, struct buf *error)
{
	struct certificate *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	mbedtls_x509_crt_init(&c->chain);
	mbedtls_pk_init(&c->key);
	if (parse_chain(&c->chain, chain_pem, error) && parse_key(&c->key, key_pem, error) &&
	    key_fits(c, error))
		return c;
	certificate_free(c);
	return NULL;
}

void certificate_free(struct certificate *c)
{
	if (!c)
		return;
	mbedtls_x509_crt_free(&c->chain);
	mbedtls_pk_free(&c->key);
	free(c);
}

int certificate_use(struct certificate *c, struct mbedtls_ssl_config *conf)
{
	return mbedtls_ssl_conf_own_cert(conf, &c->chain, &c->key);
}

/* ---- what it says ---- */

void certificate_names(const struct certificate *c, struct buf *out)
{
	const mbedtls_x509_crt *crt = &c->chain;
	size_t before = out->len;
	char text[256];

	for (const mbedtls_x509_sequence *n = &crt->subject_alt_names; n; n = n->next) {
		if (!n->buf.p || (n->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) != SAN_DNS_NAME)
			continue;
		log_escape(text, sizeof(text), (const char *)n->buf.p, n->buf.len);
		buf_printf(out, "%s%s", out->len > before ? ", " : "", text);
	}
	if (out->len == before)
		put_dn(&crt->subject, out);
}

void certificate_issuer(const struct certificate *c, struct buf *out)
{
	put_dn(&c->chain.issuer, out);
}

bool certificate_is_self_signed(const struct certificate *c)
{
	const mbedtls_x509_buf *a = &c->chain.issuer_raw, *b = &c->chain.subject_raw;

	return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static int64_t seconds(const mbedtls_x509_time *t)
{
	struct tm tm = {.tm_year = t->year - 1900,
			.tm_mon = t->mon - 1,
			.tm_mday = t->day,
			.tm_hour = t->hour,
			.tm_min = t->min,
			.tm_sec = t->sec};

	return timegm(&tm);
}

int64_t certificate_from_s(const struct certificate *c)
{
	return seconds(&c->chain.valid_from);
}

int64_t certificate_until_s(const struct certificate *c)
{
	return seconds(&c->chain.valid_to);
}

void certificate_put_time(int64_t time_s, struct buf *out)
{
	time_t t = (time_t)time_s;
	char text[40] = "";
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm);
	buf_appends(out, text);
}

/* ---- does it fit ---- */

bool certificate_covers(const struct certificate *c, const char *host)
{
	mbedtls_x509_crt *chain = (mbedtls_x509_crt *)&c->chain;
	uint32_t flags = 0;

	/* Its own authority: who signed it is the clients' to judge. */
	mbedtls_x509_crt_verify(chain, chain, NULL, host, &flags, NULL, NULL);
	return !(flags & MBEDTLS_X509_BADCERT_CN_MISMATCH);
}

bool certificate_check_host(const struct certificate *c, const char *host, const char *what,
			    struct buf *error)
{
	if (certificate_covers(c, host))
		return true;
	buf_appends(error, "the certificate is for ");
	certificate_names(c, error);
	buf_printf(error, " and not for %s (%s): have one issued that names it", host, what);
	return false;
}

bool certificate_check_time(const struct certificate *c, int64_t now_s, struct buf *error)
{
	int64_t from_s = certificate_from_s(c), until_s = certificate_until_s(c);

	if (now_s >= from_s && now_s <= until_s)
		return true;
	buf_appends(error, "the certificate for ");
	certificate_names(c, error);
	buf_printf(error, " is valid only %s ", now_s < from_s ? "from" : "until");
	certificate_put_time(now_s < from_s ? from_s : until_s, error);
	buf_appends(error, ", and it is ");
	certificate_put_time(now_s, error);
	return false;
}

/* ---- one of our own ---- */

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

bool certificate_self_signed(const char *host, struct buf *chain_pem, struct buf *key_pem,
			     struct buf *error)
{
	mbedtls_ctr_drbg_context *drbg = mbed_random(error);
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
		mbed_complain(error, "no certificate can be made", r);
	explicit_bzero(key_text, sizeof(key_text));
	mbedtls_x509write_crt_free(&crt);
	mbedtls_pk_free(&key);
	return r == 0;
}
