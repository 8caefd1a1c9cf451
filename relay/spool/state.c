/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/state.h"

#include "lib/log.h"
#include "lib/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_NAME      "state.new"
#define MAP_FIRST     ((uint64_t)1 << 30)
#define MAP_LAST      ((uint64_t)1 << 40)
#define ENV_FLAGS     (MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD)
#define DATABASES_MAX 5

/* --- the file --- */

static int open_databases(struct state *s)
{
	const struct {
		const char *name;
		MDB_dbi *dbi;
	} all[DATABASES_MAX] = {
		{"envelopes", &s->envelopes},
		{"places", &s->places},
		{"recipients", &s->recipients},
		{"damaged", &s->damaged},
		{"meta", &s->meta},
	};
	MDB_txn *txn;
	int error = mdb_txn_begin(s->env, NULL, 0, &txn);

	if (error)
		return error;
	for (size_t i = 0; !error && i < DATABASES_MAX; i++)
		error = mdb_dbi_open(txn, all[i].name, MDB_CREATE, all[i].dbi);
	if (!error)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return error;
}

/* LMDB trusts its file's length, and a page behind the end is a SIGBUS. */
static int check_length(struct state *s)
{
	MDB_envinfo info;
	MDB_stat stat_env;
	struct stat st;
	int fd, error = mdb_env_info(s->env, &info);

	if (!error)
		error = mdb_env_stat(s->env, &stat_env);
	if (!error)
		error = mdb_env_get_fd(s->env, &fd);
	if (!error && fstat(fd, &st) != 0)
		error = errno;
	if (!error && (uint64_t)st.st_size / stat_env.ms_psize <= info.me_last_pgno)
		error = MDB_CORRUPTED;
	return error;
}

static int open_env(struct state *s, const char *name)
{
	int error = mdb_env_create(&s->env);

	if (error)
		return error;
	error = mdb_env_set_maxdbs(s->env, DATABASES_MAX);
	if (!error)
		error = mdb_env_set_mapsize(s->env, s->map_bytes);
	if (!error)
		error = mdb_env_open(s->env, name, ENV_FLAGS, 0600);
	if (!error && strcmp(name, STATE_NAME) == 0)
		error = check_length(s);
	if (!error)
		error = open_databases(s);
	if (error) {
		mdb_env_close(s->env);
		s->env = NULL;
	}
	return error;
}

/* Under another name until it is whole and on the disk: a power cut leaves all of it or nothing. */
static int make_state(struct state *s)
{
	int error = 0, dir;

	if (unlink(NEW_NAME) != 0 && errno != ENOENT)
		return errno;
	error = open_env(s, NEW_NAME);
	if (error)
		return error;
	state_close(s);
	if (rename(NEW_NAME, STATE_NAME) != 0)
		return errno;
	dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fsync(dir) != 0)
		error = errno;
	if (dir >= 0)
		close(dir);
	return error;
}

bool state_open(struct state *s, uint64_t map_bytes, struct buf *error)
{
	struct stat st;
	int code = 0;

	*s = (struct state){.map_bytes = map_bytes ? map_bytes : MAP_FIRST};
	if (stat(STATE_NAME, &st) != 0) {
		code = errno == ENOENT ? make_state(s) : errno;
		if (code) {
			buf_printf(error, "cannot make '%s' in the spool: %s", STATE_NAME,
				   mdb_strerror(code));
			return false;
		}
	} else {
		while (s->map_bytes < 2 * (uint64_t)st.st_size)
			s->map_bytes *= 2;
	}
	code = open_env(s, STATE_NAME);
	if (!code)
		return true;
	buf_printf(error, "cannot use '%s' in the spool: %s", STATE_NAME, mdb_strerror(code));
	if (code < 0)
		buf_appends(error, "; the queue in it cannot be read: move the whole spool aside "
				   "to begin with an empty one, and keep it for repair");
	return false;
}

void state_close(struct state *s)
{
	state_abort(s);
	if (s->env)
		mdb_env_close(s->env);
	s->env = NULL;
}

/* --- transactions --- */

int state_begin(struct state *s, bool write)
{
	int error;

	if (s->txn)
		return 0;
	error = s->env ? mdb_txn_begin(s->env, NULL, write ? 0 : MDB_RDONLY, &s->txn) : MDB_PANIC;
	if (error == MDB_PANIC) {
		state_close(s);
		error = open_env(s, STATE_NAME);
		if (!error)
			error = mdb_txn_begin(s->env, NULL, write ? 0 : MDB_RDONLY, &s->txn);
	}
	if (error)
		s->txn = NULL;
	s->writing = !error && write;
	return error;
}

