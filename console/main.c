/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gatepost-console: the LAN port, and what a laptop finds there: DHCP and SSH.
 *
 *	gatepost-console [OPTIONS]      the keeper (keeper.h)
 *	gatepost-console --stack ...    what the keeper executes (stack.h)
 *
 * The whole way from a frame to the shell's bytes is lwIP's and ours, in a network namespace of the
 * port's own: no rule, route, sysctl or address of the site's configuration is on it.
 */
#include "console/chance.h"
#include "console/handover.h"
#include "console/keeper.h"
#include "console/stack.h"
#include "lib/log.h"

#include <getopt.h>
#include <lwip/priv/tcp_priv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the place of what lwIP would call (chance.h). */
int rand(void)
{
	return chance_rand();
}

u32_t tcp_next_iss(struct tcp_pcb *pcb)
{
	(void)pcb;
	return chance_iss();
}

static const struct {
	struct option option;
	const char *argument, *help;
} known[] = {
	{{"port", 1, NULL, 'p'}, "DEVICE", "the LAN port (eth2)"},
	{{"netns", 1, NULL, 'n'}, "PATH", "where its namespace is pinned (/run/netns/lan)"},
	{{"settings", 1, NULL, 's'}, "FILE", "address, dhcp (/config/system/lan-port)"},
	{{"host-key", 1, NULL, 'k'}, "FILE", "dropbear's (/config/system/ssh-host-key)"},
	{{"dropbear", 1, NULL, 'd'}, "PATH", "the SSH server (/usr/sbin/dropbear)"},
	{{"log", 1, NULL, 'l'}, "PATH", "the syslog socket that it finds (/dev/log)"},
	{{"root", 1, NULL, 'r'}, "DIR", "an empty directory (/run/gatepost/empty)"},
	{{"user", 1, NULL, 'u'}, "NAME", "who reads frames (gp-console)"},
	{{"help", 0, NULL, 'h'}, "", "this list"},
};
#define OPTION_COUNT (sizeof(known) / sizeof(*known))

_Noreturn static void usage(FILE *out, int status)
{
	fprintf(out, "gatepost-console [OPTIONS]: SSH and DHCP at the LAN port\n");
	for (size_t i = 0; i < OPTION_COUNT; i++)
		fprintf(out, "  --%-8s %-6s %s\n", known[i].option.name, known[i].argument,
			known[i].help);
	exit(status);
}

static void parse_options(struct keeper_options *o, int argc, char **argv)
{
	struct option list[OPTION_COUNT + 1] = {0};
	int c;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		list[i] = known[i].option;
	while ((c = getopt_long(argc, argv, "", list, NULL)) != -1) {
		switch (c) {
		case 'p':
			o->device = optarg;
			break;
		case 'n':
			o->netns = optarg;
			break;
		case 's':
			o->settings = optarg;
			break;
		case 'k':
			o->host_key = optarg;
			break;
		case 'd':
			o->dropbear = optarg;
			break;
		case 'l':
			o->log = optarg;
			break;
		case 'r':
			o->root = optarg;
			break;
		case 'u':
			o->user = optarg;
			break;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, 2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "gatepost-console: \"%s\": an option begins with --\n",
			argv[optind]);
		usage(stderr, 2);
	}
}

/* --stack INDEX MAC ADDRESS DHCP ROOT USER: from keeper.c, and nobody else. */
_Noreturn static void be_stack(char **words)
{
	struct stack_options o = {.sockets.index = (unsigned)strtoul(words[0], NULL, 10),
				  .root = words[4],
				  .user = words[5]};
	uint8_t *m = o.sockets.mac;

	lanport_default(&o.settings);
	if (sscanf(words[1], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1], &m[2], &m[3], &m[4],
		   &m[5]) != MAC_LEN ||
	    !lanport_address(words[2], &o.settings.address))
		fatal("--stack is not for people");
	o.settings.dhcp = !strcmp(words[3], "on");
	for (int i = 0; i < FRAME_CLASSES; i++)
		o.sockets.fds[i] = HANDOVER_SOCKETS + i;
	stack_run(&o);
}

int main(int argc, char **argv)
{
	struct keeper_options o = {
		.device = "eth2",
		.netns = "/run/netns/lan",
		.settings = "/config/system/lan-port",
		.host_key = "/config/system/ssh-host-key",
		.dropbear = "/usr/sbin/dropbear",
		.log = "/dev/log",
		.root = "/run/gatepost/empty",
		.user = "gp-console",
	};

	log_open("gatepost-console", LOG_LEVEL_INFO);
	if (argc == 8 && !strcmp(argv[1], "--stack"))
		be_stack(argv + 2);
	parse_options(&o, argc, argv);
	return keeper_run(&o);
}
