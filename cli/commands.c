/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/commands.h"

#include "cli/certificate.h"
#include "cli/cli.h"
#include "cli/commit.h"
#include "cli/edit.h"
#include "cli/load.h"
#include "cli/monitor.h"
#include "cli/queue.h"
#include "cli/relay.h"
#include "cli/rescue.h"
#include "cli/show.h"
#include "cli/support.h"
#include "cli/tools.h"
#include "cli/tracking.h"

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
	{"show firewall counters", "What was let through and what was dropped", OPERATE, show_rows},
	{"show firewall log [limit COUNT]", "Packets that the firewall noted", OPERATE, show_rows},
	{"show firewall ruleset", "The rules in force, as nft text", OPERATE, show_ruleset},
	{"show flows [server SERVER] [limit COUNT]", "Connections, those that moved most first",
	 OPERATE, show_rows},
	{"show services", "Programs that should run", OPERATE, show_rows},
	{"show log", "What a program wrote into its log (gatepostd's)", OPERATE, show_log},
	{"show log SERVICE [limit COUNT]", "What a program wrote into its log", OPERATE, show_log},
	{"show version", "Software, kernel, time since boot", OPERATE, show_version},
	{"show boot", "How the box came up: kernel, disks", OPERATE, show_rows},
	{"show temperature", "How warm the box is", OPERATE, show_rows},
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
	{"show relay keys", "Keys that sign mail; with a domain, what its DNS must say", OPERATE,
	 show_relay_keys},
	{"show relay keys domain DOMAIN", "Keys of one domain, and what its DNS must say", OPERATE,
	 show_relay_keys},
	{"show relay shut-off", "Links and pixels that lead nowhere", OPERATE, show_relay_shut_off},
	{"show relay suppressions [account ACCOUNT] [address ADDRESS] [limit COUNT]",
	 "Who wants no mail of which account", OPERATE, show_relay_suppressions},
	{"request", "Have something done", OPERATE, NULL},
	{"request support", "One archive for whoever helps, without secrets", OPERATE,
	 request_support},
	{"request support FILE", "The same into a file ('-': to standard output)", OPERATE,
	 request_support},
	{"request service", "A program of the box", OPERATE, NULL},
	{"request service restart", "End a program and start it anew", OPERATE, NULL},
	{"request service restart SERVICE", "End it and start it anew", OPERATE, request_restart},
	{"request reboot [confirmed]", "Start the box anew", OPERATE, request_power},
	{"request poweroff [confirmed]", "Switch the box off", OPERATE, request_power},
	{"request factory-reset [confirmed]", "Make the box what it was when it came", OPERATE,
	 request_power},
	{"request lock", "The lock of who edits the config", OPERATE, NULL},
	{"request lock break", "Take the edit lock from who holds it", OPERATE, edit_break_lock},
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
	{"request relay suppress account ACCOUNT address ADDRESS [reason TEXT]",
	 "Send this recipient no more mail of the account", OPERATE, request_relay_list},
	{"request relay unsuppress account ACCOUNT address ADDRESS",
	 "Send this recipient the account's mail again", OPERATE, request_relay_list},
	{"request relay shut-off", "Have links and pixels lead nowhere", OPERATE, NULL},
	{"request relay shut-off account ACCOUNT [reason TEXT]", "Those of an account", OPERATE,
	 request_relay_list},
	{"request relay shut-off domain DOMAIN [reason TEXT]",
	 "Links to this domain, and to all below it", OPERATE, request_relay_list},
	{"request relay shut-off message MESSAGE [reason TEXT]", "Those of one message", OPERATE,
	 request_relay_list},
	{"request relay reopen", "Have them work again", OPERATE, NULL},
	{"request relay reopen account ACCOUNT", "Those of an account", OPERATE,
	 request_relay_list},
	{"request relay reopen domain DOMAIN", "Links to this domain", OPERATE, request_relay_list},
	{"request relay reopen message MESSAGE", "Those of one message", OPERATE,
	 request_relay_list},
	{"request relay key", "Keys that sign mail", OPERATE, NULL},
	{"request relay key make", "Make one, and say what the DNS must say", OPERATE, NULL},
	{"request relay key make DOMAIN SELECTOR", "RSA: everybody reads it", OPERATE,
	 request_relay_key},
	{"request relay key make DOMAIN SELECTOR rsa", "RSA: everybody reads it", OPERATE,
	 request_relay_key},
	{"request relay key make DOMAIN SELECTOR ed25519", "Ed25519, beside an RSA key", OPERATE,
	 request_relay_key},
	{"monitor", "One screen, again and again; q ends it", OPERATE, NULL},
	{"monitor interfaces [interval SECONDS] [count COUNT]", "What the ports carry", OPERATE,
	 run_monitor},
	{"monitor firewall [interval SECONDS] [count COUNT]", "What is let through and dropped",
	 OPERATE, run_monitor},
	{"monitor relay [interval SECONDS] [count COUNT]",
	 "What each account sends, and what waits", OPERATE, run_monitor},
	{"show lan-port", "The laptop's port: its address, and whether it gives one", OPERATE,
	 run_lanport},
	{"request lan-port", "The laptop's port, which no commit touches", OPERATE, NULL},
	{"request lan-port address ADDRESS", "Its address; sessions through it end", OPERATE,
	 run_lanport},
	{"request lan-port dhcp", "Whether it gives the laptop an address", OPERATE, NULL},
	{"request lan-port dhcp on", "It does; sessions through it end", OPERATE, run_lanport},
	{"request lan-port dhcp off", "It does not; sessions through it end", OPERATE, run_lanport},
	{"system", "What is not part of the config", OPERATE, NULL},
	{"system certificate", "Paste a certificate's chain and key", OPERATE, NULL},
	{"system certificate NAME", "Paste its chain and key (PEM), up to Ctrl-D", OPERATE,
	 system_certificate},
	{"ping", "Ask a host to answer", OPERATE, NULL},
	{"ping HOST [count COUNT]", "Ask a host to answer", OPERATE, run_ping},
	{"traceroute", "Which way packets go to a host", OPERATE, NULL},
	{"traceroute HOST", "Which way packets go to a host", OPERATE, run_traceroute},
	{"capture [interface DEVICE] [host HOST] [port PORT] [protocol PROTOCOL] [count COUNT]",
	 "Packets as they come and go, on the screen", OPERATE, run_capture},
	{"test", "What would happen", BOTH, NULL},
	{"test policy", "Which line decides about a connection; no packet is sent", BOTH, NULL},
	{"test policy from A to B tcp PORT", "A TCP connection", BOTH, run_test_policy},
	{"test policy from A to B udp PORT", "A UDP packet", BOTH, run_test_policy},
	{"test policy from A to B icmp", "A ping", BOTH, run_test_policy},
	{"configure", "Edit the config", OPERATE, edit_configure},
	{"load", "Take a file as the config", OPERATE, NULL},
	{"load FILE [comment TEXT] [confirmed TIME]",
	 "Take a file as the config, and commit it ('-': what follows)", OPERATE, load_and_commit},

	{"set PATH...", "Give the candidate something", CONFIGURE, edit_set},
	{"delete PATH...", "Take something away from the candidate", CONFIGURE, edit_delete},
	{"edit PATH...", "Go to a part of the candidate", CONFIGURE, edit_edit},
	{"up", "Leave this part for the one around it", CONFIGURE, edit_up},
	{"top", "Leave this part for the whole", CONFIGURE, edit_top},
	{"show PATH...", "The candidate from here on; '| compare' shows its changes", CONFIGURE,
	 edit_show},
	{"rename PATH...", "Another name for an entry: rename servers web1 to web2", CONFIGURE,
	 edit_rename},
	{"copy PATH...", "A second entry like this one: copy servers web1 to web2", CONFIGURE,
	 edit_copy},
	{"insert PATH...", "Order in a list: insert ... VALUE before|after OTHER", CONFIGURE,
	 edit_insert},
	{"annotate PATH...", "A comment for a part of the candidate: annotate ... TEXT", CONFIGURE,
	 edit_annotate},
	{"commit [comment TEXT] [confirmed TIME]", "Put the candidate in force", CONFIGURE,
	 commit_commit},
	{"commit check", "Only see whether it would go", CONFIGURE, commit_check},
	{"discard", "Forget all changes to the candidate", CONFIGURE, edit_discard},
	{"load", "Take a text as the candidate", CONFIGURE, NULL},
	{"load FILE", "Take a file as the candidate ('-': what follows)", CONFIGURE, load_load},
	{"load terminal", "Take what is pasted as the candidate, up to Ctrl-D", CONFIGURE,
	 load_load},
	{"load merge", "Add a text to the candidate", CONFIGURE, NULL},
	{"load merge FILE", "Add a file to the candidate", CONFIGURE, load_merge},
	{"load merge terminal", "Add what is pasted, up to Ctrl-D", CONFIGURE, load_merge},
	{"save", "Write the candidate to a file", CONFIGURE, NULL},
	{"save FILE", "Write the candidate to a file ('-': to the screen)", CONFIGURE, load_save},
	{"run COMMAND...", "A command from outside the configuration", CONFIGURE, run_run},

	{"rollback", "Go back", BOTH, NULL},
	{"rollback REVISION", "Take an old revision as the candidate (0: the one in force)",
	 CONFIGURE, commit_rollback},
	{"rollback now", "Undo the commit that waits to be confirmed", BOTH, commit_rollback_now},
	{"confirm", "Keep the commit that waits to be confirmed", BOTH, commit_confirm},
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

/* cli_line() puts the command behind "run" in its place; what comes here has none. */
static int run_run(struct cli *cli, const struct args *args)
{
	(void)cli;
	(void)args;
	cli_say("more is needed: a command, as in 'run show routes'\n");
	return CLI_USAGE;
}
