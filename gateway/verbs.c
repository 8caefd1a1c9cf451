/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/verbs.h"

#include "gateway/certificates.h"
#include "gateway/lanport_set.h"
#include "gateway/sights.h"
#include "lib/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

json_t *verb_failure(const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	/* What is quoted from a config has been checked to be UTF-8, what peers sent is escaped. */
	json_t *answer = json_pack("{s:b s:s%}", "ok", 0, "error", buf_str(&text), text.len);
	buf_free(&text);
	return answer ? answer : json_pack("{s:b s:s}", "ok", 0, "error", "it failed\n");
}

static json_t *failure_of(struct buf *error)
{
	json_t *answer = verb_failure("%s", buf_str(error));

	buf_free(error);
	return answer;
}

static const char *text_of(const json_t *request, const char *name)
{
	const char *text = json_string_value(json_object_get(request, name));

	return text ? text : "";
}

static unsigned number_of(const json_t *request, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(request, name));

	return n < 0 || n > UINT32_MAX ? 0 : (unsigned)n;
}

/* ---- reading ---- */

static json_t *answer_status(struct gate *g, const struct peer *peer, const json_t *request)
{
	const char *closed = commit_closed(g->commit);
	char host[256] = "";
	struct unconfirmed u;

	(void)request;
	gethostname(host, sizeof(host) - 1);
	const char *configured =
		conf_value(conf_top(commit_running(g->commit), "system"), "host-name");
	json_t *answer =
		json_pack("{s:b s:s s:s s:b s:b s:I}", "ok", 1, "host",
			  configured ? configured : host, "user", peer->who, "admin", peer->admin,
			  "lab", g->lab, "revision", (json_int_t)commit_revision(g->commit));
	if (closed)
		json_object_set_new(answer, "closed", json_string(closed));
	if (commit_waiting(g->commit, &u))
		json_object_set_new(answer, "waiting",
				    json_pack("{s:I s:I s:I}", "revision", (json_int_t)u.number,
					      "return_to", (json_int_t)u.return_to, "seconds",
					      (json_int_t)(u.deadline_s - time(NULL))));
	json_object_set_new(answer, "tidy", json_boolean(apply_is_tidy(g->apply)));
	if (lock_held(&g->lock))
		json_object_set_new(answer, "lock",
				    json_pack("{s:s s:s s:I s:b}", "user", g->lock.holder.who,
					      "terminal", g->lock.holder.terminal, "since",
					      (json_int_t)g->lock.since_s, "yours",
					      g->lock.holder.session == peer->session));
	return answer;
}

/* The part that a path of words leads to. NULL when it was printed, else what is wrong with it. */
static json_t *print_part(const struct gate *g, const struct lyd_node *conf, const json_t *words,
			  const struct text_style *style, struct buf *out)
{
	struct words list = {0};
	struct buf why = BUF_INIT;
	struct path path = {0};
	json_t *wrong = NULL;
	size_t bad;

	for (size_t i = 0; i < json_array_size(words); i++) {
		const char *word = json_string_value(json_array_get(words, i));
		words_add(&list, word ? word : "");
	}
	if (path_walk(model_schema(g->model), NULL, list.list, list.count, false, &path, &bad,
		      &why))
		text_print_part(conf, &path, style, out);
	else
		wrong = verb_failure("%s%s%s\n", bad < list.count ? list.list[bad] : "",
				     bad < list.count ? ": " : "", buf_str(&why));
	if (wrong)
		json_object_set_new(wrong, "usage", json_true());
	words_free(&list);
	path_free(&path);
	buf_free(&why);
	return wrong;
}

/* JSON has no way to hide a part of it that could be read back, so it is for administrators. */
static json_t *config_in_form(const struct gate *g, const struct lyd_node *conf,
			      const struct peer *peer, const json_t *request, unsigned revision)
{
	const char *form = text_of(request, "form");
	struct text_style style = {.hide_secrets = !peer->admin};
	struct buf text = BUF_INIT;

	if (!strcmp(form, "json"))
		style.form = TEXT_JSON;
	else if (!strcmp(form, "set"))
		style.form = TEXT_SET;
	else if (*form && strcmp(form, "text") != 0)
		return verb_failure("\"%s\": not a form; it is text, set or json\n", form);
	if (style.form == TEXT_JSON && style.hide_secrets)
		return verb_failure("the config as JSON holds secrets; it is for administrators\n");
	json_t *wrong = print_part(g, conf, json_object_get(request, "path"), &style, &text);
	if (wrong) {
		buf_free(&text);
		return wrong;
	}
	json_t *answer = json_pack("{s:b s:I s:s%}", "ok", 1, "revision", (json_int_t)revision,
				   "text", buf_str(&text), text.len);
	buf_free(&text);
	return answer;
}

