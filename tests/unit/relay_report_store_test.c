/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal, the follower and the store together: what report does without its channels. */
#include "relay/report/follow.h"
#include "relay/report/question.h"
#include "relay/spool/envelope.h"
#include "relay/track/bot.h"
#include "tests/unit/cmocka.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_MS 1700000000000u

static const struct events_bounds bounds = {
	.file_bytes = 4096, .keep_bytes = 1 << 20, .total_bytes = 1 << 30};

struct place {
	char path[64];
	int dir, before;
	struct events *events;
	struct follower *follower;
	uint64_t store_bytes;
};

static void start(struct place *t)
{
	struct buf error = BUF_INIT;
	uint64_t torn = 0;

	t->follower = follower_new(t->dir, "events.db", t->store_bytes);
	t->events = events_open(t->dir, &bounds, follower_place(t->follower).file, &torn, &error);
	assert_non_null(t->events);
}

static void stop(struct place *t)
{
	follower_free(t->follower);
	events_close(t->events);
}

static int make_place(void **state)
{
	static struct place place;
	struct place *t = &place;

	*t = (struct place){.store_bytes = 1 << 30};
	snprintf(t->path, sizeof(t->path), "/tmp/gatepost-store-XXXXXX");
	if (!mkdtemp(t->path))
		return -1;
	t->before = open(".", O_RDONLY | O_DIRECTORY);
	t->dir = open(t->path, O_RDONLY | O_DIRECTORY);
	if (t->dir < 0 || fchdir(t->dir) != 0)
		return -1;
	start(t);
	*state = t;
	return 0;
}

static int remove_place(void **state)
{
	struct place *t = *state;
	DIR *d = opendir(t->path);
	struct dirent *e;

	stop(t);
	while ((e = readdir(d)))
		unlinkat(t->dir, e->d_name, 0);
	closedir(d);
	if (fchdir(t->before) != 0 || rmdir(t->path) != 0)
		return -1;
	close(t->dir);
	close(t->before);
	return 0;
}

static void happen(struct place *t, const struct event *e)
{
	struct buf b = BUF_INIT;

	event_encode(e, &b);
	assert_true(events_add(t->events, b.data, b.len));
	assert_true(events_write(t->events));
	buf_free(&b);
}

/* A message from its acceptance to a click, all for one recipient. */
static void a_story(struct place *t, uint64_t message, const char *account, const char *to)
{
	struct event e = {.time_ms = NOW_MS + message,
			  .message = message,
			  .account = (char *)(uintptr_t)account,
			  .sender = "news@acme.example",
			  .subject = "Gr\xc3\xbc\xc3\x9f"
				     "e",
			  .size = 1234};

	e.kind = EVENT_RECEIVED;
	happen(t, &e);
	e.subject = NULL;
	e.rcpt = (char *)(uintptr_t)to;
	e.kind = EVENT_QUEUED;
	happen(t, &e);
	e.kind = EVENT_DELIVERED;
	e.detail = "250 2.0.0 ok\xff";
	e.peer = "mx.example [192.0.2.9]:25";
	e.took_ms = 42;
	happen(t, &e);
	/* Who clicks is known by the numbers in the token alone. */
	e = (struct event){.kind = EVENT_CLICKED,
			   .hit_class = HIT_PERSON,
			   .time_ms = NOW_MS + message + 1000,
			   .message = message,
			   .account = (char *)(uintptr_t)account,
			   .detail = "Firefox",
			   .url = "https://x.example/?a&b",
			   .reason = "browser: Firefox"};
	assert_true(addr_parse("2001:db8::7", &e.client));
	happen(t, &e);
}

static void follow(struct place *t)
{
	enum follow status;

	do
		status = follower_step(t->follower, t->events, 3);
	while (status == FOLLOW_MORE);
	assert_int_equal(status, FOLLOW_DONE);
	do
		status = follower_settle(t->follower, t->events);
	while (status == FOLLOW_TRIMMED);
	assert_int_equal(status, FOLLOW_DONE);
}

static json_t *ask(struct place *t, const char *question)
{
	struct question_facts facts = {.now_ms = NOW_MS + 3600000};
	struct buf text = BUF_INIT;

	enum store_status status = question_answer(follower_store(t->follower), question,
						   strlen(question), &facts, &text);
	follower_doubt(t->follower, status);
	json_t *answer = json_loads(buf_str(&text), 0, NULL);
	if (!answer)
		fail_msg("no JSON: %s", buf_str(&text));
	buf_free(&text);
	return answer;
}

