/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/apply.h"

#include "fwrules/batch.h"
#include "fwrules/flows.h"
#include "fwrules/nfttext.h"
#include "fwrules/readback.h"
#include "gateway/file.h"
#include "gateway/net_dummy.h"
#include "gateway/net_linux.h"
#include "lib/log.h"

#include <stdlib.h>
#include <string.h>

/* What a config compiles to. */
struct intent {
	struct policy *policy;
	struct ruleset *ruleset;
	struct netplan *net;
	struct users *users;
};

struct apply {
	struct apply_options options;
	struct fw *fw; /* NULL in a dry run */
	struct ruleset_caps caps;
	struct intent closed;   /* of no config at all */
	struct intent in_force; /* empty while nothing but the closed ruleset is */

	bool reversible; /* the last apply_config() is not settled yet */
	struct intent before;
	struct net_undo *net_undo;
	struct services_undo *services_undo;

	void (*changing)(void *arg, bool begins);
	void *changing_arg;
};

/* ---- compile ---- */

static void intent_free(struct intent *i)
{
	policy_free(i->policy);
	ruleset_free(i->ruleset);
	netplan_free(i->net);
	users_free(i->users);
	*i = (struct intent){0};
}

static bool intent_compile(const struct apply *a, const struct lyd_node *conf, struct intent *out,
			   struct buf *error)
{
	*out = (struct intent){0};
	out->policy = policy_compile(conf, error);
	out->net = netplan_compile(conf, error); /* both, so that all faults are told at once */
	if (out->policy && out->net)
		out->ruleset = ruleset_compile(out->policy, &a->caps);
	out->users = users_compile(conf);
	if (out->ruleset)
		return true;
	intent_free(out);
	return false;
}

bool apply_check(struct apply *a, const struct lyd_node *conf, struct buf *error)
{
	struct intent intent;
	bool ok = intent_compile(a, conf, &intent, error);

	if (ok)
		intent_free(&intent);
	return ok;
}

/* ---- open, close ---- */

struct apply *apply_open(const struct apply_options *options, struct buf *error)
{
	struct apply *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	a->options = *options;
	if (!options->dry_run) {
		a->fw = fw_open(error);
		if (!a->fw)
			goto err;
		a->caps = fw_caps(a->fw);
	}
	if (!intent_compile(a, NULL, &a->closed, error))
		goto err;
	return a;
err:
	apply_close(a);
	return NULL;
}

static void forget_way_back(struct apply *a)
{
	intent_free(&a->before);
	net_undo_free(a->net_undo);
	services_undo_free(a->services_undo);
	a->net_undo = NULL;
	a->services_undo = NULL;
	a->reversible = false;
}

void apply_close(struct apply *a)
{
	if (!a)
		return;
	forget_way_back(a);
	intent_free(&a->closed);
	intent_free(&a->in_force);
	if (a->fw)
		fw_close(a->fw);
	free(a);
}

/* ---- the steps ---- */

static const struct ruleset *ruleset_in_force(const struct apply *a)
{
	return a->in_force.ruleset ? a->in_force.ruleset : a->closed.ruleset;
}

void apply_on_change(struct apply *a, void (*changing)(void *arg, bool begins), void *arg)
{
	a->changing = changing;
	a->changing_arg = arg;
}

static bool put_ruleset(struct apply *a, const struct ruleset *rs, struct buf *error)
{
	if (a->changing)
		a->changing(a->changing_arg, true);
	bool ok = fw_apply(a->fw, rs, error);
	if (a->changing)
		a->changing(a->changing_arg, false);
	return ok;
}

static void restore_ruleset(struct apply *a)
{
	struct buf error = BUF_INIT;

	if (!put_ruleset(a, ruleset_in_force(a), &error))
		log_error("undo: the previous ruleset: %s", buf_str(&error));
	buf_free(&error);
}

static bool verify(struct apply *a, const struct intent *intent, struct buf *error)
{
	struct buf difference = BUF_INIT;
	bool net = net_verify(intent->net, &difference);
	bool fw = fw_verify(a->fw, intent->ruleset, &difference);

	if (!net || !fw)
		buf_printf(error, "the kernel holds something else than what was sent:\n%s",
			   buf_str(&difference));
	buf_free(&difference);
	return net && fw;
}

bool apply_verify(struct apply *a, enum apply_part part, struct buf *difference)
{
	if (!a->fw || (part == APPLY_NETWORK && !a->in_force.net))
		return true;
	return part == APPLY_NETWORK ? net_verify(a->in_force.net, difference)
				     : fw_verify(a->fw, ruleset_in_force(a), difference);
}

bool apply_mend(struct apply *a, enum apply_part part, struct buf *error)
{
	struct net_undo *undo = NULL;

	if (!a->fw || (part == APPLY_NETWORK && !a->in_force.net))
		return true;
	if (part == APPLY_RULES)
		return put_ruleset(a, ruleset_in_force(a), error) &&
		       fw_verify(a->fw, ruleset_in_force(a), error) && fw_sweep(a->fw, error);
	if (!net_apply(a->in_force.net, &undo, error))
		return false;
	net_undo_free(undo);
	return net_verify(a->in_force.net, error);
}

