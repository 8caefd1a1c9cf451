/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/edit.h"

#include "cli/commit.h"
#include "model/compare.h"
#include "model/rearrange.h"
#include "model/text.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading configs ---- */

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

void cli_print_config(struct cli *cli, const struct lyd_node *conf, const struct path *path)
{
	const struct text_style style = {.form = form_of(cli)};

	text_print_part(conf, path, &style, &cli->out);
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
	cli_print_config(cli, cli->candidate, &path);
	path_free(&path);
	return CLI_OK;
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
		       (cli->annotated || compare_print(cli->base, cli->candidate, true, &unused));

	buf_free(&unused);
	return changed;
}

/* ---- in and out ---- */

void edit_take_base(struct cli *cli, struct lyd_node *conf, unsigned revision)
{
	conf_free(cli->base);
	cli->base = conf;
	cli->base_revision = revision;
	cli->annotated = false;
}

/* One session edits at a time. While gatepostd is down nobody keeps a lock. */
static bool take_lock(struct cli *cli, int *status)
{
	if (cli->offline)
		return true;
	json_t *answer = cli_ask(cli, json_pack("{s:s}", "verb", "lock"), status);
	if (!answer && *status == CLI_FAILED)
		cli_say("'request lock break' takes it from them\n");
	cli->lock_connection = client_connection(cli->client);
	cli->lock_told = false;
	json_decref(answer);
	return answer;
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
	if (!take_lock(cli, &status) || !cli_fetch(cli, 0, &conf, &revision, &status))
		return status;
	cli->candidate = conf_copy(conf);
	edit_take_base(cli, conf, revision);
	cli->mode = MODE_CONFIGURE;
	return CLI_OK;
}

void edit_keep_lock(struct cli *cli)
{
	json_t *answer;

	if (cli->mode != MODE_CONFIGURE || cli->locked || cli->offline)
		return;
	if (cli->lock_connection == client_connection(cli->client)) {
		if (!cli->lock_told)
			cli_say("(your edit lock was broken: what you change cannot be "
				"committed)\n");
		cli->lock_told = true;
		return;
	}
	/* gatepostd was restarted, or a wait was interrupted */
	answer = client_ask(cli->client, json_pack("{s:s}", "verb", "lock"), NULL, NULL);
	if (!json_is_true(json_object_get(answer, "ok")))
		cli_say("(your edit lock is gone: %s)\n",
			json_string_value(json_object_get(answer, "error")));
	cli->lock_connection = client_connection(cli->client);
	cli->lock_told = true;
	json_decref(answer);
}

int edit_break_lock(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;
	json_t *answer = cli_ask(cli, json_pack("{s:s}", "verb", "break"), &status);
	const char *user = json_string_value(json_object_get(answer, "user"));

	(void)args;
	if (answer)
		buf_printf(&cli->out, user ? "the lock of %s is broken\n" : "nobody held it\n",
			   user);
	json_decref(answer);
	/* Taken over by who edits; else nobody's. */
	if (answer && cli->mode != MODE_CONFIGURE)
		json_decref(
			client_ask(cli->client, json_pack("{s:s}", "verb", "unlock"), NULL, NULL));
	return status;
}

void edit_leave(struct cli *cli)
{
	conf_free(cli->candidate);
	cli->candidate = NULL;
	edit_take_base(cli, NULL, 0);
	path_free(&cli->edit);
	if (cli->mode == MODE_CONFIGURE && !cli->offline)
		json_decref(
			client_ask(cli->client, json_pack("{s:s}", "verb", "unlock"), NULL, NULL));
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
	cli->annotated = false;
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

void edit_take_candidate(struct cli *cli, struct lyd_node *conf)
{
	conf_free(cli->candidate);
	cli->candidate = conf;
	path_free(&cli->edit);
}

void edit_merge_candidate(struct cli *cli, struct lyd_node *conf)
{
	if (lyd_merge_siblings(&cli->candidate, conf, LYD_MERGE_DESTRUCT) != LY_SUCCESS)
		abort(); /* one schema, so only for want of memory */
	path_free(&cli->edit);
}

/* ---- rearranging ---- */

/* "PATH... to NAME": what is before the last "to". */
static bool split_at(const struct args *args, const char *const *words, struct args *what,
		     const char **word, const char **behind)
{
	*what = *args;
	if (args->rest_count < 2)
		return false;
	*behind = args->rest[args->rest_count - 1];
	*word = args->rest[args->rest_count - 2];
	what->rest_count -= 2;
	for (; *words; words++)
		if (!strcmp(*words, *word))
			return true;
	return false;
}

static int finish(struct path *path, struct buf *why, bool ok)
{
	if (!ok)
		cli_say("%s\n", buf_str(why));
	path_free(path);
	buf_free(why);
	return ok ? CLI_OK : CLI_FAILED;
}

static int usage(const char *example)
{
	cli_say("more is needed, as in: %s\n", example);
	return CLI_USAGE;
}

int edit_rename(struct cli *cli, const struct args *args)
{
	static const char *const words[] = {"to", NULL};
	struct buf why = BUF_INIT;
	const char *word, *name;
	unsigned references;
	struct args what;
	struct path path;

	if (!split_at(args, words, &what, &word, &name))
		return usage("rename servers web1 to web2");
	if (!walk(cli, &what, false, &path))
		return CLI_USAGE;
	bool ok = conf_rename(cli->candidate, &path, name, &references, &why);
	if (ok && references)
		buf_printf(&cli->out, "%u reference%s to it changed too\n", references,
			   references == 1 ? "" : "s");
	return finish(&path, &why, ok);
}

int edit_copy(struct cli *cli, const struct args *args)
{
	static const char *const words[] = {"to", NULL};
	struct buf why = BUF_INIT;
	const char *word, *name;
	struct args what;
	struct path path;

	if (!split_at(args, words, &what, &word, &name))
		return usage("copy servers web1 to web2");
	if (!walk(cli, &what, false, &path))
		return CLI_USAGE;
	return finish(&path, &why, conf_copy_entry(cli->candidate, &path, name, &why));
}

int edit_insert(struct cli *cli, const struct args *args)
{
	static const char *const words[] = {"before", "after", NULL};
	struct buf why = BUF_INIT;
	const char *word, *anchor;
	struct args what;
	struct path path;

	if (!split_at(args, words, &what, &word, &anchor))
		return usage("insert system name-server 192.0.2.2 before 192.0.2.1");
	if (!walk(cli, &what, false, &path))
		return CLI_USAGE;
	return finish(&path, &why,
		      conf_move(cli->candidate, &path, anchor, !strcmp(word, "before"), &why));
}

int edit_annotate(struct cli *cli, const struct args *args)
{
	struct args what = *args;
	struct buf why = BUF_INIT;
	struct path path;

	if (args->rest_count < 2)
		return usage("annotate servers web1 \"the shop\"");
	what.rest_count--;
	if (!walk(cli, &what, false, &path))
		return CLI_USAGE;
	bool ok = conf_annotate(cli->candidate, &path, args->rest[what.rest_count], &why);
	cli->annotated = cli->annotated || ok;
	return finish(&path, &why, ok);
}
