/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/envelope.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

static struct envelope *example(void)
{
	struct envelope *e = envelope_new();
	struct recipient *r;

	e->id = 0x0123456789abcdefULL;
	e->accepted_ms = 1700000000123;
	e->flags = ENVELOPE_8BIT | ENVELOPE_TRACK_OPENS | ENVELOPE_OWN;
	e->track_key = 7;
	e->size = 5000000000ULL;
	assert_true(addr_parse("2001:db8::25", &e->client));
	envelope_set(&e->account, "acme");
	envelope_set(&e->sender, "news@acme.example");
	envelope_set(&e->envid, "QQ314159");
	envelope_set(&e->user, "acme");
	envelope_set(&e->helo, "web1.acme.example");
	envelope_set(&e->header_from, "news@acme.example");
	envelope_set(&e->subject, "Gr\xc3\xbc\xc3\x9f"
				  "e");
	envelope_set(&e->message_id, "<1@acme.example>");
	envelope_set(&e->pool, "certified");
	envelope_set(&e->track_host, "t.example.net");
	envelope_set(&e->campaign, "spring");
	envelope_set(&e->tags, "news,vip");
	envelope_set(&e->sign_domain, "acme.example");
	envelope_set(&e->sign_selector, "g1");
	envelope_add_recipient(e, "a@b.example");
	r = envelope_add_recipient(e, "c@d.example");
	envelope_set(&r->orcpt, "rfc822;c@d.example");
	envelope_set(&r->reply, "450 4.7.1 greylisted\r\nfor now");
	r->notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
	r->state = RECIPIENT_HELD;
	r->attempts = 3;
	r->next_ms = 1700000300000;
	return e;
}

/* What was written is read back: the second encoding is the first, byte by byte. */
static void assert_round_trip(const struct envelope *e)
{
	struct buf one = BUF_INIT, two = BUF_INIT;
	const char *reason = NULL;

	envelope_encode(e, &one);
	struct envelope *back = envelope_decode(one.data, one.len, &reason);
	if (!back)
		fail_msg("%s", reason);
	envelope_encode(back, &two);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.data, two.data, one.len);
	envelope_free(back);
	buf_free(&one);
	buf_free(&two);
}

/* A record of a queue that an older version wrote. */
static void one_without_campaign_and_tags_is_read(void **state)
{
	struct envelope *e = example();
	struct buf b = BUF_INIT;
	const char *reason = NULL;

	(void)state;
	envelope_set(&e->campaign, "CAMPAIGN");
	envelope_set(&e->tags, "TAGS");
	envelope_encode(e, &b);
	/* A text is its length in four bytes, and its bytes. */
	char *at = memmem(b.data, b.len, "CAMPAIGN", 8);
	assert_non_null(at);
	size_t begin = (size_t)(at - b.data) - 4, n = 4 + 8 + 4 + 4;
	memmove(b.data + begin, b.data + begin + n, b.len - begin - n);
	b.len -= n;
	b.data[0] = 1;
	struct envelope *back = envelope_decode(b.data, b.len, &reason);
	assert_non_null(back);
	assert_string_equal(back->track_host, "t.example.net");
	assert_string_equal(back->campaign, "");
	assert_string_equal(back->tags, "");
	assert_string_equal(back->sign_domain, "acme.example");
	assert_int_equal(back->recipient_count, 2);
	envelope_free(back);
	envelope_free(e);
	buf_free(&b);
}

static const char *refusal(const struct envelope *e)
{
	struct buf b = BUF_INIT;
	const char *reason = NULL;

	envelope_encode(e, &b);
	struct envelope *back = envelope_decode(b.data, b.len, &reason);
	if (back)
		fail_msg("an envelope that breaks a bound was taken");
	buf_free(&b);
	return reason;
}

static void an_envelope_comes_back_as_it_was(void **state)
{
	(void)state;
	struct envelope *e = example();
	struct buf b = BUF_INIT;
	const char *reason = NULL;

	assert_round_trip(e);
	envelope_encode(e, &b);
	struct envelope *back = envelope_decode(b.data, b.len, &reason);
	assert_non_null(back);
	assert_true(back->id == e->id && back->accepted_ms == e->accepted_ms);
	assert_true(back->flags == e->flags && back->size == e->size && back->track_key == 7);
	assert_int_equal(addr_cmp(&back->client, &e->client), 0);
	assert_string_equal(back->subject, e->subject);
	assert_string_equal(back->sign_selector, "g1");
	assert_int_equal(back->recipient_count, 2);
	assert_string_equal(back->recipients[0].address, "a@b.example");
	assert_string_equal(back->recipients[1].reply, e->recipients[1].reply);
	assert_int_equal(back->recipients[1].state, RECIPIENT_HELD);
	assert_int_equal(back->recipients[1].attempts, 3);
	envelope_free(back);
	envelope_free(e);
	buf_free(&b);
}

