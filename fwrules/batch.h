/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ruleset into the kernel: one nfnetlink batch, taken whole or not at all.
 *
 * The table stands for good. A batch builds the chains, maps and sets of a new generation and
 * points the base chains at it, all in one transaction, so that no packet sees anything but the old
 * or the new ruleset; the old one goes later (sweep.h). Counters keep their values; dynamic sets
 * keep their members; whatever else stands in our table goes; other tables are not touched. No
 * return code is trusted: a batch counts as taken when the kernel's ruleset generation rose by
 * exactly one and no error was queued.
 *
 * At boot, before any port is raised: apply the ruleset of an empty config (policy_compile(NULL)),
 * which lets nothing pass. The ruleset of the config follows once its ports are there.
 *
 * The socket stays open for life: closing it after a flip waits for the old generation's
 * destruction, with the kernel's commit mutex held.
 */
#ifndef GATEPOST_FWRULES_BATCH_H
#define GATEPOST_FWRULES_BATCH_H

#include "fwrules/ruleset.h"
#include "lib/buf.h"

#include <stdbool.h>

struct fw;

/* NULL with the reason in error. The calling thread's network namespace is the one governed. */
struct fw *fw_open(struct buf *error);
void fw_close(struct fw *fw);

/* What this kernel can do, found by trying it in a transaction that leaves nothing behind. */
struct ruleset_caps fw_caps(const struct fw *fw);

/*
 * Puts rs in force, with its bridge's table if it has one, in place of whatever our tables held.
 * False with the reason in error; the kernel then holds what it held before. To revert, apply the
 * previous ruleset.
 */
bool fw_apply(struct fw *fw, const struct ruleset *rs, struct buf *error);

/*
 * Takes away what the last fw_apply() put out of use (sweep.h). fw_apply() itself does it first
 * when nobody did. False with the reason in error; the next fw_apply() then takes it along.
 */
bool fw_sweep(struct fw *fw, struct buf *error);
bool fw_is_swept(const struct fw *fw);
/* Whose netlink messages are ours. */
uint32_t fw_netlink_port(const struct fw *fw);

#endif
