/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/edit.h"

#include "model/compare.h"
#include "model/fault.h"
#include "model/schema.h"
#include "model/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- reading configs ---- */

/* gatepostd's faults name lines of text; each is shown under its fault. */
static void say_faults(const char *faults, const char *text)
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

bool cli_fetch(struct cli *cli, unsigned revision, struct lyd_node **conf, unsigned *number,
	       int *status)
{
	json_t *answer = cli_ask(
		cli, json_pack("{s:s s:I}", "verb", "config", "revision", (json_int_t)revision),
		status);
	struct buf error = BUF_INIT;

	*conf = NULL;
	if (!answer)
		return false;
	const json_t *text = json_object_get(answer, "text");
	bool ok = text_parse(cli->model, json_string_value(text), json_string_length(text), conf,
			     &error);
	if (!ok) {
		cli_say("%s", buf_str(&error));
		*status = CLI_FAILED;
	}
	if (number)
		*number = (unsigned)json_integer_value(json_object_get(answer, "revision"));
	buf_free(&error);
	json_decref(answer);
	return ok;
}

const struct lyd_node *cli_running(struct cli *cli)
{
	struct lyd_node *conf;
	unsigned number;
	int status;

	if (!cli->admin) /* what it may see has its secrets hidden, and is no config any more */
		return NULL;
	if (cli->running && cli->running_revision == cli->revision)
		return cli->running;
	conf_free(cli->running);
	cli->running = NULL;
	if (cli_fetch(cli, 0, &conf, &number, &status)) {
		cli->running = conf;
		cli->running_revision = number;
	}
	return cli->running;
}

/* ---- printing configs ---- */

static enum text_form form_of(const struct cli *cli)
{
	static const enum text_form forms[] = {
		[DISPLAY_TEXT] = TEXT_BRACES,
		[DISPLAY_SET] = TEXT_SET,
		[DISPLAY_JSON] = TEXT_JSON,
	};

	return forms[cli->display];
}

int cli_print_config(struct cli *cli, const struct lyd_node *conf, const struct path *path)
{
	const struct text_style style = {.form = form_of(cli)};
	const struct lyd_node *node;

	if (!path->depth) {
		text_print(conf, &style, &cli->out);
		return CLI_OK;
	}
	node = path_find((struct lyd_node *)conf, path);
	if (!node)
		return CLI_OK; /* nothing is set there */
	bool all = !path->values.count && !path->step[path->depth - 1].key &&
		   (node->schema->nodetype & (LYS_LIST | LYS_LEAFLIST));
	if (style.form == TEXT_BRACES && schema_is_inner(node->schema) && !all)
		text_print(lyd_child(node), &style, &cli->out);
	else
		for (; node; node = all && style.form != TEXT_JSON ? conf_next(node) : NULL)
			text_print_one(node, &style, &cli->out);
	return CLI_OK;
}

/* Walks a command's PATH from where we stand; says what is wrong with it. */
static bool walk(struct cli *cli, const struct args *args, bool for_set, struct path *path)
{
	struct buf why = BUF_INIT, place = BUF_INIT;
	size_t bad;
	bool ok = path_walk(model_schema(cli->model), &cli->edit, args->rest, args->rest_count,
			    for_set, path, &bad, &why);

	if (!ok) {
		path_print(path, &place);
		if (place.len)
			cli_say("%s: ", buf_str(&place));
		if (bad < args->rest_count)
			cli_say("\"%s\": ", args->rest[bad]);
		cli_say("%s\n", buf_str(&why));
		path_free(path);
	}
	buf_free(&why);
	buf_free(&place);
	return ok;
}

int edit_show(struct cli *cli, const struct args *args)
{
	struct path path;

	if (!walk(cli, args, false, &path))
		return CLI_USAGE;
	int status = cli_print_config(cli, cli->candidate, &path);
	path_free(&path);
	return status;
}

int edit_compare(struct cli *cli, const char *revision)
{
	struct lyd_node *other = NULL;
	int status = CLI_OK;

	if (revision &&
	    !cli_fetch(cli, (unsigned)strtoul(revision, NULL, 10), &other, NULL, &status))
		return status;
	compare_print(revision ? other : cli->base, cli->candidate, false, &cli->out);
	conf_free(other);
	return CLI_OK;
}

