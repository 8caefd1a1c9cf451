/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/html/links.h"

#include "tests/unit/cmocka.h"

#include <string.h>

/* Each link's bytes in [], an opted-out one in {}, a conditional one in (); the pixel's place '|'.
 */
static void mark(const char *html, struct buf *out)
{
	struct html_links l;
	size_t n = strlen(html), at = 0;

	html_find_links(html, n, &l);
	buf_clear(out);
	for (size_t i = 0; i <= n; i++) {
		for (size_t k = 0; k < l.count; k++) {
			const struct html_link *x = &l.links[k];
			const char *marks = x->opted_out ? "{}" : x->conditional ? "()" : "[]";
			if (x->value.end == i && x->value.end > x->value.start)
				buf_appendc(out, marks[1]);
			if (x->value.start == i)
				buf_appendc(out, marks[0]);
			if (x->value.end == i && x->value.end == x->value.start)
				buf_appendc(out, marks[1]);
		}
		if (l.has_pixel_place && l.pixel.start == i)
			buf_appendc(out, '|');
		at = l.has_pixel_place && i >= l.pixel.start && i < l.pixel.end ? i + 1 : at;
		if (i < n && i >= at)
			buf_appendc(out, html[i]);
	}
	html_links_free(&l);
}

struct marked {
	const char *html, *marked;
};

static void check(const struct marked *cases, size_t count)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < count; i++) {
		mark(cases[i].html, &out);
		assert_string_equal(buf_str(&out), cases[i].marked);
	}
	buf_free(&out);
}

#define CHECK(cases) check(cases, sizeof(cases) / sizeof(*cases))

static void links_are_found_in_any_spelling(void **state)
{
	static const struct marked cases[] = {
		{"<a href=\"x\">", "<a href=\"[x]\">|"},
		{"<A HREF='x'>", "<A HREF='[x]'>|"},
		{"<a\r\n\tclass=c\r\n\thref = x>", "<a\r\n\tclass=c\r\n\thref = [x]>|"},
		{"<a title=\"a>b\" href=x>", "<a title=\"a>b\" href=[x]>|"},
		{"<area href=x><v:roundrect href=x><v:rect HREF=y/>",
		 "<area href=[x]><v:roundrect href=[x]><v:rect HREF=[y/]>|"},
		/* the first of a name counts, and only that name */
		{"<a data-x-href=n href=x href=y>", "<a data-x-href=n href=[x] href=y>|"},
		{"<a xhref=n data-href=n>", "<a xhref=n data-href=n>|"},
		{"<a href>", "<a href>|"},
		{"<a href=\"\">", "<a href=\"[]\">|"},
		{"<a data-gatepost-notrack href=x>", "<a data-gatepost-notrack href={x}>|"},
		{"<a href=x DATA-gatepost-NOTRACK=1>", "<a href={x} DATA-gatepost-NOTRACK=1>|"},
		{"<body data-gatepost-notrack><a href=x>",
		 "<body data-gatepost-notrack><a href=[x]>|"},
	};

	(void)state;
	CHECK(cases);
}

