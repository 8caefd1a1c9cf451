/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/mails.h"

#include "lib/log.h"
#include "relay/queue/pack.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* --- accounts --- */

static struct account **accounts;
static uint32_t account_count;

static unsigned weight_of(const struct relay_config *c, const char *name)
{
	const struct config_account *a = config_account(c, name);

	return a && a->weight ? a->weight : 10;
}

struct account *account_named(const char *name)
{
	static uint32_t last;
	size_t n = strlen(name) + 1;

	/* There are hundreds, and mail comes in runs. */
	if (last < account_count && strcmp(accounts[last]->name, name) == 0)
		return accounts[last];
	for (last = 0; last < account_count; last++)
		if (strcmp(accounts[last]->name, name) == 0)
			return accounts[last];
	struct account *a = calloc(1, sizeof(*a) + n);
	struct account **grown = realloc(accounts, (account_count + 1) * sizeof(*grown));
	if (!a || !grown)
		abort();
	accounts = grown;
	a->number = account_count;
	a->weight = weight_of(scheduler.process->config, name);
	memcpy(a->name, name, n);
	accounts[account_count++] = a;
	return a;
}

void accounts_reload(const struct relay_config *c)
{
	for (uint32_t i = 0; i < account_count; i++)
		accounts[i]->weight = weight_of(c, accounts[i]->name);
}

struct account *account_next(const struct account *after)
{
	uint32_t i = after ? after->number + 1 : 0;

	return i < account_count ? accounts[i] : NULL;
}

/* --- mails --- */

static struct table mails;

static uint32_t hash_of(uint64_t id)
{
	return (uint32_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

struct mail *mail_find(uint64_t id)
{
	struct table_node *n = table_first(&mails, hash_of(id));

	while (n && ((struct mail *)n)->id != id)
		n = table_next(n);
	return (struct mail *)n;
}

static void take_recipients(struct mail *m, const struct envelope *e)
{
	for (size_t i = 0; i < e->recipient_count; i++) {
		const struct recipient *from = &e->recipients[i];
		struct rcpt *to = &m->rcpts[i];

		to->state = from->state;
		to->attempts = from->attempts;
		to->next_ms = from->next_ms;
		to->next = NO_RCPT;
		if (*from->reply)
			rcpt_set_reply(to, from->reply);
		if (to->state == RECIPIENT_WAITING || to->state == RECIPIENT_HELD)
			m->left++;
	}
}

struct mail *mail_add(struct envelope *e, const struct place *place)
{
	struct buf tail = BUF_INIT;

	if (mail_find(e->id))
		return NULL;
	struct profile *profile = pack_envelope(e, &tail);
	size_t rcpts = e->recipient_count * sizeof(struct rcpt);
	struct mail *m = calloc(1, sizeof(*m) + rcpts + tail.len);
	if (!m)
		abort();
	m->profile = profile;
	m->tail = memcpy((char *)m->rcpts + rcpts, tail.data, tail.len);
	buf_free(&tail);
	m->id = e->id;
	m->place = *place;
	m->accepted_ms = e->accepted_ms;
	m->account = account_named(e->account);
	m->account->mails++;
	m->flags = e->flags;
	m->rcpt_count = (uint16_t)e->recipient_count;
	take_recipients(m, e);
	table_add(&mails, &m->node, hash_of(m->id));
	return m;
}

void mail_free(struct mail *m)
{
	table_remove(&mails, &m->node);
	m->account->mails--;
	for (uint16_t i = 0; i < m->rcpt_count; i++)
		rcpt_set_reply(&m->rcpts[i], "");
	profile_release(m->profile);
	free(m);
}

size_t mail_count(void)
{
	return mails.count;
}

void mail_each(void (*fn)(struct mail *m, void *arg), void *arg)
{
	TABLE_EACH (&mails, n)
		fn((struct mail *)n, arg);
}

struct envelope *mail_envelope(const struct mail *m)
{
	const char *reason = "";
	struct envelope *e = pack_open(m->profile, m->tail, m->rcpt_count, &reason);

	if (e) {
		e->id = m->id;
		e->accepted_ms = m->accepted_ms;
		e->size = m->place.size;
		return e;
	}
	/* It was decoded once when it came in. */
	fatal("the envelope of message %llu changed in memory: %s", (unsigned long long)m->id,
	      reason);
}

/* --- replies --- */

/* A destination that is down gives thousands of recipients the same reply. */
struct reply_text {
	unsigned refs;
	char text[];
};

static struct reply_text *latest; /* replies come in runs */

static void reply_release(struct reply_text *t)
{
	if (t && --t->refs == 0)
		free(t);
}

static void reply_make(const char *reply)
{
	size_t n = strlen(reply) + 1;

	reply_release(latest);
	latest = malloc(sizeof(*latest) + n);
	if (!latest)
		abort();
	latest->refs = 1;
	memcpy(latest->text, reply, n);
}

static struct reply_text *text_of(const struct rcpt *r)
{
	return r->reply ? (struct reply_text *)(r->reply - offsetof(struct reply_text, text))
			: NULL;
}

void rcpt_set_reply(struct rcpt *r, const char *reply)
{
	struct reply_text *before = text_of(r);

	r->reply = NULL;
	if (*reply) {
		if (!latest || strcmp(latest->text, reply) != 0)
			reply_make(reply);
		latest->refs++;
		r->reply = latest->text;
	}
	reply_release(before);
}

bool mail_is_tracked(const struct mail *m)
{
	return m->flags & (ENVELOPE_TRACK_OPENS | ENVELOPE_TRACK_CLICKS | ENVELOPE_TRACK_TEXT |
			   ENVELOPE_ONE_CLICK);
}
