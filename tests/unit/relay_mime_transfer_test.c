/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/mime/splice.h"
#include "relay/mime/transfer.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

static void qp_decodes_or_says_why_not(void **state)
{
	static const struct {
		const char *text, *decoded;
		bool sound;
	} cases[] = {
		{"a=20b", "a b", true},       {"a=\r\nb", "ab", true},
		{"a= \t\r\nb", "ab", true},   {"a \t\r\nb", "a\r\nb", true},
		{"=e4=E4", "\xe4\xe4", true}, {"a\r\n", "a\r\n", true},
		{"a=", "a", false},           {"a=G1", "a=G1", false},
		{"a=2", "a=2", false},        {"<a href=\"x\">", "<a href=\"x\">", false},
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&out);
		const char *fault =
			transfer_decode_qp(cases[i].text, strlen(cases[i].text), &out, NULL);
		assert_int_equal(fault == NULL, cases[i].sound);
		assert_string_equal(buf_str(&out), cases[i].decoded);
	}
	buf_free(&out);
}

static void base64_decodes_or_says_why_not(void **state)
{
	static const struct {
		const char *text, *decoded;
	} cases[] = {
		{"", ""},
		{"QQ==", "A"},
		{"QUI=", "AB"},
		{"QUJD", "ABC"},
		{"QU\r\nJD ", "ABC"},
		{"QUJ", NULL},
		{"Q", NULL},
		{"QUJD=", NULL},
		{"QQ==QQ==", NULL},
		{"QU-D", NULL},
		{"QQ=", NULL},
		{"=", NULL},
		{"QQ==\r\n--\r\nfooter", NULL},
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&out);
		const char *fault =
			transfer_decode_base64(cases[i].text, strlen(cases[i].text), &out);
		assert_int_equal(fault == NULL, cases[i].decoded != NULL);
		if (cases[i].decoded)
			assert_string_equal(buf_str(&out), cases[i].decoded);
	}
	buf_free(&out);
}

/* Any bytes, encoded and decoded again, are themselves. */
static void encoders_are_undone_by_decoders(void **state)
{
	struct buf text = BUF_INIT, encoded = BUF_INIT, decoded = BUF_INIT;
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 300; round++) {
		buf_clear(&text);
		for (int i = 0; i < round; i++) {
			seed = seed * 1103515245u + 12345u;
			unsigned r = seed >> 16;
			if (r % 7)
				buf_appendc(&text, (char)(r >> 3));
			else
				buf_appends(&text, "\r\n");
		}
		buf_clear(&encoded);
		buf_clear(&decoded);
		transfer_encode_qp(buf_str(&text), text.len, 0, &encoded);
		assert_null(transfer_decode_qp(buf_str(&encoded), encoded.len, &decoded, NULL));
		assert_int_equal(decoded.len, text.len);
		assert_memory_equal(buf_str(&decoded), buf_str(&text), text.len);
		for (const char *line = buf_str(&encoded); line;
		     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
			assert_true(strcspn(line, "\r") <= TRANSFER_LINE_MAX);
		buf_clear(&encoded);
		buf_clear(&decoded);
		transfer_encode_base64(buf_str(&text), text.len, 76, &encoded);
		assert_null(transfer_decode_base64(buf_str(&encoded), encoded.len, &decoded));
		assert_int_equal(decoded.len, text.len);
		assert_memory_equal(buf_str(&decoded), buf_str(&text), text.len);
	}
	buf_free(&text);
	buf_free(&encoded);
	buf_free(&decoded);
}

/* Splices "needle" into "NEEDLE" as long as `grow`; gives the encoding. */
static enum mime_encoding splice_needle(const char *source, enum mime_encoding e, size_t grow,
					bool seven_bit, struct buf *out)
{
	struct leaf l;
	struct buf text = BUF_INIT;

	assert_null(leaf_open(&l, source, strlen(source), e));
	const char *at = strstr(l.text, "needle");
	assert_non_null(at);
	for (size_t i = 0; i < grow; i++)
		buf_appendc(&text, "NEEDLE"[i % 6]);
	struct splice s = {(size_t)(at - l.text), (size_t)(at - l.text) + 6, text.data, text.len};
	buf_clear(out);
	enum mime_encoding to = leaf_splice(&l, &s, 1, seven_bit, out);
	leaf_close(&l);
	buf_free(&text);
	return to;
}