static void every_truncation_is_refused_with_a_reason(void **state)
{
	(void)state;
	struct envelope *e = example();
	struct buf b = BUF_INIT;

	envelope_encode(e, &b);
	for (size_t n = 0; n < b.len; n++) {
		/* A copy of exactly n bytes, so that ASan sees a read past its end. */
		char *bytes = malloc(n ? n : 1);
		const char *reason = NULL;

		memcpy(bytes, b.data, n);
		assert_null(envelope_decode(bytes, n, &reason));
		assert_non_null(reason);
		free(bytes);
	}
	envelope_free(e);
	buf_free(&b);
}

static void every_damaged_byte_gives_a_reason_or_a_sound_envelope(void **state)
{
	(void)state;
	static const unsigned char masks[] = {0x01, 0x80, 0xff, 0x20};
	struct envelope *e = example();
	struct buf b = BUF_INIT;

	envelope_encode(e, &b);
	for (size_t i = 0; i < b.len; i++)
		for (size_t m = 0; m < sizeof(masks); m++) {
			const char *reason = NULL;

			b.data[i] = (char)(b.data[i] ^ masks[m]);
			struct envelope *back = envelope_decode(b.data, b.len, &reason);
			if (back)
				assert_round_trip(back);
			else
				assert_non_null(reason);
			envelope_free(back);
			b.data[i] = (char)(b.data[i] ^ masks[m]);
		}
	envelope_free(e);
	buf_free(&b);
}

static void bytes_behind_the_record_are_refused(void **state)
{
	(void)state;
	struct envelope *e = example();
	struct buf b = BUF_INIT;
	const char *reason = NULL;

	envelope_encode(e, &b);
	buf_appendc(&b, '\0');
	assert_null(envelope_decode(b.data, b.len, &reason));
	assert_string_equal(reason, "bytes follow the last recipient");
	envelope_free(e);
	buf_free(&b);
}

static char *long_text(size_t n)
{
	char *s = malloc(n + 1);

	memset(s, 'x', n);
	s[n] = '\0';
	return s;
}

static void bounds_hold_to_the_byte(void **state)
{
	(void)state;
	struct envelope *e = example();
	char *at = long_text(ENVELOPE_ADDRESS_MAX), *over = long_text(ENVELOPE_ADDRESS_MAX + 1);

	envelope_set(&e->sender, at);
	envelope_set(&e->recipients[1].address, at);
	assert_round_trip(e);
	envelope_set(&e->recipients[1].address, over);
	assert_non_null(strstr(refusal(e), "address is damaged"));
	envelope_set(&e->recipients[1].address, "");
	assert_string_equal(refusal(e), "a recipient has no address");
	envelope_set(&e->recipients[1].address, at);
	envelope_set(&e->sender, over);
	assert_non_null(strstr(refusal(e), "sender is damaged"));
	free(at);
	free(over);
	envelope_free(e);
}

static void what_could_forge_a_command_is_refused(void **state)
{
	(void)state;
	struct envelope *e = example();

	envelope_set(&e->sender, "a@b.example>\r\nRCPT TO:<c@d.example");
	assert_non_null(strstr(refusal(e), "sender"));
	envelope_set(&e->sender, "");
	assert_round_trip(e);
	envelope_set(&e->recipients[0].address, "a\n@b.example");
	assert_non_null(strstr(refusal(e), "address"));
	envelope_free(e);
}

static void unknown_flags_and_states_are_refused(void **state)
{
	(void)state;
	struct envelope *e = example();

	e->flags = 1U << 31;
	assert_string_equal(refusal(e), "flags has an unknown bit");
	e->flags = 0;
	e->recipients[0].state = RECIPIENT_HELD + 1;
	assert_string_equal(refusal(e), "state is none that is known");
	e->recipients[0].state = 0;
	e->recipients[0].notify = 16;
	assert_string_equal(refusal(e), "notify has an unknown bit");
	envelope_free(e);
}

