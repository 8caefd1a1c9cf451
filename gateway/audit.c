/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/audit.h"

#include "lib/log.h"
#include "model/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECRETS_MAX 64

struct audit {
	char *path;
	int fd;                           /* -1: it could not be opened */
	const char *secrets[SECRETS_MAX]; /* names of leaves; the schema's */
	size_t secrets_n;
};

/* ---- secrets ---- */

static void add_secret(struct audit *a, const char *name)
{
	for (size_t i = 0; i < a->secrets_n; i++)
		if (!strcmp(a->secrets[i], name))
			return;
	if (a->secrets_n == SECRETS_MAX)
		abort(); /* the schema is ours */
	a->secrets[a->secrets_n++] = name;
}

static void find_secrets(struct audit *a, const struct lys_module *module,
			 const struct lysc_node *parent)
{
	const struct lysc_node *n = schema_first(module, parent);

	for (; n; n = n->next) {
		if (schema_is_secret(n))
			add_secret(a, n->name);
		if (schema_is_inner(n))
			find_secrets(a, module, n);
	}
}

/* The length of the word that s begins with; a quoted one may hold spaces. */
static size_t word_length(const char *s)
{
	size_t i = 0;
	bool quoted = false;

	for (; s[i] && (quoted || !strchr(" \t", s[i])); i++) {
		if (s[i] == '"')
			quoted = !quoted;
		else if (quoted && s[i] == '\\' && s[i + 1])
			i++;
	}
	return i;
}

static bool is_secret(const struct audit *a, const char *word, size_t len)
{
	for (size_t i = 0; i < a->secrets_n; i++)
		if (strlen(a->secrets[i]) == len && !strncmp(a->secrets[i], word, len))
			return true;
	return false;
}

void audit_mask(const struct audit *a, const char *command, struct buf *out)
{
	bool hide = false;

	while (*command) {
		size_t space = strspn(command, " \t");
		size_t len = word_length(command + space);
		buf_append(out, command, space);
		if (len && hide)
			buf_appends(out, "(hidden)");
		else
			buf_append(out, command + space, len);
		hide = len && is_secret(a, command + space, len);
		command += space + len;
	}
}

/* ---- the file ---- */

static void file_name(const struct audit *a, unsigned number, char out[512])
{
	if (number)
		snprintf(out, 512, "%s.%u", a->path, number);
	else
		snprintf(out, 512, "%s", a->path);
}

static void open_file(struct audit *a)
{
	a->fd = open(a->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (a->fd < 0)
		log_error("audit: cannot open %s: %s", a->path, strerror(errno));
}

/* log.6 becomes log.7, ..., log becomes log.1. */
static void rotate(struct audit *a)
{
	char from[512], to[512];

	for (unsigned i = AUDIT_FILES - 1; i > 0; i--) {
		file_name(a, i - 1, from);
		file_name(a, i, to);
		if (rename(from, to) != 0 && errno != ENOENT)
			log_error("audit: cannot rename %s: %s", from, strerror(errno));
	}
	close(a->fd);
	open_file(a);
}

struct audit *audit_open(const char *path, const struct model *model)
{
	struct audit *a = calloc(1, sizeof(*a));
	char *folder = strdup(path);

	if (!a || !folder || !(a->path = strdup(path)))
		abort();
	if (mkdir(dirname(folder), 0700) != 0 && errno != EEXIST)
		log_error("audit: cannot create %s: %s", folder, strerror(errno));
	free(folder);
	find_secrets(a, model_schema(model), NULL);
	open_file(a);
	return a;
}

void audit_close(struct audit *a)
{
	if (!a)
		return;
	if (a->fd >= 0)
		close(a->fd);
	free(a->path);
	free(a);
}

static void append(struct audit *a, const char *text, bool change)
{
	struct buf line = BUF_INIT;
	struct stat st;

	if (a->fd < 0)
		open_file(a);
	if (a->fd >= 0 && fstat(a->fd, &st) == 0 && st.st_size >= AUDIT_FILE_MAX)
		rotate(a);
	if (a->fd < 0)
		return;
	buf_printf(&line, "%s\n", text);
	if (write(a->fd, line.data, line.len) != (ssize_t)line.len)
		log_error("audit: cannot write %s: %s", a->path, strerror(errno));
	else if (change && fdatasync(a->fd) != 0)
		log_error("audit: cannot sync %s: %s", a->path, strerror(errno));
	buf_free(&line);
}

void audit_note(struct audit *a, const struct peer *peer, const char *command, const char *said,
		bool change)
{
	struct buf masked = BUF_INIT;
	char clean[AUDIT_LINE_MAX], reply[512];

	if (!a)
		return;
	audit_mask(a, command, &masked);
	log_escape(clean, sizeof(clean), buf_str(&masked), masked.len);
	log_escape(reply, sizeof(reply), said ? said : "", said ? strcspn(said, "\n") : 0);
	json_t *line = json_pack("{s:I s:s s:s s:s s:s*}", "time", (json_int_t)time(NULL), "user",
				 peer->who, "terminal", peer->terminal, "command", clean, "said",
				 *reply ? reply : NULL);
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	if (text)
		append(a, text, change);
	log_info("audit: %s%s%s: %s%s%s", peer->who, *peer->terminal ? " at " : "", peer->terminal,
		 clean, *reply ? ": " : "", reply);
	free(text);
	json_decref(line);
	buf_free(&masked);
}

/* ---- reading ---- */

static void add_rows(const char *path, json_t *rows)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;

	while (file && getline(&line, &cap, file) > 0) {
		json_t *row = json_loads(line, 0, NULL); /* NULL: cut off by a power cut */
		if (row)
			json_array_append_new(rows, row);
	}
	free(line);
	if (file)
		fclose(file);
}

json_t *audit_rows(const struct audit *a, size_t max)
{
	json_t *rows = json_array(), *last = json_array();
	char path[512];

	for (unsigned i = AUDIT_FILES; i-- > 0;) {
		file_name(a, i, path);
		add_rows(path, rows);
	}
	size_t n = json_array_size(rows);
	for (size_t i = n > max ? n - max : 0; i < n; i++)
		json_array_append(last, json_array_get(rows, i));
	json_decref(rows);
	return last;
}