static size_t rows_of(struct place *t, const char *question)
{
	json_t *answer = ask(t, question);

	if (!json_is_true(json_object_get(answer, "ok")))
		fail_msg("%s", json_string_value(json_object_get(answer, "error")));
	size_t n = json_array_size(json_object_get(answer, "rows"));
	json_decref(answer);
	return n;
}

static const char *field(json_t *answer, size_t row, const char *name)
{
	json_t *r = json_array_get(json_object_get(answer, "rows"), row);

	return json_string_value(json_object_get(r, name));
}

static void a_message_tells_its_story_in_order(void **state)
{
	struct place *t = *state;
	char id[MESSAGE_ID_STR_MAX], question[100];

	a_story(t, 7, "acme", "Bob@Example.org");
	a_story(t, 8, "acme", "eve@example.org");
	follow(t);
	message_id_format(7, id);
	snprintf(question, sizeof(question), "{\"verb\":\"log\",\"message\":\"%s\"}", id);
	json_t *answer = ask(t, question);
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 4);
	static const char *const events[] = {"received", "queued", "delivered", "clicked"};
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(field(answer, i, "event"), events[i]);
		assert_string_equal(field(answer, i, "message"), id);
		assert_string_equal(field(answer, i, "account"), "acme");
		assert_string_equal(field(answer, i, "from"), "news@acme.example");
		assert_string_equal(field(answer, i, "to"), i ? "Bob@Example.org" : "");
	}
	assert_string_equal(field(answer, 0, "time"), "2023-11-14T22:13:20.007Z");
	assert_string_equal(field(answer, 0, "subject"), "Gr\xc3\xbc\xc3\x9f"
							 "e");
	/* What is no UTF-8 is escaped, not lost and not passed on. */
	assert_string_equal(field(answer, 2, "detail"), "250 2.0.0 ok\\xFF");
	assert_string_equal(field(answer, 2, "peer"), "mx.example [192.0.2.9]:25");
	assert_string_equal(field(answer, 3, "url"), "https://x.example/?a&b");
	assert_string_equal(field(answer, 3, "class"), "person");
	assert_string_equal(field(answer, 3, "reason"), "browser: Firefox");
	assert_string_equal(field(answer, 3, "client"), "2001:db8::7");
	assert_string_equal(field(answer, 2, "class"), "");
	json_decref(answer);
}

static void filters_narrow_together(void **state)
{
	struct place *t = *state;

	a_story(t, 1, "acme", "bob@example.org");
	a_story(t, 2, "acme", "eve@example.org");
	a_story(t, 3, "other", "bob@example.org");
	follow(t);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\"}"), 12);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\",\"account\":\"acme\"}"), 8);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\",\"to\":\"BOB@example.org\"}"), 6);
	assert_int_equal(
		rows_of(t, "{\"verb\":\"log\",\"to\":\"bob@example.org\",\"account\":\"acme\"}"),
		3);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\",\"account\":\"nobody\"}"), 0);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\",\"since\":1700000001002}"), 2);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\",\"since\":\"3599s\"}"), 3);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\",\"since\":\"1d\"}"), 12);
	json_t *answer = ask(t, "{\"verb\":\"log\",\"limit\":2}");
	assert_true(json_is_true(json_object_get(answer, "more")));
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 2);
	assert_string_equal(field(answer, 1, "event"), "clicked"); /* the newest, last */
	json_decref(answer);
	answer = ask(t, "{\"verb\":\"log\",\"limit\":12}");
	assert_true(json_is_false(json_object_get(answer, "more")));
	json_decref(answer);
}

