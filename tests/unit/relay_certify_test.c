/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/certify.h"

#include "lib/certificate.h"
#include "tests/unit/cmocka.h"

#include <string.h>

#define HOUR_S ((int64_t)3600)
#define DAY_S  (24 * HOUR_S)

static struct slice_secrets secrets;
static int64_t until_s;

static int make_certificate(void **state)
{
	struct buf chain = BUF_INIT, key = BUF_INIT, error = BUF_INIT;
	struct certificate *c;

	(void)state;
	assert_true(certificate_self_signed("r.example", &chain, &key, &error));
	c = certificate_new(buf_str(&chain), buf_str(&key), &error);
	until_s = certificate_until_s(c);
	certificate_free(c);
	secrets.tls_chain = buf_steal(&chain);
	secrets.tls_key = buf_steal(&key);
	return 0;
}

static int drop_certificate(void **state)
{
	(void)state;
	slice_secrets_free(&secrets);
	return 0;
}

static struct relay_config *parse(const char *members)
{
	struct buf json = BUF_INIT, error = BUF_INIT;
	struct relay_config *c;

	buf_printf(&json, "{\"gatepost:relay\":{%s}}", members);
	c = config_parse(buf_str(&json), json.len, &error);
	if (!c)
		fail_msg("%s", buf_str(&error));
	buf_free(&json);
	return c;
}

static struct relay_config *own(const char *host, const char *more)
{
	char members[512];

	snprintf(members, sizeof(members),
		 "\"host-name\":\"%s\",\"tls\":{\"chain-file\":\"/c\",\"key-file\":\"/k\"}%s", host,
		 more);
	return parse(members);
}

static void expect(struct relay_config *c, int64_t now_s, const char *error)
{
	struct buf said = BUF_INIT;

	assert_int_equal(certify(c, &secrets, now_s, &said), !*error);
	if (*error ? !strstr(buf_str(&said), error) : said.len)
		fail_msg("'%s', not '%s'", buf_str(&said), error);
	buf_free(&said);
	config_free(c);
}

#define ACCOUNT ",\"account\":[{\"name\":\"a\",\"track\":{\"host\":\"links.example\"}}]"

static void every_name_and_both_dates_are_judged(void **state)
{
	int64_t now_s = until_s - DAY_S;

	(void)state;
	expect(own("r.example", ""), now_s, "");
	expect(own("R.Example", ""), now_s, "");
	expect(own("x.example", ""), now_s, "not for x.example (relay host-name)");
	expect(own("r.example", ",\"tracking\":{\"host\":\"t.example\"}" ACCOUNT), now_s, "");
	expect(own("r.example", ",\"tracking\":{\"host\":\"t.example\",\"https\":[null]}"), now_s,
	       "not for t.example (relay tracking host)");
	expect(own("r.example", ",\"tracking\":{\"host\":\"r.example\",\"https\":[null]}" ACCOUNT),
	       now_s, "not for links.example (relay account a track host)");
	expect(own("r.example", ""), until_s + 1, "valid only until");
	expect(own("r.example", ""), until_s - 11 * 365 * DAY_S, "valid only from");
	/* The relay's own is none of the operator's making. */
	expect(parse("\"host-name\":\"x.example\""), until_s + 1, "");
}

static const char *alarm_at(int64_t now_s)
{
	static char text[512];
	struct relay_config *c = own("r.example", "");
	json_t *told = certify_status(c, &secrets, now_s);
	const char *alarm = json_string_value(json_object_get(told, "alarm"));

	snprintf(text, sizeof(text), "%s", alarm ? alarm : "");
	json_decref(told);
	config_free(c);
	return text;
}

static void the_alarm_is_given_two_weeks_ahead(void **state)
{
	(void)state;
	assert_non_null(strstr(alarm_at(until_s - 14 * DAY_S), "self-signed"));
	assert_string_equal(alarm_at(until_s - 14 * DAY_S + 1),
			    "tls: the certificate expires in 13 days: renew it");
	assert_string_equal(alarm_at(until_s - HOUR_S),
			    "tls: the certificate expires in 0 days: renew it");
	assert_non_null(strstr(alarm_at(until_s + 1), "valid only until"));
}

static void what_is_in_force_is_known_again(void **state)
{
	struct relay_config *a = own("r.example", ""), *b = own("r.example", ACCOUNT);
	struct relay_config *other = own("s.example", "");
	struct slice_secrets fresh = {.tls_chain = (char *)"another", .tls_key = (char *)""};

	(void)state;
	assert_true(certify_is_unchanged(a, &secrets, b, &secrets));
	assert_false(certify_is_unchanged(a, &secrets, other, &secrets));
	assert_false(certify_is_unchanged(a, &secrets, a, &fresh));
	config_free(a);
	config_free(b);
	config_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_and_both_dates_are_judged),
		cmocka_unit_test(the_alarm_is_given_two_weeks_ahead),
		cmocka_unit_test(what_is_in_force_is_known_again),
	};

	return cmocka_run_group_tests(tests, make_certificate, drop_certificate);
}
