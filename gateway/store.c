/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/store.h"

#include "gateway/file.h"
#include "lib/log.h"
#include "model/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct confstore {
	char *config;      /* DIR/gatepost.conf */
	char *revisions;   /* DIR/revisions */
	char *unconfirmed; /* DIR/unconfirmed */
	unsigned current;
	unsigned newest; /* numbers are never used twice */
};

static char *join(const char *dir, const char *name)
{
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/%s", dir, name);
	return buf_steal(&path);
}

static char *revision_path(const struct confstore *s, unsigned number)
{
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/%u", s->revisions, number);
	return buf_steal(&path);
}

/* ---- the first line ---- */

/* Line ends and other controls would break the line. */
static void one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

static void header_print(const struct revision *r, struct buf *out)
{
	struct revision clean = *r;
	time_t t = (time_t)r->time_s;
	struct tm tm;
	char when[32];

	one_line(clean.who);
	one_line(clean.why);
	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_printf(out, "# revision %u %s by %s: %s\n", clean.number, when,
		   *clean.who ? clean.who : "?", clean.why);
}

/* The length of the first line with its end; 0 when it is no header. */
static size_t header_parse(const char *text, struct revision *r)
{
	size_t len = strcspn(text, "\n");
	struct tm tm = {0};
	char line[CONFSTORE_WHO_MAX + CONFSTORE_WHY_MAX + 128], when[32];
	int behind = 0;

	if (text[len] != '\n' || len >= sizeof(line))
		return 0;
	memcpy(line, text, len);
	line[len] = '\0';
	*r = (struct revision){0};
	if (sscanf(line, "# revision %u %31s by %63[^:]: %n", &r->number, when, r->who, &behind) !=
		    3 ||
	    !behind)
		return 0;
	if (!strptime(when, "%Y-%m-%dT%H:%M:%SZ", &tm))
		return 0;
	r->time_s = (int64_t)timegm(&tm);
	snprintf(r->why, sizeof(r->why), "%s", line + behind);
	return len + 1;
}

/* ---- revisions on disk ---- */

static int newest_first(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x < y) - (x > y);
}

/* The numbers there are, newest first; the caller frees the list. */
static size_t numbers(const struct confstore *s, unsigned **list)
{
	size_t count = 0, cap = 0;
	struct dirent *entry;
	DIR *dir = opendir(s->revisions);

	*list = NULL;
	while (dir && (entry = readdir(dir))) {
		char *end;
		unsigned long n = strtoul(entry->d_name, &end, 10);
		if (*end || n == 0 || n > UINT32_MAX)
			continue;
		if (count == cap) {
			cap = cap ? cap * 2 : 64;
			*list = realloc(*list, cap * sizeof(**list));
			if (!*list)
				abort();
		}
		(*list)[count++] = (unsigned)n;
	}
	if (dir)
		closedir(dir);
	if (count)
		qsort(*list, count, sizeof(**list), newest_first);
	return count;
}

bool confstore_load(const struct confstore *s, unsigned number, struct revision *r,
		    struct buf *text, struct buf *error)
{
	char *path = revision_path(s, number);
	struct buf file = BUF_INIT;
	struct revision header;
	size_t header_len = 0;
	bool ok = buf_read_file(&file, path, TEXT_MAX + 4096);

	if (!ok && errno == ENOENT)
		buf_printf(error, "there is no revision %u\n", number);
	else if (!ok)
		buf_printf(error, "cannot read %s: %s\n", path, strerror(errno));
	else if (!(header_len = header_parse(buf_str(&file), &header)))
		buf_printf(error, "%s does not begin as a revision does\n", path);
	else
		buf_append(text, file.data + header_len, file.len - header_len);
	if (header_len && r) {
		*r = header;
		r->number = number;
	}
	buf_free(&file);
	free(path);
	return header_len;
}

size_t confstore_list(const struct confstore *s, struct revision *list, size_t max)
{
	unsigned *all;
	size_t count = numbers(s, &all), used = 0;
	struct buf unused = BUF_INIT;

	for (size_t i = 0; i < count && used < max; i++) {
		buf_clear(&unused);
		if (confstore_load(s, all[i], &list[used], &unused, &unused))
			used++;
	}
	buf_free(&unused);
	free(all);
	return used;
}

void confstore_drop(struct confstore *s, unsigned number)
{
	char *path = revision_path(s, number);
	struct buf error = BUF_INIT;

	if (!file_remove(path, &error))
		log_warn("store: %s", buf_str(&error));
	buf_free(&error);
	free(path);
}

static void prune(struct confstore *s)
{
	unsigned *all;
	size_t count = numbers(s, &all);

	for (size_t i = CONFSTORE_KEEP; i < count; i++)
		if (all[i] != s->current)
			confstore_drop(s, all[i]);
	free(all);
}

bool confstore_add(struct confstore *s, struct revision *r, const struct buf *text,
		   struct buf *error)
{
	struct buf file = BUF_INIT;

	r->number = s->newest + 1;
	header_print(r, &file);
	buf_append(&file, text->data, text->len);
	char *path = revision_path(s, r->number);
	bool ok = file_replace(path, file.data, file.len, 0600, error);
	if (ok)
		s->newest = r->number;
	buf_free(&file);
	free(path);
	return ok;
}

