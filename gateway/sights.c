/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/sights.h"

#include "fwrules/explain.h"
#include "gateway/oper.h"
#include "model/offer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FLOWS_USUAL = 50, FLOWS_MAX = 100000 };

static json_t *failure_of(struct buf *error)
{
	json_t *answer = verb_failure("%s", buf_str(error));

	buf_free(error);
	return answer;
}

static const char *text_of(const json_t *request, const char *name)
{
	return json_string_value(json_object_get(request, name));
}

/* ---- show ---- */

static json_t *see_interfaces(struct gate *g, const json_t *request, struct buf *error)
{
	(void)request;
	return oper_interfaces(commit_running(g->commit), error);
}

static json_t *see_routes(struct gate *g, const json_t *request, struct buf *error)
{
	(void)request;
	(void)g;
	return oper_routes(error);
}

static json_t *see_neighbours(struct gate *g, const json_t *request, struct buf *error)
{
	(void)request;
	(void)g;
	return oper_neighbours(error);
}

static json_t *see_firewall(struct gate *g, const json_t *request, struct buf *error)
{
	(void)request;
	(void)g;
	return oper_counters(error);
}

static json_t *see_services(struct gate *g, const json_t *request, struct buf *error)
{
	(void)request;
	return oper_services(g->services, error);
}

static json_t *see_version(struct gate *g, const json_t *request, struct buf *error)
{
	(void)request;
	(void)error;
	return json_pack("[o]", oper_version(g->release));
}

static json_t *see_ruleset(struct gate *g, const json_t *request, struct buf *error)
{
	struct buf text = BUF_INIT;

	(void)request;
	(void)error;
	apply_print_ruleset(g->apply, &text);
	json_t *rows = json_pack("[{s:s%}]", "text", buf_str(&text), text.len);
	buf_free(&text);
	return rows;
}

static json_t *see_flows(struct gate *g, const json_t *request, struct buf *error)
{
	json_int_t limit = json_integer_value(json_object_get(request, "limit"));
	size_t total;

	if (limit < 1 || limit > FLOWS_MAX)
		limit = FLOWS_USUAL;
	return oper_flows(commit_running(g->commit), text_of(request, "server"), (size_t)limit,
			  &total, error);
}

static json_t *see_firewall_log(struct gate *g, const json_t *request, struct buf *error)
{
	(void)g;
	(void)request;
	return oper_firewall_log(error);
}

static json_t *see_boot(struct gate *g, const json_t *request, struct buf *error)
{
	(void)g;
	(void)request;
	return oper_boot("/run/gatepost/disks", error);
}

static json_t *see_temperature(struct gate *g, const json_t *request, struct buf *error)
{
	(void)g;
	(void)request;
	return oper_temperature("/sys", error);
}

static json_t *see_alarms(struct gate *g, const json_t *request, struct buf *error)
{
	(void)request;
	(void)error;
	return alarms_rows(g->alarms);
}

#define AUDIT_ROWS 1000 /* shown */

static json_t *see_audit(struct gate *g, const json_t *request, struct buf *error)
{
	json_t *rows = audit_rows(g->audit, AUDIT_ROWS), *row;
	char when[32];
	struct tm tm;
	size_t i;

	(void)request;
	(void)error;
	json_array_foreach(rows, i, row)
	{
		time_t t = (time_t)json_integer_value(json_object_get(row, "time"));
		gmtime_r(&t, &tm);
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		json_object_set_new(row, "when", json_string(when));
	}
	return rows;
}

static const struct sight {
	const char *what;
	json_t *(*see)(struct gate *g, const json_t *request, struct buf *error);
	bool admin;
} sights[] = {
	{"interfaces", see_interfaces},     {"routes", see_routes},
	{"neighbours", see_neighbours},     {"firewall", see_firewall},
	{"firewall-log", see_firewall_log}, {"flows", see_flows},
	{"ruleset", see_ruleset},           {"services", see_services},
	{"version", see_version},           {"boot", see_boot},
	{"temperature", see_temperature},   {"alarms", see_alarms},
	{"audit", see_audit, true},
};

