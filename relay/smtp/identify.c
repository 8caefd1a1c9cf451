/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/identify.h"

#include "lib/buf.h"
#include "relay/config_index.h"
#include "relay/smtp/command.h"

#include <stdio.h>
#include <string.h>

#define STATUS_REFUSED "550 5.7.1"

static bool in_networks(const struct config_account *a, const struct addr *address)
{
	for (size_t i = 0; i < a->network_count; i++)
		if (prefix_contains(&a->networks[i], address))
			return true;
	return false;
}

static bool is_logged_in(const struct config_account *a, const struct client *client)
{
	return strcmp(a->name, client->account) == 0;
}

static bool may_speak_for(const struct config_account *a, const struct client *client)
{
	bool inside = in_networks(a, &client->address);
	bool logged_in = is_logged_in(a, client);

	if (a->auth_required)
		return logged_in && (inside || a->network_count == 0);
	return logged_in || inside;
}

static bool is_sender_of(const struct config_account *a, const struct mailbox *m)
{
	for (size_t i = 0; i < a->from.count; i++)
		if (mailbox_matches(m, a->from.items[i]))
			return true;
	return false;
}

static bool fits(const struct config_account *a, const struct mailbox *sender,
		 const struct mailbox *from)
{
	if (sender->text[0] && !is_sender_of(a, sender))
		return false;
	return !from || is_sender_of(a, from);
}

/* Nothing lets the client in: say what would. */
static void refuse_stranger(const struct relay_config *config, const struct client *client,
			    struct identified *out)
{
	const struct config_account *a = config_account(config, client->account);
	char address[ADDR_STR_MAX];

	addr_format(&client->address, address);
	if (a) {
		snprintf(out->text, sizeof(out->text),
			 "account %s takes logins only from its networks, and %s is not in them",
			 a->name, address);
		return;
	}
	snprintf(out->text, sizeof(out->text),
		 "%s is not a client of this relay: log in first (STARTTLS, then AUTH), or have "
		 "the address added to an account's networks",
		 address);
}

/* The client is somebody's, but not the address it gave. */
static void refuse_sender(const struct config_account *a, const struct mailbox *sender,
			  const struct mailbox *from, struct identified *out)
{
	bool header = from && (!sender->text[0] || is_sender_of(a, sender));
	const struct mailbox *m = header ? from : sender;
	char quoted[COMMAND_QUOTE_MAX];
	struct buf list = BUF_INIT;

	for (size_t i = 0; i < a->from.count && list.len < 200; i++)
		buf_printf(&list, "%s%s", i ? ", " : "", a->from.items[i]);
	snprintf(out->text, sizeof(out->text),
		 "%s%s: account %s may not send as this address%s%.240s", header ? "From: " : "",
		 command_quote(quoted, m->text, strlen(m->text)), a->name,
		 list.len ? "; its senders are " : "; it has no senders yet", buf_str(&list));
	buf_free(&list);
}

/* How well an account serves what was asked; 0: it is none of the client's. */
enum rank { KNOWN = 1, LOGGED_IN = 2, FITS_ENVELOPE = 4, FITS = 8 };

static unsigned rank(const struct config_account *a, const struct client *client,
		     const struct mailbox *sender, const struct mailbox *from)
{
	if (!may_speak_for(a, client))
		return 0;
	return KNOWN + (is_logged_in(a, client) ? LOGGED_IN : 0) +
	       (fits(a, sender, NULL) ? FITS_ENVELOPE : 0) + (fits(a, sender, from) ? FITS : 0);
}

struct search {
	const struct client *client;
	const struct mailbox *sender, *from;
	const struct config_account *best;
	unsigned best_rank;
};

/* Of equals the config's first, in whatever order they come. */
static void consider(const struct config_account *a, void *arg)
{
	struct search *s = arg;
	unsigned r = rank(a, s->client, s->sender, s->from);

	if (r > s->best_rank || (r && r == s->best_rank && a < s->best)) {
		s->best = a;
		s->best_rank = r;
	}
}

/* Whoever fits has the sender's domain among its own; the others of the client's matter only when
 * nobody does. */
static void search(const struct relay_config *config, struct search *s)
{
	const struct config_account *logged_in = config_account(config, s->client->account);
	const struct mailbox *named = s->sender->text[0] ? s->sender : s->from;

	if (logged_in)
		consider(logged_in, s);
	if (named)
		config_index_senders(config->index, mailbox_domain(named), consider, s);
	if (!(s->best_rank & FITS))
		config_index_at(config->index, &s->client->address, consider, s);
}

void identify(const struct relay_config *config, const struct client *client,
	      const struct mailbox *sender, const struct mailbox *from, struct identified *out)
{
	struct search s = {.client = client, .sender = sender, .from = from};

	search(config, &s);
	*out = (struct identified){.status = STATUS_REFUSED, .known = s.best};
	if (!s.best)
		refuse_stranger(config, client, out);
	else if (!(s.best_rank & FITS))
		refuse_sender(s.best, sender, from, out);
	else
		*out = (struct identified){.account = s.best};
}

const char *identify_sign_domain(const struct config_account *account, const struct mailbox *from)
{
	const char *best = "";

	for (size_t i = 0; i < account->sign_domains.count; i++) {
		const char *d = account->sign_domains.items[i];

		if (domain_is_within(mailbox_domain(from), d) && strlen(d) > strlen(best))
			best = d;
	}
	return best;
}
