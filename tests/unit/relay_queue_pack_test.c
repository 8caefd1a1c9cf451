/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An envelope that was packed is the same again; what messages have in common is kept once. */
#include "relay/queue/pack.h"

#include "tests/unit/cmocka.h"

#include <stdio.h>
#include <string.h>

static struct envelope *numbered(unsigned i)
{
	struct envelope *e = envelope_new();
	char text[64];

	e->id = i + 1;
	e->accepted_ms = 1000 + i;
	e->size = 5000;
	e->flags = ENVELOPE_DKIM | ENVELOPE_TRACK_OPENS;
	e->track_key = 7;
	addr_parse("192.0.2.1", &e->client);
	envelope_set(&e->account, "acme");
	envelope_set(&e->header_from, "joe@acme.example");
	envelope_set(&e->sign_domain, "acme.example");
	snprintf(text, sizeof(text), "bounce+%u@acme.example", i);
	envelope_set(&e->sender, text);
	snprintf(text, sizeof(text), "<%u@acme.example>", i);
	envelope_set(&e->message_id, text);
	for (unsigned k = 0; k <= i % 3; k++) {
		snprintf(text, sizeof(text), "rcpt%u@b%u.example", k, i);
		struct recipient *r = envelope_add_recipient(e, text);
		r->notify = k ? NOTIFY_SUCCESS : NOTIFY_NEVER;
		envelope_set(&r->orcpt, k ? "rfc822;x@y.example" : "");
	}
	return e;
}

static void a_packed_envelope_is_the_same_again(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct envelope *e = numbered(i), *again;
		struct buf tail = BUF_INIT, one = BUF_INIT, two = BUF_INIT;
		const char *reason = "";
		struct profile *p = pack_envelope(e, &tail);

		again = pack_open(p, tail.data, e->recipient_count, &reason);
		assert_non_null(again);
		again->id = e->id;
		again->accepted_ms = e->accepted_ms;
		again->size = e->size;
		envelope_encode(e, &one);
		envelope_encode(again, &two);
		assert_int_equal(one.len, two.len);
		assert_memory_equal(one.data, two.data, one.len);
		/* A fraction of what it takes as a record. */
		assert_true(i % 3 || tail.len * 2 < one.len);
		profile_release(p);
		buf_free(&tail);
		buf_free(&one);
		buf_free(&two);
		envelope_free(e);
		envelope_free(again);
	}
	assert_int_equal(profile_count(), 0);
}

static void what_is_common_is_kept_once(void **state)
{
	struct profile *all[1000];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct envelope *e = numbered(i);
		struct buf tail = BUF_INIT;

		if (i % 100 == 99)
			envelope_set(&e->header_from, e->sender);
		all[i] = pack_envelope(e, &tail);
		buf_free(&tail);
		envelope_free(e);
	}
	assert_int_equal(profile_count(), 11);
	for (unsigned i = 0; i < 1000; i++)
		profile_release(all[i]);
	assert_int_equal(profile_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packed_envelope_is_the_same_again),
		cmocka_unit_test(what_is_common_is_kept_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