static void an_envelope_without_recipients_or_with_too_many_is_refused(void **state)
{
	(void)state;
	struct envelope *e = envelope_new();

	assert_non_null(strstr(refusal(e), "number of recipients"));
	for (int i = 0; i < ENVELOPE_RECIPIENTS_MAX; i++)
		envelope_add_recipient(e, "a@b.example");
	assert_round_trip(e);
	envelope_add_recipient(e, "a@b.example");
	assert_non_null(strstr(refusal(e), "number of recipients"));
	envelope_free(e);
}

static void a_thousand_long_recipients_with_long_replies_fit(void **state)
{
	(void)state;
	struct envelope *e = envelope_new();
	struct buf b = BUF_INIT;
	char *address = long_text(ENVELOPE_ADDRESS_MAX), *orcpt = long_text(ENVELOPE_ORCPT_MAX),
	     *reply = long_text(3 * ENVELOPE_REPLY_MAX);
	const char *reason = NULL;

	for (int i = 0; i < ENVELOPE_RECIPIENTS_MAX; i++) {
		struct recipient *r = envelope_add_recipient(e, address);

		envelope_set(&r->orcpt, orcpt);
		envelope_set(&r->reply, reply);
	}
	envelope_encode(e, &b);
	assert_true(b.len <= ENVELOPE_BYTES_MAX);
	struct envelope *back = envelope_decode(b.data, b.len, &reason);
	assert_non_null(back);
	assert_true(strlen(back->recipients[999].reply) > 100);
	envelope_free(back);
	envelope_free(e);
	buf_free(&b);
	free(address);
	free(orcpt);
	free(reply);
}

static void a_long_reply_is_cut_between_characters(void **state)
{
	(void)state;
	struct envelope *e = example();
	struct buf b = BUF_INIT;
	char reply[ENVELOPE_REPLY_MAX + 10];
	const char *reason = NULL;

	/* The bound of 1,023 bytes falls within the two bytes of an e acute. */
	memset(reply, 'x', sizeof(reply));
	memcpy(reply + ENVELOPE_REPLY_MAX - 2, "\xc3\xa9", 2);
	reply[sizeof(reply) - 1] = '\0';
	envelope_set(&e->recipients[0].reply, reply);
	envelope_encode(e, &b);
	struct envelope *back = envelope_decode(b.data, b.len, &reason);
	assert_non_null(back);
	assert_int_equal(strlen(back->recipients[0].reply), ENVELOPE_REPLY_MAX - 2);
	envelope_free(back);
	envelope_free(e);
	buf_free(&b);
}

static void message_ids_read_as_they_print(void **state)
{
	(void)state;
	static const uint64_t ids[] = {1, 31, 32, 0x0123456789abcdefULL, UINT64_MAX};
	char out[MESSAGE_ID_STR_MAX];

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		assert_int_equal(strlen(message_id_format(ids[i], out)), MESSAGE_ID_STR_MAX - 1);
		assert_true(message_id_parse(out) == ids[i]);
	}
	assert_string_equal(message_id_format(UINT64_MAX, out), "FZZZZZZZZZZZZ");
	assert_string_equal(message_id_format(32, out), "0000000000010");
	assert_true(message_id_parse("00000000000io") == 32);
}

static void what_is_no_message_id_parses_to_nothing(void **state)
{
	(void)state;
	static const char *const bad[] = {"",
					  "1",
					  "00000000000010",
					  "000000000001",
					  "G000000000000",
					  "000000000001U",
					  "00000000000 1",
					  "000000000001-"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_true(message_id_parse(bad[i]) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_without_campaign_and_tags_is_read),
		cmocka_unit_test(an_envelope_comes_back_as_it_was),
		cmocka_unit_test(every_truncation_is_refused_with_a_reason),
		cmocka_unit_test(every_damaged_byte_gives_a_reason_or_a_sound_envelope),
		cmocka_unit_test(bytes_behind_the_record_are_refused),
		cmocka_unit_test(bounds_hold_to_the_byte),
		cmocka_unit_test(what_could_forge_a_command_is_refused),
		cmocka_unit_test(unknown_flags_and_states_are_refused),
		cmocka_unit_test(an_envelope_without_recipients_or_with_too_many_is_refused),
		cmocka_unit_test(a_thousand_long_recipients_with_long_replies_fit),
		cmocka_unit_test(a_long_reply_is_cut_between_characters),
		cmocka_unit_test(message_ids_read_as_they_print),
		cmocka_unit_test(what_is_no_message_id_parses_to_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
