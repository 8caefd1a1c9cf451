/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * auth MODE PORT USER PASSWORD THREADS SOURCE [options of the mode]
 *
 *   tls SECONDS              connects by TLS and leaves again, over and over
 *   login SECONDS            the same with a login in between, as a web server that logs in for
 *                            each message; a login that is refused is an error
 *   attack SECONDS           logs in with wrong passwords, until the server hangs up or refuses
 *                            to hear any more; then again. SECONDS 0: until SIGTERM
 *   submit COUNT INTERVAL_US TEMPLATE FROM TO LOG
 *                            every INTERVAL_US a message: connection, TLS, login, message; LOG
 *                            gets a struct submission for each (tag 'B')
 *
 * TLS from the first byte, a full handshake each time. All connect from SOURCE, a loopback address;
 * the attack from thousands, SOURCE and those behind it in turn: no limit of one source stops it.
 * Prints how many there were and in how many seconds.
 */
#include "tests/bench/gauge.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	THREADS_MAX = 256,
	ATTACK_SOURCES = 4000,
	REPLY_BYTES = 4096,
	TEXT_MAX = 256 * 1024,
	PATIENCE_S = 120
};

struct client {
	int fd;
	SSL *ssl;
	char reply[REPLY_BYTES + 1];
};

struct mode {
	const char *name;
	int arguments;
	void *(*run)(void *unused);
};

static struct {
	uint16_t port;
	const char *user, *password;
	uint32_t source, sources; /* host order; how many from there on */
	_Atomic uint32_t connections;
	SSL_CTX *context;
	uint64_t until_ns, started_ns;
	_Atomic uint64_t done;
	/* submit */
	uint64_t count, interval_ns;
	_Atomic uint64_t next;
	char text[TEXT_MAX];
	size_t text_len;
	const char *from, *to;
	FILE *log;
} auth;

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

/* ---- one connection ---- */

static bool client_open(struct client *c)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	const struct linger at_once = {.l_onoff = 1}; /* no port is held in TIME_WAIT */
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(auth.port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from = {
		.sin_family = AF_INET,
		.sin_addr.s_addr =
			htonl(auth.source + atomic_fetch_add(&auth.connections, 1) % auth.sources)};

	c->ssl = NULL;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		err(2, "socket");
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		return false;
	c->ssl = SSL_new(auth.context);
	return c->ssl && SSL_set_fd(c->ssl, c->fd) && SSL_connect(c->ssl) == 1;
}

static void client_close(struct client *c)
{
	SSL_free(c->ssl);
	close(c->fd);
}

/* Reads a reply; its class, '2' for 250; 0 when the connection ended. */
static char hear(struct client *c)
{
	size_t n = 0;

	for (;;) {
		int got = SSL_read(c->ssl, c->reply + n, (int)(REPLY_BYTES - n));
		if (got <= 0)
			return 0;
		n += (size_t)got;
		c->reply[n] = '\0';
		if (c->reply[n - 1] != '\n')
			continue;
		const char *last = memrchr(c->reply, '\n', n - 1);
		last = last ? last + 1 : c->reply;
		if (strlen(last) > 3 && last[3] != '-')
			return c->reply[0];
	}
}

static bool say(struct client *c, const char *text, size_t n)
{
	return SSL_write(c->ssl, text, (int)n) == (int)n;
}

static char ask(struct client *c, const char *format, const char *argument)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), format, argument);

	return say(c, line, (size_t)n) ? hear(c) : 0;
}

static char login(struct client *c, const char *password)
{
	char plain[256];
	unsigned char coded[400];
	int n = snprintf(plain, sizeof(plain), "%c%s%c%s", 0, auth.user, 0, password);

	EVP_EncodeBlock(coded, (unsigned char *)plain, n);
	return ask(c, "AUTH PLAIN %s\r\n", (char *)coded);
}

static bool greet(struct client *c)
{
	return client_open(c) && hear(c) == '2' && ask(c, "EHLO %s\r\n", "client.example") == '2';
}

/* ---- modes ---- */

static bool goes_on(void)
{
	return !stopping && (!auth.until_ns || now_ns() < auth.until_ns);
}

static void *run_tls(void *unused)
{
	(void)unused;
	while (goes_on()) {
		struct client c = {.reply = ""};
		if (!greet(&c))
			errx(1, "a connection failed: '%s'", c.reply);
		client_close(&c);
		atomic_fetch_add(&auth.done, 1);
	}
	return NULL;
}

static void *run_login(void *unused)
{
	(void)unused;
	while (goes_on()) {
		struct client c = {.reply = ""};
		if (!greet(&c) || login(&c, auth.password) != '2')
			errx(1, "a login failed: '%s'", c.reply);
		ask(&c, "%s\r\n", "QUIT");
		client_close(&c);
		atomic_fetch_add(&auth.done, 1);
	}
	return NULL;
}

