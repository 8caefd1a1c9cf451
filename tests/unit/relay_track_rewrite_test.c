/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which links are tracked and what their tokens hold, what the sender can decide, and foreign
 * signatures. What users of other trackers have been bitten by, one table line each.
 */
#include "tests/unit/rewritten.h"

/* --- tracked links ----------------------------------------------------------------------- */

static void links_hold_what_a_browser_would_ask_for(void **state)
{
	static const struct pair pairs[] = {
		/* &amp; decoded once, &copy= left alone, no double encoding */
		{"<a href=\"http://a.example/?x=1&amp;y=2&copy=3&amp;amp;%2526\">",
		 "<a href=\"[http://a.example/?x=1&y=2&copy=3&amp;%2526]\">|"},
		{"<a href=\"http://a.example/?x=&y\">", "<a href=\"[http://a.example/?x=&y]\">|"},
		{"<a href='http://a.example/(x).?q=[0]#f'>",
		 "<a href='[http://a.example/(x).?q=[0]#f]'>|"},
		{"<a href=http://a.example/@me/>", "<a href=[http://a.example/@me/]>|"},
		{"<a href=\"http://a.example/\xe2\x98\xba\">",
		 "<a href=\"[http://a.example/%E2%98%BA]\">|"},
		{"<a href=\" http://a.example/\r\n\tx \">", "<a href=\"[http://a.example/x]\">|"},
		{"<a\r\n class=\"b\"\r\n href\r\n=\r\n\"http://a.example/\">",
		 "<a\r\n class=\"b\"\r\n href\r\n=\r\n\"[http://a.example/]\">|"},
		{"<a data-x-href=\"http://n.example/\" href=\"http://a.example/\">",
		 "<a data-x-href=\"http://n.example/\" href=\"[http://a.example/]\">|"},
		{"<!--[if mso]><v:roundrect href=\"http://a.example/\"/><![endif]-->",
		 "<!--[if mso]><v:roundrect href=\"[http://a.example/]\"/><![endif]-->|"},
		{"<map><area href=http://a.example/></map>",
		 "<map><area href=[http://a.example/]></map>|"},
		{"<a href=\"http&#58;//a.example/\">", "<a href=\"[http://a.example/]\">|"},
		{"<a href='http://a.example/?a=\"b\"'>", "<a href='[http://a.example/?a=\"b\"]'>|"},
	};

	(void)state;
	CHECK(HTML, pairs);
}

static void links_that_are_not_ours_stay(void **state)
{
	static const char *const same[] = {
		"<a href=\"#top\">",
		"<a href=\"mailto:a@b.example\">",
		"<a href=\"tel:1\">",
		"<a href=\"sms:1\">",
		"<a href=\"data:text/html,x\">",
		"<a href=\"javascript:x()\">",
		"<a href=\"rel/ative\">",
		"<a href=\"//a.example/\">",
		"<a href=\"\">",
		"<a href>",
		"<a href=\"ftp://a.example/\">",
		"<a href=\"https://x.list-manage.com/track/click?u=1\">",
		"<a href=\"http://user:pw@a.example/\">",
		"<a data-gatepost-notrack href=\"http://a.example/login\">",
		"<p>http://a.example/ in the text",
	};
	struct buf in = BUF_INIT, want = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		buf_clear(&in);
		buf_clear(&want);
		buf_printf(&in, HTML "\r\n\r\n%s", same[i]);
		buf_printf(&want, HTML "\r\n\r\n%s|", same[i]);
		assert_string_equal(rewritten(buf_str(&in)), buf_str(&want));
	}
	buf_free(&in);
	buf_free(&want);
}

static void nothing_is_tracked_twice(void **state)
{
	struct track_options o = all_on();
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct track_report r;
	static const char in[] = HTML "\r\n\r\n<a href=http://a.example/>";

	(void)state;
	rewrite_with(in, strlen(in), &o, &once, &r);
	track_report_free(&r);
	o.opens = false;
	rewrite_with(once.data, once.len, &o, &twice, &r);
	assert_string_equal(once.data, twice.data);
	assert_int_equal(r.links[0].verdict, TRACK_ALREADY);
	track_report_free(&r);
	/* Forwarded by another of our accounts, whose tracking host is another one. */
	o.host = "click.other.example";
	o.account = "other";
	rewrite_with(once.data, once.len, &o, &twice, &r);
	assert_string_equal(once.data, twice.data);
	assert_int_equal(r.links[0].verdict, TRACK_ALREADY);
	track_report_free(&r);
	buf_free(&once);
	buf_free(&twice);
}

