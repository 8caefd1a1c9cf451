/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gatepost-track: what the relay does to a message, on a file.
 *
 *	gatepost-track --config relay.json --account acme <in.eml >out.eml
 *
 * It reads what the relay reads (relay.json, the tracking and signing keys), and calls the same
 * pure functions; it writes nothing but its output.
 */
#include "lib/log.h"
#include "relay/config.h"
#include "relay/mime/field.h"
#include "relay/sign/dkim.h"
#include "relay/sign/domainkeys.h"
#include "relay/slice.h"
#include "relay/smtp/pin.h"
#include "relay/spool/envelope.h"
#include "relay/track/rewrite.h"
#include "relay/track/trace.h"
#include "relay/track/url.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_BYTES_MAX = 256 * 1024 * 1024 };

static const char usage[] =
	"usage: gatepost-track --config FILE --account NAME [options] <in.eml >out.eml\n"
	"       gatepost-track --config FILE --open URL\n"
	"\n"
	"Tracks a message as the relay would for one recipient, and writes it out.\n"
	"\n"
	"  --explain         list each link, what was done to it and why, instead of the message\n"
	"  --all             track opens, and clicks in HTML and in text, whatever the account "
	"says\n"
	"  --sign            sign it as the relay would, for the domain of its From field\n"
	"  --trace           add the Received line, and Date and Message-ID where they are "
	"missing\n"
	"  --seven-bit       for a peer without 8BITMIME\n"
	"  --recipient N     the recipient's place in the envelope (0)\n"
	"  --message N       the message's number (1)\n"
	"  --to ADDRESS      the recipient, for List-Unsubscribe where the account has it\n"
	"  --time N          when it was accepted, in seconds since 1970 (now)\n"
	"  --open URL        show what a tracking URL holds\n"
	"\n"
	"Lines may end in LF alone: they are given CRLF first, as SMTP has it.\n";

struct options {
	const char *config_path, *account, *open_url, *to;
	bool explain, all, sign, trace, seven_bit;
	uint32_t recipient;
	uint64_t message;
	int64_t when;
};

struct setting {
	struct relay_config *config;
	struct slice_secrets secrets;
	struct token_ring *ring;
	const struct config_account *account;
};

/* --- command line ------------------------------------------------------------------------ */

static uint64_t number(const char *name, const char *text, uint64_t max)
{
	char *end;

	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (errno || end == text || *end || v > max || *text == '-')
		fatal("--%s: '%s' is no number up to %llu", name, text, (unsigned long long)max);
	return v;
}

static struct options read_options(int argc, char **argv)
{
	enum {
		CONFIG,
		ACCOUNT,
		OPEN,
		EXPLAIN,
		ALL,
		SIGN,
		TRACE,
		SEVEN,
		RECIPIENT,
		MESSAGE,
		TO,
		TIME,
		HELP
	};
	static const struct option known[] = {
		{"config", required_argument, NULL, CONFIG},
		{"account", required_argument, NULL, ACCOUNT},
		{"open", required_argument, NULL, OPEN},
		{"explain", no_argument, NULL, EXPLAIN},
		{"all", no_argument, NULL, ALL},
		{"sign", no_argument, NULL, SIGN},
		{"trace", no_argument, NULL, TRACE},
		{"seven-bit", no_argument, NULL, SEVEN},
		{"recipient", required_argument, NULL, RECIPIENT},
		{"message", required_argument, NULL, MESSAGE},
		{"to", required_argument, NULL, TO},
		{"time", required_argument, NULL, TIME},
		{"help", no_argument, NULL, HELP},
		{0},
	};
	struct options o = {.message = 1, .when = time(NULL)};
	const char *name;