static void *run_attack(void *unused)
{
	const struct timespec breath = {.tv_nsec = 10000000};
	char wrong[64];

	(void)unused;
	while (goes_on()) {
		struct client c = {.reply = ""};
		if (greet(&c)) {
			do {
				uint64_t n = atomic_fetch_add(&auth.done, 1);
				snprintf(wrong, sizeof(wrong), "wrong-%llu", (unsigned long long)n);
			} while (login(&c, wrong) == '5' && goes_on());
		}
		client_close(&c);
		nanosleep(&breath, NULL);
	}
	return NULL;
}

static void name_message(char *text, uint64_t number)
{
	char id[32];

	snprintf(id, sizeof(id), "B%011llu", (unsigned long long)number);
	for (char *at = text;
	     (at = memmem(at, auth.text_len - (size_t)(at - text), ID_MARK, ID_CHARS));)
		memcpy(at, id, ID_CHARS);
}

static void submit(struct submission *s, char *text)
{
	struct client c = {.reply = ""};

	memcpy(text, auth.text, auth.text_len);
	name_message(text, s->number);
	if (!greet(&c) || login(&c, auth.password) != '2' ||
	    ask(&c, "MAIL FROM:<%s>\r\n", auth.from) != '2' ||
	    ask(&c, "RCPT TO:<%s>\r\n", auth.to) != '2' || ask(&c, "%s\r\n", "DATA") != '3')
		errx(1, "message %llu failed: '%s'", (unsigned long long)s->number, c.reply);
	s->sent_ns = now_ns();
	if (!say(&c, text, auth.text_len) || hear(&c) != '2')
		errx(1, "message %llu failed: '%s'", (unsigned long long)s->number, c.reply);
	s->accepted_ns = now_ns();
	ask(&c, "%s\r\n", "QUIT");
	client_close(&c);
}

static void *run_submit(void *unused)
{
	char *text = malloc(TEXT_MAX);

	(void)unused;
	if (!text)
		err(2, "out of memory");
	for (;;) {
		struct submission s = {.tag = 'B', .number = atomic_fetch_add(&auth.next, 1)};
		if (s.number >= auth.count)
			break;
		s.due_ns = auth.started_ns + s.number * auth.interval_ns;
		struct timespec due = {.tv_sec = (time_t)(s.due_ns / 1000000000),
				       .tv_nsec = (long)(s.due_ns % 1000000000)};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
		submit(&s, text);
		if (fwrite(&s, sizeof(s), 1, auth.log) != 1) /* stdio locks it */
			err(2, "cannot write the log");
		atomic_fetch_add(&auth.done, 1);
	}
	free(text);
	return NULL;
}

static const struct mode modes[] = {
	{"tls", 1, run_tls},
	{"login", 1, run_login},
	{"attack", 1, run_attack},
	{"submit", 6, run_submit},
};

static void prepare_submit(char **argv)
{
	FILE *f = fopen(argv[2], "rb");

	auth.count = strtoull(argv[0], NULL, 10);
	auth.interval_ns = strtoull(argv[1], NULL, 10) * 1000;
	auth.from = argv[3];
	auth.to = argv[4];
	auth.log = fopen(argv[5], "wb");
	if (f) {
		auth.text_len = fread(auth.text, 1, TEXT_MAX - 3, f);
		fclose(f);
	}
	if (!auth.text_len || !auth.log)
		err(2, "cannot read '%s', or cannot write '%s'", argv[2], argv[5]);
	memcpy(auth.text + auth.text_len, ".\r\n", 3);
	auth.text_len += 3;
}

static void run(const struct mode *m, size_t threads)
{
	pthread_t ids[THREADS_MAX];

	auth.started_ns = now_ns();
	for (size_t i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, m->run, NULL) != 0)
			errx(2, "no thread");
	for (size_t i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	printf("%llu %.3f\n", (unsigned long long)auth.done,
	       (double)(now_ns() - auth.started_ns) / 1e9);
}

int main(int argc, char **argv)
{
	const struct mode *m = modes, *end = modes + sizeof(modes) / sizeof(*modes);
	struct in_addr source;

	while (m < end && (argc < 2 || strcmp(m->name, argv[1]) != 0))
		m++;
	if (m == end || argc != 7 + m->arguments || inet_pton(AF_INET, argv[6], &source) != 1)
		errx(2, "tls|login|attack|submit PORT USER PASSWORD THREADS SOURCE ...");
	size_t threads = strtoull(argv[5], NULL, 10);
	if (!threads || threads > THREADS_MAX)
		errx(2, "'%s' is no number of threads: 1 to %d", argv[5], THREADS_MAX);
	auth.port = (uint16_t)strtoul(argv[2], NULL, 10);
	auth.user = argv[3];
	auth.password = argv[4];
	auth.source = ntohl(source.s_addr);
	auth.sources = m->run == run_attack ? ATTACK_SOURCES : 1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_signal);
	auth.context = SSL_CTX_new(TLS_client_method());
	if (!auth.context)
		errx(2, "no TLS");
	if (m->run == run_submit)
		prepare_submit(argv + 7);
	else if (strtoull(argv[7], NULL, 10))
		auth.until_ns = now_ns() + strtoull(argv[7], NULL, 10) * 1000000000u;
	run(m, threads);
	SSL_CTX_free(auth.context);
	return auth.log && fclose(auth.log) != 0 ? 2 : 0;
}
