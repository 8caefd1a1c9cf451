/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/text.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static struct model *model;

/* Each config reads well; what is wrong with it only the whole can tell. */
static const struct {
	const char *text, *error;
} faults[] = {
	{"system { ssh { allow offce; } }\ngroups { office { 192.0.2.0/24; } }",
	 "line 1: system ssh allow: \"offce\": no group or server has this name; did you mean "
	 "\"office\"?\n"},
	{"servers { web1 { address 203.0.113.10; allow http { tcp 80; from web9; } } }",
	 "line 1: servers web1 allow http from: \"web9\": no group or server has this name; did "
	 "you "
	 "mean \"web1\"?\n"},
	{"policy { box { ping zzz; } }",
	 "line 1: policy box ping: \"zzz\": no group or server has this name\n"},
	{"groups { web { 192.0.2.0/24; } }\nservers { web { } }",
	 "line 2: servers web: a group has this name too; \"from web\" could mean either\n"},
	{"servers {\n a { address 203.0.113.10; }\n b { address 203.0.113.10; }\n}",
	 "line 3: servers b address: \"203.0.113.10\": taken already by servers a address (line "
	 "2)\n"},
	{"servers {\n a { address 2001:db8::1; }\n b { address 2001:DB8:0::1; }\n}",
	 "line 3: servers b address: \"2001:DB8:0::1\": taken already by servers a address (line "
	 "2)\n"},
	{"servers { a { address 203.0.113.1; } }\n"
	 "interfaces { dmz { device eth1; address 203.0.113.1/24; } }",
	 "line 1: servers a address: \"203.0.113.1\": this box's own address (interfaces dmz "
	 "address)\n"},
	{"servers { a { address 203.0.114.1; } }\n"
	 "interfaces { dmz { device eth1; address 203.0.113.1/24; } }",
	 "line 1: servers a address: \"203.0.114.1\": in no network of interfaces dmz\n"},
	{"servers { a { allow http { tcp 80; from any; } } }",
	 "line 1: servers a address: missing: it has services but no address\n"},
	{"servers { a { address 203.0.113.10; allow http { from any; } } }",
	 "line 1: servers a allow http: allows nothing; give it tcp, udp, icmp or service\n"},
	{"servers { a { address 203.0.113.10; allow w { service wbe; from any; } } }\n"
	 "service-groups { web { tcp 80; } }",
	 "line 1: servers a allow w service: \"wbe\": no service-group has this name; did you mean "
	 "\"web\"?\n"},
	{"interfaces { dmz { device eth1; address 10.0.0.1/24; } }\n"
	 "routes { 0.0.0.0/0 { via 10.0.0.2; }\n10.9.0.0/16 { via 10.1.0.2; }\n"
	 "10.8.0.0/16 { via 10.0.0.1; }\nfd00::/8 { via 10.0.0.2; } }",
	 "line 2: routes 0.0.0.0/0: the way to the Internet is interfaces wan "
	 "gateway\n"
	 "line 3: routes 10.9.0.0/16 via: \"10.1.0.2\": in no network of interfaces wan or dmz; a "
	 "router must be a neighbour\n"
	 "line 4: routes 10.8.0.0/16 via: \"10.0.0.1\": this box's own address, not another "
	 "router's\n"
	 "line 5: routes fd00::/8 via: \"10.0.0.2\": of another family than the network "
	 "fd00::/8\n"},
	{"system { serve-dmz { dns;\nntp; } }\npolicy { dmz-outbound { redirect-smtp; } }",
	 "line 1: system serve-dmz dns: there is nobody to ask; give system name-server an "
	 "address\n"
	 "line 2: system serve-dmz ntp: the box has no right time itself; give system ntp an "
	 "address\n"
	 "line 3: policy dmz-outbound redirect-smtp: there is no relay to lead mail to; configure "
	 "relay, with a listen of kind relay\n"},
	{"interfaces { wan { device eth0; address 192.0.2.2/24; }"
	 " dmz { device eth1; address 10.0.0.1/24; } }\nnat {\n"
	 "forward a { address 192.0.2.2; to 10.0.0.9; }\n"
	 "forward b { address 192.0.2.2; tcp 80-90; to 10.1.0.9; }\n"
	 "forward c { address 192.0.2.2; udp 7,7; tcp 85; to fd00::1; }\n"
	 "forward d { address 192.0.2.2; tcp 100,200; to 10.0.0.9; to-port 8; }\n"
	 "forward e { address 192.0.2.2; udp 2000-5000; to 10.0.0.1; }\n"
	 "forward f { address 192.0.2.2; tcp 300-310; to 10.0.0.9; to-port 65530; } }",
	 "line 3: nat forward a: forwards nothing; give it tcp or udp\n"
	 "line 4: nat forward b to: \"10.1.0.9\": in no network of interfaces dmz\n"
	 "line 5: nat forward c to: \"fd00::1\": of another family than the address outside\n"
	 "line 6: nat forward d to-port: \"8\": which of several ports is it for? Make a forward "
	 "for each\n"
	 "line 7: nat forward e to: \"10.0.0.1\": this box's own address (interfaces dmz address); "
	 "name a machine behind it\n"
	 "line 7: nat forward e: 3001 ports; more than 1024 are a matter for nat one-to-one\n"
	 "line 8: nat forward f to-port: \"65530\": the last of its ports would be beyond 65535\n"
	 "line 5: nat forward c: tcp port 85 of 192.0.2.2 is taken already by nat forward b\n"
	 "line 5: nat forward c: udp port 7 is given twice\n"},
	{"interfaces { wan { device eth0; address 192.0.2.2/24; } }\nnat {\n"
	 "one-to-one a { outside 192.0.2.2; inside 10.0.0.9; }\n"
	 "one-to-one b { outside 192.0.2.3; inside 10.0.0.9; }\n"
	 "prefix c { outside 192.0.2.0/28; inside 10.1.0.0/27; }\n"
	 "prefix d { outside 192.0.2.8/29; inside 10.2.0.0/29; } }",
	 "line 3: nat one-to-one a outside: \"192.0.2.2\": this box's own address (interfaces wan "
	 "address); nat forward leads single ports of it elsewhere\n"
	 "line 4: nat one-to-one b inside: \"10.0.0.9\": taken already by nat one-to-one a inside "
	 "(line 3)\n"
	 "line 5: nat prefix c inside: \"10.1.0.0/27\": not as long as 192.0.2.0/28; host for host "
	 "needs equal networks\n"
	 "line 5: nat prefix c outside: \"192.0.2.0/28\": holds this box's own address "
	 "192.0.2.2/24\n"
	 "line 6: nat prefix d outside: \"192.0.2.8/29\": overlaps 192.0.2.0/28 of nat prefix c\n"},
	{"interfaces { topology flat; wan { device eth0; proxy-neighbour 192.0.2.0/24; }\n"
	 "dmz { device eth1; address 192.0.2.1/24; } }\n"
	 "nat { source s { from any; address 192.0.2.9; } }\n"
	 "policy { dmz-internal { allow any; } }",
	 "line 2: interfaces dmz address: not in the flat topology: the box's own addresses stand "
	 "on "
	 "wan, in the one network that there is\n"
	 "line 1: interfaces wan proxy-neighbour: not in the flat topology: the servers answer for "
	 "their addresses themselves\n"
	 "line 3: nat source s: not in the flat topology: a bridge passes packets on as they are; "
	 "addresses change in a router\n"
	 "line 4: policy dmz-internal allow: not in the flat topology: servers reach each other "
	 "without passing the box\n"},
	{"interfaces { topology flat; wan { device eth0; } }",
	 "line 1: interfaces topology: \"flat\": a bridge needs both ports; configure interfaces "
	 "wan "
	 "and dmz\n"},
	{"servers { a { address 203.0.113.10; allow http { tcp 80; } } }",
	 "line 1: servers a allow http from: missing: say who may reach it (from any)\n"},
	{"interfaces { wan { address 198.51.100.2/30; } }",
	 "line 1: interfaces wan device: missing: the kernel's name of the port must be given "
	 "(eth0)\n"},
	{"interfaces { wan { device eth0; address 198.51.100.2/30; gateway 198.51.100.5; } }",
	 "line 1: interfaces wan gateway: \"198.51.100.5\": in no network of interfaces wan; give "
	 "wan "
	 "an address beside it\n"},
	{"interfaces { wan { device eth0; address 198.51.100.2/30; gateway 198.51.100.2; } }",
	 "line 1: interfaces wan gateway: \"198.51.100.2\": this box's own address, not its "
	 "gateway's\n"},
	{"interfaces { wan { device e; address 192.0.2.2/24; gateway [ 192.0.2.1 192.0.2.3 ]; } }",
	 "line 1: interfaces wan gateway: \"192.0.2.3\": a second gateway for IPv4; one for each "
	 "family\n"},
	{"interfaces { wan { device e; address [ 2001:db8::2/64 192.0.2.2/24 192.0.2.3/24 ];\n"
	 "gateway [ 192.0.2.1 2001:db8::1 fe80::1 ]; } }",
	 "line 2: interfaces wan gateway: \"fe80::1\": one too many; at most 2 may be given\n"
	 "line 2: interfaces wan gateway: \"fe80::1\": a second gateway for IPv6; one for each "
	 "family\n"},
	{"interfaces { wan { device eth0; address 192.0.2.1/24; }\n"
	 "dmz { device eth0; address 192.0.2.2/24; } }",
	 "line 2: interfaces dmz device: \"eth0\": interfaces wan is on this device too; give one "
	 "of "
	 "them another vlan\n"
	 "line 2: interfaces dmz address: \"192.0.2.2/24\": the network of interfaces wan address "
	 "192.0.2.1/24; each side needs one of its own\n"},
	{"interfaces { wan { device eth0; address 192.0.2.1/24; }\n"
	 "dmz { device eth1; address 192.0.2.1/25; } }",
	 "line 2: interfaces dmz address: \"192.0.2.1/25\": taken already by interfaces wan "
	 "address "
	 "(line 1)\n"},
	{"groups { office { 192.0.2.0/24;\n192.0.2.0/24; } }",
	 "line 2: groups office: \"192.0.2.0/24\": given twice\n"},
	{"system { ntp [ 2001:db8::1\n 2001:db8::0:1 ]; }",
	 "line 2: system ntp: \"2001:db8::0:1\": taken already by system ntp (line 1)\n"},
	{"relay { host-name r.example; pool p { source 203.0.113.5; helo 203.0.113.6 { host-name "
	 "a.example; } } }",
	 "line 1: relay pool p helo 203.0.113.6: \"203.0.113.6\": not one of this pool's "
	 "source addresses; add source 203.0.113.6\n"},
	{"relay { host-name r.example; pool p { smart-host { host R.example; } } }",
	 "line 1: relay pool p smart-host host: \"R.example\": that is this relay itself: its mail "
	 "would come back for ever\n"},
	{"relay { host-name r.example; pool p { smart-host { host s.example; user u; } } }",
	 "line 1: relay pool p smart-host password: missing: user and password go together\n"},
	{"relay { host-name r.example; pool p { smart-host { host s.example; password p; } } }",
	 "line 1: relay pool p smart-host user: missing: user and password go together\n"},
	{"relay { host-name r.example; pool p { smart-host { host s.example; tls none; user u; "
	 "password p; } } }",
	 "line 1: relay pool p smart-host tls: \"none\": the password would be sent in the clear; "
	 "use "
	 "starttls-required or implicit, or take user and password out\n"},
	{"relay { host-name r; provider acne { connections 3; } }",
	 "line 1: relay provider acne mx: missing: acne is not among the providers that are known "
	 "(google, microsoft, yahoo, apple, ...); name its mail hosts\n"},
	{"relay { host-name r; provider default { mx a.example; } }",
	 "line 1: relay provider default mx: \"a.example\": provider default is everybody else; "
	 "give this host a provider of another name\n"},
	{"relay { host-name r; provider a { mx m.example; }\nprovider b { mx M.example; } }",
	 "line 2: relay provider b mx: \"M.example\": relay provider a has this host already\n"},
	{"relay { host-name r; pool p { source 203.0.113.5; ramp-up { begin 2027-02-29; per-day "
	 "50; } "
	 "} }",
	 "line 1: relay pool p ramp-up begin: \"2027-02-29\": there is no such day\n"},
	{"relay { }", "line 1: relay host-name: missing: a host name must be given\n"},
	{"relay { host-name r; listen a; }",
	 "line 1: relay listen a port: missing: a number from 0 to 65535 must be given\n"},
	{"relay { host-name r; listen a { port 25; }\nhttp b { port 25; } }",
	 "line 2: relay http b port: \"25\": relay listen a listens there already\n"},
	{"relay { host-name r;\n account a { networks 0.0.0.0/0; } }",
	 "line 2: relay account a networks: \"0.0.0.0/0\": these networks are every IPv4 address: "
	 "the "
	 "relay would be open to everybody; name fewer, or add auth-required\n"},
	{"relay { host-name r;\n account a { networks [ 128.0.0.0/1 0.0.0.0/2 64.0.0.0/2 ]; } }",
	 "line 2: relay account a networks: \"128.0.0.0/1\": these networks are every IPv4 "
	 "address: "
	 "the relay would be open to everybody; name fewer, or add auth-required\n"},
	{"relay { host-name r;\n account a { networks [ 192.0.2.0/24 ::/0 ]; } }",
	 "line 2: relay account a networks: \"192.0.2.0/24\": these networks are every IPv6 "
	 "address: "
	 "the relay would be open to everybody; name fewer, or add auth-required\n"},
	{"relay { host-name r; account a { networks 0.0.0.0/0; auth-required; } }",
	 "line 1: relay account a user: missing: auth-required, but nobody can log in\n"},
	{"relay { host-name r; account a { from \"*@a.example\"; } }",
	 "line 1: relay account a networks: missing: with neither networks nor a user nobody can "
	 "send as it\n"},
	{"relay { host-name r; account a { networks 192.0.2.0/24; user u; } }",
	 "line 1: relay account a user u password: missing: a text of 1 to 255 bytes must be "
	 "given\n"},
	{"relay { host-name r; pool p { source 203.0.113.5; }\npool q { source 203.0.113.5; } }",
	 "line 2: relay pool q source: \"203.0.113.5\": taken already by relay pool p source (line "
	 "1)\n"},
	{"relay { host-name r; pool p { source 203.0.113.5; } }\nservers { w { address "
	 "203.0.113.5; } }",
	 "line 1: relay pool p source: \"203.0.113.5\": taken already by servers w address\n"},
	{"relay { host-name r; pool p; }",
	 "line 1: relay pool p source: missing: the pool has no address to send from\n"},
	{"relay { host-name r; pool p { source 203.0.113.5; members acme; } }",
	 "line 1: relay pool p members: \"acme\": no account has this name\n"},
	{"relay { host-name r; account acme { networks 192.0.2.0/24; pool certifed; }\n"
	 "pool certified { source 203.0.113.5; } }",
	 "line 1: relay account acme pool: \"certifed\": no pool has this name; did you mean "
	 "\"certified\"?\n"},
	{"relay { host-name r; pool p { source 203.0.113.5; members a; }\n"
	 "account a { networks 192.0.2.0/24; }\naccount b { networks 192.0.3.0/24; } }",
	 "line 3: relay account b pool: missing: every pool has members, and b is a member of "
	 "none, "
	 "so its mail could not leave\n"},
	{"relay { host-name r; pool p { source 203.0.113.5; members a; }\n"
	 "pool q { source 203.0.113.6; }\n"
	 "account a { networks 192.0.2.0/24; }\naccount b { networks 192.0.3.0/24; pool p; } }",
	 "line 4: relay account b pool: \"p\": this pool is its members' alone; add b to relay "
	 "pool p "
	 "members\n"},
	{"relay { host-name r; route y { domain y.example; pool nowhere; } }",
	 "line 1: relay route y pool: \"nowhere\": no pool has this name\n"},
	{"relay { host-name r; route y { pool p; } pool p { source 192.0.2.1; } }",
	 "line 1: relay route y domain: missing: at least 1 must be given\n"},
	{"relay { host-name r; pool p { source 192.0.2.1; }\nroute y { domain y.example; pool p; "
	 "}\n"
	 "route z { domain Y.example; pool p; } }",
	 "line 3: relay route z domain: \"Y.example\": relay route y has this domain already\n"},
	{"relay { host-name r; account a { networks 192.0.2.0/24; sign { dkim; } } }",
	 "line 1: relay account a sign domain: missing: whose signature is it to be?\n"
	 "line 1: relay account a sign selector: missing: the key is DOMAIN.SELECTOR.pem\n"},
	{"relay { host-name r; account a { networks 192.0.2.0/24; track { opens; } } }",
	 "line 1: relay account a track host: missing: links need a host name; give it here or in "
	 "relay tracking\n"},
	{"relay { host-name r; account a { networks 192.0.2.0/24; track { one-click; host t; } } }",
	 "line 1: relay account a track one-click: mail providers follow it by https alone (RFC "
	 "8058); set relay tracking https as well\n"},
	{"relay { host-name r; account a { networks 192.0.2.0/24; track { tag [ "
	 "a234567890123456789012345678901234567890 b234567890123456789012345678901234567890 "
	 "c234567890123456789012345678901234567890 d23456 ]; } } }",
	 "line 1: relay account a track tag: \"d23456\": with this one all tags are over 127 "
	 "bytes, "
	 "commas included; name fewer or shorter ones\n"},
	{"relay { host-name r; tracking { host t; https; } }",
	 "line 1: relay tracking https: nobody would answer: no relay http listener has tls; add "
	 "'http https { port 443; tls; }' beside 'http http { port 80; }'\n"
	 "line 1: relay tracking https: browsers refuse the certificate that the relay makes for "
	 "itself; name one for the tracking host in relay tls (chain-file and key-file)\n"},
	{"relay { host-name r;\naccount a { networks 192.0.2.1/32; workers 16; }\n"
	 "account b { networks 192.0.2.2/32; workers 16; }\n"
	 "account c { networks 192.0.2.3/32; workers 1; } }",
	 "line 4: relay account c workers: \"1\": with those of the accounts before it 33 workers; "
	 "accounts may have 32 of their own together\n"},
	{"relay { host-name r; tls { chain-file /c; } }",
	 "line 1: relay tls: chain-file and key-file go together; only one is given\n"},
	{"relay { host-name r; retry { first 600; longest 60; } }",
	 "line 1: relay retry: first (600) is longer than longest (60)\n"},
	{"relay { host-name r; retry { expire 600; } }",
	 "line 1: relay retry: longest (14400) is longer than expire (600)\n"},
};

