/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The role auth: the one process that holds password hashes, and the only thing it says about them
 * is yes or no.
 *
 * A check by crypt(5) is made slow on purpose (yescrypt: 32 ms), so checks are done one at a time,
 * in a thread of their own (checker.h), in the order that attempts.h finds fair. What was right a
 * moment ago is remembered (proofs.h) and answered at once: a web server that logs in for each
 * message costs one check every five minutes. An unknown user costs a check against a hash of the
 * same kind, so that nobody learns who exists by looking at the clock.
 */
#include "lib/log.h"
#include "relay/process.h"
#include "relay/smtp/attempts.h"
#include "relay/smtp/checker.h"
#include "relay/smtp/proofs.h"

#include <crypt.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	SUCCESSES_MAX = 4096,
	SUCCESS_LIFE_MS = 5 * 60 * 1000,
	TRUSTED_MAX = 16384,
	TRUSTED_LIFE_MS = 24 * 3600 * 1000,
};

struct user {
	const char *name, *account, *hash; /* the config's */
};

/* A login that waits. */
struct asked {
	uint64_t id;
	struct channel *from; /* NULL: gone */
	bool trusted;
	bool exists; /* the user did when the check began */
	bool stale;  /* the config has changed since */
	struct auth_ask ask;
};

static struct {
	struct ev_loop *loop;
	struct user *users; /* sorted by name */
	size_t user_count;
	char no_user[CRYPT_GENSALT_OUTPUT_SIZE]; /* a setting to check against where nobody is */
	struct proofs *successes, *trusted;
	struct attempts *attempts;
	struct asked *checked; /* what the checker is at */
	ev_timer next;
} auth;

/* ---- users ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

static void load_users(const struct relay_config *config)
{
	size_t n = 0;

	free(auth.users);
	for (size_t i = 0; i < config->account_count; i++)
		n += config->accounts[i].user_count;
	auth.users = calloc(n + 1, sizeof(*auth.users));
	if (!auth.users)
		abort();
	auth.user_count = 0;
	for (size_t i = 0; i < config->account_count; i++) {
		const struct config_account *a = &config->accounts[i];

		for (size_t k = 0; k < a->user_count; k++)
			auth.users[auth.user_count++] =
				(struct user){a->users[k].name, a->name, a->users[k].password};
	}
	qsort(auth.users, auth.user_count, sizeof(*auth.users), by_name);
}

static const struct user *find_user(const char *name)
{
	const struct user wanted = {.name = name};

	return bsearch(&wanted, auth.users, auth.user_count, sizeof(*auth.users), by_name);
}

/* Some user's hash, always the same one for a name, so that it costs what that name could cost. */
static const char *decoy(const char *name)
{
	struct proof_key key = proofs_key(auth.successes, name, strlen(name), "decoy", 5);
	uint64_t h;

	memcpy(&h, key.bytes, sizeof(h));
	return auth.user_count ? auth.users[h % auth.user_count].hash : auth.no_user;
}

/* ---- checking ---- */

static struct proof_key success_key(const struct auth_ask *ask)
{
	return proofs_key(auth.successes, ask->user, strlen(ask->user), ask->password,
			  strlen(ask->password));
}

static struct proof_key trusted_key(const struct auth_ask *ask)
{
	struct addr network = attempts_source(&ask->source);

	return proofs_key(auth.trusted, ask->user, strlen(ask->user), network.bytes,
			  sizeof(network.bytes));
}

static void answer(struct channel *c, uint64_t id, enum auth_verdict verdict, const char *account)
{
	struct auth_answer m = {.verdict = (uint8_t)verdict};
	struct buf payload = BUF_INIT;

	strncpy(m.account, account, sizeof(m.account) - 1);
	auth_answer_encode(&m, &payload);
	channel_send(c, MSG_AUTH_ANSWER, id, &payload, -1);
	buf_free(&payload);
}

static void note_failure(const struct asked *a, uint64_t now_ms)
{
	unsigned failures = attempts_failed(auth.attempts, &a->ask.source, a->trusted, now_ms);
	char source[ADDR_STR_MAX];

	addr_format(&a->ask.source, source);
	log_info("login of %s from %s failed", a->ask.user, source);
	if (!a->trusted && failures == ATTEMPTS_REFUSED_AFTER)
		log_warn("%u failed logins from %s: unknown users are refused there for %d minutes",
			 failures, source, ATTEMPTS_FORGOTTEN_MS / 60000);
}

static void note_success(const struct asked *a, const struct user *user, uint64_t now_ms)
{
	struct proof_key key = success_key(&a->ask);

	proofs_add(auth.successes, &key, user->account, now_ms);
	key = trusted_key(&a->ask);
	proofs_add(auth.trusted, &key, "", now_ms);
}

