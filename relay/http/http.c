/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The role http: pixel and links, each hit told to report before it is answered.
 *
 * A hit waits in line until report says that its event is in the journal, and then gets its
 * answer. But a reader's click is worth more than our count of it: when report is away, or has not
 * answered for WAIT_BOUND_MS, hits are answered all the same. Their events stay in line and are
 * sent again to the report that comes back, so around a crash of report an event may be counted
 * twice. One is lost, counted and logged, only when EVENTS_MAX are waiting already. Who
 * unsubscribes is the exception: until report has it he is told to try again, and never that it is
 * done.
 */
#include "lib/log.h"
#include "relay/http/server.h"
#include "relay/process.h"
#include "relay/track/endpoint.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	PLACES_MAX = 2048, /* a TLS connection takes some 40 KB */
	PLACES_SPARE = 64, /* descriptors for everything else */
	WAIT_BOUND_MS = 2000,
	EVENTS_MAX = 20000,
	LOST_LOG_MS = 10000,
	STOP_WAIT_MS = 5000,
	SHUT_WAIT_MS = 15000,
};
#define TICK_S 0.25

/* A hit whose event is not known to be kept. */
struct waiting {
	struct waiting *next;
	struct http_connection *c; /* NULL: it was answered, or went away */
	struct http_response response;
	char *location;    /* the response's; NULL for none */
	bool must_be_kept; /* before it is answered so */
	bool is_kept;
	struct buf event;
	uint64_t id; /* of its MSG_EVENT on the present channel */
	uint64_t since_ms;
};

struct listening {
	struct listening *next;
	struct config_listener l; /* its name is ours */
	int fd;
	bool tls;
};

static struct {
	struct process *p;
	struct http_server *server;
	struct endpoint_rules rules;
	struct shut_list *shut;
	bool serving;           /* what is shut off is known, or has been waited for */
	uint64_t begun_ms;      /* the steady clock */
	struct channel *report; /* NULL while it is away */
	struct waiting *first, *last;
	size_t waiting;
	bool late; /* report does not keep up: nobody waits for it */
	uint64_t ids, lost, lost_logged_ms;
	struct listening *listening;
	ev_timer tick;
	uint64_t stop_ms;              /* when to end at the latest; 0: not told to */
	struct endpoint_answer answer; /* too large for the stack */
} http;

/* ---- events on their way ---- */

static void answer_waiting(struct waiting *w)
{
	static const struct http_response later = {.status = 503};
	struct http_connection *c = w->c;

	w->c = NULL;
	if (c)
		http_answer(c, w->must_be_kept && !w->is_kept ? &later : &w->response);
}

static void tell(struct waiting *w)
{
	w->id = ++http.ids;
	channel_send(http.report, MSG_EVENT, w->id, &w->event, -1);
}

static void lose_one(void)
{
	uint64_t now = clock_steady_ms();

	http.lost++;
	if (http.lost_logged_ms && now - http.lost_logged_ms < LOST_LOG_MS)
		return;
	http.lost_logged_ms = now;
	log_error("%llu opens and clicks were answered and are lost to the log so far: report "
		  "does not take them",
		  (unsigned long long)http.lost);
}

static void free_first(void)
{
	struct waiting *w = http.first;

	http.first = w->next;
	if (!http.first)
		http.last = NULL;
	http.waiting--;
	buf_free(&w->event);
	free(w->location);
	free(w);
}

static void enqueue(struct http_connection *c, const struct endpoint_answer *a)
{
	struct waiting *w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	event_encode(&a->event, &w->event);
	w->since_ms = clock_steady_ms();
	w->response = a->response;
	w->must_be_kept = a->must_be_kept;
	if (w->response.location) {
		w->location = strdup(w->response.location);
		if (!w->location)
			abort();
		w->response.location = w->location;
	}
	*(http.last ? &http.last->next : &http.first) = w;
	http.last = w;
	http.waiting++;
	if (http.report)
		tell(w);
	w->c = c;
	http_connection_set_data(c, w);
	if ((!http.report || http.late) && !w->must_be_kept)
		answer_waiting(w);
}

/* report has everything up to id. */
static void kept(uint64_t id)
{
	http.late = false;
	while (http.first && http.first->id && http.first->id <= id) {
		http.first->is_kept = true;
		answer_waiting(http.first);
		free_first();
	}
}

static void answer_all(uint64_t older_than_ms, bool report_is_gone)
{
	for (struct waiting *w = http.first; w && w->since_ms <= older_than_ms; w = w->next) {
		if (!w->c || (report_is_gone && w->must_be_kept))
			continue;
		http.late |= http.report != NULL;
		answer_waiting(w);
	}
}

/* ---- requests ---- */

static void on_request(struct http_connection *c, const struct http_request *r, void *arg)
{
	struct endpoint_answer *a = &http.answer;

	(void)arg;
	endpoint_decide(&http.rules, r, http_connection_peer(c), clock_wall_ms(), a);
	if (a->hit && http.waiting < EVENTS_MAX) {
		enqueue(c, a);
		return;
	}
	if (a->hit)
		lose_one();
	if (a->must_be_kept)
		a->response = (struct http_response){.status = 503};
	http_answer(c, &a->response);
}

static void on_gone(struct http_connection *c, void *arg)
{
	struct waiting *w = http_connection_data(c);

	(void)arg;
	if (w)
		w->c = NULL;
}

static const struct http_handler handler = {.request = on_request, .gone = on_gone};

