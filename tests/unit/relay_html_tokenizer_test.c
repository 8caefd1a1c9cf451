/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tokenizer gives the tokens that the HTML standard's own tests expect: every case of every
 * file in html-tokenizer/ of the corpora, in every initial state.
 */
#include "lib/buf.h"
#include "lib/utf8.h"
#include "relay/html/tokenizer.h"
#include "tests/unit/cmocka.h"

#include <ctype.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *corpora(void)
{
	const char *named = getenv("GATEPOST_CORPORA");

	return named ? named : "../shared/corpora";
}

/* --- our tokens in the tests' JSON ------------------------------------------------------- */

static void with_replacement(const char *s, size_t n, bool lower, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\0')
			buf_appends(out, "\xef\xbf\xbd");
		else if (s[i] == '\r' && i + 1 < n && s[i + 1] == '\n')
			continue;
		else if (s[i] == '\r')
			buf_appendc(out, '\n');
		else
			buf_appendc(out, lower && (unsigned char)s[i] < 128
						 ? (char)tolower((unsigned char)s[i])
						 : s[i]);
	}
}

static json_t *json_of(struct buf *b)
{
	json_t *s = json_stringn_nocheck(buf_str(b), b->len);
	buf_free(b);
	return s;
}

static json_t *json_range(const char *bytes, struct html_range r, bool lower)
{
	struct buf b = BUF_INIT;
	with_replacement(bytes + r.start, r.end - r.start, lower, &b);
	return json_of(&b);
}

static json_t *json_attrs(const char *bytes, const struct html_token *tag)
{
	json_t *attrs = json_object();

	assert_false(tag->attrs_cut);
	for (size_t i = 0; i < tag->attr_count; i++) {
		struct buf name = BUF_INIT, value = BUF_INIT;
		const struct html_attr *a = &tag->attrs[i];
		with_replacement(bytes + a->name.start, a->name.end - a->name.start, true, &name);
		html_decode_attr(bytes, a->value, &value);
		if (!json_object_get(attrs, buf_str(&name)))
			json_object_set_new_nocheck(attrs, buf_str(&name), json_of(&value));
		buf_free(&name);
		buf_free(&value);
	}
	return attrs;
}

static void add_text(json_t *tokens, const char *bytes, const struct html_token *text)
{
	struct buf b = BUF_INIT;
	size_t last = json_array_size(tokens);
	json_t *before = last ? json_array_get(tokens, last - 1) : NULL;

	if (before && strcmp(json_string_value(json_array_get(before, 0)), "Character") == 0) {
		json_t *s = json_array_get(before, 1);
		buf_append(&b, json_string_value(s), json_string_length(s));
		html_decode_text(bytes, text, &b);
		json_array_set_new(before, 1, json_of(&b));
		return;
	}
	html_decode_text(bytes, text, &b);
	json_array_append_new(tokens, json_pack("[so]", "Character", json_of(&b)));
}

static json_t *json_doctype(const char *bytes, const struct html_token *t)
{
	return json_pack("[soooo]", "DOCTYPE",
			 t->has_name ? json_range(bytes, t->name, true) : json_null(),
			 t->has_public_id ? json_range(bytes, t->public_id, false) : json_null(),
			 t->has_system_id ? json_range(bytes, t->system_id, false) : json_null(),
			 json_boolean(!t->force_quirks));
}

static void add_token(json_t *tokens, const char *bytes, const struct html_token *t)
{
	json_t *item = NULL;

	switch (t->kind) {
	case HTML_TEXT:
		add_text(tokens, bytes, t);
		return;
	case HTML_START_TAG:
		item = json_pack("[soo]", "StartTag", json_range(bytes, t->name, true),
				 json_attrs(bytes, t));
		if (t->self_closing)
			json_array_append_new(item, json_true());
		break;
	case HTML_END_TAG:
		item = json_pack("[so]", "EndTag", json_range(bytes, t->name, true));
		break;
	case HTML_COMMENT:
		item = json_pack("[so]", "Comment", json_range(bytes, t->data, false));
		break;
	case HTML_DOCTYPE:
		item = json_doctype(bytes, t);
		break;
	case HTML_END:
		break;
	}
	assert_non_null(item);
	json_array_append_new(tokens, item);
}

/* Every byte of the input is in exactly one token, or in a piece that gives none. */
static json_t *tokenize(const char *bytes, size_t n, const char *state, const char *last_start)
{
	static const struct {
		const char *state;
		enum html_text_mode mode;
	} modes[] = {
		{"Data state", HTML_DATA},           {"RCDATA state", HTML_RCDATA},
		{"RAWTEXT state", HTML_RAWTEXT},     {"Script data state", HTML_SCRIPT},
		{"PLAINTEXT state", HTML_PLAINTEXT}, {"CDATA section state", HTML_CDATA},
	};
	json_t *tokens = json_array();
	struct html_tokenizer t;
	struct html_token token;
	size_t at = 0;

	html_open(&t, bytes, n);
	size_t i = 0;
	while (strcmp(modes[i].state, state) != 0)
		assert_true(++i < sizeof(modes) / sizeof(*modes));
	html_set_text_mode(&t, modes[i].mode, last_start);
	while (html_next(&t, &token)) {
		assert_true(token.whole.start >= at && token.whole.end > token.whole.start);
		at = token.whole.end;
		add_token(tokens, bytes, &token);
	}
	return tokens;
}

