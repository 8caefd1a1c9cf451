/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/commit.h"

#include "gateway/certificates.h"
#include "gateway/file.h"
#include "lib/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct commit {
	struct model *model;
	struct confstore *store;
	struct apply *apply;
	struct announcer *announcer;
	const char *in_force_mark;

	struct lyd_node *running;
	bool closed;
	struct buf closed_why;
	struct unconfirmed waiting; /* number 0: none */
};

struct commit *commit_open(struct model *m, struct confstore *s, struct apply *a,
			   struct announcer *announcer, const char *in_force_mark)
{
	struct commit *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	*c = (struct commit){.model = m,
			     .store = s,
			     .apply = a,
			     .announcer = announcer,
			     .in_force_mark = in_force_mark,
			     .closed = true};
	buf_appends(&c->closed_why, "no config has been applied yet\n");
	return c;
}

void commit_close(struct commit *c)
{
	if (!c)
		return;
	conf_free(c->running);
	buf_free(&c->closed_why);
	free(c);
}

/* The lines of a text, one log line each. */
static void log_lines(enum log_level level, const char *lines)
{
	while (*lines) {
		int len = (int)strcspn(lines, "\n");
		log_line(level, "%.*s", len, lines);
		lines += len + (lines[len] == '\n');
	}
}

/* ---- what is in force ---- */

unsigned commit_revision(const struct commit *c)
{
	if (c->waiting.number)
		return c->waiting.number;
	return c->closed ? 0 : confstore_current(c->store);
}

const char *commit_closed(const struct commit *c)
{
	return c->closed ? buf_str(&c->closed_why) : NULL;
}

const struct lyd_node *commit_running(const struct commit *c)
{
	return c->running;
}

bool commit_waiting(const struct commit *c, struct unconfirmed *u)
{
	*u = c->waiting;
	return c->waiting.number;
}

static void set_running(struct commit *c, struct lyd_node *conf)
{
	conf_free(c->running);
	c->running = conf;
}

static void set_open(struct commit *c, struct lyd_node *conf)
{
	struct buf error = BUF_INIT;

	set_running(c, conf);
	c->closed = false;
	if (c->in_force_mark && access(c->in_force_mark, F_OK) != 0 &&
	    !file_replace(c->in_force_mark, "", 0, 0600, &error))
		log_warn("%s", buf_str(&error));
	buf_free(&error);
}

static void set_closed(struct commit *c, const char *why)
{
	struct buf error = BUF_INIT;

	buf_clear(&c->closed_why);
	buf_appends(&c->closed_why, why);
	c->closed = true;
	if (!apply_closed(c->apply, &error)) {
		log_error("forwarding cannot be closed: %s", buf_str(&error));
		buf_printf(&c->closed_why, "and the closed ruleset cannot be put in force: %s",
			   buf_str(&error));
	}
	if (c->in_force_mark)
		unlink(c->in_force_mark);
	buf_free(&error);
}

/* ---- a start ---- */

static bool read_valid(struct commit *c, const char *text, size_t len, struct lyd_node **conf,
		       struct buf *error)
{
	if (!text_parse(c->model, text, len, conf, error))
		return false;
	if (model_validate(c->model, conf, error))
		return true;
	conf_free(*conf);
	*conf = NULL;
	return false;
}

/* Applies what is kept. On failure *conf has the config if it could at least be read. */
static bool apply_kept(struct commit *c, struct lyd_node **conf, struct buf *error)
{
	struct buf text = BUF_INIT, notes = BUF_INIT;
	bool ok = false;

	*conf = NULL;
	if (!confstore_read(c->store, &text, error))
		goto out;
	if (!read_valid(c, buf_str(&text), text.len, conf, error)) {
		/* Faults stand in lines of this file. */
		struct buf whole = BUF_INIT;
		buf_printf(&whole, "%s:\n%s", confstore_path(c->store), buf_str(error));
		buf_free(error);
		*error = whole;
		goto out;
	}
	ok = apply_config(c->apply, *conf, &notes, error);
	if (ok)
		apply_settle(c->apply, &notes);
	log_lines(LOG_LEVEL_INFO, buf_str(&notes));
out:
	buf_free(&text);
	buf_free(&notes);
	return ok;
}

static bool put_kept_in_force(struct commit *c, struct buf *error)
{
	struct buf why = BUF_INIT;
	struct lyd_node *conf;
	bool ok = apply_kept(c, &conf, &why);

	if (ok) {
		set_open(c, conf);
		log_info("revision %u is in force", confstore_current(c->store));
	} else {
		set_running(c, conf);
		set_closed(c, buf_str(&why));
		announce(c->announcer,
			 "the config cannot be applied; forwarding is closed until one can be");
		log_lines(LOG_LEVEL_ERROR, buf_str(&why));
		buf_append(error, why.data, why.len);
	}
	buf_free(&why);
	return ok;
}

bool commit_start(struct commit *c, struct buf *error)
{
	struct unconfirmed u;

	if (confstore_get_unconfirmed(c->store, &u)) {
		announce(
			c->announcer,
			"revision %u was not confirmed before gatepostd ended: back to revision %u",
			u.number, u.return_to);
		confstore_clear_unconfirmed(c->store);
	}
	/*
	 * After a boot the kernel holds no ruleset: nothing may be forwarded before ours is there,
	 * and ours comes last, because it names devices that the network step makes. After a crash
	 * of gatepostd alone the last ruleset is still in force, and traffic goes on undisturbed.
	 */
	if (!c->in_force_mark || access(c->in_force_mark, F_OK) != 0)
		set_closed(c, "no config has been applied yet\n");
	return put_kept_in_force(c, error);
}