	for (int c, i = 0; (c = getopt_long(argc, argv, "", known, &i)) != -1;) {
		name = c == '?' ? "" : known[i].name;
		switch (c) {
		case CONFIG:
			o.config_path = optarg;
			break;
		case ACCOUNT:
			o.account = optarg;
			break;
		case OPEN:
			o.open_url = optarg;
			break;
		case EXPLAIN:
			o.explain = true;
			break;
		case ALL:
			o.all = true;
			break;
		case SIGN:
			o.sign = true;
			break;
		case TRACE:
			o.trace = true;
			break;
		case SEVEN:
			o.seven_bit = true;
			break;
		case RECIPIENT:
			o.recipient = (uint32_t)number(name, optarg, UINT32_MAX);
			break;
		case MESSAGE:
			o.message = number(name, optarg, UINT64_MAX);
			break;
		case TO:
			o.to = optarg;
			break;
		case TIME:
			o.when = (int64_t)number(name, optarg, INT64_MAX);
			break;
		case HELP:
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc || !o.config_path || (!o.account && !o.open_url)) {
		fputs(usage, stderr);
		exit(2);
	}
	return o;
}

static void load(const struct options *o, struct setting *s)
{
	struct buf error = BUF_INIT;
	struct token_key *keys;

	s->config = config_load(o->config_path, &error);
	if (!s->config || !slice_tokens_load(s->config, &s->secrets, &error))
		fatal("%s: %s", o->config_path, buf_str(&error));
	keys = calloc(s->secrets.token_key_count, sizeof(*keys));
	if (!keys)
		abort();
	for (size_t i = 0; i < s->secrets.token_key_count; i++) {
		keys[i].id = s->secrets.token_keys[i].id;
		memcpy(keys[i].secret, s->secrets.token_keys[i].secret, sizeof(keys[i].secret));
	}
	s->ring = token_ring_new(keys, s->secrets.token_key_count);
	free(keys);
	/* As in the slice of who accepts mail: it knows which key is the newest. */
	s->config->token_keys[0].id = s->secrets.token_keys[0].id;
	s->config->token_key_count = 1;
	if (o->account) {
		s->account = config_account(s->config, o->account);
		if (!s->account)
			fatal("--account: there is no account '%s' in %s", o->account,
			      o->config_path);
	}
}

static void unload(struct setting *s)
{
	token_ring_free(s->ring);
	slice_secrets_free(&s->secrets);
	config_free(s->config);
}

/* --- --open ------------------------------------------------------------------------------ */

static int show_token(const struct setting *s, const char *url)
{
	static const char *const kinds[] = {[TOKEN_OPEN] = "open",
					    [TOKEN_CLICK] = "click",
					    [TOKEN_UNSUBSCRIBE] = "unsubscribe"};
	size_t n = strlen(url), start, end, path;
	enum token_kind kind;
	const char *text;
	struct token t;
	char id[MESSAGE_ID_STR_MAX], host[256];
	size_t len;

	if (!url_host(url, n, &start, &end))
		fatal("--open: '%s' is not a URL (http://HOST/c/TOKEN)", url);
	path = end + strcspn(url + end, "/");
	snprintf(host, sizeof(host), "%.*s", (int)(end - start), url + start);
	if (!token_path(url + path, n - path, &kind, &text, &len) ||
	    !token_open(s->ring, host, text, len, &t) || t.kind != kind)
		fatal("--open: '%s' was not made with a tracking key of this relay, or was altered",
		      url);
	struct buf date = BUF_INIT;
	trace_date(t.accepted, &date);
	printf("kind      %s\naccount   %s\nmessage   %s\nrecipient %u\naccepted  %s\n",
	       kinds[t.kind], t.account, message_id_format(t.message, id), t.recipient,
	       buf_str(&date));
	if (t.campaign[0])
		printf("campaign  %s\n", t.campaign);
	if (t.tags[0])
		printf("tags      %s\n", t.tags);
	if (t.kind == TOKEN_UNSUBSCRIBE)
		printf("address   %s\n", t.url);
	if (t.kind == TOKEN_CLICK)
		printf("link      %u\nurl       %s\n", t.link, t.url);
	buf_free(&date);
	return 0;
}

/* --- a message --------------------------------------------------------------------------- */

static void read_message(struct buf *out)
{
	struct buf raw = BUF_INIT;
	size_t line = 1;

	if (!buf_read_fd(&raw, STDIN_FILENO, MESSAGE_BYTES_MAX))
		fatal("reading the message: %s", strerror(errno));
	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.data[i];
		if (c == '\0' || (c == '\r' && (i + 1 == raw.len || raw.data[i + 1] != '\n')))
			fatal("line %zu of the message: a %s; the relay takes no such message",
			      line, c ? "CR without LF" : "NUL");
		if (c == '\n' && (i == 0 || raw.data[i - 1] != '\r'))
			buf_appendc(out, '\r');
		buf_appendc(out, c);
		line += c == '\n';
	}
	buf_free(&raw);
}

/* As the relay pins it when it accepts the message. */
static struct envelope *pin(const struct options *o, const struct setting *s,
			    const struct buf *message)
{
	struct envelope *e = envelope_new();
	struct buf header = BUF_INIT;
	size_t header_end, body_start;
	struct header h;

	mime_split_header(buf_str(message), message->len, &header_end, &body_start);
	buf_append(&header, buf_str(message), header_end);
	header_read(buf_str(&header), header.len, &h);
	pin_tracking(e, s->config, s->account, &h, &header);
	pin_signing(e, s->account, &h);
	if (o->all)
		e->flags |= ENVELOPE_TRACK_OPENS | ENVELOPE_TRACK_CLICKS | ENVELOPE_TRACK_TEXT;
	buf_free(&header);
	return e;
}

