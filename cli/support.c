/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/support.h"

#include "cli/archive.h"
#include "cli/edit.h"
#include "cli/output.h"
#include "model/schema.h"
#include "model/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What is in it: a file for each command. */
static const struct {
	const char *file, *command;
} parts[] = {
	{"version", "show version"},
	{"boot", "show boot"},
	{"alarms", "show alarms"},
	{"revisions", "show revisions"},
	{"services", "show services"},
	{"temperature", "show temperature"},
	{"interfaces", "show interfaces | display json"},
	{"routes", "show routes"},
	{"neighbours", "show neighbours"},
	{"firewall-counters", "show firewall counters"},
	{"firewall-log", "show firewall log limit 1000"},
	{"firewall-ruleset", "show firewall ruleset"},
	{"flows", "show flows limit 500"},
	{"audit", "show audit"},
	{"relay-alarms", "show relay alarms"},
	{"relay-processes", "show relay processes"},
	{"relay-listeners", "show relay listeners"},
	{"relay-certificate", "show relay certificate"},
	{"relay-queue", "show relay queue"},
	{"relay-statistics", "show relay statistics"},
};

/* ---- secrets ---- */

/* A value so short would be found in half of all words; no secret that is one is. */
enum { SECRET_MIN = 4 };

static void gather_secrets(const struct lyd_node *siblings, struct words *secrets)
{
	for (const struct lyd_node *n = siblings; n; n = n->next) {
		if (schema_is_inner(n->schema))
			gather_secrets(lyd_child(n), secrets);
		else if (schema_is_secret(n->schema) && strlen(conf_text(n)) >= SECRET_MIN)
			words_add(secrets, conf_text(n));
	}
}

/* The length of a hash that begins at s ("$y$...", "$6$..."), or 0. */
static size_t hash_length(const char *s)
{
	size_t id = 1, len;

	if (*s != '$')
		return 0;
	while (id < 8 && isalnum((unsigned char)s[id]))
		id++;
	if (id == 1 || s[id] != '$')
		return 0;
	len = id + 1 +
	      strspn(s + id + 1, "./$=,0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz");
	return len > 20 ? len : 0;
}

static size_t key_length(const char *s)
{
	static const char begin[] = "-----BEGIN ", end[] = "PRIVATE KEY-----";

	if (strncmp(s, begin, strlen(begin)) != 0)
		return 0;
	const char *mark = strstr(s, end), *line = strchr(s, '\n');
	if (!mark || (line && mark > line))
		return 0;
	const char *stop = strstr(mark + strlen(end), end);
	return stop ? (size_t)(stop - s) + strlen(end) : strlen(s);
}

static size_t secret_length(const char *s, char *const *secrets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strncmp(s, secrets[i], strlen(secrets[i])))
			return strlen(secrets[i]);
	size_t len = hash_length(s);
	return len ? len : key_length(s);
}

void support_hide(struct buf *text, char *const *secrets, size_t count)
{
	struct buf out = BUF_INIT;
	const char *at = buf_str(text);

	while (*at) {
		size_t len = secret_length(at, secrets, count);
		if (len)
			buf_appends(&out, "(hidden)");
		else
			buf_appendc(&out, *at);
		at += len ? len : 1;
	}
	buf_free(text);
	*text = out;
}

/* ---- the parts ---- */

struct support {
	struct cli *cli;
	struct archive *archive;
	const char *folder;
	struct words secrets;
};

static void add_text(struct support *s, const char *name, struct buf *text)
{
	char path[96];

	support_hide(text, s->secrets.list, s->secrets.count);
	snprintf(path, sizeof(path), "%.40s/%.40s.txt", s->folder, name);
	archive_add(s->archive, path, text->data, text->len);
	buf_free(text);
}

static void add_command(struct support *s, const char *name, const char *command)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "# %s\n", command);
	cli_collect(s->cli, command, &text);
	add_text(s, name, &text);
}

/* The config with its secrets hidden; one that cannot be read is left out, as they would be in it.
 */
static void add_config(struct support *s, const struct lyd_node *conf)
{
	const struct text_style style = {.form = TEXT_BRACES, .hide_secrets = true};
	struct buf text = BUF_INIT;

	if (conf)
		text_print(conf, &style, &text);
	else
		buf_appends(&text, "# it cannot be read\n");
	add_text(s, "config", &text);
}

/* Who may only look gets it without secrets already. */
static void add_config_as_told(struct support *s)
{
	add_command(s, "config", "show configuration");
}

static void add_logs(struct support *s)
{
	json_t *answer =
		cli_request(s->cli, json_pack("{s:s s:s}", "verb", "show", "what", "services"));
	char name[64], command[96];
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(answer, "rows"), i, row)
	{
		const char *service = output_text(row, "name");
		snprintf(name, sizeof(name), "log-%.32s", service);
		snprintf(command, sizeof(command), "show log %.32s limit 20000", service);
		add_command(s, name, command);
	}
	json_decref(answer);
}

static void add_all(struct support *s)
{
	struct lyd_node *conf = NULL;
	int status;

	if (s->cli->admin && cli_fetch(s->cli, 0, &conf, NULL, &status))
		gather_secrets(conf, &s->secrets);
	if (s->cli->admin)
		add_config(s, conf);
	else
		add_config_as_told(s);
	conf_free(conf);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		add_command(s, parts[i].file, parts[i].command);
	add_logs(s);
	words_free(&s->secrets);
}

/* ---- the command ---- */

int request_support(struct cli *cli, const struct args *args)
{
	const char *path = arg_get(args, "FILE");
	char folder[41], usual[96], stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
	snprintf(folder, sizeof(folder), "support-%.16s-%.15s", cli->host, stamp);
	snprintf(usual, sizeof(usual), "/tmp/%s.tar.gz", folder);
	bool out = path && !strcmp(path, "-");
	if (out && isatty(STDOUT_FILENO)) {
		cli_say("this is no text; 'ssh BOX request support - > FILE' takes it\n");
		return CLI_USAGE;
	}
	path = path ? path : usual;
	fflush(stdout);
	int fd = out ? dup(STDOUT_FILENO)
		     : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct support s = {.cli = cli, .folder = folder};
	if (fd < 0 || !(s.archive = archive_open(fd, (int64_t)now))) {
		cli_say("cannot write %s: %s\n", path, strerror(errno));
		return CLI_FAILED;
	}
	add_all(&s);
	buf_clear(&cli->out);
	if (!archive_close(s.archive)) {
		cli_say("cannot write %s: %s\n", path, strerror(errno));
		return CLI_FAILED;
	}
	if (!out)
		buf_printf(&cli->out, "%s\n", path);
	return CLI_OK;
}
