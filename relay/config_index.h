/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is who among thousands of accounts, without looking at each: by name, by a client's address,
 * by a sender's domain. Made once for a config, from sorted tables; what is asked for every message
 * costs a few comparisons, however many accounts there are.
 */
#ifndef GATEPOST_RELAY_CONFIG_INDEX_H
#define GATEPOST_RELAY_CONFIG_INDEX_H

#include "lib/addr.h"
#include "relay/config.h"

struct config_index;

/* Points into c's accounts: to be freed before they are. */
struct config_index *config_index_new(const struct relay_config *c);
void config_index_free(struct config_index *i);

const struct config_account *config_index_name(const struct config_index *i, const char *name);

typedef void config_index_fn(const struct config_account *a, void *arg);
/* Each account in whose networks the address is, once. */
void config_index_at(const struct config_index *i, const struct addr *client, config_index_fn *fn,
		     void *arg);
/* Each account that may send as somebody of the domain (case makes no difference), as often as
 * patterns of its `from` name it. */
void config_index_senders(const struct config_index *i, const char *domain, config_index_fn *fn,
			  void *arg);

#endif