void state_end(struct state *s)
{
	if (!s->writing)
		state_abort(s);
}

int state_commit(struct state *s)
{
	MDB_txn *txn = s->txn;

	s->txn = NULL;
	s->writing = false;
	return mdb_txn_commit(txn);
}

void state_abort(struct state *s)
{
	if (s->txn)
		mdb_txn_abort(s->txn);
	s->txn = NULL;
	s->writing = false;
}

bool state_grow(struct state *s, int error)
{
	if (error != MDB_MAP_FULL || s->map_bytes >= MAP_LAST)
		return false;
	state_abort(s);
	if (mdb_env_set_mapsize(s->env, 2 * s->map_bytes) != 0)
		return false;
	s->map_bytes *= 2;
	return true;
}

/* --- records --- */

static int get(struct state *s, MDB_dbi dbi, const void *key, size_t key_len, MDB_val *value)
{
	MDB_val k = {key_len, (void *)(uintptr_t)key};

	return mdb_get(s->txn, dbi, &k, value);
}

static int put(struct state *s, MDB_dbi dbi, const void *key, size_t key_len, const struct buf *b)
{
	MDB_val k = {key_len, (void *)(uintptr_t)key}, v = {b->len, b->data};

	return mdb_put(s->txn, dbi, &k, &v, 0);
}

static int take_out(struct state *s, MDB_dbi dbi, const void *key, size_t key_len)
{
	MDB_val k = {key_len, (void *)(uintptr_t)key};
	int error = mdb_del(s->txn, dbi, &k, NULL);

	return error == MDB_NOTFOUND ? 0 : error;
}

static int put_where(struct state *s, uint64_t id, const struct whereabouts *w)
{
	unsigned char key[RECORD_ID_KEY];
	struct buf b = BUF_INIT;

	record_id_key(id, key);
	whereabouts_encode(w, id, &b);
	int error = put(s, s->places, key, sizeof(key), &b);
	buf_free(&b);
	return error;
}

static int put_standing(struct state *s, uint64_t id, const struct progress_item *item)
{
	unsigned char key[RECORD_RECIPIENT_KEY];
	struct buf b = BUF_INIT;

	record_recipient_key(id, item->recipient, key);
	standing_encode(item, id, &b);
	int error = put(s, s->recipients, key, sizeof(key), &b);
	buf_free(&b);
	return error;
}

int state_where(struct state *s, uint64_t id, struct whereabouts *out)
{
	unsigned char key[RECORD_ID_KEY];
	MDB_val v;

	record_id_key(id, key);
	int error = get(s, s->places, key, sizeof(key), &v);
	if (error)
		return error;
	return whereabouts_decode(v.mv_data, v.mv_size, id, out) ? 0 : EBADMSG;
}

static bool is_left(uint8_t recipient_state)
{
	return recipient_state == RECIPIENT_WAITING || recipient_state == RECIPIENT_HELD;
}

int state_put(struct state *s, const struct envelope *e, const struct buf *encoded,
	      const struct place *place)
{
	struct whereabouts w = {.place = *place, .recipients = (uint32_t)e->recipient_count};
	unsigned char key[RECORD_ID_KEY];
	struct buf b = BUF_INIT;
	int error = 0;

	record_id_key(e->id, key);
	buf_append(&b, encoded->data, encoded->len);
	record_close(&b, key, sizeof(key));
	error = put(s, s->envelopes, key, sizeof(key), &b);
	buf_free(&b);
	/* No standing means waiting: what begins otherwise is written down. */
	for (uint32_t i = 0; !error && i < e->recipient_count; i++) {
		struct progress_item item = {.recipient = i, .state = e->recipients[i].state};

		w.left += is_left(item.state);
		if (item.state != RECIPIENT_WAITING)
			error = put_standing(s, e->id, &item);
	}
	return error ? error : put_where(s, e->id, &w);
}

/* --- recipients --- */

/* Whoever has no standing, or one that cannot be read (EBADMSG), is waiting: better sent twice than
 * never. */
