/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/certificates.h"

#include "gateway/file.h"
#include "lib/certificate.h"
#include "model/model.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PEM_BYTES_MAX = 256 * 1024 };

/* The names that the certificate must have, each with the place that asks for it. */
typedef void name_fn(const char *host, const char *what, void *arg);

static void each_name(const struct lyd_node *relay, name_fn *fn, void *arg)
{
	const struct lyd_node *tracking = conf_child(relay, "tracking");

	fn(conf_value(relay, "host-name"), "relay host-name", arg);
	if (!conf_has(tracking, "https"))
		return;
	if (conf_has(tracking, "host"))
		fn(conf_value(tracking, "host"), "relay tracking host", arg);
	CONF_FOR_EACH (account, relay, "account") {
		const struct lyd_node *track = conf_child(account, "track");
		char what[128];

		snprintf(what, sizeof(what), "relay account %s track host",
			 conf_value(account, "name"));
		if (conf_has(track, "host"))
			fn(conf_value(track, "host"), what, arg);
		CONF_FOR_EACH (sender, track, "sender-domain")
			fn(conf_value(sender, "host"), what, arg);
	}
}

static void append_name(const char *host, const char *what, void *arg)
{
	(void)what;
	buf_printf(arg, "%s\n", host);
}

/* All that the judgement depends on, but for the files' bytes and the clock. */
static void describe(const struct lyd_node *relay, struct buf *out)
{
	const struct lyd_node *tls = conf_child(relay, "tls");

	if (!conf_has(tls, "chain-file"))
		return;
	buf_printf(out, "%s\n%s\n", conf_value(tls, "chain-file"), conf_value(tls, "key-file"));
	each_name(relay, append_name, out);
}

static bool is_unchanged(const struct lyd_node *relay, const struct lyd_node *before)
{
	struct buf a = BUF_INIT, b = BUF_INIT;

	describe(relay, &a);
	if (before)
		describe(before, &b);
	bool same = before && strcmp(buf_str(&a), buf_str(&b)) == 0;
	buf_free(&a);
	buf_free(&b);
	return same;
}

static bool read_pem(const struct lyd_node *tls, const char *leaf, struct buf *out,
		     struct buf *error)
{
	const char *path = conf_value(tls, leaf);

	if (buf_read_file(out, path, PEM_BYTES_MAX))
		return true;
	buf_printf(error, "relay tls %s: cannot read \"%s\": %s\n", leaf, path, strerror(errno));
	return false;
}

static struct certificate *load(const struct lyd_node *tls, struct buf *error)
{
	struct buf chain = BUF_INIT, key = BUF_INIT, why = BUF_INIT;
	struct certificate *c = NULL;

	if (read_pem(tls, "chain-file", &chain, error) && read_pem(tls, "key-file", &key, error)) {
		c = certificate_new(buf_str(&chain), buf_str(&key), &why);
		if (!c)
			buf_printf(error, "relay tls: \"%s\", \"%s\": %s\n",
				   conf_value(tls, "chain-file"), conf_value(tls, "key-file"),
				   buf_str(&why));
	}
	if (key.data)
		explicit_bzero(key.data, key.len);
	buf_free(&chain);
	buf_free(&key);
	buf_free(&why);
	return c;
}

struct judgement {
	const struct certificate *certificate;
	const char *file;
	struct buf *error;
	bool ok;
};

static void refuse(struct judgement *j, const struct buf *why)
{
	buf_printf(j->error, "relay tls: \"%s\": %.*s\n", j->file, (int)why->len, why->data);
	j->ok = false;
}

static void judge_name(const char *host, const char *what, void *arg)
{
	struct judgement *j = arg;
	struct buf why = BUF_INIT;

	if (!certificate_check_host(j->certificate, host, what, &why))
		refuse(j, &why);
	buf_free(&why);
}

static void judge_time(struct judgement *j, int64_t now_s)
{
	struct buf why = BUF_INIT;

	if (!certificate_check_time(j->certificate, now_s, &why))
		refuse(j, &why);
	buf_free(&why);
}

bool certificates_check(const struct lyd_node *conf, const struct lyd_node *running, int64_t now_s,
			struct buf *error)
{
	const struct lyd_node *relay = conf_top(conf, "relay"), *tls = conf_child(relay, "tls");
	struct certificate *c;

