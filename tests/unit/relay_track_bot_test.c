/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/bot.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof(*(a)))

static enum hit_class classify(const char *agent, const char *client, int64_t age_s,
			       const char **reason)
{
	struct hit h = {.user_agent = {agent, strlen(agent)}, .purpose = {"", 0}, .age_s = age_s};

	assert_true(addr_parse(client, &h.client));
	return hit_classify(&h, reason);
}

/* As these programs really introduce themselves. */
static const struct {
	const char *agent;
	enum hit_class class;
	const char *reason;
} agents[] = {
	{"Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com "
	 "GoogleImageProxy)",
	 HIT_PROXY, "Gmail's image proxy"},
	{"YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", HIT_PROXY,
	 "Yahoo's image proxy"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
	 "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0",
	 HIT_PREFETCH, "Gmail's prefetch"},
	{"Mozilla/5.0", HIT_PREFETCH, "Apple Mail Privacy Protection"},
	{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", HIT_SCANNER,
	 "a crawler: it names its page"},
	{"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", HIT_SCANNER,
	 "link preview of Slack"},
	{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
	 "HeadlessChrome/119.0.0.0 Safari/537.36",
	 HIT_SCANNER, "a browser without a screen"},
	{"Microsoft Office Existence Discovery", HIT_SCANNER, "Office looks before it opens"},
	{"curl/7.88.1", HIT_SCANNER, "a program: curl"},
	{"python-requests/2.28.1", HIT_SCANNER, "a program: Python"},
	{"Go-http-client/1.1", HIT_SCANNER, "a program: Go"},
	{"", HIT_UNKNOWN, "no User-Agent"},
	{"Mozilla/5.0 (X11; Linux x86_64; rv:102.0) Gecko/20100101 Thunderbird/102.15.1",
	 HIT_PERSON, "mail client: Thunderbird"},
	{"Mozilla/4.0 (compatible; ms-office; MSOffice 16)", HIT_PERSON, "mail client: Outlook"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
	 HIT_PERSON, "mail client or browser: WebKit"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0",
	 HIT_PERSON, "browser: Firefox"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
	 "Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0",
	 HIT_PERSON, "browser: Edge"},
	{"Mozilla/5.0 (Linux; Android 9; CUBOT X19 Build/PPR1) AppleWebKit/537.36 (KHTML, like "
	 "Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
	 HIT_PERSON, "browser: Chrome or a kin of it"},
	{"xyzzy", HIT_UNKNOWN, "a User-Agent that is not known"},
};

static void programs_are_told_apart_by_their_names(void **state)
{
	const char *reason;

	(void)state;
	for (size_t i = 0; i < LEN(agents); i++) {
		assert_int_equal(classify(agents[i].agent, "198.51.100.9", 3600, &reason),
				 agents[i].class);
		assert_string_equal(reason, agents[i].reason);
	}
}

static const char firefox[] = "Mozilla/5.0 (X11; rv:121.0) Gecko/20100101 Firefox/121.0";

static void what_a_request_says_of_itself_goes_first(void **state)
{
	struct hit h = {.user_agent = {firefox, strlen(firefox)}, .purpose = {"", 0}, .age_s = -1};
	const char *reason;

	(void)state;
	assert_int_equal(hit_classify(&h, &reason), HIT_PERSON);
	h.purpose = (struct http_slice){"Prefetch;anonymous-client-ip", 28};
	assert_int_equal(hit_classify(&h, &reason), HIT_PREFETCH);
	h.head = true;
	assert_int_equal(hit_classify(&h, &reason), HIT_SCANNER);
	assert_string_equal(reason, "HEAD request");
}

static void a_browser_at_a_filters_address_is_the_filter(void **state)
{
	const char *reason;

	(void)state;
	assert_int_equal(classify(firefox, "40.107.3.4", 3600, &reason), HIT_SCANNER);
	assert_string_equal(reason, "address of Exchange Online Protection");
	assert_int_equal(classify(firefox, "40.108.0.1", 3600, &reason), HIT_PERSON);
	assert_int_equal(classify(firefox, "2001:db8::1", 3600, &reason), HIT_PERSON);
}

static void nobody_reads_within_two_seconds(void **state)
{
	const char *reason;

	(void)state;
	assert_int_equal(classify(firefox, "198.51.100.9", 0, &reason), HIT_SCANNER);
	assert_int_equal(classify(firefox, "198.51.100.9", 1, &reason), HIT_SCANNER);
	assert_int_equal(classify(firefox, "198.51.100.9", 2, &reason), HIT_PERSON);
	assert_int_equal(classify(firefox, "198.51.100.9", -1, &reason), HIT_PERSON);
	/* A proxy that fetches at once is still the proxy. */
	assert_int_equal(classify("YahooMailProxy", "198.51.100.9", 0, &reason), HIT_PROXY);
}

static void a_long_user_agent_is_looked_at_up_to_a_bound(void **state)
{
	char *agent = malloc(9000);
	struct hit h = {.user_agent = {agent, 9000}, .purpose = {"", 0}, .age_s = -1};
	const char *reason;

	(void)state;
	memset(agent, 'x', 9000);
	memcpy(agent + 8990, "curl/", 5);
	assert_int_equal(hit_classify(&h, &reason), HIT_UNKNOWN);
	free(agent);
}

static void every_class_has_its_name(void **state)
{
	(void)state;
	assert_string_equal(hit_class_name(HIT_UNKNOWN), "unknown");
	assert_string_equal(hit_class_name(HIT_PERSON), "person");
	assert_string_equal(hit_class_name(HIT_PROXY), "proxy");
	assert_string_equal(hit_class_name(HIT_PREFETCH), "prefetch");
	assert_string_equal(hit_class_name(HIT_SCANNER), "scanner");
	assert_string_equal(hit_class_name(77), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_are_told_apart_by_their_names),
		cmocka_unit_test(what_a_request_says_of_itself_goes_first),
		cmocka_unit_test(a_browser_at_a_filters_address_is_the_filter),
		cmocka_unit_test(nobody_reads_within_two_seconds),
		cmocka_unit_test(a_long_user_agent_is_looked_at_up_to_a_bound),
		cmocka_unit_test(every_class_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
