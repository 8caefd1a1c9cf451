/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/mime/scan.h"

#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

/* The tree as "type/subtype(children)", attachments with a '!', sealed with '#', embedded '@'. */
static void describe(const struct mime_message *m, size_t i, struct buf *out)
{
	const struct mime_part *p = &m->parts[i];
	bool first = true;

	buf_printf(out, "%s/%s%s%s%s", p->type, p->subtype, p->attachment ? "!" : "",
		   p->sealed ? "#" : "", p->embedded ? "@" : "");
	for (size_t k = i + 1; k < m->count; k++) {
		if (m->parts[k].parent != i)
			continue;
		buf_appendc(out, first ? '(' : ' ');
		describe(m, k, out);
		first = false;
	}
	if (!first)
		buf_appendc(out, ')');
}

static char *tree_of(const char *text)
{
	struct mime_message m;
	struct buf out = BUF_INIT;

	if (mime_scan(text, strlen(text), &m))
		describe(&m, 0, &out);
	else
		buf_printf(&out, "error: %s", m.error);
	mime_free(&m);
	return buf_steal(&out);
}

static void the_tree_is_the_message(void **state)
{
	static const struct {
		const char *message, *tree;
	} cases[] = {
		{"Subject: x\r\n\r\nbody", "text/plain"},
		{"\r\nbody", "text/plain"},
		{"", "text/plain"},
		{"Subject: x", "text/plain"},
		{"Content-Type: TEXT/HTML; charset=\"UTF-8\"\r\n\r\n<p>", "text/html"},
		{"Content-Type: text\r\n\r\nx", "/"},
		{"Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\npre\r\n--a b\r\n"
		 "Content-Type: multipart/alternative; boundary=\"a b.c\"\r\n\r\n--a "
		 "b.c\r\n\r\nt\r\n"
		 "--a b.c \t\r\nContent-Type: text/html\r\n\r\nh\r\n--a b.c--\r\n--a b\r\n"
		 "Content-Disposition: attachment; filename=x.html\r\nContent-Type: "
		 "text/html\r\n\r\n"
		 "h\r\n--a b--\r\nepilogue\r\n--a b\r\n",
		 "multipart/mixed(multipart/alternative(text/plain text/html) text/html!)"},
		/* the outer boundary ends what is open inside */
		{"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: "
		 "multipart/mixed; "
		 "boundary=i\r\n\r\n--i\r\n\r\nx\r\n--o\r\n\r\ny\r\n--i\r\n\r\nz\r\n--o--",
		 "multipart/mixed(multipart/mixed(text/plain) text/plain)"},
		{"Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: "
		 "a\r\n\r\nx\r\n"
		 "--d--\r\n",
		 "multipart/digest(message/rfc822@(text/plain@))"},
		{"Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Type: "
		 "text/html\r\n\r\n"
		 "x\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\ny\r\n--s--\r\n",
		 "multipart/signed#(text/html# application/pgp-signature#)"},
		{"Content-Type: application/pkcs7-mime\r\n\r\nx", "application/pkcs7-mime#"},
		{"Content-Type: multipart/report; boundary=r\r\n\r\n--r\r\n\r\nx\r\n--r\r\n"
		 "Content-Type: message/delivery-status\r\n\r\ny\r\n--r--\r\n",
		 "multipart/report@(text/plain@ message/delivery-status@)"},
		{"Content-Type: multipart/related; boundary=r; start=\"<b>\"\r\n\r\n--r\r\n"
		 "Content-Type: text/html\r\n\r\nx\r\n--r\r\nContent-Type: "
		 "text/html\r\nContent-ID: <b>\r\n"
		 "\r\ny\r\n--r--\r\n",
		 "multipart/related(text/html! text/html)"},
		/* what is inside a message is its own affair */
		{"Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed\r\n\r\nx",
		 "message/rfc822@"},
		{"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n\r\n--b--\r\n",
		 "multipart/mixed(text/plain text/plain)"},
		/* truncated: everyone reads it alike */
		{"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx",
		 "multipart/mixed(text/plain)"},
		/* RFC 2231 pieces */
		{"Content-Type: multipart/mixed; boundary*0=\"ab\";\r\n "
		 "boundary*1*=%63\r\n\r\n--abc\r\n"
		 "\r\nx\r\n--abc--",
		 "multipart/mixed(text/plain)"},
		{"Content-Type: multipart/mixed (comment; boundary=x); boundary=b "
		 "(x)\r\n\r\n--b\r\n\r\nx",
		 "multipart/mixed(text/plain)"},
		/* a boundary of dashes alone */
		{"Content-Type: multipart/mixed; "
		 "boundary=\"--\"\r\n\r\n----\r\n\r\nx\r\n------\r\n",
		 "multipart/mixed(text/plain)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *tree = tree_of(cases[i].message);
		assert_string_equal(tree, cases[i].tree);
		free(tree);
	}
}

static void what_can_be_read_in_two_ways_is_refused(void **state)
{
	static const struct {
		const char *message, *error;
	} cases[] = {
		{"Content-Type: multipart/mixed\r\n\r\nx",
		 "no boundary: 'Content-Type: multipart/mixed'"},
		{"Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n",
		 "more than one boundary"},
		{"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n", "no usable length"},
		{"Content-Type: multipart/mixed; boundary=a\r\n\r\nx--a\r\n--ab\r\n",
		 "nowhere in the body: '--a'"},
		{"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx",
		 "only once: 'Content-Type: text/html'"},
		{"Content-Transfer-Encoding: 8bit\r\ncontent-transfer-encoding: base64\r\n\r\nx",
		 "only once"},
		{"Content-Type: multipart/mixed; boundary=a\r\nContent-Transfer-Encoding: "
		 "base64\r\n\r\n"
		 "--a\r\n",
		 "a multipart in an encoding: 'Content-Transfer-Encoding: base64'"},
		{"From somebody Mon\r\nSubject: x\r\n\r\n", "no header field: 'From somebody Mon'"},
		{" leading: space\r\n\r\n", "no header field"},
		{"Subject: x\r\nb\xc3\xa4: y\r\n\r\n", "no header field"},
		{"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nhello\r\n--a--",
		 "no header field: 'hello'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *tree = tree_of(cases[i].message);
		if (!strstr(tree, cases[i].error))
			fail_msg("'%s' does not say '%s'", tree, cases[i].error);
		free(tree);
	}
}

static void depth_and_number_are_bounded(void **state)
{
	struct buf deep = BUF_INIT, wide = BUF_INIT;
	char *tree;

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_printf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i,
			   i);
	tree = tree_of(buf_str(&deep));
	assert_non_null(strstr(tree, "nested too deeply"));
	free(tree);
	buf_appends(&wide, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (int i = 0; i < MIME_PARTS_MAX + 1; i++)
		buf_appends(&wide, "--b\r\n\r\nx\r\n");
	tree = tree_of(buf_str(&wide));
	assert_non_null(strstr(tree, "more parts"));
	free(tree);
	buf_clear(&deep);
	for (int i = 0; i < MIME_FIELDS_MAX + 1; i++)
		buf_appends(&deep, "X: y\r\n");
	tree = tree_of(buf_str(&deep));
	assert_non_null(strstr(tree, "more header fields"));
	free(tree);
	buf_free(&deep);
	buf_free(&wide);
}

static void ranges_are_exact(void **state)
{
	static const char text[] =
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type:"
		" text/html;\r\n charset=Latin1\r\n\r\nbody\r\n\r\n--b--\r\n";
	struct mime_message m;

	(void)state;
	assert_true(mime_scan(text, strlen(text), &m));
	const struct mime_part *p = &m.parts[1];
	assert_int_equal(p->body.end - p->body.start, 6);
	assert_memory_equal(text + p->body.start, "body\r\n", 6);
	assert_memory_equal(text + p->headers.end, "\r\nbody", 6);
	assert_string_equal(p->charset, "latin1");
	assert_int_equal(p->type_field.end, p->headers.end);
	mime_free(&m);
}

static void parameters_are_read_as_the_rfcs_say(void **state)
{
	static const struct {
		const char *value, *name, *result;
		size_t times;
	} cases[] = {
		{"a/b; x=1", "x", "1", 1},
		{"a/b; X = \"q\\\"; y=2\" ; y=3", "x", "q\"; y=2", 1},
		{"a/b; X = \"q\\\"; y=2\" ; y=3", "y", "3", 1},
		{"a/b; xx=1", "x", "", 0},
		{"a/b; x=1; x=2", "x", "1", 2},
		{"a/b; x*=utf-8'en'%e2%82%ac", "x", "\xe2\x82\xac", 1},
		{"a/b; x*0*=utf-8''%41; x*1=B; x*2*=%43", "x", "ABC", 1},
		{"a/b;;; x", "x", "", 0},
		{"a/b; x=\"open", "x", "open", 1},
		{"a/b; (c;x=2) x (d) = 1 (e)", "x", "1", 1},
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&out);
		size_t times =
			mime_param(cases[i].value, strlen(cases[i].value), cases[i].name, &out);
		assert_string_equal(buf_str(&out), cases[i].result);
		assert_int_equal(times, cases[i].times);
	}
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tree_is_the_message),
		cmocka_unit_test(what_can_be_read_in_two_ways_is_refused),
		cmocka_unit_test(depth_and_number_are_bounded),
		cmocka_unit_test(ranges_are_exact),
		cmocka_unit_test(parameters_are_read_as_the_rfcs_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
