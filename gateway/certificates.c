/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/certificates.h"

#include "lib/certificate.h"
#include "model/model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