static void unsubscribe_links_stay(void **state)
{
	(void)state;
	assert_string_equal(
		rewritten("List-Unsubscribe: <mailto:x@y.example>,\r\n "
			  "<https://a.example/u?1>\r\n" HTML
			  "\r\n\r\n<a href=https://a.example/u?1><a href=https://a.example/u?2>"),
		"List-Unsubscribe: <mailto:x@y.example>,\r\n <https://a.example/u?1>\r\n" HTML
		"\r\n\r\n<a href=https://a.example/u?1><a href=[https://a.example/u?2]>|");
}

static void the_mark_leaves_the_scheme(void **state)
{
	static const struct pair html[] = {
		{"<a href=\"http+notrack://a.example/\">", "<a href=\"http://a.example/\">|"},
		{"<a href=HTTPS+NOTRACK://u@a.example/>", "<a href=HTTPS://u@a.example/>|"},
	};
	static const struct pair text[] = {
		{"x http+notrack://a.example/ y http://b.example.",
		 "x http://a.example/ y [http://b.example]."},
	};

	(void)state;
	CHECK(HTML, html);
	CHECK(TEXT, text);
}

static void a_link_that_would_grow_too_long_stays(void **state)
{
	struct track_options o = all_on();
	struct buf in = BUF_INIT, out = BUF_INIT;
	struct track_report r;
	size_t tracked = 0;

	(void)state;
	o.opens = false;
	for (size_t n = 1200; n < 1600; n += 10) {
		buf_clear(&in);
		buf_appends(
			&in, HTML
			"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<a href=3D=\r\n");
		buf_appends(&in, "http://a.example/");
		for (size_t i = 0; i < n; i++) {
			if (i % 70 == 69)
				buf_appends(&in, "=\r\n");
			buf_appendc(&in, 'x');
		}
		buf_appends(&in, ">");
		rewrite_with(in.data, in.len, &o, &out, &r);
		assert_true(r.links[0].verdict == TRACK_DONE ||
			    r.links[0].verdict == TRACK_TOO_LONG);
		tracked += r.links[0].verdict == TRACK_DONE;
		if (r.links[0].verdict == TRACK_TOO_LONG)
			assert_string_equal(buf_str(&in), buf_str(&out));
		track_report_free(&r);
	}
	assert_true(tracked > 5 && tracked < 35);
	buf_free(&in);
	buf_free(&out);
}

static void https_is_never_downgraded(void **state)
{
	struct track_options o = all_on();
	static const char in[] =
		HTML "\r\n\r\n<a href=https://a.example/><a href=http://b.example/>";
	struct buf out = BUF_INIT, shown = BUF_INIT;
	struct track_report r;

	(void)state;
	o.https = o.opens = false;
	rewrite_with(in, strlen(in), &o, &out, &r);
	unmask(out.data, out.len, &shown);
	assert_string_equal(shown.data,
			    HTML "\r\n\r\n<a href=https://a.example/><a href=[http://b.example/]>");
	assert_int_equal(r.links[0].verdict, TRACK_DOWNGRADE);
	assert_non_null(strstr(out.data, "href=http://" HOST "/c/"));
	track_report_free(&r);
	buf_free(&out);
	buf_free(&shown);
}

