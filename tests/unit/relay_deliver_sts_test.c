/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MTA-STS records and policies as text, and what TLS a host has to offer by them. */
#include "relay/deliver/sts.h"
#include "relay/deliver/tlspolicy.h"
#include "tests/unit/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *id_of(const char *text)
{
	static char id[STS_ID_MAX];

	return sts_record(text, id) ? id : NULL;
}

static void the_id_of_a_record_is_found(void **state)
{
	(void)state;
	assert_string_equal(id_of("v=STSv1; id=20160831085700Z;"), "20160831085700Z");
	assert_string_equal(id_of("v=STSv1;id=a"), "a");
	assert_string_equal(id_of("v=STSv1 ; x=y; id=1 ; z=w"), "1");
	assert_string_equal(id_of("v=STSv1; id=12345678901234567890123456789012"),
			    "12345678901234567890123456789012");
}

static void what_is_no_record_has_no_id(void **state)
{
	(void)state;
	assert_null(id_of(""));
	assert_null(id_of("v=STSv1"));
	assert_null(id_of("v=STSv1; id="));
	assert_null(id_of("v=STSv1; id=a-b"));
	assert_null(id_of("v=STSv12; id=1"));
	assert_null(id_of("id=1; v=STSv1"));
	assert_null(id_of("v=spf1 -all"));
	assert_null(id_of("v=STSv1; id=123456789012345678901234567890123"));
}

#define GOOD "version: STSv1\nmode: enforce\nmx: mx.b.example\nmx: *.C.example\nmax_age: 604800\n"

static struct sts_policy *parse(const char *text)
{
	const char *why;

	return sts_parse(text, strlen(text), &why);
}

static void a_policy_is_read(void **state)
{
	struct sts_policy *p = parse(GOOD);

	(void)state;
	assert_non_null(p);
	assert_int_equal(p->mode, STS_ENFORCE);
	assert_int_equal(p->max_age_s, 604800);
	assert_int_equal(p->host_count, 2);
	assert_true(sts_names(p, "mx.b.example"));
	assert_true(sts_names(p, "any.c.example"));
	assert_false(sts_names(p, "c.example"));
	assert_false(sts_names(p, "a.b.c.example"));
	assert_false(sts_names(p, "b.example"));
	assert_false(sts_names(p, ".c.example"));
	assert_false(sts_names(p, "mx.b.example.evil"));
	sts_drop(p);
}

static void forms_that_are_allowed(void **state)
{
	static const char *const texts[] = {
		"version:STSv1\r\nmode:  testing  \r\nmx:\tmx.b.example\r\nmax_age: 1\r\n",
		"max_age: 99999999999999999999999\nversion: STSv1\nmode: none", /* no: see below */
		"version: STSv1\nmode: none\nmax_age: 86400",
		"version: STSv1\nmode: testing\nmode: enforce\nunknown: x\nno colon\n\n"
		"mx: mx.b.example\nmax_age: 86400\n",
	};
	struct sts_policy *p;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		p = parse(texts[i]);
		assert_int_equal(p == NULL, i == 1);
		if (i == 3)
			assert_int_equal(p->mode, STS_TESTING); /* the first one counts */
		sts_drop(p);
	}
	p = parse("version: STSv1\nmode: none\nmax_age: 9999999999");
	assert_int_equal(p->max_age_s, STS_AGE_MAX);
	sts_drop(p);
}

