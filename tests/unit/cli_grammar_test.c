/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/commands.h"
#include "cli/grammar.h"
#include "model/words.h"
#include "tests/unit/cmocka.h"

#include <string.h>

/* What a line means: the pattern, then the arguments, or the complaint. */
static void meaning(const struct grammar *g, unsigned mode, const char *line, struct buf *out)
{
	struct words words = {0};
	struct args args;

	buf_clear(out);
	assert_true(words_split(&words, line, out));
	if (grammar_match(g, mode, words.list, words.count, &args, out)) {
		buf_appends(out, args.command->pattern);
		for (size_t i = 0; i < args.count; i++)
			buf_printf(out, "; %s=%s", args.list[i].name, args.list[i].value);
		for (size_t i = 0; i < args.rest_count; i++)
			buf_printf(out, "; %s", args.rest[i]);
	}
	words_free(&words);
}

static const struct {
	unsigned mode;
	const char *line, *meaning;
} lines[] = {
	{MODE_OPERATE, "show routes", "show routes"},
	{MODE_OPERATE, "sh rou", "show routes"},
	{MODE_OPERATE, "show re log", "\"re\": could be revisions, revision, relay\n"},
	{MODE_OPERATE, "show revision 3", "show revision REVISION; REVISION=3"},
	{MODE_OPERATE, "show rel log",
	 "show relay log [account ACCOUNT] [to ADDRESS] [since AGE] [limit COUNT]"},
	{MODE_OPERATE, "show relay log limit 5 account acme",
	 "show relay log [account ACCOUNT] [to ADDRESS] [since AGE] [limit COUNT]; COUNT=5; "
	 "ACCOUNT=acme"},
	{MODE_OPERATE, "show relay log account", "more is needed: ACCOUNT\n"},
	{MODE_OPERATE, "show relay log account a account b",
	 "\"account\": not known here; known: to, since, limit\n"},
	{MODE_OPERATE, "show relay log acount a",
	 "\"acount\": not known here; did you mean \"account\"?\n"},
	{MODE_OPERATE, "show firewall", "show firewall"},
	{MODE_OPERATE, "show firewall ruleset", "show firewall ruleset"},
	{MODE_OPERATE, "show flows limit 5 server web1",
	 "show flows [server SERVER] [limit COUNT]; COUNT=5; SERVER=web1"},
	{MODE_OPERATE, "test policy from 192.0.2.1 to web1 tcp 443",
	 "test policy from A to B tcp PORT; A=192.0.2.1; B=web1; PORT=443"},
	{MODE_OPERATE, "test policy from 192.0.2.1 to web1", "more is needed: tcp, udp, icmp\n"},
	{MODE_OPERATE, "load - comment new",
	 "load FILE [comment TEXT] [confirmed TIME]; FILE=-; TEXT=new"},
	{MODE_CONFIGURE, "load terminal", "load terminal"},
	{MODE_CONFIGURE, "load merge new.conf", "load merge FILE; FILE=new.conf"},
	{MODE_CONFIGURE, "rename servers web1 to web2", "rename PATH...; servers; web1; to; web2"},
	{MODE_OPERATE, "show",
	 "more is needed: configuration, interfaces, routes, neighbours, "
	 "firewall, flows, services, log, version, boot, temperature, alarms, revisions, audit, "
	 "revision, relay, lan-port\n"},
	{MODE_OPERATE, "show configuration servers web1",
	 "show configuration PATH...; servers; web1"},
	{MODE_OPERATE, "ping", "more is needed: HOST\n"},
	{MODE_OPERATE, "ping 192.0.2.1 count 3",
	 "ping HOST [count COUNT]; HOST=192.0.2.1; COUNT=3"},
	{MODE_OPERATE, "ping show", "ping HOST [count COUNT]; HOST=show"},
	{MODE_OPERATE, "configure now", "\"now\": nothing may follow here\n"},
	{MODE_OPERATE, "set system",
	 "\"set\": not known here; known: show, request, monitor, system, ping, traceroute, "
	 "capture, test, "
	 "configure, "
	 "load, rollback, confirm, help, exit, quit\n"},
	{MODE_OPERATE, "rollback 3", "\"3\": not known here; known: now\n"},
	{MODE_CONFIGURE, "set servers web1", "set PATH...; servers; web1"},
	{MODE_CONFIGURE, "set", "set PATH..."},
	{MODE_CONFIGURE, "show", "show PATH..."},
	{MODE_CONFIGURE, "show show", "show PATH...; show"},
	{MODE_CONFIGURE, "commit", "commit [comment TEXT] [confirmed TIME]"},
	{MODE_CONFIGURE, "commit check", "commit check"},
	{MODE_CONFIGURE, "commit c", "\"c\": could be comment, confirmed, check\n"},
	{MODE_CONFIGURE, "commit confirmed 90s comment \"two words\"",
	 "commit [comment TEXT] [confirmed TIME]; TIME=90s; TEXT=two words"},
	{MODE_CONFIGURE, "rollback now", "rollback now"},
	{MODE_CONFIGURE, "rollback 3", "rollback REVISION; REVISION=3"},
	{MODE_CONFIGURE, "run show routes", "run COMMAND...; show; routes"},
	{MODE_CONFIGURE, "e", "\"e\": could be edit, exit\n"},
	{MODE_CONFIGURE, "",
	 "more is needed: test, set, delete, edit, up, top, show, rename, copy, insert, annotate, "
	 "commit, discard, load, save, run, rollback, confirm, help, exit, quit\n"},
};

static void lines_mean_one_command_or_say_why_not(void **state)
{
	struct grammar *g = grammar_new(commands, commands_count);
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		meaning(g, lines[i].mode, lines[i].line, &out);
		assert_string_equal(buf_str(&out), lines[i].meaning);
	}
	buf_free(&out);
	grammar_free(g);
}

static void note(const struct next *next, void *arg)
{
	static const char *const kinds[] = {"", "ARG ", "REST ", "END"};

	buf_printf(arg, "%s%s,", kinds[next->kind], next->text);
}

static void what_may_come_next_is_known(void **state)
{
	static const struct {
		const char *line, *next;
	} cases[] = {
		{"ping", "ARG HOST,"},
		{"ping a", "END,count,"},
		{"ping a count", "ARG COUNT,"},
		{"ping a count 1", "END,"},
		{"show firewall", "END,counters,log,ruleset,"},
		{"show configuration", "END,REST PATH,"},
		{"show configuration a b", "END,REST PATH,"},
		{"nonsense", ""},
		{"show relay log to x", "END,account,since,limit,"},
	};
	struct grammar *g = grammar_new(commands, commands_count);
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct words words = {0};

		buf_clear(&out);
		assert_true(words_split(&words, cases[i].line, &out));
		grammar_next(g, MODE_OPERATE, words.list, words.count, note, &out);
		assert_string_equal(buf_str(&out), cases[i].next);
		words_free(&words);
	}
	buf_free(&out);
	grammar_free(g);
}

static void every_command_is_explained(void **state)
{
	(void)state;
	for (size_t i = 0; i < commands_count; i++) {
		assert_true(strlen(commands[i].help) > 3);
		assert_true(commands[i].modes != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_mean_one_command_or_say_why_not),
		cmocka_unit_test(what_may_come_next_is_known),
		cmocka_unit_test(every_command_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
