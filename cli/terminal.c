/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/terminal.h"

#include "cli/complete.h"
#include "cli/edit.h"
#include "cli/output.h"
#include "cli/show.h"

#include <histedit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY_LINES = 500, LISTED_MAX = 60, LISTED_WORD = 24 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
	client_interrupt();
}

/* ---- prompt ---- */

static char *prompt(EditLine *el)
{
	static char text[384];
	struct cli *cli;

	el_get(el, EL_CLIENTDATA, &cli);
	snprintf(text, sizeof(text), "%s@%s%s%s ", *cli->user ? cli->user : "?",
		 *cli->host ? cli->host : "gatepost", cli->offline ? "(offline)" : "",
		 cli->mode == MODE_CONFIGURE ? "#" : ">");
	return text;
}

/* Lines of their own before the prompt: they may be long, and a prompt that wraps confuses. */
static void announce(struct cli *cli)
{
	struct buf place = BUF_INIT;

	if (!cli_refresh(cli))
		return;
	edit_keep_lock(cli);
	if (cli->waiting)
		cli_say("(revision %u is undone in %d s; 'confirm' keeps it)\n", cli->waiting,
			cli->waiting_seconds < 0 ? 0 : cli->waiting_seconds);
	if (cli->edit.depth) {
		path_print(&cli->edit, &place);
		cli_say("[%s]\n", buf_str(&place));
	}
	buf_free(&place);
}

/* ---- Tab and ? ---- */

struct listing {
	struct buf text;
	struct buf common; /* what all words begin with */
	size_t words, hints;
};

static void add_to_listing(const char *word, const char *help, void *arg)
{
	struct listing *l = arg;
	bool hint = *word == '<';

	if (!hint && l->words++ == 0) {
		buf_appends(&l->common, word);
	} else if (!hint) {
		size_t same = 0;
		while (same < l->common.len && word[same] == l->common.data[same])
			same++;
		buf_truncate(&l->common, same);
	}
	l->hints += hint;
	if (l->words + l->hints > LISTED_MAX)
		return;
	buf_printf(&l->text, "  %-*s", LISTED_WORD, word);
	if (*help && strlen(word) > LISTED_WORD)
		buf_printf(&l->text, "\n  %*s", LISTED_WORD, "");
	buf_printf(&l->text, " %s\n", help);
}

static void read_listing(EditLine *el, struct listing *l, size_t *partial, struct buf *before)
{
	const LineInfo *line = el_line(el);
	struct cli *cli;

	el_get(el, EL_CLIENTDATA, &cli);
	buf_append(before, line->buffer, (size_t)(line->cursor - line->buffer));
	complete_line(cli, buf_str(before), partial, add_to_listing, l);
	if (l->words + l->hints > LISTED_MAX)
		buf_printf(&l->text, "  ... and %zu more\n", l->words + l->hints - LISTED_MAX);
}

static unsigned char list_below(const struct listing *l)
{
	printf("\n%s", l->text.len ? buf_str(&l->text) : "  nothing may follow here\n");
	fflush(stdout);
	return CC_REDISPLAY;
}

static void listing_free(struct listing *l, struct buf *before)
{
	buf_free(&l->text);
	buf_free(&l->common);
	buf_free(before);
}

static unsigned char on_tab(EditLine *el, int key)
{
	struct listing l = {0};
	struct buf before = BUF_INIT;
	size_t partial;
	unsigned char result = CC_REFRESH;

	(void)key;
	read_listing(el, &l, &partial, &before);
	size_t typed = before.len - partial;
	if (l.words && l.common.len > typed)
		el_insertstr(el, buf_str(&l.common) + typed);
	if (l.words == 1 && l.common.len >= typed)
		el_insertstr(el, " ");
	else if (l.common.len <= typed || !l.words)
		result = list_below(&l);
	listing_free(&l, &before);
	return result;
}

static bool inside_quotes(const char *text)
{
	bool inside = false;

	for (; *text; text++) {
		if (inside && *text == '\\' && text[1])
			text++;
		else if (*text == '"')
			inside = !inside;
	}
	return inside;
}

static unsigned char on_question(EditLine *el, int key)
{
	struct listing l = {0};
	struct buf before = BUF_INIT;
	size_t partial;
	unsigned char result;

	(void)key;
	read_listing(el, &l, &partial, &before);
	if (inside_quotes(buf_str(&before)))
		result = el_insertstr(el, "?") == 0 ? CC_REFRESH : CC_ERROR;
	else
		result = list_below(&l);
	listing_free(&l, &before);
	return result;
}

/* ---- the loop ---- */

static EditLine *open_line_editor(struct cli *cli, History *lines)
{
	EditLine *el = el_init("gatepost", stdin, stdout, stderr);

	if (!el)
		return NULL;
	el_set(el, EL_CLIENTDATA, cli);
	el_set(el, EL_PROMPT, prompt);
	el_set(el, EL_EDITOR, "emacs");
	el_set(el, EL_HIST, history, lines);
	el_set(el, EL_ADDFN, "gatepost-complete", "complete the word", on_tab);
	el_set(el, EL_ADDFN, "gatepost-help", "what may come next", on_question);
	el_set(el, EL_BIND, "\t", "gatepost-complete", NULL);
	el_set(el, EL_BIND, "?", "gatepost-help", NULL);
	el_set(el, EL_BIND, "^R", "em-inc-search-prev", NULL);
	return el;
}

/* At the end of input. False when there is something to lose, the first time. */
static bool may_leave(struct cli *cli, bool *warned)
{
	if (!edit_has_changes(cli) || *warned)
		return true;
	cli_say("\nthere are changes: 'commit' puts them in force, once more leaves without "
		"them\n");
	*warned = true;
	return false;
}

static void read_lines(struct cli *cli, EditLine *el, History *lines)
{
	bool warned = false;
	HistEvent event;
	int len;

	while (!cli->quit) {
		announce(cli);
		interrupted = 0;
		/* el_gets() does this behind the prompt: what is typed as soon as that stands would
		 * be echoed by the kernel too. */
		el_set(el, EL_PREP_TERM, 1);
		const char *line = el_gets(el, &len);
		if (!line && interrupted) {
			cli_say("\n");
			continue;
		}
		if (!line || len <= 0) {
			clearerr(stdin);
			if (may_leave(cli, &warned))
				break;
			continue;
		}
		char *copy = strdup(line);
		if (!copy)
			abort();
		copy[strcspn(copy, "\n")] = '\0';
		if (copy[strspn(copy, " \t")])
			history(lines, &event, H_ENTER, copy);
		cli_line(cli, copy);
		free(copy);
		warned = false;
	}
}

int terminal_run(struct cli *cli)
{
	const struct sigaction on_int = {.sa_handler =
						 on_interrupt}; /* no SA_RESTART: it ends waits */
	History *lines = history_init();
	HistEvent event;

	if (!lines)
		abort();
	history(lines, &event, H_SETSIZE, HISTORY_LINES);
	history(lines, &event, H_SETUNIQUE, 1);
	EditLine *el = open_line_editor(cli, lines);
	if (!el) {
		cli_say("this terminal cannot be used\n");
		history_end(lines);
		return CLI_FAILED;
	}
	sigaction(SIGINT, &on_int, NULL);
	show_greeting(cli);
	output_show(&cli->out, true);
	read_lines(cli, el, lines);
	el_end(el);
	history_end(lines);
	return CLI_OK;
}
