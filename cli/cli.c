/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"

#include "cli/edit.h"
#include "cli/load.h"
#include "cli/output.h"
#include "cli/show.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Where complaints go while an output is collected; NULL: standard error. */
static struct buf *collected;

void cli_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (collected) {
		buf_vprintf(collected, fmt, ap);
	} else {
		fflush(stdout);
		vfprintf(stderr, fmt, ap);
		fflush(stderr);
	}
	va_end(ap);
}

json_t *cli_request(struct cli *cli, json_t *request)
{
	json_t *answer = client_ask(cli->client, json_incref(request), NULL, NULL);

	if (json_object_get(answer, "unreachable")) {
		json_t *second = client_ask(cli->rescue, json_incref(request), NULL, NULL);
		bool there = !json_object_get(second, "unreachable");
		json_decref(there ? answer : second);
		answer = there ? second : answer;
	}
	json_decref(request);
	return answer;
}

json_t *cli_ask(struct cli *cli, json_t *request, int *status)
{
	json_t *answer = cli_request(cli, request);
	const char *error = json_string_value(json_object_get(answer, "error"));

	*status = CLI_OK;
	if (json_is_true(json_object_get(answer, "ok")))
		return answer;
	*status = json_object_get(answer, "unreachable") ? CLI_UNREACHABLE
		  : json_object_get(answer, "usage")     ? CLI_USAGE
							 : CLI_FAILED;
	cli_say("%s", error ? error : "it failed\n");
	if (error && *error && error[strlen(error) - 1] != '\n')
		cli_say("\n");
	json_decref(answer);
	return NULL;
}

static void copy_text(char *to, size_t cap, const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (text)
		snprintf(to, cap, "%s", text);
}

bool cli_refresh(struct cli *cli)
{
	json_t *answer = cli_request(cli, json_pack("{s:s}", "verb", "status"));
	const json_t *waiting = json_object_get(answer, "waiting");
	const json_t *lock = json_object_get(answer, "lock");
	bool ok = json_is_true(json_object_get(answer, "ok"));

	if (ok) {
		copy_text(cli->host, sizeof(cli->host), answer, "host");
		copy_text(cli->user, sizeof(cli->user), answer, "user");
		cli->admin = json_is_true(json_object_get(answer, "admin"));
		cli->offline = json_object_get(answer, "offline");
		cli->locked = json_is_true(json_object_get(lock, "yours"));
		cli->lab = json_is_true(json_object_get(answer, "lab"));
		cli->revision = (unsigned)json_integer_value(json_object_get(answer, "revision"));
		cli->waiting = (unsigned)json_integer_value(json_object_get(waiting, "revision"));
		cli->waiting_seconds = (int)json_integer_value(json_object_get(waiting, "seconds"));
	}
	json_decref(answer);
	return ok;
}

/* ---- lines ---- */

static bool prints_a_config(const struct command *c)
{
	return c->run == edit_show || c->run == show_configuration || c->run == show_revision;
}

static bool pipes_fit(const struct pipes *pipes, const struct command *command)
{
	if (pipes->compare && command->run != edit_show) {
		cli_say("\"| compare\" goes with 'show' while configuring\n");
		return false;
	}
	if (pipes->display == DISPLAY_SET && !prints_a_config(command)) {
		cli_say("\"| display set\" goes with what shows a config\n");
		return false;
	}
	return true;
}

/* "run COMMAND...": the command itself, from outside the configuration. */
static bool resolve_run(struct cli *cli, struct args *args, struct buf *error)
{
	const struct args run = *args;

	if (strncmp(run.command->pattern, "run ", 4) != 0 || !run.rest_count)
		return true;
	if (!grammar_match(cli->grammar, MODE_OPERATE, run.rest, run.rest_count, args, error))
		return false;
	if (args->command->run == edit_configure || args->command->run == edit_exit ||
	    args->command->run == load_and_commit) {
		buf_appends(error, "not from within the configuration\n");
		return false;
	}
	return true;
}

static int run(struct cli *cli, const struct args *args, const struct pipes *pipes)
{
	cli->display = pipes->display;
	cli->piped = pipes->piped;
	if (pipes->compare)
		return edit_compare(cli, pipes->compare_with);
	return args->command->run(cli, args);
}

/* out NULL: to the screen, a screenful at a time. */
static int run_words(struct cli *cli, unsigned mode, struct words *words, struct buf *out)
{
	struct buf error = BUF_INIT;
	struct pipes pipes;
	struct args args;
	size_t count;
	int status = CLI_USAGE;

	buf_clear(&cli->out);
	if (pipes_read(words->list, &count, words->count, &pipes, &error) &&
	    grammar_match(cli->grammar, mode, words->list, count, &args, &error) &&
	    resolve_run(cli, &args, &error) && pipes_fit(&pipes, args.command)) {
		status = run(cli, &args, &pipes);
		if (!pipes_filter(&cli->out, words->list, pipes.filters, words->count, &error))
			status = CLI_USAGE;
		else if (out)
			buf_append(out, cli->out.data, cli->out.len);
		else
			output_show(&cli->out, cli->interactive && !pipes.no_more);
	}
	if (error.len)
		cli_say("%s", buf_str(&error));
	buf_free(&error);
	return status;
}

void cli_collect(struct cli *cli, const char *line, struct buf *out)
{
	struct words words = {0};
	struct buf error = BUF_INIT;

	collected = out;
	if (words_split(&words, line, &error))
		run_words(cli, MODE_OPERATE, &words, out);
	collected = NULL;
	words_free(&words);
	buf_free(&error);
}

/* Every command stands in the box's audit log, whatever comes of it. */
static void tell_audit(struct cli *cli, const char *line)
{
	line += strspn(line, " \t");
	json_decref(client_ask(
		cli->client,
		json_pack("{s:s s:s%}", "verb", "ran", "command", line, strcspn(line, "\r\n")),
		NULL, NULL));
}

int cli_line(struct cli *cli, const char *line)
{
	struct words words = {0};
	struct buf error = BUF_INIT;
	int status = CLI_OK;

	if (!words_split(&words, line, &error)) {
		cli_say("%s", buf_str(&error));
		status = CLI_USAGE;
	} else if (words.count) {
		tell_audit(cli, line);
		status = run_words(cli, cli->mode, &words, NULL);
	}
	words_free(&words);
	buf_free(&error);
	return status;
}