static void drop(void *item)
{
	explicit_bzero(item, sizeof(struct asked));
	free(item);
}

static void in_ms(uint64_t wait_ms)
{
	ev_timer_stop(auth.loop, &auth.next);
	ev_timer_set(&auth.next, (double)wait_ms / 1000, 0.);
	ev_timer_start(auth.loop, &auth.next);
}

static void check_next(void)
{
	uint64_t wait_ms;
	const struct user *user;

	if (checker_is_busy())
		return;
	auth.checked = attempts_next(auth.attempts, clock_steady_ms(), &wait_ms);
	if (!auth.checked) {
		if (wait_ms != UINT64_MAX)
			in_ms(wait_ms);
		return;
	}
	user = find_user(auth.checked->ask.user);
	auth.checked->exists = user != NULL;
	checker_start(auth.checked->ask.password,
		      user ? user->hash : decoy(auth.checked->ask.user));
}

static void on_next(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
	check_next();
}

/* The user is looked up again: a reload may have come in between. */
static void on_checked(enum checker_verdict verdict)
{
	struct asked *a = auth.checked;
	const struct user *user = find_user(a->ask.user);
	uint64_t now_ms = clock_steady_ms();

	auth.checked = NULL;
	if (verdict == CHECKER_UNUSABLE && a->exists)
		log_error("the password hash of user %s cannot be used", a->ask.user);
	if (!a->from) {
		/* Who asked is gone. */
	} else if (a->stale) {
		answer(a->from, a->id, AUTH_LATER, "");
	} else if (verdict == CHECKER_RIGHT && a->exists && user) {
		note_success(a, user, now_ms);
		answer(a->from, a->id, AUTH_YES, user->account);
	} else {
		note_failure(a, now_ms);
		answer(a->from, a->id, AUTH_NO, "");
	}
	drop(a);
	check_next();
}

/* ---- the role ---- */

static void on_ask(struct channel *c, struct message *m)
{
	struct asked *a = calloc(1, sizeof(*a));
	uint64_t now_ms = clock_steady_ms();
	struct proof_key key;
	const char *account;

	if (!a)
		abort();
	a->id = m->id;
	a->from = c;
	if (!auth_ask_decode(m, &a->ask)) {
		log_error("accept sent a damaged login");
		drop(a);
		return;
	}
	key = success_key(&a->ask);
	account = proofs_find(auth.successes, &key, now_ms);
	if (account) {
		answer(c, m->id, AUTH_YES, account);
		drop(a);
		return;
	}
	key = trusted_key(&a->ask);
	a->trusted = proofs_find(auth.trusted, &key, now_ms) != NULL;
	if (!attempts_add(auth.attempts, &a->ask.source, a->trusted, a, now_ms)) {
		answer(c, m->id, AUTH_LATER, "");
		drop(a);
		return;
	}
	check_next();
}

static void auth_open(struct process *p)
{
	char random[16];

	if (getrandom(random, sizeof(random), 0) != sizeof(random) ||
	    !crypt_gensalt_rn("$y$", 0, random, sizeof(random), auth.no_user, sizeof(auth.no_user)))
		fatal("no setting for crypt can be made");
	auth.successes = proofs_new(SUCCESSES_MAX, SUCCESS_LIFE_MS);
	auth.trusted = proofs_new(TRUSTED_MAX, TRUSTED_LIFE_MS);
	auth.attempts = attempts_new();
	auth.loop = p->loop;
	ev_init(&auth.next, on_next);
	checker_open(p->loop, on_checked);
	load_users(p->config);
}

/* A changed password must not live on in what was right before. */
static void auth_reload(struct process *p)
{
	load_users(p->config);
	proofs_forget(auth.successes);
	if (auth.checked)
		auth.checked->stale = true;
}

static void auth_message(struct process *p, enum role_id from, struct channel *c, struct message *m)
{
	(void)p;
	if (from == ROLE_ACCEPT && m->type == MSG_AUTH_ASK)
		on_ask(c, m);
	else
		log_error("a message of type %u from %s is not for auth", m->type, role_name(from));
}

/* Nobody waits for the answers any more. */
static void auth_peer_down(struct process *p, enum role_id peer, unsigned index, struct channel *c)
{
	(void)p;
	(void)peer;
	(void)index;
	(void)c;
	attempts_clear(auth.attempts, drop);
	if (auth.checked)
		auth.checked->from = NULL;
}

const struct role auth_role = {
	.name = "auth",
	.open = auth_open,
	.reload = auth_reload,
	.peer_down = auth_peer_down,
	.message = auth_message,
};
