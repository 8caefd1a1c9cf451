/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/utf8.h"
#include "relay/track/idn.h"
#include "relay/track/trackers.h"
#include "relay/track/url.h"
#include "tests/unit/cmocka.h"

#include <stdio.h>
#include <string.h>

static void normalise(const char *value, const char *charset, enum url_verdict verdict,
		      const char *expected)
{
	struct buf out = BUF_INIT;

	assert_int_equal(url_normalise(value, strlen(value), charset_find(charset), &out), verdict);
	assert_string_equal(buf_str(&out), expected);
	buf_free(&out);
}

static void ascii_comes_back_byte_for_byte(void **state)
{
	static const char *const urls[] = {
		"http://example.com",
		"HTTPS://User.Example.COM:443/a/../b//?q=%e4&r=%C3%A4#frag",
		"http://example.com/?a[0]=1&b[]=&c=",
		"http://example.com/foo_(bar)/",
		"http://example.com/@handle?x=a@b",
		"http://example.com/a b|c\"d<e>f{g}^`\\",
		"http://[2001:db8::1]:8080/",
		"http://example.com/?",
		"http://my_host.example/#!/x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++)
		normalise(urls[i], "utf-8", URL_OK, urls[i]);
	normalise(" \n http://example.com/a\r\n\tb \t", "", URL_OK, "http://example.com/ab");
}

static void what_is_not_for_us_is_named(void **state)
{
	static const struct {
		const char *value;
		enum url_verdict verdict;
	} cases[] = {
		{"", URL_NOT_WEB},
		{"#anchor", URL_NOT_WEB},
		{"mailto:a@b.example", URL_NOT_WEB},
		{"tel:+49", URL_NOT_WEB},
		{"sms:1", URL_NOT_WEB},
		{"data:text/html,x", URL_NOT_WEB},
		{"javascript:alert(1)", URL_NOT_WEB},
		{"/relative", URL_NOT_WEB},
		{"//example.com/", URL_NOT_WEB},
		{"ftp://example.com/", URL_NOT_WEB},
		{"httpx://example.com/", URL_NOT_WEB},
		{"http:", URL_NO_HOST},
		{"http://", URL_NO_HOST},
		{"http:///path", URL_NO_HOST},
		{"http:example.com", URL_NO_HOST},
		{"http:\\\\example.com", URL_NO_HOST},
		{"http://a b/", URL_NO_HOST},
		{"http://a:80x/", URL_NO_HOST},
		{"http://[::1/", URL_NO_HOST},
		{"http://?q", URL_NO_HOST},
		{"http://example.com/\x01x", URL_CONTROL},
		{"http://example.com/\x7f", URL_CONTROL},
		{"http://user@example.com/", URL_USERINFO},
		{"https://bank.example:pass@evil.example/", URL_USERINFO},
		{"http://example.com/\xff", URL_CHARSET},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		normalise(cases[i].value, "utf-8", cases[i].verdict, "");
}

static void the_mark_is_taken_out(void **state)
{
	(void)state;
	normalise("http+notrack://example.com/x", "", URL_NOTRACK, "http://example.com/x");
	normalise("HTTPS+NoTrack://example.com/x", "", URL_NOTRACK, "https://example.com/x");
	normalise("http+notrack://user@example.com/x", "", URL_NOTRACK,
		  "http://user@example.com/x");
}

static void other_characters_are_serialised_as_a_browser_would(void **state)
{
	(void)state;
	normalise("HTTP://\xc3\x9cml\xc3\xa4ut.Example/p\xc3\xa4th a?q=\xc3\xa4'#\xc3\xa4", "utf-8",
		  URL_OK,
		  "http:"
		  "//xn--mlut-moa5l.example/p%C3%A4th%20a?q=%C3%A4%27#%C3%A4");
	normalise("http://example.com?\xc3\xa4", "utf-8", URL_OK, "http://example.com/?%C3%A4");
	/* the query in the document's charset, the rest in UTF-8 */
	normalise("http://example.com/\xc3\xa4?\xc3\xa4\xe2\x82\xac\xe6\x97\xa5", "iso-8859-1",
		  URL_OK, "http://example.com/%C3%A4?%E4%80%26%2326085%3B");
	normalise("http://example.com/?\xd0\x96", "koi8-r", URL_OK, "http://example.com/?%F6");
	normalise("http://example.com/\xc3\xa4?q", "shift_jis", URL_OK,
		  "http://example.com/%C3%A4?q");
	normalise("http://example.com/?\xc3\xa4", "shift_jis", URL_OK,
		  "http://example.com/?%26%23228%3B");
	normalise("http://example.com/?\xc3\xa4", "x-unknown", URL_CHARSET, "");
	normalise("http://example.com/\\\xc3\xa4", "utf-8", URL_OK, "http://example.com//%C3%A4");
	/* a host that is not ours to map: the browser takes percent-encoded UTF-8 back */
	normalise("http://\xe2\x9c\xaa"
		  "df.ws/",
		  "utf-8", URL_OK, "http://%E2%9C%AAdf.ws/");
}

/* U+65E5 U+30BD U+20AC in a query, as each charset has it; what a browser makes of it. */
static void queries_in_charsets_of_two_bytes(void **state)
{
	static const struct {
		const char *charset, *query;
	} cases[] = {
		{"shift_jis", "%93%FA%83\\%26%238364%3B"}, {"euc-jp", "%C6%FC%A5%BD%26%238364%3B"},
		{"euc-kr", "%EC%ED%AB%BD%A2%E6"},          {"gb2312", "%C8%D5%A5%BD%80"},
		{"gb18030", "%C8%D5%A5%BD%A2%E3"},         {"big5", "%A4%E9%C7%B9%A3%E1"},
		{"utf-8", "%E6%97%A5%E3%82%BD%E2%82%AC"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char want[200];

		snprintf(want, sizeof(want), "http://e.example/%%E6%%97%%A5?q=%s&a=b#%%E6%%97%%A5",
			 cases[i].query);
		normalise(
			"http://e.example/\xe6\x97\xa5?q=\xe6\x97\xa5\xe3\x82\xbd\xe2\x82\xac&a=b#"
			"\xe6\x97\xa5",
			cases[i].charset, URL_OK, want);
	}
	/* GB18030 has a face in four bytes, for which there is no table; GBK has none. */
	normalise("http://e.example/?\xf0\x9f\x98\x80", "gb18030", URL_CHARSET, "");
	normalise("http://e.example/?\xf0\x9f\x98\x80", "gbk", URL_OK,
		  "http://e.example/?%26%23128512%3B");
}

/* How many characters the standard's index has, but for private use and HKSCS's 148; and that each
 * comes back out of what the encoder makes of it. */
static void every_character_of_two_bytes_comes_back(void **state)
{
	static const struct {
		enum cjk kind;
		unsigned count;
	} cases[] = {{CJK_SHIFT_JIS, 7724}, {CJK_EUC_JP, 7399},   {CJK_EUC_KR, 17048},
		     {CJK_GBK, 21874},      {CJK_GB18030, 21874}, {CJK_BIG5, 18442}};
	struct buf text = BUF_INIT, again = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned count = 0, lost = 0;

		for (unsigned code = 0x8040; code <= 0xffff; code++) {
			const char bytes[2] = {(char)(code >> 8), (char)code};
			unsigned char back[2];
			uint32_t cp;

			buf_clear(&text);
			buf_clear(&again);
			if (!cjk_to_utf8(cases[i].kind, bytes, 2, &text) ||
			    utf8_decode(text.data, text.len, &cp) != text.len)
				continue;
			count++;
			size_t n = cjk_from(cases[i].kind, cp, back);
			if (!n) {
				lost++;
				continue;
			}
			assert_true(cjk_to_utf8(cases[i].kind, (char *)back, n, &again));
			assert_string_equal(buf_str(&again), buf_str(&text));
		}
		assert_int_equal(count, cases[i].count);
		/* Characters that an encoder may not give: HKSCS's before Big5 proper. */
		assert_int_equal(lost > 0, cases[i].kind == CJK_BIG5);
	}
	buf_free(&text);
	buf_free(&again);
}

static void what_is_no_character_is_refused(void **state)
{
	static const struct {
		const char *charset, *bytes;
	} cases[] = {
		{"shift_jis", "a\x93"},      {"shift_jis", "\x93\x20"}, {"shift_jis", "\xa0"},
		{"shift_jis", "\xf0\x40"},   {"euc-jp", "\xc6"},        {"euc-jp", "\x8e\x20"},
		{"euc-jp", "\x8f\xb0\xa1"},  {"euc-kr", "\x80\x41"},    {"euc-kr", "\xec\x40"},
		{"gbk", "\x81\x30\x81\x30"}, {"gbk", "\xff\x41"},       {"big5", "\xa4\x7f"},
		{"big5", "\x88\x62"},        {"big5", "\x81\x40"},
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct charset *c = charset_find(cases[i].charset);

		assert_non_null(c);
		assert_false(charset_to_utf8(c, cases[i].bytes, strlen(cases[i].bytes), &out));
		assert_int_equal(out.len, 0);
	}
	buf_free(&out);
}

static void hosts_become_punycode(void **state)
{
	static const struct {
		const char *host, *ascii;
	} cases[] = {
		{"Example.COM", "example.com"},
		{"b\xc3\xbc"
		 "cher.example",
		 "xn--bcher-kva.example"},
		{"b\xc3\xbcndnis-f\xc3\xbcr-krankenh\xc3\xa4user.de",
		 "xn--bndnis-fr-krankenhuser-i5b27cha.de"},
		{"\xd0\x9f\xd0\xa0\xd0\x95\xd0\x97\xd0\x98\xd0\x94\xd0\x95\xd0\x9d\xd0\xa2."
		 "\xd1\x80\xd1\x84",
		 "xn--d1abbgf6aiiy.xn--p1ai"},
		{"\xe4\xbe\x8b\xe3\x81\x88.jp", "xn--r8jz45g.jp"},
		{"a.example.", "a.example."},
		{"\xef\xbd\x81.example", NULL}, /* full width: mapped by UTS 46 alone */
		{"x\xcc\x88.example", NULL},    /* a combining mark: normalised by it */
		{"\xff", NULL},
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&out);
		bool ok = idn_to_ascii(cases[i].host, strlen(cases[i].host), &out);
		assert_int_equal(ok, cases[i].ascii != NULL);
		assert_string_equal(buf_str(&out), ok ? cases[i].ascii : "");
	}
	buf_free(&out);
}

static void charsets_that_hide_ascii_are_known(void **state)
{
	static const char *const unsafe[] = {"utf-16",     "utf-16le",    "utf-32",
					     "utf-7",      "iso-2022-jp", "iso-2022-kr",
					     "hz-gb-2312", "hz",          "unicode"};
	static const char *const safe[] = {
		"",     "utf-8",  "us-ascii",     "iso-8859-1", "shift_jis", "gb18030",
		"big5", "euc-jp", "windows-1251", "koi8-r",     "x-unknown"};

	(void)state;
	for (size_t i = 0; i < sizeof(unsafe) / sizeof(*unsafe); i++)
		assert_true(charset_unsafe(unsafe[i]));
	for (size_t i = 0; i < sizeof(safe) / sizeof(*safe); i++)
		assert_false(charset_unsafe(safe[i]));
	assert_ptr_equal(charset_find("latin1"), charset_find("windows-1252"));
	assert_ptr_equal(charset_find("sjis"), charset_find("shift_jis"));
	assert_null(charset_find("x-unknown"));
}

static void other_trackers_are_known(void **state)
{
	static const struct {
		const char *url;
		bool tracked;
	} cases[] = {
		{"https://abc.r.us-east-1.awstrack.me/L0/https:%2F%2Fexample.com", true},
		{"https://acme.us1.list-manage.com/track/click?u=1", true},
		{"http://links.customer.example/ls/click?upn=u001", true},
		{"https://eur01.safelinks.protection.outlook.com/?url=x", true},
		{"https://notlist-manage.com/track/click?u=1", false},
		{"https://acme.list-manage.com/subscribe", false},
		{"https://example.com/c/abc", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(tracker_made(cases[i].url, strlen(cases[i].url)),
				 cases[i].tracked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ascii_comes_back_byte_for_byte),
		cmocka_unit_test(what_is_not_for_us_is_named),
		cmocka_unit_test(the_mark_is_taken_out),
		cmocka_unit_test(other_characters_are_serialised_as_a_browser_would),
		cmocka_unit_test(hosts_become_punycode),
		cmocka_unit_test(queries_in_charsets_of_two_bytes),
		cmocka_unit_test(every_character_of_two_bytes_comes_back),
		cmocka_unit_test(what_is_no_character_is_refused),
		cmocka_unit_test(charsets_that_hide_ascii_are_known),
		cmocka_unit_test(other_trackers_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
