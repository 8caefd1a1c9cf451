/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The role auth: the one process that holds password hashes, and the only thing it says about them
 * is yes or no.
 *
 * A check by crypt(5) is made slow on purpose (yescrypt: 32 ms), so checks are done one at a time,
 * in the order that attempts.h finds fair, with a turn of the event loop between two. What was
 * right a moment ago is remembered (proofs.h) and answered at once: a web server that logs in for
 * each message costs one check every five minutes. An unknown user costs a check against a hash of
 * the same kind, so that nobody learns who exists by looking at the clock.
 */
#include "lib/log.h"
#include "relay/process.h"
#include "relay/smtp/attempts.h"
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
	struct channel *from;
	bool trusted;
	struct auth_ask ask;
};

static struct {
	struct user *users; /* sorted by name */
	size_t user_count;
	char no_user[CRYPT_GENSALT_OUTPUT_SIZE]; /* a setting to check against where nobody is */
	struct proofs *successes, *trusted;
	struct attempts *attempts;
	ev_timer check;
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

static bool is_right(const struct user *user, const struct auth_ask *ask)
{
	static struct crypt_data data;
	const char *hash = user ? user->hash : decoy(ask->user);
	const char *made = crypt_r(ask->password, hash, &data);
	size_t n = strlen(hash);
	bool equal;

	if (!made || made[0] == '*') {
		if (user)
			log_error("the password hash of user %s cannot be used", user->name);
		return false;
	}
	equal = strlen(made) == n && proofs_equal(made, hash, n);
	explicit_bzero(&data, sizeof(data));
	return equal && user;
}

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
	unsigned failures = attempts_failed(auth.attempts, &a->ask.source, now_ms);
	char source[ADDR_STR_MAX];

	addr_format(&a->ask.source, source);
	log_info("login of %s from %s failed", a->ask.user, source);
	if (failures == ATTEMPTS_REFUSED_AFTER)
		log_warn("%u failed logins from %s: unknown users are refused there for %d minutes",
			 failures, source, ATTEMPTS_FORGOTTEN_MS / 60000);
}

static void check_one(struct asked *a)
{
	uint64_t now_ms = clock_steady_ms();
	const struct user *user = find_user(a->ask.user);
	struct proof_key key;

	if (is_right(user, &a->ask)) {
		key = success_key(&a->ask);
		proofs_add(auth.successes, &key, user->account, now_ms);
		key = trusted_key(&a->ask);
		proofs_add(auth.trusted, &key, "", now_ms);
		answer(a->from, a->id, AUTH_YES, user->account);
	} else {
		note_failure(a, now_ms);
		answer(a->from, a->id, AUTH_NO, "");
	}
}

static void drop(void *item)
{
	explicit_bzero(item, sizeof(struct asked));
	free(item);
}

static void arm(struct ev_loop *loop, uint64_t wait_ms)
{
	ev_timer_stop(loop, &auth.check);
	ev_timer_set(&auth.check, (double)wait_ms / 1000, 0.);
	ev_timer_start(loop, &auth.check);
}

static void on_check(struct ev_loop *loop, ev_timer *w, int events)
{
	uint64_t wait_ms;
	struct asked *a = attempts_next(auth.attempts, clock_steady_ms(), &wait_ms);

	(void)w;
	(void)events;
	if (a) {
		check_one(a);
		drop(a);
		wait_ms = 0;
	}
	if (wait_ms != UINT64_MAX)
		arm(loop, wait_ms);
}

/* ---- the role ---- */

static void on_ask(struct process *p, struct channel *c, struct message *m)
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
	arm(p->loop, 0);
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
	ev_init(&auth.check, on_check);
	load_users(p->config);
}

/* A changed password must not live on in what was right before. */
static void auth_reload(struct process *p)
{
	load_users(p->config);
	proofs_forget(auth.successes);
}

static void auth_message(struct process *p, enum role_id from, struct channel *c, struct message *m)
{
	if (from == ROLE_ACCEPT && m->type == MSG_AUTH_ASK)
		on_ask(p, c, m);
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
}

const struct role auth_role = {
	.name = "auth",
	.open = auth_open,
	.reload = auth_reload,
	.peer_down = auth_peer_down,
	.message = auth_message,
};