	if (!conf_has(tls, "chain-file") || is_unchanged(relay, conf_top(running, "relay")))
		return true;
	c = load(tls, error);
	if (!c)
		return false;
	struct judgement j = {
		.certificate = c,
		.file = conf_value(tls, "chain-file"),
		.error = error,
		.ok = true,
	};
	each_name(relay, judge_name, &j);
	judge_time(&j, now_s);
	certificate_free(c);
	return j.ok;
}

/* ---- keeping ---- */

#define CERTIFICATE_NAME_MAX 63

static bool is_name(const char *name)
{
	size_t len =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return len && !name[len] && len <= CERTIFICATE_NAME_MAX && *name != '.' && *name != '-';
}

/* The PEM blocks whose label ends so ("CERTIFICATE", "PRIVATE KEY"), with plain line ends. */
static size_t take_blocks(const char *pem, const char *label, struct buf *out)
{
	size_t count = 0, label_len = strlen(label);
	const char *begin = pem;

	while ((begin = strstr(begin, "-----BEGIN "))) {
		const char *dashes = strstr(begin + 11, "-----"), *end = strstr(begin, "-----END ");
		if (!dashes || !end || !(end = strstr(end + 9, "-----")))
			break;
		end += 5;
		bool wanted = (size_t)(dashes - begin) >= 11 + label_len &&
			      !strncmp(dashes - label_len, label, label_len);
		for (const char *c = begin; wanted && c < end; c++)
			if (*c != '\r')
				buf_appendc(out, *c);
		if (wanted) {
			buf_appendc(out, '\n');
			count++;
		}
		begin = end;
	}
	return count;
}

static void tell_how(const struct certificate *c, const char *path, int64_t now_s,
		     struct buf *notes)
{
	struct buf why = BUF_INIT;

	buf_appends(notes, "kept: ");
	certificate_names(c, notes);
	buf_appends(notes, ", valid until ");
	certificate_put_time(certificate_until_s(c), notes);
	if (!certificate_check_time(c, now_s, &why))
		buf_printf(notes, "\nbut %s", buf_str(&why));
	buf_printf(notes,
		   "\nTo use it: set relay tls chain-file %s; set relay tls key-file %s; commit\n"
		   "In use already: 'request relay reload' takes it\n",
		   path, path);
	buf_free(&why);
}

static bool make_folders(const char *folder, struct buf *error)
{
	char *copy = strdup(folder);

	if (!copy)
		abort();
	bool ok = (mkdir(dirname(copy), 0700) == 0 || errno == EEXIST) &&
		  (mkdir(folder, 0700) == 0 || errno == EEXIST);
	if (!ok)
		buf_printf(error, "cannot create %s: %s\n", folder, strerror(errno));
	free(copy);
	return ok;
}

bool certificates_store(const char *folder, const char *name, const char *pem, int64_t now_s,
			struct buf *notes, struct buf *error)
{
	struct buf file = BUF_INIT, path = BUF_INIT;
	struct certificate *c = NULL;
	bool ok = false;

	if (!is_name(name)) {
		buf_printf(error, "\"%s\": not a name: letters, digits, '.', '-' and '_'\n", name);
		return false;
	}
	if (!take_blocks(pem, "CERTIFICATE", &file))
		buf_appends(error, "no -----BEGIN CERTIFICATE----- is in what was pasted\n");
	else if (take_blocks(pem, "PRIVATE KEY", &file) != 1)
		buf_appends(error, "one -----BEGIN ... PRIVATE KEY----- must be in what is pasted, "
				   "not encrypted\n");
	else
		c = certificate_new(buf_str(&file), buf_str(&file), error);
	if (c && make_folders(folder, error)) {
		buf_printf(&path, "%s/%s.pem", folder, name);
		ok = file_replace(buf_str(&path), file.data, file.len, 0600, error);
	}
	if (ok)
		tell_how(c, buf_str(&path), now_s, notes);
	certificate_free(c);
	if (file.data)
		explicit_bzero(file.data, file.cap);
	buf_free(&file);
	buf_free(&path);
	return ok;
}
