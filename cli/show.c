/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/show.h"

#include "cli/edit.h"
#include "cli/output.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* ---- rows ---- */

static const struct column interfaces[] = {
	{"name", "NAME", false},        {"role", "ROLE", false},
	{"state", "STATE", false},      {"rx_bytes", "RX-BYTES", true},
	{"tx_bytes", "TX-BYTES", true}, {"addresses", "ADDRESSES", false},
};
static const struct column routes[] = {
	{"to", "TO", false},     {"via", "VIA", false},      {"device", "DEVICE", false},
	{"kind", "KIND", false}, {"metric", "METRIC", true},
};
static const struct column neighbours[] = {
	{"address", "ADDRESS", false},
	{"device", "DEVICE", false},
	{"mac", "MAC", false},
	{"state", "STATE", false},
};
static const struct column firewall[] = {
	{"name", "COUNTER", false},
	{"packets", "PACKETS", true},
	{"bytes", "BYTES", true},
};
static const struct column services[] = {
	{"name", "SERVICE", false},
	{"state", "STATE", false},
	{"pid", "PID", true},
	{"seconds", "SECONDS", true},
};
static const struct column audit[] = {
	{"when", "TIME (UTC)", false}, {"user", "WHO", false},    {"terminal", "WHERE", false},
	{"command", "COMMAND", false}, {"said", "RESULT", false},
};
static const struct column log_columns[] = {
	{"time", "TIME", false},       {"message", "MESSAGE", false}, {"event", "EVENT", false},
	{"account", "ACCOUNT", false}, {"to", "TO", false},           {"detail", "DETAIL", false},
};
static const struct column message_columns[] = {
	{"time", "TIME", false}, {"event", "EVENT", false}, {"class", "CLASS", false},
	{"to", "TO", false},     {"peer", "PEER", false},   {"text", "DETAIL", false},
};
static const struct column revisions[] = {
	{"revision", "REVISION", true}, {"when", "TIME (UTC)", false},
	{"user", "BY", false},          {"mark", "", false},
	{"comment", "COMMENT", false},
};

static const struct {
	const char *what;
	const struct column *columns;
	size_t count;
} layouts[] = {
	{"interfaces", interfaces, COUNT(interfaces)},
	{"routes", routes, COUNT(routes)},
	{"neighbours", neighbours, COUNT(neighbours)},
	{"firewall", firewall, COUNT(firewall)},
	{"audit", audit, COUNT(audit)},
	{"services", services, COUNT(services)},
};

static void print_json(struct cli *cli, const json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	buf_printf(&cli->out, "%s\n", text ? text : "[]");
	free(text);
}

/* True when `| display json` was asked for, and done. */
static bool as_json(struct cli *cli, const json_t *rows)
{
	if (cli->display == DISPLAY_JSON)
		print_json(cli, rows);
	return cli->display == DISPLAY_JSON;
}

static json_t *ask_show(struct cli *cli, const char *what, int *status)
{
	return cli_ask(cli, json_pack("{s:s s:s}", "verb", "show", "what", what), status);
}

int show_rows(struct cli *cli, const struct args *args)
{
	const char *what = args->command->pattern + strlen("show ");
	int status = CLI_OK;
	json_t *answer = ask_show(cli, what, &status);
	const json_t *rows = json_object_get(answer, "rows");

	for (size_t i = 0; answer && i < COUNT(layouts); i++)
		if (!strcmp(layouts[i].what, what) && !as_json(cli, rows))
			table_print(rows, layouts[i].columns, layouts[i].count, &cli->out);
	json_decref(answer);
	return status;
}

/* ---- configuration ---- */

