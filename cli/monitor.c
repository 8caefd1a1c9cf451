/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/monitor.h"

#include "cli/output.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

enum { INTERVAL_S = 2, INTERVAL_MAX_S = 3600, CTRL_C = 3, CTRL_D = 4 };

/* ---- rates ---- */

static const json_t *row_named(const json_t *rows, const char *key, const char *name)
{
	size_t i;
	json_t *row;

	json_array_foreach((json_t *)rows, i, row)
	{
		const char *text = json_string_value(json_object_get(row, key));
		if (text && !strcmp(text, name))
			return row;
	}
	return NULL;
}

static void add_rates(json_t *row, const json_t *before, double seconds)
{
	json_t *rates = json_object(), *value;
	const char *name;
	char rate[80];

	json_object_foreach(row, name, value)
	{
		const json_t *was = json_object_get(before, name);
		if (!json_is_integer(value) || !json_is_integer(was))
			continue;
		json_int_t moved = json_integer_value(value) - json_integer_value(was);
		if (moved < 0)
			moved = json_integer_value(value);
		snprintf(rate, sizeof(rate), "%s_rate", name);
		json_object_set_new(rates, rate,
				    json_integer((json_int_t)((double)moved / seconds + 0.5)));
	}
	json_object_update(row, rates);
	json_decref(rates);
}

void monitor_rates(json_t *now, const json_t *before, const char *key, double seconds)
{
	size_t i;
	json_t *row;

	json_array_foreach(now, i, row)
	{
		const char *name = json_string_value(json_object_get(row, key));
		const json_t *was = name ? row_named(before, key, name) : NULL;
		if (was && seconds > 0)
			add_rates(row, was, seconds);
	}
}

/* ---- what is looked at ---- */

static json_t *ask_rows(struct cli *cli, const char *what, int *status)
{
	json_t *answer = cli_ask(cli, json_pack("{s:s s:s}", "verb", "show", "what", what), status);
	json_t *rows = json_incref(json_object_get(answer, "rows"));

	json_decref(answer);
	return rows;
}

static json_t *see_interfaces(struct cli *cli, int *status)
{
	return ask_rows(cli, "interfaces", status);
}

static json_t *see_firewall(struct cli *cli, int *status)
{
	return ask_rows(cli, "firewall", status);
}

static json_t *ask_relay(struct cli *cli, const char *verb, int *status)
{
	return cli_ask(cli, json_pack("{s:s s:{s:s}}", "verb", "relay", "request", "verb", verb),
		       status);
}

/* An account's counts of events as members of its row, with what waits of it. */
static json_t *see_relay(struct cli *cli, int *status)
{
	json_t *statistics = ask_relay(cli, "statistics", status), *row, *count;
	json_t *queue = statistics ? ask_relay(cli, "queue", status) : NULL, *rows = NULL;
	const json_t *waiting = json_object_get(queue, "accounts");
	const char *event;
	size_t i;

	if (queue)
		rows = json_incref(json_object_get(statistics, "accounts"));
	json_array_foreach(rows, i, row)
	{
		const char *account = output_text(row, "account");
		const json_t *waits = row_named(waiting, "account", account);
		json_object_foreach(json_object_get(row, "events"), event, count)
		{
			json_object_set(row, event, count);
		}
		json_object_set_new(
			row, "waiting",
			json_integer(json_integer_value(json_object_get(waits, "messages"))));
		json_object_set_new(
			row, "oldest",
			json_integer(json_integer_value(json_object_get(waits, "oldest-s"))));
	}
	json_decref(statistics);
	json_decref(queue);
	return rows;
}

static const struct column interface_columns[] = {
	{"name", "NAME", false},
	{"role", "ROLE", false},
	{"state", "STATE", false},
	{"rx_bytes_rate", "RX-BYTE/S", true},
	{"tx_bytes_rate", "TX-BYTE/S", true},
	{"rx_packets_rate", "RX-PKT/S", true},
	{"tx_packets_rate", "TX-PKT/S", true},
	{"rx_dropped", "DROPPED", true},
};
static const struct column firewall_columns[] = {
	{"name", "COUNTER", false},      {"packets_rate", "PACKETS/S", true},
	{"bytes_rate", "BYTES/S", true}, {"packets", "PACKETS", true},
	{"bytes", "BYTES", true},
};
static const struct column relay_columns[] = {
	{"account", "ACCOUNT", false},     {"waiting", "WAITING", true},
	{"oldest", "OLDEST-S", true},      {"received_rate", "IN/S", true},
	{"delivered_rate", "OUT/S", true}, {"deferred_rate", "LATER/S", true},
	{"bounced_rate", "BACK/S", true},  {"delivered", "DELIVERED", true},
};