/* --- the tests' peculiarities ------------------------------------------------------------ */

static void append_any(struct buf *out, uint32_t cp)
{
	char utf8[4];

	if (cp < 0xd800 || cp > 0xdfff) {
		buf_append(out, utf8, utf8_encode(cp, utf8));
		return;
	}
	buf_appendc(out, (char)(0xe0 | cp >> 12)); /* a lone surrogate: no UTF-8, but a test */
	buf_appendc(out, (char)(0x80 | (cp >> 6 & 0x3f)));
	buf_appendc(out, (char)(0x80 | (cp & 0x3f)));
}

/* "doubleEscaped": the strings still hold \uXXXX. */
static json_t *unescape(const char *s, size_t n)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		unsigned cp, low;
		if (s[i] != '\\' || n - i < 6 || sscanf(s + i + 1, "u%4x", &cp) != 1) {
			buf_appendc(&b, s[i]);
			continue;
		}
		i += 5;
		if (cp >= 0xd800 && cp < 0xdc00 && n - i > 6 &&
		    sscanf(s + i + 1, "\\u%4x", &low) == 1 && low >= 0xdc00 && low < 0xe000) {
			cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
			i += 6;
		}
		append_any(&b, cp);
	}
	return json_of(&b);
}

static json_t *unescape_all(json_t *v)
{
	if (json_is_string(v))
		return unescape(json_string_value(v), json_string_length(v));
	if (json_is_array(v)) {
		json_t *out = json_array(), *item;
		size_t i;
		json_array_foreach(v, i, item) json_array_append_new(out, unescape_all(item));
		return out;
	}
	if (json_is_object(v)) {
		json_t *out = json_object(), *item;
		const char *key;
		json_object_foreach(v, key, item)
		{
			json_t *name = unescape(key, strlen(key));
			json_object_set_new_nocheck(out, json_string_value(name),
						    unescape_all(item));
			json_decref(name);
		}
		return out;
	}
	return json_incref(v);
}

static json_t *replaced(json_t *s, const char *what, const char *with)
{
	struct buf b = BUF_INIT;
	const char *at = json_string_value(s), *hit;

	for (; (hit = strstr(at, what)); at = hit + strlen(what)) {
		buf_append(&b, at, (size_t)(hit - at));
		buf_appends(&b, with);
	}
	buf_appends(&b, at);
	return json_of(&b);
}

/* "xmlViolationTests": the tokens made fit for XML afterwards, by the rules that the tests name. */
static void make_fit_for_xml(json_t *tokens)
{
	static const char *const rules[][3] = {
		{"Character", "\xef\xbf\xbf", "\xef\xbf\xbd"},
		{"Character", "\f", " "},
		{"Comment", "--", "- -"},
	};
	json_t *token;
	size_t i;

	json_array_foreach(tokens, i,
			   token) for (size_t r = 0; r < sizeof(rules) / sizeof(*rules);
				       r++) if (!strcmp(json_string_value(json_array_get(token, 0)),
							rules[r][0]))
		json_array_set_new(token, 1,
				   replaced(json_array_get(token, 1), rules[r][1], rules[r][2]));
}

/* Neighbouring Character tokens of the expectation as one. */
static json_t *coalesce(json_t *tokens)
{
	json_t *out = json_array(), *token;
	size_t i;

	json_array_foreach(tokens, i, token)
	{
		size_t n = json_array_size(out);
		json_t *last = n ? json_array_get(out, n - 1) : NULL;
		if (last && !strcmp(json_string_value(json_array_get(token, 0)), "Character") &&
		    !strcmp(json_string_value(json_array_get(last, 0)), "Character")) {
			json_t *a = json_array_get(last, 1), *b = json_array_get(token, 1);
			struct buf both = BUF_INIT;
			buf_append(&both, json_string_value(a), json_string_length(a));
			buf_append(&both, json_string_value(b), json_string_length(b));
			json_array_set_new(last, 1, json_of(&both));
		} else {
			json_array_append_new(out, json_deep_copy(token));
		}
	}
	return out;
}

/* --- running them ------------------------------------------------------------------------ */

