/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/commit.h"

#include "cli/edit.h"
#include "cli/output.h"
#include "model/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- faults ---- */

void commit_say_faults(const char *faults, const char *text)
{
	while (*faults) {
		size_t len = strcspn(faults, "\n");
		unsigned line = 0;

		cli_say("%.*s\n", (int)len, faults);
		if (sscanf(faults, "line %u", &line) == 1 && line) {
			const char *at = text;
			for (unsigned i = 1; at && i < line; i++)
				at = (at = strchr(at, '\n')) ? at + 1 : NULL;
			if (at && *at)
				cli_say("%6u | %.*s\n", line, (int)strcspn(at, "\n"), at);
		}
		faults += len + (faults[len] == '\n');
	}
}

/* ---- rollback ---- */

static bool read_number(const char *text, unsigned max, unsigned *number)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || n > max)
		return false;
	*number = (unsigned)n;
	return true;
}

int commit_rollback(struct cli *cli, const struct args *args)
{
	struct lyd_node *conf;
	unsigned number;
	int status;

	if (!read_number(arg_get(args, "REVISION"), UINT32_MAX, &number)) {
		cli_say("\"%s\": not a revision; 'show revisions' lists them\n",
			arg_get(args, "REVISION"));
		return CLI_USAGE;
	}
	if (!cli_fetch(cli, number, &conf, NULL, &status))
		return status;
	edit_take_candidate(cli, conf);
	return CLI_OK;
}

static int say_revision(struct cli *cli, json_t *answer, const char *fmt)
{
	cli->revision = (unsigned)json_integer_value(json_object_get(answer, "revision"));
	buf_printf(&cli->out, "revision %u %s\n", cli->revision, fmt);
	json_decref(answer);
	return CLI_OK;
}

int commit_rollback_now(struct cli *cli, const struct args *args)
{
	int status;
	json_t *answer = cli_ask(cli, json_pack("{s:s}", "verb", "back"), &status);

	(void)args;
	return answer ? say_revision(cli, answer, "is in force again") : status;
}

int commit_confirm(struct cli *cli, const struct args *args)
{
	int status;
	json_t *answer = cli_ask(cli, json_pack("{s:s}", "verb", "confirm"), &status);

	(void)args;
	return answer ? say_revision(cli, answer, "is confirmed and kept") : status;
}

/* ---- commit ---- */

/* "90", "90s", "5m" */
static bool read_seconds(const char *text, unsigned *seconds)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	unsigned long unit = !strcmp(end, "m") ? 60 : 1;

	if (!isdigit((unsigned char)*text) ||
	    (*end && strcmp(end, "s") != 0 && strcmp(end, "m") != 0) || n == 0 || n > 86400)
		return false;
	*seconds = (unsigned)(n * unit);
	return true;
}

static bool check_here(struct cli *cli, const struct buf *text)
{
	struct lyd_node *conf = NULL;
	struct buf error = BUF_INIT;
	bool ok = text_parse(cli->model, buf_str(text), text->len, &conf, &error) &&
		  model_validate(cli->model, &conf, &error);

	if (!ok) {
		cli_say("nothing was changed:\n");
		commit_say_faults(buf_str(&error), buf_str(text));
	}
	conf_free(conf);
	buf_free(&error);
	return ok;
}

/* Asks, and puts the lines that faults name beside them. NULL after a failure. */
static json_t *ask_about_text(struct cli *cli, json_t *request, const struct buf *text, int *status)
{
	cli_refresh(cli);
	/* The store's keeper takes what it is given: without gatepostd the model checks it here. */
	if (cli->offline && !check_here(cli, text)) {
		json_decref(request);
		*status = CLI_FAILED;
		return NULL;
	}
	json_object_set_new(request, "text", json_stringn(buf_str(text), text->len));
	json_t *answer = cli_request(cli, request);
	if (json_is_true(json_object_get(answer, "ok")))
		return answer;
	cli_say("nothing was changed:\n");
	commit_say_faults(output_text(answer, "error"), buf_str(text));
	/* A commit by somebody else is told once; the next one knows of it. */
	json_t *revision = json_object_get(answer, "revision");
	if (revision && json_integer_value(revision))
		cli->base_revision = (unsigned)json_integer_value(revision);
	*status = json_object_get(answer, "unreachable") ? CLI_UNREACHABLE : CLI_FAILED;
	json_decref(answer);
	return NULL;
}

int commit_check(struct cli *cli, const struct args *args)
{
	struct buf text = BUF_INIT;
	int status = CLI_OK;

	(void)args;
	text_print(cli->candidate, NULL, &text);
	json_t *answer = ask_about_text(cli, json_pack("{s:s}", "verb", "check"), &text, &status);
	if (answer)
		buf_appends(&cli->out, json_object_get(answer, "offline")
					       ? "the model takes it; whether it can be applied is "
						 "known once gatepostd runs\n"
					       : "this would commit\n");
	json_decref(answer);
	buf_free(&text);
	return status;
}

static void say_committed(struct cli *cli, const json_t *answer, unsigned confirm_s)
{
	const char *notes = json_string_value(json_object_get(answer, "notes"));
	unsigned revision = (unsigned)json_integer_value(json_object_get(answer, "revision"));
	bool new = revision != cli->base_revision;

	buf_printf(&cli->out, "revision %u is %s%s\n", revision,
		   json_object_get(answer, "offline") ? "stored; gatepostd starts with it"
						      : "in force",
		   new ? "" : "; there was nothing new in it");
	if (notes)
		buf_appends(&cli->out, notes);
	if (confirm_s && new)
		buf_printf(
			&cli->out,
			"'confirm' within %u seconds keeps it; otherwise revision %u comes back\n",
			confirm_s, cli->base_revision);
	cli->revision = revision;
}

int commit_commit(struct cli *cli, const struct args *args)
{
	const char *comment = arg_get(args, "TEXT"), *wait = arg_get(args, "TIME");
	struct buf text = BUF_INIT;
	unsigned confirm_s = 0;
	int status = CLI_OK;

	if (wait && !read_seconds(wait, &confirm_s)) {
		cli_say("\"%s\": not a time to wait: 90s or 5m\n", wait);
		return CLI_USAGE;
	}
	text_print(cli->candidate, NULL, &text);
	json_t *request =
		json_pack("{s:s s:s s:I s:I}", "verb", "commit", "comment", comment ? comment : "",
			  "base", (json_int_t)cli->base_revision, "confirm", (json_int_t)confirm_s);
	json_t *answer = ask_about_text(cli, request, &text, &status);
	if (answer) {
		say_committed(cli, answer, confirm_s);
		edit_take_base(cli, conf_copy(cli->candidate), cli->revision);
	}
	json_decref(answer);
	buf_free(&text);
	return status;
}