static json_t *old_config(struct gate *g, const struct peer *peer, const json_t *request,
			  unsigned revision)
{
	struct buf text = BUF_INIT, error = BUF_INIT;
	struct lyd_node *conf = NULL;
	json_t *answer;

	if (confstore_load(g->store, revision, NULL, &text, &error) &&
	    text_parse(g->model, buf_str(&text), text.len, &conf, &error))
		answer = config_in_form(g, conf, peer, request, revision);
	else
		answer = failure_of(&error);
	conf_free(conf);
	buf_free(&text);
	return answer;
}

static json_t *answer_config(struct gate *g, const struct peer *peer, const json_t *request)
{
	unsigned revision = number_of(request, "revision");

	if (revision && revision != commit_revision(g->commit))
		return old_config(g, peer, request, revision);
	return config_in_form(g, commit_running(g->commit), peer, request,
			      commit_revision(g->commit));
}

static json_t *answer_revisions(struct gate *g, const struct peer *peer, const json_t *request)
{
	struct revision *list = calloc(CONFSTORE_KEEP + 1, sizeof(*list));
	json_t *rows = json_array();

	(void)peer;
	(void)request;
	if (!list)
		abort();
	size_t count = confstore_list(g->store, list, CONFSTORE_KEEP + 1);
	for (size_t i = 0; i < count; i++) {
		json_t *row = json_pack(
			"{s:I s:I s:s s:s s:b}", "revision", (json_int_t)list[i].number, "time",
			(json_int_t)list[i].time_s, "user", list[i].who, "comment", list[i].why,
			"current", list[i].number == commit_revision(g->commit));
		if (row)
			json_array_append_new(rows, row);
	}
	free(list);
	return json_pack("{s:b s:o}", "ok", 1, "rows", rows);
}

/* ---- changing ---- */

