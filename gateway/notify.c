/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/notify.h"

#include "lib/log.h"
#include "lib/tls.h"
#include "model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"
#define STEP_MS     20000 /* for any one answer */
#define PAUSE_S     4

/* ---- pure parts ---- */

bool notify_url(const char *text, struct notify_url *out)
{
	char host[256], port[8] = "";
	int scheme = 0, end = 0;

	*out = (struct notify_url){0};
	sscanf(text, "http%*[s]://%n", &scheme);
	out->tls = scheme;
	if (!scheme)
		sscanf(text, "http://%n", &scheme);
	if (!scheme)
		return false;
	text += scheme;
	if (*text == '[') {
		if (sscanf(text, "[%255[0-9A-Fa-f:.]]%n", host, &end) != 1 || !end)
			return false;
	} else if (sscanf(text, "%255[^:/]%n", host, &end) != 1) {
		return false;
	}
	text += end;
	end = 0;
	if (*text == ':' && (sscanf(text, ":%5[0-9]%n", port, &end) != 1 || !end))
		return false;
	text += end;
	if ((*text && *text != '/') || strlen(text) >= sizeof(out->path))
		return false;
	snprintf(out->host, sizeof(out->host), "%s", host);
	snprintf(out->port, sizeof(out->port), "%s", *port ? port : out->tls ? "443" : "80");
	snprintf(out->path, sizeof(out->path), "%s", *text ? text : "/");
	return true;
}