/* ---- a commit ---- */

bool commit_check(struct commit *c, const char *text, size_t len, struct buf *error)
{
	struct lyd_node *conf;

	if (!read_valid(c, text, len, &conf, error))
		return false;
	bool ok = apply_check(c->apply, conf, error) &&
		  certificates_check(conf, c->running, time(NULL), error);
	conf_free(conf);
	return ok;
}

/* Whether a commit may begin at all. */
static bool may_commit(const struct commit *c, const struct commit_request *request,
		       struct buf *error)
{
	unsigned now = commit_revision(c);

	if (c->waiting.number) {
		buf_printf(error,
			   "revision %u waits to be confirmed; 'confirm' keeps it, 'rollback now' "
			   "leads back to revision %u\n",
			   c->waiting.number, c->waiting.return_to);
		return false;
	}
	if (request->base && now && request->base != now) {
		buf_printf(
			error,
			"revision %u was committed since this candidate was begun from revision "
			"%u; 'show | compare' shows what a commit would now change, and a second "
			"'commit' does it\n",
			now, request->base);
		return false;
	}
	if (request->confirm_s > COMMIT_CONFIRM_MAX) {
		buf_printf(error, "%u seconds are too long to wait; at most %d\n",
			   request->confirm_s, COMMIT_CONFIRM_MAX);
		return false;
	}
	return true;
}

/* Step 4. */
static bool make_it_last(struct commit *c, const struct revision *r, unsigned confirm_s,
			 struct buf *error)
{
	struct unconfirmed u = {
		.number = r->number,
		.return_to = confstore_current(c->store),
		.deadline_s = r->time_s + confirm_s,
	};

	if (!confirm_s)
		return confstore_keep(c->store, r->number, error);
	if (!confstore_set_unconfirmed(c->store, &u, error))
		return false;
	c->waiting = u;
	return true;
}

static bool same_as_kept(const struct commit *c, const struct buf *text)
{
	struct buf kept = BUF_INIT, unused = BUF_INIT;
	bool same = confstore_current(c->store) && confstore_read(c->store, &kept, &unused) &&
		    kept.len == text->len && !memcmp(buf_str(&kept), buf_str(text), text->len);

	buf_free(&kept);
	buf_free(&unused);
	return same;
}

/* The steps behind validation. text is the canonical one. */
static bool carry_out(struct commit *c, const struct lyd_node *conf, const struct buf *text,
		      const struct commit_request *request, struct revision *r, struct buf *notes,
		      struct buf *error)
{
	bool again = same_as_kept(c, text);

	if (again)
		r->number = confstore_current(c->store);
	else if (!confstore_add(c->store, r, text, error))
		return false;
	if (!apply_config(c->apply, conf, notes, error)) {
		if (!again)
			confstore_drop(c->store, r->number);
		return false;
	}
	if (!again && !make_it_last(c, r, request->confirm_s, error)) {
		apply_revert(c->apply);
		confstore_drop(c->store, r->number);
		return false;
	}
	apply_settle(c->apply, notes);
	return true;
}

bool commit_candidate(struct commit *c, const struct commit_request *request, struct revision *made,
		      struct buf *notes, struct buf *error)
{
	struct lyd_node *conf = NULL;
	struct buf text = BUF_INIT;

	*made = (struct revision){.time_s = time(NULL)};
	snprintf(made->who, sizeof(made->who), "%s", request->who);
	snprintf(made->why, sizeof(made->why), "%s", request->why);
	if (!may_commit(c, request, error) ||
	    !read_valid(c, request->text, request->len, &conf, error))
		return false;
	text_print(conf, NULL, &text);
	bool ok = certificates_check(conf, c->running, made->time_s, error) &&
		  carry_out(c, conf, &text, request, made, notes, error);
	buf_free(&text);
	if (!ok) {
		conf_free(conf);
		log_warn("a commit by %s failed:", request->who);
		log_lines(LOG_LEVEL_WARN, buf_str(error));
		return false;
	}
	set_open(c, conf);
	log_info("revision %u by %s is in force%s%s", made->number, request->who,
		 *request->why ? ": " : "", request->why);
	return true;
}

/* ---- waiting for confirmation ---- */

bool commit_confirm(struct commit *c, struct buf *error)
{
	if (!c->waiting.number) {
		buf_appends(error, "no commit waits to be confirmed\n");
		return false;
	}
	if (!confstore_keep(c->store, c->waiting.number, error))
		return false;
	log_info("revision %u is confirmed", c->waiting.number);
	c->waiting = (struct unconfirmed){0};
	return true;
}

bool commit_go_back(struct commit *c, const char *reason, struct buf *error)
{
	struct unconfirmed u = c->waiting;

	if (!u.number) {
		buf_appends(error, "no commit waits to be confirmed\n");
		return false;
	}
	announce(c->announcer, "revision %u is undone (%s): back to revision %u", u.number, reason,
		 u.return_to);
	c->waiting = (struct unconfirmed){0};
	confstore_drop(c->store, u.number);
	confstore_clear_unconfirmed(c->store);
	return put_kept_in_force(c, error);
}
