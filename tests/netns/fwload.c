/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drives the firewall and the network without the daemon, for tests.
 *
 *	fwload text CONFIG     the ruleset as nft text, generation 1 (with a flowtable: text+flows)
 *	fwload plan CONFIG     the netplan, dry
 *	fwload                 reads orders from standard input, one line each, answers each with
 *	                       lines of text and then "ok" or "failed":
 *	  apply CONFIG  verify CONFIG  cut CONFIG     the ruleset
 *	  flowtable                                   ok when this kernel has flowtables
 *	  net CONFIG  check CONFIG  undo  forget      the network
 *	  allows CONFIG FROM TO PROTO PORT            what the policy says
 */
#include "fwrules/batch.h"
#include "fwrules/decide.h"
#include "fwrules/flows.h"
#include "fwrules/nfttext.h"
#include "fwrules/policy.h"
#include "fwrules/readback.h"
#include "fwrules/ruleset.h"
#include "gateway/net_dummy.h"
#include "gateway/net_linux.h"
#include "lib/log.h"
#include "model/model.h"
#include "model/text.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct model *model;
static struct fw *fw;
static struct net_undo *undo;

static struct lyd_node *load(const char *path, struct buf *error)
{
	struct buf text = BUF_INIT;
	struct lyd_node *conf = NULL;

	if (!buf_read_file(&text, path, TEXT_MAX)) {
		buf_printf(error, "%s cannot be read\n", path);
	} else if (!text_parse(model, buf_str(&text), text.len, &conf, error) ||
		   !model_validate(model, &conf, error)) {
		conf_free(conf);
		conf = NULL;
	}
	buf_free(&text);
	return conf;
}

static struct policy *load_policy(const char *path, struct buf *error)
{
	struct lyd_node *conf = load(path, error);
	struct policy *p = conf ? policy_compile(conf, error) : NULL;

	conf_free(conf);
	return p;
}

static struct netplan *load_plan(const char *path, struct buf *error)
{
	struct lyd_node *conf = load(path, error);
	struct netplan *plan = conf ? netplan_compile(conf, error) : NULL;

	conf_free(conf);
	return plan;
}

/* ---- orders: true when they went well; words in out ---- */

static bool print_text(const char *path, bool flowtable, struct buf *out)
{
	struct policy *p = load_policy(path, out);

	if (!p)
		return false;
	struct ruleset *rs = ruleset_compile(p, &(struct ruleset_caps){.flowtable = flowtable});
	nfttext_print(rs, 1, out);
	ruleset_free(rs);
	policy_free(p);
	return true;
}

static bool do_text(const char *path, struct buf *out)
{
	return print_text(path, false, out);
}

static bool do_text_flows(const char *path, struct buf *out)
{
	return print_text(path, true, out);
}

static bool do_plan(const char *path, struct buf *out)
{
	struct netplan *plan = load_plan(path, out);

	if (plan)
		net_dummy_apply(plan, out);
	netplan_free(plan);
	return plan != NULL;
}

static bool with_ruleset(const char *path, struct buf *out,
			 bool (*use)(struct fw *, const struct ruleset *, struct buf *))
{
	struct policy *p = load_policy(path, out);
	struct ruleset_caps caps = fw_caps(fw);

	if (!p)
		return false;
	struct ruleset *rs = ruleset_compile(p, &caps);
	bool ok = use(fw, rs, out);
	ruleset_free(rs);
	policy_free(p);
	return ok;
}

static bool apply_and_sweep(struct fw *to, const struct ruleset *rs, struct buf *out)
{
	return fw_apply(to, rs, out) && fw_verify(to, rs, out) && fw_sweep(to, out);
}

static bool do_apply(const char *path, struct buf *out)
{
	return with_ruleset(path, out, apply_and_sweep);
}

static bool do_verify(const char *path, struct buf *out)
{
	return with_ruleset(path, out, fw_verify);
}