static const struct subject {
	const char *name, *key;
	const struct column *columns;
	size_t count;
	const char *busiest; /* rows that moved most come first; NULL: as they are */
	json_t *(*see)(struct cli *cli, int *status);
} subjects[] = {
	{"interfaces", "name", interface_columns, COUNT(interface_columns), NULL, see_interfaces},
	{"firewall", "name", firewall_columns, COUNT(firewall_columns), "packets_rate",
	 see_firewall},
	{"relay", "account", relay_columns, COUNT(relay_columns), "received_rate", see_relay},
};

/* Stable, so that rows that stand still keep their places. */
static void busiest_first(json_t *rows, const char *member)
{
	for (size_t i = 1; i < json_array_size(rows); i++) {
		json_t *row = json_incref(json_array_get(rows, i));
		json_int_t rate = json_integer_value(json_object_get(row, member));
		size_t to = i;

		while (to && json_integer_value(
				     json_object_get(json_array_get(rows, to - 1), member)) < rate)
			to--;
		json_array_remove(rows, i);
		json_array_insert_new(rows, to, row);
	}
}

/* ---- the screen ---- */

static bool can_paint(const struct cli *cli)
{
	const char *term = getenv("TERM");

	return cli->interactive && term && *term && strcmp(term, "dumb") != 0;
}

/* Home, then line over line, each wiped behind its end; nothing scrolls. */
static void paint(const struct buf *text)
{
	struct buf out = BUF_INIT;
	const char *at = buf_str(text);
	size_t rows, columns;

	output_screen(&rows, &columns);
	buf_appends(&out, "\033[H");
	for (size_t row = 1; *at && row < rows; row++) {
		size_t len = strcspn(at, "\n");
		buf_append(&out, at, len < columns ? len : columns - 1);
		buf_appends(&out, "\033[K\n");
		at += len + (at[len] == '\n');
	}
	buf_appends(&out, "\033[J");
	fwrite(out.data, 1, out.len, stdout);
	buf_free(&out);
}

static void print_look(struct cli *cli, const struct subject *s, json_t *rows, bool painted)
{
	struct buf text = BUF_INIT;
	char when[32];

	output_time(time(NULL), when);
	buf_printf(&text, "%s UTC  %s%s\n", when, s->name, cli->interactive ? "  (q ends)" : "");
	table_print(rows, s->columns, s->count, &text);
	if (painted)
		paint(&text);
	else
		fputs(buf_str(&text), stdout);
	fflush(stdout);
	buf_free(&text);
}

/* False when somebody has seen enough. */
static bool wait_for_key(const struct cli *cli, int milliseconds)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char key = 0;

	if (!cli->interactive) {
		usleep((useconds_t)milliseconds * 1000);
		return !ferror(stdout);
	}
	if (poll(&p, 1, milliseconds) == 0)
		return true;
	return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q' && key != CTRL_C &&
	       key != CTRL_D;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int look(struct cli *cli, const struct subject *s, int interval_s, long looks)
{
	json_t *before = NULL;
	double then = 0;
	int status = CLI_OK;
	bool painted = can_paint(cli);

	if (painted)
		fputs("\033[H\033[J", stdout);
	for (long n = 0; looks == 0 || n < looks; n++) {
		if (n && !wait_for_key(cli, interval_s * 1000))
			break;
		json_t *rows = s->see(cli, &status);
		double now = now_s();
		if (!rows)
			break;
		monitor_rates(rows, before, s->key, now - then);
		if (s->busiest)
			busiest_first(rows, s->busiest);
		print_look(cli, s, rows, painted);
		json_decref(before);
		before = rows;
		then = now;
	}
	json_decref(before);
	return status;
}

int run_monitor(struct cli *cli, const struct args *args)
{
	const char *interval = arg_get(args, "SECONDS"), *count = arg_get(args, "COUNT");
	const char *word = args->command->pattern + strlen("monitor ");
	int seconds = interval ? atoi(interval) : INTERVAL_S;
	struct termios was, raw;
	size_t i = 0;

	if (seconds < 1 || seconds > INTERVAL_MAX_S) {
		cli_say("\"%s\": not a number of seconds (1 to %d)\n", interval, INTERVAL_MAX_S);
		return CLI_USAGE;
	}
	while (strncmp(subjects[i].name, word, strlen(subjects[i].name)) != 0)
		i++; /* the table of commands names no other */
	bool keys = cli->interactive && tcgetattr(STDIN_FILENO, &was) == 0;
	if (keys) {
		raw = was;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	int status = look(cli, &subjects[i], seconds, count ? atol(count) : 0);
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &was);
	return status;
}
