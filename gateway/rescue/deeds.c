/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/rescue/deeds.h"

#include "gateway/file.h"
#include "gateway/oper.h"
#include "gateway/runit.h"
#include "gateway/store.h"
#include "lib/log.h"
#include "model/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOG_MAX ((size_t)4 << 20) /* bytes of one file of svlogd's */

enum { LINES_USUAL = 50, LINES_MAX = 20000, ALARM_LINES = 5 };

static json_t *failure(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static json_t *failure(const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	json_t *answer = json_pack("{s:b s:s%}", "ok", 0, "error", buf_str(&text), text.len);
	buf_free(&text);
	return answer ? answer : json_pack("{s:b s:s}", "ok", 0, "error", "it failed\n");
}

static json_t *failure_of(struct buf *error)
{
	json_t *answer = failure("%s", buf_str(error));

	buf_free(error);
	return answer;
}

static const char *text_of(const json_t *request, const char *name)
{
	const char *text = json_string_value(json_object_get(request, name));

	return text ? text : "";
}

static bool gatepostd_answers(const struct rescue *r)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(r->control) >= sizeof(sun.sun_path))
		return false;
	memcpy(sun.sun_path, r->control, strlen(r->control));
	bool answers = connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0;
	close(fd);
	return answers;
}

/* ---- the store ---- */

typedef json_t *store_deed(const struct rescue *r, struct confstore *s, const struct peer *peer,
			   const json_t *request);

static json_t *status_of(const struct rescue *r, struct confstore *s, const struct peer *peer,
			 const json_t *request)
{
	char host[256] = "";

	(void)r;
	(void)request;
	gethostname(host, sizeof(host) - 1);
	return json_pack("{s:b s:s s:s s:b s:I}", "ok", 1, "host", host, "user", peer->who, "admin",
			 peer->admin, "revision", (json_int_t)confstore_current(s));
}

static json_t *config_of(const struct rescue *r, struct confstore *s, const struct peer *peer,
			 const json_t *request)
{
	json_int_t revision = json_integer_value(json_object_get(request, "revision"));
	struct buf text = BUF_INIT, error = BUF_INIT;
	json_t *answer;
	bool ok;

	(void)r;
	(void)peer;
	if (revision < 0 || revision > UINT32_MAX)
		return failure("there is no such revision\n");
	if (revision) {
		ok = confstore_load(s, (unsigned)revision, NULL, &text, &error);
	} else {
		ok = confstore_read(s, &text, &error);
		revision = confstore_current(s);
	}
	answer = ok ? json_pack("{s:b s:I s:s%}", "ok", 1, "revision", revision, "text",
				buf_str(&text), text.len)
		    : failure_of(&error);
	buf_free(&text);
	return answer ? answer : failure("what is stored is not text (not UTF-8)\n");
}

static json_t *revisions_of(const struct rescue *r, struct confstore *s, const struct peer *peer,
			    const json_t *request)
{
	struct revision *list = calloc(CONFSTORE_KEEP + 1, sizeof(*list));
	json_t *rows = json_array();

	(void)r;
	(void)peer;
	(void)request;
	if (!list)
		abort();
	size_t count = confstore_list(s, list, CONFSTORE_KEEP + 1);
	for (size_t i = 0; i < count; i++) {
		json_t *row = json_pack(
			"{s:I s:I s:s s:s s:b}", "revision", (json_int_t)list[i].number, "time",
			(json_int_t)list[i].time_s, "user", list[i].who, "comment", list[i].why,
			"current", list[i].number == confstore_current(s));
		if (row)
			json_array_append_new(rows, row);
	}
	free(list);
	return json_pack("{s:b s:o}", "ok", 1, "rows", rows);
}

static bool is_stored(const struct confstore *s, const struct buf *text)
{
	struct buf stored = BUF_INIT, error = BUF_INIT;
	bool same = confstore_read(s, &stored, &error) && stored.len == text->len &&
		    !memcmp(buf_str(&stored), buf_str(text), text->len);

	buf_free(&stored);
	buf_free(&error);
	return same;
}