int show_configuration(struct cli *cli, const struct args *args)
{
	static const char *const forms[] = {"text", "set", "json"};
	struct path path = {0};
	struct buf why = BUF_INIT;
	size_t bad;
	int status = CLI_OK;

	if (args->rest_count && cli->admin) {
		const struct lyd_node *conf = cli_running(cli);
		if (path_walk(model_schema(cli->model), NULL, args->rest, args->rest_count, false,
			      &path, &bad, &why)) {
			status = cli_print_config(cli, conf, &path);
		} else {
			cli_say("%s%s%s\n", bad < args->rest_count ? args->rest[bad] : "",
				bad < args->rest_count ? ": " : "", buf_str(&why));
			status = CLI_USAGE;
		}
		path_free(&path);
		buf_free(&why);
		return status;
	}
	json_t *answer =
		cli_ask(cli, json_pack("{s:s s:s}", "verb", "config", "form", forms[cli->display]),
			&status);
	if (answer && args->rest_count)
		cli_say("a part of the config is shown to administrators alone; this is all of "
			"it\n");
	if (answer)
		buf_appends(&cli->out, json_string_value(json_object_get(answer, "text")));
	json_decref(answer);
	return status;
}

static void time_text(json_int_t seconds, char out[32])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
}

int show_revisions(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;
	json_t *answer = cli_ask(cli, json_pack("{s:s}", "verb", "revisions"), &status);
	json_t *rows = json_object_get(answer, "rows"), *row;
	char when[32];
	size_t i;

	(void)args;
	json_array_foreach(rows, i, row)
	{
		time_text(json_integer_value(json_object_get(row, "time")), when);
		json_object_set_new(row, "when", json_string(when));
		json_object_set_new(row, "mark",
				    json_string(json_is_true(json_object_get(row, "current"))
							? "in force"
							: ""));
	}
	if (answer && !as_json(cli, rows))
		table_print(rows, revisions, COUNT(revisions), &cli->out);
	json_decref(answer);
	return status;
}

int show_revision(struct cli *cli, const struct args *args)
{
	static const char *const forms[] = {"text", "set", "json"};
	unsigned long number = strtoul(arg_get(args, "REVISION"), NULL, 10);
	int status = CLI_OK;

	if (!number) {
		cli_say("\"%s\": not a revision; 'show revisions' lists them\n",
			arg_get(args, "REVISION"));
		return CLI_USAGE;
	}
	json_t *answer = cli_ask(cli,
				 json_pack("{s:s s:s s:I}", "verb", "config", "form",
					   forms[cli->display], "revision", (json_int_t)number),
				 &status);
	if (answer)
		buf_appends(&cli->out, json_string_value(json_object_get(answer, "text")));
	json_decref(answer);
	return status;
}

/* ---- the box ---- */

static const char *member_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void add_uptime(json_int_t seconds, struct buf *out)
{
	json_int_t days = seconds / 86400;

	if (days)
		buf_printf(out, "%" JSON_INTEGER_FORMAT " day%s, ", days, days == 1 ? "" : "s");
	buf_printf(out, "%02d:%02d:%02d", (int)(seconds / 3600 % 24), (int)(seconds / 60 % 60),
		   (int)(seconds % 60));
}

int show_version(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;
	json_t *answer = ask_show(cli, "version", &status);
	const json_t *row = json_array_get(json_object_get(answer, "rows"), 0);
	const json_t *release = json_object_get(row, "release");
	const char *name;
	json_t *value;

	(void)args;
	if (answer && !as_json(cli, row)) {
		json_object_foreach((json_t *)release, name, value)
		{
			buf_printf(&cli->out, "%-10s %s\n", name, json_string_value(value));
		}
		buf_printf(&cli->out, "%-10s %s (%s)\n", "KERNEL", member_text(row, "kernel"),
			   member_text(row, "machine"));
		buf_printf(&cli->out, "%-10s ", "UP");
		add_uptime(json_integer_value(json_object_get(row, "up_s")), &cli->out);
		buf_appendc(&cli->out, '\n');
	}
	json_decref(answer);
	return status;
}

int show_ruleset(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;
	json_t *answer = ask_show(cli, "ruleset", &status);
	const json_t *row = json_array_get(json_object_get(answer, "rows"), 0);

	(void)args;
	if (answer)
		buf_appends(&cli->out, member_text(row, "text"));
	json_decref(answer);
	return status;
}