static void what_is_no_shown_link_is_not_found(void **state)
{
	static const struct marked cases[] = {
		{"<base href=x><link href=x><form action=x><img src=x><p>",
		 "<base href=x><link href=x><form action=x><img src=x><p>|"},
		{"<head><title><a href=x></title><style><a href=x></style></head><body>",
		 "<head><title><a href=x></title><style><a href=x></style></head><body>|"},
		{"<body><script><a href=x></script><textarea><a href=x></textarea>",
		 "<body><script><a href=x></script><textarea><a href=x></textarea>|"},
		{"<p><!-- <a href=x> --><!--a href=x-->", "<p><!-- <a href=x> --><!--a href=x-->|"},
		{"<p><template><a href=x></template><a href=y>",
		 "<p><template><a href=x></template><a href=[y]>|"},
		{"<p><xmp><a href=x></xmp><noframes><a href=x></noframes><iframe><a "
		 "href=x></iframe>",
		 "<p><xmp><a href=x></xmp><noframes><a href=x></noframes><iframe><a "
		 "href=x></iframe>|"},
		{"<p><plaintext><a href=x>", "<p>|<plaintext><a href=x>"},
		{"<svg><title><a href=x></title><style><a href=y></style></svg>",
		 "<svg><title><a href=[x]></title><style><a href=[y]></style></svg>|"},
		{"<svg><![CDATA[<a href=x>]]></svg><![CDATA[<a href=y>]]>",
		 "<svg><![CDATA[<a href=x>]]></svg><![CDATA[<a href=y>]]>|"},
		{"<svg><p><![CDATA[<a href=x>]]>", "<svg><p><![CDATA[<a href=x>]]>|"},
		{"<p><a href='x", "<p>|<a href='x"},
	};

	(void)state;
	CHECK(cases);
}

static void head_ends_where_the_standard_ends_it(void **state)
{
	static const struct marked cases[] = {
		/* no </head>: what is not head's begins the body */
		{"<head><style></style><table><a href=x>",
		 "<head><style></style><table><a href=[x]>|"},
		{"<html><head><a href=x>", "<html><head><a href=[x]>|"},
		{"<head>text<!--[if mso]><a href=x><![endif]-->",
		 "<head>text<!--[if mso]><a href=(x)><![endif]-->|"},
		{"<head><!--[if mso]><a href=x><![endif]--></head><body>",
		 "<head><!--[if mso]><a href=x><![endif]--></head><body>|"},
		{"<!--[if mso]><a href=x><![endif]--><table>",
		 "<!--[if mso]><a href=(x)><![endif]--><table>|"},
	};

	(void)state;
	CHECK(cases);
}

static void conditional_comments_hold_links(void **state)
{
	static const struct marked cases[] = {
		{"<p><!--[if mso]><v:roundrect href=\"x\"><w:a/></v:roundrect><![endif]-->",
		 "<p><!--[if mso]><v:roundrect href=\"(x)\"><w:a/></v:roundrect><![endif]-->|"},
		{"<p><!--[if !mso]><!--><a href=x><!--<![endif]-->",
		 "<p><!--[if !mso]><!--><a href=[x]><!--<![endif]-->|"},
		{"<p><![if !mso]><a href=x><![endif]>", "<p><![if !mso]><a href=[x]><![endif]>|"},
		{"<p><!--[if mso]><style><a href=x></style><![endif]-->",
		 "<p><!--[if mso]><style><a href=x></style><![endif]-->|"},
		{"<p><!--[if mso]> <a href=x> -->", "<p><!--[if mso]> <a href=x> -->|"},
		{"<p><!--[if mso]></body><![endif]--></body>",
		 "<p><!--[if mso]></body><![endif]-->|</body>"},
	};

	(void)state;
	CHECK(cases);
}

static void the_pixel_goes_before_the_real_body_end(void **state)
{
	static const struct marked cases[] = {
		{"<body>x</body></html>", "<body>x|</body></html>"},
		{"<body>x</BODY\n></html>", "<body>x|</BODY\n></html>"},
		{"<body>x</html>", "<body>x|</html>"},
		{"x", "x|"},
		{"", "|"},
		{"<body>a</body>b</body>c", "<body>a</body>b|</body>c"},
		{"<body>a<!-- </body> --><script>'</body>'</script>b",
		 "<body>a<!-- </body> --><script>'</body>'</script>b|"},
		{"<body>a</body><!-- </body> -->", "<body>a|</body><!-- </body> -->"},
		/* what is open at the end would hide it */
		{"<body>a<!-- b", "<body>a|<!-- b"},
		{"<body>a<!-- b >", "<body>a|<!-- b >"},
		{"<body>a<style>b", "<body>a|<style>b"},
		{"<body>a<template>b", "<body>a|<template>b"},
		{"<body>a<b", "<body>a|<b"},
		{"<head><title>never closed", "<head><title>never closed"},
		{"<frameset><frame src=x></frameset>", "<frameset><frame src=x></frameset>"},
		/* the sender's placeholder */
		{"<body>a<!-- gatepost-pixel -->b</body>", "<body>a|b</body>"},
		{"<body><!--GATEPOST-pixel--><a href=x><!--gatepost-pixel-->",
		 "<body>|<a href=[x]><!--gatepost-pixel-->"},
		{"<head><!--gatepost-pixel--></head><body>a</body>",
		 "<head><!--gatepost-pixel--></head><body>a|</body>"},
	};

	(void)state;
	CHECK(cases);
}

