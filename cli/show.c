/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/show.h"

#include "cli/edit.h"
#include "cli/output.h"
#include "model/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
static const struct column firewall_log[] = {
	{"when", "TIME (UTC)", false}, {"verdict", "VERDICT", false}, {"rule", "RULE", false},
	{"in", "IN", false},           {"from", "FROM", false},       {"to", "TO", false},
	{"protocol", "PROTO", false},  {"port", "PORT", true},
};
static const struct column flows[] = {
	{"protocol", "PROTO", false}, {"from", "FROM", false},   {"to", "TO", false},
	{"server", "SERVER", false},  {"state", "STATE", false}, {"packets", "PACKETS", true},
	{"bytes", "BYTES", true},
};
static const struct column boot[] = {
	{"item", "ITEM", false},
	{"value", "VALUE", false},
};
static const struct column temperature[] = {
	{"sensor", "SENSOR", false},
	{"celsius", "CELSIUS", true},
	{"limit", "LIMIT", true},
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
	{"firewall-log", firewall_log, COUNT(firewall_log)},
	{"flows", flows, COUNT(flows)},
	{"services", services, COUNT(services)},
	{"boot", boot, COUNT(boot)},
	{"temperature", temperature, COUNT(temperature)},
};

static json_t *ask_show(struct cli *cli, const char *what, int *status)
{
	return cli_ask(cli, json_pack("{s:s s:s}", "verb", "show", "what", what), status);
}

void show_table(const char *what, const json_t *rows, struct buf *out)
{
	for (size_t i = 0; i < COUNT(layouts); i++)
		if (!strcmp(layouts[i].what, what))
			table_print(rows, layouts[i].columns, layouts[i].count, out);
}

/* The words behind "show": "firewall counters [limit COUNT]" is "firewall counters". */
static void what_of(const struct args *args, char *what, size_t cap)
{
	const char *words = args->command->pattern + strlen("show "), *option = strstr(words, " [");

	snprintf(what, cap, "%.*s", option ? (int)(option - words) : (int)strlen(words), words);
	if (!strcmp(what, "firewall counters"))
		snprintf(what, cap, "firewall");
	else if (!strcmp(what, "firewall log"))
		snprintf(what, cap, "firewall-log");
}

/* The newest come last; only so many of them. */
static void shape_log(json_t *rows, const char *count)
{
	size_t keep = count ? (size_t)strtoul(count, NULL, 10) : 50, i;
	char when[32];
	json_t *row;

	while (json_array_size(rows) > keep)
		json_array_remove(rows, 0);
	json_array_foreach(rows, i, row)
	{
		output_time(json_integer_value(json_object_get(row, "time")), when);
		json_object_set_new(row, "when", json_string(when));
	}
}

int show_rows(struct cli *cli, const struct args *args)
{
	const char *server = arg_get(args, "SERVER"), *count = arg_get(args, "COUNT");
	json_t *request;
	int status = CLI_OK;
	char what[32];

	what_of(args, what, sizeof(what));
	request = json_pack("{s:s s:s}", "verb", "show", "what", what);
	if (server)
		json_object_set_new(request, "server", json_string(server));
	if (count)
		json_object_set_new(request, "limit", json_integer(atoi(count)));
	json_t *answer = cli_ask(cli, request, &status);
	json_t *rows = json_object_get(answer, "rows");
	if (answer && !strcmp(what, "firewall-log"))
		shape_log(rows, count);
	if (answer && !output_json(cli, rows))
		show_table(what, rows, &cli->out);
	json_decref(answer);
	return status;
}

/* ---- configuration ---- */

