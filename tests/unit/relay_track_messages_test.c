/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to the rest of a message: parts that are left alone, charsets, encodings, long
 * lines. What users of other trackers have been bitten by, one table line each.
 */
#include "relay/mime/scan.h"
#include "tests/unit/rewritten.h"

#define LINK "<a href=http://a.example/>"

/* --- rewritten messages ------------------------------------------------------------------ */

static void signed_sealed_and_attached_parts_stay(void **state)
{
#define PART(type) "--b\r\nContent-Type: " type "\r\n\r\n<a href=http://a.example/>\r\n"
	static const char *const same[] = {
		"Content-Type: multipart/signed; boundary=b\r\n\r\n" PART("text/html") "--b--\r\n",
		"Content-Type: multipart/encrypted; boundary=b\r\n\r\n" PART(
			"text/html") "--b--\r\n",
		"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nMIAG",
		"Content-Type: multipart/report; boundary=b\r\n\r\n" PART("text/html") "--b--\r\n",
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n" PART("text/x-amp-html")
			PART("text/calendar") PART("message/rfc822\r\n\r\nContent-Type: text/html")
				PART("text/html; name=x.html") PART(
					"text/html\r\nContent-Disposition: attachment") "--b--\r\n",
		"Content-Type: text/plain\r\n\r\nhttp://a.example/\r\n-----BEGIN PGP SIGNED "
		"MESSAGE-----\r\n",
		HTML "\r\n\r\n<pre>-----BEGIN PGP MESSAGE-----\r\n</pre><a href=http://a.example/>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		assert_string_equal(rewritten(same[i]), same[i]);
	assert_string_equal(
		rewritten("Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n" HTML
			  "\r\n\r\n<a href=http://a.example/>\r\n--m\r\nContent-Type: "
			  "multipart/signed; boundary=b\r\n\r\n" PART(
				  "text/html") "--b--\r\n--m--\r\n"),
		"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n" HTML
		"\r\n\r\n<a href=[http://a.example/]>|\r\n--m\r\nContent-Type: "
		"multipart/signed; boundary=b\r\n\r\n" PART("text/html") "--b--\r\n--m--\r\n");
}

static void nests_are_reached_and_one_pixel_is_enough(void **state)
{
	(void)state;
	assert_string_equal(
		rewritten("Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: "
			  "multipart/alternative; "
			  "boundary=a\r\n\r\n--a\r\n\r\nhttp://t.example/\r\n--a\r\n"
			  "Content-Type: multipart/related; boundary=r\r\n\r\n--r\r\n" HTML
			  "\r\n\r\n<a href=http://a.example/>x</body>\r\n--r\r\nContent-Type: "
			  "image/png\r\n\r\nx\r\n"
			  "--r--\r\n--a--\r\n--m\r\n" HTML
			  "\r\n\r\n<a href=http://b.example/>\r\n--m--\r\n"),
		"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: "
		"multipart/alternative; boundary=a\r\n\r\n--a\r\n\r\n[http://t.example/]\r\n--a\r\n"
		"Content-Type: multipart/related; boundary=r\r\n\r\n--r\r\n" HTML
		"\r\n\r\n<a href=[http://a.example/]>x|</body>\r\n--r\r\nContent-Type: "
		"image/png\r\n\r\nx\r\n"
		"--r--\r\n--a--\r\n--m\r\n" HTML
		"\r\n\r\n<a href=[http://b.example/]>\r\n--m--\r\n");
}

static void charsets_pass_as_they_are(void **state)
{
	static const struct {
		const char *charset, *body, *out;
	} cases[] = {
		{"iso-8859-1", "\xe4<a href=http://a.example/?\xe4>\xe4",
		 "\xe4<a href=[http://a.example/?%E4]>\xe4|"},
		{"shift_jis", "\x93\xfa\x83\x5c<a href=http://a.example/>\x96\x7b",
		 "\x93\xfa\x83\x5c<a href=[http://a.example/]>\x96\x7b|"},
		{"shift_jis", "<a href=http://a.example/\x93\xfa>",
		 "<a href=[http://a.example/%E6%97%A5]>|"},
		{"x-nobody-knows", "\xff<a href=http://a.example/>",
		 "\xff<a href=[http://a.example/]>|"},
		{"utf-16", "<a href=http://a.example/>", "<a href=http://a.example/>"},
		{"UTF-7", "<a href=http://a.example/>", "<a href=http://a.example/>"},
		{"iso-2022-jp", "<a href=http://a.example/>", "<a href=http://a.example/>"},
		{"us-ascii", "\x1b$B<a href=http://a.example/>",
		 "\x1b$B<a href=http://a.example/>"},
	};
	struct buf in = BUF_INIT, want = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&in);
		buf_clear(&want);
		buf_printf(&in, "Content-Type: text/html; charset=%s\r\n\r\n%s", cases[i].charset,
			   cases[i].body);
		buf_printf(&want, "Content-Type: text/html; charset=%s\r\n\r\n%s", cases[i].charset,
			   cases[i].out);
		assert_string_equal(rewritten(buf_str(&in)), buf_str(&want));
	}
	buf_free(&in);
	buf_free(&want);
}

