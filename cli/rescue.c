/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/rescue.h"

#include "cli/output.h"

#include <stdlib.h>
#include <string.h>

/* NULL after a failure, which has been said. Takes the reference to request. */
static json_t *ask(struct cli *cli, json_t *request, int *status)
{
	json_t *answer = client_ask(cli->rescue, request, NULL, NULL);

	*status = CLI_OK;
	if (json_is_true(json_object_get(answer, "ok")))
		return answer;
	*status = json_object_get(answer, "unreachable") ? CLI_UNREACHABLE : CLI_FAILED;
	cli_say("%s", output_text(answer, "error"));
	json_decref(answer);
	return NULL;
}

int show_log(struct cli *cli, const struct args *args)
{
	const char *service = arg_get(args, "SERVICE"), *count = arg_get(args, "COUNT");
	int status;
	json_t *answer =
		ask(cli,
		    json_pack("{s:s s:s s:i}", "verb", "log", "service",
			      service ? service : "gatepostd", "limit", count ? atoi(count) : 50),
		    &status);

	if (answer && !output_json(cli, json_object_get(answer, "text")))
		buf_appends(&cli->out, output_text(answer, "text"));
	json_decref(answer);
	return status;
}

int request_restart(struct cli *cli, const struct args *args)
{
	const char *service = arg_get(args, "SERVICE");
	int status;
	json_t *answer =
		ask(cli, json_pack("{s:s s:s}", "verb", "restart", "service", service), &status);

	if (answer)
		buf_printf(&cli->out, "%s is started anew; 'show services' shows how it went\n",
			   service);
	json_decref(answer);
	return status;
}

static const struct {
	const char *verb, *would, *does;
} powers[] = {
	{"reboot", "everything stops for the time that the box takes to start",
	 "the box starts anew"},
	{"poweroff", "everything stops until somebody switches the box on", "the box goes off"},
	{"factory-reset",
	 "the configuration with all its revisions, accounts, passwords and keys are gone for "
	 "good;\n"
	 "mail that waits and reports stay. The first password is then shown on the consoles",
	 "the box starts anew, as it came"},
};

int request_power(struct cli *cli, const struct args *args)
{
	const char *word = args->command->pattern + strlen("request ");
	size_t len = strcspn(word, " "), i = 0;
	int status;

	while (strlen(powers[i].verb) != len || strncmp(powers[i].verb, word, len) != 0)
		i++; /* the table of commands names no other */
	if (!arg_get(args, "confirmed")) {
		cli_say("%s.\nNothing was done; 'request %s confirmed' does it\n", powers[i].would,
			powers[i].verb);
		return CLI_FAILED;
	}
	json_t *answer = ask(cli, json_pack("{s:s}", "verb", powers[i].verb), &status);
	if (answer)
		buf_printf(&cli->out, "%s\n", powers[i].does);
	json_decref(answer);
	return status;
}