static void a_question_that_does_not_fit_is_refused_with_its_text(void **state)
{
	static const struct {
		const char *question, *error;
	} cases[] = {
		{"{\"verb\":\"log\",\"message\":\"zz\"}", "message 'zz'"},
		{"{\"verb\":\"log\",\"since\":\"soon\"}", "since 'soon'"},
		{"{\"verb\":\"log\",\"since\":\"1h2\"}", "since '1h2'"},
		{"{\"verb\":\"log\",\"since\":-1}", "since"},
		{"{\"verb\":\"log\",\"limit\":0}", "limit"},
		{"{\"verb\":\"log\",\"limit\":1001}", "limit"},
		{"{\"verb\":\"log\",\"limit\":\"many\"}", "limit 'many'"},
		{"{\"verb\":\"log\",\"account\":7}", "account"},
		{"{\"verb\":\"log\",\"frm\":\"x\"}", "'frm'"},
		{"{\"verb\":\"statistics\",\"to\":\"x\"}", "'to'"},
		{"{\"verb\":\"drop\"}", "verb"},
		{"[]", "verb"},
		{"{", "verb"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_t *answer = ask(*state, cases[i].question);
		assert_true(json_is_false(json_object_get(answer, "ok")));
		assert_non_null(strstr(json_string_value(json_object_get(answer, "error")),
				       cases[i].error));
		json_decref(answer);
	}
}

static void statistics_count_by_account_kind_and_class(void **state)
{
	struct place *t = *state;

	for (uint64_t i = 1; i <= 3; i++)
		a_story(t, i, i == 3 ? "other" : "acme", "bob@example.org");
	follow(t);
	json_t *answer = ask(t, "{\"verb\":\"statistics\"}");
	char *text = json_dumps(json_object_get(answer, "accounts"), JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "[{\"account\":\"acme\",\"clicked\":{\"person\":2},\"events\":{"
				  "\"clicked\":2,\"delivered\":2,\"queued\":2,\"received\":2}},"
				  "{\"account\":\"other\",\"clicked\":{\"person\":1},\"events\":{"
				  "\"clicked\":1,\"delivered\":1,\"queued\":1,\"received\":1}}]");
	free(text);
	json_decref(answer);
	answer = ask(t, "{\"verb\":\"statistics\",\"account\":\"other\",\"since\":1700010000000}");
	assert_int_equal(json_array_size(json_object_get(answer, "accounts")), 0);
	json_decref(answer);
}

static uint64_t count_of(struct place *t, const char *account)
{
	char question[100];

	snprintf(question, sizeof(question), "{\"verb\":\"statistics\",\"account\":\"%s\"}",
		 account);
	json_t *answer = ask(t, question);
	json_t *a = json_array_get(json_object_get(answer, "accounts"), 0), *n;
	const char *name;
	json_int_t sum = 0;
	json_object_foreach(json_object_get(a, "events"), name, n) sum += json_integer_value(n);
	json_decref(answer);
	return (uint64_t)sum;
}

/* The store lost its last commits in a power cut, or never made them: wherever it stands, the
 * journal brings it to the same. */
static void following_again_changes_nothing(void **state)
{
	struct place *t = *state;

	for (uint64_t i = 1; i <= 20; i++)
		a_story(t, i, "acme", "bob@example.org");
	follow(t);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\"}"), 80);
	struct place_in_events end = follower_place(t->follower);
	struct events_reader *r = events_reader_new(t->dir, (struct place_in_events){0});
	struct place_in_events at;
	const void *payload;
	size_t n;
	while (events_next(r, &at, &payload, &n) == EVENTS_RECORD) {
		struct event_store *s = follower_store(t->follower);
		assert_int_equal(event_store_begin(s), STORE_OK);
		assert_int_equal(event_store_commit(s, at), STORE_OK);
		stop(t);
		start(t);
		follow(t);
		assert_int_equal(rows_of(t, "{\"verb\":\"log\"}"), 80);
		assert_int_equal(count_of(t, "acme"), 80);
		struct place_in_events now = follower_place(t->follower);
		assert_true(now.file == end.file && now.offset == end.offset);
	}
	events_reader_free(r);
}

static void click(struct place *t, uint64_t ms, const char *url, enum hit_class class)
{
	happen(t, &(struct event){.kind = EVENT_CLICKED,
				  .time_ms = NOW_MS + ms,
				  .message = 5,
				  .account = "acme",
				  .url = (char *)(uintptr_t)url,
				  .hit_class = (uint8_t) class});
}