static struct track_options track_options(const struct options *o, const struct setting *s,
					  const struct envelope *e)
{
	const struct config_account *a = s->account;

	return (struct track_options){
		.opens = e->flags & ENVELOPE_TRACK_OPENS,
		.clicks_html = e->flags & ENVELOPE_TRACK_CLICKS,
		.clicks_text = e->flags & ENVELOPE_TRACK_TEXT,
		.https = s->config->track_https,
		.seven_bit = o->seven_bit,
		.foreign_signed = a->track_foreign,
		.one_click = e->flags & ENVELOPE_ONE_CLICK,
		.host = *e->track_host ? e->track_host : a->track_host,
		.account = a->name,
		.campaign = e->campaign,
		.tags = e->tags,
		.ring = s->ring,
		.key_id = s->secrets.token_keys[0].id,
		.message = o->message,
		.recipient = o->recipient,
		.address = o->to,
		.accepted = o->when,
		.own_domains = (const char *const *)a->sign_domains.items,
		.own_domain_count = a->sign_dkim || a->sign_domainkeys ? a->sign_domains.count : 0,
	};
}

static void sign(const struct options *o, const struct setting *s, const char *domain,
		 const struct buf *message, struct buf *fields)
{
	const struct config_account *a = s->account;
	struct buf error = BUF_INIT;
	int dir = open(s->config->key_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!*domain)
		fatal("--sign: account '%s' does not sign for the domain of the From field",
		      a->name);
	if (dir < 0)
		fatal("directory/keys: cannot open '%s': %s", s->config->key_dir, strerror(errno));
	struct sign_keys *keys = sign_keys_new(dir);
	struct dkim_signer *signer = dkim_signer_new(&error);
	if (!signer)
		fatal("%s", buf_str(&error));
	if (a->sign_dkim && !dkim_sign_message(signer, keys, buf_str(message), message->len, domain,
					       a->sign_selector, o->when, fields, &error))
		fatal("%s", buf_str(&error));
	if (a->sign_domainkeys) {
		const struct sign_key *key = sign_keys_get(keys, domain, a->sign_selector, &error);
		if (!key || !domainkeys_sign(buf_str(message), message->len, domain,
					     a->sign_selector, key, fields, &error))
			fatal("%s", error.len ? buf_str(&error) : "DomainKeys: there is no key");
	}
	dkim_signer_free(signer);
	sign_keys_free(keys);
	close(dir);
	buf_free(&error);
}

static void explain(const struct track_report *r)
{
	if (r->reason.len)
		printf("not tracked: %s\n", buf_str(&r->reason));
	for (size_t i = 0; i < r->links_len; i++) {
		char url[LOG_LINE_MAX];
		log_escape(url, sizeof(url), r->links[i].url, strlen(r->links[i].url));
		printf("part %u %s: %s: %s\n", r->links[i].part, r->links[i].html ? "html" : "text",
		       url, track_verdict_text(r->links[i].verdict));
	}
	fputs(buf_str(&r->notes), stdout);
	printf("%u links tracked, %s pixel, %u parts or fields with mended lines, "
	       "%u old signatures taken out\n",
	       r->link_count, r->pixel ? "one" : "no", r->mended, r->signatures_removed);
}

static void write_all(const struct buf *b)
{
	if (fwrite(buf_str(b), 1, b->len, stdout) != b->len)
		fatal("writing the message: %s", strerror(errno));
}

static int handle_message(const struct options *o, const struct setting *s)
{
	struct buf in = BUF_INIT, out = BUF_INIT, top = BUF_INIT;
	struct track_report report;
	char id[MESSAGE_ID_STR_MAX];

	read_message(&in);
	struct envelope *e = pin(o, s, &in);
	struct track_options t = track_options(o, s, e);
	track_rewrite(buf_str(&in), in.len, &t, &out, &report);
	if (o->trace) {
		struct trace_facts facts = {.host = s->config->host_name,
					    .helo = "",
					    .id = message_id_format(o->message, id),
					    .recipient = "",
					    .accepted = o->when};
		struct buf rest = BUF_INIT;
		trace_received(&facts, &rest);
		trace_missing(buf_str(&in), in.len, &facts, &rest);
		buf_append(&rest, buf_str(&out), out.len);
		buf_free(&out);
		out = rest;
	}
	if (o->sign)
		sign(o, s, e->sign_domain, &out, &top);
	if (o->explain) {
		explain(&report);
	} else {
		write_all(&top);
		write_all(&out);
	}
	if (fflush(stdout) != 0)
		fatal("writing: %s", strerror(errno));
	track_report_free(&report);
	envelope_free(e);
	buf_free(&in);
	buf_free(&out);
	buf_free(&top);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o;
	struct setting s = {0};

	log_open("gatepost-track", LOG_LEVEL_WARN);
	o = read_options(argc, argv);
	load(&o, &s);
	int status = o.open_url ? show_token(&s, o.open_url) : handle_message(&o, &s);
	unload(&s);
	return status;
}
