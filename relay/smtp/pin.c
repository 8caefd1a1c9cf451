/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/pin.h"

#include "relay/smtp/identify.h"
#include "relay/track/labels.h"
#include "relay/track/wishes.h"

#include <string.h>

/* What is to be tracked, as the account and the message want it. One who wants what cannot be
 * understood gets what the account has: making the message finds the fault and tells it. */
static struct wishes wishes_of(const struct config_account *a, const struct buf *header)
{
	const struct wishes account = {.opens = a->track_opens,
				       .clicks_html = a->track_clicks,
				       .clicks_text = a->track_text,
				       .unsubscribe = a->one_click};
	struct wishes w = account;
	struct buf error = BUF_INIT;
	struct mime_field f;
	bool ok = true;

	for (size_t at = 0;
	     ok && mime_next_field(buf_str(header), (struct mime_range){0, header->len}, &at, &f);)
		ok = wishes_apply(buf_str(header), &f, a->track_on_request, &w, &error);
	buf_free(&error);
	return ok ? w : account;
}

/* The longest of the account's sender domains that the address is in has the word. */
static const char *track_host(const struct config_account *a, const struct mailbox *from)
{
	const char *host = a->track_host, *best = "";

	for (size_t i = 0; i < a->sender_host_count; i++) {
		const struct config_sender_host *s = &a->sender_hosts[i];

		if (domain_is_within(mailbox_domain(from), s->domain) &&
		    strlen(s->domain) > strlen(best)) {
			best = s->domain;
			host = s->host;
		}
	}
	return host;
}

void pin_tracking(struct envelope *e, const struct relay_config *config,
		  const struct config_account *a, const struct header *h, const struct buf *header)
{
	struct labels labels;

	labels_make(a, h->campaign, h->tags, &labels);
	envelope_set(&e->campaign, labels.campaign);
	envelope_set(&e->tags, labels.tags);
	const char *host = track_host(a, &h->from);
	if (!*host || config->token_key_count == 0)
		return;
	struct wishes w = wishes_of(a, header);
	e->flags |= (w.opens ? ENVELOPE_TRACK_OPENS : 0) |
		    (w.clicks_html ? ENVELOPE_TRACK_CLICKS : 0) |
		    (w.clicks_text ? ENVELOPE_TRACK_TEXT : 0) |
		    (w.unsubscribe ? ENVELOPE_ONE_CLICK : 0) |
		    (a->track_foreign ? ENVELOPE_TRACK_FOREIGN : 0) |
		    (config->track_https ? ENVELOPE_TRACK_HTTPS : 0);
	e->track_key = config->token_keys[0].id;
	envelope_set(&e->track_host, host);
}

void pin_signing(struct envelope *e, const struct config_account *a, const struct header *h)
{
	const char *domain = identify_sign_domain(a, &h->from);

	if (!*domain)
		return;
	e->flags |=
		(a->sign_dkim ? ENVELOPE_DKIM : 0) | (a->sign_domainkeys ? ENVELOPE_DOMAINKEYS : 0);
	envelope_set(&e->sign_domain, domain);
	envelope_set(&e->sign_selector, a->sign_selector);
}