/* From the tenth within a minute on, hits of one kind are one row; nothing else is drawn in. */
static void a_flood_of_hits_is_one_row_with_a_count(void **state)
{
	struct place *t = *state;
	const uint64_t minute = 60000 - NOW_MS % 60000; /* where the next one begins */

	for (uint64_t i = 0; i < 50; i++) {
		click(t, minute + i, "https://a.example/", HIT_SCANNER);
		if (i % 10 == 0)
			click(t, minute + i, "https://b.example/", HIT_SCANNER);
	}
	click(t, minute + 59000, "https://a.example/", HIT_PERSON);
	click(t, minute + 60000, "https://a.example/", HIT_SCANNER);
	follow(t);
	for (int again = 0; again < 3; again++) {
		assert_int_equal(rows_of(t, "{\"verb\":\"log\"}"), 10 + 5 + 1 + 1);
		assert_int_equal(count_of(t, "acme"), 50 + 5 + 1 + 1);
		json_t *answer = ask(t, "{\"verb\":\"log\",\"account\":\"acme\"}");
		json_int_t hits = 0;
		size_t i;
		json_t *row;
		json_array_foreach(json_object_get(answer, "rows"), i,
				   row) if (json_object_get(row, "hits")) hits +=
			json_integer_value(json_object_get(row, "hits"));
		assert_int_equal(hits, 41);
		json_decref(answer);
		/* Followed again from the beginning, nothing changes. */
		assert_int_equal(event_store_begin(follower_store(t->follower)), STORE_OK);
		assert_int_equal(event_store_commit(follower_store(t->follower),
						    (struct place_in_events){0}),
				 STORE_OK);
		stop(t);
		start(t);
		follow(t);
	}
}

static void what_is_told_late_does_not_change_the_order(void **state)
{
	struct place *t = *state;
	char id[MESSAGE_ID_STR_MAX], question[100];
	struct event e = {
		.time_ms = NOW_MS, .message = 5, .account = "acme", .rcpt = "b@c.example"};
	static const uint8_t kinds[] = {EVENT_DELIVERED, EVENT_RECEIVED, EVENT_QUEUED};

	for (size_t i = 0; i < 3; i++) {
		e.kind = kinds[i];
		happen(t, &e);
	}
	follow(t);
	snprintf(question, sizeof(question), "{\"verb\":\"log\",\"message\":\"%s\"}",
		 message_id_format(5, id));
	json_t *answer = ask(t, question);
	assert_string_equal(field(answer, 0, "event"), "received");
	assert_string_equal(field(answer, 1, "event"), "queued");
	assert_string_equal(field(answer, 2, "event"), "delivered");
	json_decref(answer);
}

static void an_unfinished_transaction_is_followed_again(void **state)
{
	struct place *t = *state;
	struct event e = {.kind = EVENT_REJECTED,
			  .time_ms = NOW_MS,
			  .account = "",
			  .sender = "",
			  .rcpt = "",
			  .subject = "",
			  .detail = "",
			  .peer = "",
			  .url = "",
			  .reason = "",
			  .campaign = "",
			  .tags = ""};

	a_story(t, 1, "acme", "bob@example.org");
	struct event_store *s = follower_store(t->follower);
	assert_int_equal(event_store_begin(s), STORE_OK);
	assert_int_equal(event_store_add(s, (struct place_in_events){1, 16}, &e), STORE_OK);
	stop(t); /* the end of the process */
	start(t);
	follow(t);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\"}"), 4);
}

