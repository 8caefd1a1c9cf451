/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/certificate.h"

#include "tests/unit/cmocka.h"

#include <mbedtls/x509_crt.h>
#include <string.h>
#include <time.h>

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

static void self_signed_names_its_host_for_ten_years(void **state)
{
	mbedtls_x509_crt crt;
	uint32_t flags;
	time_t now = time(NULL);
	struct tm tm;

	(void)state;
	gmtime_r(&now, &tm);
	mbedtls_x509_crt_init(&crt);
	assert_int_equal(
		mbedtls_x509_crt_parse(&crt, (const unsigned char *)buf_str(&chain), chain.len + 1),
		0);
	assert_int_equal(
		mbedtls_x509_crt_verify(&crt, &crt, NULL, "relay.example.net", &flags, NULL, NULL),
		0);
	assert_int_not_equal(
		mbedtls_x509_crt_verify(&crt, &crt, NULL, "other.example", &flags, NULL, NULL), 0);
	assert_int_equal(mbedtls_pk_get_bitlen(&crt.pk), 256);
	assert_int_equal(crt.valid_to.year - crt.valid_from.year, 10);
	assert_in_range(crt.valid_to.year, tm.tm_year + 1909, tm.tm_year + 1910);
	mbedtls_x509_crt_free(&crt);
}

/* Made by openssl: valid on the first of January 2001. */
static const char old_chain[] = "-----BEGIN CERTIFICATE-----\n"
				"MIIBYDCCAQWgAwIBAgIBATAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtvbGQuZXhh\n"
				"bXBsZTAeFw0wMTAxMDEwMDAwMDBaFw0wMTAxMDIwMDAwMDBaMBYxFDASBgNVBAMM\n"
				"C29sZC5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIHikNN7bZ3kp\n"
				"QU7asw1hm6clO9uT+NAOmJ9eZNqecXAKidWZAHQSfBdh/qoeNzLFF9nGXKE+DCKG\n"
				"8o3Ytzlm7aNEMEIwFgYDVR0RBA8wDYILb2xkLmV4YW1wbGUwCQYDVR0TBAIwADAd\n"
				"BgNVHQ4EFgQUrj4r5B7ST+ZZJ8GrSpbFywJyc9kwCgYIKoZIzj0EAwIDSQAwRgIh\n"
				"AN67MVgkKpv0B/UNpqan9BtkWd7GIhqUQHOfc1zivVKYAiEAuYQbrx2BAw92vx7m\n"
				"tSReSu9uM5VIsMPrFZ19ciAMNs4=\n"
				"-----END CERTIFICATE-----\n";
static const char old_key[] = "-----BEGIN PRIVATE KEY-----\n"
			      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg5BoZOrOpvsEOj258\n"
			      "1Sag4Rtr/zDEGJGFXyM0XmT6vpGhRANCAAQgeKQ03ttneSlBTtqzDWGbpyU725P4\n"
			      "0A6Yn15k2p5xcAqJ1ZkAdBJ8F2H+qh43MsUX2cZcoT4MIobyjdi3OWbt\n"
			      "-----END PRIVATE KEY-----\n";

/* 2001-01-01 00:00 UTC */
#define FROM_S ((int64_t)978307200)

static void a_certificate_is_described(void **state)
{
	struct certificate *c = certificate_new(old_chain, old_key, &error);
	struct buf text = BUF_INIT;

	(void)state;
	assert_non_null(c);
	certificate_names(c, &text);
	assert_string_equal(buf_str(&text), "old.example");
	buf_clear(&text);
	certificate_issuer(c, &text);
	assert_string_equal(buf_str(&text), "CN=old.example");
	assert_true(certificate_is_self_signed(c));
	assert_int_equal(certificate_from_s(c), FROM_S);
	assert_int_equal(certificate_until_s(c), FROM_S + 86400);
	buf_free(&text);
	certificate_free(c);
}

static void it_is_judged_by_its_names(void **state)
{
	struct certificate *c = certificate_new(old_chain, old_key, &error);
	struct buf text = BUF_INIT;

	(void)state;
	assert_true(certificate_check_host(c, "old.example", "relay host-name", &text));
	assert_int_equal(text.len, 0);
	assert_false(certificate_check_host(c, "new.example", "relay host-name", &text));
	assert_string_equal(buf_str(&text),
			    "the certificate is for old.example and not for new.example (relay "
			    "host-name): have one issued that names it");
	buf_free(&text);
	certificate_free(c);
}

static void it_is_judged_by_its_dates(void **state)
{
	struct certificate *c = certificate_new(old_chain, old_key, &error);
	struct buf text = BUF_INIT;

	(void)state;
	assert_true(certificate_check_time(c, FROM_S, &text));
	assert_true(certificate_check_time(c, FROM_S + 86400, &text));
	assert_int_equal(text.len, 0);
	assert_false(certificate_check_time(c, FROM_S + 86401, &text));
	assert_string_equal(buf_str(&text),
			    "the certificate for old.example is valid only until 2001-01-02 00:00 "
			    "UTC, and it is 2001-01-02 00:00 UTC");
	buf_clear(&text);
	assert_false(certificate_check_time(c, FROM_S - 60, &text));
	assert_string_equal(buf_str(&text),
			    "the certificate for old.example is valid only from 2001-01-01 00:00 "
			    "UTC, and it is 2000-12-31 23:59 UTC");
	buf_free(&text);
	certificate_free(c);
}

static void a_long_host_still_gets_a_certificate(void **state)
{
	struct buf c = BUF_INIT, k = BUF_INIT, why = BUF_INIT;
	char host[254];
	mbedtls_x509_crt crt;
	uint32_t flags;

	(void)state;
	for (size_t i = 0; i < sizeof(host) - 1; i++)
		host[i] = i % 60 == 59 ? '.' : 'a';
	host[sizeof(host) - 1] = '\0';
	assert_true(certificate_self_signed(host, &c, &k, &why));
	mbedtls_x509_crt_init(&crt);
	assert_int_equal(mbedtls_x509_crt_parse(&crt, (const unsigned char *)c.data, c.len + 1), 0);
	assert_int_equal(mbedtls_x509_crt_verify(&crt, &crt, NULL, host, &flags, NULL, NULL), 0);
	mbedtls_x509_crt_free(&crt);
	buf_free(&c);
	buf_free(&k);
	buf_free(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(self_signed_names_its_host_for_ten_years),
		cmocka_unit_test(a_certificate_is_described),
		cmocka_unit_test(it_is_judged_by_its_names),
		cmocka_unit_test(it_is_judged_by_its_dates),
		cmocka_unit_test(a_long_host_still_gets_a_certificate),
	};

	return cmocka_run_group_tests(tests, make_certificate, drop_certificate);
}
