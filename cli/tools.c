/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/tools.h"

#include "cli/output.h"
#include "model/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* ---- programs ---- */

/* As it comes; for a pipe, all of it at the end. */
static void take_output(void *arg, const char *text)
{
	struct cli *cli = arg;

	if (cli->piped) {
		buf_appends(&cli->out, text);
		return;
	}
	fputs(text, stdout);
	fflush(stdout);
}

/* Over a connection of its own: Ctrl-C drops it, and the edit lock belongs to the other one. */
static int run_tool(struct cli *cli, const char *verb, const struct args *args)
{
	static const struct {
		const char *arg, *member;
	} texts[] = {{"HOST", "host"},
		     {"DEVICE", "interface"},
		     {"PORT", "port"},
		     {"PROTOCOL", "protocol"}};
	json_t *request = json_pack("{s:s}", "verb", verb);
	const char *count = arg_get(args, "COUNT");

	for (size_t i = 0; i < COUNT(texts); i++)
		if (arg_get(args, texts[i].arg))
			json_object_set_new(request, texts[i].member,
					    json_string(arg_get(args, texts[i].arg)));
	if (count)
		json_object_set_new(request, "count", json_integer(atoi(count)));
	struct client *own = client_beside(cli->client);
	json_t *answer = client_ask(own, request, take_output, cli);
	json_int_t status = json_integer_value(json_object_get(answer, "status"));
	bool ok = json_is_true(json_object_get(answer, "ok"));
	bool unreachable = json_object_get(answer, "unreachable");

	client_free(own);
	if (!ok)
		cli_say("%s", output_text(answer, "error"));
	json_decref(answer);
	return unreachable ? CLI_UNREACHABLE : !ok || status ? CLI_FAILED : CLI_OK;
}

int run_ping(struct cli *cli, const struct args *args)
{
	return run_tool(cli, "ping", args);
}

int run_traceroute(struct cli *cli, const struct args *args)
{
	return run_tool(cli, "traceroute", args);
}

int run_capture(struct cli *cli, const struct args *args)
{
	return run_tool(cli, "capture", args);
}

/* ---- the policy ---- */

static const struct column verdicts[] = {
	{"from", "FROM", false},    {"from_zone", "ZONE", false},  {"to", "TO", false},
	{"to_zone", "ZONE", false}, {"verdict", "VERDICT", false}, {"because", "BECAUSE", false},
};

/* ---- the LAN port ---- */

int run_lanport(struct cli *cli, const struct args *args)
{
	const char *pattern = args->command->pattern, *address = arg_get(args, "ADDRESS");
	json_t *request = json_pack("{s:s}", "verb", "lan-port");
	int status = CLI_OK;

	if (address)
		json_object_set_new(request, "address", json_string(address));
	if (strstr(pattern, " dhcp "))
		json_object_set_new(request, "dhcp",
				    json_string(strstr(pattern, " on") ? "on" : "off"));
	json_t *answer = cli_ask(cli, request, &status);
	if (answer && !output_json(cli, answer))
		buf_printf(&cli->out, "address %s\ndhcp %s\n",
			   json_string_value(json_object_get(answer, "address")),
			   json_is_true(json_object_get(answer, "dhcp")) ? "on" : "off");
	json_decref(answer);
	return status;
}

int run_test_policy(struct cli *cli, const struct args *args)
{
	static const char *const protocols[] = {"tcp", "udp", "icmp"};
	const char *port = arg_get(args, "PORT"), *protocol = "";
	struct buf text = BUF_INIT;
	int status = CLI_OK;

	for (size_t i = 0; i < COUNT(protocols); i++)
		if (strstr(args->command->pattern, protocols[i]))
			protocol = protocols[i];
	if (port && (!*port || strlen(port) > 5 || port[strspn(port, "0123456789")])) {
		cli_say("\"%s\": not a port (1 to 65535)\n", port);
		return CLI_USAGE;
	}
	json_t *request = json_pack("{s:s s:s s:s s:s s:i}", "verb", "test-policy", "from",
				    arg_get(args, "A"), "to", arg_get(args, "B"), "protocol",
				    protocol, "port", port ? atoi(port) : 0);
	if (cli->mode == MODE_CONFIGURE) { /* what the candidate would say */
		text_print(cli->candidate, NULL, &text);
		json_object_set_new(request, "text", json_stringn(buf_str(&text), text.len));
		buf_free(&text);
	}
	json_t *answer = cli_ask(cli, request, &status);
	const json_t *rows = json_object_get(answer, "rows");
	if (answer && !output_json(cli, rows))
		table_print(rows, verdicts, COUNT(verdicts), &cli->out);
	json_decref(answer);
	return status;
}
