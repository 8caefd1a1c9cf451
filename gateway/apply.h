/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One config put in force: compiled, applied, read back; or everything as it was.
 *
 *	compile   policy, ruleset, netplan            pure: a fault here has touched nothing
 *	apply     addresses and routes, then one nft batch, then services and users
 *	verify    the kernel's own account of it, compared with what was meant
 *
 * Whatever fails, the steps already taken are undone in the opposite order. What was applied can
 * be reverted until it is settled: the commit has still to reach the disk.
 *
 * Before the first config, and whenever none can be applied, the closed ruleset is in force:
 * nothing is forwarded, and nothing new may reach the box from its ports.
 */
#ifndef GATEPOST_GATEWAY_APPLY_H
#define GATEPOST_GATEWAY_APPLY_H

#include "gateway/services.h"
#include "gateway/users.h"
#include "lib/buf.h"

#include <libyang/libyang.h>
#include <stdbool.h>

struct apply;

struct apply_options {
	bool dry_run; /* the kernel is not touched; what would be done stands in dry_run_file */
	const char *dry_run_file;
	struct services services;
	struct users_place users;
};

/* The options' strings must outlive it. NULL with the reason in error. */
struct apply *apply_open(const struct apply_options *options, struct buf *error);
/* Leaves what is in force in force. */
void apply_close(struct apply *a);

/* Closes forwarding: no config is in force afterwards. */
bool apply_closed(struct apply *a, struct buf *error);

/* The pure part alone: does this config compile? conf has passed model_validate(). */
bool apply_check(struct apply *a, const struct lyd_node *conf, struct buf *error);

/* notes: what the operator should know, a line each. conf need not outlive the call. */
bool apply_config(struct apply *a, const struct lyd_node *conf, struct buf *notes,
		  struct buf *error);
/* Takes the last apply_config() back. */
void apply_revert(struct apply *a);
/* The last apply_config() stands: the way back is forgotten, and connections that it does not
 * allow are cut, which is told in notes. */
void apply_settle(struct apply *a, struct buf *notes);

/*
 * What can wait until whoever asked has been answered: the old ruleset is taken away. True when
 * there is nothing more to do.
 */
bool apply_is_tidy(const struct apply *a);
void apply_tidy(struct apply *a);

/* Told before we change the ruleset (true) and behind it, before it is read back (false): nobody
 * needs to listen to the kernel telling of each of our own elements. */
void apply_on_change(struct apply *a, void (*changing)(void *arg, bool begins), void *arg);

/* ---- what is in force, and whether it still is (drift.h) ---- */

enum apply_part { APPLY_NETWORK, APPLY_RULES, APPLY_PARTS }; /* in the order of mending */

/* Does the kernel hold what is in force? False with a line for each difference. */
bool apply_verify(struct apply *a, enum apply_part part, struct buf *difference);
/* Puts it in force again. */
bool apply_mend(struct apply *a, enum apply_part part, struct buf *error);
/* The netlink port that the ruleset is sent from; 0 in a dry run. */
uint32_t apply_netlink_port(const struct apply *a);
/* The sysctls that are in force, as paths below /proc/sys. */
void apply_each_sysctl(const struct apply *a, void (*each)(const char *path, void *arg), void *arg);

/* The ruleset in force as nft text. */
void apply_print_ruleset(const struct apply *a, struct buf *out);

#endif
