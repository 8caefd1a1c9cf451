/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/textlinks.h"

#include "tests/unit/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The links of a line, each followed by '\n'. */
static void links_of(const char *text, const char *charset, struct buf *out)
{
	struct text_link l;

	buf_clear(out);
	for (size_t at = 0, n = strlen(text);
	     text_link_next(text, n, charset_find(charset), &at, &l);) {
		buf_append(out, text + l.start, l.end - l.start);
		buf_appendc(out, '\n');
	}
}

static void a_url_ends_as_a_person_would_say(void **state)
{
	static const struct {
		const char *text, *links;
	} cases[] = {
		{"see http://a.example.", "http://a.example\n"},
		{"http://a.example/x?q=1, http://b.example/y; and",
		 "http://a.example/x?q=1\nhttp://b.example/y\n"},
		{"http://a.example/x,http://b.example/y",
		 "http://a.example/x\nhttp://b.example/y\n"},
		{"(http://a.example/x)", "http://a.example/x\n"},
		{"(see http://a.example/x_(y)).", "http://a.example/x_(y)\n"},
		{"http://a.example/x(y z)", "http://a.example/x\n"},
		{"http://a.example/?a[0]=1&b[]=&c=", "http://a.example/?a[0]=1&b[]=&c=\n"},
		{"http://a.example/@user?to=x@y.example!",
		 "http://a.example/@user?to=x@y.example\n"},
		{"<http://a.example/x>", "http://a.example/x\n"},
		{"<a href=\"http://a.example/x\",\"http://b.example/\">",
		 "http://a.example/x\nhttp://b.example/\n"},
		{"'http://a.example/it's'", "http://a.example/it\n"},
		{"http://a.example/it's fine", "http://a.example/it's\n"},
		{"*http://a.example/x* _http://a.example_", "http://a.example/x\n"},
		{"**https://a.example/x**", "https://a.example/x\n"},
		{"[text](http://a.example/x)[b](http://b.example)",
		 "http://a.example/x\nhttp://b.example\n"},
		{"http://a.example/x\r\nhttp://b.example",
		 "http://a.example/x\nhttp://b.example\n"},
		{"http+notrack://a.example/x", "http+notrack://a.example/x\n"},
		{"svn+http://a.example/ xhttp://b.example 1http://c.example", ""},
		{"http://user:pw@a.example/x", "http://user:pw@a.example/x\n"},
		{"http://a.example:99999/ http://a.example: http://a.example:80.",
		 "http://a.example\nhttp://a.example:80\n"},
		{"http://[2001:db8::1]/x http://[x]/", "http://[2001:db8::1]/x\n"},
		{"http://a.example/\xe2\x98\xba\xef\xb8\x8f/\xf0\x9f\x98\x80",
		 "http://a.example/\xe2\x98\xba\xef\xb8\x8f/\xf0\x9f\x98\x80\n"},
		{"\xe8\xa7\x81http://a.example/\xe6\x97\xa5\xe3\x80\x82\xe5\xa5\xbd",
		 "http://a.example/\xe6\x97\xa5\n"},
		{"\xe2\x80\x9chttp://a.example/x\xe2\x80\x9d", "http://a.example/x\n"},
		{"http://a.example/x\xe2\x80\xa6 http://b.example/\xc2\xa0y",
		 "http://a.example/x\nhttp://b.example/\n"},
		{"http://a.example\\n`http://b.example`", "http://a.example\nhttp://b.example\n"},
		{"http:// http://. http://#x http://-a http://a- https://?", ""},
		{"ftp://a.example //a.example mailto:a@b.example www.a.example", ""},
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		links_of(cases[i].text, "utf-8", &out);
		assert_string_equal(buf_str(&out), cases[i].links);
	}
	/* in other charsets: by what the bytes stand for; unknown ones never end a URL */
	links_of("http://a.example/\xe4\xa0"
		 "b",
		 "iso-8859-1", &out);
	assert_string_equal(buf_str(&out), "http://a.example/\xe4\n");
	links_of("http://a.example/\x93\xfa\xa0"
		 "b",
		 "shift_jis", &out);
	assert_string_equal(buf_str(&out), "http://a.example/\x93\xfa\xa0"
					   "b\n");
	buf_free(&out);
}