static int get_standing(struct state *s, uint64_t id, uint32_t recipient, struct progress_item *out)
{
	unsigned char key[RECORD_RECIPIENT_KEY];
	MDB_val v;

	record_recipient_key(id, recipient, key);
	int error = get(s, s->recipients, key, sizeof(key), &v);
	if (!error && standing_decode(v.mv_data, v.mv_size, id, recipient, out))
		return 0;
	*out = (struct progress_item){.recipient = recipient};
	return error == MDB_NOTFOUND ? 0 : error ? error : EBADMSG;
}

static int count_left(struct state *s, uint64_t id, struct whereabouts *w)
{
	struct progress_item item;
	int error = 0;

	w->left = 0;
	for (uint32_t i = 0; !error && i < w->recipients; i++) {
		error = get_standing(s, id, i, &item);
		if (error == EBADMSG)
			error = 0;
		w->left += is_left(item.state);
	}
	return error;
}

static int delete_standings(struct state *s, uint64_t id)
{
	unsigned char first[RECORD_RECIPIENT_KEY];
	MDB_cursor *cursor;
	MDB_val k, v;
	int error = mdb_cursor_open(s->txn, s->recipients, &cursor);

	record_recipient_key(id, 0, first);
	while (!error) {
		k = (MDB_val){sizeof(first), first};
		error = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
		if (!error && (k.mv_size != sizeof(first) || record_id_of(k.mv_data) != id))
			error = MDB_NOTFOUND;
		if (!error)
			error = mdb_cursor_del(cursor, 0);
	}
	mdb_cursor_close(cursor);
	return error == MDB_NOTFOUND ? 0 : error;
}

static int forget(struct state *s, uint64_t id)
{
	unsigned char key[RECORD_ID_KEY];

	record_id_key(id, key);
	int error = take_out(s, s->envelopes, key, sizeof(key));
	if (!error)
		error = take_out(s, s->places, key, sizeof(key));
	return error ? error : delete_standings(s, id);
}

/* One recipient's change; left counts along. *unsure: the old standing could not be read. */
static int apply_item(struct state *s, uint64_t id, const struct progress_item *item, bool last,
		      uint32_t *left, bool *unsure)
{
	char text[MESSAGE_ID_STR_MAX];
	struct progress_item old;
	int error = get_standing(s, id, item->recipient, &old);

	if (error == EBADMSG) {
		log_error("message %s: the standing of recipient %u is damaged, taken as waiting",
			  message_id_format(id, text), item->recipient);
		*unsure = true;
		error = 0;
	}
	if (is_left(item->state))
		++*left;
	if (is_left(old.state) && *left)
		--*left;
	/* What is about to be forgotten need not be written down. */
	if (!error && (*left || !last || *unsure))
		error = put_standing(s, id, item);
	return error;
}

int state_apply(struct state *s, const struct progress *p, bool *forgotten, struct place *place)
{
	struct whereabouts w;
	char text[MESSAGE_ID_STR_MAX];
	bool unsure = false;
	int error = state_where(s, p->message, &w);

	*forgotten = false;
	for (size_t i = 0; !error && i < p->count; i++) {
		if (p->items[i].recipient < w.recipients)
			error = apply_item(s, p->message, &p->items[i], i + 1 == p->count, &w.left,
					   &unsure);
		else
			log_error("message %s: progress of recipient %u, but it has only %u",
				  message_id_format(p->message, text), p->items[i].recipient,
				  w.recipients);
	}
	if (!error && unsure)
		error = count_left(s, p->message, &w);
	if (error)
		return error;
	if (w.left)
		return put_where(s, p->message, &w);
	*forgotten = true;
	*place = w.place;
	return forget(s, p->message);
}

int state_move(struct state *s, uint64_t id, const struct place *place)
{
	struct whereabouts w;
	int error = state_where(s, id, &w);

	w.place = *place;
	return error ? error : put_where(s, id, &w);
}

/* --- reading --- */

static int next_key(struct state *s, MDB_dbi dbi, uint64_t after, uint64_t *id)
{
	unsigned char first[RECORD_ID_KEY];
	MDB_cursor *cursor;
	MDB_val k = {sizeof(first), first}, v;
	int error = after == UINT64_MAX ? MDB_NOTFOUND : mdb_cursor_open(s->txn, dbi, &cursor);

	if (error)
		return error;
	record_id_key(after + 1, first);
	error = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	if (!error && k.mv_size != RECORD_ID_KEY)
		error = MDB_CORRUPTED;
	if (!error)
		*id = record_id_of(k.mv_data);
	mdb_cursor_close(cursor);
	return error;
}

int state_next(struct state *s, uint64_t after, uint64_t *id)
{
	return next_key(s, s->places, after, id);
}