bool edit_has_changes(const struct cli *cli)
{
	struct buf unused = BUF_INIT;
	bool changed = cli->mode == MODE_CONFIGURE &&
		       compare_print(cli->base, cli->candidate, true, &unused);

	buf_free(&unused);
	return changed;
}

/* ---- in and out ---- */

static void take_base(struct cli *cli, struct lyd_node *conf, unsigned revision)
{
	conf_free(cli->base);
	cli->base = conf;
	cli->base_revision = revision;
}

int edit_configure(struct cli *cli, const struct args *args)
{
	struct lyd_node *conf;
	unsigned revision;
	int status;

	(void)args;
	if (!cli->admin) {
		cli_say("%s may look, but not change anything; log in as an administrator\n",
			cli->user);
		return CLI_FAILED;
	}
	if (!cli_fetch(cli, 0, &conf, &revision, &status))
		return status;
	cli->candidate = conf_copy(conf);
	take_base(cli, conf, revision);
	cli->mode = MODE_CONFIGURE;
	return CLI_OK;
}

void edit_leave(struct cli *cli)
{
	conf_free(cli->candidate);
	cli->candidate = NULL;
	take_base(cli, NULL, 0);
	path_free(&cli->edit);
	cli->mode = MODE_OPERATE;
}

int edit_exit(struct cli *cli, const struct args *args)
{
	(void)args;
	if (cli->mode == MODE_OPERATE) {
		cli->quit = true;
		return CLI_OK;
	}
	if (cli->edit.depth) {
		path_free(&cli->edit);
		return CLI_OK;
	}
	if (edit_has_changes(cli)) {
		cli_say("there are changes: 'commit' puts them in force, 'discard' forgets them\n");
		return CLI_FAILED;
	}
	edit_leave(cli);
	return CLI_OK;
}

int edit_discard(struct cli *cli, const struct args *args)
{
	(void)args;
	conf_free(cli->candidate);
	cli->candidate = conf_copy(cli->base);
	path_free(&cli->edit);
	return CLI_OK;
}

/* ---- moving about ---- */

int edit_edit(struct cli *cli, const struct args *args)
{
	struct path path;

	if (!walk(cli, args, false, &path))
		return CLI_USAGE;
	if (!path_is_inside(&path)) {
		cli_say("nothing can be put inside this; 'set' gives it a value\n");
		path_free(&path);
		return CLI_USAGE;
	}
	path_free(&cli->edit);
	cli->edit = path;
	return CLI_OK;
}

int edit_up(struct cli *cli, const struct args *args)
{
	(void)args;
	if (!cli->edit.depth) {
		cli_say("this is the top already\n");
		return CLI_FAILED;
	}
	cli->edit.depth--;
	free(cli->edit.step[cli->edit.depth].key);
	return CLI_OK;
}

int edit_top(struct cli *cli, const struct args *args)
{
	(void)args;
	path_free(&cli->edit);
	return CLI_OK;
}

/* ---- changing ---- */

int edit_set(struct cli *cli, const struct args *args)
{
	struct path path;

	if (!walk(cli, args, true, &path))
		return CLI_USAGE;
	if (path.depth == cli->edit.depth) {
		cli_say("what is to be set?\n");
		path_free(&path);
		return CLI_USAGE;
	}
	path_set(model_schema(cli->model), &cli->candidate, &path);
	path_free(&path);
	return CLI_OK;
}

int edit_delete(struct cli *cli, const struct args *args)
{
	struct path path;
	struct buf why = BUF_INIT;

	if (!walk(cli, args, false, &path))
		return CLI_USAGE;
	if (!path.depth) {
		cli_say("this would delete everything; say what\n");
		path_free(&path);
		return CLI_USAGE;
	}
	bool ok = path_delete(&cli->candidate, &path, &why);
	if (!ok)
		cli_say("%s\n", buf_str(&why));
	buf_free(&why);
	path_free(&path);
	return ok ? CLI_OK : CLI_FAILED;
}

static void take_candidate(struct cli *cli, struct lyd_node *conf)
{
	conf_free(cli->candidate);
	cli->candidate = conf;
	path_free(&cli->edit);
}