static void print_alarm(const json_t *row, struct buf *out)
{
	const char *says = member_text(row, "says");

	buf_printf(out, "! %s\n", member_text(row, "alarm"));
	while (*says) {
		size_t len = strcspn(says, "\n");
		buf_printf(out, "  %.*s\n", (int)len, says);
		says += len + (says[len] == '\n');
	}
	buf_printf(out, "  What to do: %s\n", member_text(row, "mend"));
}

int show_alarms(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;
	json_t *answer = ask_show(cli, "alarms", &status), *row;
	const json_t *rows = json_object_get(answer, "rows");
	size_t i;

	(void)args;
	if (answer && !as_json(cli, rows)) {
		json_array_foreach((json_t *)rows, i, row)
		{
			print_alarm(row, &cli->out);
		}
		if (json_array_size(rows) == 0)
			buf_appends(&cli->out, "none\n");
	}
	json_decref(answer);
	return status;
}

void show_greeting(struct cli *cli)
{
	json_t *answer = client_ask(
		cli->client, json_pack("{s:s s:s}", "verb", "show", "what", "alarms"), NULL, NULL);
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(answer, "rows"), i, row)
	{
		print_alarm(row, &cli->out);
	}
	if (!json_is_true(json_object_get(answer, "ok")))
		cli_say("%s", member_text(answer, "error"));
	json_decref(answer);
}

/* ---- the relay ---- */

static json_t *ask_relay(struct cli *cli, json_t *question, int *status)
{
	return cli_ask(cli, json_pack("{s:s s:o}", "verb", "relay", "request", question), status);
}

/* "2026-11-23T18:04:05.123Z" as "11-23 18:04:05": a line has 80 columns. */
static void shorten_time(json_t *row)
{
	const char *t = member_text(row, "time");
	char brief[32];

	if (strlen(t) < 19 || t[10] != 'T')
		return;
	snprintf(brief, sizeof(brief), "%.5s %.8s", t + 5, t + 11);
	json_object_set_new(row, "time", json_string(brief));
}

int show_relay_log(struct cli *cli, const struct args *args)
{
	static const struct {
		const char *arg, *member;
	} texts[] = {{"ACCOUNT", "account"}, {"ADDRESS", "to"}, {"AGE", "since"}};
	const char *count = arg_get(args, "COUNT");
	json_t *question = json_pack("{s:s s:i}", "verb", "log", "limit", count ? atoi(count) : 50);
	json_t *row;
	int status = CLI_OK;
	size_t n;

	for (size_t i = 0; i < COUNT(texts); i++)
		if (arg_get(args, texts[i].arg))
			json_object_set_new(question, texts[i].member,
					    json_string(arg_get(args, texts[i].arg)));
	json_t *answer = ask_relay(cli, question, &status);
	json_t *rows = json_object_get(answer, "rows");
	if (answer && !as_json(cli, rows)) {
		json_array_foreach(rows, n, row)
		{
			shorten_time(row);
		}
		table_print(rows, log_columns, COUNT(log_columns), &cli->out);
		if (json_is_true(json_object_get(answer, "more")))
			buf_appends(&cli->out, "there is more; 'limit N' shows more of it\n");
	}
	json_decref(answer);
	return status;
}

/* Whatever says most about one event. */
static void add_text(json_t *row)
{
	const char *url = member_text(row, "url"), *reason = member_text(row, "reason");

	json_object_set_new(row, "text",
			    json_string(*url      ? url
					: *reason ? reason
						  : member_text(row, "detail")));
}