uint32_t apply_netlink_port(const struct apply *a)
{
	return a->fw ? fw_netlink_port(a->fw) : 0;
}

void apply_each_sysctl(const struct apply *a, void (*each)(const char *path, void *arg), void *arg)
{
	for (size_t i = 0; a->fw && a->in_force.net && i < a->in_force.net->sysctls_n; i++)
		each(a->in_force.net->sysctls[i].path, arg);
}

/* A dry run has one effect, a file that says what would be done. */
static bool print_dry(const struct apply *a, const struct intent *intent, struct buf *error)
{
	struct buf text = BUF_INIT;

	if (!a->options.dry_run_file)
		return true;
	if (intent->net)
		net_dummy_apply(intent->net, &text);
	nfttext_print(intent->ruleset, 1, &text);
	bool ok = file_replace(a->options.dry_run_file, text.data, text.len, 0600, error);
	buf_free(&text);
	return ok;
}

static bool apply_programs(struct apply *a, const struct lyd_node *conf,
			   const struct intent *intent, struct buf *notes, struct buf *error)
{
	if (!services_apply(&a->options.services, conf, &a->services_undo, notes, error))
		return false;
	if (users_apply(intent->users, &a->options.users, error))
		return true;
	services_undo(a->services_undo);
	return false;
}

static void undo_programs(struct apply *a)
{
	struct buf error = BUF_INIT;

	services_undo(a->services_undo);
	/* Before the first config, who could log in is whoever could when gatepostd ended. */
	if (a->in_force.users && !users_apply(a->in_force.users, &a->options.users, &error))
		log_error("undo: users: %s", buf_str(&error));
	buf_free(&error);
}

static bool apply_dry(struct apply *a, const struct lyd_node *conf, const struct intent *intent,
		      struct buf *notes, struct buf *error)
{
	if (!apply_programs(a, conf, intent, notes, error))
		return false;
	if (print_dry(a, intent, error))
		return true;
	undo_programs(a);
	return false;
}

static bool apply_real(struct apply *a, const struct lyd_node *conf, const struct intent *intent,
		       struct buf *notes, struct buf *error)
{
	if (!net_apply(intent->net, &a->net_undo, error))
		return false;
	if (!put_ruleset(a, intent->ruleset, error))
		goto undo_net;
	if (!apply_programs(a, conf, intent, notes, error))
		goto undo_fw;
	if (verify(a, intent, error))
		return true;
	undo_programs(a);
undo_fw:
	restore_ruleset(a);
undo_net:
	net_undo(a->net_undo);
	return false;
}

bool apply_config(struct apply *a, const struct lyd_node *conf, struct buf *notes,
		  struct buf *error)
{
	struct intent intent;

	if (a->reversible)
		forget_way_back(a);
	if (!intent_compile(a, conf, &intent, error))
		return false;
	if (!(a->fw ? apply_real : apply_dry)(a, conf, &intent, notes, error)) {
		forget_way_back(a);
		intent_free(&intent);
		return false;
	}
	a->before = a->in_force;
	a->in_force = intent;
	a->reversible = true;
	return true;
}

void apply_revert(struct apply *a)
{
	if (!a->reversible)
		return;
	intent_free(&a->in_force);
	a->in_force = a->before;
	a->before = (struct intent){0};
	undo_programs(a);
	if (a->fw) {
		restore_ruleset(a);
		net_undo(a->net_undo);
	} else {
		struct buf error = BUF_INIT;
		if (!print_dry(a, a->in_force.ruleset ? &a->in_force : &a->closed, &error))
			log_error("undo: %s", buf_str(&error));
		buf_free(&error);
	}
	forget_way_back(a);
}

void apply_settle(struct apply *a, struct buf *notes)
{
	struct buf error = BUF_INIT;

	if (!a->reversible)
		return;
	forget_way_back(a);
	long cut = a->fw ? fw_cut_flows(a->fw, a->in_force.policy, &error) : 0;
	if (cut > 0)
		buf_printf(notes, "%ld connection%s cut that %s no longer allowed\n", cut,
			   cut == 1 ? "" : "s", cut == 1 ? "is" : "are");
	if (cut < 0) {
		log_error("connections no longer allowed could not be cut: %s", buf_str(&error));
		buf_printf(notes, "connections that are no longer allowed may go on: %s",
			   buf_str(&error));
	}
	buf_free(&error);
}

bool apply_closed(struct apply *a, struct buf *error)
{
	forget_way_back(a);
	intent_free(&a->in_force);
	return a->fw ? fw_apply(a->fw, a->closed.ruleset, error) : print_dry(a, &a->closed, error);
}

bool apply_is_tidy(const struct apply *a)
{
	return !a->fw || fw_is_swept(a->fw);
}

void apply_tidy(struct apply *a)
{
	struct buf error = BUF_INIT;

	if (a->fw && !fw_sweep(a->fw, &error))
		log_warn("the old ruleset is still there until the next commit: %s",
			 buf_str(&error));
	buf_free(&error);
}

void apply_print_ruleset(const struct apply *a, struct buf *out)
{
	nfttext_print(ruleset_in_force(a), 1, out);
}