static void put_body(const char *text, struct buf *out)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		buf_printf(out, "%s%.*s\r\n", *text == '.' ? "." : "", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

void notify_letter(const char *host, const char *from, const struct lyd_node *alarms,
		   const char *subject, const char *text, int64_t when, struct buf *out)
{
	time_t t = (time_t)when;
	struct tm tm;
	char date[64];
	const char *comma = "";

	gmtime_r(&t, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	buf_printf(out, "From: Gatepost %s <%s>\r\nTo: ", host, from);
	CONF_FOR_EACH (to, alarms, "mail-to") {
		buf_printf(out, "%s%s", comma, conf_text(to));
		comma = ",\r\n ";
	}
	buf_printf(out, "\r\nSubject: [%s] %.*s\r\nDate: %s\r\n", host,
		   (int)strcspn(subject, "\r\n"), subject, date);
	buf_printf(out,
		   "Message-ID: <alarm.%lld.%08lx@%s>\r\nAuto-Submitted: auto-generated\r\n"
		   "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
		   "Content-Transfer-Encoding: 8bit\r\n\r\n",
		   (long long)when, (unsigned long)(mrand48() & 0xffffffff), host);
	put_body(text, out);
}

/* ---- a conversation, in the process of its own ---- */

struct talk {
	struct stream *stream;
	struct buf in;
};

static int connect_to(const char *host, const char *port)
{
	const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list, *a;
	int fd = -1;

	if (getaddrinfo(host, port, &wanted, &list) != 0)
		return -1;
	for (a = list; a && fd < 0; a = a->ai_next) {
		struct pollfd p = {.events = POLLOUT};
		int error = 0;
		socklen_t len = sizeof(error);
		fd = p.fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		if ((connect(fd, a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS) ||
		    poll(&p, 1, STEP_MS) != 1 ||
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd;
}

static bool wait_for(struct talk *t)
{
	struct pollfd p = {.fd = stream_fd(t->stream),
			   .events = stream_wants_write(t->stream) ? POLLOUT : POLLIN};

	return poll(&p, 1, STEP_MS) == 1;
}

static bool say(struct talk *t, const char *bytes, size_t len)
{
	while (len) {
		size_t written = 0;
		enum stream_status s = stream_write(t->stream, bytes, len, &written);
		bytes += written;
		len -= written;
		struct pollfd p = {.fd = stream_fd(t->stream), .events = POLLOUT};
		if (s != STREAM_OK && (s != STREAM_AGAIN || poll(&p, 1, STEP_MS) != 1))
			return false;
	}
	return true;
}

/* One line without its end, "" when none came. */
static void hear(struct talk *t, char line[512])
{
	const char *end = NULL;

	line[0] = '\0';
	while (!(end = memchr(buf_str(&t->in), '\n', t->in.len)) && t->in.len < 65536) {
		size_t got = 0;
		buf_reserve(&t->in, 4096);
		enum stream_status s = stream_read(t->stream, t->in.data + t->in.len, 4096, &got);
		t->in.len += got;
		t->in.data[t->in.len] = '\0';
		if (s != STREAM_OK && (s != STREAM_AGAIN || !wait_for(t)))
			return;
	}
	if (!end)
		return;
	size_t len = (size_t)(end - t->in.data);
	snprintf(line, 512, "%.*s", (int)(len && end[-1] == '\r' ? len - 1 : len), t->in.data);
	buf_consume(&t->in, len + 1);
}

static bool fails(struct buf *why, const char *what, const char *said)
{
	buf_printf(why, "%s: %s", what, *said ? said : "no answer");
	return false;
}

/* ---- mail ---- */

/* A whole reply (RFC 5321 §4.2.1); the last line is in line. */
static bool reply_is(struct talk *t, char digit, char line[512])
{
	do
		hear(t, line);
	while (strlen(line) > 3 && line[3] == '-');
	return line[0] == digit;
}

static bool command(struct talk *t, char digit, struct buf *why, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static bool command(struct talk *t, char digit, struct buf *why, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	char line[512] = "";
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	bool ok = (!text.len || say(t, text.data, text.len)) && reply_is(t, digit, line);
	if (!ok) {
		buf_truncate(&text, strcspn(buf_str(&text), "\r\n"));
		fails(why, text.len ? buf_str(&text) : "greeting", line);
	}
	buf_free(&text);
	return ok;
}

/* Where the relay takes mail from this box: its first listener of the kind "relay", port 25 without
 * any. */
static void find_relay(const struct lyd_node *relay, const char **host, const char **port)
{
	*host = "127.0.0.1";
	*port = "25";
	CONF_FOR_EACH (l, relay, "listen") {
		const char *address = conf_value(l, "address");
		if (strcmp(conf_value(l, "kind"), "relay") != 0)
			continue;
		*port = conf_value(l, "port");
		if (strcmp(address, "::") != 0 && strcmp(address, "0.0.0.0") != 0)
			*host = address;
		return;
	}
}

static bool send_mail(const struct lyd_node *conf, const char *from, const struct buf *letter,
		      struct buf *why)
{
	const struct lyd_node *system = conf_top(conf, "system");
	const struct lyd_node *alarms = conf_child(system, "alarms");
	const char *host, *port;

	find_relay(conf_top(conf, "relay"), &host, &port);
	int fd = connect_to(host, port);
	if (fd < 0)
		return fails(why, "the relay", "cannot be connected to");
	struct talk t = {.stream = stream_open(fd)};
	bool ok = command(&t, '2', why, "%s", "") &&
		  command(&t, '2', why, "EHLO %s\r\n", conf_value(system, "host-name")) &&
		  command(&t, '2', why, "MAIL FROM:<%s>\r\n", from);
	CONF_FOR_EACH (to, alarms, "mail-to")
		ok = ok && command(&t, '2', why, "RCPT TO:<%s>\r\n", conf_text(to));
	ok = ok && command(&t, '3', why, "DATA\r\n") && say(&t, letter->data, letter->len) &&
	     command(&t, '2', why, ".\r\n");
	say(&t, "QUIT\r\n", 6);
	stream_close(t.stream);
	buf_free(&t.in);
	return ok;
}

/* ---- webhooks ---- */

static bool start_tls(struct talk *t, const struct notify_url *url, struct buf *why)
{
	struct buf pem = BUF_INIT;
	struct tls_client *tls = NULL;
	enum stream_status s = STREAM_FAILED;

	if (buf_read_file(&pem, AUTHORITIES, (size_t)4 << 20))
		tls = tls_client_new_verifying(buf_str(&pem), why);
	buf_free(&pem);
	if (!tls)
		return fails(why, AUTHORITIES, "no authorities to verify by");
	stream_start_tls_client(t->stream, tls, url->host);
	while ((s = stream_handshake(t->stream)) == STREAM_AGAIN && wait_for(t))
		;
	if (s != STREAM_OK)
		return fails(why, "TLS", s == STREAM_FAILED ? stream_error(t->stream) : "");
	return stream_peer_trusted(t->stream, why);
}

static bool post(const struct notify_url *url, const char *body, struct buf *why)
{
	bool v6 = strchr(url->host, ':');
	int fd = connect_to(url->host, url->port);
	struct buf request = BUF_INIT;
	char line[512] = "";

	if (fd < 0)
		return fails(why, url->host, "cannot be connected to");
	struct talk t = {.stream = stream_open(fd)};
	buf_printf(&request,
		   "POST %s HTTP/1.1\r\nHost: %s%s%s\r\nUser-Agent: gatepost\r\n"
		   "Content-Type: application/json\r\nContent-Length: %zu\r\n"
		   "Connection: close\r\n\r\n%s",
		   url->path, v6 ? "[" : "", url->host, v6 ? "]" : "", strlen(body), body);
	bool ok = (!url->tls || start_tls(&t, url, why)) && say(&t, request.data, request.len);
	if (ok)
		hear(&t, line);
	if (ok && (strncmp(line, "HTTP/1.", 7) != 0 || line[9] != '2'))
		ok = fails(why, url->host, line);
	stream_close(t.stream);
	buf_free(&t.in);
	buf_free(&request);
	return ok;
}

/* ---- the process ---- */

static void mail_all(const struct lyd_node *conf, const char *subject, const char *text)
{
	const struct lyd_node *system = conf_top(conf, "system");
	const struct lyd_node *alarms = conf_child(system, "alarms");
	const char *from = conf_value(alarms, "mail-from");
	struct buf letter = BUF_INIT, why = BUF_INIT;
	bool sent = !conf_has(alarms, "mail-to") || !from;

	if (!sent)
		notify_letter(conf_value(system, "host-name"), from, alarms, subject, text,
			      time(NULL), &letter);
	for (unsigned i = 0; !sent && i < NOTIFY_TRIES; i++) {
		sleep(i * PAUSE_S);
		buf_clear(&why);
		sent = send_mail(conf, from, &letter, &why);
	}
	if (!sent)
		log_error("alarms could not be mailed: %s", buf_str(&why));
	buf_free(&letter);
	buf_free(&why);
}

static void post_all(const struct lyd_node *conf, const char *subject, const char *text)
{
	const struct lyd_node *system = conf_top(conf, "system");
	json_t *body = json_pack("{s:s s:I s:s s:s}", "host", conf_value(system, "host-name"),
				 "time", (json_int_t)time(NULL), "subject", subject, "text", text);
	char *json = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct buf why = BUF_INIT;

	CONF_FOR_EACH (hook, conf_child(system, "alarms"), "webhook") {
		struct notify_url url;
		bool sent = !json || !notify_url(conf_text(hook), &url);
		for (unsigned i = 0; !sent && i < NOTIFY_TRIES; i++) {
			sleep(i * PAUSE_S);
			buf_clear(&why);
			sent = post(&url, json, &why);
		}
		if (!sent || !json)
			log_error("alarms could not be told to %s: %s", conf_text(hook),
				  buf_str(&why));
	}
	free(json);
	json_decref(body);
	buf_free(&why);
}

void notify(struct ev_loop *loop, const struct lyd_node *conf, const char *subject,
	    const char *text)
{
	const struct lyd_node *alarms = conf_child(conf_top(conf, "system"), "alarms");

	(void)loop; /* the default one, which reaps every child */
	if (!conf_has(alarms, "mail-to") && !conf_has(alarms, "webhook"))
		return;
	pid_t pid = fork();
	if (pid < 0)
		log_error("alarms could not be told: %s", strerror(errno));
	if (pid != 0)
		return;
	/* gatepostd's sockets stay its own; so do its signals. */
	close_range(3, ~0U, 0);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
	alarm(NOTIFY_MAX_S);
	srand48(time(NULL) ^ getpid());
	mail_all(conf, subject, text);
	post_all(conf, subject, text);
	_exit(0);
}
