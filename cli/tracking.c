/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/tracking.h"

#include "cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct column suppression_columns[] = {
	{"since", "SINCE (UTC)", false}, {"account", "ACCOUNT", false},
	{"address", "ADDRESS", false},   {"reason", "REASON", false},
	{"message", "MESSAGE", false},
};
static const struct column shut_columns[] = {
	{"since", "SINCE (UTC)", false},
	{"kind", "KIND", false},
	{"name", "NAME", false},
	{"reason", "REASON", false},
};
static const struct column key_columns[] = {
	{"domain", "DOMAIN", false}, {"selector", "SELECTOR", false}, {"kind", "KIND", false},
	{"bits", "BITS", true},      {"accounts", "ACCOUNTS", false}, {"state", "STATE", false},
};

static json_t *ask(struct cli *cli, json_t *question, int *status)
{
	return cli_ask(cli, json_pack("{s:s s:o}", "verb", "relay", "request", question), status);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	return s ? s : "";
}

/* The arguments that stand for members of the question. */
static json_t *question_of(const char *verb, const struct args *args)
{
	static const struct {
		const char *arg, *member;
	} names[] = {{"MESSAGE", "message"}, {"ACCOUNT", "account"},   {"DOMAIN", "domain"},
		     {"ADDRESS", "address"}, {"SELECTOR", "selector"}, {"TEXT", "reason"}};
	json_t *question = json_pack("{s:s}", "verb", verb);

	for (size_t i = 0; i < COUNT(names); i++)
		if (arg_get(args, names[i].arg))
			json_object_set_new(question, names[i].member,
					    json_string(arg_get(args, names[i].arg)));
	return question;
}

static bool print_json(struct cli *cli, const json_t *value)
{
	if (cli->display != DISPLAY_JSON)
		return false;
	char *text = json_dumps(value, JSON_INDENT(2));
	buf_printf(&cli->out, "%s\n", text ? text : "");
	free(text);
	return true;
}

/* ---- lists ---- */

int show_relay_suppressions(struct cli *cli, const struct args *args)
{
	const char *count = arg_get(args, "COUNT");
	json_t *question = question_of("suppressions", args);
	int status = CLI_OK;

	json_object_set_new(question, "limit", json_integer(count ? atoi(count) : 100));
	json_t *answer = ask(cli, question, &status);
	const json_t *rows = json_object_get(answer, "rows");
	if (answer && !print_json(cli, rows)) {
		table_print(rows, suppression_columns, COUNT(suppression_columns), &cli->out);
		if (json_is_true(json_object_get(answer, "more")))
			buf_appends(&cli->out, "(there are more: limit COUNT, or name an account "
					       "or address)\n");
	}
	json_decref(answer);
	return status;
}

int show_relay_shut_off(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;
	json_t *answer = ask(cli, question_of("shut-list", args), &status);
	const json_t *rows = json_object_get(answer, "rows");

	if (answer && !print_json(cli, rows))
		table_print(rows, shut_columns, COUNT(shut_columns), &cli->out);
	json_decref(answer);
	return status;
}

int request_relay_list(struct cli *cli, const struct args *args)
{
	const char *word = args->command->pattern + strlen("request relay ");
	char verb[16];
	int status = CLI_OK;

	snprintf(verb, sizeof(verb), "%.*s", (int)strcspn(word, " "), word);
	json_t *answer = ask(cli, question_of(verb, args), &status);
	if (answer && !print_json(cli, answer))
		buf_appends(&cli->out, json_is_true(json_object_get(answer, "new"))
					       ? "done\n"
					       : "it was so already\n");
	json_decref(answer);
	return status;
}

/* ---- keys ---- */

/* What has to be put into the DNS for one key. */
static void print_record(const json_t *key, struct buf *out)
{
	bool rsa = !strcmp(text_of(key, "kind"), "rsa");

	if (!*text_of(key, "record"))
		return;
	buf_printf(out, "\nFor the zone of %s:\n\n%s", text_of(key, "domain"),
		   text_of(key, "record"));
	buf_printf(out, "\nWhere a form asks for a name and a text:\n\n%s\n%s\n",
		   text_of(key, "name"), text_of(key, "text"));
	if (rsa)
		buf_printf(out,
			   "\nDomainKeys reads the same record; beside it, once for the domain:\n\n"
			   "_domainkey.%s. IN TXT \"o=~\"\n",
			   text_of(key, "domain"));
}

int show_relay_keys(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;
	json_t *answer = ask(cli, question_of("keys", args), &status);
	const json_t *keys = json_object_get(answer, "keys"), *key;
	size_t i;

	if (answer && !print_json(cli, keys)) {
		table_print(keys, key_columns, COUNT(key_columns), &cli->out);
		json_array_foreach(keys, i, key)
		{
			if (arg_get(args, "DOMAIN"))
				print_record(key, &cli->out);
		}
	}
	json_decref(answer);
	return status;
}

int request_relay_key(struct cli *cli, const struct args *args)
{
	const char *last = strrchr(args->command->pattern, ' ') + 1;
	json_t *question = question_of("key-make", args);
	int status = CLI_OK;

	if (strcmp(last, "SELECTOR") != 0)
		json_object_set_new(question, "kind", json_string(last));
	json_t *answer = ask(cli, question, &status);
	const json_t *key = json_object_get(answer, "key");
	if (answer && !print_json(cli, key)) {
		buf_printf(&cli->out, "%s is made.\n", text_of(key, "file"));
		print_record(key, &cli->out);
	}
	json_decref(answer);
	return status;
}