bool confstore_keep(struct confstore *s, unsigned number, struct buf *error)
{
	struct buf text = BUF_INIT;
	bool ok = confstore_load(s, number, NULL, &text, error) &&
		  file_replace(s->config, text.data, text.len, 0600, error);

	buf_free(&text);
	if (!ok)
		return false;
	s->current = number;
	confstore_clear_unconfirmed(s);
	prune(s);
	return true;
}

/* ---- open ---- */

bool confstore_read(const struct confstore *s, struct buf *text, struct buf *error)
{
	if (buf_read_file(text, s->config, TEXT_MAX))
		return true;
	if (errno == ENOENT)
		return true;
	buf_printf(error, "cannot read %s: %s\n", s->config,
		   errno == EFBIG ? "it is larger than any config" : strerror(errno));
	return false;
}

/* Which revision gatepost.conf is. */
static void find_current(struct confstore *s, const struct buf *config)
{
	unsigned *all;
	size_t count = numbers(s, &all), i;
	struct buf text = BUF_INIT, unused = BUF_INIT;

	s->newest = count ? all[0] : 0;
	for (i = 0; i < count && !s->current; i++) {
		buf_clear(&text);
		if (confstore_load(s, all[i], NULL, &text, &unused) && text.len == config->len &&
		    !memcmp(buf_str(&text), buf_str(config), text.len))
			s->current = all[i];
	}
	free(all);
	buf_free(&text);
	buf_free(&unused);
}

/* Those newer than the current one were never kept. */
static void drop_newer(struct confstore *s)
{
	unsigned *all;
	size_t count = numbers(s, &all);

	for (size_t i = 0; i < count && s->current && all[i] > s->current; i++)
		confstore_drop(s, all[i]);
	free(all);
}

/* What a crash left half written. */
static void sweep(const struct confstore *s)
{
	struct dirent *entry;
	DIR *dir = opendir(s->revisions);

	while (dir && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);
		if (len > 4 && !strcmp(entry->d_name + len - 4, ".new"))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	if (dir)
		closedir(dir);
}

static bool adopt(struct confstore *s, const struct buf *config, struct buf *error)
{
	struct revision r = {.time_s = time(NULL), .who = "file", .why = "found at start"};

	if (s->current || access(s->config, F_OK) != 0)
		return true;
	if (!confstore_add(s, &r, config, error))
		return false;
	s->current = r.number;
	prune(s);
	return true;
}

static struct confstore *new_store(const char *dir, const char *config)
{
	struct confstore *s = calloc(1, sizeof(*s));

	if (!s || !(s->config = config ? strdup(config) : join(dir, "gatepost.conf")))
		abort();
	s->revisions = join(dir, "revisions");
	s->unconfirmed = join(dir, "unconfirmed");
	return s;
}

struct confstore *confstore_look(const char *dir, const char *config, struct buf *error)
{
	struct confstore *s = new_store(dir, config);
	struct buf text = BUF_INIT;

	if (confstore_read(s, &text, error)) {
		find_current(s, &text);
	} else {
		confstore_close(s);
		s = NULL;
	}
	buf_free(&text);
	return s;
}

struct confstore *confstore_open(const char *dir, const char *config, struct buf *error)
{
	struct confstore *s = new_store(dir, config);
	struct buf text = BUF_INIT;

	if (mkdir(s->revisions, 0700) != 0 && errno != EEXIST) {
		buf_printf(error, "cannot create %s: %s\n", s->revisions, strerror(errno));
		goto err;
	}
	if (!confstore_read(s, &text, error))
		goto err;
	sweep(s);
	find_current(s, &text);
	drop_newer(s);
	if (!adopt(s, &text, error))
		goto err;
	buf_free(&text);
	return s;
err:
	buf_free(&text);
	confstore_close(s);
	return NULL;
}

void confstore_close(struct confstore *s)
{
	if (!s)
		return;
	free(s->config);
	free(s->revisions);
	free(s->unconfirmed);
	free(s);
}

const char *confstore_path(const struct confstore *s)
{
	return s->config;
}

unsigned confstore_current(const struct confstore *s)
{
	return s->current;
}

/* ---- a commit that waits ---- */

bool confstore_set_unconfirmed(struct confstore *s, const struct unconfirmed *u, struct buf *error)
{
	struct buf line = BUF_INIT;

	buf_printf(&line, "%u %u %lld\n", u->number, u->return_to, (long long)u->deadline_s);
	bool ok = file_replace(s->unconfirmed, line.data, line.len, 0600, error);
	buf_free(&line);
	return ok;
}

bool confstore_get_unconfirmed(const struct confstore *s, struct unconfirmed *u)
{
	struct buf line = BUF_INIT;
	long long deadline_s;
	bool ok = buf_read_file(&line, s->unconfirmed, 256) &&
		  sscanf(buf_str(&line), "%u %u %lld", &u->number, &u->return_to, &deadline_s) == 3;

	if (ok)
		u->deadline_s = deadline_s;
	buf_free(&line);
	return ok;
}

void confstore_clear_unconfirmed(struct confstore *s)
{
	struct buf error = BUF_INIT;

	if (!file_remove(s->unconfirmed, &error))
		log_warn("store: %s", buf_str(&error));
	buf_free(&error);
}
