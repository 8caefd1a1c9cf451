/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose a mail host is. Pure.
 *
 * A provider hosts thousands of domains and counts what comes from an address over all of them. So
 * limits go by provider, which is told from the names of the mail hosts: those of the config first,
 * then a table of the large ones. A host that is nobody's is a provider of its own.
 */
#ifndef GATEPOST_RELAY_DELIVER_PROVIDER_H
#define GATEPOST_RELAY_DELIVER_PROVIDER_H

#include <stdbool.h>

struct relay_config;

/* The config's provider whose limits hold for everybody without an entry of his own. */
#define PROVIDER_DEFAULT "default"

/* Is that a name of the table? */
bool provider_is_known(const char *name);

/* The provider's name; host itself when it is nobody's. host: lower case, no dot at the end. The
 * answer lives as long as c and host do. */
const char *provider_of(const struct relay_config *c, const char *host);

/* NULL: that provider has no limits of its own, nor has the default. */
const struct config_provider *provider_rules(const struct relay_config *c, const char *name);

#endif
