/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/syslog/line.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { FACILITY_KERNEL = 0, FACILITY_DAEMON = 3 };
enum { SEVERITY_ERROR = 3, SEVERITY_WARNING = 4, SEVERITY_INFO = 6, SEVERITY_DEBUG = 7 };

/* svlogd -tt: "2026-11-24_00:16:09.12345 " */
enum { STAMP_DATE = 10, STAMP_MIN = 20, STAMP_MAX = 32 };

/* A name of RFC 5424 §6: printable ASCII without spaces, bounded; "-" for none. */
static void put_name(struct buf *out, const char *name, size_t max)
{
	size_t n = 0;

	for (; *name && n < max; name++)
		if (*name > ' ' && *name < 127) {
			buf_appendc(out, *name);
			n++;
		}
	if (!n)
		buf_appendc(out, '-');
}

static void put_words(struct buf *out, const char *words, size_t n)
{
	for (size_t i = 0; i < n && out->len < SYSLOG_MESSAGE_MAX; i++)
		buf_appendc(out, (unsigned char)words[i] < ' ' || words[i] == 127 ? ' ' : words[i]);
}

static void put_names(struct buf *out, const char *host, const char *service)
{
	buf_appendc(out, ' ');
	put_name(out, host, 255);
	buf_appendc(out, ' ');
	put_name(out, service, 48);
	buf_appends(out, " - - - ");
}

/* The length of the time that the line begins with; 0 when it has none. */
static size_t stamp_length(const char *line, size_t n)
{
	size_t end = 0;

	while (end < n && end < STAMP_MAX && line[end] != ' ')
		end++;
	if (end < STAMP_MIN || end == n || line[end] != ' ' || line[STAMP_DATE] != '_')
		return 0;
	for (size_t i = 0; i < end; i++)
		if (!isdigit((unsigned char)line[i]) && !strchr("-_:.", line[i]))
			return 0;
	return end;
}

/* What our own programs say of a line's weight: the word behind "ident: ". */
static int severity_of(const char *words, size_t n)
{
	static const struct {
		const char *word;
		int severity;
	} levels[] = {{"error: ", SEVERITY_ERROR},
		      {"warning: ", SEVERITY_WARNING},
		      {"info: ", SEVERITY_INFO},
		      {"debug: ", SEVERITY_DEBUG}};
	const char *colon = memchr(words, ':', n);
	size_t at = colon ? (size_t)(colon - words) + 2 : n;

	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		size_t len = strlen(levels[i].word);
		if (at + len <= n && !memcmp(words + at, levels[i].word, len))
			return levels[i].severity;
	}
	return SEVERITY_INFO;
}

void syslog_service_line(const char *host, const char *service, const char *line, size_t n,
			 struct buf *out)
{
	size_t stamp = stamp_length(line, n);
	const char *words = stamp ? line + stamp + 1 : line;
	size_t words_n = (size_t)(line + n - words);

	buf_printf(out, "<%d>1 ", FACILITY_DAEMON * 8 + severity_of(words, words_n));
	if (stamp)
		buf_printf(out, "%.*sT%.*sZ", STAMP_DATE, line, (int)(stamp - STAMP_DATE - 1),
			   line + STAMP_DATE + 1);
	else
		buf_appendc(out, '-');
	put_names(out, host, service);
	put_words(out, words, words_n);
}

bool syslog_kernel_line(const char *host, const char *now, const char *line, size_t n,
			struct buf *out)
{
	const char *words = memchr(line, ';', n);
	char *end;

	if (!words || !isdigit((unsigned char)*line))
		return false;
	unsigned long priority = strtoul(line, &end, 10);
	if (*end != ',' || priority > 191)
		return false;
	words++;
	const char *newline = memchr(words, '\n', (size_t)(line + n - words));
	/* Facilities other than the kernel's are what programs wrote there. */
	buf_printf(out, "<%lu>1 %s", priority, now);
	put_names(out, host, priority >> 3 == FACILITY_KERNEL ? "kernel" : "boot");
	put_words(out, words, (size_t)((newline ? newline : line + n) - words));
	return true;
}