static json_t *commit_to(const struct rescue *r, struct confstore *s, const struct peer *peer,
			 const json_t *request)
{
	const json_t *string = json_object_get(request, "text");
	struct revision rev = {.time_s = time(NULL), .number = confstore_current(s)};
	struct buf text = BUF_INIT, error = BUF_INIT;

	if (!json_is_string(string) || json_string_length(string) > TEXT_MAX)
		return failure("the request has no text\n");
	if (json_integer_value(json_object_get(request, "confirm")))
		return failure("'commit confirmed' needs gatepostd: nothing would undo it\n");
	buf_append(&text, json_string_value(string), json_string_length(string));
	snprintf(rev.who, sizeof(rev.who), "%s", peer->who);
	snprintf(rev.why, sizeof(rev.why), "%s", text_of(request, "comment"));
	bool ok = is_stored(s, &text) ||
		  (confstore_add(s, &rev, &text, &error) && confstore_keep(s, rev.number, &error));
	buf_free(&text);
	if (!ok)
		return failure_of(&error);
	log_info("%s stored revision %u while gatepostd was down", peer->who, rev.number);
	/* Whatever it read of the store while it tried to start is old now. */
	runit_restart(r->services, "gatepostd");
	return json_pack("{s:b s:I}", "ok", 1, "revision", (json_int_t)rev.number);
}

static json_t *on_store(const struct rescue *r, const struct peer *peer, const json_t *request,
			store_deed *deed)
{
	struct buf error = BUF_INIT;
	struct confstore *s = deed == commit_to ? confstore_open(r->store, r->config, &error)
						: confstore_look(r->store, r->config, &error);

	if (!s)
		return failure_of(&error);
	json_t *answer = deed(r, s, peer, request);
	confstore_close(s);
	buf_free(&error);
	return answer;
}

static json_t *answer_status(const struct rescue *r, const struct peer *peer, const json_t *request)
{
	return on_store(r, peer, request, status_of);
}

static json_t *answer_config(const struct rescue *r, const struct peer *peer, const json_t *request)
{
	return on_store(r, peer, request, config_of);
}

static json_t *answer_revisions(const struct rescue *r, const struct peer *peer,
				const json_t *request)
{
	return on_store(r, peer, request, revisions_of);
}

static json_t *answer_check(const struct rescue *r, const struct peer *peer, const json_t *request)
{
	(void)r;
	(void)peer;
	(void)request;
	return json_pack("{s:b}", "ok", 1); /* by the model, where it was asked from */
}

static json_t *answer_commit(const struct rescue *r, const struct peer *peer, const json_t *request)
{
	return on_store(r, peer, request, commit_to);
}

/* ---- logs ---- */

/* One word that names a folder below ours, and nothing else. */
static bool is_service(const char *name)
{
	return *name && *name != '.' && strlen(name) < 64 && !strchr(name, '/');
}

/* svlogd's older files begin with '@'; the newest of them sorts last. */
static void newest_old_file(const char *dir, struct buf *path)
{
	struct dirent **names;
	int count = scandir(dir, &names, NULL, alphasort);
	const char *newest = NULL;

	for (int i = 0; i < count; i++)
		if (names[i]->d_name[0] == '@')
			newest = names[i]->d_name;
	if (newest)
		buf_printf(path, "%s/%s", dir, newest);
	for (int i = 0; i < count; i++)
		free(names[i]);
	if (count >= 0)
		free(names);
}

static void last_lines(struct buf *text, size_t lines)
{
	size_t at = text->len, seen = 0;

	if (at && text->data[at - 1] == '\n')
		at--;
	while (at && !(text->data[at - 1] == '\n' && ++seen == lines))
		at--;
	buf_consume(text, at);
}