static json_t *answer_check(struct gate *g, const struct peer *peer, const json_t *request)
{
	const json_t *text = json_object_get(request, "text");
	struct buf error = BUF_INIT;

	(void)peer;
	if (!json_is_string(text))
		return verb_failure("the request has no text\n");
	if (!commit_check(g->commit, json_string_value(text), json_string_length(text), &error))
		return failure_of(&error);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *answer_commit(struct gate *g, const struct peer *peer, const json_t *request)
{
	const json_t *text = json_object_get(request, "text");
	struct buf notes = BUF_INIT, error = BUF_INIT;
	struct revision made;

	if (!json_is_string(text))
		return verb_failure("the request has no text\n");
	if (!lock_allows(&g->lock, peer, &error))
		return failure_of(&error);
	const struct commit_request what = {
		.text = json_string_value(text),
		.len = json_string_length(text),
		.who = peer->who,
		.why = text_of(request, "comment"),
		.base = number_of(request, "base"),
		.confirm_s = number_of(request, "confirm"),
	};
	json_t *answer = commit_candidate(g->commit, &what, &made, &notes, &error)
				 ? json_pack("{s:b s:I s:s}", "ok", 1, "revision",
					     (json_int_t)made.number, "notes", buf_str(&notes))
				 : failure_of(&error);
	if (answer && !json_is_true(json_object_get(answer, "ok")))
		json_object_set_new(answer, "revision",
				    json_integer((json_int_t)commit_revision(g->commit)));
	buf_free(&notes);
	return answer;
}

static json_t *answer_confirm(struct gate *g, const struct peer *peer, const json_t *request)
{
	struct buf error = BUF_INIT;

	(void)peer;
	(void)request;
	if (!commit_confirm(g->commit, &error))
		return failure_of(&error);
	return json_pack("{s:b s:I}", "ok", 1, "revision", (json_int_t)commit_revision(g->commit));
}

static json_t *answer_back(struct gate *g, const struct peer *peer, const json_t *request)
{
	struct buf error = BUF_INIT;

	(void)request;
	if (!commit_go_back(g->commit, peer->who, &error))
		return failure_of(&error);
	return json_pack("{s:b s:I}", "ok", 1, "revision", (json_int_t)commit_revision(g->commit));
}

/* ---- the edit lock ---- */

static json_t *answer_lock(struct gate *g, const struct peer *peer, const json_t *request)
{
	struct buf error = BUF_INIT;

	(void)request;
	if (!lock_take(&g->lock, peer, time(NULL), &error))
		return failure_of(&error);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *answer_unlock(struct gate *g, const struct peer *peer, const json_t *request)
{
	(void)request;
	lock_release(&g->lock, peer->session);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *answer_break(struct gate *g, const struct peer *peer, const json_t *request)
{
	const struct peer before = g->lock.holder;

	(void)request;
	lock_break(&g->lock, peer, time(NULL));
	if (!before.session || before.session == peer->session)
		return json_pack("{s:b}", "ok", 1);
	log_warn("%s broke the edit lock of %s", peer->who, before.who);
	announce_to(g->announcer, before.session,
		    "%s broke your lock: what you changed cannot be committed", peer->who);
	return json_pack("{s:b s:s}", "ok", 1, "user", before.who);
}

/* ---- users, audit ---- */

static json_t *answer_hash(struct gate *g, const struct peer *peer, const json_t *request)
{
	struct buf hash = BUF_INIT, error = BUF_INIT;

	(void)g;
	(void)peer;
	if (!users_hash(text_of(request, "password"), &hash, &error))
		return failure_of(&error);
	json_t *answer = json_pack("{s:b s:s}", "ok", 1, "hash", buf_str(&hash));
	buf_free(&hash);
	return answer;
}

static json_t *answer_certificate(struct gate *g, const struct peer *peer, const json_t *request)
{
	struct buf notes = BUF_INIT, error = BUF_INIT;

	(void)peer;
	if (!certificates_store(g->certificates, text_of(request, "name"), text_of(request, "key"),
				time(NULL), &notes, &error))
		return failure_of(&error);
	json_t *answer = json_pack("{s:b s:s}", "ok", 1, "notes", buf_str(&notes));
	buf_free(&notes);
	return answer;
}

static json_t *answer_ran(struct gate *g, const struct peer *peer, const json_t *request)
{
	audit_note(g->audit, peer, text_of(request, "command"), NULL, false);
	return json_pack("{s:b}", "ok", 1);
}

static void put_arguments(const json_t *request, struct buf *out)
{
	static const char *const left_out[] = {"verb", "text", "password", "chain", "key", "base"};
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)request, name, value)
	{
		bool out_of_it = false;
		for (size_t i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
			out_of_it |= !strcmp(name, left_out[i]);
		if (out_of_it)
			continue;
		if (json_is_string(value) && json_string_length(value))
			buf_printf(out, " %s \"%s\"", name, json_string_value(value));
		else if (json_is_integer(value) && json_integer_value(value))
			buf_printf(out, " %s %lld", name, (long long)json_integer_value(value));
	}
}

void verb_note(struct gate *g, const struct peer *peer, const json_t *request, const json_t *answer)
{
	const json_t *inner = json_object_get(request, "request");
	const char *error = json_string_value(json_object_get(answer, "error"));
	const json_t *revision = json_object_get(answer, "revision");
	struct buf command = BUF_INIT, said = BUF_INIT;

	buf_appends(&command, text_of(request, "verb"));
	if (json_is_object(inner))
		buf_printf(&command, " %s", text_of(inner, "verb"));
	put_arguments(json_is_object(inner) ? inner : request, &command);
	if (error)
		buf_printf(&said, "refused: %s", error);
	else if (revision)
		buf_printf(&said, "revision %lld", (long long)json_integer_value(revision));
	audit_note(g->audit, peer, buf_str(&command), said.len ? buf_str(&said) : NULL, true);
	buf_free(&command);
	buf_free(&said);
}

/* ---- the table ---- */

static const struct verb verbs[] = {
	{"status", false, answer_status},
	{"config", false, answer_config},
	{"revisions", false, answer_revisions},
	{"show", false, sights_show},
	{"offers", false, sights_offers},
	{"test-policy", false, sights_test_policy},
	{"relay", false, NULL},
	{"ping", false, NULL},
	{"ran", false, answer_ran},
	{"hash", false, answer_hash},
	{"certificate", true, answer_certificate},
	{"traceroute", false, NULL},
	{"capture", true, NULL},
	{"check", true, answer_check},
	{"commit", true, answer_commit},
	{"confirm", true, answer_confirm},
	{"back", true, answer_back},
	{"lock", true, answer_lock},
	{"unlock", true, answer_unlock},
	{"break", true, answer_break},
	{"lan-port", true, lanport_set},
};

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}