static void a_part_keeps_its_encoding_and_what_is_around_the_change(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(splice_needle("a needle b\r\n\xe4\r\n", MIME_8BIT, 6, false, &out),
			 MIME_8BIT);
	assert_string_equal(buf_str(&out), "a NEEDLE b\r\n\xe4\r\n");

	/* lower-case hexadecimals, odd soft breaks and trailing spaces stay */
	assert_int_equal(splice_needle("=e4 x=\r\n=20 y  \r\na ne=\r\ned=6ce b=\r\n c\r\n",
				       MIME_QUOTED_PRINTABLE, 6, false, &out),
			 MIME_QUOTED_PRINTABLE);
	assert_string_equal(buf_str(&out), "=e4 x=\r\n=20 y  \r\na NEEDLE b=\r\n c\r\n");

	/* a line that grows over 76 gets soft breaks, in the new text and behind it */
	splice_needle("aneedle0123456789\r\nend\r\n", MIME_QUOTED_PRINTABLE, 72, false, &out);
	assert_string_equal(
		buf_str(&out),
		"aNEEDLENEEDLENEEDLENEEDLENEEDLENEEDLENEEDLENEEDLENEEDLENEEDLENEEDLENEEDLE=\r\n"
		"0123456789\r\nend\r\n");

	/* white space that padded a line still only pads it */
	splice_needle("x needle \t\r\n", MIME_QUOTED_PRINTABLE, 6, false, &out);
	assert_string_equal(buf_str(&out), "x NEEDLE \t\r\n");
	struct leaf l;
	struct splice behind = {2, 2, "!", 1};
	assert_null(leaf_open(&l, "ab \t\r\n", 6, MIME_QUOTED_PRINTABLE));
	buf_clear(&out);
	leaf_splice(&l, &behind, 1, false, &out);
	assert_string_equal(buf_str(&out), "ab! \t\r\n");
	leaf_close(&l);

	/* base64: whole lines before the change, the line length and the tail stay */
	assert_int_equal(splice_needle("YWFh\r\nYmJi\r\nbmVl\r\nZGxl\r\nY2Nj\r\n\r\n", MIME_BASE64,
				       7, false, &out),
			 MIME_BASE64);
	assert_string_equal(buf_str(&out), "YWFh\r\nYmJi\r\nTkVF\r\nRExF\r\nTmNj\r\nYw==\r\n\r\n");
	buf_free(&out);
}

static void a_part_is_encoded_anew_only_where_it_must_be(void **state)
{
	struct buf source = BUF_INIT, out = BUF_INIT, back = BUF_INIT;

	(void)state;
	for (int i = 0; i < 900; i++)
		buf_appendc(&source, 'x');
	buf_appends(&source, "needle\r\n");
	assert_int_equal(splice_needle(buf_str(&source), MIME_7BIT, 98, false, &out), MIME_7BIT);
	assert_int_equal(splice_needle(buf_str(&source), MIME_7BIT, 99, false, &out),
			 MIME_QUOTED_PRINTABLE);
	assert_null(transfer_decode_qp(buf_str(&out), out.len, &back, NULL));
	assert_int_equal(back.len, 900 + 99 + 2);
	assert_int_equal(splice_needle("\xe4 needle", MIME_8BIT, 6, true, &out),
			 MIME_QUOTED_PRINTABLE);
	assert_string_equal(buf_str(&out), "=E4 NEEDLE");
	assert_int_equal(splice_needle("\xe4\xe4 needle", MIME_8BIT, 6, true, &out), MIME_BASE64);
	assert_int_equal(splice_needle("needle", MIME_8BIT, 6, true, &out), MIME_7BIT);
	buf_free(&source);
	buf_free(&out);
	buf_free(&back);
}

static void long_lines_are_seen_exactly(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t n = 990; n < 1010; n++) {
		for (int ending = 0; ending < 3; ending++) {
			buf_clear(&b);
			buf_appends(&b, "short\r\n");
			for (size_t i = 0; i < n; i++)
				buf_appendc(&b, 'x');
			buf_appends(&b, ending == 0 ? "" : ending == 1 ? "\r\n" : "\r\nshort\r\n");
			assert_int_equal(transfer_lines_too_long(b.data, b.len), n > MIME_LINE_MAX);
		}
	}
	buf_free(&b);
}

static void broken_lines_decode_to_the_same(void **state)
{
	struct buf qp = BUF_INIT, base64 = BUF_INIT, broken = BUF_INIT, a = BUF_INIT, b = BUF_INIT;

	(void)state;
	for (int i = 0; i < 500; i++)
		buf_appends(&qp, i % 3 ? "=C3=A4" : " b");
	for (int i = 0; i < 500; i++)
		buf_appends(&base64, "QUJD");
	transfer_break_lines(MIME_QUOTED_PRINTABLE, qp.data, qp.len, &broken);
	assert_false(transfer_lines_too_long(broken.data, broken.len));
	assert_null(transfer_decode_qp(qp.data, qp.len, &a, NULL));
	assert_null(transfer_decode_qp(broken.data, broken.len, &b, NULL));
	assert_string_equal(a.data, b.data);
	buf_clear(&broken);
	buf_clear(&a);
	buf_clear(&b);
	transfer_break_lines(MIME_BASE64, base64.data, base64.len, &broken);
	assert_false(transfer_lines_too_long(broken.data, broken.len));
	assert_null(transfer_decode_base64(base64.data, base64.len, &a));
	assert_null(transfer_decode_base64(broken.data, broken.len, &b));
	assert_string_equal(a.data, b.data);
	buf_free(&qp);
	buf_free(&base64);
	buf_free(&broken);
	buf_free(&a);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qp_decodes_or_says_why_not),
		cmocka_unit_test(base64_decodes_or_says_why_not),
		cmocka_unit_test(encoders_are_undone_by_decoders),
		cmocka_unit_test(a_part_keeps_its_encoding_and_what_is_around_the_change),
		cmocka_unit_test(a_part_is_encoded_anew_only_where_it_must_be),
		cmocka_unit_test(long_lines_are_seen_exactly),
		cmocka_unit_test(broken_lines_decode_to_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
