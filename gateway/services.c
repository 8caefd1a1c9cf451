/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/services.h"

#include "gateway/file.h"
#include "gateway/runit.h"
#include "lib/addr.h"
#include "lib/log.h"
#include "model/model.h"

#include <errno.h>
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
	/* With time servers there is a right time to wait for. */
	if (conf_has(conf_top(conf, "system"), "ntp") && !conf_has(copy, "wait-for-clock") &&
	    lyd_new_term(copy, NULL, "wait-for-clock", "", 0, NULL) != LY_SUCCESS)
		abort();
	model_print_json(copy, "relay", out);
	conf_free(copy);
}

void services_resolv_conf(const struct lyd_node *conf, struct buf *out)
{
	CONF_FOR_EACH (n, conf_top(conf, "system"), "name-server")
		buf_printf(out, "nameserver %s\n", conf_text(n));
	/* A file that names none, not no file: without one, the C library asks 127.0.0.1. */
	if (!out->len)
		buf_appends(out, "# no name-server is configured\n");
}

/* Whether the box does this for the DMZ. */
static bool serves(const struct lyd_node *conf, const char *what)
{
	return conf_has(conf_child(conf_top(conf, "system"), "serve-dmz"), what);
}

void services_chrony_conf(const struct lyd_node *conf, struct buf *out)
{
	CONF_FOR_EACH (n, conf_top(conf, "system"), "ntp")
		buf_printf(out, "server %s iburst\n", conf_text(n));
	if (!out->len)
		return;
	/* A box may start with its clock far off: it is set, and only later led. */
	buf_appends(out, "makestep 1 3\nrtcsync\ncmdport 0\nuser _chrony\n");
	if (!serves(conf, "ntp")) {
		buf_appends(out, "port 0\n");
		return;
	}
	/* The firewall knows best who is in the DMZ. */
	buf_appends(out, "allow 0/0\nallow ::/0\n");
}

void services_dns_conf(const struct lyd_node *conf, struct buf *out)
{
	const struct lyd_node *interfaces = conf_top(conf, "interfaces");
	const char *topology = interfaces ? conf_value(interfaces, "topology") : "routed";
	const struct lyd_node *port =
		conf_child(interfaces, strcmp(topology, "flat") ? "dmz" : "wan");
	struct prefix p;
	char text[ADDR_STR_MAX];

	if (!serves(conf, "dns") || !conf_has(port, "address"))
		return;
	CONF_FOR_EACH (n, conf_top(conf, "system"), "name-server")
		buf_printf(out, "server=%s\n", conf_text(n));
	CONF_FOR_EACH (n, port, "address")
		if (prefix_parse(conf_text(n), &p))
			buf_printf(out, "listen-address=%s\n", addr_format(&p.addr, text));
	/* Only what is written here counts; addresses may come and go. */
	buf_appends(out, "no-resolv\nno-hosts\nbind-dynamic\ncache-size=10000\n"
			 "dns-forward-max=1000\nedns-packet-max=1232\nproxy-dnssec\n"
			 "user=gp-dns\ngroup=gp-dns\n");
}

void services_syslog(const struct lyd_node *conf, struct buf *out)
{
	CONF_FOR_EACH (n, conf_top(conf, "system"), "syslog")
		buf_printf(out, "%s\n", conf_text(n));
}

/* Who may connect is the firewall's matter; that anybody may is the server's. */
void services_ssh_conf(const struct lyd_node *conf, struct buf *out)
{
	if (conf_has(conf_child(conf_top(conf, "system"), "ssh"), "allow"))
		buf_appends(out, "on\n");
}

/* ---- files, with the way back ---- */

/* What is rendered, and who reads it. */
static const struct output {
	const char *name; /* in run_dir; NULL: resolv_conf */
	mode_t mode;
	void (*render)(const struct lyd_node *conf, struct buf *out); /* "": no file */
	const char *service; /* the runit service that reads it, or NULL */
	char changed; /* what runsv is told when it changed (runsv(8): h SIGHUP, t SIGTERM) */
} outputs[] = {
	{NULL, 0644, services_resolv_conf, NULL, 0},
	{"chrony.conf", 0644, services_chrony_conf, "chrony", 't'},
	{"dnsmasq.conf", 0644, services_dns_conf, "dns", 't'},
	{"syslog", 0644, services_syslog, "syslog", 't'},
	{"ssh.conf", 0644, services_ssh_conf, "ssh", 't'},
	{"relay.json", 0600, services_relay_json, "relay", 'h'},
};
enum { OUTPUTS = sizeof(outputs) / sizeof(*outputs) };

struct undo_file {
	char *path; /* NULL: not looked at yet */
	bool was_there;
	struct buf bytes;
	bool changed;
};

