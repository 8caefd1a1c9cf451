/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firewall's lines in the kernel's log. What they hold came over the wire, but every field of a
 * kernel's packet line is a number, an address or a device's name; a field is taken by its name.
 */
#include "gateway/oper.h"

#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_MAX = 8192 };

static const char prefix[] = "gatepost ";

/* "NAME=VALUE": the value up to the next blank; "" when there is none. */
static void field(const char *line, const char *name, char *out, size_t cap)
{
	size_t len = strlen(name);

	*out = '\0';
	for (const char *at = strstr(line, name); at; at = strstr(at + 1, name)) {
		if ((at != line && at[-1] != ' ') || at[len] != '=')
			continue;
		log_escape(out, cap, at + len + 1, strcspn(at + len + 1, " \n"));
		return;
	}
}

/* "drop wan-in: " or "allow web1 http: ": what the firewall says before the packet. */
static bool read_rule(const char **line, char verdict[8], char rule[160])
{
	const char *at = *line + strlen(prefix), *colon = strchr(at, ':');
	size_t word = strcspn(at, " ");

	if (!colon || word >= 8 || at + word >= colon)
		return false;
	snprintf(verdict, 8, "%.*s", (int)word, at);
	log_escape(rule, 160, at + word + 1, (size_t)(colon - at) - word - 1);
	*line = colon + 1;
	return true;
}

json_t *oper_log_row(const char *record, int64_t boot_us)
{
	static const struct {
		const char *member, *field;
	} fields[] = {{"in", "IN"},  {"out", "OUT"},        {"from", "SRC"},
		      {"to", "DST"}, {"protocol", "PROTO"}, {"port", "DPT"}};
	char verdict[8], rule[160], value[128];
	long long us;

	/* "priority,sequence,microseconds,flags;text" */
	const char *text = strchr(record, ';');
	if (!text || sscanf(record, "%*u,%*u,%lld,", &us) != 1)
		return NULL;
	text++;
	if (strncmp(text, prefix, strlen(prefix)) != 0 || !read_rule(&text, verdict, rule))
		return NULL;
	json_t *row = json_pack("{s:I s:s s:s}", "time", (json_int_t)((boot_us + us) / 1000000),
				"verdict", verdict, "rule", rule);
	for (size_t i = 0; row && i < sizeof(fields) / sizeof(*fields); i++) {
		field(text, fields[i].field, value, sizeof(value));
		json_object_set_new(row, fields[i].member, json_string(value));
	}
	return row;
}

static int64_t now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

json_t *oper_firewall_log(struct buf *error)
{
	int64_t boot_us = now_us(CLOCK_REALTIME) - now_us(CLOCK_MONOTONIC);
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[RECORD_MAX];
	ssize_t n;

	if (fd < 0) {
		buf_printf(error, "cannot read the kernel's log: %s\n", strerror(errno));
		return NULL;
	}
	json_t *rows = json_array();
	/* EPIPE: records were overwritten meanwhile; the next read goes on behind them. */
	while ((n = read(fd, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		record[n] = '\0';
		json_t *row = oper_log_row(record, boot_us);
		if (row)
			json_array_append_new(rows, row);
	}
	close(fd);
	return rows;
}