/* --- the corpora ------------------------------------------------------------------------- */

static FILE *open_corpus(const char *name)
{
	const char *named = getenv("GATEPOST_CORPORA");
	char path[1024];

	snprintf(path, sizeof(path), "%s/url-in-text/%s", named ? named : "../shared/corpora",
		 name);
	FILE *f = fopen(path, "re");
	if (!f)
		print_message("skipped: no corpora (%s)\n", path);
	return f;
}

/* The next line that is neither empty nor a comment, without a comment behind it. */
static bool next_case(FILE *f, char **line, size_t *cap)
{
	while (getline(line, cap, f) >= 0) {
		char *s = *line, *comment = strstr(s, " %");
		s[strcspn(s, "\n")] = '\0';
		if (*s == '\0' || *s == '%')
			continue;
		for (char *end = comment; end && end > s && *end == ' '; end--)
			*end = '\0';
		return true;
	}
	return false;
}

static bool has_web_scheme(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

static void every_web_url_of_the_corpora_is_found(void **state)
{
	FILE *f = open_corpus("links.txt");
	char *line = NULL, *next = NULL;
	size_t cap = 0, next_cap = 0, found = 0, others = 0, faults = 0;
	struct buf out = BUF_INIT;

	(void)state;
	if (!f)
		skip();
	/* A case is a line, and below it the link when that is not the whole line. */
	bool have = next_case(f, &line, &cap);
	while (have) {
		long here = ftell(f);
		bool more = getline(&next, &next_cap, f) >= 0;
		if (more)
			next[strcspn(next, "\n")] = '\0';
		const char *expected = more && *next && *next != '%' ? next : line;
		links_of(line, "utf-8", &out);
		if (has_web_scheme(expected)) {
			size_t n = strlen(expected);
			bool same = out.len == n + 1 && memcmp(out.data, expected, n) == 0;
			if (!same)
				print_error("'%s': '%s' expected, got '%s'\n", line, expected,
					    buf_str(&out));
			faults += !same;
			found += same;
		} else {
			others++; /* names no scheme, or one that is not tracked */
			faults += out.len != 0;
		}
		if (expected == line && more && *next)
			fseek(f, here, SEEK_SET);
		have = next_case(f, &line, &cap);
	}
	print_message("links.txt: %zu web URLs found, %zu others (no scheme, ftp, mailto, mail "
		      "addresses) rightly left alone, %zu faults\n",
		      found, others, faults);
	assert_true(found > 70);
	assert_int_equal(faults, 0);
	free(line);
	free(next);
	buf_free(&out);
	fclose(f);
}

static void what_is_no_link_in_the_corpora_is_none(void **state)
{
	FILE *f = open_corpus("not_links.txt");
	size_t cap = 0, count = 0, faults = 0;
	struct buf out = BUF_INIT;
	char *line = NULL;

	(void)state;
	if (!f)
		skip();
	for (; next_case(f, &line, &cap); count++) {
		links_of(line, "utf-8", &out);
		if (out.len)
			print_error("'%s' is no link, got '%s'\n", line, buf_str(&out));
		faults += out.len != 0;
	}
	print_message("not_links.txt: %zu lines, %zu faults\n", count, faults);
	assert_true(count > 30);
	assert_int_equal(faults, 0);
	free(line);
	buf_free(&out);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_ends_as_a_person_would_say),
		cmocka_unit_test(every_web_url_of_the_corpora_is_found),
		cmocka_unit_test(what_is_no_link_in_the_corpora_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
