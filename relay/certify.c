/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/certify.h"

#include "lib/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400, PEM_BYTES_MAX = 256 * 1024 };

static bool is_configured(const struct relay_config *c)
{
	return *c->tls_chain_file != '\0';
}

/* ---- the names that it must have ---- */

typedef void name_fn(const char *host, const char *what, void *arg);

static void each_name(const struct relay_config *c, name_fn *fn, void *arg)
{
	fn(c->host_name, "relay host-name", arg);
	if (!c->track_https)
		return;
	if (*c->track_host)
		fn(c->track_host, "relay tracking host", arg);
	for (size_t i = 0; i < c->account_count; i++) {
		const struct config_account *a = &c->accounts[i];
		char what[128];

		snprintf(what, sizeof(what), "relay account %s track host", a->name);
		if (*a->track_host && strcmp(a->track_host, c->track_host) != 0)
			fn(a->track_host, what, arg);
		for (size_t k = 0; k < a->sender_host_count; k++)
			fn(a->sender_hosts[k].host, what, arg);
	}
}

static void append_name(const char *host, const char *what, void *arg)
{
	(void)what;
	buf_printf(arg, "%s\n", host);
}

struct judgement {
	const struct certificate *certificate;
	struct buf *error;
	bool ok;
};

static void judge_name(const char *host, const char *what, void *arg)
{
	struct judgement *j = arg;
	struct buf fault = BUF_INIT;

	if (!certificate_check_host(j->certificate, host, what, &fault)) {
		buf_printf(j->error, "tls: %s\n", buf_str(&fault));
		j->ok = false;
	}
	buf_free(&fault);
}

static bool judge(const struct relay_config *c, const struct certificate *certificate,
		  int64_t now_s, struct buf *error)
{
	struct judgement j = {.certificate = certificate, .error = error, .ok = true};
	struct buf fault = BUF_INIT;

	each_name(c, judge_name, &j);
	if (!certificate_check_time(certificate, now_s, &fault)) {
		buf_printf(error, "tls: %s\n", buf_str(&fault));
		j.ok = false;
	}
	buf_free(&fault);
	return j.ok;
}

bool certify(const struct relay_config *c, const struct slice_secrets *s, int64_t now_s,
	     struct buf *error)
{
	struct buf why = BUF_INIT;
	struct certificate *certificate;
	bool ok;

	if (!is_configured(c))
		return true;
	certificate = certificate_new(s->tls_chain, s->tls_key, &why);
	if (!certificate)
		buf_printf(error, "tls: %s\n", buf_str(&why));
	ok = certificate && judge(c, certificate, now_s, error);
	certificate_free(certificate);
	buf_free(&why);
	return ok;
}

bool certify_files(const struct relay_config *c, int64_t now_s, struct buf *error)
{
	struct buf chain = BUF_INIT, key = BUF_INIT;
	const char *at = c->tls_chain_file;
	bool ok = true;

	if (!is_configured(c))
		return true;
	if (!buf_read_file(&chain, at, PEM_BYTES_MAX) ||
	    !buf_read_file(&key, at = c->tls_key_file, PEM_BYTES_MAX)) {
		buf_printf(error, "tls: cannot read '%s': %s\n", at, strerror(errno));
		ok = false;
	} else {
		struct slice_secrets s = {.tls_chain = buf_steal(&chain),
					  .tls_key = buf_steal(&key)};

		ok = certify(c, &s, now_s, error);
		slice_secrets_free(&s);
	}
	buf_free(&chain);
	buf_free(&key);
	return ok;
}

bool certify_is_unchanged(const struct relay_config *a, const struct slice_secrets *sa,
			  const struct relay_config *b, const struct slice_secrets *sb)
{
	struct buf names_a = BUF_INIT, names_b = BUF_INIT;
	bool same = strcmp(sa->tls_chain, sb->tls_chain) == 0;

	each_name(a, append_name, &names_a);
	each_name(b, append_name, &names_b);
	same = same && strcmp(buf_str(&names_a), buf_str(&names_b)) == 0;
	buf_free(&names_a);
	buf_free(&names_b);
	return same;
}

/* ---- what is told ---- */

/* What is wrong with it, or soon will be; "" for nothing. */
static void find_fault(const struct relay_config *c, const struct certificate *certificate,
		       int64_t now_s, struct buf *out)
{
	int64_t left_s = certificate_until_s(certificate) - now_s;

	if (!judge(c, certificate, now_s, out)) {
		out->len -= out->data[out->len - 1] == '\n';
		for (char *p = out->data; p < out->data + out->len; p++)
			if (*p == '\n')
				*p = ';';
	} else if (left_s < CERTIFY_EXPIRY_DAYS * DAY_S) {
		buf_printf(out, "tls: the certificate expires in %d days: renew it",
			   (int)(left_s / DAY_S));
	}
}

/* The same, and what is right but unwelcome elsewhere. */
static void find_alarm(const struct relay_config *c, const struct certificate *certificate,
		       int64_t now_s, struct buf *out)
{
	find_fault(c, certificate, now_s, out);
	if (!out->len && certificate_is_self_signed(certificate))
		buf_appends(out, "tls: the certificate is self-signed: Gmail and other large "
				 "senders refuse those");
}

json_t *certify_alarm(const struct relay_config *c, const struct slice_secrets *s, int64_t now_s)
{
	struct buf says = BUF_INIT;
	struct certificate *certificate =
		is_configured(c) ? certificate_new(s->tls_chain, s->tls_key, &says) : NULL;
	json_t *row = NULL;

	if (certificate)
		find_fault(c, certificate, now_s, &says);
	if (says.len)
		row = json_pack("{s:s, s:s, s:o, s:s}", "alarm", "certificate", "subject",
				c->tls_chain_file, "says", json_stringn(buf_str(&says), says.len),
				"mend",
				"put the renewed files in place, then: request relay reload");
	certificate_free(certificate);
	buf_free(&says);
	return row;
}

static void put(json_t *out, const char *name, struct buf *text)
{
	json_object_set_new(out, name, json_stringn(buf_str(text), text->len));
	buf_clear(text);
}

json_t *certify_status(const struct relay_config *c, const struct slice_secrets *s, int64_t now_s)
{
	struct buf text = BUF_INIT;
	struct certificate *certificate = certificate_new(s->tls_chain, s->tls_key, &text);
	json_t *out = json_object();

	if (!certificate) {
		put(out, "alarm", &text);
		buf_free(&text);
		return out;
	}
	certificate_names(certificate, &text);
	put(out, "names", &text);
	certificate_issuer(certificate, &text);
	put(out, "issuer", &text);
	certificate_put_time(certificate_from_s(certificate), &text);
	put(out, "valid-from", &text);
	certificate_put_time(certificate_until_s(certificate), &text);
	put(out, "expires", &text);
	json_object_set_new(out, "days-left",
			    json_integer((certificate_until_s(certificate) - now_s) / DAY_S));
	buf_appends(&text, is_configured(c) ? c->tls_chain_file : "made by the relay itself");
	put(out, "file", &text);
	find_alarm(c, certificate, now_s, &text);
	if (text.len)
		put(out, "alarm", &text);
	buf_free(&text);
	certificate_free(certificate);
	return out;
}
