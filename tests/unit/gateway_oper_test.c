/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/oper.h"
#include "gateway/tool.h"
#include "tests/unit/cmocka.h"
#include "tests/unit/tmpdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void check_row(const char *record, const char *want)
{
	json_t *row = oper_log_row(record, 1000000000000000);
	char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;

	if (!want)
		assert_null(row);
	else
		assert_string_equal(text, want);
	free(text);
	json_decref(row);
}

static void log_lines_of_the_firewall_become_rows_and_no_others(void **state)
{
	(void)state;
	check_row("7,1234,5000000,-;gatepost drop wan-in: IN=eth0 OUT=eth1 MAC=00:11 "
		  "SRC=192.0.2.7 DST=203.0.113.10 LEN=60 PROTO=TCP SPT=4711 DPT=3389 SYN \n",
		  "{\"time\":1000000005,\"verdict\":\"drop\",\"rule\":\"wan-in\",\"in\":\"eth0\","
		  "\"out\":\"eth1\",\"from\":\"192.0.2.7\",\"to\":\"203.0.113.10\","
		  "\"protocol\":\"TCP\",\"port\":\"3389\"}");
	check_row(
		"7,1,1,-;gatepost allow web1 http: IN=eth0 OUT= SRC=2001:db8::1 DST=2001:db8::2 "
		"PROTO=ICMPv6 TYPE=128",
		"{\"time\":1000000000,\"verdict\":\"allow\",\"rule\":\"web1 http\",\"in\":\"eth0\","
		"\"out\":\"\",\"from\":\"2001:db8::1\",\"to\":\"2001:db8::2\","
		"\"protocol\":\"ICMPv6\",\"port\":\"\"}");
	check_row("6,2,3,-;gatepost: boot: services", NULL);
	check_row("6,2,3,-;gatepost drop", NULL);
	check_row("6,2,3,-;eth0: link up", NULL);
	check_row("nonsense", NULL);
	check_row("", NULL);
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void temperatures_are_the_sensors(void **state)
{
	static const char *const dirs[] = {"class", "class/hwmon", "class/hwmon/hwmon0"};
	static const char *const files[][2] = {
		{"name", "coretemp\n"},
		{"temp1_input", "45500\n"},
		{"temp1_label", "Package id 0\n"},
		{"temp1_crit", "100000\n"},
		{"temp3_input", "-1250\n"},
		{"temp4_input", "nonsense\n"},
	};
	char path[512];
	struct buf error = BUF_INIT;

	(void)state;
	json_t *rows = oper_temperature(".", &error); /* a machine without any */
	assert_int_equal(json_array_size(rows), 0);
	json_decref(rows);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(mkdir(dirs[i], 0755), 0);
	for (size_t i = 0; i < 6; i++)
		put(dirs[2], files[i][0], files[i][1]);
	rows = oper_temperature(".", &error);
	char *text = json_dumps(rows, JSON_COMPACT | JSON_REAL_PRECISION(6));
	assert_string_equal(text, "[{\"sensor\":\"coretemp Package id 0\",\"celsius\":45.5,"
				  "\"limit\":100.0},{\"sensor\":\"coretemp 3\",\"celsius\":-1.3,"
				  "\"limit\":null}]");
	free(text);
	json_decref(rows);
	for (size_t i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[2], files[i][0]);
		unlink(path);
	}
	for (size_t i = 3; i-- > 0;)
		rmdir(dirs[i]);
}

static const struct {
	const char *verb, *request, *words; /* or, from '!' on, the complaint */
} commands[] = {
	{"ping", "{\"host\":\"192.0.2.1\"}", "ping -c 5 192.0.2.1"},
	{"ping", "{\"host\":\"a.example\",\"count\":1000}", "ping -c 100 a.example"},
	{"ping", "{\"host\":\"-f\"}", "!not an address or host name\n"},
	{"ping", "{}", "!not an address or host name\n"},
	{"ping", "{\"host\":\"a b\"}", "!not an address or host name\n"},
	{"traceroute", "{\"host\":\"2001:db8::1\"}", "traceroute -n -q 1 -w 2 -m 20 2001:db8::1"},
	{"capture", "{}", "tcpdump -n -l -q -p -Z nobody -c 100 -i any"},
	{"capture",
	 "{\"interface\":\"eth1\",\"host\":\"192.0.2.1\",\"port\":\"25\",\"protocol\":\"tcp\","
	 "\"count\":3}",
	 "tcpdump -n -l -q -p -Z nobody -c 3 -i eth1 tcp and host 192.0.2.1 and port 25"},
	{"capture", "{\"interface\":\"-w/etc/passwd\"}",
	 "!\"-w/etc/passwd\": not a port; 'show interfaces' lists them\n"},
	{"capture", "{\"port\":\"25 or 26\"}", "!\"25 or 26\": not a port (1 to 65535)\n"},
	{"capture", "{\"protocol\":\"greater\"}",
	 "!\"greater\": not a protocol; it is tcp, udp, icmp, icmp6, arp, ip or ip6\n"},
	{"capture", "{\"host\":\"-r\"}", "!\"-r\": not an address or host name\n"},
	{"reboot", "{}", "!no such verb\n"},
};

static void programs_get_only_words_that_were_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		json_t *request = json_loads(commands[i].request, 0, NULL);
		struct words argv;
		struct buf error = BUF_INIT, line = BUF_INIT;

		if (tool_command(commands[i].verb, request, NULL, &argv, &error))
			for (size_t j = 0; j < argv.count; j++)
				buf_printf(&line, "%s%s", j ? " " : "", argv.list[j]);
		else
			buf_printf(&line, "!%s", buf_str(&error));
		assert_string_equal(buf_str(&line), commands[i].words);
		words_free(&argv);
		buf_free(&error);
		buf_free(&line);
		json_decref(request);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_lines_of_the_firewall_become_rows_and_no_others),
		tmpdir_test(temperatures_are_the_sensors),
		cmocka_unit_test(programs_get_only_words_that_were_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