static size_t run_one(const char *file, json_t *test, const char *state, bool xml)
{
	json_t *last = json_object_get(test, "lastStartTag");
	bool escaped = json_is_true(json_object_get(test, "doubleEscaped"));
	json_t *input = json_object_get(test, "input"), *expected = json_object_get(test, "output");

	input = escaped ? unescape_all(input) : json_incref(input);
	expected = escaped ? unescape_all(expected) : json_incref(expected);
	json_t *want = coalesce(expected);
	/* A copy of exactly that size, so that a sanitizer sees a byte too far. */
	size_t n = json_string_length(input);
	char *bytes = malloc(n ? n : 1);
	assert_non_null(bytes);
	memcpy(bytes, json_string_value(input), n);
	json_t *got = tokenize(bytes, n, state, last ? json_string_value(last) : NULL);
	if (xml)
		make_fit_for_xml(got);
	bool same = json_equal(got, want);
	if (!same) {
		char *a = json_dumps(want, JSON_ENSURE_ASCII),
		     *b = json_dumps(got, JSON_ENSURE_ASCII);
		print_error("%s: %s (%s)\n  expected %s\n  got      %s\n", file,
			    json_string_value(json_object_get(test, "description")), state,
			    a ? a : "?", b ? b : "?");
		free(a);
		free(b);
	}
	json_decref(got);
	json_decref(want);
	json_decref(input);
	json_decref(expected);
	free(bytes);
	return same ? 0 : 1;
}

static size_t run_file(const char *path, size_t *count)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error), *test, *state;
	size_t i, k, failures = 0;

	if (!root)
		fail_msg("%s: %s at line %d", path, error.text, error.line);
	json_t *xml = json_object_get(root, "xmlViolationTests");
	json_array_foreach(xml ? xml : json_object_get(root, "tests"), i, test)
	{
		json_t *states = json_object_get(test, "initialStates");
		if (!states) {
			failures += run_one(path, test, "Data state", xml != NULL);
			++*count;
		}
		json_array_foreach(states, k, state)
		{
			failures += run_one(path, test, json_string_value(state), xml != NULL);
			++*count;
		}
	}
	json_decref(root);
	return failures;
}

static void every_case_of_the_standard(void **state)
{
	char dir[512], path[1024];
	size_t count = 0, failures = 0;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/html-tokenizer", corpora());
	DIR *d = opendir(dir);
	if (!d) {
		print_message("skipped: no corpora (%s)\n", dir);
		skip();
	}
	for (struct dirent *e; (e = readdir(d));) {
		size_t n = strlen(e->d_name);
		if (n < 5 || strcmp(e->d_name + n - 5, ".test") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		failures += run_file(path, &count);
	}
	closedir(d);
	print_message("html tokenizer: %zu cases, %zu failures\n", count, failures);
	assert_true(count > 6000);
	assert_int_equal(failures, 0);
}

static void a_token_is_where_it_lies(void **state)
{
	static const char html[] = "x<A\r\n HREF = 'a&amp;b' HREF=c data-x>y";
	struct html_tokenizer t;
	struct html_token token;

	(void)state;
	html_open(&t, html, strlen(html));
	assert_true(html_next(&t, &token));
	assert_int_equal(token.kind, HTML_TEXT);
	assert_true(html_next(&t, &token));
	assert_true(html_name_is(html, token.name, "a"));
	const struct html_attr *href = html_attr(html, &token, "href");
	assert_non_null(href);
	assert_int_equal(href->quote, HTML_SINGLE);
	assert_memory_equal(html + href->value.start, "a&amp;b", 7);
	assert_int_equal(href->value.end - href->value.start, 7);
	assert_int_equal(html_attr(html, &token, "data-x")->quote, HTML_NO_VALUE);
	assert_null(html_attr(html, &token, "data"));
}

static void what_the_end_cuts_off_is_said(void **state)
{
	static const struct {
		const char *html;
		size_t cut;
	} cases[] = {{"ab<a href='x", 2}, {"ab</", 4}, {"ab<a", 2}, {"ab</>", 5}, {"ab<b>", 5}};
	struct html_tokenizer t;
	struct html_token token;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		html_open(&t, cases[i].html, strlen(cases[i].html));
		while (html_next(&t, &token))
			;
		assert_int_equal(token.whole.start, cases[i].cut);
		assert_int_equal(token.whole.end, strlen(cases[i].html));
	}
	html_open(&t, "<!-- a >", 8);
	assert_true(html_next(&t, &token));
	assert_true(token.cut);
}

static void a_tag_of_many_attributes_is_bounded(void **state)
{
	struct buf html = BUF_INIT;
	struct html_tokenizer t;
	struct html_token token;

	(void)state;
	buf_appends(&html, "<a");
	for (int i = 0; i < 100000; i++)
		buf_printf(&html, " a%d", i);
	buf_appends(&html, ">");
	html_open(&t, html.data, html.len);
	assert_true(html_next(&t, &token));
	assert_true(token.attrs_cut);
	assert_int_equal(token.attr_count, HTML_ATTRS_MAX);
	assert_int_equal(token.whole.end, html.len);
	buf_free(&html);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_of_the_standard),
		cmocka_unit_test(a_token_is_where_it_lies),
		cmocka_unit_test(what_the_end_cuts_off_is_said),
		cmocka_unit_test(a_tag_of_many_attributes_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
