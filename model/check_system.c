/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/check.h"

#include "model/model.h"

#include <string.h>
#include <strings.h>

/* ---- users ---- */

/* Accounts of the image that are no persons; those of its services begin with "gp-" or "_". */
static bool is_reserved(const char *name)
{
	static const char *const names[] = {"root", "nobody", "operator", "gatepost", "tty"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i], name))
			return true;
	return !strncmp(name, "gp-", 3);
}

static void check_user(const struct lyd_node *user, struct faults *f)
{
	const char *name = conf_value(user, "name");

	if (is_reserved(name))
		fault_at(f, user, name, "the box itself uses this name; take another one");
	if (!strcmp(name, "admin") && strcmp(conf_value(user, "role"), "admin") != 0)
		fault_below(f, user, "role", "admin cannot be an operator: say role admin");
	if (strcmp(name, "admin") != 0 && !conf_has(user, "password") && !conf_has(user, "key"))
		fault_at(f, user, name, "neither a password nor a key: nobody could log in so");
}

/* ---- alarms ---- */

/* "*@domain" or a whole address; domains without regard to case. */
static bool may_send_as(const char *pattern, const char *sender)
{
	const char *at = strchr(sender, '@');

	if (!strncmp(pattern, "*@", 2))
		return at && !strcasecmp(pattern + 1, at);
	return !strcasecmp(pattern, sender);
}

static bool account_takes(const struct lyd_node *account, const char *sender)
{
	struct prefix p;
	struct addr self;
	bool near = false;

	addr_parse("127.0.0.1", &self);
	CONF_FOR_EACH (n, account, "networks")
		near |= prefix_parse(conf_text(n), &p) && prefix_contains(&p, &self);
	CONF_FOR_EACH (from, account, "from")
		if (near && may_send_as(conf_text(from), sender))
			return true;
	return false;
}

static void check_alarms(const struct lyd_node *conf, struct faults *f)
{
	const struct lyd_node *alarms = conf_child(conf_top(conf, "system"), "alarms");
	const struct lyd_node *to = conf_child(alarms, "mail-to");
	const struct lyd_node *from = conf_child(alarms, "mail-from");
	bool taken = false;

	if (!to)
		return;
	if (!conf_top(conf, "relay")) {
		fault_at(f, to, conf_text(to), "there is no relay that this mail could go through");
		return;
	}
	if (!from) {
		fault_below(f, alarms, "mail-from", "missing: a sender must be given for mail-to");
		return;
	}
	CONF_FOR_EACH (account, conf_top(conf, "relay"), "account")
		taken |= account_takes(account, conf_text(from));
	if (!taken)
		fault_at(f, from, conf_text(from),
			 "no account of the relay takes this sender from 127.0.0.1; give one "
			 "\"networks 127.0.0.1/32\" and this address in \"from\"");
}

void check_system(const struct lyd_node *conf, struct faults *f)
{
	CONF_FOR_EACH (user, conf_top(conf, "system"), "user")
		check_user(user, f);
	check_alarms(conf, f);
}