static void broken_encodings_stay(void **state)
{
	static const char *const same[] = {
		HTML "\r\nContent-Transfer-Encoding: base64\r\n\r\nPGEgaHJlZj1odHRwOi8v!!!!\r\n",
		HTML "\r\nContent-Transfer-Encoding: "
		     "base64\r\n\r\nPGEgaHJlZj1odHRwOi8vYS5leGFtcGxlLz4\r\n",
		HTML "\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<a "
		     "href=\"http://a.example/\">",
		HTML
		"\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n<a href=\"http://a.example/\">",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		assert_string_equal(rewritten(same[i]), same[i]);
}

/* The first part's body, decoded and unmasked. */
static void decoded_body(const struct buf *message, struct buf *out, enum mime_encoding *e)
{
	struct mime_message m;
	struct leaf l;

	assert_true(mime_scan(message->data, message->len, &m));
	const struct mime_part *p = &m.parts[0];
	*e = p->encoding;
	assert_null(leaf_open(&l, message->data + p->body.start, p->body.end - p->body.start, *e));
	unmask(l.text, l.text_len, out);
	leaf_close(&l);
	mime_free(&m);
}

static void the_encoding_says_what_the_body_is_in(void **state)
{
	static const char body[] = "<a href=http://a.example/>\r\n";
	static const struct {
		const char *header;
		size_t padding; /* bytes before the link, in its line */
		enum mime_encoding before, after;
		const char *new_header;
	} cases[] = {
		{HTML "\r\n", 0, MIME_7BIT, MIME_7BIT, HTML "\r\n\r\n"},
		{HTML "\r\n", 950, MIME_7BIT, MIME_QUOTED_PRINTABLE,
		 HTML
		 "\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"},
		{"MIME-Version: 1.0\r\nContent-Transfer-Encoding:\r\n 8bit\r\n" HTML "\r\n", 950,
		 MIME_8BIT, MIME_QUOTED_PRINTABLE,
		 "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n" HTML
		 "\r\n\r\n"},
		{HTML "\r\nContent-Transfer-Encoding: BASE64\r\n", 950, MIME_BASE64, MIME_BASE64,
		 HTML "\r\nContent-Transfer-Encoding: BASE64\r\n\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf in = BUF_INIT, text = BUF_INIT, out = BUF_INIT, got = BUF_INIT;
		struct track_options o = all_on();
		struct track_report r;
		enum mime_encoding e;
		for (size_t k = 0; k < cases[i].padding; k++)
			buf_appendc(&text, 'x');
		buf_appends(&text, body);
		buf_printf(&in, "%s\r\n", cases[i].header);
		if (cases[i].before == MIME_BASE64)
			transfer_encode_base64(text.data, text.len, 76, &in);
		else
			buf_append(&in, text.data, text.len);
		rewrite_with(in.data, in.len, &o, &out, &r);
		assert_memory_equal(out.data, cases[i].new_header, strlen(cases[i].new_header));
		decoded_body(&out, &got, &e);
		assert_int_equal(e, cases[i].after);
		assert_int_equal(got.len, text.len + 3);
		assert_memory_equal(got.data, text.data, cases[i].padding + 8);
		assert_string_equal(got.data + cases[i].padding,
				    "<a href=[http://a.example/]>\r\n|");
		track_report_free(&r);
		buf_free(&in);
		buf_free(&text);
		buf_free(&out);
		buf_free(&got);
	}
}

static void a_message_that_cannot_be_parsed_goes_as_it_came(void **state)
{
	static const char *const same[] = {
		"Content-Type: multipart/mixed\r\n\r\n--x\r\n" HTML
		"\r\n\r\n<a href=http://a.example/>",
		"no header\r\n" HTML "\r\n\r\n<a href=http://a.example/>",
		HTML "\r\n" HTML "\r\n\r\n<a href=http://a.example/>",
	};
	struct track_options o = all_on();
	struct buf out = BUF_INIT;
	struct track_report r;

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		rewrite_with(same[i], strlen(same[i]), &o, &out, &r);
		assert_string_equal(out.data, same[i]);
		assert_non_null(strstr(buf_str(&r.reason), "cannot be parsed: "));
		track_report_free(&r);
	}
	buf_free(&out);
}

/* --- long lines -------------------------------------------------------------------------- */

static void repeat(struct buf *b, const char *what, size_t times)
{
	while (times--)
		buf_appends(b, what);
}

static void long_lines_are_mended_without_a_loss(void **state)
{
	static const char *const headers[] = {
		"Content-Type: text/plain; charset=utf-8",
		"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: 8bit",
		"Content-Type: text/html\r\nContent-Disposition: attachment",
		"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64",
		"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable",
	};
	struct track_options o = {0};
	struct buf in = BUF_INIT, out = BUF_INIT, before = BUF_INIT, after = BUF_INIT;
	struct track_report r;
	enum mime_encoding e;

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		buf_clear(&in);
		buf_clear(&before);
		buf_clear(&after);
		buf_printf(&in, "%s\r\n\r\n", headers[i]);
		repeat(&in, i == 4 ? "a b=3D " : "QUJD", 500);
		buf_appends(&in, "\r\n");
		decoded_body(&in, &before, &e);
		rewrite_with(in.data, in.len, &o, &out, &r);
		decoded_body(&out, &after, &e);
		assert_int_equal(r.mended, 1);
		assert_string_equal(before.data, after.data);
		track_report_free(&r);
	}
	buf_free(&in);
	buf_free(&out);
	buf_free(&before);
	buf_free(&after);
}

