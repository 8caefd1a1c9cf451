/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLSA records: which count, and what a server's own certificate fits. */
#include "lib/certificate.h"
#include "lib/tlsa.h"
#include "tests/unit/cmocka.h"

#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <mbedtls/x509_crt.h>
#include <string.h>

static mbedtls_x509_crt own, other;

static int make(void **state)
{
	mbedtls_x509_crt *const both[] = {&own, &other};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct buf chain = BUF_INIT, key = BUF_INIT, error = BUF_INIT;

		mbedtls_x509_crt_init(both[i]);
		assert_true(certificate_self_signed("mx.b.example", &chain, &key, &error));
		assert_int_equal(mbedtls_x509_crt_parse(both[i],
							(const unsigned char *)buf_str(&chain),
							chain.len + 1),
				 0);
		buf_free(&chain);
		buf_free(&key);
		buf_free(&error);
	}
	return 0;
}

static int forget(void **state)
{
	(void)state;
	mbedtls_x509_crt_free(&own);
	mbedtls_x509_crt_free(&other);
	return 0;
}

/* A record of that certificate: its data as the DNS has it, and how long. */
static size_t record(const mbedtls_x509_crt *crt, uint8_t usage, uint8_t selector, uint8_t matching,
		     uint8_t out[4096])
{
	const mbedtls_x509_buf *what = selector ? &crt->pk_raw : &crt->raw;

	out[0] = usage;
	out[1] = selector;
	out[2] = matching;
	if (matching == 1) {
		mbedtls_sha256_ret(what->p, what->len, out + 3, 0);
		return 3 + 32;
	}
	if (matching == 2) {
		mbedtls_sha512_ret(what->p, what->len, out + 3, 0);
		return 3 + 64;
	}
	memcpy(out + 3, what->p, what->len);
	return 3 + what->len;
}

static bool fits(const mbedtls_x509_crt *of, uint8_t usage, uint8_t selector, uint8_t matching)
{
	static const char *const names[] = {"mx.b.example"};
	struct tlsa_set *s = tlsa_set_new();
	struct buf why = BUF_INIT;
	uint8_t data[4096];

	assert_true(tlsa_set_add(s, data, record(of, usage, selector, matching, data)));
	bool yes = tlsa_verify(s, &own, names, 1, &why);
	assert_true(yes == (why.len == 0));
	tlsa_set_drop(s);
	buf_free(&why);
	return yes;
}

static void a_pinned_certificate_or_key_fits_and_no_other(void **state)
{
	(void)state;
	for (uint8_t selector = 0; selector < 2; selector++)
		for (uint8_t matching = 0; matching < 3; matching++) {
			assert_true(fits(&own, 3, selector, matching));
			assert_false(fits(&other, 3, selector, matching));
		}
}

/* An authority is above the server's certificate; here there is nothing above. */
static void the_servers_own_is_no_authority(void **state)
{
	(void)state;
	assert_false(fits(&own, 2, 0, 1));
}

static void what_is_unusable_is_left_out(void **state)
{
	static const struct {
		uint8_t usage, selector, matching;
		size_t len;
		bool usable;
	} cases[] = {
		{0, 0, 1, 32, false},
		{1, 1, 1, 32, false},
		{2, 0, 1, 32, true},
		{3, 1, 1, 32, true},
		{4, 0, 1, 32, false},
		{255, 0, 1, 32, false},
		{3, 2, 1, 32, false},
		{3, 1, 3, 32, false},
		{3, 1, 1, 31, false},
		{3, 1, 1, 33, false},
		{3, 1, 2, 64, true},
		{3, 1, 2, 32, false},
		{3, 1, 0, 0, false},
		{3, 1, 0, 1, true},
		{3, 0, 0, TLSA_DATA_MAX, true},
		{3, 0, 0, TLSA_DATA_MAX + 1, false},
	};
	static uint8_t data[3 + TLSA_DATA_MAX + 1];
	struct tlsa_set *s = tlsa_set_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		data[0] = cases[i].usage;
		data[1] = cases[i].selector;
		data[2] = cases[i].matching;
		assert_int_equal(tlsa_set_add(s, data, 3 + cases[i].len), cases[i].usable);
	}
	assert_false(tlsa_set_add(s, data, 2));
	assert_false(tlsa_set_add(s, data, 0));
	tlsa_set_drop(s);
}

static void no_more_are_kept_than_fit(void **state)
{
	uint8_t data[35] = {3, 1, 1};
	struct tlsa_set *s = tlsa_set_new();

	(void)state;
	for (unsigned i = 0; i < TLSA_RECORDS_MAX; i++)
		assert_true(tlsa_set_add(s, data, sizeof(data)));
	assert_false(tlsa_set_add(s, data, sizeof(data)));
	tlsa_set_drop(s);
}

/* RFC 7671 §9; only among records that pin the same thing. */
static void a_weaker_digest_gives_way(void **state)
{
	uint8_t data[67] = {3, 1, 1};
	struct tlsa_set *s = tlsa_set_new();

	(void)state;
	assert_true(tlsa_set_add(s, data, 35));
	data[2] = 2;
	assert_true(tlsa_set_add(s, data, 67));
	data[1] = 0;
	data[2] = 1;
	assert_true(tlsa_set_add(s, data, 35));
	tlsa_set_prefer_strong(s);
	assert_int_equal(s->count, 2);
	assert_int_equal(s->records[0].matching, 2);
	assert_int_equal(s->records[1].selector, 0);
	tlsa_set_drop(s);
}

static void nothing_fits_no_certificate(void **state)
{
	struct tlsa_set *s = tlsa_set_new();
	struct buf why = BUF_INIT;

	(void)state;
	assert_false(tlsa_verify(s, &own, NULL, 0, &why));
	assert_false(tlsa_verify(s, NULL, NULL, 0, &why));
	assert_non_null(strstr(buf_str(&why), "DANE"));
	buf_free(&why);
	tlsa_set_drop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pinned_certificate_or_key_fits_and_no_other),
		cmocka_unit_test(the_servers_own_is_no_authority),
		cmocka_unit_test(what_is_unusable_is_left_out),
		cmocka_unit_test(no_more_are_kept_than_fit),
		cmocka_unit_test(a_weaker_digest_gives_way),
		cmocka_unit_test(nothing_fits_no_certificate),
	};

	return cmocka_run_group_tests(tests, make, forget);
}