static bool do_cut(const char *path, struct buf *out)
{
	struct policy *p = load_policy(path, out);
	long cut = p ? fw_cut_flows(fw, p, out) : -1;

	if (cut >= 0)
		buf_printf(out, "%ld\n", cut);
	policy_free(p);
	return cut >= 0;
}

static bool do_net(const char *path, struct buf *out)
{
	struct netplan *plan = load_plan(path, out);
	struct net_undo *made = NULL;
	bool ok = plan && net_apply(plan, &made, out);

	if (ok) {
		net_undo_free(undo);
		undo = made;
	}
	netplan_free(plan);
	return ok;
}

static bool do_check(const char *path, struct buf *out)
{
	struct netplan *plan = load_plan(path, out);
	bool ok = plan && net_verify(plan, out);

	netplan_free(plan);
	return ok;
}

static bool do_undo(const char *path, struct buf *out)
{
	(void)path;
	if (!undo) {
		buf_appends(out, "nothing to undo\n");
		return false;
	}
	net_undo(undo);
	net_undo_free(undo);
	undo = NULL;
	return true;
}

static bool do_allows(const char *line, struct buf *out)
{
	char path[256], from[64], to[64], proto[8];
	unsigned port;
	struct flow f = {0};

	if (sscanf(line, "%255s %63s %63s %7s %u", path, from, to, proto, &port) != 5 ||
	    !addr_parse(from, &f.from) || !addr_parse(to, &f.to)) {
		buf_appends(out, "allows CONFIG FROM TO PROTO PORT\n");
		return false;
	}
	struct policy *p = load_policy(path, out);
	if (!p)
		return false;
	bool icmp = !strcmp(proto, "icmp"), six = f.to.family == AF_INET6;
	f.proto = !strcmp(proto, "tcp")   ? IPPROTO_TCP
		  : !strcmp(proto, "udp") ? IPPROTO_UDP
		  : six                   ? IPPROTO_ICMPV6
					  : IPPROTO_ICMP;
	f.to_port = (uint16_t)port;
	f.icmp_type = !icmp ? 0 : six ? 128 : 8;
	bool allowed = policy_allows(p, &f, out);
	buf_appendc(out, '\n');
	policy_free(p);
	return allowed;
}

static bool do_flowtable(const char *argument, struct buf *out)
{
	(void)argument;
	(void)out;
	return fw_caps(fw).flowtable;
}

static const struct order {
	const char *name;
	bool (*run)(const char *argument, struct buf *out);
} orders[] = {
	{"text", do_text},     {"text+flows", do_text_flows}, {"plan", do_plan},
	{"apply", do_apply},   {"verify", do_verify},         {"cut", do_cut},
	{"net", do_net},       {"check", do_check},           {"undo", do_undo},
	{"allows", do_allows}, {"flowtable", do_flowtable},
};

static bool run(const char *name, const char *argument, struct buf *out)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++)
		if (!strcmp(orders[i].name, name))
			return orders[i].run(argument, out);
	buf_printf(out, "no such order: %s\n", name);
	return false;
}

static void serve(void)
{
	char line[4096];
	struct buf out = BUF_INIT;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		char *argument = strchr(line, ' ');
		if (argument)
			*argument++ = '\0';
		bool ok = run(line, argument ? argument : "", &out);
		printf("%s%s\n", buf_str(&out), ok ? "ok" : "failed");
		fflush(stdout);
		buf_clear(&out);
	}
	buf_free(&out);
}

int main(int argc, char **argv)
{
	struct buf out = BUF_INIT;
	bool ok = true;

	log_open("fwload", LOG_LEVEL_INFO);
	model = model_open("model", true, &out);
	if (!model)
		fatal("%s", buf_str(&out));
	if (argc == 3) {
		ok = run(argv[1], argv[2], &out);
		fputs(buf_str(&out), stdout);
	} else {
		fw = fw_open(&out);
		if (!fw)
			fatal("%s", buf_str(&out));
		serve();
		fw_close(fw);
	}
	net_undo_free(undo);
	buf_free(&out);
	model_close(model);
	return ok ? 0 : 1;
}