static void plain_text_is_tracked_only_when_asked(void **state)
{
	static const struct pair pairs[] = {
		{"see http://a.example/x_(y). <http://b.example>",
		 "see [http://a.example/x_(y)]. <[http://b.example]>"},
		/* behind a host a comma ends the URL, behind a token it would not */
		{"http://a.example,b http://b.example, c",
		 "http://a.example,b [http://b.example], c"},
	};
	struct track_options o = all_on();
	struct buf out = BUF_INIT;
	struct track_report r;
	static const char in[] = TEXT "\r\n\r\nsee http://a.example/";

	(void)state;
	CHECK(TEXT, pairs);
	o.clicks_text = false;
	rewrite_with(in, strlen(in), &o, &out, &r);
	assert_string_equal(out.data, in);
	assert_false(r.changed);
	track_report_free(&r);
	buf_free(&out);
}

/* --- wishes ------------------------------------------------------------------------------ */

static void the_sender_can_decide(void **state)
{
#define LINK "<a href=http://a.example/>"
	static const struct pair pairs[] = {
		{"X-Gatepost-Track: no\r\n" HTML "\r\n\r\n" LINK, HTML "\r\n\r\n" LINK},
		{"X-GATEPOST-TRACK: Opens=No;\r\n clicks = x\r\n" HTML "\r\n\r\n" LINK,
		 HTML "\r\n\r\n" LINK},
		{"X-Gatepost-Track: opens=no\r\n" HTML "\r\n\r\n" LINK,
		 HTML "\r\n\r\n<a href=[http://a.example/]>"},
		{HTML "\r\nX-Gatepost-Track: clicks=no\r\nX-Gatepost-Other: x\r\n y\r\n\r\n" LINK,
		 HTML "\r\n\r\n" LINK "|"},
		{HTML "\r\n\r\n<body data-gatepost-notrack>" LINK,
		 HTML "\r\n\r\n<body data-gatepost-notrack>" LINK},
		{"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX-Gatepost-Track: "
		 "no\r\n" HTML "\r\n\r\n" LINK "\r\n--b\r\n" HTML "\r\n\r\n" LINK "\r\n--b--",
		 "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" HTML "\r\n\r\n" LINK
		 "\r\n--b\r\n" HTML "\r\n\r\n<a href=[http://a.example/]>|\r\n--b--"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		assert_string_equal(rewritten(pairs[i].in), pairs[i].out);
}

static void a_message_cannot_wish_for_more_than_its_account_has(void **state)
{
	static const char in[] =
		"X-Gatepost-Track: opens=yes; clicks=yes; text=yes\r\n" HTML "\r\n\r\n" LINK;
	struct track_options o = all_on();
	struct buf out = BUF_INIT;
	struct track_report r;

	(void)state;
	o.opens = o.clicks_html = o.clicks_text = false;
	rewrite_with(in, strlen(in), &o, &out, &r);
	assert_string_equal(out.data, HTML "\r\n\r\n" LINK);
	track_report_free(&r);
	buf_free(&out);
}

static void a_wish_that_is_not_understood_is_said(void **state)
{
	static const char in[] = "X-Gatepost-Track: clicks=maybe\r\n" HTML "\r\n\r\n" LINK;
	struct track_options o = all_on();
	struct buf out = BUF_INIT;
	struct track_report r;

	(void)state;
	rewrite_with(in, strlen(in), &o, &out, &r);
	assert_string_equal(out.data, HTML "\r\n\r\n" LINK);
	assert_non_null(strstr(r.reason.data, "'clicks=maybe' is not understood"));
	track_report_free(&r);
	buf_free(&out);
}

static void links_in_shift_jis(void **state)
{
	static const struct pair html[] = {
		{"<a href='http://a.example/\x93\xfa?q=\x83\x5c'>\x83\x5c</a>",
		 "<a href='[http://a.example/%E6%97%A5?q=%83\\]'>\x83\x5c</a>|"},
		{"<a href=http://a.example/?\x83\x7c>x</a>",
		 "<a href=[http://a.example/?%83|]>x</a>|"},
		{"<a href='http://a.example/\x93'>x</a>", "<a href='http://a.example/\x93'>x</a>|"},
	};
	static const struct pair text[] = {
		{"http://a.example/x \x93\xfa", "[http://a.example/x] \x93\xfa"},
		{"http://a.example/x\x93\xfa", "http://a.example/x\x93\xfa"},
	};

	(void)state;
	CHECK("Content-Type: text/html; charset=Shift_JIS", html);
	CHECK("Content-Type: text/plain; charset=Shift_JIS", text);
}

static void campaign_and_tags_come_back_in_the_token(void **state)
{
	static const char in[] = "X-Gatepost-Campaign: not read here\r\n" HTML "\r\n\r\n" LINK;
	struct track_options o = all_on();
	struct buf out = BUF_INIT;
	struct track_report r;
	struct token t;

	(void)state;
	o.campaign = "spring sale";
	o.tags = "news,vip";
	rewrite_with(in, strlen(in), &o, &out, &r);
	const char *token = strstr(out.data, "/c/") + 3;
	assert_true(token_open(ring, HOST, token, strcspn(token, ">"), &t));
	assert_string_equal(t.campaign, "spring sale");
	assert_string_equal(t.tags, "news,vip");
	assert_null(strstr(out.data, "X-Gatepost"));
	track_report_free(&r);
	buf_free(&out);
}

static void one_click_unsubscribe_is_added_when_there_is_none(void **state)
{
	struct track_options o = all_on();
	struct buf out = BUF_INIT, shown = BUF_INIT;
	struct track_report r;
	static const char has[] = "List-Unsubscribe: <mailto:x@y.example>\r\n\r\nx";

	(void)state;
	o.one_click = true;
	o.address = "bob@b.example";
	rewrite_with("To: x\r\n\r\nx", 10, &o, &out, &r);
	unmask(out.data, out.len, &shown);
	assert_string_equal(shown.data,
			    "List-Unsubscribe: <unsubscribe>\r\n"
			    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nTo: x\r\n\r\nx");
	track_report_free(&r);
	rewrite_with(has, strlen(has), &o, &out, &r);
	assert_string_equal(out.data, has);
	track_report_free(&r);
	buf_free(&out);
	buf_free(&shown);
}

/* As the URL in it says; *line: bytes of the field's line. */
static struct token one_click_of(const struct buf *out, size_t *line)
{
	static const char begin[] = "List-Unsubscribe: <https://" HOST "/u/";
	struct token t = {0};

	assert_memory_equal(out->data, begin, strlen(begin));
	*line = strcspn(out->data, "\r");
	size_t n = strcspn(out->data + strlen(begin), ">");
	assert_true(token_open(ring, HOST, out->data + strlen(begin), n, &t));
	assert_int_equal(t.kind, TOKEN_UNSUBSCRIBE);
	return t;
}

static void one_click_says_who_and_fits_its_line(void **state)
{
	struct track_options o = all_on();
	struct buf out = BUF_INIT;
	struct track_report r;
	char address[321], label[128];
	size_t line;

	(void)state;
	memset(address, 'a', sizeof(address));
	strcpy(address + 300, "@b.example");
	memset(label, 'l', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	o.one_click = true;
	o.address = "bob@b.example";
	o.campaign = o.tags = label;
	rewrite_with("To: x\r\n\r\nx", 10, &o, &out, &r);
	struct token t = one_click_of(&out, &line);
	assert_string_equal(t.url, "bob@b.example");
	assert_string_equal(t.campaign, label);
	assert_string_equal(t.tags, label);
	track_report_free(&r);
	o.address = address;
	o.account = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk";
	rewrite_with("To: x\r\n\r\nx", 10, &o, &out, &r);
	t = one_click_of(&out, &line);
	assert_true(line <= 998);
	assert_string_equal(t.url, address);
	track_report_free(&r);
	buf_free(&out);
}

static void one_click_stays_away(void **state)
{
	static const char *const messages[] = {
		"X-Gatepost-Track: unsubscribe=no\r\nTo: x\r\n\r\nx",
		"X-Gatepost-Track: no\r\nTo: x\r\n\r\nx",
		"DKIM-Signature: v=1; d=other.example; s=s; b=x\r\nTo: x\r\n\r\nx",
	};
	struct track_options o = all_on();
	struct buf out = BUF_INIT;
	struct track_report r;

	(void)state;
	o.one_click = true;
	o.address = "bob@b.example";
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		rewrite_with(messages[i], strlen(messages[i]), &o, &out, &r);
		assert_null(strstr(out.data, "List-Unsubscribe"));
		track_report_free(&r);
	}
	o.https = false;
	rewrite_with("To: x\r\n\r\nx", 10, &o, &out, &r);
	assert_null(strstr(out.data, "List-Unsubscribe"));
	track_report_free(&r);
	buf_free(&out);
}

/* --- foreign signatures ------------------------------------------------------------------ */

static void a_foreign_signature_is_not_broken(void **state)
{
#define SIGNED(d) "DKIM-Signature: v=1; a=rsa-sha256;\r\n\td=" d "; s=x; b=abc\r\n"
	static const char *const own[] = {"acme.example", "other.example"};
	static const struct {
		const char *headers;
		const char *reason; /* NULL: tracked */
		uint32_t removed;
	} cases[] = {
		{SIGNED("acme.example"), NULL, 1},
		{SIGNED("ACME.example") "DomainKey-Signature: d=acme.example; b=x\r\n", NULL, 2},
		{SIGNED("foreign.example"), "a signature of foreign.example", 0},
		{SIGNED("acme.example") SIGNED("esp.example"), "a signature of esp.example", 0},
		{SIGNED("sub.acme.example"), "a signature of sub.acme.example", 0},
		{"ARC-Seal: i=1; d=acme.example; b=x\r\n", "a signature of ARC", 0},
		{"DKIM-Signature: garbage\r\n", "a signature of ?", 0},
	};
	struct track_options o = all_on();
	struct buf in = BUF_INIT, out = BUF_INIT;
	struct track_report r;

	(void)state;
	o.own_domains = own;
	o.own_domain_count = 2;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&in);
		buf_printf(&in, "%s" HTML "\r\n\r\n" LINK, cases[i].headers);
		rewrite_with(in.data, in.len, &o, &out, &r);
		assert_int_equal(r.signatures_removed, cases[i].removed);
		assert_int_equal(r.link_count, cases[i].reason ? 0 : 1);
		if (cases[i].reason) {
			assert_non_null(strstr(r.reason.data, cases[i].reason));
			assert_string_equal(out.data, in.data);
			assert_int_equal(r.links[0].verdict, TRACK_NOT_TRACKED);
		} else {
			assert_null(strstr(out.data, "-Signature"));
		}
		track_report_free(&r);
	}
	/* the account may decide otherwise; and what needs no change has no reason to give */
	o.foreign_signed = true;
	rewrite_with(in.data, in.len, &o, &out, &r);
	assert_int_equal(r.link_count, 1);
	track_report_free(&r);
	o.foreign_signed = false;
	buf_clear(&in);
	buf_appends(&in, SIGNED("foreign.example") TEXT "\r\n\r\nno links");
	rewrite_with(in.data, in.len, &o, &out, &r);
	assert_int_equal(r.reason.len, 0);
	assert_string_equal(out.data, in.data);
	track_report_free(&r);
	buf_free(&in);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_hold_what_a_browser_would_ask_for),
		cmocka_unit_test(links_that_are_not_ours_stay),
		cmocka_unit_test(nothing_is_tracked_twice),
		cmocka_unit_test(unsubscribe_links_stay),
		cmocka_unit_test(the_mark_leaves_the_scheme),
		cmocka_unit_test(a_link_that_would_grow_too_long_stays),
		cmocka_unit_test(https_is_never_downgraded),
		cmocka_unit_test(plain_text_is_tracked_only_when_asked),
		cmocka_unit_test(the_sender_can_decide),
		cmocka_unit_test(a_message_cannot_wish_for_more_than_its_account_has),
		cmocka_unit_test(a_wish_that_is_not_understood_is_said),
		cmocka_unit_test(links_in_shift_jis),
		cmocka_unit_test(campaign_and_tags_come_back_in_the_token),
		cmocka_unit_test(one_click_unsubscribe_is_added_when_there_is_none),
		cmocka_unit_test(one_click_says_who_and_fits_its_line),
		cmocka_unit_test(one_click_stays_away),
		cmocka_unit_test(a_foreign_signature_is_not_broken),
	};

	return cmocka_run_group_tests(tests, make_ring, drop_ring);
}