/* An img behind a paragraph that ended with b still open would be put into a b of its own. */
static void the_pixel_opens_no_formatting_anew(void **state)
{
	static const struct marked cases[] = {
		{"<body><p><b>x</b></p></body>", "<body><p><b>x</b></p>|</body>"},
		{"<body><p><b>x</p></body>", "<body><p><b>x|</p></body>"},
		{"<body><p><b>x</p>\r\n</body>", "<body><p><b>x</p>\r\n|</body>"},
		{"<body><p><b>x</p></b></body>", "<body><p><b>x</p></b>|</body>"},
		{"<body><b><p>x</b></p></body>", "<body><b><p>x</b></p>|</body>"},
		{"<body><div><font>x<br></div></html>", "<body><div><font>x<br>|</div></html>"},
		{"<ul><li><i>x<li>y</ul>", "<ul><li><i>x<li>y|</ul>"},
		/* what is lost in a cell ends with it */
		{"<table><tr><td><p><b>x</p></td></tr></table></body>",
		 "<table><tr><td><p><b>x</p></td></tr></table>|</body>"},
		{"<p><b>x<table><tr><td>y</table></p></body>",
		 "<p><b>x<table><tr><td>y|</table></p></body>"},
		{"<p><a href=x>y</p></body>", "<p><a href=[x]>y|</p></body>"},
		{"<a href=x>y<a href=z>w</a></body>", "<a href=[x]>y<a href=[z]>w</a>|</body>"},
	};

	(void)state;
	CHECK(cases);
}

static void the_charset_of_a_meta_element_is_known(void **state)
{
	static const struct {
		const char *html, *charset;
	} cases[] = {
		{"<meta charset=UTF-8>", "utf-8"},
		{"<META HTTP-EQUIV=Content-Type CONTENT='text/html; charset=ISO-8859-1; x'>",
		 "iso-8859-1"},
		{"<meta name=x content='charset=y'>", ""},
		{"<meta charset=a><meta charset=b>", "a"},
		{"<meta http-equiv=x content='text/html; charset'>", ""},
	};
	struct html_links l;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		html_find_links(cases[i].html, strlen(cases[i].html), &l);
		assert_string_equal(l.charset, cases[i].charset);
		html_links_free(&l);
	}
}

static void many_links_are_bounded(void **state)
{
	struct buf html = BUF_INIT;
	struct html_links l;

	(void)state;
	for (int i = 0; i < HTML_LINKS_MAX + 1; i++)
		buf_appends(&html, "<a href=x>");
	html_find_links(html.data, html.len, &l);
	assert_true(l.links_cut);
	assert_int_equal(l.count, HTML_LINKS_MAX);
	html_links_free(&l);
	buf_free(&html);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_are_found_in_any_spelling),
		cmocka_unit_test(what_is_no_shown_link_is_not_found),
		cmocka_unit_test(head_ends_where_the_standard_ends_it),
		cmocka_unit_test(conditional_comments_hold_links),
		cmocka_unit_test(the_pixel_goes_before_the_real_body_end),
		cmocka_unit_test(the_pixel_opens_no_formatting_anew),
		cmocka_unit_test(the_charset_of_a_meta_element_is_known),
		cmocka_unit_test(many_links_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