static void a_store_of_version_1_goes_on(void **state)
{
	struct place *t = *state;
	sqlite3 *db;

	a_story(t, 1, "acme", "bob@example.org");
	follow(t);
	stop(t);
	assert_int_equal(sqlite3_open("events.db", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "ALTER TABLE events DROP COLUMN tags;"
				      "PRAGMA user_version = 1",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	start(t);
	happen(t,
	       &(struct event){.kind = EVENT_REJECTED, .time_ms = NOW_MS + 9, .tags = "news,vip"});
	follow(t);
	json_t *answer = ask(t, "{\"verb\":\"log\"}");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 5);
	assert_string_equal(field(answer, 3, "tags"), "news,vip");
	assert_null(field(answer, 0, "tags"));
	json_decref(answer);
	assert_int_equal(faccessat(t->dir, "events.db.corrupt", F_OK, 0), -1);
}

static void overwrite(struct place *t, off_t from, size_t n)
{
	int fd = openat(t->dir, "events.db", O_WRONLY);
	char *junk = malloc(n);

	memset(junk, 0xa5, n);
	assert_int_equal(pwrite(fd, junk, n, from), (ssize_t)n);
	free(junk);
	close(fd);
}

static void a_corrupt_store_is_set_aside_and_made_anew_from_the_journal(void **state)
{
	static const struct {
		off_t from;
		size_t n;
	} damages[] = {
		{0, 100},          /* the header */
		{100, 4096},       /* the schema */
		{4096, 16384},     /* the first tables */
		{3 * 4096, 80000}, /* what only shows when it is asked or written to */
	};
	struct place *t = *state;
	struct stat st;

	for (uint64_t i = 1; i <= 100; i++)
		a_story(t, i, "acme", "bob@example.org");
	follow(t);
	for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
		stop(t);
		overwrite(t, damages[i].from, damages[i].n);
		start(t);
		/* It may show at once, when it is asked, or when it is written to. */
		json_decref(ask(t, "{\"verb\":\"log\"}"));
		a_story(t, 101 + i, "acme", "bob@example.org");
		follow(t);
		assert_int_equal(rows_of(t, "{\"verb\":\"log\",\"limit\":1000}"), 404 + 4 * i);
		assert_int_equal(follower_counts(t->follower).set_aside, 1);
		assert_int_equal(fstatat(t->dir, "events.db.corrupt", &st, 0), 0);
	}
}

static void a_damaged_event_is_counted_and_passed(void **state)
{
	struct place *t = *state;

	a_story(t, 1, "acme", "bob@example.org");
	assert_true(events_add(t->events, "no event", 8));
	a_story(t, 2, "acme", "bob@example.org");
	follow(t);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\"}"), 8);
	assert_int_equal(follower_counts(t->follower).damaged_events, 1);
}

/* The directory where the store should be cannot be written: events stay in the journal. */
static void a_store_that_fails_is_tried_again(void **state)
{
	struct place *t = *state;

	stop(t);
	assert_int_equal(unlinkat(t->dir, "events.db", 0), 0);
	assert_int_equal(mkdirat(t->dir, "events.db", 0700), 0);
	start(t);
	assert_null(follower_store(t->follower));
	a_story(t, 1, "acme", "bob@example.org");
	assert_int_equal(follower_step(t->follower, t->events, 10), FOLLOW_FAILED);
	json_t *answer = ask(t, "{\"verb\":\"log\"}");
	assert_true(json_is_false(json_object_get(answer, "ok")));
	json_decref(answer);
	assert_int_equal(unlinkat(t->dir, "events.db", AT_REMOVEDIR), 0);
	follow(t);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\"}"), 4);
}

/* Steps are seen at once, and committed together; what was not is carried over again. */
static void many_steps_make_one_transaction(void **state)
{
	struct place *t = *state;

	a_story(t, 1, "acme", "bob@example.org");
	follow(t);
	struct place_in_events before = follower_place(t->follower);
	for (uint64_t i = 2; i <= 5; i++)
		a_story(t, i, "acme", "bob@example.org");
	for (int i = 0; i < 4; i++)
		assert_int_equal(follower_step(t->follower, t->events, 4), FOLLOW_MORE);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\"}"), 20);
	struct place_in_events now = follower_place(t->follower);
	assert_true(now.file == before.file && now.offset == before.offset);
	stop(t); /* the end of the process */
	start(t);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\"}"), 4);
	follow(t);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\"}"), 20);
	now = follower_place(t->follower);
	assert_true(now.offset > before.offset);
}

/* The disk is full in the middle of a transaction: what it held is carried over again. */
static void a_full_disk_delays_and_loses_nothing(void **state)
{
	struct place *t = *state;
	struct rlimit limit, was;
	struct stat st;

	for (uint64_t i = 1; i <= 200; i++)
		a_story(t, i, "acme", "bob@example.org");
	assert_int_equal(follower_step(t->follower, t->events, 100), FOLLOW_MORE);
	assert_int_equal(follower_settle(t->follower, t->events), FOLLOW_DONE);
	assert_int_equal(fstatat(t->dir, "events.db-wal", &st, 0), 0);
	getrlimit(RLIMIT_FSIZE, &was);
	limit = was;
	limit.rlim_cur = (rlim_t)st.st_size + 5000;
	setrlimit(RLIMIT_FSIZE, &limit);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(follower_step(t->follower, t->events, 1000), FOLLOW_DONE);
		assert_int_equal(follower_settle(t->follower, t->events), FOLLOW_FAILED);
	}
	assert_int_equal(rows_of(t, "{\"verb\":\"log\",\"limit\":1000}"), 100);
	setrlimit(RLIMIT_FSIZE, &was);
	follow(t);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\",\"limit\":1000}"), 800);
	assert_int_equal(follower_counts(t->follower).failures, 2);
}

