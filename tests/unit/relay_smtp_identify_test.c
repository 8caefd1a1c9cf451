/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/identify.h"
#include "tests/unit/cmocka.h"

#include <string.h>

/*
 * acme: by network or login. beta: shares acme's server. strict: network and login. roam: login
 * from anywhere, and nothing else.
 */
static const char json[] =
	"{\"gatepost:relay\":{\"host-name\":\"relay.example.net\",\"account\":["
	"{\"name\":\"acme\",\"networks\":[\"203.0.113.20/32\",\"2001:db8:1::/64\"],"
	"\"from\":[\"*@acme.example\",\"shared@both.example\"],"
	"\"sign\":{\"domain\":[\"acme.example\",\"mail.acme.example\"],\"selector\":\"g1\"}},"
	"{\"name\":\"beta\",\"networks\":[\"203.0.113.20/32\"],"
	"\"from\":[\"info@beta.example\",\"shared@both.example\",\"*@news.beta.example\"]},"
	"{\"name\":\"strict\",\"networks\":[\"198.51.100.0/24\"],\"auth-required\":[null],"
	"\"from\":[\"*@strict.example\"]},"
	"{\"name\":\"roam\",\"auth-required\":[null],\"from\":[\"*@roam.example\"]},"
	"{\"name\":\"empty\",\"networks\":[\"192.0.2.77/32\"]}"
	"]}}";

static struct relay_config *config;

static int load(void **state)
{
	struct buf error = BUF_INIT;

	(void)state;
	config = config_parse(json, sizeof(json) - 1, &error);
	if (!config)
		fail_msg("%s", buf_str(&error));
	return 0;
}

static int unload(void **state)
{
	(void)state;
	config_free(config);
	return 0;
}

static struct mailbox mailbox(const char *address)
{
	struct mailbox m = {.text = ""};
	const char *reason;

	if (*address)
		assert_int_equal(mailbox_parse(address, strlen(address), &m, &reason),
				 strlen(address));
	return m;
}

static struct identified ask(const char *address, const char *login, const char *sender,
			     const char *from)
{
	struct mailbox s = mailbox(sender), f = mailbox(from ? from : "");
	struct client client = {.account = login};
	struct identified out;

	assert_true(addr_parse(address, &client.address));
	identify(config, &client, &s, from ? &f : NULL, &out);
	return out;
}

static void the_right_account_is_found(void **state)
{
	static const struct {
		const char *address, *login, *sender, *from, *account;
	} table[] = {
		{"203.0.113.20", "", "a@acme.example", NULL, "acme"},
		{"203.0.113.20", "", "A@ACME.Example", "a@acme.example", "acme"},
		{"2001:db8:1::5", "", "a@acme.example", NULL, "acme"},
		/* From chooses between the two that share a server. */
		{"203.0.113.20", "", "info@beta.example", NULL, "beta"},
		{"203.0.113.20", "", "shared@both.example", NULL, "acme"},
		{"203.0.113.20", "", "shared@both.example", "a@acme.example", "acme"},
		{"203.0.113.20", "", "shared@both.example", "info@beta.example", "beta"},
		/* A login beats the order. */
		{"203.0.113.20", "beta", "shared@both.example", NULL, "beta"},
		{"192.0.2.1", "beta", "shared@both.example", NULL, "beta"},
		{"192.0.2.1", "acme", "a@acme.example", "b@acme.example", "acme"},
		{"198.51.100.9", "strict", "a@strict.example", NULL, "strict"},
		{"192.0.2.1", "roam", "a@roam.example", NULL, "roam"},
		/* The null sender: From alone chooses. */
		{"203.0.113.20", "", "", NULL, "acme"},
		{"203.0.113.20", "", "", "info@beta.example", "beta"},
		{"203.0.113.20", "beta", "", NULL, "beta"},
		{"192.0.2.77", "", "", NULL, "empty"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct identified out =
			ask(table[i].address, table[i].login, table[i].sender, table[i].from);

		if (!out.account)
			fail_msg("%zu: %s %s", i, out.status, out.text);
		assert_string_equal(out.account->name, table[i].account);
		assert_null(out.status);
	}
}

static void everybody_else_is_refused_and_told_why(void **state)
{
	static const struct {
		const char *address, *login, *sender, *from, *text;
	} table[] = {
		/* From alone opens nothing. */
		{"192.0.2.1", "", "a@acme.example", "a@acme.example",
		 "192.0.2.1 is not a client of this relay: log in first"},
		{"192.0.2.1", "", "", NULL, "not a client"},
		{"2001:db8:2::1", "", "a@acme.example", NULL, "2001:db8:2::1 is not a client"},
		/* strict: neither its network nor a login is enough. */
		{"198.51.100.9", "", "a@strict.example", NULL, "not a client"},
		{"192.0.2.1", "strict", "a@strict.example", NULL,
		 "takes logins only from its networks, and 192.0.2.1 is not in them"},
		{"198.51.100.9", "roam", "a@strict.example", NULL, "account roam may not send"},
		/* Forged senders. */
		{"203.0.113.20", "", "ceo@bank.example", NULL,
		 "ceo@bank.example: account acme may not send as this address; its senders are "
		 "*@acme.example, shared@both.example"},
		{"203.0.113.20", "", "a@sub.acme.example", NULL, "may not send"},
		{"203.0.113.20", "", "other@beta.example", NULL, "may not send"},
		{"192.0.2.1", "acme", "info@beta.example", NULL, "account acme may not send"},
		{"192.0.2.77", "", "a@acme.example", NULL, "it has no senders yet"},
		{"203.0.113.20", "", "a@acme.example", "ceo@bank.example",
		 "From: ceo@bank.example: account acme"},
		{"203.0.113.20", "", "info@beta.example", "ceo@bank.example",
		 "From: ceo@bank.example: account beta"},
		{"203.0.113.20", "", "", "ceo@bank.example", "From: ceo@bank.example"},
		/* Each of the two is somebody's, but not the same account's. */
		{"203.0.113.20", "", "a@acme.example", "info@beta.example",
		 "From: info@beta.example: account acme"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct identified out =
			ask(table[i].address, table[i].login, table[i].sender, table[i].from);

		if (out.account)
			fail_msg("%zu: taken as %s", i, out.account->name);
		assert_string_equal(out.status, "550 5.7.1");
		if (!strstr(out.text, table[i].text))
			fail_msg("%zu: '%s' lacks '%s'", i, out.text, table[i].text);
	}
}

static void the_signing_domain_is_aligned(void **state)
{
	const struct config_account *acme = config_account(config, "acme");
	static const struct {
		const char *from, *domain;
	} table[] = {
		{"a@acme.example", "acme.example"},
		{"a@ACME.example", "acme.example"},
		{"a@mail.acme.example", "mail.acme.example"},
		{"a@x.mail.acme.example", "mail.acme.example"},
		{"a@other.acme.example", "acme.example"},
		{"a@notacme.example", ""},
		{"a@example", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct mailbox m = mailbox(table[i].from);

		assert_string_equal(identify_sign_domain(acme, &m), table[i].domain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_account_is_found),
		cmocka_unit_test(everybody_else_is_refused_and_told_why),
		cmocka_unit_test(the_signing_domain_is_aligned),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