static void what_is_wrong_in_a_policy_is_told(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "missing"},
		{"version: STSv2\n", "version"},
		{"version: STSv1\nmode: strict\n", "mode"},
		{"version: STSv1\nmode: enforce\nmax_age: -1\n", "max_age"},
		{"version: STSv1\nmode: enforce\nmax_age: 1w\n", "max_age"},
		{"version: STSv1\nmode: enforce\nmax_age:\n", "max_age"},
		{"version: STSv1\nmode: enforce\nmax_age: 1\n", "mx"},
		{"version: STSv1\nmode: enforce\nmax_age: 1\nmx:\n", "mx"},
		{"version: STSv1\nmode: enforce\nmax_age: 1\nmx: a b\n", "mx"},
		{"version: STSv1\nmode: enforce\nmax_age: 1\nmx: a*.b.example\n", "mx"},
		{"version: STSv1\nmode: enforce\nmax_age: 1\nmx: *\n", "mx"},
		{"version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.*.example\n", "mx"},
		{"mode: enforce\nmax_age: 1\nmx: a\n", "missing"},
		{"<html>", "missing"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *why = "";

		assert_null(sts_parse(cases[i].text, strlen(cases[i].text), &why));
		assert_non_null(strstr(why, cases[i].why));
	}
	const char *why;
	assert_null(sts_parse(GOOD "\0", sizeof(GOOD), &why));
	assert_non_null(strstr(why, "NUL"));
}

static void hosts_are_bounded(void **state)
{
	struct buf text = BUF_INIT;
	struct sts_policy *p;

	(void)state;
	buf_appends(&text, "version: STSv1\nmode: enforce\nmax_age: 1\n");
	for (int i = 0; i < STS_HOSTS_MAX; i++)
		buf_printf(&text, "mx: mx%d.b.example\n", i);
	p = parse(buf_str(&text));
	assert_non_null(p);
	assert_true(sts_names(p, "mx63.b.example"));
	sts_drop(p);
	buf_appends(&text, "mx: one.too.many\n");
	assert_null(parse(buf_str(&text)));
	buf_free(&text);
}

/* The table of tlspolicy.h, line by line. */
static void what_a_host_has_to_offer(void **state)
{
	struct sts_policy *enforce = parse(GOOD);
	struct sts_policy *testing =
		parse("version: STSv1\nmode: testing\nmx: mx.b.example\nmax_age: 1\n");
	struct tlsa_set none = {0}, some = {.count = 1};
	const struct {
		enum dane_status dane;
		const struct tlsa_set *records;
		const struct sts_policy *sts;
		const char *host;
		enum tls_need need;
		bool skip;
	} cases[] = {
		{DANE_FAILED, NULL, NULL, "mx.b.example", TLS_DANE, true},
		{DANE_FAILED, NULL, enforce, "mx.b.example", TLS_DANE, true},
		{DANE_FOUND, &some, NULL, "mx.b.example", TLS_DANE, false},
		{DANE_FOUND, &some, enforce, "mx.b.example", TLS_DANE, false},
		{DANE_FOUND, &some, enforce, "other.example", TLS_DANE, false},
		{DANE_FOUND, &none, NULL, "mx.b.example", TLS_MUST, false},
		{DANE_NONE, NULL, NULL, "mx.b.example", TLS_MAY, false},
		{DANE_NONE, NULL, testing, "other.example", TLS_MAY, false},
		{DANE_NONE, NULL, enforce, "mx.b.example", TLS_TRUSTED, false},
		{DANE_NONE, NULL, enforce, "x.c.example", TLS_TRUSTED, false},
		{DANE_NONE, NULL, enforce, "other.example", TLS_TRUSTED, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct tls_rule r =
			tls_decide(cases[i].dane, cases[i].records, cases[i].sts, cases[i].host);

		assert_int_equal(r.need, cases[i].need);
		assert_int_equal(r.skip != NULL, cases[i].skip);
		assert_true(*r.policy);
	}
	sts_drop(enforce);
	sts_drop(testing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_id_of_a_record_is_found),
		cmocka_unit_test(what_is_no_record_has_no_id),
		cmocka_unit_test(a_policy_is_read),
		cmocka_unit_test(forms_that_are_allowed),
		cmocka_unit_test(what_is_wrong_in_a_policy_is_told),
		cmocka_unit_test(hosts_are_bounded),
		cmocka_unit_test(what_a_host_has_to_offer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