static bool read_log(const struct rescue *r, const char *service, size_t lines, struct buf *text)
{
	struct buf dir = BUF_INIT, path = BUF_INIT, current = BUF_INIT;

	buf_printf(&dir, "%s/%s", r->logs, service);
	newest_old_file(buf_str(&dir), &path);
	if (path.len && !buf_read_file(text, buf_str(&path), LOG_MAX))
		buf_clear(text);
	buf_clear(&path);
	buf_printf(&path, "%s/current", buf_str(&dir));
	bool ok = buf_read_file(&current, buf_str(&path), LOG_MAX);
	if (ok)
		buf_append(text, current.data, current.len);
	last_lines(text, lines);
	buf_free(&dir);
	buf_free(&path);
	buf_free(&current);
	return ok;
}

static bool is_clean(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
			return false;
	json_t *string = json_stringn(line, len); /* NULL when it is not UTF-8 */
	json_decref(string);
	return string;
}

/* A log holds what it was given: no line of it drives the reader's terminal. */
static json_t *clean_text(const struct buf *text)
{
	struct buf out = BUF_INIT;
	const char *at = buf_str(text);
	char line[8192];

	while (*at) {
		size_t len = strcspn(at, "\n");
		if (is_clean(at, len)) {
			buf_append(&out, at, len);
		} else {
			log_escape(line, sizeof(line), at, len);
			buf_appends(&out, line);
		}
		buf_appendc(&out, '\n');
		at += len + (at[len] == '\n');
	}
	json_t *string = json_stringn(buf_str(&out), out.len);
	buf_free(&out);
	return string;
}

static json_t *answer_log(const struct rescue *r, const struct peer *peer, const json_t *request)
{
	const char *service = text_of(request, "service");
	json_int_t lines = json_integer_value(json_object_get(request, "limit"));
	struct buf text = BUF_INIT;

	(void)peer;
	if (lines < 1 || lines > LINES_MAX)
		lines = LINES_USUAL;
	if (!is_service(service) || !read_log(r, service, (size_t)lines, &text)) {
		buf_free(&text);
		return failure("\"%s\": no service of this name has a log; 'show services' lists "
			       "them\n",
			       service);
	}
	json_t *answer = json_pack("{s:b s:o}", "ok", 1, "text", clean_text(&text));
	buf_free(&text);
	return answer;
}

/* ---- show ---- */

static json_t *alarms(const struct rescue *r)
{
	struct buf says = BUF_INIT, log = BUF_INIT;

	if (gatepostd_answers(r))
		return json_array();
	buf_appends(&says, "gatepostd is not running; what is in force stays in force, and the "
			   "stored config is shown here\n");
	if (read_log(r, "gatepostd", ALARM_LINES, &log) && log.len)
		buf_printf(&says, "the last lines of its log:\n%s", buf_str(&log));
	json_t *text = clean_text(&says);
	buf_free(&says);
	buf_free(&log);
	return json_pack("[{s:s s:o s:s}]", "alarm", "gatepostd is down", "says", text, "mend",
			 "'show log gatepostd' says why; 'configure', 'rollback N' and 'commit' "
			 "bring an older config back, 'request service restart gatepostd' tries "
			 "again");
}

static json_t *answer_show(const struct rescue *r, const struct peer *peer, const json_t *request)
{
	const char *what = text_of(request, "what");
	struct buf error = BUF_INIT;
	json_t *rows = NULL;

	(void)peer;
	if (!strcmp(what, "services"))
		rows = oper_services(r->services, &error);
	else if (!strcmp(what, "version"))
		rows = json_pack("[o]", oper_version(r->release));
	else if (!strcmp(what, "boot"))
		rows = oper_boot(r->disks, &error);
	else if (!strcmp(what, "alarms"))
		rows = alarms(r);
	else
		buf_appends(&error, "gatepostd is not running; without it there are the stored "
				    "config, 'show log', 'show services', 'show version', 'show "
				    "boot' and 'request'\n");
	if (!rows)
		return failure_of(&error);
	return json_pack("{s:b s:o}", "ok", 1, "rows", rows);
}