int show_relay_message(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;
	json_t *answer = ask_relay(
		cli, json_pack("{s:s s:s}", "verb", "log", "message", arg_get(args, "MESSAGE")),
		&status);
	json_t *rows = json_object_get(answer, "rows"), *row;
	const json_t *first = json_array_get(rows, 0);
	size_t n;

	if (answer && !as_json(cli, rows)) {
		if (first)
			buf_printf(&cli->out, "Account %s, from %s\n",
				   member_text(first, "account"), member_text(first, "from"));
		json_array_foreach(rows, n, row)
		{
			shorten_time(row);
			add_text(row);
		}
		table_print(rows, message_columns, COUNT(message_columns), &cli->out);
	}
	json_decref(answer);
	return status;
}

enum { GENERIC_COLUMNS_MAX = 10 };

/* Rows of whatever shape the relay gives them: a column for each member of the first one. */
static void print_rows(const json_t *rows, struct buf *out)
{
	struct column columns[GENERIC_COLUMNS_MAX];
	char titles[GENERIC_COLUMNS_MAX][32];
	json_t *first = json_array_get(rows, 0), *value;
	const char *name;
	size_t count = 0;

	json_object_foreach(first, name, value)
	{
		if (count == GENERIC_COLUMNS_MAX)
			break;
		snprintf(titles[count], sizeof(titles[count]), "%s", name);
		for (char *s = titles[count]; *s; s++)
			*s = *s == '_' ? '-' : (char)toupper((unsigned char)*s);
		columns[count] = (struct column){name, titles[count], json_is_integer(value)};
		count++;
	}
	table_print(rows, columns, count, out);
}

static void print_member(const char *name, const json_t *value, struct buf *out)
{
	buf_printf(out, "%s:", name);
	if (json_is_object(json_array_get(value, 0))) {
		buf_appendc(out, '\n');
		print_rows(value, out);
		return;
	}
	buf_appendc(out, ' ');
	if (json_is_array(value) && json_array_size(value) == 0)
		buf_appends(out, "none");
	else
		table_cell(value, out);
	buf_appendc(out, '\n');
}

/* "show relay queue", "show relay processes", ...: the answer's lists as tables, the rest below. */
int show_relay(struct cli *cli, const struct args *args)
{
	static const struct {
		const char *word, *verb;
	} verbs[] = {{"queue", "queue"},
		     {"processes", "status"},
		     {"listeners", "listeners"},
		     {"certificate", "certificate"},
		     {"statistics", "statistics"}};
	const char *word = strrchr(args->command->pattern, ' ') + 1, *verb = word, *name;
	json_t *value;
	int status = CLI_OK;

	for (size_t i = 0; i < COUNT(verbs); i++)
		if (!strcmp(verbs[i].word, word))
			verb = verbs[i].verb;
	json_t *answer = ask_relay(cli, json_pack("{s:s}", "verb", verb), &status);
	if (answer)
		json_object_del(answer, "ok");
	if (answer && !as_json(cli, answer)) {
		json_object_foreach(answer, name, value)
		{
			print_member(name, value, &cli->out);
		}
	}
	json_decref(answer);
	return status;
}

int run_reload_relay(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;

	(void)args;
	json_decref(ask_relay(cli, json_pack("{s:s}", "verb", "reload"), &status));
	return status;
}

/* ---- ping ---- */

static void print_now(void *arg, const char *text)
{
	(void)arg;
	fputs(text, stdout);
	fflush(stdout);
}

int run_ping(struct cli *cli, const struct args *args)
{
	const char *count = arg_get(args, "COUNT");
	json_t *answer =
		client_ask(cli->client,
			   json_pack("{s:s s:s s:i}", "verb", "ping", "host", arg_get(args, "HOST"),
				     "count", count ? atoi(count) : 5),
			   print_now, NULL);
	json_int_t status = json_integer_value(json_object_get(answer, "status"));
	bool ok = json_is_true(json_object_get(answer, "ok"));
	bool unreachable = json_object_get(answer, "unreachable");

	if (!ok)
		cli_say("%s", member_text(answer, "error"));
	json_decref(answer);
	return unreachable ? CLI_UNREACHABLE : !ok || status ? CLI_FAILED : CLI_OK;
}