json_t *sights_show(struct gate *g, const struct peer *peer, const json_t *request)
{
	const char *what = text_of(request, "what");
	struct buf error = BUF_INIT;

	for (size_t i = 0; i < sizeof(sights) / sizeof(*sights); i++) {
		if (!what || strcmp(sights[i].what, what) != 0)
			continue;
		if (sights[i].admin && !peer->admin)
			return verb_failure("this is for administrators\n");
		json_t *rows = sights[i].see(g, request, &error);
		return rows ? json_pack("{s:b s:o}", "ok", 1, "rows", rows) : failure_of(&error);
	}
	return verb_failure("there is nothing to show of that name\n");
}

/* ---- words ---- */

struct offers {
	const char *partial;
	json_t *rows;
};

static void take_offer(const char *word, const char *help, void *arg)
{
	struct offers *o = arg;

	if (*word == '<' || !strncmp(word, o->partial, strlen(o->partial)))
		json_array_append_new(o->rows, json_pack("[s s]", word, help));
}

json_t *sights_offers(struct gate *g, const struct peer *peer, const json_t *request)
{
	const json_t *path = json_object_get(request, "path");
	const char *partial = text_of(request, "partial");
	struct offers offers = {partial ? partial : "", json_array()};
	const struct offer o = {model_schema(g->model), commit_running(g->commit), true, take_offer,
				&offers};
	struct words words = {0};

	(void)peer;
	for (size_t i = 0; i < json_array_size(path); i++) {
		const char *word = json_string_value(json_array_get(path, i));
		words_add(&words, word ? word : "");
	}
	offer_path(&o, NULL, words.list, words.count);
	words_free(&words);
	return json_pack("{s:b s:o}", "ok", 1, "rows", offers.rows);
}

/* ---- what the policy says ---- */

static json_t *explanation_row(const struct explanation *e)
{
	char from[ADDR_STR_MAX], to[ADDR_STR_MAX];

	return json_pack("{s:s s:s s:s s:s s:s s:s}", "from", addr_format(&e->from, from), "to",
			 addr_format(&e->to, to), "from_zone", zone_name(e->from_zone), "to_zone",
			 zone_name(e->to_zone), "verdict", e->allowed ? "allowed" : "denied",
			 "because", buf_str(&e->because));
}

static json_t *explain_all(const struct lyd_node *conf, const json_t *request, struct buf *error)
{
	const char *from = text_of(request, "from"), *to = text_of(request, "to");
	const char *protocol = text_of(request, "protocol");
	json_int_t port = json_integer_value(json_object_get(request, "port"));
	const struct question q = {from ? from : "", to ? to : "", protocol ? protocol : "",
				   port < 0 || port > UINT16_MAX ? 0 : (unsigned)port};
	struct explanation all[EXPLANATIONS_MAX];
	size_t count = explain(conf, &q, all, error);
	json_t *rows = count ? json_array() : NULL;

	for (size_t i = 0; i < count; i++) {
		json_array_append_new(rows, explanation_row(&all[i]));
		explanation_free(&all[i]);
	}
	return rows;
}

/* Of the candidate, when there is one, else of the config in force. */
json_t *sights_test_policy(struct gate *g, const struct peer *peer, const json_t *request)
{
	const json_t *text = json_object_get(request, "text");
	struct buf error = BUF_INIT;
	struct lyd_node *conf = NULL;
	json_t *rows = NULL;

	(void)peer;
	if (!text)
		rows = explain_all(commit_running(g->commit), request, &error);
	else if (text_parse(g->model, json_string_value(text), json_string_length(text), &conf,
			    &error) &&
		 model_validate(g->model, &conf, &error))
		rows = explain_all(conf, request, &error);
	conf_free(conf);
	return rows ? json_pack("{s:b s:o}", "ok", 1, "rows", rows) : failure_of(&error);
}
