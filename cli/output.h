/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a command's output to the screen: tables, pipes, the pager.
 *
 *	| match TEXT    lines that hold TEXT (a POSIX extended regular expression, any case)
 *	| except TEXT   lines that do not
 *	| count         how many lines
 *	| no-more       without a stop at each screenful
 *	| display set|json
 *	| compare [N]   (show, while configuring) what the candidate changes
 */
#ifndef GATEPOST_CLI_OUTPUT_H
#define GATEPOST_CLI_OUTPUT_H

#include "cli/cli.h"
#include "model/words.h"

#include <jansson.h>

struct pipes {
	enum display display;
	bool piped; /* there are some */
	bool no_more;
	bool compare;
	const char *compare_with; /* a revision, or NULL */
	size_t filters;           /* index of the first word behind the command */
};

/*
 * Looks at the pipes of a line and cuts them off: *count becomes the command's own words. False
 * with a sentence in error.
 */
bool pipes_read(char *const *words, size_t *count, size_t total, struct pipes *pipes,
		struct buf *error);
/* What may follow a '|' and is not yet a whole word; for completion. */
extern const char *const pipe_names[];
extern const char *const pipe_helps[];

/* Sends text through the filters in words[from..total). False with a sentence in error. */
bool pipes_filter(struct buf *text, char *const *words, size_t from, size_t total,
		  struct buf *error);

/* To standard output; a screenful at a time when page is set and it is a terminal. */
void output_show(const struct buf *text, bool page);

/* The terminal's; 24 and 80 when it does not tell. */
void output_screen(size_t *rows, size_t *columns);

/* ---- answers ---- */

/* True when `| display json` was asked for, and done. */
bool output_json(struct cli *cli, const json_t *value);
/* A member that is a string, else "". */
const char *output_text(const json_t *object, const char *name);
/* Seconds since 1970 as "2026-11-23 18:04:05" (UTC). */
void output_time(json_int_t seconds, char out[32]);

/* ---- tables ---- */

struct column {
	const char *key; /* in each row */
	const char *title;
	bool right; /* numbers */
};
/* Columns as wide as their longest value; the last one runs on. Says "none" for no rows. */
void table_print(const json_t *rows, const struct column *columns, size_t count, struct buf *out);
/* A row's member as text: strings, numbers, true as "yes", lists joined by blanks. */
void table_cell(const json_t *value, struct buf *out);

#endif