struct services_undo {
	struct undo_file files[OUTPUTS];
	char *folder;
	char host_name[256];
	bool host_name_changed;
};

static char *output_path(const struct services *s, const struct output *o)
{
	struct buf path = BUF_INIT;

	if (o->name)
		buf_printf(&path, "%s/%s", s->run_dir, o->name);
	else if (s->resolv_conf)
		buf_appends(&path, s->resolv_conf);
	return path.len ? buf_steal(&path) : NULL;
}

static bool remember(struct undo_file *f, struct buf *error)
{
	f->was_there = buf_read_file(&f->bytes, f->path, FILE_MAX);
	if (f->was_there || errno == ENOENT)
		return true;
	buf_printf(error, "cannot read %s: %s\n", f->path, strerror(errno));
	return false;
}

/* Empty text: no file. Nothing is written that stands there already. */
static bool put(struct undo_file *f, const struct buf *text, mode_t mode, struct buf *error)
{
	bool same = f->was_there == (text->len > 0) && f->bytes.len == text->len &&
		    !memcmp(buf_str(&f->bytes), buf_str(text), text->len);

	if (same)
		return true;
	f->changed = text->len ? file_replace(f->path, text->data, text->len, mode, error)
			       : file_remove(f->path, error);
	return f->changed;
}

static void bring_back(struct undo_file *f, mode_t mode)
{
	struct buf error = BUF_INIT;
	bool ok = f->was_there ? file_replace(f->path, f->bytes.data, f->bytes.len, mode, &error)
			       : file_remove(f->path, &error);

	if (!ok)
		log_error("undo: %s", buf_str(&error));
	buf_free(&error);
}

/* ---- services ---- */

/* A program whose settings went away is ended; its service waits until there are some again. */
static bool tell(const char *folder, const struct output *o, bool has_settings)
{
	if (!folder || !o->service)
		return true;
	return runit_tell(folder, o->service, has_settings ? o->changed : 't');
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

static bool apply_output(const struct services *s, const struct output *o,
			 const struct lyd_node *conf, struct undo_file *f, struct buf *error)
{
	struct buf text = BUF_INIT;

	f->path = output_path(s, o);
	if (!f->path)
		return true;
	o->render(conf, &text);
	bool ok = remember(f, error) && put(f, &text, o->mode, error);
	buf_free(&text);
	return ok;
}

/* Once all is written: nobody reads the new settings of a commit that fails at the next file. */
static void tell_all(const struct services *s, const struct services_undo *undo, struct buf *notes)
{
	for (size_t i = 0; i < OUTPUTS; i++) {
		bool there = undo->files[i].path && access(undo->files[i].path, F_OK) == 0;
		if (undo->files[i].changed && !tell(s->folder, &outputs[i], there) && there)
			buf_printf(
				notes,
				"%s is not running; it will read its new settings when it starts\n",
				outputs[i].service);
	}
}

bool services_apply(const struct services *s, const struct lyd_node *conf,
		    struct services_undo **undo, struct buf *notes, struct buf *error)
{
	struct services_undo *u = calloc(1, sizeof(*u));
	const char *host_name = conf_value(conf_top(conf, "system"), "host-name");

	*undo = NULL;
	if (!u || (s->folder && !(u->folder = strdup(s->folder))))
		abort();
	bool ok = !s->host_name || !host_name || set_host_name(u, host_name, error);
	for (size_t i = 0; ok && i < OUTPUTS; i++)
		ok = apply_output(s, &outputs[i], conf, &u->files[i], error);
	if (ok) {
		tell_all(s, u, notes);
		*undo = u;
		return true;
	}
	free(u->folder);
	u->folder = NULL; /* nobody has been told, so nobody is told again */
	services_undo(u);
	services_undo_free(u);
	return false;
}

void services_undo(struct services_undo *undo)
{
	if (!undo)
		return;
	for (size_t i = 0; i < OUTPUTS; i++) {
		struct undo_file *f = &undo->files[i];
		if (!f->changed)
			continue;
		bring_back(f, outputs[i].mode);
		tell(undo->folder, &outputs[i], f->was_there);
	}
	if (undo->host_name_changed && sethostname(undo->host_name, strlen(undo->host_name)) != 0)
		log_error("undo: cannot set the host name back to %s: %s", undo->host_name,
			  strerror(errno));
}

void services_undo_free(struct services_undo *undo)
{
	if (!undo)
		return;
	for (size_t i = 0; i < OUTPUTS; i++) {
		free(undo->files[i].path);
		buf_free(&undo->files[i].bytes);
	}
	free(undo->folder);
	free(undo);
}
