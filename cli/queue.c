/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/queue.h"

#include "cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct column waiting_columns[] = {
	{"message", "MESSAGE", false}, {"account", "ACCOUNT", false},
	{"age-s", "AGE-S", true},      {"recipients-left", "LEFT", true},
	{"sender", "SENDER", false},   {"subject", "SUBJECT", false},
};
static const struct column recipient_columns[] = {
	{"address", "RECIPIENT", false},
	{"state", "STATE", false},
	{"attempts", "TRIES", true},
	{"reply", "LAST REPLY", false},
};

static json_t *ask(struct cli *cli, json_t *question, int *status)
{
	return cli_ask(cli, json_pack("{s:s s:o}", "verb", "relay", "request", question), status);
}

/* The arguments that stand for members of the question. */
static void add_which(json_t *question, const struct args *args)
{
	static const struct {
		const char *arg, *member;
	} names[] = {{"MESSAGE", "message"},
		     {"ACCOUNT", "account"},
		     {"DOMAIN", "destination"},
		     {"TEXT", "reason"}};

	for (size_t i = 0; i < COUNT(names); i++)
		if (arg_get(args, names[i].arg))
			json_object_set_new(question, names[i].member,
					    json_string(arg_get(args, names[i].arg)));
}

int show_relay_waiting(struct cli *cli, const struct args *args)
{
	const char *count = arg_get(args, "COUNT");
	json_t *question =
		json_pack("{s:s s:i}", "verb", "queue", "list", count ? atoi(count) : 50);
	int status = CLI_OK;

	add_which(question, args);
	json_t *answer = ask(cli, question, &status);
	const json_t *list = json_object_get(answer, "list");
	if (answer && !output_json(cli, list))
		table_print(list, waiting_columns, COUNT(waiting_columns), &cli->out);
	json_decref(answer);
	return status;
}

int show_relay_waiting_message(struct cli *cli, const struct args *args)
{
	json_t *question = json_pack("{s:s}", "verb", "show");
	int status = CLI_OK;

	add_which(question, args);
	json_t *answer = ask(cli, question, &status);
	if (answer && !output_json(cli, answer)) {
		buf_printf(&cli->out, "Account %s, from %s, %lld bytes, waits for %lld s: %s\n",
			   output_text(answer, "account"), output_text(answer, "sender"),
			   (long long)json_integer_value(json_object_get(answer, "size")),
			   (long long)json_integer_value(json_object_get(answer, "age-s")),
			   output_text(answer, "subject"));
		table_print(json_object_get(answer, "recipients"), recipient_columns,
			    COUNT(recipient_columns), &cli->out);
	}
	json_decref(answer);
	return status;
}

int show_relay_alarms(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;
	json_t *answer = ask(cli, json_pack("{s:s}", "verb", "alarms"), &status);
	const json_t *list = json_object_get(answer, "alarms"), *row;
	size_t i;

	(void)args;
	if (answer && !output_json(cli, list)) {
		json_array_foreach(list, i, row)
		{
			buf_printf(&cli->out, "! %s: %s\n  %s\n  What to do: %s\n",
				   output_text(row, "alarm"), output_text(row, "subject"),
				   output_text(row, "says"), output_text(row, "mend"));
		}
		if (json_array_size(list) == 0)
			buf_appends(&cli->out, "none\n");
	}
	json_decref(answer);
	return status;
}

/* What was done, in words. */
static void print_done(const json_t *answer, const char *verb, struct buf *out)
{
	const json_t *changed = json_object_get(answer, "changed");

	if (changed)
		buf_printf(out, "%s: %lld recipients\n", verb,
			   (long long)json_integer_value(changed));
	else if (json_is_true(json_object_get(answer, "draining")))
		buf_printf(out, "new mail is refused; %lld messages are still there\n",
			   (long long)json_integer_value(json_object_get(answer, "messages")));
	else
		buf_appends(out, "done\n");
}

int request_relay(struct cli *cli, const struct args *args)
{
	const char *word = args->command->pattern + strlen("request relay ");
	char verb[16];
	json_t *question;
	int status = CLI_OK;

	snprintf(verb, sizeof(verb), "%.*s", (int)strcspn(word, " "), word);
	question = json_pack("{s:s}", "verb", verb);
	add_which(question, args);
	if (!strcmp(word, "drain end"))
		json_object_set_new(question, "end", json_true());
	json_t *answer = ask(cli, question, &status);
	if (answer && !output_json(cli, answer))
		print_done(answer, verb, &cli->out);
	json_decref(answer);
	return status;
}