/* ---- services, power ---- */

static json_t *answer_restart(const struct rescue *r, const struct peer *peer,
			      const json_t *request)
{
	const char *service = text_of(request, "service");

	if (!is_service(service) || !runit_restart(r->services, service))
		return failure("\"%s\": no service of this name runs here; 'show services' lists "
			       "them\n",
			       service);
	log_info("%s restarted %s", peer->who, service);
	return json_pack("{s:b}", "ok", 1);
}

/* Does not wait: the program ends everything, us included. */
static bool run_power(const struct rescue *r, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", r->power, name);
	pid_t pid = fork();
	if (pid == 0) {
		if (fork() == 0) { /* nobody's child: there is nobody left to wait */
			execl(path, name, (char *)NULL);
			log_error("cannot run %s: %s", path, strerror(errno));
		}
		_exit(0);
	}
	return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static json_t *power(const struct rescue *r, const struct peer *peer, const char *name)
{
	log_warn("%s: %s", peer->who, name);
	if (!run_power(r, name))
		return failure("cannot run %s/%s\n", r->power, name);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *answer_reboot(const struct rescue *r, const struct peer *peer, const json_t *request)
{
	(void)request;
	return power(r, peer, "reboot");
}

static json_t *answer_poweroff(const struct rescue *r, const struct peer *peer,
			       const json_t *request)
{
	(void)request;
	return power(r, peer, "poweroff");
}

/* The next boot does it (rootfs: disks), before anything has read what is to go. */
static json_t *answer_factory_reset(const struct rescue *r, const struct peer *peer,
				    const json_t *request)
{
	struct buf path = BUF_INIT, error = BUF_INIT;

	(void)request;
	buf_printf(&path, "%s/factory-reset", r->store);
	bool ok = file_replace(buf_str(&path), "", 0, 0600, &error);
	buf_free(&path);
	if (!ok)
		return failure_of(&error);
	return power(r, peer, "reboot");
}

/* ---- the table ---- */

static const struct deed {
	const char *name;
	bool admin;
	bool store; /* gatepostd's own while it runs */
	json_t *(*answer)(const struct rescue *r, const struct peer *peer, const json_t *request);
} deeds[] = {
	{"status", false, true, answer_status},
	{"config", true, true, answer_config}, /* with its secrets: nothing here can hide them */
	{"revisions", false, true, answer_revisions},
	{"check", true, true, answer_check},
	{"commit", true, true, answer_commit},
	{"show", false, false, answer_show},
	{"log", false, false, answer_log},
	{"restart", true, false, answer_restart},
	{"reboot", true, false, answer_reboot},
	{"poweroff", true, false, answer_poweroff},
	{"factory-reset", true, false, answer_factory_reset},
};

static json_t *answer_of(const struct rescue *r, const struct peer *peer, const json_t *request,
			 bool runs)
{
	const char *verb = text_of(request, "verb");

	for (size_t i = 0; i < sizeof(deeds) / sizeof(*deeds); i++) {
		const struct deed *d = &deeds[i];
		if (strcmp(d->name, verb) != 0)
			continue;
		if (d->admin && !peer->admin)
			return failure("%s may look, but not change anything; log in as an "
				       "administrator\n",
				       peer->who);
		if (d->store && runs)
			return failure("gatepostd runs, and the store is its own\n");
		return d->answer(r, peer, request);
	}
	return failure("gatepostd is not running, and this needs it; 'show alarms' says more\n");
}

json_t *rescue_answer(const struct rescue *r, const struct peer *peer, const json_t *request)
{
	bool runs = gatepostd_answers(r);
	json_t *answer = answer_of(r, peer, request, runs);

	if (!answer)
		answer = failure("no answer can be given\n");
	if (!runs)
		json_object_set_new(answer, "offline", json_true());
	return answer;
}
