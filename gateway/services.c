/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/services.h"

#include "gateway/file.h"
#include "lib/log.h"
#include "model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)64 << 20)

/* ---- rendering ---- */

void services_relay_json(const struct lyd_node *conf, struct buf *out)
{
	const struct lyd_node *relay = conf_top(conf, "relay");
	struct lyd_node *copy = NULL;

	if (!relay)
		return;
	if (lyd_dup_single(relay, NULL, LYD_DUP_RECURSIVE | LYD_DUP_WITH_FLAGS, &copy) !=
	    LY_SUCCESS)
		abort(); /* only for want of memory */
	if (!conf_has(copy, "name-server"))
		CONF_FOR_EACH (n, conf_top(conf, "system"), "name-server")
			if (lyd_new_term(copy, NULL, "name-server", conf_text(n), 0, NULL) !=
			    LY_SUCCESS)
				abort();
	model_print_json(copy, "relay", out);
	conf_free(copy);
}

void services_resolv_conf(const struct lyd_node *conf, struct buf *out)
{
	CONF_FOR_EACH (n, conf_top(conf, "system"), "name-server")
		buf_printf(out, "nameserver %s\n", conf_text(n));
}

/* ---- files, with the way back ---- */

struct undo_file {
	char *path;
	bool was_there;
	mode_t mode;
	struct buf bytes;
	bool changed;
};

struct services_undo {
	struct undo_file relay_json, resolv_conf;
	char *relay_service;
	char host_name[256];
	bool host_name_changed;
};

static bool remember(struct undo_file *f, const char *path, mode_t mode, struct buf *error)
{
	f->path = strdup(path);
	if (!f->path)
		abort();
	f->mode = mode;
	f->was_there = buf_read_file(&f->bytes, path, FILE_MAX);
	if (f->was_there || errno == ENOENT)
		return true;
	buf_printf(error, "cannot read %s: %s\n", path, strerror(errno));
	return false;
}

/* Empty text: no file. Nothing is written that stands there already. */
static bool put(struct undo_file *f, const struct buf *text, struct buf *error)
{
	bool same = f->was_there == (text->len > 0) && f->bytes.len == text->len &&
		    !memcmp(buf_str(&f->bytes), buf_str(text), text->len);

	if (same)
		return true;
	f->changed = text->len ? file_replace(f->path, text->data, text->len, f->mode, error)
			       : file_remove(f->path, error);
	return f->changed;
}

static void bring_back(struct undo_file *f)
{
	struct buf error = BUF_INIT;

	if (!f->changed)
		return;
	bool ok = f->was_there ? file_replace(f->path, f->bytes.data, f->bytes.len, f->mode, &error)
			       : file_remove(f->path, &error);
	if (!ok)
		log_error("undo: %s", buf_str(&error));
	buf_free(&error);
}

/* ---- the relay's service ---- */

/*
 * Sends runsv one command letter (runsv(8): h is SIGHUP, t is SIGTERM). False when no runsv holds
 * the service.
 */
static bool tell_service(const char *service, char command)
{
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/supervise/control", service);
	int fd = open(buf_str(&path), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	bool told = fd >= 0 && write(fd, &command, 1) == 1;
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return told;
}

/* With settings the relay reads them again; without, it ends, and its service waits for some. */
static bool tell_relay(const char *service, bool has_settings)
{
	return tell_service(service, has_settings ? 'h' : 't');
}

/* ---- apply, undo ---- */

static bool set_host_name(struct services_undo *undo, const char *name, struct buf *error)
{
	if (gethostname(undo->host_name, sizeof(undo->host_name) - 1) == 0 &&
	    !strcmp(undo->host_name, name))
		return true;
	if (sethostname(name, strlen(name)) != 0) {
		buf_printf(error, "cannot set the host name to %s: %s\n", name, strerror(errno));
		return false;
	}
	undo->host_name_changed = true;
	return true;
}

static bool apply_relay(const struct services *s, const struct lyd_node *conf,
			struct services_undo *undo, struct buf *notes, struct buf *error)
{
	struct buf path = BUF_INIT, json = BUF_INIT;

	buf_printf(&path, "%s/relay.json", s->run_dir);
	services_relay_json(conf, &json);
	bool ok = remember(&undo->relay_json, buf_str(&path), 0600, error) &&
		  put(&undo->relay_json, &json, error);
	bool has_settings = json.len > 0;
	buf_free(&path);
	buf_free(&json);
	if (!ok || !undo->relay_json.changed || !s->relay_service)
		return ok;
	if (!tell_relay(s->relay_service, has_settings) && has_settings)
		buf_appends(notes,
			    "the relay is not running; it will read its new settings when it "
			    "starts\n");
	return true;
}

static bool apply_resolvers(const struct services *s, const struct lyd_node *conf,
			    struct services_undo *undo, struct buf *error)
{
	struct buf text = BUF_INIT;

	if (!s->resolv_conf)
		return true;
	services_resolv_conf(conf, &text);
	/* A file that names none, not no file: without one, the C library asks 127.0.0.1. */
	if (!text.len)
		buf_appends(&text, "# no name-server is configured\n");
	bool ok = remember(&undo->resolv_conf, s->resolv_conf, 0644, error) &&
		  put(&undo->resolv_conf, &text, error);
	buf_free(&text);
	return ok;
}

bool services_apply(const struct services *s, const struct lyd_node *conf,
		    struct services_undo **undo, struct buf *notes, struct buf *error)
{
	struct services_undo *u = calloc(1, sizeof(*u));
	const char *host_name = conf_value(conf_top(conf, "system"), "host-name");

	*undo = NULL;
	if (!u)
		abort();
	if (s->relay_service && !(u->relay_service = strdup(s->relay_service)))
		abort();
	if ((!s->host_name || !host_name || set_host_name(u, host_name, error)) &&
	    apply_resolvers(s, conf, u, error) && apply_relay(s, conf, u, notes, error)) {
		*undo = u;
		return true;
	}
	services_undo(u);
	services_undo_free(u);
	return false;
}

void services_undo(struct services_undo *undo)
{
	if (!undo)
		return;
	bring_back(&undo->relay_json);
	bring_back(&undo->resolv_conf);
	if (undo->host_name_changed && sethostname(undo->host_name, strlen(undo->host_name)) != 0)
		log_error("undo: cannot set the host name back to %s: %s", undo->host_name,
			  strerror(errno));
	if (undo->relay_json.changed && undo->relay_service)
		tell_relay(undo->relay_service, undo->relay_json.was_there);
}

void services_undo_free(struct services_undo *undo)
{
	if (!undo)
		return;
	free(undo->relay_json.path);
	buf_free(&undo->relay_json.bytes);
	free(undo->resolv_conf.path);
	buf_free(&undo->resolv_conf.bytes);
	free(undo->relay_service);
	free(undo);
}
