/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message's campaign and tags, which come back in everything that is told of it.
 *
 *	X-Gatepost-Campaign: spring sale
 *	X-Gatepost-Tags: newsletter, customers
 *
 * The message's campaign goes before its account's; the tags of both are put together. Pure.
 */
#ifndef GATEPOST_RELAY_TRACK_LABELS_H
#define GATEPOST_RELAY_TRACK_LABELS_H

#include "relay/config.h"

struct labels {
	char campaign[CONFIG_LABEL_MAX + 1];
	char tags[CONFIG_LABEL_MAX + 1]; /* "newsletter,customers" */
};

/*
 * campaign, tags: the fields' values, decoded; "" for none. What is too long is cut: a campaign
 * between characters, tags between tags. A tag that stands there already is left out.
 */
void labels_make(const struct config_account *a, const char *campaign, const char *tags,
		 struct labels *out);

#endif