static void each_mistake_is_told_with_its_line(void **state)
{
	struct buf error = BUF_INIT;
	struct lyd_node *conf;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		buf_clear(&error);
		if (!text_parse(model, faults[i].text, strlen(faults[i].text), &conf, &error))
			fail_msg("%s: %s", faults[i].text, buf_str(&error));
		assert_false(model_validate(model, &conf, &error));
		assert_string_equal(buf_str(&error), faults[i].error);
		conf_free(conf);
	}
	buf_free(&error);
}

static void a_right_config_passes(void **state)
{
	static const char *const right[] = {
		"relay { host-name r; account a { networks 0.0.0.0/0; auth-required;"
		" user u { password \"$y$x\"; } } }",
		"relay { host-name r; account a { networks [ 0.0.0.0/1 ::/1 ]; } }",
		"relay { host-name r; listen a { port 0; } listen b { port 0; } }",
		"interfaces { wan { device e; address 2001:db8::2/64; gateway fe80::1; } }",
		"interfaces { wan { device e; address 192.0.2.2/31; gateway 192.0.2.3; }"
		" dmz { device e; vlan 5; address 203.0.113.1/24; } }",
		"servers { w { address [ 203.0.113.9 2001:db8::9 ]; allow p { icmp; from w; } } }",
		"interfaces { wan { device e; address 203.0.113.2/24; }"
		" dmz { device f; address 203.0.113.65/26; } }",
	};
	struct buf error = BUF_INIT;
	struct lyd_node *conf;

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
		assert_true(text_parse(model, right[i], strlen(right[i]), &conf, &error));
		if (!model_validate(model, &conf, &error))
			fail_msg("%s: %s", right[i], buf_str(&error));
		conf_free(conf);
	}
}

/* Defaults that validation adds are nobody's setting: they do not show in the text. */
static void validation_leaves_the_text_alone(void **state)
{
	struct buf in = BUF_INIT, out = BUF_INIT, error = BUF_INIT;
	struct lyd_node *conf;

	(void)state;
	assert_true(buf_read_file(&in, "tests/golden/text/design.ok", TEXT_MAX));
	assert_true(text_parse(model, buf_str(&in), in.len, &conf, &error));
	if (!model_validate(model, &conf, &error))
		fail_msg("%s", buf_str(&error));
	text_print(conf, NULL, &out);
	assert_string_equal(buf_str(&out), buf_str(&in));
	conf_free(conf);
	buf_free(&in);
	buf_free(&out);
}

static int setup(void **state)
{
	struct buf error = BUF_INIT;

	(void)state;
	model = model_open("model", false, &error);
	return model ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	model_close(model);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_told_with_its_line),
		cmocka_unit_test(a_right_config_passes),
		cmocka_unit_test(validation_leaves_the_text_alone),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
