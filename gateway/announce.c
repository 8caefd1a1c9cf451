/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/announce.h"

#include "lib/buf.h"
#include "lib/log.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TERMINAL_MAX 64

struct listener {
	struct listener *next;
	unsigned session;
	char terminal[TERMINAL_MAX];
};

struct announcer {
	const char *consoles;
	struct listener *listeners;
};

struct announcer *announcer_new(const char *consoles)
{
	struct announcer *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	a->consoles = consoles;
	return a;
}

void announcer_free(struct announcer *a)
{
	while (a && a->listeners)
		announcer_leave(a, a->listeners->session);
	free(a);
}

void announcer_join(struct announcer *a, unsigned session, const char *terminal)
{
	struct listener *l;

	if (!a || !*terminal)
		return;
	l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	l->session = session;
	snprintf(l->terminal, sizeof(l->terminal), "%s", terminal);
	l->next = a->listeners;
	a->listeners = l;
}

void announcer_leave(struct announcer *a, unsigned session)
{
	struct listener **link = a ? &a->listeners : NULL;

	while (link && *link && (*link)->session != session)
		link = &(*link)->next;
	if (!link || !*link)
		return;
	struct listener *gone = *link;
	*link = gone->next;
	free(gone);
}

static void write_to(const char *terminal, const char *line)
{
	int fd = open(terminal, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	char text[LOG_LINE_MAX + 16];
	int n = snprintf(text, sizeof(text), "\r\n*** %s ***\r\n", line);

	if (fd < 0)
		return;
	if (write(fd, text, (size_t)n) != n)
		log_warn("%s did not take an announcement", terminal);
	close(fd);
}

static bool is_heard_at(const struct listener *l, const char *terminal)
{
	while (l && strcmp(l->terminal, terminal) != 0)
		l = l->next;
	return l;
}

static void write_to_consoles(const struct announcer *a, const char *line)
{
	struct buf names = BUF_INIT;
	char *name, *rest = NULL, path[TERMINAL_MAX];

	if (a->consoles && buf_read_file(&names, a->consoles, 4096) && names.len)
		for (name = strtok_r(names.data, " \n", &rest); name;
		     name = strtok_r(NULL, " \n", &rest)) {
			snprintf(path, sizeof(path), "/dev/%s", name);
			if (!is_heard_at(a->listeners, path))
				write_to(path, line);
		}
	buf_free(&names);
}

/* What a peer sent may stand in it. */
static void format(char out[LOG_LINE_MAX], const char *fmt, va_list ap)
{
	struct buf line = BUF_INIT;

	buf_vprintf(&line, fmt, ap);
	log_escape(out, LOG_LINE_MAX, buf_str(&line), line.len);
	buf_free(&line);
}

void announce(struct announcer *a, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	format(line, fmt, ap);
	va_end(ap);
	log_warn("%s", line);
	if (!a)
		return;
	write_to_consoles(a, line);
	for (const struct listener *l = a->listeners; l; l = l->next)
		if (!is_heard_at(l->next, l->terminal))
			write_to(l->terminal, line);
}

void announce_to(struct announcer *a, unsigned session, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	format(line, fmt, ap);
	va_end(ap);
	for (const struct listener *l = a ? a->listeners : NULL; l; l = l->next)
		if (l->session == session)
			write_to(l->terminal, line);
}
