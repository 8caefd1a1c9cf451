/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/provider.h"

#include "relay/config.h"

#include <string.h>

static const struct {
	const char *name, *suffix;
} known[] = {
	{"google", "google.com"},
	{"google", "googlemail.com"},
	{"google", "psmtp.com"},
	{"microsoft", "protection.outlook.com"},
	{"microsoft", "mx.microsoft"},
	{"microsoft", "hotmail.com"},
	{"microsoft", "outlook.com"},
	{"yahoo", "yahoodns.net"},
	{"yahoo", "yahoo.com"},
	{"yahoo", "aol.com"},
	{"apple", "icloud.com"},
	{"apple", "apple.com"},
	{"comcast", "comcast.net"},
	{"gmx", "gmx.net"},
	{"gmx", "web.de"},
	{"gmx", "kundenserver.de"},
	{"gmx", "1and1.com"},
	{"gmx", "ionos.com"},
	{"mimecast", "mimecast.com"},
	{"mimecast", "mimecast.co.za"},
	{"proofpoint", "pphosted.com"},
	{"proofpoint", "ppe-hosted.com"},
	{"zoho", "zoho.com"},
	{"zoho", "zoho.eu"},
	{"ovh", "ovh.net"},
	{"orange", "orange.fr"},
	{"telekom", "t-online.de"},
};

static bool is_below(const char *host, const char *suffix)
{
	size_t n = strlen(host), k = strlen(suffix);

	return n >= k && strcmp(host + n - k, suffix) == 0 && (n == k || host[n - k - 1] == '.');
}

bool provider_is_known(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].name, name) == 0)
			return true;
	return false;
}

const char *provider_of(const struct relay_config *c, const char *host)
{
	for (size_t i = 0; i < c->provider_count; i++)
		for (size_t k = 0; k < c->providers[i].mx.count; k++)
			if (is_below(host, c->providers[i].mx.items[k]))
				return c->providers[i].name;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (is_below(host, known[i].suffix))
			return known[i].name;
	return host;
}

const struct config_provider *provider_rules(const struct relay_config *c, const char *name)
{
	const struct config_provider *otherwise = NULL;

	for (size_t i = 0; i < c->provider_count; i++) {
		if (strcmp(c->providers[i].name, name) == 0)
			return &c->providers[i];
		if (strcmp(c->providers[i].name, PROVIDER_DEFAULT) == 0)
			otherwise = &c->providers[i];
	}
	return otherwise;
}