int edit_load(struct cli *cli, const struct args *args)
{
	const char *path = arg_get(args, "FILE");
	struct buf text = BUF_INIT, error = BUF_INIT;
	struct lyd_node *conf;
	int status = CLI_FAILED;

	if (!buf_read_file(&text, path, TEXT_MAX)) {
		cli_say("cannot read %s: %s\n", path, strerror(errno));
	} else if (!text_parse(cli->model, buf_str(&text), text.len, &conf, &error)) {
		cli_say("%s is not loaded; the candidate is what it was:\n", path);
		say_faults(buf_str(&error), buf_str(&text));
	} else {
		take_candidate(cli, conf);
		status = CLI_OK;
	}
	buf_free(&text);
	buf_free(&error);
	return status;
}

int edit_save(struct cli *cli, const struct args *args)
{
	const char *path = arg_get(args, "FILE");
	struct buf text = BUF_INIT;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	text_print(cli->candidate, NULL, &text);
	bool ok = fd >= 0 && write(fd, buf_str(&text), text.len) == (ssize_t)text.len;
	if (!ok)
		cli_say("cannot write %s: %s\n", path, strerror(errno));
	if (fd >= 0 && close(fd) != 0 && ok) {
		cli_say("cannot write %s: %s\n", path, strerror(errno));
		ok = false;
	}
	buf_free(&text);
	return ok ? CLI_OK : CLI_FAILED;
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

int edit_rollback(struct cli *cli, const struct args *args)
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
	take_candidate(cli, conf);
	return CLI_OK;
}

static int say_revision(struct cli *cli, json_t *answer, const char *fmt)
{
	cli->revision = (unsigned)json_integer_value(json_object_get(answer, "revision"));
	buf_printf(&cli->out, "revision %u %s\n", cli->revision, fmt);
	json_decref(answer);
	return CLI_OK;
}

int edit_rollback_now(struct cli *cli, const struct args *args)
{
	int status;
	json_t *answer = cli_ask(cli, json_pack("{s:s}", "verb", "back"), &status);

	(void)args;
	return answer ? say_revision(cli, answer, "is in force again") : status;
}

int edit_confirm(struct cli *cli, const struct args *args)
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

/* Asks, and puts the lines that faults name beside them. NULL after a failure. */
static json_t *ask_about_text(struct cli *cli, json_t *request, const struct buf *text, int *status)
{
	json_object_set_new(request, "text", json_stringn(buf_str(text), text->len));
	json_t *answer = client_ask(cli->client, request, NULL, NULL);

	if (json_is_true(json_object_get(answer, "ok")))
		return answer;
	cli_say("nothing was changed:\n");
	say_faults(json_string_value(json_object_get(answer, "error")), buf_str(text));
	/* A commit by somebody else is told once; the next one knows of it. */
	json_t *revision = json_object_get(answer, "revision");
	if (revision && json_integer_value(revision))
		cli->base_revision = (unsigned)json_integer_value(revision);
	*status = json_object_get(answer, "unreachable") ? CLI_UNREACHABLE : CLI_FAILED;
	json_decref(answer);
	return NULL;
}

int edit_commit_check(struct cli *cli, const struct args *args)
{
	struct buf text = BUF_INIT;
	int status = CLI_OK;

	(void)args;
	text_print(cli->candidate, NULL, &text);
	json_t *answer = ask_about_text(cli, json_pack("{s:s}", "verb", "check"), &text, &status);
	if (answer)
		buf_appends(&cli->out, "this would commit\n");
	json_decref(answer);
	buf_free(&text);
	return status;
}

static void say_committed(struct cli *cli, const json_t *answer, unsigned confirm_s)
{
	const char *notes = json_string_value(json_object_get(answer, "notes"));
	unsigned revision = (unsigned)json_integer_value(json_object_get(answer, "revision"));
	bool new = revision != cli->base_revision;

	buf_printf(&cli->out, "revision %u is in force%s\n", revision,
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

int edit_commit(struct cli *cli, const struct args *args)
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
		take_base(cli, conf_copy(cli->candidate), cli->revision);
	}
	json_decref(answer);
	buf_free(&text);
	return status;
}
