/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gatepost: the operator's shell.
 *
 *	gatepost                        at a terminal, or a script on standard input
 *	gatepost show version           one command
 *	gatepost -c 'configure; set system host-name gw1; commit'   several; also how SSH calls it,
 *	                                or with them in SSH_ORIGINAL_COMMAND
 *
 * Where it runs a script it stops at the first command that fails. Exit status: 0 all went well,
 * 1 a command failed, 2 a command could not be understood, 3 gatepostd does not answer.
 */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/edit.h"
#include "cli/terminal.h"
#include "lib/log.h"
#include "model/words.h"

#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* One script's line may be a whole command with a long list in it. */
#define LINE_MAX_BYTES ((size_t)1 << 20)

/* gatepostd needs a few seconds after the login prompt of a box that starts. Later on, one that is
 * not there was restarted a moment ago, or is down. */
enum { START_PATIENCE_MS = 10000, START_UP_S = 120, PATIENCE_MS = 2000 };

struct options {
	const char *control, *rescue, *yang;
	const char *commands; /* of -c, or NULL */
};

_Noreturn static void usage(FILE *out, int status)
{
	fprintf(out, "gatepost [--control PATH] [--yang DIR] [-c COMMANDS | COMMAND...]\n"
		     "  -c COMMANDS     several, with ; between them\n"
		     "  --control PATH  gatepostd's socket (/run/gatepost/control.sock)\n"
		     "  --rescue PATH   who keeps the store while gatepostd is down "
		     "(/run/gatepost/rescue.sock)\n"
		     "  --yang DIR      gatepost.yang (/usr/share/gatepost/yang)\n");
	exit(status);
}

static void parse_options(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {{"control", 1, NULL, 'C'},
					      {"rescue", 1, NULL, 'R'},
					      {"yang", 1, NULL, 'y'},
					      {"help", 0, NULL, 'h'},
					      {0}};
	int c;

	/* '+': what follows the first word is a command's, options included. */
	while ((c = getopt_long(argc, argv, "+c:h", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->commands = optarg;
			break;
		case 'C':
			o->control = optarg;
			break;
		case 'R':
			o->rescue = optarg;
			break;
		case 'y':
			o->yang = optarg;
			break;
		case 'h':
			usage(stdout, CLI_OK);
		default:
			usage(stderr, CLI_USAGE);
		}
	}
}

/* ---- scripts ---- */

/* The length of the first command of a script: up to a line end, or a ; outside quotes. */
static size_t command_length(const char *script)
{
	bool quoted = false;
	size_t i;

	for (i = 0; script[i] && script[i] != '\n' && (quoted || script[i] != ';'); i++) {
		if (script[i] == '"')
			quoted = !quoted;
		else if (quoted && script[i] == '\\' && script[i + 1])
			i++;
		else if (!quoted && script[i] == '#' && (i == 0 || strchr(" \t", script[i - 1])))
			return i + strcspn(script + i, "\n"); /* a comment; its ; means nothing */
	}
	return i;
}

static int run_script(struct cli *cli, const char *script)
{
	int status = CLI_OK;

	while (*script && !cli->quit && status == CLI_OK) {
		size_t len = command_length(script);
		char *line = strndup(script, len);
		if (!line)
			abort();
		status = cli_line(cli, line);
		if (status != CLI_OK)
			cli_say("(at: %s)\n", line + strspn(line, " \t"));
		free(line);
		script += len + (script[len] != '\0');
	}
	return status;
}

static int run_input(struct cli *cli)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int status = CLI_OK;

	while (status == CLI_OK && !cli->quit && (len = getline(&line, &cap, stdin)) >= 0) {
		if ((size_t)len > LINE_MAX_BYTES) {
			cli_say("a line of %zd bytes is too long\n", len);
			status = CLI_USAGE;
		} else {
			status = run_script(cli, line);
		}
	}
	free(line);
	return status;
}

static int run_words(struct cli *cli, char **words, int count)
{
	struct buf line = BUF_INIT;

	/* As the shell split them; but one word that holds several is a line ("show version"). */
	for (int i = 0; i < count; i++) {
		if (i)
			buf_appendc(&line, ' ');
		if (count == 1 || !strcmp(words[i], "|") || !strcmp(words[i], "[") ||
		    !strcmp(words[i], "]"))
			buf_appends(&line, words[i]);
		else
			word_print(&line, words[i]);
	}
	int status = cli_line(cli, buf_str(&line));
	buf_free(&line);
	return status;
}

static int run(struct cli *cli, const struct options *o, char **words, int count)
{
	int status;

	/* A key in authorized_keys may force this program; what was asked for is then here. */
	const char *script = o->commands ? o->commands
			     : count     ? NULL
					 : getenv("SSH_ORIGINAL_COMMAND");

	if (cli->interactive)
		return terminal_run(cli);
	if (script)
		status = run_script(cli, script);
	else if (count)
		status = run_words(cli, words, count);
	else
		status = run_input(cli);
	if (edit_has_changes(cli)) {
		cli_say("changes were not committed; they are gone\n");
		status = status ? status : CLI_FAILED;
	}
	return status;
}

static int patience_ms(void)
{
	struct sysinfo info;

	return sysinfo(&info) == 0 && info.uptime > START_UP_S ? PATIENCE_MS : START_PATIENCE_MS;
}

static void say_early(void)
{
	cli_say("gatepostd is not there yet; waiting for it (%d s at most)\n",
		patience_ms() / 1000);
}

int main(int argc, char **argv)
{
	struct options o = {"/run/gatepost/control.sock", "/run/gatepost/rescue.sock",
			    "/usr/share/gatepost/yang", NULL};
	struct cli cli = {.mode = MODE_OPERATE};
	struct buf error = BUF_INIT;

	log_open("gatepost", LOG_LEVEL_WARN);
	setlocale(LC_CTYPE, "C.UTF-8");
	signal(SIGPIPE, SIG_IGN);
	parse_options(&o, argc, argv);
	cli.interactive = !o.commands && optind == argc && !getenv("SSH_ORIGINAL_COMMAND") &&
			  isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	cli.client = client_new(o.control, false);
	cli.rescue = client_new(o.rescue, true);
	if (cli.interactive)
		client_await(cli.client, patience_ms(), say_early);
	cli_refresh(&cli);
	cli.model = model_open(o.yang, cli.lab, &error);
	if (!cli.model)
		fatal("%s", buf_str(&error));
	cli.grammar = grammar_new(commands, commands_count);

	int status = run(&cli, &o, argv + optind, argc - optind);

	edit_leave(&cli);
	grammar_free(cli.grammar);
	client_free(cli.client);
	client_free(cli.rescue);
	model_close(cli.model);
	buf_free(&cli.out);
	buf_free(&error);
	return status;
}
