/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/check.h"

#include "model/model.h"

#include <string.h>

/* As relay/config.h has it, which may not be included here. */
enum { LABEL_BYTES_MAX = 127 };

static void check_labels(const struct lyd_node *track, struct faults *f)
{
	const char *campaign = conf_value(track, "campaign");
	size_t tags = 0;

	if (campaign && strlen(campaign) > LABEL_BYTES_MAX)
		fault_at(f, conf_child(track, "campaign"), campaign,
			 "%zu bytes as UTF-8; it may have %d", strlen(campaign), LABEL_BYTES_MAX);
	CONF_FOR_EACH (tag, track, "tag") {
		tags += strlen(conf_text(tag)) + 1;
		if (tags > LABEL_BYTES_MAX + 1) {
			fault_at(f, tag, conf_text(tag),
				 "with this one all tags are over %d bytes, commas included; name "
				 "fewer or shorter ones",
				 LABEL_BYTES_MAX);
			return;
		}
	}
}

void check_track(const struct lyd_node *relay, const struct lyd_node *account, struct faults *f)
{
	static const char *const kinds[] = {"opens", "clicks", "clicks-text", "on-request",
					    "one-click"};
	const struct lyd_node *track = conf_child(account, "track");
	const struct lyd_node *tracking = conf_child(relay, "tracking");
	bool wanted = false;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		wanted = wanted || conf_has(track, kinds[i]);
	if (wanted && !conf_has(track, "host") && !conf_has(tracking, "host"))
		fault_below(f, track, "host",
			    "missing: links need a host name; give it here or in relay tracking");
	if (conf_has(track, "one-click") && !conf_has(tracking, "https"))
		fault_at(f, conf_child(track, "one-click"), NULL,
			 "mail providers follow it by https alone (RFC 8058); set relay tracking "
			 "https as well");
	check_labels(track, f);
}

/* A link that begins with https must find somebody who speaks it, with a certificate that a browser
 * takes; which names that one has is looked at when it is loaded. */
void check_tracking(const struct lyd_node *relay, struct faults *f)
{
	const struct lyd_node *tracking = conf_child(relay, "tracking");
	const struct lyd_node *https = conf_child(tracking, "https");
	bool listens = false;

	if (!conf_has(tracking, "https"))
		return;
	CONF_FOR_EACH (http, relay, "http")
		listens = listens || conf_has(http, "tls");
	if (!listens)
		fault_at(f, https, NULL,
			 "nobody would answer: no relay http listener has tls; add "
			 "'http https { port 443; tls; }' beside 'http http { port 80; }'");
	if (!conf_has(conf_child(relay, "tls"), "chain-file"))
		fault_at(f, https, NULL,
			 "browsers refuse the certificate that the relay makes for itself; name "
			 "one for the tracking host in relay tls (chain-file and key-file)");
}