/* From now on connections are taken; those that came meanwhile wait in the kernel. */
static void serve(void)
{
	if (http.serving)
		return;
	http.serving = true;
	if (http.stop_ms)
		return;
	for (const struct listening *k = http.listening; k; k = k->next)
		http_server_listen(http.server, k->fd, k->tls);
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int events)
{
	uint64_t now = clock_steady_ms();

	(void)loop;
	(void)w;
	(void)events;
	if (now >= WAIT_BOUND_MS)
		answer_all(now - WAIT_BOUND_MS, false);
	if (!http.serving && now - http.begun_ms >= SHUT_WAIT_MS) {
		log_error("report does not say what was shut off: links are answered without that");
		serve();
	}
	if (http.stop_ms &&
	    ((!http_server_connections(http.server) && !http.waiting) || now >= http.stop_ms))
		process_exit(http.p);
}

/* ---- the role ---- */

static void take_config(const struct relay_config *c)
{
	struct buf error = BUF_INIT;
	struct token_key *keys = calloc(c->token_key_count + 1, sizeof(*keys));
	if (!keys)
		abort();
	for (size_t i = 0; i < c->token_key_count; i++) {
		keys[i].id = c->token_keys[i].id;
		memcpy(keys[i].secret, c->token_keys[i].secret, sizeof(keys[i].secret));
	}
	token_ring_free(http.rules.ring);
	http.rules.ring = token_ring_new(keys, c->token_key_count);
	http.rules.expire_days = c->track_expire_days;
	explicit_bzero(keys, c->token_key_count * sizeof(*keys));
	free(keys);
	if (!*c->tls_chain)
		return;
	struct tls_server *tls = tls_server_new(c->tls_chain, c->tls_key, &error);
	if (tls)
		http_server_set_tls(http.server, tls);
	else
		log_error("https: the certificate cannot be used: %s", buf_str(&error));
	buf_free(&error);
}

static size_t places(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= 2 * PLACES_SPARE)
		return PLACES_SPARE;
	return limit.rlim_cur - PLACES_SPARE < PLACES_MAX ? limit.rlim_cur - PLACES_SPARE
							  : PLACES_MAX;
}

static void http_open(struct process *p)
{
	struct rlimit limit;

	http.p = p;
	http.begun_ms = clock_steady_ms();
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	http.server = http_server_new(p->loop, places(), &handler, NULL);
	take_config(p->config);
	ev_timer_init(&http.tick, on_tick, TICK_S, TICK_S);
	ev_timer_start(p->loop, &http.tick);
}

static const struct config_listener *still_wanted(const struct relay_config *c,
						  const struct config_listener *l)
{
	for (size_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *k = &c->listeners[i];
		bool is_http = k->kind == LISTENER_HTTP || k->kind == LISTENER_HTTPS;
		if (is_http && strcmp(k->name, l->name) == 0 &&
		    addr_cmp(&k->address, &l->address) == 0 && (!k->port || k->port == l->port))
			return k;
	}
	return NULL;
}

static void http_reload(struct process *p)
{
	take_config(p->config);
	for (struct listening **at = &http.listening; *at;) {
		struct listening *k = *at;
		const struct config_listener *l = still_wanted(p->config, &k->l);
		if (l) {
			k->tls = l->kind == LISTENER_HTTPS;
			http_server_set_listener_tls(http.server, k->fd, k->tls);
			at = &k->next;
			continue;
		}
		if (http.serving)
			http_server_unlisten(http.server, k->fd);
		else
			close(k->fd);
		*at = k->next;
		free(k->l.name);
		free(k);
	}
}

static void http_listener(struct process *p, const struct config_listener *l, int fd)
{
	struct listening *k = calloc(1, sizeof(*k));

	(void)p;
	if (!k || !(k->l.name = strdup(l->name)))
		abort();
	k->l.address = l->address;
	k->l.port = l->port;
	k->fd = fd;
	k->next = http.listening;
	http.listening = k;
	k->tls = l->kind == LISTENER_HTTPS;
	if (http.serving)
		http_server_listen(http.server, fd, k->tls);
}

static void http_peer_up(struct process *p, enum role_id peer, unsigned index, struct channel *c)
{
	(void)p;
	(void)index;
	if (peer != ROLE_REPORT)
		return;
	http.report = c;
	http.late = false;
	for (struct waiting *w = http.first; w; w = w->next)
		tell(w);
}

static void http_peer_down(struct process *p, enum role_id peer, unsigned index, struct channel *c)
{
	(void)p;
	(void)peer;
	(void)index;
	if (c != http.report)
		return;
	http.report = NULL;
	answer_all(UINT64_MAX, true);
}

static void take_shut(const struct message *m)
{
	struct shut_list *fresh = shut_list_decode(m->payload, m->len);

	if (!fresh) {
		log_error("report sent a damaged list of what is shut off");
		return;
	}
	shut_list_free(http.shut);
	http.rules.shut = http.shut = fresh;
	serve();
}

static void http_message(struct process *p, enum role_id from, struct channel *c, struct message *m)
{
	(void)p;
	if (c == http.report && m->type == MSG_EVENT_KEPT)
		kept(m->id);
	else if (c == http.report && m->type == MSG_SHUT)
		take_shut(m);
	else
		log_warn("role %d sent http a message of type %u", from, m->type);
}

static void http_stop(struct process *p)
{
	(void)p;
	http.stop_ms = clock_steady_ms() + STOP_WAIT_MS;
	http_server_stop(http.server);
}

const struct role http_role = {
	.name = "http",
	.prompt = true,
	.open = http_open,
	.reload = http_reload,
	.listener = http_listener,
	.peer_up = http_peer_up,
	.peer_down = http_peer_down,
	.message = http_message,
	.stop = http_stop,
};
