/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/commands.h"

#include "cli/cli.h"
#include "cli/edit.h"
#include "cli/queue.h"
#include "cli/show.h"

#include <string.h>

#define OPERATE   MODE_OPERATE
#define CONFIGURE MODE_CONFIGURE
#define BOTH      (MODE_OPERATE | MODE_CONFIGURE)

static int run_help(struct cli *cli, const struct args *args);
static int run_run(struct cli *cli, const struct args *args);

/* A heading stands before the commands that it explains the first words of. */
const struct command commands[] = {
	{"show", "What there is, and what it does", OPERATE, NULL},
	{"show configuration PATH...", "The config in force, or a part of it", OPERATE,
	 show_configuration},
	{"show interfaces", "Ports, their addresses and counters", OPERATE, show_rows},
	{"show routes", "Where packets go", OPERATE, show_rows},
	{"show neighbours", "Who answers on the wires", OPERATE, show_rows},
	{"show firewall", "What was let through and what was dropped", OPERATE, show_rows},
	{"show firewall ruleset", "The rules in force, as nft text", OPERATE, show_ruleset},
	{"show services", "Programs that should run", OPERATE, show_rows},
	{"show version", "Software, kernel, time since boot", OPERATE, show_version},
	{"show alarms", "What is wrong, and what to do", OPERATE, show_alarms},
	{"show revisions", "Configs that were committed", OPERATE, show_revisions},
	{"show audit", "Who gave which command, and what came of it", OPERATE, show_rows},
	{"show revision", "One of them", OPERATE, NULL},
	{"show revision REVISION", "One of them", OPERATE, show_revision},
	{"show relay", "The mail relay", OPERATE, NULL},
	{"show relay log [account ACCOUNT] [to ADDRESS] [since AGE] [limit COUNT]",
	 "What happened to mail", OPERATE, show_relay_log},
	{"show relay message", "What happened to one message", OPERATE, NULL},
	{"show relay message MESSAGE", "What happened to one message", OPERATE, show_relay_message},
	{"show relay queue", "Mail that waits, by account, age, provider and destination", OPERATE,
	 show_relay},
	{"show relay waiting [account ACCOUNT] [destination DOMAIN] [limit COUNT]",
	 "Messages that wait, one a line", OPERATE, show_relay_waiting},
	{"show relay waiting message", "One of them, with its recipients", OPERATE, NULL},
	{"show relay waiting message MESSAGE", "One of them, with its recipients", OPERATE,
	 show_relay_waiting_message},
	{"show relay alarms", "What is wrong in the relay, and what to do", OPERATE,
	 show_relay_alarms},
	{"show relay statistics", "Counts by account", OPERATE, show_relay},
	{"show relay processes", "The relay's processes", OPERATE, show_relay},
	{"show relay listeners", "Where it listens", OPERATE, show_relay},
	{"show relay certificate", "What it shows to clients, and until when", OPERATE, show_relay},
	{"request", "Have something done", OPERATE, NULL},
	{"request relay", "Have the relay do something", OPERATE, NULL},
	{"request relay hold [message MESSAGE] [account ACCOUNT] [destination DOMAIN]",
	 "Keep waiting mail back until it is released", OPERATE, request_relay},
	{"request relay release [message MESSAGE] [account ACCOUNT] [destination DOMAIN]",
	 "Let held mail go on", OPERATE, request_relay},
	{"request relay retry [message MESSAGE] [account ACCOUNT] [destination DOMAIN]",
	 "Try waiting mail now", OPERATE, request_relay},
	{"request relay remove [message MESSAGE] [account ACCOUNT] [destination DOMAIN]",
	 "Throw waiting mail away; its sender is not told", OPERATE, request_relay},
	{"request relay pause", "Send nothing until 'resume', also after a restart", OPERATE, NULL},
	{"request relay pause account ACCOUNT [reason TEXT]", "Send nothing of this account",
	 OPERATE, request_relay},
	{"request relay pause destination DOMAIN [reason TEXT]",
	 "Send nothing to this recipient domain", OPERATE, request_relay},
	{"request relay resume", "End a pause", OPERATE, NULL},
	{"request relay resume account ACCOUNT", "End an account's pause", OPERATE, request_relay},
	{"request relay resume destination DOMAIN", "End a destination's pause", OPERATE,
	 request_relay},
	{"request relay reload", "Take renewed certificates, without dropping a session", OPERATE,
	 run_reload_relay},
	{"request relay drain", "Refuse new mail, deliver what is there", OPERATE, request_relay},
	{"request relay drain end", "Take new mail again", OPERATE, request_relay},
	{"ping", "Ask a host to answer", OPERATE, NULL},
	{"ping HOST [count COUNT]", "Ask a host to answer", OPERATE, run_ping},
	{"configure", "Edit the config", OPERATE, edit_configure},

	{"set PATH...", "Give the candidate something", CONFIGURE, edit_set},
	{"delete PATH...", "Take something away from the candidate", CONFIGURE, edit_delete},
	{"edit PATH...", "Go to a part of the candidate", CONFIGURE, edit_edit},
	{"up", "Leave this part for the one around it", CONFIGURE, edit_up},
	{"top", "Leave this part for the whole", CONFIGURE, edit_top},
	{"show PATH...", "The candidate from here on; '| compare' shows its changes", CONFIGURE,
	 edit_show},
	{"commit [comment TEXT] [confirmed TIME]", "Put the candidate in force", CONFIGURE,
	 edit_commit},
	{"commit check", "Only see whether it would go", CONFIGURE, edit_commit_check},
	{"discard", "Forget all changes to the candidate", CONFIGURE, edit_discard},
	{"load", "Take a file as the candidate", CONFIGURE, NULL},
	{"load FILE", "Take a file as the candidate", CONFIGURE, edit_load},
	{"save", "Write the candidate to a file", CONFIGURE, NULL},
	{"save FILE", "Write the candidate to a file", CONFIGURE, edit_save},
	{"run COMMAND...", "A command from outside the configuration", CONFIGURE, run_run},

	{"rollback", "Go back", BOTH, NULL},
	{"rollback REVISION", "Take an old revision as the candidate (0: the one in force)",
	 CONFIGURE, edit_rollback},
	{"rollback now", "Undo the commit that waits to be confirmed", BOTH, edit_rollback_now},
	{"confirm", "Keep the commit that waits to be confirmed", BOTH, edit_confirm},
	{"help", "This list", BOTH, run_help},
	{"exit", "Leave", BOTH, edit_exit},
	{"quit", "Leave", BOTH, edit_exit},
};
const size_t commands_count = sizeof(commands) / sizeof(*commands);

static int run_help(struct cli *cli, const struct args *args)
{
	(void)args;
	for (size_t i = 0; i < commands_count; i++) {
		const struct command *c = &commands[i];
		if ((c->modes & cli->mode) && c->run)
			buf_printf(&cli->out, "%-26s%s%s\n", c->pattern,
				   strlen(c->pattern) < 26 ? "" : "\n                          ",
				   c->help);
	}
	buf_appends(&cli->out, "\nTab completes a word, ? says what may come next. "
			       "Behind a command: | match TEXT, | except TEXT,\n"
			       "| count, | no-more, | display set, | display json.\n");
	return CLI_OK;
}

static int run_run(struct cli *cli, const struct args *args)
{
	struct args inner;
	struct buf error = BUF_INIT;
	int status = CLI_USAGE;

	if (grammar_match(cli->grammar, MODE_OPERATE, args->rest, args->rest_count, &inner,
			  &error) &&
	    inner.command->run != edit_configure && inner.command->run != edit_exit)
		status = inner.command->run(cli, &inner);
	else if (error.len)
		cli_say("%s", buf_str(&error));
	else
		cli_say("not from within the configuration\n");
	buf_free(&error);
	return status;
}