int state_next_lost(struct state *s, uint64_t after, uint64_t *id)
{
	struct whereabouts w;
	int error;

	for (*id = after; (error = next_key(s, s->envelopes, *id, id)) == 0;)
		if (state_where(s, *id, &w) == MDB_NOTFOUND)
			return 0;
	return error;
}

static int load_standings(struct state *s, struct envelope *e)
{
	for (uint32_t i = 0; i < e->recipient_count; i++) {
		struct recipient *r = &e->recipients[i];
		struct progress_item item;
		int error = get_standing(s, e->id, i, &item);

		if (error && error != EBADMSG)
			return error;
		r->state = item.state;
		r->attempts = item.attempts;
		/* An envelope may come with a time of its own for the first attempt. */
		if (item.next_ms || item.attempts)
			r->next_ms = item.next_ms;
		if (*item.reply)
			envelope_set(&r->reply, item.reply);
	}
	return 0;
}

int state_load(struct state *s, uint64_t id, struct queued *out, const char **fault)
{
	struct whereabouts w;
	unsigned char key[RECORD_ID_KEY];
	MDB_val v;
	int error = state_where(s, id, &w);

	*fault = "the record of where its body lies is damaged";
	record_id_key(id, key);
	if (error)
		return error;
	error = get(s, s->envelopes, key, sizeof(key), &v);
	if (error) {
		*fault = "its envelope is missing";
		return error == MDB_NOTFOUND ? EBADMSG : error;
	}
	*fault = "the checksum of its envelope does not fit";
	if (!record_check(v.mv_data, &v.mv_size, key, sizeof(key)))
		return EBADMSG;
	struct envelope *e = envelope_decode(v.mv_data, v.mv_size, fault);
	if (!e)
		return EBADMSG;
	*fault = "its records contradict each other";
	if (e->id != id || e->recipient_count != w.recipients || e->size != w.place.size)
		error = EBADMSG;
	else
		error = load_standings(s, e);
	if (error) {
		envelope_free(e);
		return error;
	}
	*out = (struct queued){.place = w.place, .envelope = e};
	return 0;
}

/* --- what was set aside --- */

int state_set_aside(struct state *s, uint64_t id, const char *reason)
{
	unsigned char key[RECORD_ID_KEY];
	struct buf b = BUF_INIT;
	MDB_val v;

	record_id_key(id, key);
	wire_put_str(&b, reason);
	int error = get(s, s->envelopes, key, sizeof(key), &v);
	if (!error)
		buf_append(&b, v.mv_data, v.mv_size);
	if (!error || error == MDB_NOTFOUND)
		error = put(s, s->damaged, key, sizeof(key), &b);
	buf_free(&b);
	return error ? error : forget(s, id);
}

int state_counts(struct state *s, size_t *messages, size_t *damaged)
{
	MDB_stat here = {0}, aside = {0};
	int error = mdb_stat(s->txn, s->places, &here);

	if (!error)
		error = mdb_stat(s->txn, s->damaged, &aside);
	*messages = here.ms_entries;
	*damaged = aside.ms_entries;
	return error;
}

/* --- numbers --- */

int state_number(struct state *s, const char *name, uint64_t *value)
{
	MDB_val v;
	int error = get(s, s->meta, name, strlen(name), &v);

	*value = 0;
	if (error)
		return error == MDB_NOTFOUND ? 0 : error;
	struct wire w = wire_reader(v.mv_data, v.mv_size);
	*value = wire_u64(&w);
	return wire_done(&w) ? 0 : EBADMSG;
}

int state_set_number(struct state *s, const char *name, uint64_t value)
{
	struct buf b = BUF_INIT;

	wire_put_u64(&b, value);
	int error = put(s, s->meta, name, strlen(name), &b);
	buf_free(&b);
	return error;
}

int state_highest(struct state *s, uint64_t *id)
{
	const MDB_dbi all[] = {s->envelopes, s->places, s->damaged};
	MDB_cursor *cursor;
	MDB_val k, v;

	*id = 0;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		int error = mdb_cursor_open(s->txn, all[i], &cursor);

		if (error)
			return error;
		error = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
		if (!error && k.mv_size == RECORD_ID_KEY && record_id_of(k.mv_data) > *id)
			*id = record_id_of(k.mv_data);
		mdb_cursor_close(cursor);
		if (error && error != MDB_NOTFOUND)
			return error;
	}
	return 0;
}
