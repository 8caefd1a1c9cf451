/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/output.h"

#include "lib/log.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* ---- pipes ---- */

const char *const pipe_names[] = {"match",   "except",  "count", "no-more",
				  "display", "compare", NULL};
const char *const pipe_helps[] = {
	"Only lines that hold a text",   "Only lines that do not", "How many lines",
	"Do not stop at each screenful", "As set lines or JSON",   "What the candidate changes"};

/* How many words follow a pipe's name: at least, at most. */
static const struct {
	const char *name;
	size_t least, most;
} shapes[] = {
	{"match", 1, 1},   {"except", 1, 1},  {"count", 0, 0},
	{"no-more", 0, 0}, {"display", 1, 1}, {"compare", 0, 1},
};

static bool read_one(char *const *words, size_t n, struct pipes *pipes, struct buf *error)
{
	const char *name = words[0];
	size_t i = 0;

	while (i < sizeof(shapes) / sizeof(*shapes) && strcmp(shapes[i].name, name) != 0)
		i++;
	if (i == sizeof(shapes) / sizeof(*shapes)) {
		buf_printf(error,
			   "\"| %s\": not known; known: match, except, count, no-more, display, "
			   "compare\n",
			   name);
		return false;
	}
	if (n - 1 < shapes[i].least || n - 1 > shapes[i].most) {
		buf_printf(error, "\"| %s\": %s\n", name,
			   n - 1 < shapes[i].least ? "more is needed" : "nothing may follow here");
		return false;
	}
	if (!strcmp(name, "no-more"))
		pipes->no_more = true;
	if (!strcmp(name, "compare")) {
		pipes->compare = true;
		pipes->compare_with = n > 1 ? words[1] : NULL;
	}
	if (strcmp(name, "display") != 0)
		return true;
	if (!strcmp(words[1], "set"))
		pipes->display = DISPLAY_SET;
	else if (!strcmp(words[1], "json"))
		pipes->display = DISPLAY_JSON;
	else
		buf_printf(error, "\"| display %s\": it is set or json\n", words[1]);
	return pipes->display != DISPLAY_TEXT;
}

static size_t next_pipe(char *const *words, size_t from, size_t total)
{
	while (from < total && strcmp(words[from], "|") != 0)
		from++;
	return from;
}

bool pipes_read(char *const *words, size_t *count, size_t total, struct pipes *pipes,
		struct buf *error)
{
	size_t at = next_pipe(words, 0, total);

	*pipes = (struct pipes){.filters = at, .piped = at < total};
	*count = at;
	while (at < total) {
		size_t stop = next_pipe(words, at + 1, total);
		if (stop == at + 1) {
			buf_appends(error,
				    "\"|\": match, except, count, no-more, display or compare "
				    "must follow\n");
			return false;
		}
		if (!read_one(words + at + 1, stop - at - 1, pipes, error))
			return false;
		at = stop;
	}
	return true;
}

/* ---- filters ---- */

static void keep_lines(struct buf *text, const regex_t *re, bool want)
{
	struct buf out = BUF_INIT, line = BUF_INIT;
	const char *at = buf_str(text);

	while (*at) {
		size_t len = strcspn(at, "\n");
		buf_clear(&line);
		buf_append(&line, at, len);
		if ((regexec(re, buf_str(&line), 0, NULL, 0) == 0) == want) {
			buf_append(&out, at, len);
			buf_appendc(&out, '\n');
		}
		at += len + (at[len] == '\n');
	}
	buf_free(&line);
	buf_free(text);
	*text = out;
}

static bool match_lines(struct buf *text, const char *pattern, bool want, struct buf *error)
{
	char reason[128];
	regex_t re;
	int failed = regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB | REG_ICASE);

	if (failed) {
		regerror(failed, &re, reason, sizeof(reason));
		buf_printf(error, "\"%s\": not a pattern: %s\n", pattern, reason);
		return false;
	}
	keep_lines(text, &re, want);
	regfree(&re);
	return true;
}

static void count_lines(struct buf *text)
{
	size_t lines = 0;

	for (const char *at = buf_str(text); *at; at++)
		lines += *at == '\n' || at[1] == '\0';
	buf_clear(text);
	buf_printf(text, "%zu line%s\n", lines, lines == 1 ? "" : "s");
}

bool pipes_filter(struct buf *text, char *const *words, size_t from, size_t total,
		  struct buf *error)
{
	bool ok = true;

	for (size_t at = from; ok && at < total; at = next_pipe(words, at + 1, total)) {
		const char *name = words[at + 1];
		if (!strcmp(name, "match") || !strcmp(name, "except"))
			ok = match_lines(text, words[at + 2], *name == 'm', error);
		else if (!strcmp(name, "count"))
			count_lines(text);
	}
	return ok;
}

/* ---- the pager ---- */

static void write_out(const char *bytes, size_t len)
{
	fwrite(bytes, 1, len, stdout);
	fflush(stdout);
}