/* The oldest go, in small steps; the newest and the counts stay. */
static void a_store_over_its_size_forgets_the_oldest(void **state)
{
	struct place *t = *state;
	struct stat st;

	stop(t);
	t->store_bytes = 512 * 1024;
	start(t);
	for (uint64_t i = 1; i <= 2000; i++) {
		a_story(t, i, "acme", "bob@example.org");
		if (i % 100 == 0)
			follow(t);
	}
	assert_int_equal(count_of(t, "acme"), 8000);
	assert_in_range(follower_counts(t->follower).forgotten, 4000, 12000);
	json_t *answer = ask(t, "{\"verb\":\"log\",\"limit\":1000}");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 1000);
	assert_string_equal(field(answer, 999, "time"), "2023-11-14T22:13:23.000Z");
	assert_string_equal(field(answer, 999, "to"), "bob@example.org");
	json_decref(answer);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\",\"message\":\"0000000000001\"}"), 0);
	stop(t); /* which checkpoints */
	assert_int_equal(fstatat(t->dir, "events.db", &st, 0), 0);
	assert_true(st.st_size < 768 * 1024);
	start(t);
}

static void followed_files_go(void **state)
{
	struct place *t = *state;
	const struct events_bounds none_kept = {.file_bytes = 1024, .total_bytes = 1 << 30};
	struct buf error = BUF_INIT;
	uint64_t torn = 0;

	events_close(t->events);
	t->events = events_open(t->dir, &none_kept, 0, &torn, &error);
	for (uint64_t i = 1; i <= 50; i++)
		a_story(t, i, "acme", "bob@example.org");
	uint64_t before = events_bytes(t->events);
	follow(t);
	assert_true(before > 20000);
	assert_true(events_bytes(t->events) <= 2048);
	assert_int_equal(events_lost(t->events), 0);
	stop(t);
	start(t);
	assert_int_equal(rows_of(t, "{\"verb\":\"log\",\"limit\":1000}"), 200);
}

/* An answer has to fit into one message between processes. */
static void a_large_answer_is_cut_and_says_so(void **state)
{
	struct place *t = *state;
	char detail[EVENT_TEXT_MAX];

	memset(detail, '\1', sizeof(detail) - 1); /* six bytes each in JSON */
	detail[sizeof(detail) - 1] = '\0';
	for (uint64_t i = 0; i < 200; i++)
		happen(t, &(struct event){
				  .kind = EVENT_REJECTED, .time_ms = NOW_MS + i, .detail = detail});
	follow(t);
	json_t *answer = ask(t, "{\"verb\":\"log\",\"limit\":1000}");
	size_t n = json_dumpb(answer, NULL, 0, JSON_COMPACT);
	assert_true(n > 500000 && n < 1000000);
	assert_true(json_is_true(json_object_get(answer, "more")));
	json_decref(answer);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_tells_its_story_in_order),
		TEST(filters_narrow_together),
		TEST(a_question_that_does_not_fit_is_refused_with_its_text),
		TEST(statistics_count_by_account_kind_and_class),
		TEST(following_again_changes_nothing),
		TEST(a_flood_of_hits_is_one_row_with_a_count),
		TEST(what_is_told_late_does_not_change_the_order),
		TEST(an_unfinished_transaction_is_followed_again),
		TEST(a_store_of_version_1_goes_on),
		TEST(a_corrupt_store_is_set_aside_and_made_anew_from_the_journal),
		TEST(a_damaged_event_is_counted_and_passed),
		TEST(a_store_that_fails_is_tried_again),
		TEST(many_steps_make_one_transaction),
		TEST(a_full_disk_delays_and_loses_nothing),
		TEST(a_store_over_its_size_forgets_the_oldest),
		TEST(followed_files_go),
		TEST(a_large_answer_is_cut_and_says_so),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
