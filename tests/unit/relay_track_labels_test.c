/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/labels.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static char *own_tags[] = {"vip", "news"};
static const struct config_account account = {.campaign = "yearly", .tags = {own_tags, 2}};
static const struct config_account bare = {.campaign = ""};

static const struct labels *labels(const struct config_account *a, const char *campaign,
				   const char *tags)
{
	static struct labels l;

	labels_make(a, campaign, tags, &l);
	return &l;
}

static void the_message_s_campaign_goes_before_the_account_s(void **state)
{
	(void)state;
	assert_string_equal(labels(&account, "", "")->campaign, "yearly");
	assert_string_equal(labels(&account, "spring", "")->campaign, "spring");
	assert_string_equal(labels(&bare, "", "")->campaign, "");
}

static void tags_are_put_together_each_once(void **state)
{
	static const struct {
		const char *tags, *account, *bare;
	} cases[] = {
		{"", "vip,news", ""},
		{"spring", "vip,news,spring", "spring"},
		{" spring sale ,\t b", "vip,news,spring sale,b", "spring sale,b"},
		{"news,new,vip,vi,vip", "vip,news,new,vi", "news,new,vip,vi"},
		{",, ,\t,", "vip,news", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_string_equal(labels(&account, "", cases[i].tags)->tags, cases[i].account);
		assert_string_equal(labels(&bare, "", cases[i].tags)->tags, cases[i].bare);
	}
}

static void what_is_too_long_is_cut_between_characters_and_tags(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[126] = '\xc3';
	text[127] = '\xbc';
	text[299] = '\0';
	assert_int_equal(strlen(labels(&bare, text, "")->campaign), 126);
	text[126] = 'x';
	text[127] = '\0';
	assert_int_equal(strlen(labels(&bare, text, text)->campaign), 127);
	assert_int_equal(strlen(labels(&bare, "", text)->tags), 127);
	text[127] = 'x';
	text[128] = '\0';
	assert_string_equal(labels(&bare, "", text)->tags, "");
	memcpy(text + 100, ",short,", 8);
	assert_int_equal(strlen(labels(&account, "", text)->tags), 8 + 1 + 100 + 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_message_s_campaign_goes_before_the_account_s),
		cmocka_unit_test(tags_are_put_together_each_once),
		cmocka_unit_test(what_is_too_long_is_cut_between_characters_and_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