static void long_fields_are_folded(void **state)
{
	struct track_options o = {0};
	struct buf in = BUF_INIT, out = BUF_INIT;
	struct track_report r;

	(void)state;
	buf_appends(&in, "References:");
	repeat(&in, " <0123456789@x.example>", 100);
	buf_appends(&in, "\r\nTo: ");
	repeat(&in, "a@b.example,", 200);
	buf_appends(&in, "c@d.example\r\nX-Long: ");
	repeat(&in, "x", 3000);
	buf_appends(&in, "\r\nSubject: y\r\n\r\nbody\r\n");
	rewrite_with(in.data, in.len, &o, &out, &r);
	assert_int_equal(r.mended, 3);
	/* folded where white space was, or may be: taking line ends (and what was put in) out again
	 */
	size_t at = 0;
	for (size_t i = 0; i < in.len; i++, at++) {
		if (out.data[at] == '\r' && in.data[i] != '\r') {
			at += 2;
			if (out.data[at] == ' ' && in.data[i] != ' ')
				at++;
		}
		assert_int_equal(out.data[at], in.data[i]);
	}
	assert_int_equal(at, out.len);
	track_report_free(&r);
	buf_free(&in);
	buf_free(&out);
}

/* A server on the way will break them, but it shall not be us who break the signature. */
static void long_lines_under_a_signature_stay(void **state)
{
	struct track_options o = all_on();
	struct buf in = BUF_INIT, out = BUF_INIT;
	struct track_report r;

	(void)state;
	buf_appends(&in, "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nX: ");
	repeat(&in, "y ", 700);
	buf_appends(&in, "\r\n\r\n");
	repeat(&in, "z", 1500);
	buf_appends(&in, "\r\n--b--\r\n");
	track_rewrite(in.data, in.len, &o, &out, &r);
	assert_string_equal(out.data, in.data);
	track_report_free(&r);
	buf_free(&in);
	buf_free(&out);
}

static void seven_bit_leaves_no_byte_over_127(void **state)
{
	static const char in[] =
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
		"Content-Transfer-Encoding: 8bit\r\n\r\n--b\r\nContent-Type: text/plain; "
		"charset=utf-8\r\n"
		"Content-Transfer-Encoding: 8bit\r\n\r\ngr\xc3\xbc\xc3\x9f"
		"e an alle und noch mehr Text\r\n--b\r\n"
		"Content-Type: text/plain\r\nContent-Transfer-Encoding: "
		"8bit\r\n\r\nplain\r\n--b--\r\n";
	struct track_options o = {.seven_bit = true};
	struct buf out = BUF_INIT;
	struct track_report r;

	(void)state;
	rewrite_with(in, strlen(in), &o, &out, &r);
	for (size_t i = 0; i < out.len; i++)
		assert_false(out.data[i] & 0x80);
	assert_null(strstr(out.data, "8bit"));
	assert_non_null(strstr(out.data, "gr=C3=BC=C3=9Fe an alle"));
	track_report_free(&r);
	buf_free(&out);
}

static void a_retry_gives_the_same_bytes(void **state)
{
	static const char in[] = HTML "\r\n\r\n" LINK LINK;
	struct track_options o = all_on();
	struct buf a = BUF_INIT, b = BUF_INIT;
	struct track_report r;

	(void)state;
	rewrite_with(in, strlen(in), &o, &a, &r);
	track_report_free(&r);
	rewrite_with(in, strlen(in), &o, &b, &r);
	track_report_free(&r);
	assert_string_equal(a.data, b.data);
	buf_free(&a);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signed_sealed_and_attached_parts_stay),
		cmocka_unit_test(nests_are_reached_and_one_pixel_is_enough),
		cmocka_unit_test(charsets_pass_as_they_are),
		cmocka_unit_test(broken_encodings_stay),
		cmocka_unit_test(the_encoding_says_what_the_body_is_in),
		cmocka_unit_test(a_message_that_cannot_be_parsed_goes_as_it_came),
		cmocka_unit_test(long_lines_are_mended_without_a_loss),
		cmocka_unit_test(long_fields_are_folded),
		cmocka_unit_test(long_lines_under_a_signature_stay),
		cmocka_unit_test(seven_bit_leaves_no_byte_over_127),
		cmocka_unit_test(a_retry_gives_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, make_ring, drop_ring);
}