/* From the store, whose keeper knows nothing of trees. */
static int show_stored(struct cli *cli, const struct args *args, const json_t *answer)
{
	const json_t *text = json_object_get(answer, "text");
	struct buf why = BUF_INIT;
	struct lyd_node *conf = NULL;
	struct path path = {0};
	size_t bad;
	int status = CLI_FAILED;

	if (cli->display == DISPLAY_TEXT && !args->rest_count) {
		/* also one that cannot be read: that may be why gatepostd is down */
		buf_append(&cli->out, json_string_value(text), json_string_length(text));
		return CLI_OK;
	}
	if (text_parse(cli->model, json_string_value(text), json_string_length(text), &conf,
		       &why) &&
	    path_walk(model_schema(cli->model), NULL, args->rest, args->rest_count, false, &path,
		      &bad, &why)) {
		cli_print_config(cli, conf, &path);
		status = CLI_OK;
	} else {
		cli_say("%s\n", buf_str(&why));
	}
	path_free(&path);
	conf_free(conf);
	buf_free(&why);
	return status;
}

static int show_config(struct cli *cli, const struct args *args, unsigned revision)
{
	static const char *const forms[] = {"text", "set", "json"};
	json_t *path = json_array();
	int status = CLI_OK;

	for (size_t i = 0; i < args->rest_count; i++)
		json_array_append_new(path, json_string(args->rest[i]));
	json_t *answer = cli_ask(cli,
				 json_pack("{s:s s:s s:o s:I}", "verb", "config", "form",
					   forms[cli->display], "path", path, "revision",
					   (json_int_t)revision),
				 &status);
	if (json_object_get(answer, "offline"))
		status = show_stored(cli, args, answer);
	else if (answer)
		buf_append(&cli->out, json_string_value(json_object_get(answer, "text")),
			   json_string_length(json_object_get(answer, "text")));
	json_decref(answer);
	return status;
}

int show_configuration(struct cli *cli, const struct args *args)
{
	return show_config(cli, args, 0);
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
		output_time(json_integer_value(json_object_get(row, "time")), when);
		json_object_set_new(row, "when", json_string(when));
		json_object_set_new(row, "mark",
				    json_string(json_is_true(json_object_get(row, "current"))
							? "in force"
							: ""));
	}
	if (answer && !output_json(cli, rows))
		table_print(rows, revisions, COUNT(revisions), &cli->out);
	json_decref(answer);
	return status;
}

int show_revision(struct cli *cli, const struct args *args)
{
	unsigned long number = strtoul(arg_get(args, "REVISION"), NULL, 10);

	if (!number || number > UINT32_MAX) {
		cli_say("\"%s\": not a revision; 'show revisions' lists them\n",
			arg_get(args, "REVISION"));
		return CLI_USAGE;
	}
	return show_config(cli, args, (unsigned)number);
}

/* ---- the box ---- */

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
	if (answer && !output_json(cli, row)) {
		json_object_foreach((json_t *)release, name, value)
		{
			buf_printf(&cli->out, "%-10s %s\n", name, json_string_value(value));
		}
		buf_printf(&cli->out, "%-10s %s (%s)\n", "KERNEL", output_text(row, "kernel"),
			   output_text(row, "machine"));
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
		buf_appends(&cli->out, output_text(row, "text"));
	json_decref(answer);
	return status;
}

static void print_alarm(const json_t *row, struct buf *out)
{
	const char *says = output_text(row, "says");

	buf_printf(out, "! %s\n", output_text(row, "alarm"));
	while (*says) {
		size_t len = strcspn(says, "\n");
		buf_printf(out, "  %.*s\n", (int)len, says);
		says += len + (says[len] == '\n');
	}
	buf_printf(out, "  What to do: %s\n", output_text(row, "mend"));
}

int show_alarms(struct cli *cli, const struct args *args)
{
	int status = CLI_OK;
	json_t *answer = ask_show(cli, "alarms", &status), *row;
	const json_t *rows = json_object_get(answer, "rows");
	size_t i;

	(void)args;
	if (answer && !output_json(cli, rows)) {
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
	json_t *answer = cli_request(cli, json_pack("{s:s s:s}", "verb", "show", "what", "alarms"));
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(answer, "rows"), i, row)
	{
		print_alarm(row, &cli->out);
	}
	if (!json_is_true(json_object_get(answer, "ok")))
		cli_say("%s", output_text(answer, "error"));
	json_decref(answer);
}