/* One key, without waiting for a line end. 0 when the terminal is gone. */
static char read_key(void)
{
	struct termios was, raw;
	char key = 0;

	if (tcgetattr(STDIN_FILENO, &was) != 0)
		return 0;
	raw = was;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	if (read(STDIN_FILENO, &key, 1) != 1)
		key = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &was);
	return key;
}

void output_screen(size_t *rows, size_t *columns)
{
	struct winsize size = {0};

	/* A serial line does not tell its size: what every terminal has. */
	*rows = 24;
	*columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 && size.ws_col > 1) {
		*rows = size.ws_row;
		*columns = size.ws_col;
	}
}

/* False when the reader has seen enough. *room is how many rows may be written next. */
static bool ask_for_more(size_t *room, size_t rows)
{
	static const char question[] = "--more-- (space, enter, q)";
	static const char wipe[] = "\r                          \r";

	write_out(question, sizeof(question) - 1);
	char key = read_key();
	write_out(wipe, sizeof(wipe) - 1);
	*room = key == '\n' || key == '\r' ? 1 : rows - 1;
	return key != 0 && key != 'q' && key != 'Q' && key != 3;
}

void output_show(const struct buf *text, bool page)
{
	size_t rows, columns, room;
	const char *at = buf_str(text), *from = at;

	output_screen(&rows, &columns);
	if (!page || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
		write_out(at, text->len);
		return;
	}
	for (room = rows - 1; *at;) {
		size_t len = strcspn(at, "\n"), takes = len ? (len + columns - 1) / columns : 1;
		if (takes > room && at > from) {
			write_out(from, (size_t)(at - from));
			from = at;
			if (!ask_for_more(&room, rows))
				return;
		}
		room = takes > room ? 0 : room - takes;
		at += len + (at[len] == '\n');
	}
	write_out(from, (size_t)(at - from));
}

/* ---- answers ---- */

bool output_json(struct cli *cli, const json_t *value)
{
	if (cli->display != DISPLAY_JSON)
		return false;
	char *text = json_dumps(value, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	buf_printf(&cli->out, "%s\n", text ? text : "[]");
	free(text);
	return true;
}

const char *output_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

void output_time(json_int_t seconds, char out[32])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
}

/* ---- tables ---- */

void table_cell(const json_t *value, struct buf *out)
{
	size_t i;
	json_t *member;
	char escaped[1024];

	if (json_is_string(value)) {
		log_escape(escaped, sizeof(escaped), json_string_value(value),
			   json_string_length(value));
		buf_appends(out, escaped);
	} else if (json_is_integer(value)) {
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	} else if (json_is_real(value)) {
		buf_printf(out, "%g", json_real_value(value));
	} else if (json_is_boolean(value)) {
		buf_appends(out, json_is_true(value) ? "yes" : "no");
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, member)
		{
			if (i)
				buf_appendc(out, ' ');
			table_cell(member, out);
		}
	} else if (json_is_object(value)) {
		char *text = json_dumps(value, JSON_COMPACT);
		buf_appends(out, text ? text : "");
		free(text);
	}
}

/* How many columns of a terminal a text takes: one for each character is near enough. */
static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void put_cell(struct buf *out, const char *text, size_t wide, bool right, bool last)
{
	size_t gap = width(text) < wide ? wide - width(text) : 0;

	for (size_t i = 0; right && i < gap; i++)
		buf_appendc(out, ' ');
	buf_appends(out, text);
	for (size_t i = 0; !right && !last && i < gap; i++)
		buf_appendc(out, ' ');
	buf_appends(out, last ? "\n" : "  ");
}

enum { COLUMNS_MAX = 12 };

static void trim_end(struct buf *out, size_t from)
{
	size_t len = out->len - 1; /* before the line end */

	while (len > from && out->data[len - 1] == ' ')
		len--;
	buf_truncate(out, len);
	buf_appendc(out, '\n');
}

void table_print(const json_t *rows, const struct column *columns, size_t count, struct buf *out)
{
	size_t wide[COLUMNS_MAX] = {0}, i;
	struct buf cell = BUF_INIT;
	json_t *row;

	if (json_array_size(rows) == 0) {
		buf_appends(out, "none\n");
		return;
	}
	for (size_t c = 0; c < count; c++) {
		wide[c] = width(columns[c].title);
		json_array_foreach(rows, i, row)
		{
			buf_clear(&cell);
			table_cell(json_object_get(row, columns[c].key), &cell);
			if (width(buf_str(&cell)) > wide[c])
				wide[c] = width(buf_str(&cell));
		}
	}
	size_t from = out->len;
	for (size_t c = 0; c < count; c++)
		put_cell(out, columns[c].title, wide[c], columns[c].right, c + 1 == count);
	trim_end(out, from);
	json_array_foreach(rows, i, row)
	{
		from = out->len;
		for (size_t c = 0; c < count; c++) {
			buf_clear(&cell);
			table_cell(json_object_get(row, columns[c].key), &cell);
			put_cell(out, buf_str(&cell), wide[c], columns[c].right, c + 1 == count);
		}
		trim_end(out, from);
	}
	buf_free(&cell);
}
