/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/relay.h"

#include "cli/output.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct column log_columns[] = {
	{"time", "TIME", false},       {"message", "MESSAGE", false}, {"event", "EVENT", false},
	{"account", "ACCOUNT", false}, {"to", "TO", false},           {"detail", "DETAIL", false},
};
static const struct column message_columns[] = {
	{"time", "TIME", false}, {"event", "EVENT", false}, {"class", "CLASS", false},
	{"to", "TO", false},     {"peer", "PEER", false},   {"text", "DETAIL", false},
};

static json_t *ask_relay(struct cli *cli, json_t *question, int *status)
{
	return cli_ask(cli, json_pack("{s:s s:o}", "verb", "relay", "request", question), status);
}

/* "2026-11-23T18:04:05.123Z" as "11-23 18:04:05": a line has 80 columns. */
static void shorten_time(json_t *row)
{
	const char *t = output_text(row, "time");
	char brief[32];

	if (strlen(t) < 19 || t[10] != 'T')
		return;
	snprintf(brief, sizeof(brief), "%.5s %.8s", t + 5, t + 11);
	json_object_set_new(row, "time", json_string(brief));
}

int show_relay_log(struct cli *cli, const struct args *args)
{
	static const struct {
		const char *arg, *member;
	} texts[] = {{"ACCOUNT", "account"}, {"ADDRESS", "to"}, {"AGE", "since"}};
	const char *count = arg_get(args, "COUNT");
	json_t *question = json_pack("{s:s s:i}", "verb", "log", "limit", count ? atoi(count) : 50);
	json_t *row;
	int status = CLI_OK;
	size_t n;

	for (size_t i = 0; i < COUNT(texts); i++)
		if (arg_get(args, texts[i].arg))
			json_object_set_new(question, texts[i].member,
					    json_string(arg_get(args, texts[i].arg)));
	json_t *answer = ask_relay(cli, question, &status);
	json_t *rows = json_object_get(answer, "rows");
	if (answer && !output_json(cli, rows)) {
		json_array_foreach(rows, n, row)
		{
			shorten_time(row);
		}
		table_print(rows, log_columns, COUNT(log_columns), &cli->out);
		if (json_is_true(json_object_get(answer, "more")))
			buf_appends(&cli->out, "there is more; 'limit N' shows more of it\n");
	}
	json_decref(answer);
	return status;
}

/* Whatever says most about one event. */
static void add_text(json_t *row)
{
	const char *url = output_text(row, "url"), *reason = output_text(row, "reason");

	json_object_set_new(row, "text",
			    json_string(*url      ? url
					: *reason ? reason
						  : output_text(row, "detail")));
}

int show_relay_message(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;
	json_t *answer = ask_relay(
		cli, json_pack("{s:s s:s}", "verb", "log", "message", arg_get(args, "MESSAGE")),
		&status);
	json_t *rows = json_object_get(answer, "rows"), *row;
	const json_t *first = json_array_get(rows, 0);
	size_t n;

	if (answer && !output_json(cli, rows)) {
		if (first)
			buf_printf(&cli->out, "Account %s, from %s\n",
				   output_text(first, "account"), output_text(first, "from"));
		json_array_foreach(rows, n, row)
		{
			shorten_time(row);
			add_text(row);
		}
		table_print(rows, message_columns, COUNT(message_columns), &cli->out);
	}
	json_decref(answer);
	return status;
}

enum { GENERIC_COLUMNS_MAX = 10 };

/* Rows of whatever shape the relay gives them: a column for each member of the first one. */
static void print_rows(const json_t *rows, struct buf *out)
{
	struct column columns[GENERIC_COLUMNS_MAX];
	char titles[GENERIC_COLUMNS_MAX][32];
	json_t *first = json_array_get(rows, 0), *value;
	const char *name;
	size_t count = 0;

	json_object_foreach(first, name, value)
	{
		if (count == GENERIC_COLUMNS_MAX)
			break;
		snprintf(titles[count], sizeof(titles[count]), "%s", name);
		for (char *s = titles[count]; *s; s++)
			*s = *s == '_' ? '-' : (char)toupper((unsigned char)*s);
		columns[count] = (struct column){name, titles[count], json_is_integer(value)};
		count++;
	}
	table_print(rows, columns, count, out);
}

static void print_member(const char *name, const json_t *value, struct buf *out)
{
	buf_printf(out, "%s:", name);
	if (json_is_object(json_array_get(value, 0))) {
		buf_appendc(out, '\n');
		print_rows(value, out);
		return;
	}
	buf_appendc(out, ' ');
	if (json_is_array(value) && json_array_size(value) == 0)
		buf_appends(out, "none");
	else
		table_cell(value, out);
	buf_appendc(out, '\n');
}

/* "show relay queue", "show relay processes", ...: the answer's lists as tables, the rest below. */
int show_relay(struct cli *cli, const struct args *args)
{
	static const struct {
		const char *word, *verb;
	} verbs[] = {{"queue", "queue"},
		     {"processes", "status"},
		     {"listeners", "listeners"},
		     {"certificate", "certificate"},
		     {"statistics", "statistics"}};
	const char *word = strrchr(args->command->pattern, ' ') + 1, *verb = word, *name;
	json_t *value;
	int status = CLI_OK;

	for (size_t i = 0; i < COUNT(verbs); i++)
		if (!strcmp(verbs[i].word, word))
			verb = verbs[i].verb;
	json_t *answer = ask_relay(cli, json_pack("{s:s}", "verb", verb), &status);
	if (answer)
		json_object_del(answer, "ok");
	if (answer && !output_json(cli, answer)) {
		json_object_foreach(answer, name, value)
		{
			print_member(name, value, &cli->out);
		}
	}
	json_decref(answer);
	return status;
}

int run_reload_relay(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;

	(void)args;
	json_decref(ask_relay(cli, json_pack("{s:s}", "verb", "reload"), &status));
	return status;
}
